"""The guards of a case: each one rule, one small named pure function, reading gathered facts only.

The chart says where each applies and with which figures; its texts and rule numbers are in the chart too.
"""

from datetime import date, timedelta
from typing import Any

from casework.cases.registry import REGISTRY
from casework.cases.situation import Situation
from casework.statechart.registry import Params, Verdict

guard = REGISTRY.guard
_NONE = "–"


def _day(day: date | None) -> str:
    return day.isoformat() if day else _NONE


# ── days past due, arrears ──────────────────────────────────────────────────────────────────────────────────────────


@guard(
    params={"days": "int"},
    facts=("days_past_due", "days_at_least"),
    number=lambda days_past_due, params: bool(days_past_due >= params["days"]),
)
def dpd_at_least(now: Situation, params: Params) -> Verdict:
    due, days = now.case.oldest_due_date, params["days"]
    opens_on = due + timedelta(days=days) if due else None
    return Verdict(
        now.days_past_due >= days, {"days_past_due": now.days_past_due}, {"days_at_least": days}, opens_on
    )


@guard(
    params={"days": "int"},
    facts=("days_past_due", "days_at_most"),
    number=lambda days_past_due, params: bool(days_past_due <= params["days"]),
)
def dpd_at_most(now: Situation, params: Params) -> Verdict:
    met = now.days_past_due <= params["days"]
    return Verdict(met, {"days_past_due": now.days_past_due}, {"days_at_most": params["days"]})


@guard(facts=("days_past_due",))
def in_arrears(now: Situation, _: Params) -> Verdict:
    return Verdict(
        now.days_past_due >= 1, {"days_past_due": now.days_past_due}, {"days_past_due_at_least": 1}
    )


@guard(facts=("oldest_due_date",))
def not_in_arrears(now: Situation, _: Params) -> Verdict:
    due = now.case.oldest_due_date
    return Verdict(due is None, {"oldest_due_date": _day(due)}, {"in_overdue_snapshot": False})


@guard(facts=("outstanding_principal_fen",))
def nothing_outstanding(now: Situation, _: Params) -> Verdict:
    left = now.case.outstanding_principal_fen
    return Verdict(left == 0, {"outstanding_principal_fen": left}, {"outstanding_principal_fen_at_most": 0})


@guard(params={"above_dpd": "int", "classes": "texts"}, facts=("days_past_due", "risk_class"))
def non_performing(now: Situation, params: Params) -> Verdict:
    due, above = now.case.oldest_due_date, params["above_dpd"]
    met = now.days_past_due > above or now.facts.risk_class in params["classes"]
    return Verdict(
        met,
        {"days_past_due": now.days_past_due, "risk_class": now.facts.risk_class or _NONE},
        {"days_past_due_above": above, "or_class_in": list(params["classes"])},
        due + timedelta(days=above + 1) if due else None,
    )


@guard(params={"cut_off": "text"}, facts=("npl_since", "cut_off"))
def npl_before(now: Situation, params: Params) -> Verdict:
    since, cut_off = now.facts.npl_since, date.fromisoformat(params["cut_off"])
    return Verdict(
        since is not None and since <= cut_off, {"npl_since": _day(since)}, {"cut_off": params["cut_off"]}
    )


# ── reaching the debtor ─────────────────────────────────────────────────────────────────────────────────────────────


@guard(
    params={"days": "int", "from_dpd": "int", "attempts_per_day": "int"},
    facts=("days_in_a_row", "counted_from", "days_required", "attempts_required"),
)
def days_without_contact(now: Situation, params: Params) -> Verdict:
    """A day counts if it is closed, had all its attempts and none connected; a day short of attempts proves nothing."""
    start = _first_counting_day(now, params["from_dpd"])
    run, last = 0, None
    for day in now.facts.attempt_days:  # in order of date
        if day.on < start or day.on > now.today:
            continue
        if day.connected or day.attempts < params["attempts_per_day"]:
            run, last = 0, None
            continue
        run = run + 1 if last is not None and day.on == last + timedelta(days=1) else 1
        last = day.on
    return Verdict(
        run >= params["days"],
        {"days_in_a_row": run, "counted_from": start.isoformat()},
        {"days_required": params["days"], "attempts_required": params["attempts_per_day"]},
    )


def _first_counting_day(now: Situation, from_dpd: int) -> date:
    case, recalled = now.case, now.facts.recalled_on
    start = case.opened_on
    if case.opened_for in ("arrears", "old_npl") and case.oldest_due_date is not None:
        start = case.oldest_due_date + timedelta(days=from_dpd)
    return max(start, recalled) if recalled else start


@guard(facts=())
def debtor_connected_since(now: Situation, _: Params) -> Verdict:
    return Verdict("debtor_connected" in now.facts.fresh, {"connected": False}, {"connected": True})


@guard(params={"days": "int"}, facts=("connected_on", "days_required"))
def debtor_connected_within(now: Situation, params: Params) -> Verdict:
    last = now.facts.connected_on
    met = last is not None and (now.today - last).days <= params["days"]
    return Verdict(met, {"connected_on": _day(last)}, {"days_required": params["days"]})


@guard(facts=())
def new_number_since(now: Situation, _: Params) -> Verdict:
    return Verdict("new_number" in now.facts.fresh, {"new_number": False}, {"new_number": True})


@guard(facts=())
def information_repaired(now: Situation, _: Params) -> Verdict:
    return Verdict(now.facts.repaired_on is not None, {"repaired": False}, {"repaired": True})


@guard(params={"up_to_fen": "int"}, facts=("principal_fen", "up_to_fen"))
def repair_duty_done(now: Situation, params: Params) -> Verdict:
    principal = now.case.principal_at_opening_fen
    met = principal > params["up_to_fen"] or now.facts.repaired_on is not None
    return Verdict(met, {"principal_fen": principal, "repaired": False}, {"up_to_fen": params["up_to_fen"]})


@guard(params={"outcome": "text"}, facts=("outcome_required",))
def visit_on_record(now: Situation, params: Params) -> Verdict:
    met = f"visit_{params['outcome']}" in now.facts.fresh
    return Verdict(met, {"visit_recorded": met}, {"outcome_required": params["outcome"]})


@guard(params={"days": "int"}, facts=("failed_days", "days_required"))
def failed_visits(now: Situation, params: Params) -> Verdict:
    failed = len(set(now.facts.failed_visit_days))
    return Verdict(failed >= params["days"], {"failed_days": failed}, {"days_required": params["days"]})


# ── holds, promises ─────────────────────────────────────────────────────────────────────────────────────────────────


@guard(facts=("holds",))
def no_hold(now: Situation, _: Params) -> Verdict:
    return Verdict(not now.facts.holds, {"holds": ", ".join(now.facts.holds)}, {"holds_at_most": 0})


@guard(facts=("pay_by",))
def no_open_promise(now: Situation, _: Params) -> Verdict:
    pay_by = now.facts.promise_pay_by
    open_still = pay_by is not None and pay_by >= now.today
    opens_on = pay_by + timedelta(days=1) if pay_by else None
    return Verdict(not open_still, {"pay_by": _day(pay_by)}, {"open_promises_at_most": 0}, opens_on)


# ── placement ───────────────────────────────────────────────────────────────────────────────────────────────────────


@guard(facts=("exception_until",))
def no_live_exception(now: Situation, _: Params) -> Verdict:
    until = now.facts.exception_until
    live = until is not None and until >= now.today
    opens_on = until + timedelta(days=1) if until else None
    return Verdict(not live, {"exception_until": _day(until)}, {"live_exceptions_at_most": 0}, opens_on)


@guard(params={"inspection_days": "int", "evaluation_days": "int"}, facts=("agency", "missing"))
def agency_fit(now: Situation, params: Params) -> Verdict:
    """The agency is active, inspected this month and evaluated this year; while none is named, the one on file."""
    file = now.facts.agency_file
    agency = now.given.get("agency") or (file.agency if file else _NONE)
    missing = []
    if file is None or file.agency != agency:
        missing.append("file")
    else:
        if not file.active:
            missing.append("active")
        if (now.today - file.inspected_on).days > params["inspection_days"]:
            missing.append("inspection")
        if (now.today - file.evaluated_on).days > params["evaluation_days"]:
            missing.append("evaluation")
    return Verdict(
        not missing, {"agency": agency, "missing": ", ".join(missing)},
        {"inspected_within_days": params["inspection_days"], "evaluated_within_days": params["evaluation_days"]},
    )  # fmt: skip


@guard(facts=("agency",))
def no_placement(now: Situation, _: Params) -> Verdict:
    placement = now.facts.placement
    agency = placement.agency if placement else _NONE
    return Verdict(placement is None, {"agency": agency}, {"placements_at_most": 0})


@guard(facts=())
def placement_ended(now: Situation, _: Params) -> Verdict:
    placement = now.facts.placement
    return Verdict(placement is not None and placement.ended, {"ended": False}, {"ended": True})


@guard(params={"holds": "texts"}, facts=("holds",))
def placement_not_excluded(now: Situation, params: Params) -> Verdict:
    excluding = [hold for hold in now.facts.holds if hold in params["holds"]]
    return Verdict(not excluding, {"holds": ", ".join(excluding)}, {"none_of": list(params["holds"])})


# ── litigation, four eyes, write-off ────────────────────────────────────────────────────────────────────────────────


@guard(facts=())
def disposal_form_filed(now: Situation, _: Params) -> Verdict:
    return Verdict(now.facts.disposal_form_on is not None, {"filed": False}, {"filed": True})


@guard(facts=("limitation_ends_on",))
def limitation_checked(now: Situation, _: Params) -> Verdict:
    ends_on = now.facts.limitation_ends_on
    met = ends_on is not None and ends_on >= now.today
    return Verdict(met, {"limitation_ends_on": _day(ends_on)}, {"ends_on_or_after": now.today.isoformat()})


@guard(facts=())
def debt_due(now: Situation, _: Params) -> Verdict:
    met = now.days_past_due >= 1 or now.facts.accelerated_on is not None
    return Verdict(
        met, {"days_past_due": now.days_past_due, "accelerated": False}, {"due_or_accelerated": True}
    )


@guard(params={"subject": "text", "approvers": "int"}, facts=("subject", "approvers", "approvers_required"))
def approved(now: Situation, params: Params) -> Verdict:
    """Enough different people approved the case as it is now, none of them a proposer."""
    subject = params["subject"]
    given = [
        approval
        for approval in now.facts.approvals.get(subject, [])
        if approval.material_version == now.facts.material_version
    ]
    proposers = {approval.proposed_by for approval in given}
    if subject == "write_off" and now.facts.proposal is not None:
        proposers.add(now.facts.proposal.by)
    approvers = {approval.by for approval in given} - proposers
    return Verdict(
        len(approvers) >= params["approvers"],
        {"subject": subject, "approvers": len(approvers)},
        {"approvers_required": params["approvers"]},
    )


@guard(facts=())
def ruling_on_record(now: Situation, _: Params) -> Verdict:
    return Verdict("ruling" in now.facts.fresh, {"ruling": False}, {"ruling": True})


@guard(facts=())
def matter_open(now: Situation, _: Params) -> Verdict:
    return Verdict(now.facts.matter_open, {"matter_open": now.facts.matter_open}, {"matter_open": True})


@guard(facts=("proposed_by",))
def no_write_off_proposal(now: Situation, _: Params) -> Verdict:
    proposal = now.facts.proposal
    return Verdict(
        proposal is None, {"proposed_by": proposal.by if proposal else _NONE}, {"proposals_at_most": 0}
    )


@guard(facts=())
def write_off_proposed(now: Situation, _: Params) -> Verdict:
    return Verdict(now.facts.proposal is not None, {"proposed": False}, {"proposed": True})


@guard(facts=())
def proposal_unchanged(now: Situation, _: Params) -> Verdict:
    proposal, version = now.facts.proposal, now.facts.material_version
    pinned = proposal.material_version if proposal else None
    return Verdict(
        pinned is None or pinned == version, {"pinned_to": pinned, "case_is_at": version}, {"unchanged": True}
    )


@guard(facts=("proposed_by",))
def actor_is_not_proposer(now: Situation, _: Params) -> Verdict:
    by = now.facts.proposal.by if now.facts.proposal else None
    return Verdict(by != now.actor, {"proposed_by": by or _NONE}, {"another_person": True})


# ── settlement and closing ──────────────────────────────────────────────────────────────────────────────────────────


@guard(facts=("opened_for",))
def opened_for_arrears(now: Situation, _: Params) -> Verdict:
    met = now.case.opened_for in ("arrears", "old_npl")
    return Verdict(met, {"opened_for": now.case.opened_for}, {"opened_for_any_of": ["arrears", "old_npl"]})


@guard(facts=("accelerated_on",))
def not_accelerated(now: Situation, _: Params) -> Verdict:
    on = now.facts.accelerated_on
    return Verdict(on is None, {"accelerated_on": _day(on)}, {"accelerated": False})


@guard(facts=("received_fen", "agreed_fen"))
def agreed_sum_received(now: Situation, _: Params) -> Verdict:
    agreed, received = now.facts.agreed_fen, now.facts.received_fen
    met = agreed is not None and received >= agreed
    return Verdict(met, {"received_fen": received}, {"agreed_fen": _NONE if agreed is None else agreed})


@guard(facts=("paid_since",))
def settling_payment_reversed(now: Situation, _: Params) -> Verdict:
    since, paid_on = now.facts.settlement_since, now.facts.reversed_paid_on
    met = since is not None and paid_on is not None and paid_on >= since
    return Verdict(met, {"reversed_payment_of": _day(paid_on)}, {"paid_since": _day(since)})


@guard(facts=("newer_case",))
def no_newer_case(now: Situation, _: Params) -> Verdict:
    newer: Any = now.gathered.get("newer_case")
    return Verdict(newer is None, {"newer_case": newer}, {"newer_cases_at_most": 0})


@guard(params={"state": "text"}, facts=("settled_from",))
def settled_from(now: Situation, params: Params) -> Verdict:
    met = now.facts.settled_from == params["state"]
    return Verdict(
        met, {"settled_from": now.facts.settled_from or _NONE}, {"settled_from_required": params["state"]}
    )


@guard(params={"days": "int"}, facts=("settled_on", "days_required"))
def settled_for(now: Situation, params: Params) -> Verdict:
    on = now.facts.settled_on
    met = on is not None and (now.today - on).days > params["days"]
    opens_on = on + timedelta(days=params["days"] + 1) if on else None
    return Verdict(met, {"settled_on": _day(on)}, {"days_required": params["days"]}, opens_on)


@guard(facts=())
def transfer_contract_filed(now: Situation, _: Params) -> Verdict:
    return Verdict(now.facts.transfer_contract_on is not None, {"filed": False}, {"filed": True})


@guard(facts=())
def debtor_notified(now: Situation, _: Params) -> Verdict:
    return Verdict(now.facts.debtor_notified_on is not None, {"notified": False}, {"notified": True})


@guard(facts=("days_past_due",))
def ground_to_cancel(now: Situation, _: Params) -> Verdict:
    facts, days_past_due = now.facts, now.days_past_due
    met = facts.opening_error_on is not None or (facts.finding_cleared_on is not None and days_past_due == 0)
    return Verdict(met, {"days_past_due": days_past_due}, {"error_or_cleared_finding_at_dpd": 0})


@guard(facts=("opened_by",))
def actor_is_not_opener(now: Situation, _: Params) -> Verdict:
    by = now.case.opened_by
    return Verdict(by != now.actor, {"opened_by": by}, {"another_person": True})
