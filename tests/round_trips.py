"""What a block asks PostgreSQL, by whatever engine and in whatever thread: statements, as the driver sends them."""

from typing import Any

import psycopg
import pytest


class RoundTrips:
    """The statements that the driver sends while it is open; one of many rows is one."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> list[str]:
        for name in ("execute", "executemany", "copy"):
            self._patch.setattr(psycopg.Cursor, name, self._noting(getattr(psycopg.Cursor, name)))
        return self.statements

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    def _noting(self, send: Any) -> Any:
        def noted(cursor: Any, statement: Any, *more: Any, **named: Any) -> Any:
            self.statements.append(str(statement))
            return send(cursor, statement, *more, **named)

        return noted
