"""The guards of a request: each one rule, one small named function. The chart says where each applies."""

from casework.rules.statechart.registry import Params, Verdict
from casework.work.request.request import Request
from casework.work.request.situation import REGISTRY, Situation

guard = REGISTRY.guard


def _request(now: Situation) -> Request:
    if now.request is None:
        raise ValueError("asking has no request yet: the chart may not use this guard on an opening")
    return now.request


@guard(facts=("expires_on",))
def not_expired(now: Situation, _: Params) -> Verdict:
    until = _request(now).expires_on
    return Verdict(now.today <= until, {"today": now.today.isoformat()}, {"expires_on": until.isoformat()})


@guard(facts=("involved",))
def not_involved(now: Situation, _: Params) -> Verdict:
    """Proposer, reviewer and approver are three people; a deputy counts as his principal, and the other way round."""
    both = now.people & _request(now).involved
    return Verdict(not both, {"involved": ", ".join(sorted(both))}, {"another_person": True})


@guard(facts=("concerned",))
def not_concerned(now: Situation, _: Params) -> Verdict:
    both = now.people & now.concerned
    return Verdict(not both, {"concerned": ", ".join(sorted(both))}, {"another_person": True})


@guard(facts=())
def subject_unchanged(now: Situation, _: Params) -> Verdict:
    pinned = _request(now).pinned_version
    met = pinned == now.subject_version and not now.void
    return Verdict(met, {"version": now.subject_version, "void": now.void}, {"version_pinned": pinned})


@guard(facts=())
def review_needed(now: Situation, _: Params) -> Verdict:
    return Verdict(now.deciders > 1, {"people": now.deciders}, {"people_at_least": 2})


@guard(facts=())
def review_done(now: Situation, _: Params) -> Verdict:
    reviewed = _request(now).reviewed_by is not None
    return Verdict(reviewed or now.deciders <= 1, {"reviewed": reviewed}, {"reviewed": True})


@guard(facts=("asked_by",))
def not_own_request(now: Situation, _: Params) -> Verdict:
    asked_by, own = _proposers(now)
    return Verdict(not own, {"asked_by": asked_by}, {"another_person": True})


@guard(facts=("asked_by",))
def own_request(now: Situation, _: Params) -> Verdict:
    asked_by, own = _proposers(now)
    return Verdict(own, {"asked_by": asked_by}, {"the_proposer": True})


def _proposers(now: Situation) -> tuple[str, bool]:
    request = _request(now)
    return request.asked_by, bool(now.people & {request.asked_by, request.asked_for})


@guard(facts=("expires_on",))
def over_or_void(now: Situation, _: Params) -> Verdict:
    until = _request(now).expires_on
    over = now.today > until
    return Verdict(
        over or now.void, {"void": now.void, "today": now.today.isoformat()}, {"expires_on": until.isoformat()}
    )
