"""A request under four eyes: what one asks for, another reviews and a third approves before it happens (1.1.4). Pure.

Its chart is `statecharts/request.toml`, whose posts are what somebody is to one request (proposer, reviewer, decider);
which posts of the branch those are its topics say (`casework.work.topics`). Asking and deciding with a database is
`casework.work.four_eyes`.
"""

from datetime import date
from typing import Any, Final

from casework.lifecycle.noun import Noun
from casework.lifecycle.situation import SubjectSituation as AnySituation
from casework.lifecycle.subject import HEAD, Root, Rows
from casework.rules.statechart.chart import Approval, Chart
from casework.rules.statechart.registry import Params, Registry, Verdict

REGISTRY = Registry()
guard = REGISTRY.guard
EVENT, POST, MOVE = "event", "post", "chart_move"
"""Kinds of request: an event of a subject, a post for somebody, the living to the next version of a chart."""
ERASED: Final = b"erased"
"""What `data_sealed` is after an erasure; nothing sealed begins so."""
ROLES: Final = {
    "review": "reviewer", "approve": "decider", "return": "decider", "withdraw": "proposer", "expire": "system",
}  # fmt: skip
"""What somebody is to a request who does this to it (posts of its chart)."""


class Request(Root):
    """One request. Who asked is who opened it; `asked_for`, `reviewed_for`, `decided_for`: whose deputy that was."""

    kind: str
    subject: str  # case:17 | staff:10021 | handover:3
    what: str  # the event, the post, `departure` or `transfer`
    topic: str  # a key of the chart's [approvals]
    asked_for: str | None
    expires_on: date
    pinned_version: int  # of the subject, as its kind counts it
    data_digest: str = ""  # keyed, of what was asked for and by whom
    reviewed_by: str | None = None
    reviewed_for: str | None = None
    decided_by: str | None = None
    decided_for: str | None = None
    carried_out: str | None = None  # the entry that the approval led to: case:17:9
    data_sealed: bytes = b""  # what was asked for, whole; free text may be personal
    sealed_for: str | None = None  # whose key that is (`audit.data_keys`); none: the branch's own
    due_on: date | None = None

    @property
    def stream(self) -> str:
        """The audit stream of this request."""
        return f"request:{self.id}"

    @property
    def erased(self) -> bool:
        """Whether what was asked for is gone by an erasure."""
        return self.data_sealed == ERASED

    @property
    def involved(self) -> frozenset[str]:
        """Everybody who has had a part in it, principals of deputies too."""
        people = (self.opened_by, self.asked_for, self.reviewed_by, self.reviewed_for)
        return frozenset(one for one in people if one is not None)

    def stepped(self, now: Any, _chart: Chart, *, moved: bool) -> None:
        """Who reviewed it, or ended it and with what effect."""
        del moved
        if self.live:
            self.reviewed_by, self.reviewed_for = now.actor, now.acting_for
        else:
            self.decided_by, self.decided_for = now.actor, now.acting_for
        self.carried_out = now.gathered.get("carried_out", self.carried_out)


class Situation(AnySituation):
    """One decision's world.

    What is gathered: `people`, the actor and whoever deputised for them, or they for, on any day since it was asked;
    `concerned`, whom it is about (who gets the post, who leaves); `subject_version`, what the request pinned, as it is
    now; `void`: what was asked for can no longer happen; `role`, what the actor is to it.
    """

    @property
    def request(self) -> Request:
        """The request that is decided on."""
        request: Request = self.subject
        return request

    @property
    def people(self) -> frozenset[str]:
        """None of whom is another person than the actor."""
        return frozenset(self.gathered["people"])

    @property
    def version(self) -> int:
        """Of the subject."""
        version: int = self.gathered["subject_version"]
        return version

    @property
    def void(self) -> bool:
        """Whether what was asked for can no longer happen."""
        return bool(self.gathered["void"])

    @property
    def deciders(self) -> int:
        """How many people the topic takes beside the proposer."""
        return int(self.policy.figure(f"approval.{self.request.topic}"))


def posts_for(topic: Approval, event: str) -> frozenset[str]:
    """The posts that may do this to a request of the topic."""
    if event == "return":
        return topic.reviewed_by | topic.approved_by
    return {"review": topic.reviewed_by, "approve": topic.approved_by}.get(event, topic.proposed_by)


# ── guards ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@guard(facts=("expires_on",))
def not_expired(now: Situation, _: Params) -> Verdict:
    until = now.request.expires_on
    return Verdict(now.today <= until, {"today": now.today.isoformat()}, {"expires_on": until.isoformat()})


@guard(facts=("involved",))
def not_involved(now: Situation, _: Params) -> Verdict:
    """Proposer, reviewer and approver are three people; a deputy counts as their principal, and the other way round."""
    both = now.people & now.request.involved
    return Verdict(not both, {"involved": ", ".join(sorted(both))}, {"another_person": True})


@guard(facts=("concerned",))
def not_concerned(now: Situation, _: Params) -> Verdict:
    both = now.people & frozenset(now.gathered["concerned"])
    return Verdict(not both, {"concerned": ", ".join(sorted(both))}, {"another_person": True})


@guard(facts=())
def subject_unchanged(now: Situation, _: Params) -> Verdict:
    pinned = now.request.pinned_version
    met = pinned == now.version and not now.void
    return Verdict(met, {"version": now.version, "void": now.void}, {"version_pinned": pinned})


@guard(facts=())
def review_needed(now: Situation, _: Params) -> Verdict:
    return Verdict(now.deciders > 1, {"people": now.deciders}, {"people_at_least": 2})


@guard(facts=())
def review_done(now: Situation, _: Params) -> Verdict:
    reviewed = now.request.reviewed_by is not None
    return Verdict(reviewed or now.deciders <= 1, {"reviewed": reviewed}, {"reviewed": True})


@guard(facts=("asked_by",))
def not_own_request(now: Situation, _: Params) -> Verdict:
    return Verdict(not _is_own(now), {"asked_by": now.request.opened_by}, {"another_person": True})


@guard(facts=("asked_by",))
def own_request(now: Situation, _: Params) -> Verdict:
    return Verdict(_is_own(now), {"asked_by": now.request.opened_by}, {"the_proposer": True})


def _is_own(now: Situation) -> bool:
    return bool(now.people & {now.request.opened_by, now.request.asked_for})


@guard(facts=("expires_on",))
def over_or_void(now: Situation, _: Params) -> Verdict:
    until = now.request.expires_on
    saw = {"void": now.void, "today": now.today.isoformat()}
    return Verdict(now.today > until or now.void, saw, {"expires_on": until.isoformat()})


CHANGING = (
    "chart", "state", "state_since", "live", "version", "reviewed_by", "reviewed_for", "decided_by", "decided_for",
    "carried_out", "due_on", *HEAD,
)  # fmt: skip
"""What an entry after the first can change."""

REQUEST = Noun(
    chart="request", word="request", subject=Request, rows=Rows(Request, CHANGING), registry=REGISTRY,
    situation=Situation, reads_from=2,
    called={"request.opened": ("提出", "Asked for"), "request.refused_opening": ("被拒：提出", "Refused: Ask")},
)  # fmt: skip
