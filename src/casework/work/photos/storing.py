"""A photo of a visit is kept: looked at, sealed, put into the store, then its row and its entry in one transaction.

Before the file is put its name is noted as one to drop, and taken off that list with the entry: whatever happens in
between, no file stays that nothing knows (`casework.work.photos.dropping`), and no row without its file.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.clock import Clock, now
from casework.customer import Customer, stream_of
from casework.errors import CallerError, TryAgain
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Outcome, Record
from casework.log.tables import entries
from casework.log.write.data_keys import keys_for
from casework.people.staff.actor import Actor, system
from casework.personal import DoesNotOpen, ValueSealer, cell
from casework.pictures import Picture, bands_of, read_picture
from casework.storage import rows
from casework.storage.database import reading, writing
from casework.storage.driver_errors import is_conflict
from casework.storage.files import FileStore
from casework.work.cases.branch import Branch
from casework.work.cases.lifecycles import VISITS
from casework.work.cases.shown import seen
from casework.work.photos.alike import Alike, alike_of
from casework.work.photos.capture import capture_of, sealed
from casework.work.photos.tables import PHOTO_COLUMNS, PREVIEW, files_to_drop, photo_bands, photos
from casework.work.visits.visit import Visit

COMMAND: Final = "visit.photo"
_FACT: Final = "photo"
_RANDOM_BYTES: Final = 16


class PhotoSent(NamedTuple):
    """What came. `taken_at`, `place` and `device` count where the file does not say them; `said`: what the chart takes.

    `photo`: its hash as whoever took it told, which it must then have.
    """

    visit_id: int
    content: bytes
    said: Mapping[str, str]
    taken_at: datetime | None = None
    photo: str | None = None
    place: str | None = None
    device: str | None = None


class PhotoKept(msgspec.Struct):
    """It is kept, as this entry says. `version`: of the visit; `alike`: those that look the same, for the reviewer.

    `again`: it had been kept for this visit before, and nothing was done now.
    """

    photo_id: int
    photo: str
    taken_at: datetime
    entry_id: str
    version: int
    alike: tuple[Alike, ...]
    again: bool = False


def keep_photo(
    engine: Engine, branch: Branch, files: FileStore, actor: Actor, sent: PhotoSent, *, clock: Clock = now
) -> PhotoKept | Outcome:  # fmt: skip
    """Keep a photo of a visit by one of its visitors; or why the chart takes none, on record.

    The same photo of the same visit is answered as it was the first time: who lost the answer sends it once more.
    CallerErrors `post_not_permitted`, `unknown_visit`, `not_a_visitor`, `photo_unfit`, `photo_without_time`,
    `photo_known` (of any other visit), `file_store_failed`.
    """
    branch.rulebook.permissions.require(actor, COMMAND)
    picture = read_picture(sent.content)
    if sent.photo not in (None, picture.sha256):
        raise CallerError(
            "photo_unfit", "照片与拍摄时的哈希不一致，请重新拍摄",
            "the photo is not the one that was hashed when it was taken; take it again", field="photo",
        )  # fmt: skip
    taken_at = picture.taken_at or sent.taken_at
    if taken_at is None:
        raise CallerError(
            "photo_without_time", "照片没有拍摄时间，请填写", "the photo does not say when it was taken; give taken_at",
            field="taken_at",
        )  # fmt: skip
    _check_clock(picture, taken_at, branch)
    with reading(engine) as conn:
        visit: Visit = seen(conn, branch, VISITS, actor, sent.visit_id, branch.today(clock()))[0]
        if actor.id not in visit.visitors:
            raise CallerError("not_a_visitor")
        if (kept := _kept_before(conn, visit, picture)) is not None:
            return kept
    stored_as = f"{clock():%Y/%m}/{secrets.token_hex(_RANDOM_BYTES)}"
    with writing(engine) as conn:
        conn.execute(files_to_drop.insert().values(stored_as=stored_as, since=clock()))
        key = _key(conn, branch, visit, clock())
    preview = key.seal_bytes(place_of(stored_as + PREVIEW), picture.preview)
    files.put(stored_as, key.seal_bytes(place_of(stored_as), sent.content))
    files.put(stored_as + PREVIEW, preview)
    with writing(engine) as conn:
        held = _key(conn, branch, visit, clock())
        try:
            held.open_bytes(place_of(stored_as + PREVIEW), preview)
        except DoesNotOpen:  # they were erased meanwhile
            raise TryAgain("database_busy", "the borrower's key was destroyed at the same moment") from None
        told = _record(conn, branch, actor, visit, sent, picture, taken_at, stored_as, held, clock)
        if not isinstance(told, PhotoKept) and _is_known(conn, picture):  # sent twice at once, and the other was first
            raise TryAgain("database_busy", "the same photo came at the same moment")
        return told


def _check_clock(picture: Picture, taken_at: datetime, branch: Branch) -> None:
    """A camera that names no offset names its day all the same: nobody tells another."""
    told = taken_at.astimezone(ZoneInfo(branch.time_zone))
    if picture.clock is not None and picture.clock.date() != told.date():
        raise CallerError(
            "photo_unfit", f"照片自带的拍摄时间是{picture.clock}，与所报的{told:%Y-%m-%d %H:%M}不是同一天",
            f"by its own clock the photo was taken at {picture.clock}; {told:%Y-%m-%d %H:%M}, as told, is another day",
            field="taken_at",
        )  # fmt: skip


def place_of(stored_as: str) -> str:
    """To what a file is sealed: under another name it does not open."""
    return cell("files", "content", stored_as)


def _record(
    conn: Connection, branch: Branch, actor: Actor, visit: Visit, sent: PhotoSent, picture: Picture,
    taken_at: datetime, stored_as: str, key: ValueSealer, clock: Clock,
) -> PhotoKept | Outcome:  # fmt: skip
    at = clock()
    (photo_id,) = rows.next_ids(conn, "photos_id_seq", photos, 1)
    data = {
        **sent.said,
        "photo": picture.sha256,
        "taken_at": taken_at.isoformat(),
        "sent_at": at.isoformat(),
        "taken_by": actor.id,
    }
    command = Record(
        actor=system(actor.via), noun=VISITS.chart, id=visit.id, kind=_FACT, on=visit.visit_on,
        evidence=f"{_FACT}:{photo_id}", data=data,
    )  # fmt: skip
    (outcome,) = advance(conn, [command], branch, clock=clock)
    if not isinstance(outcome, Done):
        return outcome
    shows = sent.said["shows"]
    row = (
        visit.id, visit.parent_id, visit.institution, visit.borrower_id, picture.sha256, picture.look, shows,
        picture.media_type, len(sent.content), picture.width, picture.height, taken_at,
        sealed(key, stored_as, capture_of(picture, sent.place, sent.device)), actor.id, at, stored_as,
    )  # fmt: skip
    try:
        rows.insert_many(conn, photos, [(photo_id, *row)], ("id", *PHOTO_COLUMNS))
    except Exception as error:
        if is_conflict(error):
            raise TryAgain("database_busy", "the same photo came at the same moment") from error
        raise
    bands = [(number, value, photo_id) for number, value in enumerate(bands_of(picture.look))]
    rows.insert_many(conn, photo_bands, bands, ("band", "value", "photo_id"))
    alike = alike_of(conn, [photo_id]).get(photo_id, ())
    conn.execute(sa.delete(files_to_drop).where(files_to_drop.c.stored_as == stored_as))
    return PhotoKept(photo_id, picture.sha256, taken_at.astimezone(UTC), outcome.entry_id, outcome.version, alike)


def _key(conn: Connection, branch: Branch, visit: Visit, at: datetime) -> ValueSealer:
    stream = stream_of(branch.vault, Customer(visit.institution, visit.borrower_id))
    return keys_for(conn, branch.vault, [stream], at)[stream]


def _is_known(conn: Connection, picture: Picture) -> bool:
    return conn.execute(sa.select(photos.c.id).where(photos.c.photo == picture.sha256)).one_or_none() is not None


def _kept_before(conn: Connection, visit: Visit, picture: Picture) -> PhotoKept | None:
    """What was answered when it first came; CallerError `photo_known` where it proves another visit."""
    row = conn.execute(sa.select(photos).where(photos.c.photo == picture.sha256)).one_or_none()
    if row is None:
        return None
    if row.visit_id != visit.id:
        raise CallerError(
            "photo_known", f"该照片已用于下户{row.visit_id}；一张照片只能证明一次下户",
            f"this photo is of visit {row.visit_id} already; one photo proves one visit", visit_id=row.visit_id,
        )  # fmt: skip
    of_visits = entries.c.event == f"{VISITS.says.fact}{_FACT}"
    told = conn.execute(sa.select(entries.c.body).where(entries.c.stream == f"case:{row.case_id}", of_visits))
    said = (msgspec.json.decode(body) for body in told.scalars())
    entry_id = next(one["entry_id"] for one in said if one["data"]["evidence"] == f"{_FACT}:{row.id}")
    alike = alike_of(conn, [row.id]).get(row.id, ())
    return PhotoKept(row.id, row.photo, row.taken_at, entry_id, visit.version, alike, again=True)
