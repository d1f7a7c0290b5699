"""Reading cases: lists by filter and sort within a reach, page by page, and one case. Nothing here locks or writes.

Pages are keyset pages: a page costs what it holds, however many cases there are and however deep it lies, and
a walk over all pages meets every case that was there from the start once, whatever is inserted meanwhile.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from casework.people.staff.listing import names_of
from casework.people.staff.permissions import Reach
from casework.work.cases.bounded import Search, fetch_any
from casework.work.cases.case import Case, from_row
from casework.work.cases.changed import changed_since
from casework.work.cases.filter import (
    IDS,
    MAX_ID,
    BusinessDates,
    CaseFilter,
    Part,
    check_id,
    conditions_of,
    equal,
    filter_malformed,
    parts_of,
    worked_by,
)
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.line import CaseLine, CasePage
from casework.work.cases.noun import CASE
from casework.work.cases.paging import MAX_PAGE, Place, place_of, read_cursor, write_cursor
from casework.work.cases.reached import covered_by
from casework.work.cases.sorts import Sort
from casework.work.cases.tables import cases
from casework.work.cases.unseen import unseen

CHANGED = "changed"
"""The order of the log, in cursors; nothing else can be asked for with an instant since when."""
_CHUNK = 1_000


_LINE_COLUMNS = CaseLine.__struct_fields__[:-3]
_line_of: Any = CaseLine  # by position, in the order of its own fields
_LINES = tuple(cases.c[name] for name in _LINE_COLUMNS)
_WANTED = sa.select(*_LINES)
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
    """One page of at most `limit` (1 to 200) cases `within` a reach; it may hold fewer while there is a next.

    CallerErrors `cursor_malformed`, `filter_malformed`.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise filter_malformed("limit", f"1–{MAX_PAGE}")
    place = read_cursor(cursor, wanted, sort)
    found, edge = fetch_any(conn, _searches(wanted, dates, sort, within), place, limit + 1)
    items = _lines(conn, found[:limit], dates)
    after = place_of(items[-1], sort) if len(found) > limit else edge
    return CasePage(items, None if after is None else write_cursor(after, wanted, sort))


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
    changed = changed_since(conn, CASE, since, None if place is None else place.id, limit)
    listed = _WANTED.where(cases.c.id.in_(changed.numbers), *conditions_of(wanted, dates))
    found = conn.execute(listed.where(covered_by(within, cases.c))).all()
    by_id = {line.id: line for line in _lines(conn, found, dates)}
    items = [by_id[number] for number in changed.numbers if number in by_id]
    return CasePage(items, None if changed.place is None else write_cursor(Place(None, changed.place), asked, CHANGED))


def walk_cases(
    conn: Connection, dates: BusinessDates, wanted: CaseFilter, *, within: Reach, sort: Sort = "id", at_most: int
) -> Iterator[list[CaseLine]]:
    """The cases of a filter in chunks, `at_most` in all, however far they lie apart."""
    searches = _searches(wanted, dates, sort, within)
    place, left = None, at_most
    while left > 0:
        size = min(left, _CHUNK)
        found, edge = fetch_any(conn, searches, place, size)
        if found:
            lines = _lines(conn, found, dates)
            yield lines
            place = place_of(lines[-1], sort)
        if len(found) < size:
            if edge is None:
                return
            place = edge
        left -= len(found)


def _searches(wanted: CaseFilter, dates: BusinessDates, sort: Sort, within: Reach) -> list[Search]:
    """The filter within each part of a reach; one search where the filter itself finds few, or all is reached."""
    parts = parts_of(wanted, dates)
    if within.everything:
        return [Search(_WANTED, parts, sort)]
    if any(getattr(wanted, name) is not None for name in IDS):
        covered = Part(("owner", "handler", "team", "region", "product"), partial(covered_by, within))
        return [Search(_WANTED, [*parts, covered], sort)]
    return [Search(_WANTED, [one, *parts], sort) for one in _reached(within)]


def _reached(within: Reach) -> Iterator[Part]:
    """A reach as parts of a filter; a case may lie in several."""
    if within.people:
        yield worked_by(*sorted(within.people))
    for name, places in (("team", within.teams), ("region", within.regions), ("product", within.products)):
        for place in sorted(places):
            yield equal(name, place)


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
