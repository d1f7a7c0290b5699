"""Folders that hold the files of an upload until they are imported; none long outlives the process that received it.

Each is locked as long as its process lives. What a killed process left is found unlocked, and removed, by the next that
starts or receives a file.
"""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "casework-feed-"
_LOCK = ".lock"


class Upload:
    """A folder of its own, for its owner alone; `close` removes it."""

    def __init__(self) -> None:
        remove_left_over()
        while True:
            self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
            self._lock = os.open(self.folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            if (self.folder / _LOCK).exists():  # or another process saw it unlocked, and has removed it by now
                return
            os.close(self._lock)

    def close(self) -> None:
        """Remove it with what is in it; more than once does no harm."""
        if self._lock >= 0:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


def remove_left_over() -> None:
    """Remove our folders that no process holds any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            if folder.lstat().st_uid != os.getuid():
                continue
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # no folder of ours, or one that is just being made
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # somebody's who lives
        finally:
            os.close(lock)
