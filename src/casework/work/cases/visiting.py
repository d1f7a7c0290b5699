"""What guards on visits need from outside: the time, who goes, what the gate says against it, what else is ordered.

And what was seen at the address before.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.lifecycle.commands import Fire, Open
from casework.lifecycle.door import Door
from casework.lifecycle.gather import Gathered, nouns_by_chart
from casework.people.staff.actor import Actor
from casework.rules.statechart.fields import EARLIEST, LATEST
from casework.work.cases.going import Going, going
from casework.work.cases.noun import CASE_CHART
from casework.work.cases.one_of_a_case import UnderWay, under_way
from casework.work.cases.visit_addresses import COLUMNS, RiskSeen, is_news, risks_at, risks_of, visit_addresses
from casework.work.visits.noun import VISIT
from casework.work.visits.visit import TO_BE_MADE, Visit

if TYPE_CHECKING:
    from casework.work.cases.branch import Branch

_NOON: Final = time(12)
_ADDRESS: Final = "address"


class Against:
    """What the gate says against the acts of a batch: by case of those that order for today, by visit of arrivals.

    And which risks are known of the addresses to which visits are ordered, and by visit of those where somebody arrives
    what was told of since it was ordered. Who goes, and which visits of the same cases are ordered.
    """

    def __init__(self, who: Going, ordered: UnderWay) -> None:
        self.who, self.ordered = who, ordered
        self.by_case: dict[int, list[Any]] = {}
        self.by_visit: dict[int, list[Any]] = {}
        self.at_address: dict[bytes, RiskSeen] = {}
        self.news: dict[int, RiskSeen] = {}

    def ask_all(self) -> None:
        """Everything was asked already."""


def prepare(
    conn: Connection, branch: "Branch", commands: Sequence[Any], gathered: Gathered, today: date
) -> Against:  # fmt: skip
    """Ask the gate about orders for today and about arrivals; of a day ahead only holds are known, to the case itself.

    What is ordered for today is judged at noon: who orders it in the night does not leave then.
    """
    ours = [one for one in commands if one.noun == VISIT.chart]
    ordered = under_way(conn, nouns_by_chart(branch.nouns)[VISIT.chart], ours)
    told, by_instant = (
        Against(going(conn, branch, ours, gathered), ordered),
        dict[datetime, list[tuple[Any, Any, dict[int, list[Any]], int]]](),
    )
    addresses, arrivals = set[bytes](), dict[int, Visit]()
    for one in ours:
        if isinstance(one, Open) and isinstance(address := one.data.get("address"), str):
            addresses.add(gathered.vault.blind(_ADDRESS, address))
        if isinstance(one, Open) and one.data.get("visit_on") == today.isoformat():
            case = gathered.subjects.get((CASE_CHART, one.of or 0))
            noon = datetime.combine(today, _NOON, ZoneInfo(branch.time_zone))
            by_instant.setdefault(noon, []).append((one.actor, case, told.by_case, one.of or 0))
        elif isinstance(one, Fire) and one.event == "check_in" and (at := _instant(one.data.get("at"))) is not None:
            visit = gathered.subjects.get((VISIT.chart, one.id))
            case = gathered.subjects.get((CASE_CHART, visit.parent_id)) if visit is not None else None
            arrivals |= {one.id: visit} if visit is not None else {}
            by_instant.setdefault(at, []).append((one.actor, case, told.by_visit, one.id))
    for at, asked in by_instant.items():
        there = [one for one in asked if one[1] is not None]
        said = branch.above.against_visits(conn, branch, [(actor, case) for actor, case, _, _ in there], at)
        for (_, _, found, number), against in zip(there, said, strict=True):
            found[number] = list(against)
    told.at_address = risks_at(conn, addresses) if addresses else {}
    known = risks_of(conn, arrivals) if arrivals else {}
    told.news = {number: seen for number, seen in known.items() if is_news(arrivals[number], seen)}
    return told


def beside(door: Door, visit: Visit, given: Mapping[str, Any]) -> dict[str, Any]:
    """When the act is recorded, what is against who goes, the gate's reasons, whether a text states it."""
    told: Against = door.prepared[VISIT.chart]
    is_new = (VISIT.chart, visit.id) not in door.gathered.subjects
    gathered: dict[str, Any] = {"at": door.trail.recorded_at.isoformat()}
    if is_new or visit.id in told.who.named:
        named = {*visit.visitors, *(given[name] for name in ("visitor", "second_visitor") if given.get(name))}
        gathered |= told.who.unfit(named, visit.visit_on, door.charts[VISIT.chart].events["check_in"].posts)
    if visit.id in told.who.moving and "at" in given:
        elsewhere = told.who.elsewhere(visit, given, door.gathered.subjects, door.zone)
        gathered |= {"elsewhere": elsewhere} if elsewhere else {}
    if given.get("statement") is not None:
        gathered["statement"] = True
    if not is_new:
        against, seen = told.by_visit.get(visit.id, []), told.news.get(visit.id)
    else:
        held = door.parent_of(door.nouns[VISIT.chart], visit).facts.holds  # of which another guard speaks
        against = [one for one in told.by_case.get(visit.parent_id, ()) if one.rule not in held]
        seen = told.at_address.get(door.gathered.vault.blind(_ADDRESS, given["address"]))
        gathered["ordered_at"] = gathered["at"]
        other = told.ordered.beside(
            door, visit, lambda one: one.state in TO_BE_MADE and one.visit_on == visit.visit_on
        )  # fmt: skip
        gathered |= {} if other is None else {"that_day": other}
    if seen is not None:
        gathered["risk_seen"] = {"risk": seen.risk, "visit": seen.visit_id, "on": str(seen.on), "by": seen.by}
    if against:
        gathered["gate"] = [
            {"rule": one.rule, "zh": one.zh, "en": one.en}
            | ({} if one.allowed_from is None else {"allowed_from": utc_text(one.allowed_from)})
            for one in against
        ]  # fmt: skip
    return gathered


def following(door: Door, visit: Visit, _to: str, texts: Mapping[str, str]) -> Callable[[Actor], None] | None:
    """An order's address is kept by its fingerprint: by it a risk that is seen there is found again.

    What verdicts on its photos come to is told to the case, when it becomes something else.
    """
    if _ADDRESS not in texts:
        return partial(_told_of_verdict, door, visit, visit.disproved) if visit.outcome is not None else None
    index = door.gathered.vault.blind(_ADDRESS, texts[_ADDRESS])
    row = (visit.id, visit.institution, visit.borrower_id, index)
    return lambda _: door.write_beside(visit_addresses, COLUMNS, row)


def _told_of_verdict(door: Door, visit: Visit, was: bool, actor: Actor) -> None:
    if visit.disproved != was:
        tells = door.charts[VISIT.chart].events["report_again"].tells
        door.tell(door.nouns[VISIT.chart], visit, tells, actor, f"{VISIT.word}:{visit.id}", visit.visit_on)


def _instant(told: Any) -> datetime | None:
    """What the chart takes as one; of what it does not, the chart says so."""
    try:
        found = datetime.fromisoformat(told)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None and EARLIEST <= found.date() <= LATEST else None
