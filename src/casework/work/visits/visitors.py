"""Rules on who goes: two who are there and may, in one place at a time, and none of them reviews it (1.1.1, X9)."""

from typing import Final

from casework.lifecycle.situation import SubjectSituation
from casework.rules.statechart.registry import Params, Registry, Verdict
from casework.work.visits.visit import visit_of

REGISTRY = Registry()
guard = REGISTRY.guard
_OF_AN_ASSISTANT: Final = ("assisting_channel", "assistant", "entrustment", "trained_on")


def named(now: SubjectSituation) -> tuple[str, str | None]:
    """Leader and second visitor, with what is given now."""
    visit = visit_of(now)
    second = now.given.get("second_visitor", visit.second_visitor)
    return now.given.get("visitor", visit.visitor), second


@guard(facts=("not_there",))
def visitors_are_there(now: SubjectSituation, _: Params) -> Verdict:
    """Who is named works here on the day of the visit (`gathered`: of whom the register says otherwise)."""
    return _none_of(now, "not_there")


@guard(facts=("away", "visit_on"))
def visitors_present(now: SubjectSituation, _: Params) -> Verdict:
    """Nobody who is named is on leave on that day (`gathered`)."""
    return _none_of(now, "away")


@guard(facts=("off_duty", "visit_on"))
def visitors_on_duty(now: SubjectSituation, _: Params) -> Verdict:
    """Nobody who is named is off by the roster on that day (`gathered`: who has a shift that is off)."""
    return _none_of(now, "off_duty")


@guard(facts=("without_post",))
def visitors_may_visit(now: SubjectSituation, _: Params) -> Verdict:
    """Each holds a post on that day that may check in (`gathered`: who holds none)."""
    return _none_of(now, "without_post")


def _none_of(now: SubjectSituation, which: str) -> Verdict:
    given = now.gathered.get(which, ())
    found = [one for one in named(now) if one is not None and one in given]
    saw = {which: ", ".join(found), "visit_on": str(visit_of(now).visit_on)}
    return Verdict(not found, saw, {f"{which}_at_most": 0})


@guard(facts=("who", "visit", "first", "last"))
def nowhere_else(now: SubjectSituation, _: Params) -> Verdict:
    """Nobody is on two visits at once (`gathered`: on which other one of them is, or was at that time)."""
    found = now.gathered.get("elsewhere", {})
    facts = {name: found.get(name) for name in ("who", "visit", "first", "last")}
    return Verdict(not found, facts, {"visits_at_most": 1})


@guard(facts=())
def visitors_differ(now: SubjectSituation, _: Params) -> Verdict:
    first, second = named(now)
    return Verdict(first != second, {"visitor": first}, {"second_visitor": "another"})


@guard(facts=("missing",))
def assistant_entrusted(now: SubjectSituation, _: Params) -> Verdict:
    """A channel's person is named, trained, and under written entrustment: all of it, or no channel at all (1.1.1)."""
    told = {name for name in _OF_AN_ASSISTANT if now.given.get(name) is not None}
    missing = [name for name in _OF_AN_ASSISTANT if name not in told] if told else []
    return Verdict(not missing, {"missing": missing}, {"missing_at_most": 0})


@guard(facts=("visitors",))
def by_a_visitor(now: SubjectSituation, _: Params) -> Verdict:
    visitors = visit_of(now).visitors
    return Verdict(now.actor in visitors, {"actor": now.actor}, {"visitors": ", ".join(visitors)})


@guard(facts=())
def by_no_visitor(now: SubjectSituation, _: Params) -> Verdict:
    met = now.actor not in visit_of(now).visitors
    return Verdict(met, {"actor": now.actor}, {"visitor": False})


@guard(facts=("accepted_by",))
def by_another_than_accepted(now: SubjectSituation, _: Params) -> Verdict:
    """Who let a report through does not take that back alone."""
    accepted_by = visit_of(now).accepted_by
    return Verdict(now.actor != accepted_by, {"actor": now.actor}, {"accepted_by": accepted_by})


@guard(facts=())
def two_go(now: SubjectSituation, _: Params) -> Verdict:
    visit = visit_of(now)
    return Verdict(bool(visit.second_visitor or visit.assistant), {"second": None}, {"second": True})
