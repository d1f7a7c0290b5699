"""Guards on suing (5.2, 5.6)."""

from casework.cases.guards.shown import day_after_due, shown
from casework.cases.registry import REGISTRY
from casework.cases.situation import Situation
from casework.statechart.registry import Params, Verdict

guard = REGISTRY.guard


@guard(facts=())
def disposal_form_filed(now: Situation, _: Params) -> Verdict:
    filed = now.facts.disposal_form_on is not None
    return Verdict(filed, {"filed": filed}, {"filed": True})


@guard(facts=("limitation_ends_on",))
def limitation_checked(now: Situation, _: Params) -> Verdict:
    ends_on = now.facts.limitation_ends_on
    met = ends_on is not None and ends_on >= now.today
    return Verdict(met, {"limitation_ends_on": shown(ends_on)}, {"ends_on_or_after": now.today.isoformat()})


@guard(facts=())
def debt_due(now: Situation, _: Params) -> Verdict:
    met = now.days_past_due >= 1 or now.facts.accelerated_on is not None
    saw = {"days_past_due": now.days_past_due, "accelerated": now.facts.accelerated_on is not None}
    return Verdict(met, saw, {"due_or_accelerated": True}, day_after_due(now))


@guard(facts=())
def ruling_on_record(now: Situation, _: Params) -> Verdict:
    met = "ruling" in now.facts.fresh
    return Verdict(met, {"ruling": met}, {"ruling": True})


@guard(facts=())
def matter_open(now: Situation, _: Params) -> Verdict:
    return Verdict(now.facts.matter_open, {"matter_open": now.facts.matter_open}, {"matter_open": True})
