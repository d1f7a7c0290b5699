"""Where the demo lives: one folder with database, keys and feeds, marked so that it may be made anew."""

import fcntl
import os
import re
import shutil
import struct
import sys
from pathlib import Path
from typing import Final

from casework.errors import CallerError

FOLDER: Final = Path("demo")
_MARK: Final = ".casework-demo"
_DATABASE: Final = "casework.db"
# Whoever has a SQLite file open in WAL mode holds a read lock on these bytes of it for as long.
_SHARED_FIRST, _SHARED_SIZE = 0x4000_0002, 510
_FLOCK: Final = "hhqqi4x"  # struct flock of Linux: type, whence, start, length, process


def environment(folder: Path = FOLDER) -> dict[str, str]:
    """The variable that names the SQLite file in `folder`, unless CASEWORK_DATABASE_URL names a database."""
    if os.environ.get("CASEWORK_DATABASE_URL"):
        return {}
    return {"CASEWORK_DATABASE_URL": address_in(folder)}


def address_in(folder: Path) -> str:
    """Of the SQLite file in `folder`."""
    return f"sqlite:///{folder / _DATABASE}"


def made(folder: Path = FOLDER) -> bool:
    """Whether a demo's database lies in `folder`."""
    return (folder / _DATABASE).exists()


def fresh(folder: Path) -> None:
    """An empty, marked folder, taking away an earlier demo.

    CallerErrors `demo_in_use` where a process has its database open, `folder_not_empty` for any other folder.
    """
    if folder.exists():
        if not (folder / _MARK).exists() and any(folder.iterdir()):
            raise CallerError("folder_not_empty", folder=str(folder))
        for database in folder.glob("*.db"):
            if (found := holder(database)) is not None:
                pid, command = _to_end(found)
                raise CallerError("demo_in_use", folder=str(folder), pid=pid, command=command)
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / _MARK).touch()


def holder(database: Path) -> int | None:
    """The process that has this SQLite file open, if any has: told by the lock that it holds, without a wait."""
    if sys.platform != "linux":
        return None  # the struct is another there
    with database.open("rb+") as file:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _SHARED_FIRST, _SHARED_SIZE, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else int(pid)


def _to_end(pid: int) -> tuple[int, str]:
    """The process to end, and what it was called with; a worker would be begun again, so its beginner."""
    command = " ".join(_read(pid, "cmdline").replace("\0", " ").split())
    parent = re.search(r"^PPid:\t([1-9]\d*)$", _read(pid, "status"), re.MULTILINE)
    if parent is not None and "multiprocessing" in command:
        return _to_end(int(parent[1]))
    return pid, command or "?"


def _read(pid: int, what: str) -> str:
    try:
        return Path(f"/proc/{pid}/{what}").read_text(encoding="utf-8", errors="replace")
    except OSError:  # of another namespace, or gone by now
        return ""
