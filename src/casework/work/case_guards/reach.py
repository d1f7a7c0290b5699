"""Guards on reaching the debtor: attempts, repairs, holds, promises."""

from datetime import date, timedelta

from casework.rules.statechart.registry import Params, Verdict
from casework.work.case_guards.shown import FOR_ARREARS, last_seen_on, shown
from casework.work.cases.registry import REGISTRY
from casework.work.cases.situation import Situation

guard = REGISTRY.guard


@guard(
    params={"days": "int", "from_dpd": "int", "attempts_per_day": "int"},
    facts=("days_in_a_row", "counted_from", "days_required", "attempts_required"),
)
def days_without_contact(now: Situation, params: Params) -> Verdict:
    """Days in a row with all attempts and none connected: the longest run since the last interruption.

    A connection, a promise and a hold interrupt: what was silent before them proves nothing. A day short of attempts
    proves nothing either: it breaks a run, but takes nothing from one that is complete.
    """
    start = _first_counting_day(now, params["from_dpd"])
    longest, run, last = 0, 0, None
    for day in now.facts.attempt_days:  # in order of date
        if day.on < start or day.on > now.today:  # the business date is the last closed day
            continue
        if day.connected:
            longest = run = 0
        elif day.attempts < params["attempts_per_day"]:
            run = 0
        else:
            run = run + 1 if run and last == day.on - timedelta(days=1) else 1
            longest = max(longest, run)
        last = day.on
    return Verdict(
        longest >= params["days"],
        {"days_in_a_row": longest, "counted_from": min(start, now.today).isoformat()},
        {"days_required": params["days"], "attempts_required": params["attempts_per_day"]},
    )


def _first_counting_day(now: Situation, from_dpd: int) -> date:
    """The day of `from_dpd`, or the opening if its ground is not arrears; none before the case came back.

    Nor before the day after the last interruption. What is in force today is for `no_hold` and `no_open_promise`.
    """
    case, facts = now.case, now.facts
    start = case.opened_on
    if case.opened_for in FOR_ARREARS and case.oldest_due_date is not None:
        start = case.oldest_due_date + timedelta(days=from_dpd)
    promised = facts.promise_pay_by
    over = promised if promised and promised < now.today else None
    broken = [day + timedelta(days=1) for day in (facts.interrupted_on, over) if day is not None]
    back = [facts.desk_since] if facts.desk_since is not None else []
    return max([start, *back, *broken])


@guard(facts=())
def debtor_connected_since(now: Situation, _: Params) -> Verdict:
    met = "debtor_connected" in now.facts.fresh
    return Verdict(met, {"connected": met}, {"connected": True})


@guard(params={"state": "text"}, facts=("desk_state",))
def still_lost(now: Situation, params: Params) -> Verdict:
    """It was in `state` when it left, and the debtor was found or reached nowhere since."""
    facts, seen_on = now.facts, last_seen_on(now)
    seen_since = seen_on is not None and (facts.desk_since is None or seen_on >= facts.desk_since)
    met = facts.desk_state == params["state"] and not seen_since
    saw = {"desk_state": facts.desk_state, "debtor_seen_on": shown(seen_on)}
    return Verdict(met, saw, {"desk_state_required": params["state"]})


@guard(facts=())
def new_number_since(now: Situation, _: Params) -> Verdict:
    met = "new_number" in now.facts.fresh
    return Verdict(met, {"new_number": met}, {"new_number": True})


@guard(params={"up_to_fen": "int", "state": "text"}, facts=("principal_fen", "up_to_fen"))
def repair_duty_done(now: Situation, params: Params) -> Verdict:
    """Owed by a case of so much or less that is or was last in `state` and has never been visited."""
    principal, facts = now.case.principal_at_opening_fen, now.facts
    owed = principal <= params["up_to_fen"] and facts.desk_state == params["state"]
    repaired, visited = facts.repaired_on is not None, bool(facts.visit_photos)
    saw = {"principal_fen": principal, "repaired": repaired, "visited": visited}
    return Verdict(not owed or repaired or visited, saw, {"up_to_fen": params["up_to_fen"], "repaired": True})


@guard(params={"holds": "texts"}, facts=("holds",))
def no_hold(now: Situation, params: Params) -> Verdict:
    """None of those that the policy names for this."""
    found = [name for name in now.facts.holds if name in params["holds"]]
    return Verdict(not found, {"holds": found}, {"holds_at_most": 0})


@guard(facts=("pay_by",))
def no_open_promise(now: Situation, _: Params) -> Verdict:
    pay_by = now.facts.promise_pay_by
    open_still = pay_by is not None and pay_by >= now.today
    opens_on = pay_by + timedelta(days=1) if pay_by else None
    return Verdict(not open_still, {"pay_by": shown(pay_by)}, {"open_promises_at_most": 0}, opens_on)
