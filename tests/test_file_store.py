"""Files beside the database: a folder or a bucket keep what is put there, once; and say when they cannot."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from casework.errors import CallerError
from casework.storage.files import FileGone, FileStore

KEY, SECRET = "key-of-the-test", "secret-of-the-test"


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FileStore]:
    """A folder, and a bucket of a real server that speaks S3."""
    if request.param == "folder":
        yield FileStore.open(str(tmp_path / "files"))
        return
    with s3_server(tmp_path) as endpoint:
        yield bucket(endpoint)


def bucket(endpoint: str) -> FileStore:
    told = {"endpoint": endpoint, "region": "other", "access_key_id": KEY, "secret_access_key": SECRET}
    return FileStore.open("s3://photos/of-visits", told)


class s3_server:  # noqa: N801  # used as a function
    """`rclone serve s3` over a folder; the test is skipped where it is not installed."""

    def __init__(self, folder: Path) -> None:
        found = shutil.which("rclone", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        if found is None:
            pytest.skip("rclone is not installed: no server that speaks S3")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "buckets" / "photos").mkdir(parents=True, exist_ok=True)
        command = [
            found, "serve", "s3", str(folder / "buckets"), "--addr", f"127.0.0.1:{self.port}",
            "--auth-key", f"{KEY},{SECRET}", "--config", os.devnull,
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self) -> str:
        for _ in range(200):
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", self.port)) == 0:
                    return f"http://127.0.0.1:{self.port}"
            time.sleep(0.05)
        raise RuntimeError("rclone did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)


def test_what_is_put_is_there_until_it_is_dropped(store: FileStore) -> None:
    store.put("2026/11/aa01", b"\x00sealed" * 100_000)
    assert store.get("2026/11/aa01") == b"\x00sealed" * 100_000
    store.drop("2026/11/aa01")
    store.drop("2026/11/aa01")
    with pytest.raises(FileGone):
        store.get("2026/11/aa01")


def test_a_folder_writes_a_key_once_and_only_for_its_owner(tmp_path: Path) -> None:
    store = FileStore.open(str(tmp_path / "files"))
    store.put("a", b"first")
    with pytest.raises(CallerError, match="cannot be used"):
        store.put("a", b"second")
    assert store.get("a") == b"first"
    assert (tmp_path / "files").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("key", ["../out", "/etc/x", "A", "a//b", "", "a b"])
def test_a_key_leads_nowhere_else(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="a key is of"):
        FileStore.open(str(tmp_path / "files")).put(key, b"")


def test_a_store_that_is_gone_says_where_and_why_and_keeps_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    store = FileStore.open(str(folder))
    folder.rmdir()
    folder.write_bytes(b"a file now")
    with pytest.raises(CallerError) as caught:
        store.put("a", b"x")
    assert (caught.value.code, str(folder) in str(caught.value)) == ("file_store_failed", True)


def test_a_disk_that_is_full_in_the_middle_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    """Tried in a process of its own that may write no file longer than 64 KiB."""
    script = (
        "import resource, signal, sys\n"
        "from casework.errors import CallerError\n"
        "from casework.storage.files import FileStore\n"
        "store = FileStore.open(sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "try:\n"
        "    store.put('a', bytes(1_000_000))\n"
        "except CallerError as error:\n"
        "    print(error.code)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "files")]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "file_store_failed", said.stderr
    assert not (tmp_path / "files" / "a").exists()


def test_a_bucket_that_is_gone_or_lets_nobody_in_says_so(tmp_path: Path) -> None:
    with s3_server(tmp_path) as endpoint:
        wrong = {"endpoint": endpoint, "region": "other", "access_key_id": KEY, "secret_access_key": "another"}
        with pytest.raises(CallerError) as caught:
            FileStore.open("s3://photos", wrong).put("a", b"x")
        assert caught.value.code == "file_store_failed"
        store = bucket(endpoint)
    with pytest.raises(CallerError) as caught:
        store.put("a", b"x")
    said = str(caught.value)
    assert (caught.value.code, SECRET in said, "s3://photos/of-visits" in said) == ("file_store_failed", False, True)


@pytest.mark.parametrize("place", ["s3://", "s3://bucket?x=1", "s3://user@bucket"])
def test_a_place_that_is_none_is_told_by_its_setting(place: str) -> None:
    with pytest.raises(CallerError, match="CASEWORK_FILES"):
        FileStore.open(place)
