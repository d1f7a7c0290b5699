"""A file store that is full, slow, or gone in the middle: one clear error, nothing lost, nothing half-done."""

import dataclasses
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from casework.errors import CallerError
from casework.storage import files as file_stores
from casework.storage.files import FileStore
from casework.work.cases.branch import Branch
from casework.work.photos.dropping import drop_files
from casework.work.photos.showing import show_photo
from casework.work.photos.tables import files_to_drop, photos
from tests.feed.bank import Bank
from tests.test_file_store import KEY, SECRET, s3_server
from tests.test_pictures import scene, written
from tests.work.test_photos import counted, kept, stored, there
from tests.work.test_promises import at, day
from tests.work.test_visits import B9, ordered, visits

__all__ = ["ordered", "there"]
PHOTO = written(scene(1))
_PAGE = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A disk of so many bytes, made or resized; a test is skipped where none may be mounted."""
    place = tmp_path / "disk"

    def sized(size: int) -> Path:
        again = place.exists()
        place.mkdir(exist_ok=True)
        options = f"{'remount,' if again else ''}size={size}"
        if (
            shutil.which("mount") is None
            or subprocess.run(
                ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
            ).returncode
        ):
            pytest.skip("no disk may be mounted here")
        return place

    yield sized
    subprocess.run(["umount", str(place)], capture_output=True, check=False)


def at_place(bank: Bank, place: str, endpoint: str = "") -> Branch:
    """The branch with its files there."""
    told = {"endpoint": endpoint, "region": "other", "access_key_id": KEY, "secret_access_key": SECRET}
    return dataclasses.replace(bank.started.branch, files_at=(place, tuple(told.items()) if endpoint else ()))


def refused(bank: Bank, files: FileStore, says: str = "cannot be used") -> None:
    """A photo is not kept, and the error says where and why."""
    with pytest.raises(CallerError, match=says) as caught:
        kept(bank, files, PHOTO)
    assert (caught.value.code, SECRET in str(caught.value)) == ("file_store_failed", False)
    assert (counted(bank, photos), visits(bank)[0].photos) == (0, ())


def swept(bank: Bank, branch: Branch) -> int:
    """An hour later, when the day is closed."""
    return drop_files(bank.started.engine, branch, clock=lambda: at(day(0))() + timedelta(hours=2))


def shown(bank: Bank, branch: Branch, photo_id: int) -> bytes:
    """The photo as it came."""
    engine = bank.started.engine
    return show_photo(engine, branch, branch.files, B9, photo_id, original=True, clock=at(day(0))).content


# What has room on the disk; how much that is; how many files lie there then.
FULL = [
    ("nothing", 8 * _PAGE, 0),
    ("the photo and not its preview", (len(PHOTO) // _PAGE + 6) * _PAGE, 1),
]  # fmt: skip


@pytest.mark.parametrize(("what", "size", "left"), FULL, ids=[one[0] for one in FULL])
def test_a_full_disk_keeps_nothing_half_and_the_same_photo_goes_in_when_there_is_room(
    there: Bank, disk: Callable[[int], Path], what: str, size: int, left: int
) -> None:
    branch = at_place(there, str(disk(size)))
    refused(there, branch.files, "No space left")
    assert (len(stored(branch.files)), counted(there, files_to_drop)) == (left, 1), what
    assert swept(there, branch) == 1
    assert (stored(branch.files), counted(there, files_to_drop)) == ([], 0)
    disk(8 * 2**20)
    told = kept(there, branch.files, PHOTO)
    assert (shown(there, branch, told.photo_id) == PHOTO, counted(there, files_to_drop)) == (True, 0)


def test_a_bucket_that_goes_in_the_middle_leaves_a_stray_that_is_swept_when_it_is_back(
    there: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server is stopped when it has the photo and not yet the preview."""
    server = s3_server(tmp_path)
    with server as endpoint:
        branch = at_place(there, "s3://photos/of-visits", endpoint)
        put = branch.files.put

        def then_gone(key: str, content: bytes) -> None:
            put(key, content)
            server.process.terminate()
            server.process.wait(10)

        monkeypatch.setattr(branch.files, "put", then_gone)
        refused(there, branch.files)
    bucket = tmp_path / "buckets" / "photos" / "of-visits"
    strays = [one for one in bucket.rglob("*") if one.is_file()]
    assert (len(strays), counted(there, files_to_drop)) == (1, 1)
    with pytest.raises(CallerError):
        swept(there, branch)
    assert counted(there, files_to_drop) == 1, "tried again next time"
    with s3_server(tmp_path) as endpoint:
        branch = at_place(there, "s3://photos/of-visits", endpoint)
        assert swept(there, branch) == 1
        assert ([one for one in bucket.rglob("*") if one.is_file()], counted(there, files_to_drop)) == ([], 0)
        told = kept(there, branch.files, PHOTO)
        assert shown(there, branch, told.photo_id) == PHOTO


def test_a_bucket_that_does_not_answer_is_given_up_and_taken_again_when_it_does(
    there: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server is frozen; here it is waited for a second, else twenty."""
    monkeypatch.setattr(file_stores, "_TIMEOUT", timedelta(seconds=1))
    server = s3_server(tmp_path)
    with server as endpoint:
        branch = at_place(there, "s3://photos/of-visits", endpoint)
        server.process.send_signal(signal.SIGSTOP)
        try:
            refused(there, branch.files)
        finally:
            server.process.send_signal(signal.SIGCONT)
        told = kept(there, branch.files, PHOTO)
        assert shown(there, branch, told.photo_id) == PHOTO
        assert swept(there, branch) == 1, "what was put before is of nobody"
        assert shown(there, branch, told.photo_id) == PHOTO
