"""Guards on days past due, arrears and classification."""

from datetime import date, timedelta

from casework.rules.statechart.registry import Params, Verdict
from casework.work.case_guards.shown import day_after_due, shown
from casework.work.cases.registry import REGISTRY
from casework.work.cases.situation import CaseSituation

guard = REGISTRY.guard


@guard(
    params={"days": "int"},
    facts=("days_past_due", "days_at_least"),
    number=lambda days_past_due, params: bool(days_past_due >= params["days"]),
)
def dpd_at_least(now: CaseSituation, params: Params) -> Verdict:
    due, days = now.case.oldest_due_date, params["days"]
    opens_on = due + timedelta(days=days) if due else None
    return Verdict(now.days_past_due >= days, {"days_past_due": now.days_past_due}, {"days_at_least": days}, opens_on)


@guard(
    params={"days": "int"},
    facts=("days_past_due", "days_at_most"),
    number=lambda days_past_due, params: bool(days_past_due <= params["days"]),
)
def dpd_at_most(now: CaseSituation, params: Params) -> Verdict:
    met = now.days_past_due <= params["days"]
    return Verdict(met, {"days_past_due": now.days_past_due}, {"days_at_most": params["days"]})


@guard(facts=("days_past_due",))
def in_arrears(now: CaseSituation, _: Params) -> Verdict:
    days_past_due = now.days_past_due
    needs = {"days_past_due_at_least": 1}
    return Verdict(days_past_due >= 1, {"days_past_due": days_past_due}, needs, day_after_due(now))


@guard(facts=("oldest_due_date",))
def not_in_arrears(now: CaseSituation, _: Params) -> Verdict:
    due = now.case.oldest_due_date
    return Verdict(due is None, {"oldest_due_date": shown(due)}, {"in_overdue_snapshot": False})


@guard(facts=("outstanding_principal_fen",))
def nothing_outstanding(now: CaseSituation, _: Params) -> Verdict:
    left = now.case.outstanding_principal_fen
    return Verdict(left == 0, {"outstanding_principal_fen": left}, {"outstanding_principal_fen_at_most": 0})


@guard(params={"above_dpd": "int", "classes": "texts"}, facts=("days_past_due", "risk_class"))
def non_performing(now: CaseSituation, params: Params) -> Verdict:
    due, above = now.case.oldest_due_date, params["above_dpd"]
    met = now.days_past_due > above or now.facts.risk_class in params["classes"]
    return Verdict(
        met,
        {"days_past_due": now.days_past_due, "risk_class": now.facts.risk_class or "unclassified"},
        {"days_past_due_above": above, "or_class_in": list(params["classes"])},
        due + timedelta(days=above + 1) if due else None,
    )


@guard(params={"cut_off": "text"}, facts=("npl_since", "cut_off"))
def npl_before(now: CaseSituation, params: Params) -> Verdict:
    since, cut_off = now.facts.npl_since, date.fromisoformat(params["cut_off"])
    return Verdict(since is not None and since <= cut_off, {"npl_since": shown(since)}, {"cut_off": params["cut_off"]})
