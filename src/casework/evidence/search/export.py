"""Entries as files: JSON Lines with the exact bytes; a list whose columns for programs stay off paper. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from casework.log.format.entry_line import EntryLine
from casework.money import yuan_text
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.fields import Field
from casework.spreadsheet import Column
from casework.table import BulkList, Lang
from casework.work.cases.export import CASE_COLUMNS, fields_in

EXPORTED: Final = "audit.exported"


_COLUMNS: Final = (
    Column("entry_id", "分录编号", "Entry", 16),
    Column("recorded_at", "记录时间", "Recorded", 19, "seconds"),
    Column("label", "事件名称", "Event in words", 22),
    Column("from", "原状态", "From state", 12),
    Column("to", "新状态", "To state", 12),
    Column("actor", "操作人", "Actor", 10),
    Column("post_word", "岗位名称", "Post in words", 14),
    Column("reasons", "原因", "Reasons", 20),
    Column("rules", "规则", "Rules", 12),
    Column("amounts", "金额（元）", "Amounts (yuan)", 26),
    Column("written_by", "由本服务写入", "Written by this service", 10),
    Column("event", "事件", "Event", 26),
    Column("codes", "原因代码", "Reason codes", 20),
    Column("actor_kind", "操作人类别", "Kind of actor", 10),
    Column("via", "途径", "Came by", 8),
    Column("post", "岗位", "Post", 18),
    Column("acting_for", "代理", "Acting for", 12),
    Column("business_date", "业务日期", "Business date", 12),
    Column("chart", "状态图", "Chart", 24),
    Column("policy", "政策", "Policy", 20),
    Column("leaf_hash", "叶哈希", "Leaf hash", 66),
    Column("data", "数据", "Data", 60),
)
_FIGURES: Final = {
    column.field: (column.zh.removesuffix("（元）"), column.en.removesuffix(" (yuan)")) for column in CASE_COLUMNS
}
_WRITTEN_BY: Final = {"zh": {True: "是", False: "否：伪造"}, "en": {True: "yes", False: "no: forged"}}
ENTRIES: Final = BulkList("entries", "审计分录", "Entries", _COLUMNS, EXPORTED, kept_left=1, unprinted=11)


class Words(NamedTuple):
    """What states, entries and posts are called, and the zone that times are told in."""

    charts: Mapping[str, Chart]  # by the first word of the entries that they are the charts of
    names: Mapping[str, tuple[str, str]]  # of events, zh and en
    zone: ZoneInfo
    posts: Mapping[str, Mapping[str, str]] = {}


def entries_jsonl(lines: Iterable[EntryLine]) -> Iterator[bytes]:
    """Each entry's exact bytes on a line of its own: without the line's end they hash to its leaf."""
    for line in lines:
        yield bytes(line.body) + b"\n"


def entry_cells(lines: Iterable[EntryLine], words: Words, lang: Lang) -> Iterator[list[Any]]:
    """Each entry in the order of the columns of `ENTRIES`; of a body that somebody changed, what it is."""
    fields = {word: fields_in(chart) for word, chart in words.charts.items()}
    for line in lines:
        told = _told(line, words, fields, lang)
        yield [told.get(column.field) for column in _COLUMNS]


def in_words(value: Any, name: str = "") -> Iterator[str]:
    """What an entry's data says as `name value` each, whatever lies in what; amounts in yuan."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from in_words(one, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        if any(isinstance(one, Mapping | list) for one in value):
            for number, one in enumerate(value, 1):
                yield from in_words(one, f"{name}.{number}")
        elif value:
            yield f"{name} {', '.join(map(_plain, value))}"
    elif name.endswith("_fen") and type(value) is int:
        yield f"{name.removesuffix('_fen')} {yuan_text(value)}"
    elif value is not None:
        yield f"{name} {_plain(value)}"


def _plain(value: Any) -> str:
    return {True: "yes", False: "no", None: "none"}[value] if value is None or isinstance(value, bool) else str(value)


def _told(
    line: EntryLine, words: Words, fields: Mapping[str, Mapping[str, Field]], lang: Lang
) -> dict[str, Any]:  # fmt: skip
    told: dict[str, Any] = {
        "entry_id": line.entry_id,
        "recorded_at": line.recorded_at.astimezone(words.zone),
        "leaf_hash": line.leaf_hash,
    }
    told["written_by"] = _WRITTEN_BY[lang][line.mac_holds]
    try:
        body = msgspec.json.decode(line.body)
        data: dict[str, Any] = body["data"]
        word = body["event"].partition(".")[0]
        chart, known = words.charts.get(word), fields.get(word, {})
        reasons = [reason["code"] for reason in data.get("reasons", ())]
        post = str(data.get("post") or "")
        codes = dict.fromkeys([*([body["reason_code"]] if body["reason_code"] else []), *reasons])
        return told | {
            "event": body["event"], "label": words.names.get(body["event"], ("", ""))[lang == "en"],
            "from": _state(body["from"], chart, lang), "to": _state(body["to"], chart, lang),
            "actor": body["actor"]["id"], "actor_kind": body["actor"]["kind"], "via": body["actor"]["via"],
            "post": post, "post_word": words.posts.get(post, {}).get(lang, post),
            "acting_for": str(data.get("acting_for") or ""),
            "codes": " ".join(codes), "reasons": " ".join(_reason(code, known, lang) for code in codes),
            "rules": " ".join(body["rules"]),
            "amounts": "; ".join(f"{_amount(name, known, lang)} {yuan_text(fen)}" for name, fen in named_amounts(data)),
            "business_date": _day(data.get("business_date")),
            "chart": body["chart"] or "", "policy": body["policy"] or "",
            "data": "; ".join(in_words(data)),
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


def _reason(code: str, fields: Mapping[str, Field], lang: Lang) -> str:
    """What the chart calls a reason; a code of a guard or of the service as it is."""
    known = fields["reason"].one_of if "reason" in fields else {}
    return str(known[code][lang]) if code in known else code


def _amount(name: str, fields: Mapping[str, Field], lang: Lang) -> str:
    field = f"{name}_fen"
    if field in fields:
        return str(getattr(fields[field], lang))
    return _FIGURES[field][lang == "en"] if field in _FIGURES else name


def _day(text: Any) -> date | str | None:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        return None if text is None else str(text)


def _state(name: str | None, chart: Chart | None, lang: Lang) -> str:
    known = chart.states.get(name or "") if chart is not None else None
    return str(getattr(known, lang)) if known is not None else name or ""
