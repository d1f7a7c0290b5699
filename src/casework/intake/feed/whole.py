"""A file that is taken whole or not at all: one row set aside, and nothing of it stays."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, TypeVar

from sqlalchemy.engine import Connection, Engine

from casework.storage.database import writing


class TakenFile(Protocol):
    """What became of a file."""

    @property
    def set_aside(self) -> Sequence[Any]:
        """The rows that could not be taken."""
        ...

    def undone(self) -> Self:
        """The same where nothing of it was stored."""
        ...


T = TypeVar("T", bound=TakenFile)


def taken_in(engine: Engine, take: Callable[[Connection], T], *, atomic: bool) -> T:
    """What `take` says of a file, in a transaction of its own; undone if it is `atomic` and a row was set aside."""
    with writing(engine) as conn:
        tried = conn.begin_nested()
        taken = take(conn)
        if atomic and taken.set_aside:
            tried.rollback()
            return taken.undone()
    return taken
