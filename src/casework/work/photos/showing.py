"""A photo is looked at: whoever may see its case, for a purpose; each look is an entry before anything is shown."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.clock import Clock, now
from casework.customer import Customer, stream_of
from casework.errors import CallerError
from casework.log.write.data_keys import key_of
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.storage.files import FileStore
from casework.work.cases.branch import Branch
from casework.work.cases.disclosure import record_photos_revealed
from casework.work.cases.filter import MAX_ID
from casework.work.cases.lifecycles import VISITS
from casework.work.cases.shown import seen
from casework.work.photos.capture import Capture, captures_of
from casework.work.photos.storing import place_of
from casework.work.photos.tables import PREVIEW, photos

LOOK: Final = "visit.photo_look"
PREVIEW_TYPE: Final = "image/jpeg"


class PhotoLine(msgspec.Struct):
    """What is known of a photo, without a look at it; `photo` is the hash of the file as it came."""

    id: int
    photo: str
    shows: str
    media_type: str
    size_bytes: int
    width: int
    height: int
    taken_at: datetime
    sent_by: str
    sent_at: datetime


class Captured(Capture, frozen=True, kw_only=True):
    """When, where and with what a photo was taken, and which of it the photo does not say itself (`told`)."""

    photo_id: int
    taken_at: datetime


class Shown(NamedTuple):
    """A file in clear."""

    content: bytes
    media_type: str
    taken_at: datetime


def photos_of(conn: Connection, branch: Branch, actor: Actor, visit_id: int, at: datetime) -> list[PhotoLine]:
    """Those of a visit in the order in which they came. CallerErrors `post_not_permitted`, `unknown_visit`."""
    branch.rulebook.permissions.require(actor, LOOK)
    seen(conn, branch, VISITS, actor, visit_id, branch.today(at))
    return [line for _, line in photos_of_visits(conn, [visit_id])]


def photos_of_visits(conn: Connection, visit_ids: Collection[int]) -> list[tuple[int, PhotoLine]]:
    """Those of several visits that the reader sees, each with its visit, in the order in which they came."""
    lines = (photos.c[name] for name in PhotoLine.__struct_fields__)
    wanted = sa.select(photos.c.visit_id, *lines).where(photos.c.visit_id.in_(sorted(visit_ids)))
    return [(row[0], PhotoLine(*row[1:])) for row in conn.execute(wanted.order_by(photos.c.id))]


def show_photo(
    engine: Engine, branch: Branch, files: FileStore, actor: Actor, photo_id: int, *, purpose: str | None = None,
    original: bool = False, clock: Clock = now,
) -> Shown:  # fmt: skip
    """The preview, or the file as it came; without a purpose the one that is usual for the actor's posts counts.

    CallerErrors `post_not_permitted`, `unknown_photo`, `purpose_unknown`, `purpose_not_permitted`, `file_gone`,
    `file_store_failed`.
    """
    permissions = branch.rulebook.permissions
    permissions.require(actor, LOOK)
    purpose = purpose or permissions.purpose_of(actor)
    permissions.check_purpose(actor, purpose)
    with reading(engine) as conn:
        row = _row(conn, branch, actor, photo_id, clock)
        customer = Customer(row.institution, row.borrower_id)
        key = key_of(conn, branch.vault, stream_of(branch.vault, customer))
    name = row.stored_as if original else row.stored_as + PREVIEW
    content = key.open_bytes(place_of(name), files.get(name))
    with writing(engine) as conn:
        whose = {customer: [photo_id]}
        record_photos_revealed(conn, branch, actor, whose, ["photo"], purpose=purpose, clock=clock)
    return Shown(content, row.media_type if original else PREVIEW_TYPE, row.taken_at)


def show_capture(
    engine: Engine, branch: Branch, actor: Actor, photo_id: int, *, purpose: str | None = None
) -> Captured:  # fmt: skip
    """When, where and with what it was taken; purpose and CallerErrors as of `show_photo`, without those of files."""
    branch.rulebook.permissions.require(actor, LOOK)
    with reading(engine) as conn:
        row = _row(conn, branch, actor, photo_id, now)
    capture = captures_of(engine, branch, actor, [photo_id], purpose=purpose).get(photo_id)
    if capture is None:  # they were erased meanwhile
        raise CallerError("unknown_photo")
    return Captured(**msgspec.structs.asdict(capture), photo_id=photo_id, taken_at=row.taken_at)


def _row(conn: Connection, branch: Branch, actor: Actor, photo_id: int, clock: Clock) -> Any:
    known = photo_id if 0 < photo_id <= MAX_ID else 0
    row = conn.execute(sa.select(photos).where(photos.c.id == known)).one_or_none()
    if row is None:
        raise CallerError("unknown_photo")
    try:
        seen(conn, branch, VISITS, actor, row.visit_id, branch.today(clock()))
    except CallerError:
        raise CallerError("unknown_photo") from None
    return row
