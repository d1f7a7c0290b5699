"""SQLite's way of being opened and begun: one file for its owner alone, one writer at a time who waits in turn."""

import os
import random
import sqlite3
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine

from casework.errors import CallerError
from casework.storage.compiled import SHARED
from casework.storage.driver_errors import try_again
from casework.storage.in_turn import in_turn, look_now

BUSY_TIMEOUT_MS = 5_000


def open_sqlite(url: URL, *, read_only: bool, create: bool, pool_size: int) -> Engine:
    """An engine for the file of `url`; `database_gone` as `storage.database.open_engine` says."""
    path = Path(str(url.database)).absolute()
    busy_timeout_ms = _natural(url, "busy_timeout_ms", BUSY_TIMEOUT_MS)
    connect = _sqlite_connect(url, path, busy_timeout_ms, read_only=read_only, create=create)
    engine = sa.create_engine(
        "sqlite+pysqlite://",
        creator=connect,
        poolclass=sa.QueuePool,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        hide_parameters=True,
        execution_options=SHARED,
    )

    @sa.event.listens_for(engine, "connect")
    def _connected(_raw: Any, record: Any) -> None:
        record.info["inode"] = _inode(path)

    @sa.event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        pooled = conn.connection
        if pooled.info["inode"] != _inode(path):
            # SQLite would write on into the unlinked file and lose it all.
            raise try_again("database_gone", f"{path} was moved or removed")
        # A deferred BEGIN that writes later fails as busy, without waiting: only readers begin so.
        if read_only:
            pooled.cursor().execute("BEGIN")
        else:
            _begin_to_write(pooled.cursor(), busy_timeout_ms, pooled.info["inode"])

    @sa.event.listens_for(engine, "checkin")
    def _given_back(_raw: Any, record: Any) -> None:
        look_now(record.info.get("inode"))

    return engine


def _begin_to_write(cursor: Any, busy_timeout_ms: int, file: Hashable) -> None:
    """Take the one writer's lock of `file`, or fail as busy after `busy_timeout_ms`.

    Threads of this process take turns, and the first of them alone looks. SQLite's own waiting soon sleeps a tenth of
    a second between two looks. Who writes again at once leaves the lock free for less than a millisecond, so that
    another process that waits so is passed over for as long as this one is busy (decision 0095).
    """
    until = time.monotonic() + busy_timeout_ms / 1000
    with in_turn(file, until) as sleep:
        cursor.execute("PRAGMA busy_timeout=0")
        try:
            _begin_until(until, cursor, sleep)
        finally:
            cursor.execute(f"PRAGMA busy_timeout={busy_timeout_ms}")


def _begin_until(until: float, cursor: Any, sleep: Callable[[float], None]) -> None:
    while True:
        try:
            cursor.execute("BEGIN IMMEDIATE")
            if cursor.connection.in_transaction:  # the driver has said so where nothing began (decision 0094)
                return
            if time.monotonic() >= until:
                raise try_again("database_busy")
        except sqlite3.OperationalError as taken:
            if taken.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
        sleep(random.uniform(0.0002, 0.002))  # noqa: S311 - chance keeps two from looking in step


def _sqlite_connect(
    url: URL, path: Path, busy_timeout_ms: int, *, read_only: bool, create: bool
) -> Callable[[], sqlite3.Connection]:
    max_page_count = _natural(url, "max_page_count", 0)
    # A reader opens rw as well: after a crash it is the reader who may have to recover the write-ahead log.
    place = f"file:{quote(str(path))}?mode={'rwc' if create else 'rw'}"
    pragmas = ["foreign_keys=ON", "recursive_triggers=ON", "temp_store=MEMORY", "cache_size=-32768"]
    if read_only:
        pragmas.append("query_only=ON")
    else:
        pragmas += ["journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"]
        if max_page_count:
            pragmas.append(f"max_page_count={max_page_count}")

    def connect() -> sqlite3.Connection:
        if create and not read_only:
            _touch_private(path)
        try:
            raw = sqlite3.connect(
                place,
                uri=True,
                timeout=busy_timeout_ms / 1000,
                isolation_level=None,  # BEGIN is ours: the driver's own comes too late and is deferred
                check_same_thread=False,
                cached_statements=512,
            )
        except sqlite3.OperationalError as exc:
            raise try_again("database_gone", f"{path}: {_why_not(path) or exc}") from exc
        try:
            for pragma in pragmas:
                raw.execute(f"PRAGMA {pragma}")
        except BaseException:
            raw.close()
            raise
        return raw

    return connect


def _why_not(path: Path) -> str:
    """Why a file cannot be opened, as the system says; nothing where it can: SQLite says no more than that."""
    try:
        os.close(os.open(path, os.O_RDWR))
    except OSError as error:
        return error.strerror or ""
    return ""


def _natural(url: URL, key: str, default: int) -> int:
    text = url.query.get(key, str(default))
    if not isinstance(text, str) or not text.isdecimal():
        raise CallerError(
            "database_url_unusable",
            f"数据库地址参数 {key} 须为整数",
            f"the database URL needs an integer {key}",
        )
    return int(text)


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _touch_private(path: Path) -> None:
    """Create the file for its owner alone, before SQLite would create it for all; its -wal and -shm follow its mode."""
    with suppress(OSError):  # it is there, or cannot be: SQLite will say which
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
