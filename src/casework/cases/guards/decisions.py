"""Guards on suing, four eyes and write-off (1.1.4, 5.6)."""

from casework.cases.guards.shown import NONE, day_after_due, shown
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
    met = "ruling" in now.facts.fresh
    return Verdict(met, {"ruling": met}, {"ruling": True})


@guard(facts=())
def matter_open(now: Situation, _: Params) -> Verdict:
    return Verdict(now.facts.matter_open, {"matter_open": now.facts.matter_open}, {"matter_open": True})


@guard(facts=("proposed_by",))
def no_write_off_proposal(now: Situation, _: Params) -> Verdict:
    proposal = now.facts.proposal
    return Verdict(proposal is None, {"proposed_by": proposal.by if proposal else NONE}, {"proposals_at_most": 0})


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
    return Verdict(by != now.actor, {"proposed_by": by or NONE}, {"another_person": True})
