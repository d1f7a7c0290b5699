"""Logging in with a password, in two steps with the slow comparison between them, outside of any transaction.

`begin` counts the attempt and finds what to compare with; `finish` decides. What is wrong comes back as a value, a
CallerError to be raised once it is committed: the count must survive it. Nothing tells an unknown number from a known
one: same texts, same work.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.write.trail import Draft, Trail
from casework.people.identity import brake, second_factor
from casework.people.identity.brake import Brake
from casework.people.identity.ending import lock_person
from casework.people.identity.passwords import first_after_code, keep_password, password_of
from casework.people.identity.sessions import TokensGranted, open_session
from casework.people.staff.acting import actor_for
from casework.people.staff.actor import Actor, system
from casework.people.staff.register import stream_of
from casework.people.staff.tables import staff
from casework.people.staff.tokens import PREFIX
from casework.personal import Vault
from casework.rules.statechart.policy import Policy


@dataclass(frozen=True, slots=True)
class Attempt:
    """One counted attempt; `stored` is the hash to compare with, none for somebody who has no password."""

    staff_no: str
    brake: Brake
    stored: str | None


@dataclass(frozen=True, slots=True)
class Proven:
    """Somebody who has shown who they are; `failures` wrong attempts came before.

    `step` is the time step of the second factor that was shown; none: there is no factor in force.
    """

    actor: Actor
    step: int | None
    failures: int


def begin(conn: Connection, trail: Trail, attempted: Brake, staff_no: str) -> Attempt | CallerError:
    """Count the attempt; `locked_out` as a value."""
    refused = brake.count(conn, attempted, trail.recorded_at)
    return refused or Attempt(staff_no, attempted, password_of(conn, trail, staff_no))


def finish(
    conn: Connection, trail: Trail, vault: Vault, policy: Policy, attempt: Attempt, *, is_right: bool,
    otp: str | None, renewed: str | None = None, prefix: str = PREFIX,
) -> TokensGranted | CallerError:  # fmt: skip
    """Open a session, if the password `is_right` and the second factor, where there is one, too.

    `renewed`: the same password hashed by today's figures; `prefix` as in `open_session`. As a value: log_in_refused,
    which never says whether it was the password, or the code of the second factor that was wrong or missing.
    """
    proven = prove(conn, trail, vault, attempt, is_right=is_right, otp=otp)
    if isinstance(proven, CallerError):
        return proven
    after_code = first_after_code(conn, trail, attempt.staff_no)
    if renewed is not None:
        keep_password(conn, trail, attempt.staff_no, renewed)
    if proven.failures:
        data = {"staff_no": attempt.staff_no, "failures": proven.failures}
        draft = Draft("staff.log_in_failed", system("api").signed, data)
        trail.append(conn, stream_of(attempt.staff_no), draft)
    return open_session(conn, trail, policy, proven.actor, step=proven.step, after_code=after_code, prefix=prefix)


def prove(
    conn: Connection, trail: Trail, vault: Vault, attempt: Attempt, *, is_right: bool, otp: str | None
) -> Proven | CallerError:
    """Whether this is really them: password, register, second factor; a right attempt is no longer counted."""
    if not is_right:
        return refused(conn, trail, attempt)
    lock_person(conn, attempt.staff_no)
    if password_of(conn, trail, attempt.staff_no) != attempt.stored:
        return refused(conn, trail, attempt)  # another password was set while this one was compared
    try:
        actor = actor_for(conn, attempt.staff_no, "api", today=trail.today)
    except CallerError:
        return refused(conn, trail, attempt)
    step = None
    if second_factor.is_confirmed(conn, attempt.staff_no):
        step = second_factor.takes(conn, trail, vault, attempt.staff_no, otp or "")
        if step is None:
            return refused(conn, trail, attempt)
    return Proven(actor, step, brake.release(conn, attempt.brake))


def refused(conn: Connection, trail: Trail, attempt: Attempt) -> CallerError:
    """`log_in_refused`; the attempt stays counted. When it locks the number of somebody known, an entry says so."""
    tries = brake.keep(conn, attempt.brake, trail.recorded_at)
    known = sa.select(staff.c.staff_no).where(staff.c.staff_no == attempt.staff_no)
    if tries is not None and conn.execute(known).one_or_none() is not None:
        data = {"staff_no": attempt.staff_no, "failures": tries, "minutes": attempt.brake.minutes}
        trail.append(conn, stream_of(attempt.staff_no), Draft("staff.locked", system("api").signed, data))
    return CallerError("log_in_refused")
