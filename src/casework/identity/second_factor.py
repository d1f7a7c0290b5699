"""The second factor: time-based codes (RFC 6238, SHA-1, 6 digits, 30 s), secret sealed, no code taken twice."""

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy.engine import Connection

from casework.audit.trail import Draft, Trail
from casework.errors import CallerError
from casework.identity.ending import lock_person
from casework.identity.holding import needs_factor
from casework.identity.tables import second_factors, sessions
from casework.personal import Vault
from casework.staff.actor import Actor
from casework.staff.register import bump, stream_of
from casework.statechart.policy import Policy

STEP_S, DIGITS, SECRET_BYTES = 30, 6, 20
SLACK = 1  # steps before and after the present one: phones' clocks
_SEALED_AS = "second_factor"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator is set up with, told this once: the secret in Base32 and as an otpauth URI."""

    secret: str
    uri: str


def enrol(conn: Connection, vault: Vault, actor: Actor) -> Enrolment:
    """Make a secret that `confirm` puts into force; CallerError `second_factor_exists` when one is in force."""
    lock_person(conn, actor.id)
    if is_confirmed(conn, actor.id):
        raise CallerError(
            "second_factor_exists", "已绑定第二因素，请先解除", "a second factor is in force; remove it first"
        )
    key = secrets.token_bytes(SECRET_BYTES)
    secret = base64.b32encode(key).decode()
    conn.execute(second_factors.delete().where(second_factors.c.staff_no == actor.id))
    sealed = vault.seal(_SEALED_AS, f"{actor.id}:{secret}")
    conn.execute(second_factors.insert().values(staff_no=actor.id, secret_sealed=sealed, last_step=0))
    return Enrolment(secret, _codes(key).get_provisioning_uri(actor.id, "casework"))


def confirm(
    conn: Connection, trail: Trail, vault: Vault, actor: Actor, otp: str, *, session_id: int | None
) -> CallerError | None:
    """Put the enrolled secret into force with a first code; the session that did so has shown it.

    `second_factor_wrong` as a value. CallerErrors: second_factor_exists, unknown_second_factor. Entry
    `staff.second_factor_enrolled`.
    """
    lock_person(conn, actor.id)
    if is_confirmed(conn, actor.id):
        raise CallerError("second_factor_exists", "已绑定第二因素", "a second factor is in force already")
    if not takes(conn, vault, actor.id, otp, trail.recorded_at, confirmed=False):
        return wrong()
    mine = second_factors.c.staff_no == actor.id
    conn.execute(second_factors.update().where(mine).values(confirmed_at=trail.recorded_at))
    conn.execute(sessions.update().where(sessions.c.id == session_id).values(second_factor=True))
    bump(conn)
    data = {"staff_no": actor.id, "session": session_id}
    trail.append(conn, stream_of(actor.id), Draft("staff.second_factor_enrolled", actor.signed, data))
    return None


def remove(conn: Connection, trail: Trail, vault: Vault, policy: Policy, actor: Actor, otp: str) -> CallerError | None:
    """Take one's own factor away, with a last code; `second_factor_wrong` as a value.

    CallerErrors: `second_factor_required` when a post of his asks for it, `unknown_second_factor`. Entry
    `staff.second_factor_removed`.
    """
    lock_person(conn, actor.id)
    if needs_factor(actor, policy):
        raise CallerError(
            "second_factor_required", "您的岗位必须使用第二因素", "your posts require a second factor",
            posts=sorted(policy.figure("login.second_factor_posts")),
        )  # fmt: skip
    if not takes(conn, vault, actor.id, otp, trail.recorded_at, confirmed=True):
        return wrong()
    take_away(conn, trail, actor, actor.id)
    return None


def take_away(conn: Connection, trail: Trail, actor: Actor, staff_no: str) -> bool:
    """Remove somebody's factor, in force or begun; whether there was one. The caller holds him."""
    if not conn.execute(second_factors.delete().where(second_factors.c.staff_no == staff_no)).rowcount:
        return False
    bump(conn)
    data = {"staff_no": staff_no}
    trail.append(conn, stream_of(staff_no), Draft("staff.second_factor_removed", actor.signed, data))
    return True


def is_confirmed(conn: Connection, staff_no: str) -> bool:
    """Whether somebody has a factor in force."""
    found = sa.select(second_factors.c.staff_no).where(
        second_factors.c.staff_no == staff_no, second_factors.c.confirmed_at.is_not(None)
    )
    return conn.execute(found).one_or_none() is not None


def takes(conn: Connection, vault: Vault, staff_no: str, otp: str, now: datetime, *, confirmed: bool = True) -> bool:
    """Whether this is a code of now that was not used before; a code that passes is used. The caller holds the person.

    CallerError `unknown_second_factor` when there is none.
    """
    state = second_factors.c.confirmed_at.is_not(None) if confirmed else second_factors.c.confirmed_at.is_(None)
    row = conn.execute(sa.select(second_factors).where(second_factors.c.staff_no == staff_no, state)).one_or_none()
    if row is None:
        raise CallerError("unknown_second_factor", "尚未绑定第二因素", "there is no second factor to use")
    owner, _, secret = vault.open(_SEALED_AS, bytes(row.secret_sealed)).partition(":")
    if owner != staff_no:
        raise ValueError("a second factor was moved from one person to another")
    step = _step_of(base64.b32decode(secret), otp, now)
    if step is None or step <= row.last_step:
        return False
    conn.execute(second_factors.update().where(second_factors.c.staff_no == staff_no).values(last_step=step))
    return True


def wrong() -> CallerError:
    """A code that is not one of now, or was used."""
    return CallerError("second_factor_wrong", "动态码不正确或已使用", "the code is not right, or was used already")


def _step_of(key: bytes, otp: str, now: datetime) -> int | None:
    """The time step this code belongs to; all are compared, whichever fits."""
    present = int(now.timestamp()) // STEP_S
    codes = _codes(key)
    found = None
    for step in range(present - SLACK, present + SLACK + 1):
        if hmac.compare_digest(codes.generate(step * STEP_S), otp.encode()):
            found = step
    return found


def _codes(key: bytes) -> TOTP:
    return TOTP(key, DIGITS, SHA1(), STEP_S)  # noqa: S303  # RFC 6238's default, and all that authenticators know
