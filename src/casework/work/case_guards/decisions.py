"""Guards on suing and its end (5.2, 5.6), and on writing off (1.1.4).

Where a guard judges the data given, it has nothing to say while there are none.
"""

from casework.rules.statechart.registry import Params, Verdict
from casework.work.case_guards.arrears import non_performing
from casework.work.case_guards.shown import day_after_due, shown
from casework.work.cases.registry import REGISTRY
from casework.work.cases.situation import CaseSituation

guard = REGISTRY.guard
ACCEPTED = "accepted"


# ── suing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@guard(facts=())
def disposal_form_filed(now: CaseSituation, _: Params) -> Verdict:
    """One that was accepted: a form that waits for its review, or was returned, carries no suit."""
    filed = now.facts.disposal_form_on is not None and now.facts.disposal_form in (None, ACCEPTED)
    return Verdict(filed, {"filed": filed, "form": now.facts.disposal_form}, {"filed": True})


@guard(facts=())
def limitation_checked(now: CaseSituation, _: Params) -> Verdict:
    checked = now.facts.limitation_ends_on is not None
    return Verdict(checked, {"checked": checked}, {"checked": True})


@guard(facts=("limitation_ends_on",))
def limitation_running(now: CaseSituation, _: Params) -> Verdict:
    """Its end is a defence of the debtor's, which a court does not raise by itself (CC 192, 193): no bar to a suit."""
    ends_on = now.facts.limitation_ends_on
    met = ends_on is None or ends_on >= now.today
    return Verdict(met, {"limitation_ends_on": shown(ends_on)}, {"ends_on_or_after": now.today.isoformat()})


@guard(facts=())
def debt_due(now: CaseSituation, _: Params) -> Verdict:
    met = now.days_past_due >= 1 or now.facts.accelerated_on is not None
    saw = {"days_past_due": now.days_past_due, "accelerated": now.facts.accelerated_on is not None}
    return Verdict(met, saw, {"due_or_accelerated": True}, day_after_due(now))


@guard(facts=("claim_fen", "owed_fen", "principal_fen", "interest_fen"))
def claim_within_debt(now: CaseSituation, _: Params) -> Verdict:
    """Not above the principal that is due, overdue interest and penalty in the books of the day; costs apart.

    All of the principal is due once the debt is accelerated, or has matured: then all of it is overdue in the books.
    """
    case, interest = now.case, _overdue_interest_fen(now)
    accelerated = now.facts.accelerated_on is not None
    principal = case.outstanding_principal_fen if accelerated else case.overdue_principal_fen
    claim, owed = now.given.get("claim_fen", 0), principal + interest
    saw = {"claim_fen": claim, "principal_fen": principal, "interest_fen": interest}
    return Verdict(claim <= owed, saw, {"owed_fen": owed})


# ── how a suit ends ─────────────────────────────────────────────────────────────────────────────────────────────────


@guard(params={"outcomes": "texts"}, facts=("outcomes_required",))
def ruling_on_record(now: CaseSituation, params: Params) -> Verdict:
    """One of these rulings has come since the suit."""
    met = not set(params["outcomes"]).isdisjoint(now.facts.rulings)
    return Verdict(met, {"rulings": list(now.facts.rulings)}, {"outcomes_required": list(params["outcomes"])})


@guard(facts=("sued_on",))
def dated_since_suit(now: CaseSituation, _: Params) -> Verdict:
    """A ruling from before the suit is about another one; while no day is named there is nothing to object to."""
    sued_on = now.facts.sued_on
    met = now.on is None or (sued_on is not None and now.on >= sued_on)
    return Verdict(met, {"sued_on": shown(sued_on)}, {"on_or_after": shown(sued_on)})


@guard(facts=())
def no_judgment(now: CaseSituation, _: Params) -> Verdict:
    """A suit is withdrawn before judgment; after it there is only appeal or enforcement."""
    met = "judgment" not in now.facts.rulings
    return Verdict(met, {"rulings": list(now.facts.rulings)}, {"judgments_at_most": 0})


@guard(facts=())
def matter_open(now: CaseSituation, _: Params) -> Verdict:
    return Verdict(now.facts.matter_open, {"matter_open": now.facts.matter_open}, {"matter_open": True})


# ── writing off ─────────────────────────────────────────────────────────────────────────────────────────────────────


@guard(
    params={"above_dpd": "int", "classes": "texts", "or_criteria": "texts"},
    facts=("days_past_due", "risk_class", "or_criteria", "criterion"),
)
def fit_to_write_off(now: CaseSituation, params: Params) -> Verdict:
    """Non-performing, or for a criterion that does not wait for it (the debtor is dead, bankrupt, a fraud)."""
    criterion, others = now.given.get("criterion", ""), list(params["or_criteria"])
    npl = non_performing(now, params)
    met = npl.met or criterion in {"", *others}
    return Verdict(met, {**npl.saw, "criterion": criterion}, {**npl.needs, "or_criteria": others}, npl.opens_on)


@guard(facts=("principal_fen", "outstanding_principal_fen"))
def whole_principal(now: CaseSituation, _: Params) -> Verdict:
    """A loan is written off whole (decision 0028): the principal that the books of the day show, which is some."""
    left = now.case.outstanding_principal_fen
    principal = now.given.get("principal_fen", left)
    saw = {"principal_fen": principal, "outstanding_principal_fen": left}
    return Verdict(principal == left, saw, {"principal_fen_exactly": left})


@guard(facts=())
def principal_outstanding(now: CaseSituation, _: Params) -> Verdict:
    left = now.case.outstanding_principal_fen
    return Verdict(left > 0, {"outstanding_principal_fen": left}, {"outstanding_principal_fen_at_least": 1})


@guard(facts=("interest_fen", "overdue_interest_and_penalty_fen"))
def interest_within_books(now: CaseSituation, _: Params) -> Verdict:
    """Interest with penalty: not above what the books of the day show as overdue."""
    interest, booked = now.given.get("interest_fen", 0), _overdue_interest_fen(now)
    return Verdict(interest <= booked, {"interest_fen": interest}, {"overdue_interest_and_penalty_fen": booked})


def _overdue_interest_fen(now: CaseSituation) -> int:
    return now.case.overdue_interest_fen + now.case.overdue_penalty_fen
