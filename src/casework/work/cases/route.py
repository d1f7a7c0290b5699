"""The route of a day: the visits that somebody leads or goes along to, in the order in which they go."""

from datetime import date
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.people.staff.permissions import Reach
from casework.work.cases.filter import check_id
from casework.work.cases.lifecycles import VISITS
from casework.work.cases.reached import covered_by
from casework.work.cases.tables import cases

_visits: Final = VISITS.table.c


class Stop(msgspec.Struct):
    """One visit of a route; where it goes is shown by who may see addresses."""

    visit_id: int
    case_id: int
    loan_id: str
    stop: int | None
    state: str
    address_kind: str
    area: str | None
    visitor: str
    second_visitor: str | None
    assisting_channel: str | None
    assistant: str | None
    risk_acknowledged: bool


class RouteOfDay(msgspec.Struct):
    """In the order of their stops; those without a number last, by area."""

    on: date
    visitor: str
    stops: list[Stop]


_COLUMNS: Final = (
    _visits.id, _visits.parent_id, *(_visits[name] for name in Stop.__struct_fields__[2:]),
)  # fmt: skip


def route_of(conn: Connection, on: date, visitor: str, *, within: Reach) -> RouteOfDay:
    """What they still have to make, and have made, that day; of cases within the reach, and their own visits."""
    who = check_id("visitor", visitor)
    theirs = sa.or_(_visits.visitor == who, _visits.second_visitor == who)
    wanted = (
        sa.select(*_COLUMNS).join(cases, cases.c.id == _visits.parent_id)
        .where(_visits.visit_on == on, theirs, _visits.state.not_in(["cancelled", "missed"]))
        .where(sa.or_(covered_by(within, cases.c), *(theirs for _ in within.people & {who})))
        .order_by(_visits.stop.is_(None), _visits.stop, _visits.area.is_(None), _visits.area, _visits.id)
    )  # fmt: skip
    return RouteOfDay(on, who, [Stop(*row) for row in conn.execute(wanted)])
