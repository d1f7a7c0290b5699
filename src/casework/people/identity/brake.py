"""The brake on guessing: attempts counted per staff number and per client address, by all processes together.

An attempt is counted before the password is looked at and taken back when it was right, so that a hundred at the same
instant get no more tries than a hundred in a row (policy `login.*`). Nothing here tells whether a number exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.people.identity.tables import log_in_failures as counted
from casework.personal import Vault
from casework.rules.statechart.policy import Policy
from casework.storage.database import insert_or_not


@dataclass(frozen=True, slots=True)
class Brake:
    """What one attempt is counted by: whose number it names, from which address it comes (keyed, never in clear)."""

    staff: str
    address: str
    limits: Mapping[str, int]
    minutes: int

    @classmethod
    def of(cls, policy: Policy, vault: Vault, staff_no: str, address: str) -> "Brake":
        """By the figures of `policy`."""
        staff = f"staff:{staff_no}"
        place = f"address:{vault.fingerprint(b'client address' + address.encode()).hex()}"
        limits = {
            place: policy.figure("login.failures_per_address"), staff: policy.figure("login.failures_before_lock")
        }  # fmt: skip
        return cls(staff, place, limits, policy.figure("login.lock_minutes"))


def locked(conn: Connection, brake: Brake, now: datetime) -> CallerError | None:
    """`locked_out` while one of the two is locked; reads only, for an answer that costs nothing."""
    held = counted.c.subject.in_(sorted(brake.limits)) & (counted.c.locked_until > now)
    until = conn.execute(sa.select(sa.func.max(counted.c.locked_until, type_=counted.c.locked_until.type)).where(held))
    found: datetime | None = until.scalar_one()
    return None if found is None else _locked_out(found, now)


def count(conn: Connection, brake: Brake, now: datetime) -> CallerError | None:
    """Count an attempt, or say `locked_out`: locked, or as many attempts as are allowed are under way."""
    window = timedelta(minutes=brake.minutes)
    for subject, limit in sorted(brake.limits.items()):  # one order for all, so that two cannot wait for each other
        failures, until = _counted(conn, subject, now, now - window)
        if until is not None:
            return _locked_out(until, now)
        if failures > limit:
            _lock(conn, subject, now + window)
            return _locked_out(now + window, now)
    return None


def keep(conn: Connection, brake: Brake, now: datetime) -> int | None:
    """The counted attempt was wrong: it stays, and the last one allowed locks. The tries if the number locks now."""
    tries: int | None = None
    for subject, limit in sorted(brake.limits.items()):
        full = (counted.c.subject == subject) & (counted.c.failures >= limit) & counted.c.locked_until.is_(None)
        until = now + timedelta(minutes=brake.minutes)
        done = conn.execute(
            counted.update().where(full).values(locked_until=until).returning(counted.c.failures)
        ).scalar_one_or_none()
        if subject == brake.staff:
            tries = done
    return tries


def take_back(conn: Connection, brake: Brake) -> None:
    """The counted attempt is not one of the wrong ones after all."""
    for subject in sorted(brake.limits):
        some = (counted.c.subject == subject) & (counted.c.failures > 0)
        conn.execute(counted.update().where(some).values(failures=counted.c.failures - 1))


def release(conn: Connection, brake: Brake) -> int:
    """The counted attempt was right: the number starts anew, the address loses this one. The tries before it."""
    before = conn.execute(sa.select(counted.c.failures).where(counted.c.subject == brake.staff)).scalar_one_or_none()
    take_back(conn, brake)
    clear(conn, brake.staff.removeprefix("staff:"))
    return max(0, (before or 0) - 1)


def clear(conn: Connection, staff_no: str) -> None:
    """Let somebody try again (a new code of the administrator, a good log-in)."""
    conn.execute(counted.delete().where(counted.c.subject == f"staff:{staff_no}"))


def locked_now(conn: Connection, now: datetime) -> dict[str, int]:
    """How many staff numbers and how many addresses are locked."""
    found = {"staff_no": 0, "address": 0}
    is_number = counted.c.subject.startswith("staff:")
    held = sa.select(is_number, sa.func.count()).where(counted.c.locked_until > now).group_by(is_number)
    for number, locked_ in conn.execute(held):
        found["staff_no" if number else "address"] = locked_
    return found


def purge(conn: Connection, policy: Policy, now: datetime) -> int:
    """Forget what no longer counts; how many rows."""
    past = now - timedelta(minutes=policy.figure("login.lock_minutes"))
    over = (counted.c.first_at < past) & (counted.c.locked_until.is_(None) | (counted.c.locked_until < now))
    return conn.execute(counted.delete().where(over)).rowcount


def _counted(conn: Connection, subject: str, now: datetime, since: datetime) -> tuple[int, datetime | None]:
    """One more in one statement, so that none is lost between two processes; a lock stops the counting."""
    fresh = insert_or_not(conn, counted).values(subject=subject, failures=1, first_at=now)
    is_locked = counted.c.locked_until > now
    is_over = sa.and_(counted.c.first_at <= since, sa.or_(counted.c.locked_until.is_(None), ~is_locked))
    begins = sa.or_(is_over, counted.c.locked_until <= now)
    statement = fresh.on_conflict_do_update(
        index_elements=["subject"],
        set_={
            "failures": sa.case((is_locked, counted.c.failures), (begins, 1), else_=counted.c.failures + 1),
            "first_at": sa.case((begins, sa.literal(now, counted.c.first_at.type)), else_=counted.c.first_at),
            "locked_until": sa.case((is_locked, counted.c.locked_until), else_=sa.null()),
        },
    ).returning(counted.c.failures, counted.c.locked_until)
    row = conn.execute(statement).one()
    return row.failures, row.locked_until


def _lock(conn: Connection, subject: str, until: datetime) -> None:
    conn.execute(counted.update().where(counted.c.subject == subject).values(locked_until=until))


def _locked_out(until: datetime, now: datetime) -> CallerError:
    seconds = max(1, int((until - now).total_seconds()) + 1)
    return CallerError(
        "locked_out", f"尝试次数过多，请{-(-seconds // 60)}分钟后再试", "too many tries; wait and try again",
        retry_after_s=seconds,
    )  # fmt: skip
