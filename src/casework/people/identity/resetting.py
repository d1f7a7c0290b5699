"""Setting a password: with a one-time code that an administrator issued, or with the old one."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.errors import CallerError
from casework.log.write.trail import Draft, Trail
from casework.people.identity import brake, second_factor
from casework.people.identity.ending import lock_person, revoke_tokens
from casework.people.identity.holding import needs_factor
from casework.people.identity.log_in import Attempt, prove, refused
from casework.people.identity.passwords import keep_password
from casework.people.identity.sessions import end_all
from casework.people.identity.tables import reset_codes
from casework.people.staff.access_mac import fingerprint, holds, with_mac
from casework.people.staff.acting import actor_for
from casework.people.staff.actor import Actor
from casework.people.staff.register import stream_of
from casework.personal import Vault
from casework.rules.statechart.policy import Policy

MAX_TRIES = 5
_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # none that is read as another
_LENGTH, _GROUP = 16, 4


@dataclass(frozen=True, slots=True)
class Code:
    """A one-time code, told this once, and until when it is good.

    `awaits_second_administrator`: the second factor stays until another administrator asks for its end too.
    """

    staff_no: str
    code: str
    expires_at: datetime
    awaits_second_administrator: bool = False


def issue_code(
    conn: Connection, trail: Trail, policy: Policy, actor: Actor, *, staff_no: str, second_factor_too: bool = False
) -> Code:
    """A code with which `staff_no` sets a password, good for login.reset_hours; it replaces one issued before.

    They may try again at once if they were locked. `second_factor_too` also takes their second factor away (a lost
    phone); of somebody whose posts ask for one, only once a second administrator asks for it within a code's hours.
    CallerErrors: unknown_staff, staff_unverified, staff_left, own_reset. Entry `staff.reset_code_issued`.
    """
    if actor.kind == "staff" and staff_no in actor.people:
        raise CallerError("own_reset")
    lock_person(conn, staff_no)
    target = actor_for(conn, staff_no, actor.via, today=trail.today)
    text = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    expires_at = trail.recorded_at + timedelta(hours=policy.figure("login.reset_hours"))
    conn.execute(reset_codes.delete().where(reset_codes.c.staff_no == staff_no))
    row: dict[str, Any] = {"staff_no": staff_no, "code_hash": _hashed(text), "expires_at": expires_at, "failures": 0}
    row = with_mac(trail.mac_key, reset_codes.name, row)
    conn.execute(reset_codes.insert().values(row))
    brake.clear(conn, staff_no)
    data = {
        "staff_no": staff_no, "expires_at": utc_text(expires_at), "second_factor_too": second_factor_too,
        "code": fingerprint(row["mac"]),
    }  # fmt: skip
    trail.append(conn, stream_of(staff_no), Draft("staff.reset_code_issued", actor.signed, data))
    awaits = False
    if second_factor_too:
        hours = timedelta(hours=policy.figure("login.reset_hours"))
        if not needs_factor(target, policy) or second_factor.may_take_away(conn, trail, actor, staff_no, hours):
            second_factor.take_away(conn, trail, actor, staff_no)
        else:
            awaits = True
    shown = "-".join(text[i : i + _GROUP] for i in range(0, _LENGTH, _GROUP))
    return Code(staff_no, shown, expires_at, awaits)


def set_by_code(
    conn: Connection, trail: Trail, attempt: Attempt, *, code: str, password_hash: str
) -> CallerError | None:
    """Set the password of whoever the code was issued for; the code is spent. `log_in_refused` as a value."""
    mine = reset_codes.c.staff_no == attempt.staff_no
    if conn.execute(sa.select(reset_codes.c.staff_no).where(mine)).one_or_none() is None:
        return refused(conn, trail, attempt)
    lock_person(conn, attempt.staff_no)
    row = conn.execute(sa.select(reset_codes).where(mine)).one_or_none()
    if row is None or row.expires_at <= trail.recorded_at:
        return refused(conn, trail, attempt)
    if not holds(trail.mac_key, reset_codes.name, row):  # nobody issued it
        return refused(conn, trail, attempt)
    if not hmac.compare_digest(bytes(row.code_hash), _hashed(code)):
        conn.execute(reset_codes.update().where(mine).values(failures=row.failures + 1))
        conn.execute(reset_codes.delete().where(mine & (reset_codes.c.failures >= MAX_TRIES)))
        return refused(conn, trail, attempt)
    try:
        actor = actor_for(conn, attempt.staff_no, "api", today=trail.today)
    except CallerError:
        return refused(conn, trail, attempt)
    brake.release(conn, attempt.brake)
    _set(conn, trail, actor, password_hash, "code", None)
    return None


def set_by_password(
    conn: Connection, trail: Trail, vault: Vault, attempt: Attempt, *, is_right: bool, otp: str | None,
    password_hash: str,
) -> CallerError | None:  # fmt: skip
    """Exchange the password for another. As a value: log_in_refused."""
    proven = prove(conn, trail, vault, attempt, is_right=is_right, otp=otp)
    if isinstance(proven, CallerError):
        return proven
    _set(conn, trail, proven.actor, password_hash, "password", proven.step)
    return None


def _set(conn: Connection, trail: Trail, actor: Actor, password_hash: str, by: str, step: int | None) -> None:
    """A code that was still good dies with it, and so do all sessions: whoever knew the old password is out."""
    conn.execute(reset_codes.delete().where(reset_codes.c.staff_no == actor.id))
    keep_password(conn, trail, actor.id, password_hash, by_code=by == "code")
    if by == "code":  # keys too: somebody may have made one who had no business to
        revoke_tokens(conn, trail, actor, staff_no=actor.id)
    end_all(conn, trail, actor, actor.id, "password_set")
    data = {"staff_no": actor.id, "by": by, "step": step}
    trail.append(conn, stream_of(actor.id), Draft("staff.password_set", actor.signed, data))


def _hashed(code: str) -> bytes:
    plain = "".join(char for char in code.upper() if char in _LETTERS)
    return hashlib.sha256(plain.encode()).digest()
