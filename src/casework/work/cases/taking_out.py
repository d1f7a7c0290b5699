"""Lists that are taken out as files: declared once each, bounded, marked with who took it out, when and what of it.

The mark stands under the title of a workbook and below the lines of a CSV; that a file was taken out is an entry with
its digest, whoever made it: shell, API or console.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy.engine import Connection

from casework.clock import branch_date
from casework.file_names import FileName, file_name
from casework.instants import branch_text
from casework.money import yuan_text
from casework.people.staff.actor import Actor
from casework.people.staff.listing import names_of
from casework.table import BulkList, Lang, Sheet, as_csv, printed
from casework.work.cases.branch import Branch
from casework.work.cases.disclosure import record_export

FileKind = Literal["xlsx", "csv"]
_ASKED: Final = {
    "on": ("日期", "day"), "from": ("起", "from"), "to": ("止", "to"), "week": ("周", "week"), "box": ("栏", "box"),
    "whose": ("清单", "list of"), "name": ("清单", "list"), "team": ("团队", "team"), "status": ("状态", "status"),
    "case_id": ("案件编号", "case"), "handover": ("移交计划", "hand-over"), "post": ("岗位", "post"),
    "actor": ("操作人", "actor"), "event": ("事件", "event"), "stream": ("流", "stream"),
    "subject": ("对象", "subject"),
    "rule": ("规则", "rule"), "code": ("原因代码", "code"), "about": ("关于", "about"), "order": ("次序", "order"),
    "live": ("未结束", "live"), "due_by": ("到期不晚于", "due by"),
    "dpd_min": ("逾期天数不少于", "days past due at least"),
    "dpd_max": ("逾期天数不多于", "days past due at most"), "overdue_fen_min": ("逾期总额不低于", "overdue at least"),
    "overdue_fen_max": ("逾期总额不高于", "overdue at most"), "amount_fen_min": ("金额不低于", "amount at least"),
    "amount_fen_max": ("金额不高于", "amount at most"),
}  # fmt: skip
_NOT_TOLD: Final = ("list", "noun", "purpose")  # the title says it, and the words that the taker chose
_INSTANTS: Final = ("from", "to")


class Taker(NamedTuple):
    """Who takes a file out, by name and number, and when."""

    who: str
    at: datetime
    time_zone: str


class BulkFile(NamedTuple):
    """A file as it is sent; `cut`: there was more than it may have."""

    listed: BulkList
    asked: Mapping[str, Any]
    kind: FileKind
    rows: int
    cut: bool
    name: FileName
    body: bytes


def taker_of(conn: Connection, branch: Branch, actor: Actor, at: datetime) -> Taker:
    """The mark's person and time."""
    return Taker(f"{names_of(conn, [actor.id]).get(actor.id, '')} {actor.id}".strip(), at, branch.time_zone)


def file_of_list(
    listed: BulkList, lines: Iterable[Sequence[Any]], kind: FileKind, lang: Lang, asked: Mapping[str, Any],
    taker: Taker, *, cut: bool = False, told: Sequence[str] = (), scope: str = "", on: date | None = None,
) -> BulkFile:  # fmt: skip
    """The lines in the order of the columns, as many as may be; `asked` is the filter as the entry will have it.

    `cut`: there were more before. `told` goes into the mark as it is; `scope` into the file's name, before its day:
    `on`, or that of the filter, or today.
    """
    rows = list(islice(lines, listed.at_most + 1))
    cut = cut or len(rows) > listed.at_most
    del rows[listed.at_most :]
    about = _mark(listed, asked, lang, taker, [*told, *([cut_note(lang, len(rows))] if cut else [])], len(rows))
    sheet = Sheet(
        getattr(listed, lang)[:31], about, listed.columns, rows, listed.totals, listed.kept_left,
        unprinted=listed.unprinted,
    )  # fmt: skip
    body = as_csv(sheet, lang) if kind == "csv" else printed([sheet], lang)
    day = on or asked.get("on") or branch_date(taker.at, taker.time_zone)
    name = file_name(getattr(listed, lang), listed.name, scope, day, kind=kind)
    return BulkFile(listed, asked, kind, len(rows), cut, name, body)


def record_taken(conn: Connection, branch: Branch, actor: Actor, taken: BulkFile) -> None:
    """Append the list's event to `exports:<who>`; commit it before the file is sent."""
    record_export(
        conn, branch, actor, taken.asked, rows=taken.rows, kind=taken.kind, event=taken.listed.event, file=taken.body
    )


def cut_note(lang: Lang, at_most: int) -> str:
    """What a file says when the filter holds more rows than a file may have."""
    if lang == "zh":
        return f"仅导出前{at_most}行；请缩小筛选范围"
    return f"only the first {at_most} rows; narrow the filter"


def _mark(
    listed: BulkList, asked: Mapping[str, Any], lang: Lang, taker: Taker, more: Sequence[str], rows: int
) -> str:  # fmt: skip
    zh = lang == "zh"
    when = branch_text(taker.at, taker.time_zone)
    parts = [
        f"{'导出' if zh else 'taken out by'} {taker.who} {when}", f"{rows}行" if zh else f"{rows} rows",
        f"时间为{taker.time_zone}" if zh else f"times in {taker.time_zone}",
    ]  # fmt: skip
    words = {column.field: (column.zh, column.en) for column in listed.columns} | _ASKED
    filters = [
        _said(words.get(name, (name, name))[not zh], name, value, taker.time_zone) for name, value in asked.items()
        if name not in _NOT_TOLD and value not in (None, "", [], ())
    ]  # fmt: skip
    if filters:
        parts.append(f"筛选：{'，'.join(filters)}" if zh else f"filter: {', '.join(filters)}")
    return " · ".join([*parts, *more])


def _said(word: str, name: str, value: Any, time_zone: str) -> str:
    """A part of a filter; one whose value no entry has is named alone."""
    if value is True:
        return word
    if "_fen" in name and isinstance(value, int):
        value = yuan_text(value)
    elif name in _INSTANTS and isinstance(value, str) and value.endswith("Z"):
        value = branch_text(datetime.fromisoformat(value), time_zone)
    return f"{word} {'/'.join(map(str, value)) if isinstance(value, list | tuple) else value}"
