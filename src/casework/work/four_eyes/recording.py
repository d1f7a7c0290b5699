"""What becomes of a request, written down: its entry, its row, and what the caller is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.engine import Connection

from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor
from casework.rules.statechart.decide import Reason, Step, decide
from casework.work.four_eyes import stored
from casework.work.four_eyes.stored import Moment
from casework.work.request import request as folding
from casework.work.request.request import Request

ROLES = {"review": "reviewer", "approve": "decider", "return": "decider", "withdraw": "proposer", "expire": "system"}
"""What somebody is to a request who does this to it (posts of the chart `request`)."""
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


def move(
    moment: Moment, request: Request, event: str, actor: Actor, said: Mapping[str, Any],
    texts: Mapping[str, str] | None = None, *, flags: tuple[Reason, ...] = (),
) -> Moved:  # fmt: skip
    """Let `event`, which was decided, happen to the request in memory, with its entry; the caller writes both."""
    chart = moment.branch.rulebook.requests
    spec = chart.events[event]
    (to,) = {branch.to for branch in spec.arcs[request.state].branches}
    draft = stored.draft_of(moment, actor, folding.entry_of(to), {**said, "by": event}, rules=spec.rules, texts=texts)
    draft.from_, draft.to, draft.subject = request.state, to, request.sealed_for
    folding.apply(request, draft.event, to, actor.id, draft.data, chart)
    entry_id = stored.append(moment, request, draft)
    return Moved(request.id, request.state, request.version, entry_id, request.carried_out, flags)


def refuse(
    moment: Moment, request: Request, event: str, actor: Actor, said: Mapping[str, Any], reasons: tuple[Reason, ...],
    *, forbidden: bool,
) -> Refused:  # fmt: skip
    """Note a refusal on the request's stream; the caller writes row and entry."""
    draft = stored.draft_of(moment, actor, f"{folding.REFUSED}{event}", said, reasons=reasons)
    draft.from_ = draft.to = request.state
    entry_id = stored.append(moment, request, draft)
    return Refused(request.id, request.state, reasons, forbidden, entry_id)


def refuse_asking(
    conn: Connection, moment: Moment, actor: Actor, said: Mapping[str, Any], reasons: tuple[Reason, ...], *,
    forbidden: bool,
) -> Refused:  # fmt: skip
    """Note what never became a request, and write it."""
    kept = {name: said[name] for name in ("kind", "subject", "what", "topic", "people", "concerned")}
    draft: Draft = stored.draft_of(moment, actor, f"{folding.REFUSED}ask", kept, reasons=reasons)
    head = moment.trail.append(conn, REFUSED_ASKING, draft)
    moment.trail.write(conn)
    return Refused(None, None, reasons, forbidden, f"{REFUSED_ASKING}:{head.seq}")


def write(conn: Connection, moment: Moment, changed: Sequence[Request]) -> None:
    """Rows and entries, one statement each."""
    stored.update(conn, changed)
    moment.trail.write(conn)


def may(moment: Moment, event: str, request: Request, now_: Any) -> bool:
    """Whether the chart lets the service itself do `event`."""
    chart = moment.branch.rulebook.requests
    return isinstance(decide(chart, event, request.state, now_, frozenset({ROLES[event], "system"})), Step)
