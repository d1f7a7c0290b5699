"""Which of the keys at hand have made what the database holds, whatever its own row says of them.

The row is anybody's who can write to the database; what a key has made is not. A wrong file of keys must accuse nobody,
and a changed row must not keep a verification from beginning.
"""

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.format.chain import leaf_hash, mac_matches
from casework.log.stored import as_stored
from casework.log.tables import entries, opening_keys, openings
from casework.log.write.data_keys import opener
from casework.log.write.trail import opening_cell
from casework.personal import Vault
from casework.work.four_eyes.stored import BOUND, digest_of, opened_text
from casework.work.four_eyes.tables import requests

_LOOKED_AT: Final = 200
_FAULTS: Final = (ValueError, TypeError, AttributeError)


def right_keys(conn: Connection, mac_key: bytes, vault: Vault) -> set[str]:
    """Those of `mac`, `personal` and `blind` with which something that is there was made, of the first of each kind."""
    found = {"mac": _macs(conn, mac_key), "personal": _openings(conn, vault), "blind": _requests(conn, vault)}
    return {name for name, made in found.items() if any(made)}


def _macs(conn: Connection, mac_key: bytes) -> Iterator[bool]:
    wanted = as_stored(entries, ("body", "mac"), conn.dialect.name).order_by(entries.c.id)
    for body, tag in conn.execute(wanted.limit(_LOOKED_AT)):
        yield type(body) is bytes and type(tag) is bytes and mac_matches(mac_key, leaf_hash(body), tag)


def _openings(conn: Connection, vault: Vault) -> Iterator[bool]:
    names = ("stream", "stream_seq", "field", "sealed")
    for row in conn.execute(_with_keys(conn, openings, names, openings.c.subject)):
        try:
            place = opening_cell(row.stream, row.stream_seq, row.field)
            opener(vault, row.subject, row.wrapped).open(place, row.sealed)
        except _FAULTS:
            yield False
        else:
            yield True


def _requests(conn: Connection, vault: Vault) -> Iterator[bool]:
    names = ("id", "data_sealed", "data_digest", *BOUND)
    for row in conn.execute(_with_keys(conn, requests, names, requests.c.sealed_for)):
        asked: Any = row  # as they lie in the database, which is how the digest tells them
        try:
            text = opened_text(opener(vault, row.sealed_for, row.wrapped), row.id, row.data_sealed)
            yield digest_of(vault, asked, text) == row.data_digest
        except _FAULTS:
            yield False


def _with_keys(conn: Connection, table: sa.Table, names: tuple[str, ...], subject: sa.Column[Any]) -> sa.Select[Any]:
    """Columns of a table, whose key seals them, and that key."""
    wrapped = as_stored(opening_keys, ("wrapped",), conn.dialect.name).selected_columns
    wanted = as_stored(table, names, conn.dialect.name).add_columns(subject, *wrapped)
    joined = table.outerjoin(opening_keys, opening_keys.c.subject == subject)
    return wanted.select_from(joined).limit(_LOOKED_AT)
