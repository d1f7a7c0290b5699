"""Photos that look the same, wherever they are: by parts of their looks, then by how many bits differ."""

from collections.abc import Collection
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.pictures import ALIKE_BITS, bands_of, bits_apart, turned
from casework.storage import rows
from casework.work.photos.tables import photo_bands, photos


class Alike(msgspec.Struct):
    """Another photo that looks the same, turned or mirrored perhaps, in so many of 256 bits otherwise."""

    photo_id: int
    visit_id: int
    case_id: int
    bits: int


_BANDS: Final = sa.select(photo_bands.c.band, photo_bands.c.value, photo_bands.c.photo_id)
_LOOKS: Final = sa.select(photos.c.id, photos.c.visit_id, photos.c.case_id, photos.c.look)


def alike_of(conn: Connection, photo_ids: Collection[int]) -> dict[int, tuple[Alike, ...]]:
    """Of each photo those that look like it, turned or mirrored too, the nearest first; three questions."""
    looks = {row.id: turned(bytes(row.look)) for row in rows.select_by_keys(conn, _LOOKS, "id", sorted(photo_ids))}
    parts: dict[tuple[int, int], set[int]] = {}
    for photo_id, ways in looks.items():
        for part in {part for way in ways for part in enumerate(bands_of(way))}:
            parts.setdefault(part, set()).add(photo_id)
    shared = rows.select_by_keys(conn, _BANDS, ("band", "value"), sorted(parts))
    pairs = {(one, row.photo_id) for row in shared for one in parts[row.band, row.value] if one != row.photo_id}
    others = rows.select_by_keys(conn, _LOOKS, "id", sorted({other for _, other in pairs}))
    known: dict[int, Any] = {row.id: row for row in others}
    near: dict[int, list[Alike]] = {}
    for photo_id, other_id in pairs:
        other = known[other_id]
        bits = min(bits_apart(way, bytes(other.look)) for way in looks[photo_id])
        if bits <= ALIKE_BITS:
            near.setdefault(photo_id, []).append(Alike(other.id, other.visit_id, other.case_id, bits))
    return {one: tuple(sorted(found, key=lambda each: (each.bits, each.photo_id))) for one, found in near.items()}
