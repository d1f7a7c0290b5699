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


def taken_in(engine: Engine, take: Callable[[Connection], T], *, atomic: bool, dry_run: bool = False) -> T:
    """What `take` says of a file, in a transaction of its own; undone if it is `atomic` and a row was set aside.

    `dry_run`: what it would have said, and nothing of it stays.
    """
    with writing(engine) as conn:
        return tried(conn, take, atomic=atomic, dry_run=dry_run)


def tried(conn: Connection, take: Callable[[Connection], T], *, atomic: bool, dry_run: bool) -> T:
    """The same in the caller's transaction."""
    before = conn.begin_nested()
    taken = take(conn)
    failed = atomic and bool(taken.set_aside)
    if failed or dry_run:
        before.rollback()
    return taken.undone() if failed else taken
