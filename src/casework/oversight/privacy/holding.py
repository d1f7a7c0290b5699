"""Placing and releasing a legal hold on a borrower's data; while one is open nothing of theirs is erased."""

from datetime import datetime

from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.customer import Customer
from casework.errors import CallerError
from casework.intake.feed.customers import of_customer
from casework.log.write.trail import Draft, StreamHead
from casework.oversight.privacy.deciding import HOLD_PLACED, HOLD_RELEASED, RULES
from casework.oversight.privacy.gather import ErasureGathered, gather
from casework.oversight.privacy.tables import legal_holds
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch

COMMAND = "privacy.hold"


def hold(
    conn: Connection, branch: Branch, customer: Customer, *, reason: str, actor: Actor, clock: Clock = now
) -> str:  # fmt: skip
    """Place a hold; the entry's id. CallerErrors `unknown_borrower`, `unknown_hold_reason`, `hold_placed_already`."""
    branch.rulebook.permissions.require(actor, COMMAND)
    branch.rulebook.privacy.hold(reason)
    at = clock()
    found = gather(conn, branch, customer, at, lock=True)
    if reason in found.situation.holds:
        raise CallerError("hold_placed_already", reason=reason)
    head = _record(conn, branch, found, HOLD_PLACED, {"reason": reason}, actor, at)
    conn.execute(legal_holds.insert().values(**customer._asdict(), reason=reason, stream_seq=head.seq))
    return f"{found.stream}:{head.seq}"


def release(
    conn: Connection, branch: Branch, customer: Customer, *, reason: str | None = None, actor: Actor, clock: Clock = now
) -> str:  # fmt: skip
    """Release the hold for `reason`, or every one; the entry's id. CallerErrors `unknown_borrower`, `no_hold`."""
    branch.rulebook.permissions.require(actor, COMMAND)
    at = clock()
    found = gather(conn, branch, customer, at, lock=True)
    reasons = [one for one in found.situation.holds if reason in (None, one)]
    if not reasons:
        raise CallerError("no_hold", holds=list(found.situation.holds))
    head = _record(conn, branch, found, HOLD_RELEASED, {"reasons": reasons}, actor, at)
    gone = of_customer(legal_holds, customer), legal_holds.c.reason.in_(reasons)
    conn.execute(legal_holds.delete().where(*gone))
    return f"{found.stream}:{head.seq}"


def _record(
    conn: Connection,
    branch: Branch,
    found: ErasureGathered,
    event: str,
    data: dict[str, object],
    actor: Actor,
    at: datetime,
) -> StreamHead:
    trail = branch.trail(at)
    policy = branch.rulebook.policies.at(trail.today)
    said = {**data, "rulebook": branch.rulebook.privacy.ref, "day": trail.today.isoformat()}
    head = trail.append(conn, found.stream, Draft(event, actor.signed, said, rules=RULES, policy=policy.ref))
    trail.write(conn)
    return head
