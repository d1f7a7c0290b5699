"""Files outside the database: replaced whole and on the disk at return, in folders that one process holds at a time."""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from casework.errors import CallerError
from casework.log.format.note import LogKey
from casework.log.format.tree import Faulty

_CHUNK: Final = 1 << 20


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` in the place of whatever `path` holds: whole or not at all, 0600, and on the disk at return."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # no room: the system does not say where
            error.filename = str(path)
        raise
    sync(path.parent)


def measure(file: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file."""
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def log_keys_in(path: Path) -> list[LogKey]:
    """The verifier keys in a file, one a line; none without the file. CallerError `log_keys_malformed`."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError:
        return []
    try:
        return [LogKey.parse(line) for line in lines if line]
    except Faulty:
        raise CallerError(
            "log_keys_malformed", f"文件 {path.name} 内容不正确", f"the file {path.name} is not one of keys"
        ) from None


@contextmanager
def holding(folder: Path, lock: str) -> Iterator[None]:
    """The folder for oneself, by its file `lock`: others who ask wait, a process that dies lets go."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder / lock, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def is_private(path: Path) -> bool:
    """Whether only its owner reads the file and writes its folder; OSError where it is not there.

    Writable by others is as bad for the folder as readable for the file: the content could be exchanged.
    """
    return not (path.stat().st_mode & 0o077 or path.parent.stat().st_mode & 0o022)
