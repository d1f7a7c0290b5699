"""Reading cases: lists by filter and sort within a reach, page by page, and one case. Nothing here locks or writes.

Pages are keyset pages: a page costs what it holds, however many cases there are and however deep it lies, and
a walk over all pages meets every case that was there from the start once, whatever is inserted meanwhile.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from casework.errors import CallerError
from casework.people.staff.listing import names_of
from casework.people.staff.permissions import Reach
from casework.work.cases.case import Case, from_row
from casework.work.cases.changed import changed_since
from casework.work.cases.filter import (
    MAX_ID,
    BusinessDates,
    CaseFilter,
    check_id,
    conditions_of,
    filter_malformed,
)
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.lifecycles import CASES
from casework.work.cases.line import CaseLine, CasePage
from casework.work.cases.reached import covered_by, ranges_of
from casework.work.cases.tables import cases
from casework.work.cases.unseen import unseen

Sort = Literal["id", "-id", "overdue_fen", "-overdue_fen", "oldest_due_date", "-oldest_due_date"]
"""A minus is descending. Oldest due date ascending is days past due descending; not in arrears comes last."""

MAX_PAGE = 200
CHANGED = "changed"
"""The order of the log, in cursors; nothing else can be asked for with an instant since when."""
_CHUNK = 1_000


_LINE_COLUMNS = CaseLine.__struct_fields__[:-3]
_line_of: Any = CaseLine  # by position, in the order of its own fields
_LINES = tuple(cases.c[name] for name in _LINE_COLUMNS)
_DUE_AT = _LINE_COLUMNS.index("oldest_due_date")


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────


def page_of_cases(
    conn: Connection,
    dates: BusinessDates,
    wanted: CaseFilter,
    *,
    within: Reach,
    sort: Sort = "id",
    limit: int = 50,
    cursor: str | None = None,
) -> CasePage:
    """One page of at most `limit` (1 to 200) cases `within` a reach.

    CallerErrors `cursor_malformed`, `filter_malformed`.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise filter_malformed("limit", f"1–{MAX_PAGE}")
    place = read_cursor(cursor, wanted, sort)
    found = _listing(wanted, dates, sort, within).fetch(conn, place, limit + 1)
    items = _lines(conn, found[:limit], dates)
    following = None
    if len(found) > limit:
        following = write_cursor(place_of(items[-1], sort), wanted, sort)
    return CasePage(items, following)


def page_of_changed(
    conn: Connection, dates: BusinessDates, wanted: CaseFilter, *, within: Reach, since: datetime, limit: int,
    cursor: str | None,
) -> CasePage:  # fmt: skip
    """Of the cases of a filter those that an entry was written of since, as they stand, in the order of the log.

    A page may hold fewer than asked for while there is a next; what changes again comes again. CallerErrors
    `cursor_malformed`, `filter_malformed`.
    """
    asked = (since, wanted)
    place = read_cursor(cursor, asked, CHANGED)
    changed = changed_since(conn, CASES, since, None if place is None else place.id, limit)
    listing = _listing(wanted, dates, "id", within)
    listing.conditions.append(cases.c.id.in_(changed.numbers))
    by_id = {line.id: line for line in _lines(conn, listing.fetch(conn, None, limit), dates)}
    items = [by_id[number] for number in changed.numbers if number in by_id]
    return CasePage(items, None if changed.place is None else write_cursor(Place(None, changed.place), asked, CHANGED))


def walk_cases(
    conn: Connection, dates: BusinessDates, wanted: CaseFilter, *, within: Reach, sort: Sort = "id", at_most: int
) -> Iterator[list[CaseLine]]:
    """The cases of a filter in chunks, `at_most` in all; one statement per chunk (two where dates end)."""
    listing = _listing(wanted, dates, sort, within)
    place, left = None, at_most
    while left > 0:
        size = min(left, _CHUNK)
        found = listing.fetch(conn, place, size)
        if found:
            lines = _lines(conn, found, dates)
            yield lines
            place = place_of(lines[-1], sort)
        if len(found) < size:
            return
        left -= size


def _listing(wanted: CaseFilter, dates: BusinessDates, sort: Sort, within: Reach) -> "Listing":
    conditions = conditions_of(wanted, dates, by_due_date=sort.endswith("oldest_due_date"))
    covered, ranges = [covered_by(within, cases.c)], list[sa.ColumnElement[bool]]()
    if wanted.worked_by is not None:
        ranges = ranges_of(Reach(people=frozenset({wanted.worked_by})), cases.c)
    elif within.everything:
        covered = []
    elif all(getattr(wanted, name) is None for name in _FEW):
        covered, ranges = [], ranges_of(within, cases.c) or [sa.false()]
    return Listing(sa.select(*_LINES), cases.c, [*conditions, *covered], sort, ranges)


_FEW = ("owner", "handler", "borrower_id", "loan_id")
"""Parts of a filter that find few cases by an index of their own; the reach is then only asked of those."""


def _lines(conn: Connection, found: Sequence[Row[Any]], dates: BusinessDates) -> list[CaseLine]:
    lines = [_line(row, dates) for row in found]
    names = names_of(conn, (who for line in lines for who in (line.owner, line.handler)))
    for line in lines:
        line.owner_name, line.handler_name = names.get(line.owner), names.get(line.handler)
    return lines


def _line(row: Row[Any], dates: BusinessDates) -> CaseLine:
    due = row[_DUE_AT]
    days = max((dates.of(row.institution) - due).days, 0) if due else 0
    line: CaseLine = _line_of(*row, days)
    return line


# ── keyset ──────────────────────────────────────────────────────────────────────────────────────────────────


class Place(NamedTuple):
    """Where a page ended: the value sorted by (none: by id alone, or past the last due date) and the id."""

    key: int | date | None
    id: int


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    print_: str
    key: int | str | None
    id: int


def place_of(line: Any, sort: str) -> Place:
    """Where a page that ends in `line` ended."""
    name = sort.removeprefix("-")
    return Place(None if name == "id" else getattr(line, name), line.id)


@dataclass(frozen=True, slots=True)
class Listing:
    """A filter and a sort of a table as statements: `wanted` selects what is read, in the order of one of `columns`.

    `ranges`: a row must lie in one of them; none where all do.
    """

    wanted: sa.Select[Any]
    columns: Any  # of the table
    conditions: list[sa.ColumnElement[bool]]
    sort: str
    ranges: list[sa.ColumnElement[bool]] = field(default_factory=list)
    only_dated: bool = False  # none of those without what is sorted by
    lines: sa.Select[Any] | None = None  # what is read of those of the page, where `wanted` only finds which they are

    def fetch(self, conn: Connection, place: Place | None, limit: int) -> list[Row[Any]]:
        """At most `limit` rows after `place`."""
        column = self.columns[self.sort.removeprefix("-")]
        if self.lines is not None:
            page = self._statement(column, [], place, limit).subquery()
            found_there = self.lines.where(self.columns.id.in_(sa.select(page.c.id)))
            return list(conn.execute(found_there.order_by(self._order(column), self._order(self.columns.id))))
        if not column.nullable or self.only_dated:
            return list(conn.execute(self._statement(column, [], place, limit)))
        # The databases sort NULL differently; two ranges of the same index give one order on both.
        found: list[Row[Any]] = []
        if place is None or place.key is not None:
            found += conn.execute(self._statement(column, [column.is_not(None)], place, limit))
            place = None
        if len(found) < limit:
            undated = self._statement(self.columns.id, [column.is_(None)], place, limit - len(found))
            found += conn.execute(undated)
        return found

    def _statement(
        self, column: sa.Column[Any], more: list[sa.ColumnElement[bool]], place: Place | None, limit: int
    ) -> sa.Select[Any]:
        keys = [column] if column is self.columns.id else [column, self.columns.id]
        conditions = [*self.conditions, *more]
        if place is not None:
            conditions.append(self._after(keys, place))

        def ordered(*whose: sa.ColumnElement[bool]) -> sa.Select[Any]:
            return self.wanted.where(*conditions, *whose).order_by(*map(self._order, keys)).limit(limit)

        if len(self.ranges) <= 1:
            return ordered(*self.ranges)
        # Index ranges merged: an OR of several columns could use no index in order.
        parts = [sa.select(ordered(one).subquery()) for one in self.ranges]
        merged = sa.union(*parts).subquery()
        return sa.select(merged).order_by(*(self._order(merged.c[key.name]) for key in keys)).limit(limit)

    def _order(self, key: sa.ColumnElement[Any]) -> sa.UnaryExpression[Any]:
        return key.desc() if self.sort.startswith("-") else key.asc()

    def _after(self, keys: list[sa.Column[Any]], place: Place) -> sa.ColumnElement[bool]:
        here = [sa.literal(value, key.type) for key, value in zip(keys, place[-len(keys) :], strict=True)]
        left: Any = keys[0] if len(keys) == 1 else sa.tuple_(*keys)
        right: Any = here[0] if len(keys) == 1 else sa.tuple_(*here)
        after: sa.ColumnElement[bool] = left < right if self.sort.startswith("-") else left > right
        return after


def _print_of(wanted: Any, sort: str) -> str:
    """A cursor belongs to its filter and sort: with another, its pages would silently skip what is between."""
    return hashlib.sha256(msgspec.json.encode([sort, wanted])).hexdigest()[:16]


def write_cursor(place: Place, wanted: Any, sort: str) -> str:
    """The cursor after this place of a list; `wanted` is all that it was asked for."""
    body = msgspec.json.encode([_print_of(wanted, sort), place.key, place.id])
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def read_cursor(cursor: str | None, wanted: Any, sort: str) -> Place | None:
    """The place after which that list goes on, none at its beginning; CallerError `cursor_malformed`."""
    if not cursor:
        return None
    place = None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        read = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=_Cursor)
        if read.print_ == _print_of(wanted, sort) and 0 <= read.id <= MAX_ID:
            place = Place(_key_of(read.key, sort), read.id)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        pass  # answered below, as a cursor of another list
    if place is None:
        raise CallerError(
            "cursor_malformed",
            "分页游标无效，或不属于当前的筛选和排序",
            "the cursor is not one of this list with this filter and sort",
        )
    return place


def _key_of(raw: int | str | None, sort: str) -> int | date | None:
    name = sort.removeprefix("-")
    if name == "overdue_fen" and isinstance(raw, int) and abs(raw) <= MAX_ID:
        return raw
    if name in ("oldest_due_date", "due_on", "visit_due_on") and isinstance(raw, str):
        return date.fromisoformat(raw)
    if raw is None and name != "overdue_fen":
        return None
    raise ValueError("a key of another sort")


# ── one case ────────────────────────────────────────────────────────────────────────────────────────────────


def find_case(conn: Connection, case_id: int) -> Case:
    """The case as it stands; CallerError `unknown_case`."""
    row = None
    if 0 < case_id <= MAX_ID:
        row = conn.execute(CASE_ROWS.where(cases.c.id == case_id)).one_or_none()
    if row is None:
        raise unseen("unknown_case", case_id=case_id)
    return from_row(row)


def cases_of_loan(conn: Connection, loan_id: str) -> list[int]:
    """The ids of a loan's cases, oldest first; the live one, if any, is the last."""
    wanted = check_id("loan_id", loan_id)
    found = conn.execute(sa.select(cases.c.id).where(cases.c.loan_id == wanted).order_by(cases.c.id))
    return list(found.scalars())
