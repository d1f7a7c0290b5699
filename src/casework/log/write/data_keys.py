"""A key per subject (a borrower), wrapped with the branch's and kept in `opening_keys` until erasure destroys it.

Nothing is remembered between transactions: a key that is gone is gone for every process at once, and unwrapping one
costs less than asking whether it is still there.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.tables import opening_keys
from casework.personal import ValueSealer, Vault
from casework.storage import rows
from casework.storage.array_literals import pg_kind

WRAPPED = sa.select(opening_keys.c.subject, opening_keys.c.wrapped)
"""For `rows.select_by_keys`."""
_ONE = sa.select(opening_keys.c.wrapped).where(opening_keys.c.subject == sa.bindparam("subject"))
_texts = pg_kind(opening_keys.c.subject.type)[1]
# Until the transaction ends nobody destroys a key that something is being sealed with.
_HELD = "SELECT subject, wrapped FROM opening_keys WHERE subject = ANY(%s::text[]) ORDER BY subject FOR KEY SHARE"


def keys_of(conn: Connection, vault: Vault, subjects: Collection[str]) -> dict[str, ValueSealer]:
    """The keys of these subjects, for reading; one that is gone is left out."""
    return _unwrapped(vault, rows.select_by_keys(conn, WRAPPED, "subject", sorted(subjects)))


def keys_for(conn: Connection, vault: Vault, subjects: Collection[str], at: datetime) -> dict[str, ValueSealer]:
    """The keys of these subjects, for sealing: made where there are none, held until the transaction ends."""
    wanted = sorted(subjects)
    keys = _held(conn, vault, wanted)
    missing = [subject for subject in wanted if subject not in keys]
    if missing:
        fresh = [(subject, vault.new_key(subject), at) for subject in missing]
        rows.insert_many(conn, opening_keys, fresh, ("subject", "wrapped", "made_at"), skip_existing=True)
        keys |= _held(conn, vault, missing)  # another transaction may have made one at the same moment
    return keys


def key_of(conn: Connection, vault: Vault, subject: str | None) -> ValueSealer:
    """What opens a value sealed for `subject` (none: the branch's own); ValueError where its key is gone."""
    if subject is None:
        return vault
    return opener(vault, subject, conn.execute(_ONE, {"subject": subject}).scalar())


def opener(vault: Vault, subject: str | None, wrapped: bytes | None) -> ValueSealer:
    """The same where the wrapped key was read already."""
    if subject is None:
        return vault
    if wrapped is None:
        raise ValueError("the key of a sealed value is gone")
    return vault.unwrap(subject, bytes(wrapped))


def _held(conn: Connection, vault: Vault, subjects: list[str]) -> dict[str, ValueSealer]:
    if conn.dialect.name == "sqlite":  # the writer holds the database
        return keys_of(conn, vault, subjects)
    return _unwrapped(vault, rows.ask_postgresql(conn, _HELD, (_texts(subjects),))())


def _unwrapped(vault: Vault, found: Collection[Any]) -> dict[str, ValueSealer]:
    return {row.subject: vault.unwrap(row.subject, bytes(row.wrapped)) for row in found}
