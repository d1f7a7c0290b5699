"""Requests as people see them: what waits for them, what they asked for, one request with its data and what is next.

Everything is read, nothing written; who may see what is decided here, by posts and by the reach to the case.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.people.staff.actor import Actor
from casework.personal import mask
from casework.rules.statechart.decide import Reason
from casework.work.cases.branch import Branch
from casework.work.cases.options import EventOffer, FieldOffer, PendingRequest, ReasonOffer, fields_of, reason_offer
from casework.work.cases.unseen import unseen
from casework.work.four_eyes import stored
from casework.work.four_eyes.deciding import READS_ALL, concerned_by, decided, may_see
from casework.work.four_eyes.events import event_of
from casework.work.four_eyes.flags import flags_of
from casework.work.four_eyes.kinds import AboutSubjects, Standing, kind_named, standings
from casework.work.four_eyes.recording import Moment, gathered, situation_of
from casework.work.four_eyes.stored import Ties, from_row
from casework.work.four_eyes.tables import requests
from casework.work.requests import EVENT, Request, Situation, posts_for

MAX_PAGE = 200
_CHUNK = 200
INBOX, MINE, OPEN = "inbox", "mine", "open"
NEXT = ("review", "approve", "return", "withdraw")


class RequestLine(msgspec.Struct):
    """One request. `missing` is who still has to act; `changed`: its case is not as it was asked for; `void`: over.

    `flags`: what speaks against it now and forbids nothing, for whoever decides to weigh.
    """

    id: int
    kind: str
    subject: str
    what: str
    what_zh: str
    what_en: str
    topic: str
    topic_zh: str
    topic_en: str
    state: str
    state_zh: str
    state_en: str
    open: bool
    version: int
    asked_by: str
    asked_for: str | None
    asked_on: date
    reviewed_by: str | None
    reviewed_for: str | None
    decided_by: str | None
    decided_for: str | None
    expires_on: date
    carried_out: str | None
    missing: list[str]
    changed: bool
    void: bool
    flags: list[ReasonOffer] = []


class NextStep(msgspec.Struct):
    """What may be done with a request: whether by this reader now, why not, and by which posts."""

    event: str
    zh: str
    en: str
    allowed: bool
    reasons: list[ReasonOffer]
    posts: list[str]
    data: list[FieldOffer]


class RequestDetail(msgspec.Struct):
    """A request, the data it asks with (texts masked for who has no part in deciding it), and what is next.

    `erased`: its data were erased with those of the borrower; then there are none.
    """

    request: RequestLine
    data: dict[str, Any]
    options: list[NextStep]
    erased: bool = False


class RequestList(msgspec.Struct):
    """A page, oldest first; `next` is the `after` of the page behind it, none at the end."""

    items: list[RequestLine]
    next: int | None


def request_list(
    conn: Connection, branch: Branch, actor: Actor, *, box: str = INBOX, subject: str | None = None, after: int = 0,
    limit: int = 50, clock: Clock = now,
) -> RequestList:  # fmt: skip
    """What waits for the actor (`inbox`), what they asked for (`mine`), or what they may see: open, or of a subject."""
    moment = Moment(branch, clock())
    found: list[tuple[Request, Standing | None]] = []
    for one in _found(conn, moment, actor, box, subject, after):
        if len(found) == limit:
            return RequestList(_lines(conn, moment, found), found[-1][0].id)
        found.append(one)
    return RequestList(_lines(conn, moment, found), None)


def request_detail(
    conn: Connection, branch: Branch, actor: Actor, request_id: int, *, clock: Clock = now
) -> RequestDetail:
    """CallerError `unknown_request`, the same for one that they may not see."""
    request = stored.read_one(conn, request_id)
    moment = Moment(branch, clock())
    standing = standings(conn, branch, [request]).get(request.id)
    if not may_see(moment, actor, request, standing):
        raise unseen("unknown_request")
    data = stored.opened(conn, branch, request)
    people = Ties(conn, moment.branch, actor, request.opened_on, moment.today).since(request.opened_on)
    situation = _situation(conn, moment, actor, request, standing, people, data)
    steps = [_next(conn, moment, actor, event, request, standing, situation, data, clock) for event in NEXT]
    whole = actor.people & request.involved or any(step.allowed for step in steps) or _reads_all(branch, actor)
    shown = data if whole else _masked(branch, request, data)
    (line,) = _lines(conn, moment, [(request, standing)])
    return RequestDetail(line, shown, steps if request.live else [], request.erased)


def show_pending(conn: Connection, branch: Branch, subject: str, events: Sequence[EventOffer]) -> None:
    """Each event offered of a subject gets the request for it that is open, if there is one."""
    moment = Moment(branch, now())
    wanted = stored.ROWS.where(requests.c.subject == subject, requests.c.live == sa.true())
    found = [from_row(row) for row in conn.execute(wanted)]
    standing = standings(conn, branch, found)
    lines = {request.what: _line(moment, request, standing.get(request.id), ()) for request in found}
    for offer in events:
        line = lines.get(offer.event)
        if line is not None:
            offer.request = PendingRequest(
                line.id, line.state, line.asked_by, line.reviewed_by, line.expires_on, line.missing, line.changed,
                line.void,
            )  # fmt: skip


# ── which ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _found(
    conn: Connection, moment: Moment, actor: Actor, box: str, subject: str | None, after: int
) -> Iterator[tuple[Request, Standing | None]]:
    """In order of id, a few hundred rows at a time: bounded by what is open, whatever the number of cases."""
    conditions = _conditions(moment, actor, box, subject)
    while True:
        page = stored.ROWS.where(*conditions, requests.c.id > after).order_by(requests.c.id).limit(_CHUNK)
        found = [from_row(row) for row in conn.execute(page)]
        standing = standings(conn, moment.branch, found)
        ties = Ties(
            conn, moment.branch, actor, min((one.opened_on for one in found), default=moment.today), moment.today
        )
        for request in found:
            here = standing.get(request.id)
            if (subject is not None or box == OPEN) and not may_see(moment, actor, request, here):
                continue
            if subject is None and box == INBOX and not _waits(conn, moment, actor, request, here, ties):
                continue
            yield request, here
        if len(found) < _CHUNK:
            return
        after = found[-1].id


def _conditions(moment: Moment, actor: Actor, box: str, subject: str | None) -> list[sa.ColumnElement[bool]]:
    if subject is not None:
        return [requests.c.subject == subject]
    people = sorted(actor.people)
    if box == MINE:
        return [sa.or_(requests.c.opened_by.in_(people), requests.c.asked_for.in_(people))]
    if box == OPEN:
        return [requests.c.live == sa.true()]
    held = actor.posts.union(*(principal.posts for principal in actor.principals))
    topics = moment.chart.approvals.values()
    mine = [topic.name for topic in topics if (topic.reviewed_by | topic.approved_by) & held]
    return [
        requests.c.live == sa.true(), requests.c.topic.in_(mine), requests.c.expires_on >= moment.today,
        requests.c.opened_by.not_in(people),
    ]  # fmt: skip


def _waits(
    conn: Connection, moment: Moment, actor: Actor, request: Request, standing: Standing | None, ties: Ties
) -> bool:
    """Whether they could review or approve it now (or return it, where its case has changed)."""
    try:
        data = stored.opened(conn, moment.branch, request) if standing is None else {}
    except CallerError:  # altered: of this one nothing comes, the others still wait
        return False
    now_ = _situation(conn, moment, actor, request, standing, ties.since(request.opened_on), data)
    events = ("return",) if now_.void or now_.version != request.pinned_version else ("review", "approve")
    return any(decided(moment, actor, event, request, standing, now_)[1] is None for event in events)


def _reads_all(branch: Branch, actor: Actor) -> bool:
    return branch.rulebook.permissions.may(actor, READS_ALL)


# ── how it is shown ─────────────────────────────────────────────────────────────────────────────────────────────────


def _situation(
    conn: Connection, moment: Moment, actor: Actor, request: Request, standing: Standing | None,
    people: frozenset[str], data: Mapping[str, Any],
) -> Situation:  # fmt: skip
    concerned = concerned_by(
        conn, moment.branch, kind_named(moment.branch, request.kind), request.subject, request.what, data
    )
    version, void = (None, False) if standing is None else (standing.version, standing.void)
    world = gathered(request, "", people, concerned=concerned, version=version, void=void)
    situation: Situation = situation_of(moment, request, actor, world)
    return situation


def _next(
    conn: Connection, moment: Moment, actor: Actor, event: str, request: Request, standing: Standing | None,
    now_: Situation, data: Mapping[str, Any], clock: Clock,
) -> NextStep:  # fmt: skip
    chart = moment.chart
    spec = chart.events[event]
    _, refusal = decided(moment, actor, event, request, standing, now_)
    reasons: tuple[Reason, ...] = refusal.reasons if refusal else ()
    kind = kind_named(moment.branch, request.kind)
    if event == "approve" and request.live and not (refusal and refusal.forbidden) and isinstance(kind, AboutSubjects):
        known = {reason.code for reason in reasons}
        told = kind.forecast(conn, moment.branch, request, actor, data, clock)
        reasons += tuple(one for one in told if SAME.get(one.code) not in known)
    posts = sorted(posts_for(chart.approvals[request.topic], event))
    return NextStep(event, spec.zh, spec.en, not reasons, [reason_offer(one) for one in reasons], posts,
                    fields_of(spec.fields, moment.policy))  # fmt: skip


SAME = {"changed_since_asked": "subject_unchanged", "involved_before": "not_involved"}
"""What the door and the chart of requests say twice, each by its own check."""


def _masked(branch: Branch, request: Request, data: Mapping[str, Any]) -> dict[str, Any]:
    """Free text may be personal: it is for those who decide."""
    event = event_of(branch, request.subject, request.what) if request.kind == EVENT else None
    fields = event.fields if event is not None else {}
    return {
        name: mask("text", value) if name in fields and fields[name].type == "text" else value
        for name, value in data.items()
    }


def _lines(conn: Connection, moment: Moment, found: Sequence[tuple[Request, Standing | None]]) -> list[RequestLine]:
    standing = {request.id: here for request, here in found if here is not None}
    flags = flags_of(conn, moment, [request for request, _ in found], standing)
    return [_line(moment, request, here, flags.get(request.id, ())) for request, here in found]


def _line(moment: Moment, request: Request, standing: Standing | None, flags: Sequence[Reason]) -> RequestLine:
    chart = moment.chart
    topic, state = chart.approvals[request.topic], chart.states[request.state]
    event = event_of(moment.branch, request.subject, request.what) if request.kind == EVENT else None
    what_zh, what_en = (event.zh, event.en) if event else (topic.zh, topic.en)
    void = request.live and ((standing is not None and standing.void) or moment.today > request.expires_on)
    changed = request.live and standing is not None and standing.version != request.pinned_version
    return RequestLine(
        **{name: getattr(request, name) for name in _AS_KEPT}, what_zh=what_zh, what_en=what_en, topic_zh=topic.zh,
        topic_en=topic.en, state_zh=state.zh, state_en=state.en, open=request.live, asked_by=request.opened_by,
        asked_on=request.opened_on, missing=_missing(moment, request), changed=changed, void=void,
        flags=[reason_offer(flag) for flag in flags],
    )  # fmt: skip


_AS_KEPT = tuple(name for name in RequestLine.__struct_fields__ if name in Request.__struct_fields__)


def _missing(moment: Moment, request: Request) -> list[str]:
    if not request.live:
        return []
    people = int(moment.policy.figure(f"approval.{request.topic}"))
    return ["review", "approve"] if people > 1 and request.reviewed_by is None else ["approve"]


__all__: Sequence[str] = [
    "INBOX", "MAX_PAGE", "MINE", "OPEN", "NextStep", "RequestDetail", "RequestLine", "RequestList", "request_detail",
    "request_list", "show_pending",
]  # fmt: skip
