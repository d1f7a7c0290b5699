"""The second factor: time-based codes (RFC 6238, SHA-1, 6 digits, 30 s), secret sealed, no code taken twice."""

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.format.chain import keyed
from casework.log.write.trail import Draft, Trail
from casework.people.identity.ending import lock_person
from casework.people.identity.holding import needs_factor
from casework.people.identity.tables import second_factors, sessions
from casework.people.staff.access_mac import (
    changed,
    fingerprint,
    holds,
    with_mac,
)
from casework.people.staff.actor import Actor
from casework.people.staff.register import bump, stream_of
from casework.personal import Vault, cell
from casework.rules.statechart.policy import Policy

STEP_S, DIGITS, SECRET_BYTES = 30, 6, 20
SLACK = 1  # steps before and after the present one: phones' clocks


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator is set up with, told this once: the secret in Base32 and as an otpauth URI."""

    secret: str
    uri: str


def enrol(conn: Connection, mac_key: bytes, vault: Vault, actor: Actor) -> Enrolment:
    """Make a secret that `confirm` puts into force; CallerError `second_factor_exists` when one is in force."""
    lock_person(conn, actor.id)
    if is_confirmed(conn, actor.id):
        raise CallerError("second_factor_exists")
    key = secrets.token_bytes(SECRET_BYTES)
    secret = base64.b32encode(key).decode()
    conn.execute(second_factors.delete().where(second_factors.c.staff_no == actor.id))
    sealed = vault.seal(_secret_cell(actor.id), secret)
    row = {"staff_no": actor.id, "secret_sealed": sealed, "confirmed_at": None, "last_step": 0,
           "removal_asked_by": None, "removal_asked_at": None}  # fmt: skip
    conn.execute(second_factors.insert().values(with_mac(mac_key, second_factors.name, row)))
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
    step = takes(conn, trail, vault, actor.id, otp, confirmed=False)
    if step is None:
        return wrong()
    mine = second_factors.c.staff_no == actor.id
    row = conn.execute(sa.select(second_factors).where(mine)).one()
    _put(conn, trail, second_factors, mine, row, confirmed_at=trail.recorded_at)
    here = sessions.c.id == session_id
    session = conn.execute(sa.select(sessions).where(here)).one_or_none()
    if session is not None and holds(trail.mac_key, sessions.name, session):
        _put(conn, trail, sessions, here, session, second_factor=True)
    bump(conn)
    secret = keyed(trail.mac_key, "second_factor_secret", bytes(row.secret_sealed))
    data = {"staff_no": actor.id, "session": session_id, "step": step, "secret": fingerprint(secret)}
    trail.append(conn, stream_of(actor.id), Draft("staff.second_factor_enrolled", actor.signed, data))
    return None


def remove(conn: Connection, trail: Trail, vault: Vault, policy: Policy, actor: Actor, otp: str) -> CallerError | None:
    """Take one's own factor away, with a last code; `second_factor_wrong` as a value.

    CallerErrors: `second_factor_required` when a post of theirs asks for it, `unknown_second_factor`. Entry
    `staff.second_factor_removed`.
    """
    lock_person(conn, actor.id)
    if needs_factor(actor, policy):
        raise CallerError("second_factor_required", posts=sorted(policy.figure("login.second_factor_posts")))
    if takes(conn, trail, vault, actor.id, otp) is None:
        return wrong()
    take_away(conn, trail, actor, actor.id)
    return None


def take_away(conn: Connection, trail: Trail, actor: Actor, staff_no: str) -> bool:
    """Remove somebody's factor, in force or begun; whether there was one. The caller holds their row."""
    if not conn.execute(second_factors.delete().where(second_factors.c.staff_no == staff_no)).rowcount:
        return False
    bump(conn)
    data = {"staff_no": staff_no}
    trail.append(conn, stream_of(staff_no), Draft("staff.second_factor_removed", actor.signed, data))
    return True


def may_take_away(conn: Connection, trail: Trail, actor: Actor, staff_no: str, within: timedelta) -> bool:
    """Whether another administrator asked for the end of this factor before; else it is kept that this one does.

    Of somebody who decides: one alone could set the password, enrol a phone and decide as them. The shell's operator
    has the keys and needs nobody. The caller holds the person. Entry `staff.second_factor_removal_asked`.
    """
    mine = second_factors.c.staff_no == staff_no
    row = conn.execute(sa.select(second_factors).where(mine)).one_or_none()
    if row is None or row.confirmed_at is None or actor.kind == "system":
        return True
    asked = row.removal_asked_by if holds(trail.mac_key, second_factors.name, row) else None
    if asked is not None and asked not in actor.people and row.removal_asked_at > trail.recorded_at - within:
        return True
    _put(conn, trail, second_factors, mine, row, removal_asked_by=actor.id, removal_asked_at=trail.recorded_at)
    draft = Draft("staff.second_factor_removal_asked", actor.signed, {"staff_no": staff_no})
    trail.append(conn, stream_of(staff_no), draft)
    return False


def is_confirmed(conn: Connection, staff_no: str) -> bool:
    """Whether somebody has a factor in force."""
    found = sa.select(second_factors.c.staff_no).where(
        second_factors.c.staff_no == staff_no, second_factors.c.confirmed_at.is_not(None)
    )
    return conn.execute(found).one_or_none() is not None


def takes(
    conn: Connection, trail: Trail, vault: Vault, staff_no: str, otp: str, *, confirmed: bool = True
) -> int | None:
    """The time step of a present code that was not used before, which is then used; none for any other code.

    The caller holds the person. A row that this service did not store so takes none: its last step may be set back.

    CallerError `unknown_second_factor` when there is none.
    """
    state = second_factors.c.confirmed_at.is_not(None) if confirmed else second_factors.c.confirmed_at.is_(None)
    row = conn.execute(sa.select(second_factors).where(second_factors.c.staff_no == staff_no, state)).one_or_none()
    if row is None:
        raise CallerError("unknown_second_factor")
    if not holds(trail.mac_key, second_factors.name, row):
        return None
    secret = vault.open(_secret_cell(staff_no), bytes(row.secret_sealed))
    step = _step_of(base64.b32decode(secret), otp, trail.recorded_at)
    if step is None or step <= row.last_step:
        return None
    _put(conn, trail, second_factors, second_factors.c.staff_no == staff_no, row, last_step=step)
    return step


def _secret_cell(staff_no: str) -> str:
    return cell(second_factors.name, "secret", staff_no)


def _put(conn: Connection, trail: Trail, table: sa.Table, where: sa.ColumnElement[bool], row: Any, **to: Any) -> None:
    conn.execute(table.update().where(where).values(changed(trail.mac_key, table.name, row, **to)))


def wrong() -> CallerError:
    """A code that is not a present one, or was used."""
    return CallerError("second_factor_wrong")


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
