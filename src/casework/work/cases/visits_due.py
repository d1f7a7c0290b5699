"""Cases that owe a visit (1.3.2a), by when it is due: one statement a page, whatever the number of cases."""

from datetime import date
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.people.staff.permissions import Reach
from casework.work.cases.filter import check_id, check_text, filter_malformed
from casework.work.cases.lifecycles import VISITS
from casework.work.cases.paging import MAX_PAGE, Listing, place_of, read_cursor, write_cursor
from casework.work.cases.reached import at_most_sorted, covered_by, ranges_of
from casework.work.cases.tables import cases
from casework.work.cases.visit_addresses import PLANNED

SORT: Final = "visit_due_on"
_visits: Final = VISITS.table.c
_next: Final = VISITS.table.alias("next_visit")
_PLANNED: Final = sa.select(_visits.parent_id).where(_visits.state == sa.literal_column(PLANNED))
"""Cases for which a visit was ordered that is still to be made; there is an index of these alone."""
_FIRST: Final = (
    _PLANNED.with_only_columns(_visits.id).where(_visits.parent_id == cases.c.id)
    .order_by(_visits.visit_on, _visits.id).limit(1).correlate(cases).scalar_subquery()
)  # fmt: skip


class VisitsDueWanted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which: due on `due_by` or before; of an owner, a team, a region; `planned`: whether one was ordered.

    `area`: of the visit that was ordered; what no visit was ordered for has none.
    """

    due_by: date | None = None
    owner: str | None = None
    team: str | None = None
    region: str | None = None
    area: str | None = None
    planned: bool | None = None


class VisitDue(msgspec.Struct):
    """A case that owes a visit, by when, what holds it, and the visit that was ordered for it, if any."""

    id: int
    institution: str
    loan_id: str
    borrower_id: str
    product: str | None
    team: str | None
    region: str | None
    state: str
    state_since: date
    owner: str
    handler: str
    principal_at_opening_fen: int
    oldest_due_date: date | None
    visit_due_on: date
    holds: tuple[str, ...]
    visit_id: int | None
    visit_on: date | None
    area: str | None


class VisitsDuePage(msgspec.Struct):
    """By the day on which the visit is due; `next` is the cursor of the page after it, none at the end."""

    items: list[VisitDue]
    next: str | None


class _Facts(msgspec.Struct):
    holds: tuple[str, ...] = ()


_facts: Final = msgspec.json.Decoder(_Facts).decode
_PLAIN: Final = VisitDue.__struct_fields__[:-4]
_FOUND: Final = sa.select(cases.c.id, cases.c.visit_due_on)
"""Of a page, where visits that are planned find it: what they find is sorted, and whole rows are long."""
_LINES: Final = sa.select(
    *(cases.c[name] for name in _PLAIN), cases.c.facts, _next.c.id.label("visit"),
    _next.c.visit_on.label("planned_on"), _next.c.area.label("planned_in"),
).outerjoin_from(cases, _next, _next.c.id == _FIRST)  # fmt: skip


def page_of_visits_due(
    conn: Connection, wanted: VisitsDueWanted, *, within: Reach, limit: int = 50, cursor: str | None = None
) -> VisitsDuePage:  # fmt: skip
    """One page of at most `limit` (1 to 200) cases within a reach; CallerErrors cursor_malformed, filter_malformed."""
    if not 1 <= limit <= MAX_PAGE:
        raise filter_malformed("limit", f"1–{MAX_PAGE}")
    place = read_cursor(cursor, wanted, SORT)
    found = _listing(conn, wanted, within).fetch(conn, place, limit + 1)
    items = [_line(row) for row in found[:limit]]
    following = write_cursor(place_of(items[-1], SORT), wanted, SORT) if len(found) > limit else None
    return VisitsDuePage(items, following)


def _listing(conn: Connection, wanted: VisitsDueWanted, within: Reach) -> Listing:
    conditions: list[sa.ColumnElement[bool]] = [cases.c.visit_due_on.is_not(None)]
    for name in ("owner", "team", "region"):
        if (value := getattr(wanted, name)) is not None:
            (check_id if name == "owner" else check_text)(name, value)
            conditions.append(cases.c[name] == value)
    if wanted.due_by is not None:
        conditions.append(cases.c.visit_due_on <= wanted.due_by)
    few = None
    if wanted.planned or wanted.area is not None:
        few = at_most_sorted(conn, _planned(wanted.area))
        its = _planned(wanted.area).where(_visits.parent_id == cases.c.id).correlate(cases)
        conditions.append(sa.exists(its) if few is None else cases.c.id.in_(few))
    if wanted.planned is False:
        conditions.append(~sa.exists(_PLANNED.where(_visits.parent_id == cases.c.id)))
    ranges = list[sa.ColumnElement[bool]]()
    if not within.everything:
        if wanted.owner is None:
            ranges = ranges_of(within, cases.c) or [sa.false()]
        else:
            conditions.append(covered_by(within, cases.c))
    if few is not None:
        return Listing(_FOUND, cases.c, conditions, SORT, ranges, only_dated=True, lines=_LINES)
    return Listing(_LINES, cases.c, conditions, SORT, ranges, only_dated=True)


def _planned(area: str | None) -> sa.Select[Any]:
    """The cases of `_PLANNED`, of an area. CallerError `filter_malformed`."""
    if area is None:
        return _PLANNED
    check_text("area", area)
    return _PLANNED.where(_visits.area == area)


def _line(row: Any) -> VisitDue:
    values = row._mapping  # noqa: SLF001  # a row's own documented view of it
    return VisitDue(
        **{name: values[name] for name in _PLAIN}, holds=_facts(bytes(values["facts"])).holds,
        visit_id=values["visit"], visit_on=values["planned_on"], area=values["planned_in"],
    )  # fmt: skip
