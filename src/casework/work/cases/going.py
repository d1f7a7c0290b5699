"""What guards need of who goes on a visit: whether they are there on its day and may, and where else they are then."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.lifecycle.commands import Fire, Open
from casework.lifecycle.gather import Gathered
from casework.people.shifts.answering import resting
from casework.people.staff import dossier
from casework.people.staff.person import ACTIVE, Person
from casework.storage import rows
from casework.storage.database import is_reading
from casework.work.cases.visit_addresses import UNDER_WAY, visits
from casework.work.visits.noun import VISIT
from casework.work.visits.visit import Visit, minute_of

if TYPE_CHECKING:
    from casework.work.cases.branch import Branch

_NAMED: Final = ("visitor", "second_visitor")
_NAMING: Final = frozenset({"name_visitors", "check_in"})
_MOVING: Final = frozenset({"check_in", "check_out"})
_IS_UNDER_WAY: Final = "under_way"
_HELD: Final = (
    "SELECT pg_advisory_xact_lock(k) FROM "
    "(SELECT hashtextextended('visits of ' || who, 0) AS k FROM unnest(%s::text[]) AS who ORDER BY k) AS ordered"
)
_MADE: Final = sa.select(*(visits.c[name] for name in VISIT.rows.columns)).where(
    sa.or_(
        visits.c.state == sa.literal_column(UNDER_WAY),
        sa.and_(
            visits.c.visit_on.in_(sa.bindparam("days", expanding=True)), visits.c.checked_out_at.is_not(None)
        ),
    ),
    sa.or_(*(visits.c[name].in_(sa.bindparam("who", expanding=True)) for name in (*_NAMED, "assistant"))),
)  # fmt: skip


class Going(msgspec.Struct):
    """The people of a batch: as the register has them, and the visits on which they are, or were on those days.

    `named`: visits of which somebody is named, or leaves for now.
    """

    people: Mapping[str, Person] = msgspec.field(default_factory=dict)
    named: frozenset[int] = frozenset()
    moving: frozenset[int] = frozenset()
    visits: Mapping[int, Visit] = msgspec.field(default_factory=dict)
    resting: Collection[tuple[str, date]] = frozenset()

    def unfit(self, who: Iterable[str], day: date, posts: Collection[str]) -> dict[str, list[str]]:
        """Why these cannot go on that day, as guards read it: gone, on leave, off by the roster, without a post."""
        found: dict[str, list[str]] = {}
        for one in sorted(set(who)):
            for why in _unfit(self.people.get(one), day, posts, off_duty=(one, day) in self.resting):
                found.setdefault(why, []).append(one)
        return found

    def elsewhere(
        self, visit: Visit, told: Mapping[str, Any], so_far: Mapping[tuple[str, int], Any], zone: ZoneInfo
    ) -> dict[str, Any]:  # fmt: skip
        """Another visit on which one of them is, or was during what is told now; `so_far`: as the batch left them."""
        at = minute_of(datetime.fromisoformat(told["at"]))
        began = at if visit.checked_in_at is None else minute_of(visit.checked_in_at)
        of_batch = {number: one for (chart, number), one in so_far.items() if chart == VISIT.chart}
        for other in {**self.visits, **of_batch}.values():
            both = _who_go(visit) & _who_go(other)
            if other.id != visit.id and both and _meets(other, began, at):
                first, last = other.checked_in_at, other.checked_out_at
                return {"who": min(both), "visit": other.id, "first": _text(first, zone), "last": _text(last, zone)}
        return {}


def going(conn: Connection, branch: "Branch", commands: Sequence[Any], gathered: Gathered) -> Going:
    """Read them; of who arrives or leaves nobody else does meanwhile (SQLite has one writer)."""
    named, moving, names, whose, days = set[int](), set[int](), set[str](), list[Visit](), set[date]()
    for one in commands:
        if isinstance(one, Open):
            names |= {one.actor.id, *_told(one.data)}
            days |= _day_of(one.data)
        elif isinstance(one, Fire) and one.event in _NAMING | _MOVING:
            visit = gathered.subjects.get((VISIT.chart, one.id))
            if visit is not None:
                names |= {*visit.visitors, *_told(one.data)} if one.event in _NAMING else set()
                named |= {one.id} if one.event in _NAMING else set()
                days |= {visit.visit_on} if one.event in _NAMING else set()
                moving |= {one.id} if one.event in _MOVING else set()
                whose += [visit] if one.event in _MOVING else []
    people = dossier.persons(conn, names) if names else {}
    rules = branch.rulebook
    off = resting(conn, rules.shifts, rules.policies, names, days) if names and days else ()
    return Going(people, frozenset(named), frozenset(moving), _visits_of(conn, whose) if whose else {}, off)


def _visits_of(conn: Connection, leaving: Sequence[Visit]) -> dict[int, Visit]:
    who = sorted({one for visit in leaving for one in (*visit.visitors, visit.assistant) if one is not None})
    if conn.dialect.name == "postgresql" and not is_reading(conn):
        rows.tell_postgresql(conn, _HELD, [who])
    asked = {"who": who, "days": sorted({one.visit_on for one in leaving})}
    return {row.id: VISIT.rows.read(row) for row in conn.execute(_MADE, asked)}


def _day_of(data: Mapping[str, Any]) -> set[date]:
    """For which day it is ordered; none where that is no day, as the chart will say."""
    try:
        return {date.fromisoformat(data["visit_on"])}
    except (KeyError, TypeError, ValueError):
        return set()


def _told(data: Mapping[str, Any]) -> set[str]:
    return {one for name in _NAMED if isinstance(one := data.get(name), str)}


def _who_go(visit: Visit) -> set[str]:
    """A channel's person too, who has no number here but their channel's."""
    return {*visit.visitors, *((f"{visit.assisting_channel} {visit.assistant}",) if visit.assistant else ())}


def _unfit(person: Person | None, day: date, posts: Collection[str], *, off_duty: bool) -> Iterator[str]:
    if person is None or person.status != ACTIVE or (person.leaves_on is not None and person.leaves_on < day):
        yield "not_there"
    elif person.absence_on(day) is not None:
        yield "away"
    else:
        if off_duty:
            yield "off_duty"
        if not any(held.post in posts for held in person.held_on(day)):
            yield "without_post"


def _meets(other: Visit, began: datetime, ended: datetime) -> bool:
    """Whether they are there still, or were between these minutes; who leaves at one may arrive elsewhere at it."""
    if other.checked_in_at is None:
        return False
    first = minute_of(other.checked_in_at)
    if other.checked_out_at is None:
        return other.state == _IS_UNDER_WAY
    last = minute_of(other.checked_out_at)
    return first <= began < last if began == ended else first < ended and began < last


def _text(at: datetime | None, zone: ZoneInfo) -> str:
    return "…" if at is None else at.astimezone(zone).isoformat(timespec="minutes")
