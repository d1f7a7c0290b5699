"""One at a time over all processes: who finds another at it steps aside. A session or a file holds it and ends it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Engine


@contextmanager
def alone(engine: Engine, work: str) -> Iterator[bool]:
    """Whether nobody else is at `work` on this database; if so nobody will be until the end."""
    held = _by_session if engine.dialect.name == "postgresql" else _by_file
    with held(engine, work) as mine:
        yield mine


@contextmanager
def _by_session(engine: Engine, work: str) -> Iterator[bool]:
    key = {"key": f"casework/{work}"}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        mine = bool(conn.scalar(sa.text("SELECT pg_try_advisory_lock(hashtext(:key))"), key))
        try:
            yield mine
        finally:
            if mine:
                conn.scalar(sa.text("SELECT pg_advisory_unlock(hashtext(:key))"), key)


@contextmanager
def _by_file(engine: Engine, work: str) -> Iterator[bool]:
    """A file beside the database: whoever closed the database's own would take SQLite's locks from this process."""
    with engine.connect() as conn:
        path = conn.exec_driver_sql("PRAGMA database_list").one()[2]
    handle = os.open(f"{path}.{work}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = True
        except BlockingIOError:
            mine = False
        yield mine
    finally:
        os.close(handle)
