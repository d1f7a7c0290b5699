"""Asking for what takes four eyes, and reviewing, approving, returning and withdrawing it (rules 1.1.4, 5.6).

The way of one: lock the subject, then the request → gather → decide (chart `request`, pure) → entry and row. An
approval carries out what was asked for in the same transaction, through the door or the register; if that refuses,
the request stays open. A refusal is a value with every reason, and an entry. The caller commits.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.customer import Customer
from casework.errors import CallerError
from casework.lifecycle import commands, fold
from casework.lifecycle.commands import Done
from casework.lifecycle.reasons import by
from casework.people.staff.actor import Actor
from casework.rules.statechart.chart import Event
from casework.rules.statechart.decide import Refusal, decide_opening
from casework.rules.statechart.fields import take
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.unseen import unseen
from casework.work.four_eyes import ending, stored
from casework.work.four_eyes.deciding import authority_of, concerned_by, decided, may_see, sees
from casework.work.four_eyes.events import unknown
from casework.work.four_eyes.flags import flags_of
from casework.work.four_eyes.kinds import Carried, Standing, kind_named, standings
from casework.work.four_eyes.recording import Asked, Moment, Moved, Refused, gathered, situation_of
from casework.work.four_eyes.tables import REQUESTS, requests
from casework.work.requests import REQUEST, ROLES, Request

PINNING = frozenset({"review", "approve"})
expire_due, send_back_all_of = ending.expire_due, ending.send_back_all_of


def ask(
    conn: Connection, branch: Branch, *, actor: Actor, kind: str, subject: str, what: str, data: Mapping[str, Any],
    version: int | None = None, clock: Clock = now,
) -> Asked | Refused:  # fmt: skip
    """Ask for `what` of `subject`; `version` pins the case version the caller saw.

    CallerErrors: unknown_kind, unknown_event, no_request_needed, unknown_case, unknown_post, unknown_staff,
    request_open_already, stale_version, faulty_data, request_too_large. A case's refusal is an entry of the case.
    """
    handled = kind_named(branch, kind)
    topic = branch.rulebook.requests.approvals[handled.topic(branch, subject, what)]
    pinned = handled.pin(conn, branch, subject, what, data)
    moment = Moment(branch, clock())
    text = stored.text_of(data)
    expires_on = moment.today + timedelta(days=int(moment.policy.figure("approval.expires_after_days")))
    about: dict[str, Any] = {
        "kind": kind, "subject": subject, "what": what, "topic": topic.name, "pinned_version": pinned,
        "expires_on": expires_on.isoformat(), "asked_for": None,
    }  # fmt: skip
    (number,) = rows.next_ids(conn, "requests_id_seq", requests, 1)
    request, said = _begun(moment, actor, number, about)
    people = stored.people_of(conn, branch, actor, moment.today, moment.today)
    concerned = concerned_by(conn, branch, handled, subject, what, data)
    said["gathered"] = gathered(request, "proposer", people, concerned=concerned)
    standing = standings(conn, branch, [request]).get(number)
    if standing is not None and not sees(moment, actor, standing):
        raise unknown(branch, subject)
    _make_room(conn, moment, subject, what)
    if version is not None and standing is not None and version != standing.subject.version:
        raise CallerError(
            "stale_version", "案件已被他人更改，请查看最新版本后再操作",
            "the case has changed since the version you saw", version=standing.subject.version,
        )  # fmt: skip
    authority = authority_of(moment, actor, topic.proposed_by, standing)
    if standing is None and isinstance(authority, Refusal):  # of a case the door says so, in the case's own stream
        return moment.refuse_asking(conn, actor, authority, said)
    opening = moment.chart.openings["request"]
    refusal = decide_opening(opening, situation_of(moment, request, actor, said["gathered"]), opening.posts)
    if refusal is not None:
        return moment.refuse_asking(conn, actor, refusal, said)
    told = handled.ask(conn, branch, number, actor, subject, what, data, clock)
    if isinstance(told, commands.Refused):
        return Refused(None, None, told.reasons, isinstance(authority, Refusal), told.entry_id)
    if isinstance(authority, Refusal):
        return Refused(None, None, authority.reasons, True, told.entry_id if isinstance(told, Done) else None)
    if not isinstance(told, Done) and told:
        return moment.refuse_asking(conn, actor, Refusal(told), said)
    request.asked_for = about["asked_for"] = authority.acting_for
    request.data_digest = about["data_digest"] = stored.digest_of(branch.vault, request, text)
    return _entered(conn, moment, actor, request, said | by(authority), text, standing)


def _begun(moment: Moment, actor: Actor, number: int, about: dict[str, Any]) -> tuple[Request, dict[str, Any]]:
    """The request as it would be, and what its entry, or that of a refusal, says."""
    said = {"ground": "request", "about": about, "given": {}, "business_date": moment.today.isoformat()}
    return fold.begin(REQUEST, number, actor.id, moment.chart, said, moment.policy), said


def _entered(
    conn: Connection, moment: Moment, actor: Actor, request: Request, said: dict[str, Any], text: str,
    standing: Standing | None,
) -> Asked:  # fmt: skip
    """The request that may be asked for: its row, its sealed data, its entry."""
    rules = moment.chart.openings["request"].rules
    draft = moment.draft(REQUESTS, REQUEST.says.opened, actor, said, moment.today, moment.policy, rules)
    done = moment.opened(REQUESTS, request, draft)
    stored.seal(conn, moment, request, text, None if standing is None else _whose(standing.subject))
    flags = {} if standing is None else flags_of(conn, moment, [request], {request.id: standing})
    moment.write(conn)
    return Asked(request.id, done.state, done.version, request.expires_on, done.entry_id, flags.get(request.id, ()))


def review(
    conn: Connection, branch: Branch, request_id: int, *, actor: Actor, remark: str | None = None,
    version: int | None = None, clock: Clock = now,
) -> Moved | Refused:  # fmt: skip
    """Say that it may go to the approver. CallerErrors: unknown_request, stale_version, faulty_data."""
    return _move(conn, branch, request_id, "review", actor, {"remark": remark}, version, clock)


def approve(
    conn: Connection, branch: Branch, request_id: int, *, actor: Actor, remark: str | None = None,
    version: int | None = None, clock: Clock = now,
) -> Moved | Refused:  # fmt: skip
    """Let it happen, in this transaction. CallerErrors as of `review`."""
    return _move(conn, branch, request_id, "approve", actor, {"remark": remark}, version, clock)


def send_back(
    conn: Connection, branch: Branch, request_id: int, *, actor: Actor, reason: str, remark: str | None = None,
    version: int | None = None, clock: Clock = now,
) -> Moved | Refused:  # fmt: skip
    """Return it to who asked, for a `reason` of the chart. CallerErrors as of `review`."""
    return _move(conn, branch, request_id, "return", actor, {"reason": reason, "remark": remark}, version, clock)


def withdraw(
    conn: Connection, branch: Branch, request_id: int, *, actor: Actor, remark: str | None = None,
    version: int | None = None, clock: Clock = now,
) -> Moved | Refused:  # fmt: skip
    """Take one's own request back. CallerErrors as of `review`."""
    return _move(conn, branch, request_id, "withdraw", actor, {"remark": remark}, version, clock)


# ── deciding ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _move(
    conn: Connection, branch: Branch, request_id: int, event: str, actor: Actor, given: Mapping[str, Any],
    version: int | None, clock: Clock,
) -> Moved | Refused:  # fmt: skip
    spec = branch.rulebook.requests.events[event]
    seen = stored.read_one(conn, request_id)
    kind, data = kind_named(branch, seen.kind), stored.opened(conn, branch, seen)
    pins = event in PINNING
    if pins and seen.erased:  # nothing that is open is erased
        raise stored.altered(request_id)
    # The subject first, as everybody does who locks both; what cannot be decided any more locks nothing.
    pinned = kind.pin(conn, branch, seen.subject, seen.what, data) if pins and seen.live else seen.pinned_version
    request = stored.read_one(conn, request_id, lock=True)
    moment = Moment(branch, clock())
    standing = standings(conn, branch, [request]).get(request.id)
    if not may_see(moment, actor, request, standing):
        raise unseen("unknown_request")
    if version is not None and version != request.version:
        raise CallerError(
            "stale_version", "申请已被他人处理，请查看最新状态", "the request has changed since the version you saw",
            version=request.version,
        )  # fmt: skip
    values, texts = _taken(spec, given, moment.today)
    world = gathered(
        request, ROLES[event], stored.people_of(conn, branch, actor, request.opened_on, moment.today), version=pinned,
        concerned=concerned_by(conn, branch, kind, request.subject, request.what, data),
        void=standing is not None and standing.void,
    )  # fmt: skip
    now_ = situation_of(moment, request, actor, world, values)
    authority, refusal = decided(moment, actor, event, request, standing, now_)
    flags = flags_of(conn, moment, [request], {request.id: standing}) if pins and standing is not None else {}
    if refusal is None and event == "approve":
        outcome = kind.carry_out(conn, branch, request, actor, data, clock)
        if isinstance(outcome, Carried):
            world["carried_out"] = outcome.entry_id
        else:
            refusal = Refusal(outcome)
    said = {"given": values, "gathered": world} | ({} if authority is None else by(authority))
    told: Moved | Refused
    if refusal is not None:
        told = moment.refuse_move(request, event, actor, refusal, said)
    else:
        told = moment.move(request, event, actor, said, texts, flags=flags.get(request.id, ()))
    moment.write(conn)
    return told


def _whose(subject: Any) -> Customer:
    return Customer(subject.institution, subject.borrower_id)


def _taken(spec: Event, given: Mapping[str, Any], today: date) -> tuple[dict[str, Any], dict[str, str]]:
    values, texts, faults = take(spec.fields, given, today=today, latest=today)
    if faults:
        named = ", ".join(fault.field for fault in faults)
        raise CallerError(
            "faulty_data", f"提交的数据有误：{named}", f"{named}: {faults[0].en}",
            faults=[{"field": one.field, "code": one.code, "zh": one.zh, "en": one.en} for one in faults],
        )  # fmt: skip
    return values, texts


def _make_room(conn: Connection, moment: Moment, subject: str, what: str) -> None:
    """Of one subject the same thing is asked once at a time; one that is over is ended first."""
    before = stored.open_on(conn, subject, what)
    if before is None:
        return
    if not ending.end_if_over(conn, moment, [before]):
        raise CallerError(
            "request_open_already", f"同一事项已有待处理的申请{before.id}",
            f"the same is asked for already, in request {before.id}", request=before.id,
        )  # fmt: skip


__all__ = [
    "Asked", "Moved", "Refused", "approve", "ask", "expire_due", "review", "send_back", "send_back_all_of", "withdraw",
]  # fmt: skip
