"""The folders of uploads: gone when the import is over, and gone after a kill too."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from api.uploads import Upload, remove_left_over


@pytest.fixture(autouse=True)
def received(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "received"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    return place


def left_by_a_kill(received: Path) -> Path:
    """What a process that was killed while it received a file left."""
    code = (
        "import sys, tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from api.uploads import Upload\n"
        "upload = Upload(); (upload.folder / 'loans.csv').write_text('x'); print(upload.folder, flush=True)\n"
        "import time; time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(received)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        remove_left_over()
        assert (folder / "loans.csv").exists()  # the twin: as long as its process lives, it is nobody else's
        process.send_signal(signal.SIGKILL)
    return folder


def test_what_a_killed_process_received_is_removed_by_the_next_that_starts(received: Path) -> None:
    folder = left_by_a_kill(received)
    assert (folder / "loans.csv").exists()
    remove_left_over()
    assert list(received.iterdir()) == []


def test_what_a_killed_process_received_is_removed_with_the_next_upload(received: Path) -> None:
    left_by_a_kill(received)
    upload = Upload()
    assert list(received.iterdir()) == [upload.folder]
    assert upload.folder.stat().st_mode & 0o777 == 0o700
    upload.close()
    upload.close()
    assert list(received.iterdir()) == []


def test_nothing_else_in_the_folder_of_temporary_files_is_touched(received: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / ".lock").touch()
    (received / "casework-feed-link").symlink_to(tmp_path / "secret")
    (received / "casework-feed-file").touch()
    (received / "casework-feed-no-lock").mkdir()
    (received / "casework-feed-locked-away").mkdir()
    (received / "casework-feed-locked-away" / ".lock").symlink_to(tmp_path / "secret" / ".lock")
    (received / "other").mkdir()
    before = sorted(received.iterdir())
    remove_left_over()
    assert sorted(received.iterdir()) == before
    assert (tmp_path / "secret" / ".lock").exists()
