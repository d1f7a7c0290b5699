"""Who answers on a day in the place of somebody who is off, and by what: one question for duties, lists, distribution.

`answers_on` reads the whole register for a day in a handful of statements; asking it then costs nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.people.shifts.shift_rules import Shift, ShiftRules
from casework.people.shifts.tables import shifts
from casework.people.staff.person import ACTIVE
from casework.people.staff.roster import Colleague, Roster
from casework.people.staff.roster_rows import read_roster
from casework.rules.statechart.policy import Policies, Policy

OWN, STAND_IN, DEPUTY, ON_DUTY, HEAD = "own", "stand_in", "deputy", "on_duty", "head"
DEPUTY_OFF, HEAD_OFF, NOBODY = "deputy_off", "head_off", "nobody"
WHYS: Final[Mapping[str, tuple[str, str]]] = {
    OWN: ("在岗", "is there"),
    STAND_IN: ("班表指定替班", "whom the roster names in their place"),
    DEPUTY: ("请假代理人", "the deputy of their leave"),
    ON_DUTY: ("同岗位当班人员", "on the roster with the same post"),
    HEAD: ("班表无人，由该岗位主管承担", "nobody is on the roster: the head of the post"),
    DEPUTY_OFF: ("班表无人，由休息中的代理人承担", "nobody is on the roster: the deputy, though they are off"),
    HEAD_OFF: ("班表无人，由休息中的岗位主管承担", "nobody is on the roster: the head of the post, though off"),
    NOBODY: ("班表无人，仍由本人承担", "nobody is on the roster: they themselves"),
}
"""By what somebody answers, in Chinese and English."""
NOBODY_ON: Final = frozenset({HEAD, DEPUTY_OFF, HEAD_OFF, NOBODY})
"""That the roster has nobody: it is said wherever it matters."""

_OF_DAY: Final = sa.select(shifts.c.staff_no, shifts.c.shift, shifts.c.stand_in).where(
    shifts.c.day == sa.bindparam("on", type_=sa.Date)
)
_OF_PEOPLE: Final = sa.select(shifts.c.day, shifts.c.staff_no, shifts.c.shift).where(
    shifts.c.day.in_(sa.bindparam("days", expanding=True)), shifts.c.staff_no.in_(sa.bindparam("who", expanding=True))
)


class Answer(NamedTuple):
    """Who answers, and by what: a key of `WHYS`."""

    staff_no: str
    why: str


@dataclass(frozen=True)
class Answers:
    """One day: the register, its shifts (code and stand-in by person), the shift of whom the roster does not name."""

    roster: Roster
    rules: ShiftRules
    listed: Mapping[str, tuple[str, str | None]]
    preset: Shift | None = None
    _known: dict[str, Answer] = field(default_factory=dict, repr=False, compare=False)
    _on_duty: list[Colleague] = field(default_factory=list, repr=False, compare=False)

    def __post_init__(self) -> None:
        for staff_no in sorted(self.listed):
            colleague = self.roster.colleagues.get(staff_no)
            if colleague is not None and self.is_on(staff_no):
                self._on_duty.append(colleague)

    def shift_of(self, staff_no: str) -> Shift | None:
        """The shift of somebody on that day, entered or preset; none: as on any day."""
        entered = self.listed.get(staff_no)
        return self.preset if entered is None else self.rules.by_code.get(entered[0])

    def is_on(self, staff_no: str | None) -> bool:
        """Whether somebody is there that day: active, not on leave, and with no shift that is off."""
        return self._is_present(staff_no) and not self._rests(staff_no)

    def is_off(self, staff_no: str) -> bool:
        """Whether somebody who is active is on leave that day, or has a shift that is off."""
        return self.who(staff_no).why != OWN

    def who(self, staff_no: str) -> Answer:
        """Who answers in the place of somebody: they themselves while they are there, or were never registered."""
        found = self._known.get(staff_no)
        if found is None:
            found = self._known[staff_no] = self._found(staff_no)
        return found

    def who_of_all(self) -> dict[str, Answer]:
        """Of all who are off, by staff number."""
        return {one: self.who(one) for one in sorted(self.roster.colleagues) if self.is_off(one)}

    def _is_present(self, staff_no: str | None) -> bool:
        colleague = self.roster.colleagues.get(staff_no) if staff_no else None
        return colleague is not None and colleague.status == ACTIVE and not colleague.away

    def _rests(self, staff_no: str | None) -> bool:
        shift = self.shift_of(staff_no) if staff_no else None
        return shift is not None and shift.off

    def _found(self, staff_no: str) -> Answer:
        colleague = self.roster.colleagues.get(staff_no)
        if colleague is None or colleague.status != ACTIVE or self.is_on(staff_no):
            return Answer(staff_no, OWN)
        stand_in = self.listed.get(staff_no, ("", None))[1]
        for named, why in ((stand_in, STAND_IN), (colleague.deputy, DEPUTY)):
            if named is not None and self.is_on(named):
                return Answer(named, why)
        heads = self._heads_of(colleague)
        others = (
            ((one for one in self._on_duty if one.posts & colleague.posts), ON_DUTY),
            ((one for one in heads if self.is_on(one.staff_no)), HEAD),
        )
        for candidates, why in others:
            nearest = self._nearest(colleague, candidates)
            if nearest is not None:
                return Answer(nearest, why)
        if colleague.deputy is not None and self._is_present(colleague.deputy):
            return Answer(colleague.deputy, DEPUTY_OFF)
        resting = self._nearest(colleague, (one for one in heads if self._is_present(one.staff_no)))
        return Answer(staff_no, NOBODY) if resting is None else Answer(resting, HEAD_OFF)

    def _heads_of(self, colleague: Colleague) -> list[Colleague]:
        posts = {self.rules.head_of(post) for post in sorted(colleague.posts) or [""]}
        return sorted(
            {one.staff_no: one for post in posts for one in self.roster.by_post.get(post, ())}.values(),
            key=lambda one: one.staff_no,
        )

    def _nearest(self, to: Colleague, candidates: Iterable[Colleague]) -> str | None:
        """Of the same team, else of the same region, else any; spread over them by staff number, the same each time."""
        found = [one for one in candidates if one.staff_no != to.staff_no]
        for place in ("team", "region"):
            near = [one for one in found if getattr(one, place) and getattr(one, place) == getattr(to, place)]
            found = near or found
            if near:
                break
        return found[sum(to.staff_no.encode()) % len(found)].staff_no if found else None


def answers_on(conn: Connection, rules: ShiftRules, policy: Policy, on: date) -> Answers:
    """The day `on`, by the policy in force on it; a handful of statements, whatever the number of people and cases."""
    listed = {row.staff_no: (row.shift, row.stand_in) for row in conn.execute(_OF_DAY, {"on": on})}
    return Answers(read_roster(conn, on), rules, listed, rules.preset(policy, on))


def resting(
    conn: Connection, rules: ShiftRules, policies: Policies, people: Collection[str], days: Collection[date]
) -> frozenset[tuple[str, date]]:  # fmt: skip
    """Who of these has a shift that is off, on which of these days, entered or preset; one statement, however many."""
    wanted = _OF_PEOPLE, {"who": sorted(people), "days": sorted(days)}
    entered = {(row.staff_no, row.day): rules.by_code.get(row.shift) for row in conn.execute(*wanted)}
    preset = {day: rules.preset(policies.at(day), day) for day in days}
    found = {(one, day): entered.get((one, day), preset[day]) for one in people for day in days}
    return frozenset(which for which, shift in found.items() if shift is not None and shift.off)
