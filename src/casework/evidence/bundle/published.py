"""Which published checkpoints a bundle takes along, with every cosignature that the database has of them.

The last of each hour, and all that a witness has cosigned: they give the entries their times. Where those are too many,
the last of each stretch of time, witness by witness; a period also takes the nearest cosigned ones around it.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.format import note
from casework.log.format.checkpoint import WitnessKey, cosigned_at
from casework.log.format.note import MAX_SIGNATURES, Signature, SignedNote
from casework.log.format.times import SEALED_WITHIN_S
from casework.log.format.tree import Faulty
from casework.log.tables import checkpoints, cosignatures, logs
from casework.log.write.cosignatures import read_line
from casework.log.write.grown import Log

MOST: Final = 30_000
"""Cosigned checkpoints that are all taken along: each is a file, and stands in the manifest."""
_STRANGERS: Final = 32
_LOOKED_AT: Final = 64  # sizes among which the nearest with a good cosignature is looked for: forged rows cost no more


class TextsTaken(NamedTuple):
    """A checkpoint for the bundle: its size, and its note with the cosignatures that are right."""

    size: int
    note: bytes


def taken_along(
    conn: Connection, log: Log, known: Sequence[WitnessKey], *, begin: int, end: int, size: int, made_at: datetime
) -> Iterator[TextsTaken]:
    """Each once, the newest first; that of `size`, which must be there, is always one. `conn` is one snapshot.

    `known`: witnesses that the branch knows. Others count by the key that their rows name, a bounded number of them: a
    reader may trust one that the branch has forgotten.
    """
    at = checkpoints.c
    keys = _keys(conn, log, known)
    around = _around(conn, log, keys, begin, end, size)
    same = (cosignatures.c.log == at.log) & (cosignatures.c.size == at.size)
    wanted = (
        sa.select(at.size, at.note, at.published_at, cosignatures.c.line)
        .select_from(checkpoints.outerjoin(cosignatures, same))
        .where(at.log == log.number, sa.or_(at.size.between(begin, end), at.size.in_({*around, size})), at.size <= size)
        .order_by(at.size.desc(), cosignatures.c.received_at, cosignatures.c.witness)
    )
    stretch_s = _stretch_s(conn, log, begin, end, made_at)
    met: set[tuple[str, int]] = set()
    rows = conn.execute(wanted, execution_options={"yield_per": 1_000})
    for here, group in groupby(rows, key=lambda row: row.size):
        of_size = list(group)
        data = bytes(of_size[0].note)
        read, lines = _right(data, [row.line for row in of_size if row.line is not None], keys)
        reasons = {(key.text, cosigned_at(one.blob) // stretch_s) for key, one in lines}
        reasons.add(("", int(of_size[0].published_at.timestamp()) // 3_600))
        inside = begin <= here <= end and here < size
        if here == size or here in around or (inside and reasons - met):
            met |= reasons if inside else set()
            yield TextsTaken(here, read.signed_also(*(one for _, one in lines)).encode() if read and lines else data)


def _keys(conn: Connection, log: Log, known: Sequence[WitnessKey]) -> list[WitnessKey]:
    """The known witnesses, then others of whom there are rows, those of the smallest sizes first."""
    at = cosignatures.c
    named = sa.select(at.witness).where(at.log == log.number).group_by(at.witness).order_by(sa.func.min(at.size))
    found = {(key.name, key.key_id): key for key in known}
    for text in conn.execute(named.limit(_STRANGERS)).scalars():
        with suppress(Faulty):
            key = WitnessKey.parse(text)
            found.setdefault((key.name, key.key_id), key)
    return list(found.values())


def _right(
    data: bytes, lines: Sequence[bytes], keys: Sequence[WitnessKey]
) -> tuple[SignedNote | None, list[tuple[WitnessKey, Signature]]]:
    """The note, and the lines that are right for it, each witness's once, in the order of `keys`."""
    try:
        read = note.parse(data)
    except Faulty:
        return None, []  # whoever reads it will say what is wrong with it
    found: dict[WitnessKey, Signature] = {}
    for line in lines:
        good = read_line(bytes(line), read.text, keys)
        if good is not None:
            found.setdefault(*good)
    ordered = [(key, found[key]) for key in keys if key in found]
    return read, ordered[: MAX_SIGNATURES - len(read.signatures)]


def _stretch_s(conn: Connection, log: Log, begin: int, end: int, made_at: datetime) -> int:
    """How long a stretch is of which the last cosigned checkpoint is taken, in seconds; 1: all of them are."""
    at = cosignatures.c
    mine = (at.log == log.number, at.size.between(begin, end))
    if conn.execute(sa.select(sa.func.count()).select_from(cosignatures).where(*mine)).scalar_one() <= MOST:
        return 1
    begun_at = conn.execute(sa.select(logs.c.begun_at).where(logs.c.number == log.number)).scalar_one()
    return max(SEALED_WITHIN_S, int((made_at - begun_at).total_seconds()) // MOST)


def _around(conn: Connection, log: Log, keys: Sequence[WitnessKey], begin: int, end: int, size: int) -> set[int]:
    """The cosigned sizes nearest to a period from outside, and the newest; none for the whole log."""
    if (begin, end) == (0, size):
        return set()
    at = cosignatures.c
    looks: list[tuple[sa.ColumnElement[bool], sa.ColumnElement[int]]] = [
        (at.size <= begin, at.size.desc()),
        (at.size.between(end, size), at.size.asc()),
        (at.size <= size, at.size.desc()),
    ]  # fmt: skip
    found = set()
    for where, order in looks:
        wanted = (
            sa.select(at.size, checkpoints.c.note, at.line)
            .join(checkpoints, (checkpoints.c.log == at.log) & (checkpoints.c.size == at.size))
            .where(at.log == log.number, where)
            .order_by(order)
        )
        rows = conn.execute(wanted.limit(_LOOKED_AT)).all()
        nearest = next((row.size for row in rows if _right(bytes(row.note), [row.line], keys)[1]), None)
        if nearest:
            found.add(nearest)
    return found
