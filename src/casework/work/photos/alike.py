"""Photos that look the same, wherever they are: by parts of their looks, then by how many bits differ."""

from collections.abc import Collection
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.pictures import ALIKE_BITS, bits_apart
from casework.storage import rows
from casework.work.photos.tables import photo_bands, photos


class Alike(msgspec.Struct):
    """Another photo that looks the same, in so many of 256 bits otherwise."""

    photo_id: int
    visit_id: int
    case_id: int
    bits: int


_mine, _others = photo_bands.alias("mine"), photo_bands.alias("others")
_SHARED: Final = (
    sa.select(_mine.c.photo_id, _others.c.photo_id.label("other_id"))
    .join(_others, (_others.c.band == _mine.c.band) & (_others.c.value == _mine.c.value))
    .where(_others.c.photo_id != _mine.c.photo_id)
    .distinct()
)
_LOOKS: Final = sa.select(photos.c.id, photos.c.visit_id, photos.c.case_id, photos.c.look)


def alike_of(conn: Connection, photo_ids: Collection[int]) -> dict[int, tuple[Alike, ...]]:
    """Of each photo those that share a part of its look and differ in few bits, the nearest first; two questions."""
    shared = conn.execute(_SHARED.where(_mine.c.photo_id.in_(sorted(photo_ids))))
    pairs = [(row.photo_id, row.other_id) for row in shared]
    wanted = sorted({one for pair in pairs for one in pair})
    known: dict[int, Any] = {row.id: row for row in rows.select_by_keys(conn, _LOOKS, "id", wanted)}
    near: dict[int, list[Alike]] = {}
    for photo_id, other_id in pairs:
        other = known[other_id]
        bits = bits_apart(bytes(known[photo_id].look), bytes(other.look))
        if bits <= ALIKE_BITS:
            near.setdefault(photo_id, []).append(Alike(other.id, other.visit_id, other.case_id, bits))
    return {one: tuple(sorted(found, key=lambda each: (each.bits, each.photo_id))) for one, found in near.items()}
