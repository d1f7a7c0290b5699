"""Passwords: Argon2id by pwdlib, refused by length and not by ingredients; compared in the same time for a stranger."""

import unicodedata

import sqlalchemy as sa
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.write.trail import Trail
from casework.people.identity.tables import passwords
from casework.people.staff.access_mac import changed, holds, with_mac

MIN_LENGTH, MAX_LENGTH = 12, 128
MEMORY_KIB, PASSES, LANES = 64 * 1024, 3, 1
"""RFC 9106, second recommendation, on one lane: a log-in keeps one core busy for about a tenth of a second."""

_hasher = Argon2Hasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
# A hash that no password gives; comparing with it costs what a real one costs.
_NOBODYS = "$argon2id$v=19$m=65536,t=3,p=1$bm9ib2R5IGhhcyB0aGlzIQ$XGlWnvL4QzYH5JxgVnM0dKGqD0bPO0r1T0m2mP0i3gE"


def check_rules(staff_no: str, password: str) -> None:
    """CallerErrors `password_too_short`, `password_too_long`, `password_names_holder`; nothing else is asked of it.

    Length counts characters; what they are is free (NIST SP 800-63B, 3.1.1.2: rules of composition make worse ones).
    """
    if len(_plain(password)) < MIN_LENGTH:
        raise CallerError("password_too_short", at_least=MIN_LENGTH)
    if len(_plain(password)) > MAX_LENGTH:
        raise CallerError("password_too_long", at_most=MAX_LENGTH)
    if staff_no.casefold() in password.casefold() or len(set(password)) < 4:
        raise CallerError("password_too_easy")


def hash_password(password: str) -> str:
    """As it is stored; slow on purpose."""
    return _hasher.hash(_plain(password))


def is_password(password: str, stored: str | None) -> bool:
    """Whether `stored` is its hash; as slow for somebody who has none."""
    found = _hasher.verify(_plain(password)[: MAX_LENGTH + 1], stored or _NOBODYS)
    return found and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether it was made with earlier figures."""
    return _hasher.check_needs_rehash(stored)


def password_of(conn: Connection, trail: Trail, staff_no: str) -> str | None:
    """The stored hash of somebody, if they have one that this service stored."""
    row = conn.execute(_HASH, {"staff_no": staff_no}).one_or_none()
    if row is None or not holds(trail.mac_key, passwords.name, row):
        return None
    found: str = row.password_hash
    return found


def first_after_code(conn: Connection, trail: Trail, staff_no: str) -> bool:
    """Whether this log-in is the first since a code set the password; it is said once. The caller holds the person."""
    row = conn.execute(_HASH, {"staff_no": staff_no}).one_or_none()
    if row is None or not row.by_code:
        return False
    fresh = changed(trail.mac_key, passwords.name, row, by_code=False)
    conn.execute(passwords.update().where(passwords.c.staff_no == staff_no).values(fresh))
    return True


def keep_password(conn: Connection, trail: Trail, staff_no: str, stored: str, *, by_code: bool = False) -> None:
    """Store the hash; the caller holds the person and writes the entry."""
    conn.execute(passwords.delete().where(passwords.c.staff_no == staff_no))
    row = {"staff_no": staff_no, "password_hash": stored, "changed_at": trail.recorded_at, "by_code": by_code}
    conn.execute(passwords.insert().values(with_mac(trail.mac_key, passwords.name, row)))


def _plain(password: str) -> str:
    """One form of what keyboards write in several (RFC 8265: NFC)."""
    return unicodedata.normalize("NFC", password)


_HASH = sa.select(passwords).where(passwords.c.staff_no == sa.bindparam("staff_no"))
