"""Photos of visits: kept sealed by who visits, found again anywhere, looked at with an entry, gone with an erasure."""

import io
import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import ExifTags, Image, ImageOps

from casework.customer import Customer
from casework.errors import CallerError, TryAgain
from casework.lifecycle.commands import Outcome, Refused
from casework.log.tables import entries
from casework.storage.database import reading, writing
from casework.storage.files import FileStore
from casework.work.photos.dropping import drop_files, forget
from casework.work.photos.showing import photos_of, show_photo
from casework.work.photos.storing import PhotoKept, PhotoSent, keep_photo
from casework.work.photos.tables import files_to_drop, photo_bands, photos
from tests.dialler.called import moment
from tests.feed.bank import Bank
from tests.test_pictures import camera, scene, written
from tests.work.test_promises import at, day
from tests.work.test_visits import B9, REPORT, V1, case_of, fire, order, ordered, rep, visits

__all__ = ["ordered"]
TAKEN = moment(0, "10:05:00")
LEADS = {1: V1, 2: rep("V7")}


@pytest.fixture
def files(there: Bank) -> FileStore:
    """The branch's own: a folder beside the database."""
    return there.started.branch.files


@pytest.fixture
def there(ordered: Bank) -> Bank:
    """Somebody has arrived at L1, and others at L2."""
    for staff_no in ("V7", "P7"):
        ordered.staff(staff_no, "business_rep")
    order(ordered)
    order(ordered, 2, visitor="V7", second_visitor="P7")
    for number, who in LEADS.items():
        fire(ordered, "check_in", who, number, at=moment(0, "10:00:00").isoformat())
    return ordered


def keep(
    bank: Bank, files: FileStore, content: bytes, visit: int = 1, actor: Any = None, **more: Any
) -> PhotoKept | Outcome:  # fmt: skip
    given: dict[str, Any] = {"shows": "building", "taken_at": TAKEN} | more
    sent = PhotoSent(visit, content, taken_at=given.pop("taken_at"), said=given)
    return keep_photo(
        bank.started.engine, bank.started.branch, files, actor or LEADS.get(visit, V1), sent, clock=at(day(0))
    )


def kept(bank: Bank, files: FileStore, content: bytes, visit: int = 1, **more: Any) -> PhotoKept:
    told = keep(bank, files, content, visit, **more)
    assert isinstance(told, PhotoKept), told
    return told


def stored(files: FileStore) -> list[Path]:
    return sorted(one for one in Path(files.where).rglob("*") if one.is_file())


def counted(bank: Bank, table: sa.Table) -> int:
    with reading(bank.started.engine) as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def events(bank: Bank, event: str) -> list[dict[str, Any]]:
    with reading(bank.started.engine) as conn:
        found = conn.execute(sa.select(entries.c.body).where(entries.c.event == event).order_by(entries.c.id))
        return [json.loads(bytes(body))["data"] for body in found.scalars()]


def test_a_photo_is_kept_sealed_and_proves_the_visit(there: Bank, files: FileStore) -> None:
    content = written(scene(1), exif=camera("2024:06:03 10:05:00"))
    told = kept(there, files, content, taken_at=None)
    assert told.taken_at.isoformat() == "2024-06-03T02:05:00+00:00"
    assert len(stored(files)) == 2, "as it came, and its preview"
    assert not any(content[:64] in one.read_bytes() or b"Pixel" in one.read_bytes() for one in stored(files))
    (said,) = events(there, "visit.fact.photo")
    assert (said["given"]["photo"], said["given"]["taken_by"], said["evidence"]) == (told.photo, "V1", "photo:1")
    assert "30.275" not in json.dumps(said), "where it was taken is in no entry"
    fire(there, "check_out", at=moment(0, "10:30:00").isoformat())
    fire(there, "report", **REPORT)
    assert [one.photo for one in case_of(there).facts.failed_visits] == [told.photo]


def test_each_look_is_an_entry_before_anything_is_shown(there: Bank, files: FileStore) -> None:
    content = written(scene(1), "HEIF", exif=camera("2024:06:03 10:05:00"))
    told = kept(there, files, content)
    branch, engine = there.started.branch, there.started.engine
    shown = show_photo(engine, branch, files, V1, told.photo_id, purpose="visit", clock=at(day(0)))
    assert (shown.media_type, dict(Image.open(io.BytesIO(shown.content)).getexif())) == ("image/jpeg", {})
    whole = show_photo(engine, branch, files, B9, told.photo_id, original=True, clock=at(day(0)))
    assert (whole.media_type, whole.content == content) == ("image/heic", True)
    first, _second = events(there, "personal.revealed")
    assert (first["fields"], first["photo_ids"], first["purpose"]) == (["photo"], [1], "visit")
    with reading(engine) as conn:
        (line,) = photos_of(conn, branch, B9, 1, at(day(0))())
    assert (line.media_type, line.width, line.sent_by) == ("image/heic", 1600, "V1")


def test_the_same_photo_is_found_anywhere_and_one_that_looks_the_same_is_shown_to_the_reviewer(
    there: Bank, files: FileStore
) -> None:
    first = kept(there, files, written(scene(1)))
    assert first.alike == ()
    told = kept(there, files, written(scene(1)))
    assert (told.again, told.photo_id, told.entry_id) == (True, first.photo_id, first.entry_id), "of the same visit"
    with pytest.raises(CallerError, match="visit 1 already"):
        keep(there, files, written(scene(1)), 2)
    again = kept(there, files, written(scene(1).resize((800, 600)), quality=50), 2)
    assert [(one.photo_id, one.visit_id) for one in again.alike] == [(first.photo_id, 1)]
    assert kept(there, files, written(scene(5)), 2).alike == ()
    mirrored = kept(there, files, written(ImageOps.mirror(scene(1))), 2)
    assert {one.photo_id for one in mirrored.alike} == {first.photo_id, again.photo_id}


def test_the_same_photo_twice_at_once_is_kept_once_and_refused_on_no_record(
    there: Bank, files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have looked whether it is known before either keeps it; the second tries again and is told of the first."""
    both, drawn = Barrier(2, timeout=60), secrets.token_hex

    def at_once(size: int) -> str:
        both.wait()
        return drawn(size)

    def sent() -> PhotoKept | Outcome | TryAgain:
        try:
            return keep(there, files, written(scene(1)))
        except TryAgain as again:
            return again

    monkeypatch.setattr(secrets, "token_hex", at_once)
    with ThreadPoolExecutor(2) as threads:
        told = [one.result() for one in [threads.submit(sent), threads.submit(sent)]]
    monkeypatch.undo()
    (first,) = [one for one in told if isinstance(one, PhotoKept)]
    assert sum(isinstance(one, TryAgain) for one in told) == 1, told
    assert (counted(there, photos), events(there, "visit.refused.fact.photo")) == (1, [])
    again = kept(there, files, written(scene(1)))
    assert (again.again, again.photo_id) == (True, first.photo_id)


def by_clock(taken: str) -> bytes:
    """A photo of a camera that names no offset."""
    exif = camera(taken)
    del exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.OffsetTimeOriginal]
    return written(scene(1), exif=exif)


def test_of_a_camera_that_names_no_offset_the_time_that_was_told_counts_on_its_own_day(
    there: Bank, files: FileStore
) -> None:
    assert kept(there, files, by_clock("2024:06:03 03:05:00")).taken_at == TAKEN


# (what is wrong, what is sent, the code)
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("a script", {"content": b"<script>"}, "photo_unfit"),
    ("without a time", {"taken_at": None}, "photo_without_time"),
    ("of a visit that nobody knows", {"visit": 99}, "unknown_visit"),
    ("of another's visit", {"actor": rep("P9", "post_loan_officer")}, "not_a_visitor"),
    ("by a post that may not", {"actor": B9}, "post_not_permitted"),
    ("the interior", {"shows": "interior"}, "consented"),
    ("of another day", {"taken_at": moment(-1, "10:05:00")}, "taken_on_its_day"),
    ("of another day by its own clock", {"content": by_clock("2024:06:02 10:05:00")}, "photo_unfit"),
    ("of what no chart knows", {"shows": "garden"}, "faulty_data"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "given", "code"), BAD, ids=[one[0] for one in BAD])
def test_what_is_not_taken_is_told_and_leaves_nothing(
    there: Bank, files: FileStore, what: str, given: dict[str, Any], code: str
) -> None:
    more = {"content": written(scene(1))} | given
    try:
        told: Any = keep(there, files, **more)
        found = told.reasons[0].code if isinstance(told, Refused) else told.code
    except CallerError as error:
        found = error.code
    assert (found, counted(there, photos), visits(there)[0].photos) == (code, 0, ()), what
    dropped = drop_files(there.started.engine, there.started.branch, clock=lambda: at(day(0))() + timedelta(hours=2))
    assert (dropped <= 1, stored(files), counted(there, files_to_drop)) == (True, [], 0)


def test_a_store_that_fails_in_the_middle_leaves_no_row_and_no_file(
    there: Bank, files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of both files cannot be written: its place is taken by a folder."""
    monkeypatch.setattr(secrets, "token_hex", lambda _: "00ff")
    folder = Path(files.where) / f"{at(day(0))():%Y/%m}" / "00ff.preview"
    (folder / "x").mkdir(parents=True)
    with pytest.raises(CallerError) as caught:
        keep(there, files, written(scene(1)))
    assert (caught.value.code, counted(there, photos), counted(there, files_to_drop)) == ("file_store_failed", 0, 1)
    assert len(stored(files)) == 1
    (folder / "x").rmdir()
    folder.rmdir()
    assert drop_files(there.started.engine, there.started.branch, clock=at(day(0))) == 0, "it may still be coming"
    assert drop_files(there.started.engine, there.started.branch, clock=lambda: at(day(0))() + timedelta(hours=2)) == 1
    assert (stored(files), counted(there, files_to_drop)) == ([], 0)


def test_a_file_that_was_altered_or_is_gone_is_not_shown(there: Bank, files: FileStore) -> None:
    told = kept(there, files, written(scene(1)))
    for one in stored(files):
        one.write_bytes(one.read_bytes()[:-1] + b"\x00")
    look = there.started.engine, there.started.branch, files, B9, told.photo_id
    with pytest.raises(CallerError) as altered:
        show_photo(*look, clock=at(day(0)))
    for one in stored(files):
        one.unlink()
    with pytest.raises(CallerError) as gone:
        show_photo(*look, clock=at(day(0)))
    assert (altered.value.code, gone.value.code) == ("sealed_value_altered", "file_gone")
    assert events(there, "personal.revealed") == [], "nothing was shown"


def test_erasure_takes_rows_and_files(there: Bank, files: FileStore) -> None:
    kept(there, files, written(scene(1)))
    kept(there, files, written(scene(2)), 2)
    case = case_of(there)
    with writing(there.started.engine) as conn:
        (gone, traces) = forget(conn, Customer(case.institution, case.borrower_id))
    assert (gone, len(traces), counted(there, photos), counted(there, photo_bands)) == (1, 2, 1, 16)
    assert drop_files(there.started.engine, there.started.branch, clock=at(day(0))) == 1, "at once"
    assert len(stored(files)) == 2, "the other's"
