"""Files that somebody asked for: what the file system refuses is told in one line, with the place and the cause."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from casework.errors import CallerError


@contextmanager
def written_to(place: Path, code: str = "file_unwritable") -> Iterator[None]:
    """CallerError `code` where `place` cannot be written: no such folder, no permission, no room."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        raise unwritable(place, error, code) from error


def unwritable(place: Path, error: BaseException, code: str = "file_unwritable") -> CallerError:
    """That `place` cannot be written, and why."""
    cause = cause_of(error)
    return CallerError(code, f"无法写入 {place}：{cause}", f"cannot write {place}: {cause}", file=str(place))


def cause_of(error: BaseException) -> str:
    """What the system says, without the place, which is told beside it."""
    said = error.strerror if isinstance(error, OSError) else str(error)
    return said or type(error).__name__
