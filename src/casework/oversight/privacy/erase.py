"""Erasing a borrower's personal data: gathered, decided, emptied and recorded in one transaction.

Irreversible. A refusal is a value with every reason, and an entry. The caller commits, then has the files under the
database looked after (`scrub`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.customer import Customer
from casework.intake.feed.erased import hold_lock
from casework.intake.feed.left_rows import LeftRows
from casework.log.format.erasure import ERASED, as_data, parts_of
from casework.log.tables import erasures
from casework.log.write.trail import Draft, Trail
from casework.oversight.privacy.deciding import RULES, reasons_against
from casework.oversight.privacy.gather import ErasureGathered, gather
from casework.oversight.privacy.reach import (
    AsideReached,
    Gone,
    empty,
    find_aside,
)
from casework.oversight.privacy.remaining import Remaining, remaining
from casework.people.staff.actor import Actor
from casework.rules.statechart.decide import Reason
from casework.storage import rows
from casework.work.cases.branch import Branch

COMMAND = "privacy.erase"
REFUSED = "privacy.erase_refused"
_COLUMNS = ("stream", "stream_seq", *Customer._fields, "cases_until", "erased_at")


@dataclass(frozen=True)
class Erasure:
    """It is done once the caller commits: the entries that say so, what is gone, what still holds it."""

    customer: Customer
    entry_ids: tuple[str, ...]
    gone: Gone
    remaining: Remaining


@dataclass(frozen=True)
class ErasureRefused:
    """Nothing was erased; every reason is here and in the entry."""

    customer: Customer
    entry_id: str
    reasons: tuple[Reason, ...]


def look_through(conn: Connection, branch: Branch, customer: Customer, at: datetime) -> AsideReached:
    """The rows set aside that are theirs, found before the transaction that erases: it opens every row of the table.

    CallerError as of `gather`.
    """
    return find_aside(conn, branch, gather(conn, branch, customer, at))


def erase(
    conn: Connection, branch: Branch, customer: Customer, *, basis: str, actor: Actor,
    aside: AsideReached | None = None,
    clock: Clock = now,
) -> Erasure | ErasureRefused:  # fmt: skip
    """Erase on a `basis` of privacy.toml. `aside`: what `look_through` found a moment ago.

    CallerErrors `post_not_permitted`, `unknown_basis`, `unknown_borrower`.
    """
    branch.rulebook.permissions.require(actor, COMMAND)
    ground = branch.rulebook.privacy.basis(basis)
    hold_lock(conn)
    found = gather(conn, branch, customer, clock(), lock=True)
    trail = branch.trail(clock())
    policy = branch.rulebook.policies.at(trail.today)
    said = {"basis": basis, "rulebook": branch.rulebook.privacy.ref, "day": trail.today.isoformat()}
    reasons = reasons_against(ground, found.situation, policy)
    if reasons:
        draft = Draft(
            REFUSED, actor.signed, {**said, "reasons": [_on_record(reason) for reason in reasons]}, rules=RULES,
            policy=policy.ref, reason_code=reasons[0].code,
        )  # fmt: skip
        head = trail.append(conn, found.stream, draft)
        trail.write(conn)
        return ErasureRefused(customer, f"{found.stream}:{head.seq}", reasons)
    still = remaining(conn, found)
    left = LeftRows(conn, branch.mac_key, customer.institution)
    gone = empty(conn, found, find_aside(conn, branch, found, aside).ids, left, branch.mac_key)
    entry_ids = _record(conn, trail, found, Draft(ERASED, actor.signed, said, rules=RULES, policy=policy.ref), gone)
    left.restate(trail, actor, entry_ids[0])
    trail.write(conn)
    return Erasure(customer, entry_ids, gone, still)


def _record(conn: Connection, trail: Trail, found: ErasureGathered, draft: Draft, gone: Gone) -> tuple[str, ...]:
    """An entry for each part of what is covered, and its place in `erasures`."""
    said, parts = draft.data, parts_of(found.places)
    cases_until = max((case.id for case in found.cases), default=0)
    marks: list[tuple[Any, ...]] = []
    for number, part in enumerate(parts, 1):
        draft.data = {**said, **as_data(part), "part": number, "parts": len(parts), "cases_until": cases_until}
        if number == 1:
            draft.data["erased"] = dict(gone.counts)
        head = trail.append(conn, found.stream, draft)
        marks.append((found.stream, head.seq, *found.customer, cases_until, head.recorded_at))
    rows.insert_many(conn, erasures, marks, _COLUMNS)
    return tuple(f"{stream}:{seq}" for stream, seq, *_ in marks)


def _on_record(reason: Reason) -> dict[str, Any]:
    opens_on = reason.opens_on.isoformat() if reason.opens_on else None
    return {"code": reason.code, "saw": dict(reason.saw), "needs": dict(reason.needs), "opens_on": opens_on}
