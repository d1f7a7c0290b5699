"""Guards on reaching the debtor: attempts, repairs, holds, promises."""

from datetime import date, timedelta

from casework.people.staff.actor import system
from casework.rules.statechart.registry import Params, Verdict
from casework.work.case_guards.shown import FOR_ARREARS, last_seen_on, shown
from casework.work.cases.case import PROMISE, AttemptDay
from casework.work.cases.registry import REGISTRY
from casework.work.cases.situation import CaseSituation

guard = REGISTRY.guard
_THE_SERVICE = system("cli").id


@guard(
    params={"days": "int", "from_dpd": "int", "attempts_per_day": "int", "holds": "texts", "broken_by": "texts"},
    facts=("days_in_a_row", "counted_from", "days_required", "attempts_required"),
)
def days_without_contact(now: CaseSituation, params: Params) -> Verdict:
    """The day and those before it: each with all attempts, none connected, none spoilt by a promise or a hold.

    Who connects is `broken_by`: the debtor, and whoever else's answer breaks the run by policy.

    On the first of them the loan was so many days past due; a due date that moves may lower the later ones.
    """
    start, days = _first_counting_day(now), {day.on: day for day in now.facts.attempt_days}
    run: list[date] = []
    on = now.today
    while len(run) < params["days"] and on >= start and _is_silent(now, days.get(on), on, params):
        run.append(on)
        on -= timedelta(days=1)
    met = len(run) == params["days"] and _is_late(now, run[-1], params["from_dpd"])
    counted = run if met else [day for day in run if _is_late(now, day, params["from_dpd"])]
    return Verdict(
        met,
        {"days_in_a_row": len(counted), "counted_from": _counted_from(now, start, params).isoformat()},
        {"days_required": params["days"], "attempts_required": params["attempts_per_day"]},
    )


def _is_silent(now: CaseSituation, day: AttemptDay | None, on: date, params: Params) -> bool:
    """Enough was dialled and nobody answered, no promise was open and no hold in force on any part of the day."""
    if day is None or day.attempts < params["attempts_per_day"] or day.connected:
        return False
    if any(party in params["broken_by"] for party in day.answered):
        return False
    of_day = [one.by for one in now.facts.spoilt if one.first <= on <= (one.last or on)]
    return not any(by in params["holds"] or by.startswith(PROMISE) for by in of_day)


def _is_late(now: CaseSituation, on: date, from_dpd: int) -> bool:
    """Whether a run may begin on that day; where the case was opened for another reason, arrears do not matter."""
    return now.case.opened_for not in FOR_ARREARS or now.case.days_past_due_on(on) >= from_dpd


def _counted_from(now: CaseSituation, start: date, params: Params) -> date:
    """What a person is told: a run can begin on no day before it."""
    due = now.case.oldest_due_date if now.case.opened_for in FOR_ARREARS else None
    return min(max(start, due + timedelta(days=params["from_dpd"])) if due else start, now.today)


def _first_counting_day(now: CaseSituation) -> date:
    """The day of the opening; where the case came back here, the day after that."""
    back = now.facts.desk_since
    return now.case.opened_on if back is None else max(now.case.opened_on, back + timedelta(days=1))


@guard(facts=())
def debtor_connected_since(now: CaseSituation, _: Params) -> Verdict:
    met = "debtor_connected" in now.facts.fresh
    return Verdict(met, {"connected": met}, {"connected": True})


@guard(params={"state": "text"}, facts=("desk_state",))
def still_lost(now: CaseSituation, params: Params) -> Verdict:
    """It was in `state` when it left, and the debtor was found or reached nowhere since."""
    facts, seen_on = now.facts, last_seen_on(now)
    seen_since = seen_on is not None and (facts.desk_since is None or seen_on >= facts.desk_since)
    met = facts.desk_state == params["state"] and not seen_since
    saw = {"desk_state": facts.desk_state, "debtor_seen_on": shown(seen_on)}
    return Verdict(met, saw, {"desk_state_required": params["state"]})


@guard(facts=())
def new_number_since(now: CaseSituation, _: Params) -> Verdict:
    met = "new_number" in now.facts.fresh
    return Verdict(met, {"new_number": met}, {"new_number": True})


@guard(params={"up_to_fen": "int", "state": "text"}, facts=("principal_fen", "up_to_fen"))
def repair_duty_done(now: CaseSituation, params: Params) -> Verdict:
    """Owed by a case of so much or less that is or was last in `state` and has never been visited.

    One that found nothing holds good for a while only.
    """
    principal, facts = now.case.principal_at_opening_fen, now.facts
    owed = principal <= params["up_to_fen"] and facts.desk_state == params["state"]
    repaired = facts.repaired_on is not None and (facts.repair_good_until or now.today) >= now.today
    visited = bool(facts.visit_photos) or facts.visit_stated
    saw = {"principal_fen": principal, "repaired": repaired, "visited": visited}
    return Verdict(not owed or repaired or visited, saw, {"up_to_fen": params["up_to_fen"], "repaired": True})


@guard(facts=())
def repair_has_source(now: CaseSituation, _: Params) -> Verdict:
    """Who records it says where it is from; the service tells of a repair whose own entries do."""
    missing = [name for name in ("source", "legal_basis") if name not in now.given] if now.given else []
    return Verdict(now.actor == _THE_SERVICE or not missing, {"missing": missing}, {"missing_at_most": 0})


@guard(facts=())
def nothing_by_a_repair(now: CaseSituation, _: Params) -> Verdict:
    """A person alone cannot say that there is nothing: the sources that were tried do."""
    nothing = now.given.get("outcome") == "nothing_new"
    return Verdict(now.actor == _THE_SERVICE or not nothing, {"nothing": nothing}, {"by_a_repair": True})


@guard(params={"holds": "texts"}, facts=("holds",))
def no_hold(now: CaseSituation, params: Params) -> Verdict:
    """None of those that the policy names for this."""
    found = [name for name in now.facts.holds if name in params["holds"]]
    return Verdict(not found, {"holds": found}, {"holds_at_most": 0})
