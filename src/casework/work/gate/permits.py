"""Permits: asked for before the act, reserved so that two callers never both get the last one, settled by the outcome.

Debtors and numbers are locked in one order before anything is counted, so whoever asks later sees what was reserved.
A permit reserves until `holds_until`: some minutes from its issue, or from the beginning of dialling until its outcome,
an hour at most.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.customer import Customer
from casework.errors import CallerError
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.filter import MAX_ID
from casework.work.contacts.contact import Contact
from casework.work.gate.gather import Asking, Known, gather, reserve
from casework.work.gate.judge import Asked, reasons
from casework.work.gate.limits import Limits, limits_of
from casework.work.gate.tables import contact_permits
from casework.work.gate.wording import texts_of

_COLUMNS: Final = (
    "institution", "borrower_id", "loan_id", "case_id", "contact_id", "actor_id", "party", "channel", "purpose",
    "number", "issued_at", "holds_until",
)  # fmt: skip
_SEQUENCE: Final = "contact_permits_id_seq"
_LOCKED: Final = "SELECT pg_advisory_xact_lock(k) FROM (SELECT k FROM unnest(%s::bigint[]) AS k ORDER BY k) AS ordered"


class Why(msgspec.Struct):
    """A reason: its rule (X1 to X8, a hold's ground, `channel`, `paid`), what it says, from when it no longer holds."""

    rule: str
    zh: str
    en: str
    allowed_from: datetime | None


class Permit(msgspec.Struct):
    """The answer: allowed, with the permit; or not, with every reason."""

    allowed: bool
    permit_id: int | None
    expires_at: datetime | None
    reasons: list[Why]


class Foreseen(msgspec.Struct):
    """What the gate would say now, and the day's counts with their limits.

    Counted are connected calls to the debtor, and unanswered ones to this number; nobody is contacted from
    `quiet_from_hour` on.
    """

    reasons: list[Why]
    connected: int
    connected_limit: int
    unanswered: int
    unanswered_limit: int
    quiet_from_hour: int


def foresee(conn: Connection, branch: Branch, askings: Sequence[Asking], now: datetime) -> list[Foreseen]:
    """What `ask` would answer to each alone; nothing is reserved, so another may be quicker."""
    if not askings:
        return []
    limits, known, words = _known(conn, branch, askings, now)
    found = []
    for one in askings:
        asked, held_to = _asked(known, limits, one), limits[one.product]
        told = [Why(rule, *texts_of(rule, held_to, words), opens_at) for rule, opens_at in reasons(asked)]
        day = asked.local.date()
        found.append(
            Foreseen(
                told, asked.course.connected_calls_on(day), held_to.connected_calls, asked.line.unanswered_on(day),
                held_to.unanswered_calls, held_to.quiet_from_hour,
            )
        )  # fmt: skip
    return found


def ask(conn: Connection, branch: Branch, askings: Sequence[Asking], now: datetime) -> list[Permit]:
    """Decide each in this order, counting what those before it reserved; the caller commits at once."""
    if not askings:
        return []
    with rows.together(conn):  # each statement sees its own moment: what is counted is counted under the locks
        _lock(conn, [(one.customer, one.wish.number) for one in askings])
        limits, known, words = _known(conn, branch, askings, now)
    minutes = branch.rulebook.policies.at(branch.today(now)).figure("contact.permit_minutes")
    holds_until = now + timedelta(minutes=minutes)
    answers, granted = [], []
    for one in askings:
        held_to = limits[one.product]
        asked = _asked(known, limits, one)
        against = reasons(asked)
        if against:
            told = [Why(rule, *texts_of(rule, held_to, words), opens_at) for rule, opens_at in against]
            answers.append(Permit(False, None, None, told))
            continue
        reserve(known, one.customer, one.wish.party, one.wish.channel, one.wish.number, asked.local.date())
        answers.append(Permit(True, None, holds_until, []))
        granted.append(one)
    ids = iter(rows.next_ids(conn, _SEQUENCE, contact_permits, len(granted)))
    for answer in answers:
        answer.permit_id = next(ids) if answer.allowed else None
    _insert(conn, granted, [answer.permit_id for answer in answers if answer.permit_id], now, holds_until)
    return answers


def _known(
    conn: Connection, branch: Branch, askings: Sequence[Asking], now: datetime
) -> tuple[dict[str | None, Limits], Known, Mapping[str, Mapping[str, str]]]:
    """Limits by product, what the database knows, and what grounds of holds are called."""
    rulebook = branch.rulebook
    policy = rulebook.policies.at(branch.today(now))
    limits = {product: limits_of(policy, product) for product in {one.product for one in askings}}
    zone = next(iter(limits.values())).zone
    quiet = any(not one.permitted(now) for one in limits.values())
    capped = any(cap is not None for one in limits.values() for cap in (one.messages, one.contact_calls))
    known = gather(conn, askings, zone, rulebook.results, now, quiet=quiet, capped=capped)
    return limits, known, rulebook.charts["hold"].openings["set"].fields["hold"].one_of


def _asked(known: Known, limits: Mapping[str | None, Limits], one: Asking) -> Asked:
    course, standing = known.courses[one.customer], known.standings[one.customer]
    return Asked(one.wish, course, known.lines, standing, limits[one.product], one.posts)


def _insert(
    conn: Connection, granted: Sequence[Asking], ids: Sequence[int], now: datetime, holds_until: datetime
) -> None:  # fmt: skip
    new = [
        (
            permit_id, *one.customer, one.wish.loan_id, one.case_id, one.contact_id, one.actor_id, one.wish.party,
            one.wish.channel, one.wish.purpose, one.wish.number, now, holds_until,
        )
        for permit_id, one in zip(ids, granted, strict=True)
    ]  # fmt: skip
    rows.insert_many(conn, contact_permits, new, ("id", *_COLUMNS))


def _lock(conn: Connection, whom: Sequence[tuple[Customer, bytes | None]]) -> None:
    """Debtors and numbers, in one order; on SQLite the writer already holds the database."""
    if conn.dialect.name == "sqlite":
        return
    keys = {_key(f"debtor {customer}".encode()) for customer, _ in whom}
    keys |= {_key(b"number " + number) for _, number in whom if number is not None}
    rows.tell_postgresql(conn, _LOCKED, [sorted(keys)])


def _key(what: bytes) -> int:
    digest = hashlib.blake2b(what, digest_size=8, person=b"casework/gate").digest()
    return int.from_bytes(digest, "big", signed=True)


# ── what becomes of a permit ────────────────────────────────────────────────────────────────────────────────────────


class Begun(msgspec.Struct):
    """Whom the permit is for, by which contact on record (none: by a phone that was named), and until when it holds."""

    customer: Customer
    contact_id: int | None
    holds_until: datetime


def begin_dialling(conn: Connection, branch: Branch, permit_id: int, actor_id: str, now: datetime) -> Begun:
    """Dialling begins, once: the permit holds until the outcome.

    CallerErrors `unknown_permit` (nobody's, or another's), `permit_used`, `permit_expired`.
    """
    permit = _own(conn, permit_id, actor_id)
    if (past := _past(permit, now)) is not None:
        raise CallerError(past, permit_id=permit_id, **bounds_of(permit))
    begun = Begun(Customer(permit.institution, permit.borrower_id), permit.contact_id, permit.holds_until)
    if permit.dialling_at is None:
        minutes = branch.rulebook.policies.at(branch.today(now)).figure("contact.permit_dialling_minutes")
        begun.holds_until = now + timedelta(minutes=minutes)
        changed = {"dialling_at": now, "holds_until": begun.holds_until}
        conn.execute(contact_permits.update().where(contact_permits.c.id == permit_id).values(changed))
    return begun


def permits_of(conn: Connection, permit_ids: Iterable[int], actor_id: str) -> dict[int, Any]:
    """The actor's own permits of these numbers, held until the transaction ends."""
    wanted = sorted({one for one in permit_ids if 0 < one <= MAX_ID})
    found = rows.select_by_keys(conn, contact_permits, "id", wanted, lock="wait")
    return {permit.id: permit for permit in found if permit.actor_id == actor_id}


def why_not_of(permit: Any, contact: Contact, now: datetime) -> str | None:
    """Why the contact cannot be the outcome of this permit; none where it can.

    `permit_foreign` (for another debtor, party, number, channel or time), `permit_used`, `permit_expired`.
    """
    number = None if permit.number is None else bytes(permit.number)
    asked_for = Customer(permit.institution, permit.borrower_id), permit.party, permit.channel, number
    did = contact.customer, contact.party, contact.channel, contact.number
    if did != asked_for or not _second(permit.issued_at) <= contact.started_at < permit.holds_until:
        return "permit_foreign"
    return _past(permit, now)


def settle(conn: Connection, contacts: Sequence[Contact], now: datetime) -> None:
    """The contacts are the outcomes of the permits that they name, held by `permits_of`, which are used by them."""
    if contacts:
        # Whoever counts meanwhile sees the permit or its outcome, never neither.
        _lock(conn, [(contact.customer, contact.number) for contact in contacts])
        used = sorted((contact.permit_id or 0, now) for contact in contacts)
        rows.update_many(conn, contact_permits, "id", used, ("used_at",))


def bounds_of(permit: Any) -> dict[str, str]:
    """From when until when what it permits may begin, and when it was used: for whoever is refused by it."""
    bounds = {"started_from": utc_text(_second(permit.issued_at)), "started_before": utc_text(permit.holds_until)}
    return bounds if permit.used_at is None else bounds | {"used_at": utc_text(permit.used_at)}


def _second(instant: datetime) -> datetime:
    """What is typed has no fractions of a second."""
    return instant.replace(microsecond=0)


def _own(conn: Connection, permit_id: int, actor_id: str) -> Any:
    permit = permits_of(conn, [permit_id], actor_id).get(permit_id)
    if permit is None:
        raise CallerError("unknown_permit", permit_id=permit_id)
    return permit


def _past(permit: Any, now: datetime) -> str | None:
    if permit.used_at is not None:
        return "permit_used"
    return "permit_expired" if permit.holds_until <= now else None
