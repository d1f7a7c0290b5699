"""Reading cases: lists by filter and sort, page by page, and one case. Nothing here locks or writes.

Pages are keyset pages: a page costs what it holds, however many cases there are and however deep it lies, and a walk
over all pages meets every case that was there from the start exactly once, whatever is inserted meanwhile.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from casework.cases.case import Case, from_row
from casework.cases.filter import MAX_ID, BusinessDates, CaseFilter, check_text, conditions_of, filter_malformed
from casework.cases.gather import CASE_ROWS
from casework.cases.tables import cases
from casework.errors import CallerError

Sort = Literal["id", "-id", "overdue_fen", "-overdue_fen", "oldest_due_date", "-oldest_due_date"]
"""A minus is descending. The oldest due date ascending is days past due descending; cases not in arrears come last."""

MAX_PAGE = 200
_CHUNK = 1_000


class CaseLine(msgspec.Struct):
    """A case as lists show it. Amounts in fen; `days_past_due` counts to the business date of its institution."""

    id: int
    institution: str
    loan_id: str
    borrower_id: str
    product: str | None
    channel_code: str | None
    team: str | None
    region: str | None
    state: str
    state_since: date
    live: bool
    version: int
    owner: str
    handler: str
    opened_on: date
    opened_for: str
    closed_as: str | None
    principal_at_opening_fen: int
    oldest_due_date: date | None
    bucket: str
    overdue_principal_fen: int
    overdue_interest_fen: int
    overdue_penalty_fen: int
    overdue_fen: int
    outstanding_principal_fen: int
    last_entry_at: datetime
    days_past_due: int


class CasePage(msgspec.Struct):
    """One page; `next` is the cursor of the page after it, none at the end."""

    items: list[CaseLine]
    next: str | None


_LINE_COLUMNS = CaseLine.__struct_fields__[:-1]
_LINES = tuple(cases.c[name] for name in _LINE_COLUMNS)
_DUE_AT = _LINE_COLUMNS.index("oldest_due_date")
_SORT_COLUMNS: dict[str, sa.Column[Any]] = {
    "id": cases.c.id,
    "overdue_fen": cases.c.overdue_fen,
    "oldest_due_date": cases.c.oldest_due_date,
}


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def page_of_cases(
    conn: Connection,
    dates: BusinessDates,
    wanted: CaseFilter,
    *,
    sort: Sort = "id",
    limit: int = 50,
    cursor: str | None = None,
) -> CasePage:
    """One page of at most `limit` (1 to 200) cases; CallerError `cursor_malformed`, `filter_malformed`."""
    if not 1 <= limit <= MAX_PAGE:
        raise filter_malformed("limit", f"1–{MAX_PAGE}")
    place = _read_cursor(cursor, wanted, sort) if cursor else None
    found = _fetch(conn, _LINES, conditions_of(wanted, dates), wanted, sort, place, limit + 1)
    items = [_line(row, dates) for row in found[:limit]]
    following = None
    if len(found) > limit:
        following = _write_cursor(_place_of(items[-1], sort), wanted, sort)
    return CasePage(items, following)


def walk_cases(
    conn: Connection, dates: BusinessDates, wanted: CaseFilter, *, sort: Sort = "id", at_most: int
) -> Iterator[list[CaseLine]]:
    """The cases of a filter in chunks, at most `at_most` in all; one statement per chunk (two where dates end)."""
    conditions = conditions_of(wanted, dates)
    place, left = None, at_most
    while left > 0:
        size = min(left, _CHUNK)
        found = _fetch(conn, _LINES, conditions, wanted, sort, place, size)
        if found:
            lines = [_line(row, dates) for row in found]
            yield lines
            place = _place_of(lines[-1], sort)
        if len(found) < size:
            return
        left -= size


def _line(row: Row[Any], dates: BusinessDates) -> CaseLine:
    due = row[_DUE_AT]
    days = max((dates.of(row.institution) - due).days, 0) if due else 0
    return CaseLine(*row, days)


# ── keyset ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Place(NamedTuple):
    """Where a page ended: the value sorted by (none: by id alone, or past the last due date) and the id."""

    key: int | date | None
    id: int


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    print_: str
    key: int | str | None
    id: int


def _place_of(line: CaseLine, sort: Sort) -> _Place:
    name = sort.removeprefix("-")
    return _Place(None if name == "id" else getattr(line, name), line.id)


def _fetch(
    conn: Connection,
    columns: Sequence[sa.Column[Any]],
    conditions: list[sa.ColumnElement[bool]],
    wanted: CaseFilter,
    sort: Sort,
    place: _Place | None,
    limit: int,
) -> list[Row[Any]]:
    column, descending = _SORT_COLUMNS[sort.removeprefix("-")], sort.startswith("-")
    if column is not cases.c.oldest_due_date:
        return _run(conn, columns, conditions, wanted, column, descending, place, limit)
    # The databases sort NULL differently; two ranges of the same index give one order on both.
    found: list[Row[Any]] = []
    if place is None or place.key is not None:
        dated = [*conditions, column.is_not(None)]
        found = _run(conn, columns, dated, wanted, column, descending, place, limit)
        place = None
    if len(found) < limit:
        undated = [*conditions, column.is_(None)]
        found += _run(conn, columns, undated, wanted, cases.c.id, descending, place, limit - len(found))
    return found


def _run(
    conn: Connection,
    columns: Sequence[sa.Column[Any]],
    conditions: list[sa.ColumnElement[bool]],
    wanted: CaseFilter,
    column: sa.Column[Any],
    descending: bool,
    place: _Place | None,
    limit: int,
) -> list[Row[Any]]:
    keys = [column] if column is cases.c.id else [column, cases.c.id]
    after: list[sa.ColumnElement[bool]] = []
    if place is not None:
        here = [sa.literal(value, key.type) for key, value in zip(keys, place[-len(keys) :], strict=True)]
        left, right = (keys[0], here[0]) if len(keys) == 1 else (sa.tuple_(*keys), sa.tuple_(*here))
        after = [left < right if descending else left > right]

    def ordered(*more: sa.ColumnElement[bool]) -> sa.Select[Any]:
        order = [key.desc() if descending else key.asc() for key in keys]
        return sa.select(*columns).where(*conditions, *after, *more).order_by(*order).limit(limit)

    if wanted.worked_by is None:
        return list(conn.execute(ordered()))
    # Two index ranges merged: an OR of two columns could use no index in order.
    owned = ordered(cases.c.owner == wanted.worked_by).subquery()
    handled = ordered(cases.c.handler == wanted.worked_by).subquery()
    both = sa.union(sa.select(owned), sa.select(handled)).subquery()
    order = [both.c[key.name].desc() if descending else both.c[key.name].asc() for key in keys]
    return list(conn.execute(sa.select(both).order_by(*order).limit(limit)))


def _print_of(wanted: CaseFilter, sort: Sort) -> str:
    """A cursor belongs to its filter and sort: with another, its pages would silently skip cases."""
    return hashlib.sha256(msgspec.json.encode([sort, wanted])).hexdigest()[:16]


def _write_cursor(place: _Place, wanted: CaseFilter, sort: Sort) -> str:
    body = msgspec.json.encode([_print_of(wanted, sort), place.key, place.id])
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def _read_cursor(cursor: str, wanted: CaseFilter, sort: Sort) -> _Place:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        read = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=_Cursor)
        place = _Place(_key_of(read.key, sort), read.id)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        place = None
    if place is None or read.print_ != _print_of(wanted, sort) or not 0 <= place.id <= MAX_ID:
        raise CallerError(
            "cursor_malformed",
            "分页游标无效,或不属于当前的筛选和排序",
            "the cursor is not one of this list with this filter and sort",
        )
    return place


def _key_of(raw: int | str | None, sort: Sort) -> int | date | None:
    name = sort.removeprefix("-")
    if name == "overdue_fen" and isinstance(raw, int) and abs(raw) <= MAX_ID:
        return raw
    if name == "oldest_due_date" and isinstance(raw, str):
        return date.fromisoformat(raw)
    if raw is None and name != "overdue_fen":
        return None
    raise ValueError("a key of another sort")


# ── one case ────────────────────────────────────────────────────────────────────────────────────────────────────────


def find_case(conn: Connection, case_id: int) -> Case:
    """The case as it stands; CallerError `unknown_case`."""
    row = conn.execute(CASE_ROWS.where(cases.c.id == case_id)).one_or_none() if 0 < case_id <= MAX_ID else None
    if row is None:
        raise CallerError(
            "unknown_case", f"没有编号为{case_id}的案件", f"there is no case {case_id}", case_id=case_id
        )
    return from_row(row)


def cases_of_loan(conn: Connection, loan_id: str) -> list[int]:
    """The ids of a loan's cases, oldest first; the live one, if any, is the last."""
    check_text("loan_id", loan_id)
    found = conn.execute(sa.select(cases.c.id).where(cases.c.loan_id == loan_id).order_by(cases.c.id))
    return list(found.scalars())
