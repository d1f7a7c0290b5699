"""Asking for what takes four eyes, and reviewing, approving, returning and withdrawing it (rules 1.1.4, 5.6).

The way of one: lock the subject, then the request → gather → decide (chart `request`, pure) → entry and row. An
approval carries out what was asked for in the same transaction, through the door or the register; if that refuses,
the request stays open. A refusal is a value with every reason, and an entry. The caller commits.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Authority
from casework.rules.statechart.chart import Event
from casework.rules.statechart.decide import Refusal, decide_opening
from casework.rules.statechart.fields import take
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.unseen import unseen
from casework.work.four_eyes import case_events, ending, post_grants, recording, stored  # noqa: F401  (two register kinds)
from casework.work.four_eyes.deciding import (
    RULES,
    authority_of,
    concerned_by,
    decided,
    may_see,
)
from casework.work.four_eyes.flags import flags_of
from casework.work.four_eyes.kinds import Carried, kind_named, standings
from casework.work.four_eyes.recording import (
    ROLES,
    Asked,
    Moved,
    Refused,
)
from casework.work.four_eyes.stored import Moment, moment_of
from casework.work.four_eyes.tables import requests
from casework.work.request import request as folding
from casework.work.request.situation import Situation

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
    handled = kind_named(kind)
    topic = branch.rulebook.requests.approvals[handled.topic(branch, what)]
    pinned = handled.pin(conn, branch, subject, what, data)
    moment = moment_of(branch, clock())
    (request_id,) = rows.next_ids(conn, "requests_id_seq", requests, 1)
    text = stored.text_of(data)
    concerned = concerned_by(conn, branch, handled, subject, what, data)
    people = stored.people_of(conn, actor, moment.today, moment.today)
    said: dict[str, Any] = {
        "kind": kind, "subject": subject, "what": what, "topic": topic.name, "pinned_version": pinned,
        "data_digest": "", "people": sorted(people), "concerned": sorted(concerned),
        "expires_after_days": moment.policy.figure("approval.expires_after_days"), "day": moment.today.isoformat(),
    }  # fmt: skip
    request = folding.asked(request_id, actor.id, branch.rulebook.requests, said, folding.NEVER)
    standing = standings(conn, branch, [request]).get(request_id)
    if standing is not None and not branch.rulebook.permissions.may_see(actor, standing.case, moment.policy):
        raise unseen("unknown_case")
    _make_room(conn, moment, subject, what)
    if version is not None and standing is not None and version != standing.case.version:
        raise CallerError(
            "stale_version", "案件已被他人更改，请查看最新版本后再操作",
            "the case has changed since the version you saw", version=standing.case.version,
        )  # fmt: skip
    authority = authority_of(moment, actor, topic.proposed_by, standing)
    if standing is None and isinstance(authority, Refusal):  # of a case the door says so, in the case's own stream
        return recording.refuse_asking(conn, moment, actor, said, authority.reasons, forbidden=True)
    opening = branch.rulebook.requests.openings["request"]
    now_ = Situation(None, topic.name, moment.today, moment.policy, people, concerned)
    refusal = decide_opening(opening, now_, opening.posts)
    if refusal is not None:
        return recording.refuse_asking(conn, moment, actor, said, refusal.reasons, forbidden=False)
    reasons = handled.ask(conn, branch, request_id, actor, subject, what, data, clock)
    if isinstance(authority, Refusal):
        reasons = reasons or authority.reasons
    if reasons and standing is None:
        return recording.refuse_asking(conn, moment, actor, said, reasons, forbidden=False)
    if isinstance(authority, Refusal) or reasons:
        case = standings(conn, branch, [request])[request_id].case
        entry_id = f"{case.stream}:{case.audit_seq}"
        return Refused(None, None, reasons, isinstance(authority, Refusal), entry_id)
    said |= _by(authority)
    request.asked_for = authority.acting_for
    said["data_digest"] = request.data_digest = stored.digest_of(branch.vault, request, text)
    draft = stored.draft_of(moment, actor, folding.ASKED, said, rules=RULES)
    draft.to = request.state
    entry_id = stored.append(moment, request, draft)
    stored.seal(conn, moment, request, text, None if standing is None else standing.case.customer)
    flags = {} if standing is None else flags_of(conn, moment, [request], {request.id: standing})
    stored.insert(conn, request)
    moment.trail.write(conn)
    return Asked(request.id, request.state, request.version, request.expires_on, entry_id, flags.get(request.id, ()))


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
    kind, data = kind_named(seen.kind), stored.opened(conn, branch, seen)
    pins = event in PINNING
    if pins and seen.erased:  # nothing that is open is erased
        raise stored.altered(request_id)
    # The subject first, as everybody does who locks both; what cannot be decided any more locks nothing.
    pinned = kind.pin(conn, branch, seen.subject, seen.what, data) if pins and seen.open else seen.pinned_version
    request = stored.read_one(conn, request_id, lock=True)
    moment = moment_of(branch, clock())
    standing = standings(conn, branch, [request]).get(request.id)
    if not may_see(moment, actor, request, standing):
        raise unseen("unknown_request")
    if version is not None and version != request.version:
        raise CallerError(
            "stale_version", "申请已被他人处理，请查看最新状态", "the request has changed since the version you saw",
            version=request.version,
        )  # fmt: skip
    values, texts = _taken(spec, given, moment.today)
    people = stored.people_of(conn, actor, request.asked_on, moment.today)
    concerned = concerned_by(conn, branch, kind, request.subject, request.what, data)
    void = standing is not None and standing.void
    now_ = Situation(request, request.topic, moment.today, moment.policy, people, concerned, pinned, void, values)
    authority, refusal = decided(moment, actor, event, request, standing, now_)
    said = {"given": values, "people": sorted(people), "concerned": sorted(concerned), "subject_version": pinned,
            "void": void, "role": ROLES[event], **_by(authority)}  # fmt: skip
    reasons = refusal.reasons if refusal else ()
    flags = flags_of(conn, moment, [request], {request.id: standing}) if pins and standing is not None else {}
    if not reasons and event == "approve":
        outcome = kind.carry_out(conn, branch, request, actor, data, clock)
        if isinstance(outcome, Carried):
            said["carried_out"] = outcome.entry_id
        else:
            reasons = outcome
    if reasons:
        forbidden = bool(refusal and refusal.forbidden)
        told: Moved | Refused = recording.refuse(moment, request, event, actor, said, reasons, forbidden=forbidden)
    else:
        told = recording.move(moment, request, event, actor, said, texts, flags=flags.get(request.id, ()))
    recording.write(conn, moment, [request])
    return told


def _by(authority: Authority | None) -> dict[str, Any]:
    if authority is None:
        return {}
    by = {"post": authority.post}
    return by if authority.acting_for is None else by | {"acting_for": authority.acting_for}


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
