"""What version 1 of the case's chart named and no chart may name any more: approvals recorded as facts.

Since version 2 an event is asked for, reviewed and approved as a request (decision 0009). These stay because the log
does: its old entries are decided and folded again at every verification, by the very functions that decided then.
Never change them. Pure.
"""

from casework.cases.case import Approved, Proposal
from casework.cases.guards.shown import NONE
from casework.cases.registry import REGISTRY
from casework.cases.situation import Situation
from casework.statechart.registry import Params, Verdict

guard, effect, recorder = REGISTRY.guard, REGISTRY.effect, REGISTRY.recorder


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


@effect()
def propose_write_off(now: Situation, _: Params) -> None:
    given = now.given
    now.facts.proposal = Proposal(
        now.actor,
        given["criterion"],
        given["principal_fen"],
        given["interest_fen"],
        now.facts.material_version,
    )
    now.facts.approvals.pop("write_off", None)


@effect()
def drop_proposal(now: Situation, _: Params) -> None:
    now.facts.proposal = None
    now.facts.approvals.pop("write_off", None)


@recorder
def approval(now: Situation, _: Params) -> None:
    given, facts = now.given, now.facts
    earlier = [known for known in facts.approvals.get(given["subject"], []) if known.by != now.actor]
    this = Approved(now.actor, given["proposed_by"], facts.material_version)
    facts.approvals[given["subject"]] = [*earlier, this]


REGISTRY.retire(
    "approved", "no_write_off_proposal", "write_off_proposed", "proposal_unchanged", "actor_is_not_proposer",
    "propose_write_off", "drop_proposal", "approval",
)  # fmt: skip
