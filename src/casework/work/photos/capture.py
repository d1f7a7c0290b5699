"""Where and with what a photo was taken, and who says so: kept sealed, told to whoever looks at photos, an entry."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.clock import Clock, now
from casework.customer import Customer, stream_of
from casework.log.write.data_keys import keys_of
from casework.people.staff.actor import Actor
from casework.personal import ValueSealer, cell
from casework.pictures import Picture
from casework.storage import rows
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch
from casework.work.cases.disclosure import record_photos_revealed
from casework.work.photos.tables import photos

FIELD: Final = "capture"
"""What the entry of a look at it names."""
_KEPT: Final = sa.select(*photos.c["id", "institution", "borrower_id", "stored_as", "place_sealed"])


class Capture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As the photo says, else as whoever sent it told; `told`: which of `taken_at`, `place`, `device` they told."""

    place: str | None = None
    device: str | None = None
    told: tuple[str, ...] = ()


_read: Final = msgspec.json.Decoder(Capture).decode


def capture_of(picture: Picture, place: str | None, device: str | None) -> Capture:
    """What a photo says itself, and what of the rest was told with it."""
    told = {"taken_at": picture.taken_at is None, "place": picture.place is None and place,
            "device": picture.device is None and device}  # fmt: skip
    return Capture(
        picture.place or place, picture.device or device, tuple(name for name, from_them in told.items() if from_them)
    )


def sealed(key: ValueSealer, stored_as: str, capture: Capture) -> bytes:
    """For the row of the photo that is stored so."""
    return key.seal(_cell(stored_as), msgspec.json.encode(capture).decode())


def captures_of(
    engine: Engine, branch: Branch, actor: Actor, photo_ids: Collection[int], *, purpose: str | None = None,
    clock: Clock = now,
) -> dict[int, Capture]:  # fmt: skip
    """By photo, of visits that the actor sees; one entry a borrower is committed before anything is told.

    Without a purpose the one that is usual for the actor's posts counts. CallerErrors `purpose_unknown`,
    `purpose_not_permitted`.
    """
    permissions = branch.rulebook.permissions
    purpose = purpose or permissions.purpose_of(actor)
    permissions.check_purpose(actor, purpose)
    with reading(engine) as conn:
        found = _opened(conn, branch, rows.select_by_keys(conn, _KEPT, "id", sorted(photo_ids)))
    if found:
        with writing(engine) as conn:
            whose = {customer: list(told) for customer, told in found.items()}
            record_photos_revealed(conn, branch, actor, whose, [FIELD], purpose=purpose, clock=clock)
    return {number: one for told in found.values() for number, one in told.items()}


def _opened(conn: Connection, branch: Branch, kept: Collection[Any]) -> dict[Customer, dict[int, Capture]]:
    """What is known of each, by whose it is; of who was erased meanwhile nothing."""
    streams = {row.id: stream_of(branch.vault, Customer(row.institution, row.borrower_id)) for row in kept}
    keys = keys_of(conn, branch.vault, set(streams.values()))
    found: dict[Customer, dict[int, Capture]] = defaultdict(dict)
    for row in kept:
        key = keys.get(streams[row.id])
        if key is not None:
            text = key.open(_cell(row.stored_as), bytes(row.place_sealed))
            found[Customer(row.institution, row.borrower_id)][row.id] = _read(text)
    return found


def _cell(stored_as: str) -> str:
    return cell("photos", "place_text", stored_as)
