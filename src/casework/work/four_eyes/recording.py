"""What becomes of a request, written down as of any noun: its entry, its row, and what the caller gets back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.engine import Connection

from casework.lifecycle import advance
from casework.lifecycle.batch import Batch
from casework.lifecycle.commands import Refused as AnyRefused
from casework.lifecycle.gather import Gathered
from casework.lifecycle.reasons import on_record, rules_of
from casework.log.write.trail import Trail
from casework.people.staff.actor import Actor
from casework.rules.statechart.decide import Reason, Refusal
from casework.work.cases.branch import Branch
from casework.work.four_eyes.tables import REQUESTS
from casework.work.requests import REQUEST, Request

REFUSED_ASKING = "requests:refused"  # the stream of what never became a request and was about no case


@dataclass(frozen=True, slots=True)
class Asked:
    """It is a request now, and waits for a review or an approval; `flags` speak against it and forbid nothing."""

    request_id: int
    state: str
    version: int
    expires_on: date
    entry_id: str
    flags: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Moved:
    """The request is in another state; `carried_out` is the entry of what an approval has led to.

    `flags` spoke against it when it was decided, and forbade nothing.
    """

    request_id: int
    state: str
    version: int
    entry_id: str
    carried_out: str | None = None
    flags: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Not possible, and every reason is here. `forbidden`: posts or reach alone forbid it. No id: nothing was asked."""

    request_id: int | None
    state: str | None
    reasons: tuple[Reason, ...]
    forbidden: bool
    entry_id: str | None


class Moment(Batch):
    """One decision on requests, which are nobody's institution's: on the branch's calendar day, under its policy.

    `trail`: if the caller writes the entries.
    """

    def __init__(self, branch: Branch, at: datetime, trail: Trail | None = None) -> None:
        gathered = Gathered(branch.vault, {}, {})
        super().__init__((REQUESTS,), branch.rulebook, gathered, trail or branch.trail(at), prepared={})
        self.branch = branch
        self.chart = branch.rulebook.requests
        self.policy = self.policies.at(self.today)

    def move(
        self, request: Request, event: str, actor: Actor, said: dict[str, Any],
        texts: Mapping[str, str] | None = None, *, flags: tuple[Reason, ...] = (),
    ) -> Moved:  # fmt: skip
        """Let `event`, which was decided, happen to the request in memory, with its entry."""
        spec = self.chart.events[event]
        (to,) = {branch.to for branch in spec.arcs[request.state].branches}
        name = f"{REQUEST.says.step}{event}"
        draft = self.draft(REQUESTS, name, actor, said, self.today, self.policy, spec.rules, texts)
        done = self.happen(REQUESTS, request, draft, to, self.policy)
        return Moved(done.id, done.state, done.version, done.entry_id, request.carried_out, flags)

    def refuse_move(
        self, request: Request, event: str, actor: Actor, refusal: Refusal, said: dict[str, Any]
    ) -> Refused:
        """Note a refusal on the request's stream."""
        told: AnyRefused = self.refuse(REQUESTS, request, event, actor, refusal, said, self.today, self.policy)
        return Refused(told.id, told.state, told.reasons, told.forbidden, told.entry_id)

    def refuse_asking(self, conn: Connection, actor: Actor, refusal: Refusal, said: dict[str, Any]) -> Refused:
        """Note what never became a request, and write it."""
        kept = {**said, "reasons": [on_record(reason) for reason in refusal.reasons]}
        draft = self.draft(
            REQUESTS, REQUEST.says.refused_opening, actor, kept, self.today, self.policy, rules_of(refusal),
            reason_code=refusal.reasons[0].code,
        )  # fmt: skip
        head = self.trail.append(conn, REFUSED_ASKING, draft)
        self.write(conn)
        return Refused(None, None, refusal.reasons, refusal.forbidden, f"{REFUSED_ASKING}:{head.seq}")

    def write(self, conn: Connection) -> None:
        """Rows and entries, one statement each."""
        advance.write(conn, self.part())


def situation_of(
    moment: Moment, request: Request, actor: Actor, gathered: Mapping[str, Any], given: Mapping[str, Any] | None = None
) -> Any:
    """The world of one decision on a request; `gathered` as `gathered` of this module makes it."""
    return REQUEST.situation(request, moment.today, moment.policy, actor.id, given or {}, gathered)


def gathered(
    request: Request, role: str, people: Sequence[str] | frozenset[str], *, concerned: frozenset[str] = frozenset(),
    version: int | None = None, void: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """What the guards of a request ask for beside it, as entries keep it (`casework.work.requests.Situation`)."""
    return {
        "people": sorted(people), "concerned": sorted(concerned), "role": role, "void": void,
        "subject_version": request.pinned_version if version is None else version,
    }  # fmt: skip
