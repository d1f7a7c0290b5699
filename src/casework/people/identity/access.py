"""What somebody can come in with at this moment, for an administrator; no secret, no hash."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.people.identity.keys import PersonalKey, keys_of
from casework.people.identity.sessions import OpenSession, open_sessions
from casework.people.identity.tables import (
    log_in_failures,
    passwords,
    reset_codes,
    second_factors,
)
from casework.people.staff.tables import staff


@dataclass(frozen=True, slots=True)
class Access:
    """Instants are since when, or until when; none: there is no such thing."""

    staff_no: str
    password_set_at: datetime | None
    code_expires_at: datetime | None
    second_factor_at: datetime | None
    locked_until: datetime | None
    sessions: list[OpenSession]
    keys: list[PersonalKey]


def access_of(conn: Connection, staff_no: str, now: datetime) -> Access:
    """As it is now; CallerError `unknown_staff`."""
    row = conn.execute(
        sa.select(
            passwords.c.changed_at, reset_codes.c.expires_at, second_factors.c.confirmed_at,
            log_in_failures.c.locked_until,
        )
        .select_from(
            staff.outerjoin(passwords, passwords.c.staff_no == staff.c.staff_no)
            .outerjoin(reset_codes, (reset_codes.c.staff_no == staff.c.staff_no) & (reset_codes.c.expires_at > now))
            .outerjoin(second_factors, second_factors.c.staff_no == staff.c.staff_no)
            .outerjoin(
                log_in_failures,
                (log_in_failures.c.subject == f"staff:{staff_no}") & (log_in_failures.c.locked_until > now),
            )
        )
        .where(staff.c.staff_no == staff_no)
    ).one_or_none()  # fmt: skip
    if row is None:
        raise CallerError("unknown_staff", f"没有工号{staff_no[:32]}", f"there is no staff number {staff_no[:32]}")
    return Access(staff_no, *row, open_sessions(conn, staff_no, now), keys_of(conn, staff_no, now))
