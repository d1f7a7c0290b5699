"""Guards on reaching the debtor: attempts, repairs, visits, holds, promises."""

from datetime import date, timedelta

from casework.cases.guards.shown import FOR_ARREARS, shown
from casework.cases.registry import REGISTRY
from casework.cases.situation import Situation
from casework.statechart.registry import Params, Verdict

guard = REGISTRY.guard


@guard(
    params={"days": "int", "from_dpd": "int", "attempts_per_day": "int"},
    facts=("days_in_a_row", "counted_from", "days_required", "attempts_required"),
)
def days_without_contact(now: Situation, params: Params) -> Verdict:
    """Days in a row with all attempts and none connected: the longest run since the last connection.

    A day short of attempts proves nothing: it breaks a run, but takes nothing from one that is complete.
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
        {"days_in_a_row": longest, "counted_from": start.isoformat()},
        {"days_required": params["days"], "attempts_required": params["attempts_per_day"]},
    )


def _first_counting_day(now: Situation, from_dpd: int) -> date:
    """The day of `from_dpd`, or the opening if its ground is not arrears; not before the case came back."""
    case = now.case
    start = case.opened_on
    if case.opened_for in FOR_ARREARS and case.oldest_due_date is not None:
        start = case.oldest_due_date + timedelta(days=from_dpd)
    return max(start, case.state_since) if case.state_since > case.opened_on else start


@guard(facts=())
def debtor_connected_since(now: Situation, _: Params) -> Verdict:
    met = "debtor_connected" in now.facts.fresh
    return Verdict(met, {"connected": met}, {"connected": True})


@guard(params={"days": "int"}, facts=("connected_on", "days_required"))
def debtor_connected_within(now: Situation, params: Params) -> Verdict:
    last = now.facts.connected_on
    met = last is not None and (now.today - last).days <= params["days"]
    return Verdict(met, {"connected_on": shown(last)}, {"days_required": params["days"]})


@guard(facts=())
def new_number_since(now: Situation, _: Params) -> Verdict:
    met = "new_number" in now.facts.fresh
    return Verdict(met, {"new_number": met}, {"new_number": True})


@guard(params={"up_to_fen": "int"}, facts=("principal_fen", "up_to_fen"))
def repair_duty_done(now: Situation, params: Params) -> Verdict:
    principal = now.case.principal_at_opening_fen
    met = principal > params["up_to_fen"] or now.facts.repaired_on is not None
    saw = {"principal_fen": principal, "repaired": now.facts.repaired_on is not None}
    return Verdict(met, saw, {"up_to_fen": params["up_to_fen"], "repaired": True})


@guard(params={"outcome": "text"}, facts=("outcome_required",))
def visit_on_record(now: Situation, params: Params) -> Verdict:
    met = f"visit_{params['outcome']}" in now.facts.fresh
    return Verdict(met, {"visit_recorded": met}, {"outcome_required": params["outcome"]})


@guard(params={"days": "int"}, facts=("failed_days", "days_required"))
def failed_visits(now: Situation, params: Params) -> Verdict:
    failed = len(set(now.facts.failed_visit_days))
    return Verdict(failed >= params["days"], {"failed_days": failed}, {"days_required": params["days"]})


@guard(facts=("holds",))
def no_hold(now: Situation, _: Params) -> Verdict:
    return Verdict(not now.facts.holds, {"holds": list(now.facts.holds)}, {"holds_at_most": 0})


@guard(facts=("pay_by",))
def no_open_promise(now: Situation, _: Params) -> Verdict:
    pay_by = now.facts.promise_pay_by
    open_still = pay_by is not None and pay_by >= now.today
    opens_on = pay_by + timedelta(days=1) if pay_by else None
    return Verdict(not open_still, {"pay_by": shown(pay_by)}, {"open_promises_at_most": 0}, opens_on)
