"""A writing transaction on SQLite is one, whatever the driver says of its beginning (decision 0094)."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from casework.errors import TryAgain
from casework.storage.sqlite import _begin_to_write


class _Deaf(sqlite3.Cursor):
    """Says of so many beginnings that they are done, and does nothing."""

    left = 0

    def execute(self, sql: str, *given: Any) -> "_Deaf":
        if sql == "BEGIN IMMEDIATE" and self.left:
            self.left -= 1
            return self
        super().execute(sql, *given)
        return self


@pytest.mark.parametrize("nothing_began", [0, 1, 3])
def test_a_beginning_is_tried_again_until_there_is_a_transaction(tmp_path: Path, nothing_began: int) -> None:
    raw = sqlite3.connect(tmp_path / "some.db", isolation_level=None)
    cursor = raw.cursor(_Deaf)
    cursor.left = nothing_began
    _begin_to_write(cursor, 5_000, "some.db")
    assert raw.in_transaction
    raw.close()


def test_a_beginning_that_never_comes_is_told_as_busy(tmp_path: Path) -> None:
    raw = sqlite3.connect(tmp_path / "some.db", isolation_level=None)
    cursor = raw.cursor(_Deaf)
    cursor.left = 10_000
    with pytest.raises(TryAgain) as told:
        _begin_to_write(cursor, 20, "some.db")
    assert told.value.code == "database_busy"
    raw.close()
