"""Entries as files: JSON Lines with the exact bytes, CSV and XLSX with readable columns. Pure."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec

from casework.log.format.entry_line import EntryLine
from casework.money import yuan_text
from casework.rules.statechart.chart import Chart
from casework.spreadsheet import Column, safe_cell, workbook

MAX_ROWS: Final = 20_000
_MAX_CELL: Final = 32_000  # a workbook's cell holds 32,767
Lang = Literal["zh", "en"]
Format = Literal["jsonl", "csv", "xlsx"]


_COLUMNS: Final = (
    Column("entry_id", "分录编号", "Entry", 18),
    Column("recorded_at", "记录时间（UTC）", "Recorded (UTC)", 28),
    Column("event", "事件", "Event", 26),
    Column("label", "事件名称", "Event in words", 20),
    Column("from", "原状态", "From state", 14),
    Column("to", "新状态", "To state", 14),
    Column("actor", "操作人", "Actor", 12),
    Column("actor_kind", "操作人类别", "Kind of actor", 10),
    Column("via", "途径", "Came by", 8),
    Column("post", "岗位", "Post", 18),
    Column("acting_for", "代理", "Acting for", 12),
    Column("codes", "原因代码", "Reason codes", 24),
    Column("rules", "规则", "Rules", 14),
    Column("amounts", "金额（元）", "Amounts (yuan)", 36),
    Column("business_date", "业务日期", "Business date", 12),
    Column("chart", "状态图", "Chart", 24),
    Column("policy", "政策", "Policy", 20),
    Column("leaf_hash", "叶哈希", "Leaf hash", 66),
    Column("written_by", "由本服务写入", "Written by this service", 12),
    Column("data", "数据", "Data", 60),
)
_WRITTEN_BY: Final = {"zh": {True: "是", False: "否：伪造"}, "en": {True: "yes", False: "no: forged"}}


class Words(NamedTuple):
    """What states and entries are called."""

    charts: Mapping[str, Chart]  # by the first word of the entries that they are the charts of
    names: Mapping[str, tuple[str, str]]  # of events, zh and en


def entries_jsonl(lines: Iterable[EntryLine]) -> Iterator[bytes]:
    """Each entry's exact bytes on a line of its own: without the line's end they hash to its leaf."""
    for line in lines:
        yield bytes(line.body) + b"\n"


def entries_csv(lines: Iterable[EntryLine], words: Words, lang: Lang, *, cut: bool) -> bytes:
    """UTF-8 with BOM, CRLF; no cell can be taken for a formula. When `cut`, a last row says so."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([getattr(column, lang) for column in _COLUMNS])
    for line in lines:
        told = _told(line, words, lang)
        writer.writerow([safe_cell(told.get(column.field, "")) for column in _COLUMNS])
    if cut:
        writer.writerow([cut_note(lang)])
    return out.getvalue().encode("utf-8-sig")


def entries_xlsx(lines: Iterable[EntryLine], words: Words, lang: Lang, *, cut: bool, notes: Mapping[str, str]) -> bytes:
    """A workbook: the entries, and a sheet of notes; every cell is a text."""
    rows = (
        [_fitting(told.get(column.field, "")) for column in _COLUMNS]
        for told in (_told(line, words, lang) for line in lines)
    )
    title = {"zh": "审计分录", "en": "Entries"}[lang]
    return workbook(_COLUMNS, rows, lang, title, notes, cut_note(lang) if cut else None)


def _fitting(text: str) -> str:
    return text if len(text) <= _MAX_CELL else f"{text[:_MAX_CELL]}…"


def cut_note(lang: Lang) -> str:
    """What a file says at its end when more entries match than it has."""
    if lang == "zh":
        return f"仅导出前 {MAX_ROWS} 行以内；请缩小筛选范围"
    return f"only the first rows, {MAX_ROWS} at most; narrow the filter"


def _told(line: EntryLine, words: Words, lang: Lang) -> dict[str, str]:
    """The columns of one entry; of a body that somebody changed, what it is."""
    told = {"entry_id": line.entry_id, "recorded_at": _time(line.recorded_at), "leaf_hash": line.leaf_hash}
    told["written_by"] = _WRITTEN_BY[lang][line.mac_holds]
    try:
        body = msgspec.json.decode(line.body)
        data: dict[str, Any] = body["data"]
        chart = words.charts.get(body["event"].partition(".")[0])
        reasons = [reason["code"] for reason in data.get("reasons", ())]
        codes = dict.fromkeys([*([body["reason_code"]] if body["reason_code"] else []), *reasons])
        return told | {
            "event": body["event"], "label": words.names.get(body["event"], ("", ""))[lang == "en"],
            "from": _state(body["from"], chart, lang), "to": _state(body["to"], chart, lang),
            "actor": body["actor"]["id"], "actor_kind": body["actor"]["kind"], "via": body["actor"]["via"],
            "post": str(data.get("post") or ""), "acting_for": str(data.get("acting_for") or ""),
            "codes": " ".join(codes), "rules": " ".join(body["rules"]),
            "amounts": "; ".join(f"{name} {yuan_text(amount)}" for name, amount in named_amounts(data)),
            "business_date": str(data.get("business_date") or ""),
            "chart": body["chart"] or "", "policy": body["policy"] or "",
            "data": msgspec.json.encode(data, order="deterministic").decode(),
        }  # fmt: skip
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError, AttributeError):
        return told | {"data": {"zh": "（正文不可读）", "en": "(unreadable body)"}[lang]}


def named_amounts(data: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The amounts of an entry with their names, without `_fen`; not what rules need."""
    for key, value in data.items():
        if isinstance(value, Mapping) and key != "needs":
            yield from named_amounts(value)
        elif isinstance(value, list):
            for one in value:
                if isinstance(one, Mapping):
                    yield from named_amounts(one)
        elif key.endswith("_fen") and isinstance(value, int) and not isinstance(value, bool):
            yield key.removesuffix("_fen"), value


def _time(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S.%f")


def _state(name: str | None, chart: Chart | None, lang: Lang) -> str:
    known = chart.states.get(name or "") if chart is not None else None
    return str(getattr(known, lang)) if known is not None else name or ""
