"""The duties of one case on one day: done, late, open, or exempt by what (day by day, as known then). Pure.

Done goes before exempt, exempt before late and open. A deadline is reached at the close of its day.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Final, NamedTuple

import msgspec

from casework.rules.calendar import Calendar
from casework.work.cases.duty_rules import DutyRule, HeldTo, Reports
from casework.work.duties.debtor import DebtorDay

DONE, LATE, OPEN, EXEMPT = "done", "late", "open", "exempt"
PAID: Final = "paid"


class VisitMade(NamedTuple):
    """A visit that ended, in branch time; who led it; when its report came, if it did."""

    ended_at: datetime
    visitor: str
    reported_at: datetime | None

    def due_at(self, reports: Reports, calendar: Calendar) -> datetime:
        """By when its report is to be there (5.2)."""
        day, zone = self.ended_at.date(), self.ended_at.tzinfo
        if self.ended_at.time() <= reports.later_from:
            return datetime.combine(day, reports.by, zone)
        return datetime.combine(calendar.working_days_after(day, 1), reports.later_by, zone)


class CaseDay(msgspec.Struct, frozen=True, gc=False):
    """One case as it is known at the close of a day.

    `due_on`: the oldest due date in that day's snapshot. `lost_on`: since when it is lost, if it is. `back_on`: when it
    came back from an agency or a court. `visit_reported`: a visit with a photo is on record. `holds`: those in force at
    any time of the day. `promised`: a promise was open. `paid`: nobody might demand payment all day, for money that
    came or is said to have been sent. `form_asked`: the strategy of the day asks for a disposal form; `form_stands`:
    one is filed or accepted, `form_filed_at` when, in branch time (none: on paper). `repair_good_until`: the last day
    of a repair that found nothing. `excepted`: from placement, that day; `excepted_on`: since. `visits`: those of which
    a report is owed that day, or came on it.
    """

    state: str
    due_on: date
    opened_on: date
    principal_fen: int
    lost_on: date | None = None
    back_on: date | None = None
    visit_reported: bool = False
    repaired_on: date | None = None
    repair_good_until: date | None = None
    placed_on: date | None = None
    excepted: bool = False
    excepted_on: date | None = None
    holds: frozenset[str] = frozenset()
    promised: bool = False
    paid: bool = False
    visits: tuple[VisitMade, ...] = ()
    form_asked: bool = False
    form_stands: bool = False
    form_filed_at: datetime | None = None


class Day(NamedTuple):
    """A day. `closed`: nothing more can be done on it. `outage`: one was declared. `off`: nothing is owed on it."""

    on: date
    calendar: Calendar
    closed: bool = True
    outage: bool = False
    off: bool = False

    @classmethod
    def of(cls, on: date, calendar: Calendar, held_to: HeldTo, *, closed: bool = True, outage: bool = False) -> "Day":
        """A day off is one where the policy says working days."""
        return cls(on, calendar, closed, outage, held_to.on_working_days and not calendar.is_working(on))


class Duty(NamedTuple):
    """One duty of a case that day; `exempt_by`: a hold, `promise`, a rule of the gate, `outage` or `day_off`."""

    duty: str
    status: str
    due_on: date
    exempt_by: str | None = None


_Owed = tuple[bool, date]
"""Whether it was done, and by when it is to be."""


def duties_of(case: CaseDay, debtor: DebtorDay, day: Day, held_to: HeldTo) -> list[Duty]:
    """In the order of the rulebook; none for a case that is not in arrears that day."""
    on, principal = day.on, case.principal_fen
    dpd = (on - case.due_on).days
    found: list[Duty] = []
    if dpd < 1:
        return found
    may_exempt = day.outage or day.off or case.promised or case.paid or case.holds or debtor.reached or debtor.forbidden
    for rule, from_dpd, until_dpd, from_fen, up_to_fen in held_to.by_state.get(case.state, ()):
        if not (from_dpd <= dpd <= until_dpd and from_fen <= principal <= up_to_fen):
            continue
        owed = _OWED[rule.name](case, debtor, day, held_to)
        if owed is None:
            continue
        done, due_on = owed
        if done:
            found.append(Duty(rule.name, DONE, due_on))
        elif may_exempt and (by := _exempt_by(rule, case, debtor, day, held_to)) is not None:
            found.append(Duty(rule.name, EXEMPT, due_on, by))
        else:
            late = due_on <= on if day.closed else due_on < on
            found.append(Duty(rule.name, LATE if late else OPEN, due_on))
    return found


def _exempt_by(rule: DutyRule, case: CaseDay, debtor: DebtorDay, day: Day, held_to: HeldTo) -> str | None:
    for kind in rule.exempt_by:
        if kind == "hold":
            by = next((one for one in held_to.stops_contact if one in case.holds), None)
        elif kind == "promise":
            by = kind if case.promised else None
        elif kind == "gate":
            by = _gate(rule.name, case, debtor)
        else:
            by = kind if (day.outage if kind == "outage" else day.off) else None
        if by is not None:
            return by
    return None


def _gate(duty: str, case: CaseDay, debtor: DebtorDay) -> str | None:
    """The rule that forbade the act all day: from a connection on nobody else is called (X5)."""
    if duty == "dial_contacts" and debtor.reached:
        return "X5"
    if not duty.startswith("dial"):
        return None
    return debtor.forbidden or (PAID if case.paid else None)


def _dial(_case: CaseDay, debtor: DebtorDay, day: Day, held_to: HeldTo) -> _Owed:
    return debtor.connected or debtor.attempts >= held_to.attempts_per_day, day.on


def _dial_by_dpd(case: CaseDay, debtor: DebtorDay, day: Day, held_to: HeldTo) -> _Owed | None:
    if not held_to.dialling:
        return None
    attempts = held_to.attempts_at((day.on - case.due_on).days)
    return (debtor.connected or debtor.attempts >= attempts, day.on) if attempts else None


def _dial_contacts(_case: CaseDay, debtor: DebtorDay, day: Day, _held_to: HeldTo) -> _Owed | None:
    return (debtor.contacts_called, day.on) if debtor.contacts_owed else None


def _visit(case: CaseDay, _debtor: DebtorDay, _day: Day, held_to: HeldTo) -> _Owed:
    due_on = case.due_on + held_to.visit_by
    if case.lost_on is not None:
        due_on = min(due_on, case.lost_on + held_to.act_within)
    return case.visit_reported, due_on


def _visit_report(case: CaseDay, _debtor: DebtorDay, day: Day, held_to: HeldTo) -> _Owed | None:
    """Done where each came in time. One that comes later ends the duty on its day, and was late."""
    if not case.visits:
        return None
    due = [one.due_at(held_to.reports, day.calendar) for one in case.visits]
    done = all(one.reported_at is not None and one.reported_at <= by for one, by in zip(case.visits, due, strict=True))
    return done, min(due).date()


def _repair(case: CaseDay, debtor: DebtorDay, day: Day, held_to: HeldTo) -> _Owed | None:
    """One that found nothing holds good until a day; then it is owed again, as if the case had been lost that day."""
    visited = debtor.visited_on is not None and debtor.visited_on >= case.opened_on
    if case.lost_on is None or visited or case.visit_reported:
        return None
    done = case.repaired_on is not None and case.repaired_on >= case.lost_on
    until = case.repair_good_until
    if done and until is not None and until < day.on:
        return False, until + held_to.act_within
    return done, case.lost_on + held_to.act_within


def _place(case: CaseDay, _debtor: DebtorDay, day: Day, held_to: HeldTo) -> _Owed | None:
    done = day.on in (case.placed_on, case.excepted_on)
    if not done:
        out = case.state in held_to.placed or case.excepted
        if out or (case.holds and not held_to.excluded_holds.isdisjoint(case.holds)):
            return None
    first = max(case.due_on + held_to.place_from, case.opened_on)
    if case.back_on is not None:
        first = max(first, case.back_on)
    return done, day.calendar.working_days_after(first, held_to.place_within_days)


def _disposal_form(case: CaseDay, _debtor: DebtorDay, day: Day, held_to: HeldTo) -> _Owed | None:
    """With that day's papers; one that was filed before is there."""
    if not case.form_asked:
        return None
    filed_at = case.form_filed_at
    in_time = filed_at is None or filed_at <= datetime.combine(day.on, held_to.papers_by, filed_at.tzinfo)
    return case.form_stands and in_time, day.on


_OWED: Final[Mapping[str, Callable[[CaseDay, DebtorDay, Day, HeldTo], _Owed | None]]] = {
    "dial": _dial, "dial_contacts": _dial_contacts, "dial_by_dpd": _dial_by_dpd, "visit": _visit,
    "visit_report": _visit_report, "repair": _repair, "place": _place, "disposal_form": _disposal_form,
}  # fmt: skip
