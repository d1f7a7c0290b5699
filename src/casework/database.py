"""The two databases behind one set of rules: how they are opened and begun, and how they fail.

Writers use `writing(engine)`, readers `reading(engine)`; nothing else commits. A failure of the database
(locked, full, gone) leaves here as `errors.TryAgain`, and nothing was changed then.
"""

import os
import re
import select
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from casework import clock
from casework.errors import CallerError, TryAgain

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A 64-bit id; on SQLite the type must be spelled INTEGER to be the rowid."""

Bytes = sa.LargeBinary

BUSY_TIMEOUT_MS = 5_000
LOCK_TIMEOUT_MS = 10_000
_READING = "casework_reading"


class UtcDateTime(TypeDecorator[datetime]):
    """An instant, never naive; kept as timestamptz, on SQLite as sortable UTC text (`clock.utc_text`)."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text of fixed width where the database has no instants."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(27))
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """ValueError for a naive instant."""
        if value is None:
            return None
        if dialect.name == "sqlite":
            return clock.utc_text(value)
        if value.tzinfo is None:
            raise ValueError("an instant needs its offset")
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy passes it
        """Always in UTC."""
        if value is None:
            return None
        instant: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
        return instant.astimezone(UTC)


# --- opening ------------------------------------------------------------------------------------------------


def parse_url(text: str) -> URL:
    """The service's URL with the driver it derives; CallerError `database_url_unusable` for any other."""
    try:
        url = make_url(text)
    except sa.exc.ArgumentError:
        url = None
    backend = url.get_backend_name() if url is not None else ""
    if url is not None and backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if url is not None and backend == "sqlite" and url.database not in (None, "", ":memory:"):
        return url.set(drivername="sqlite+pysqlite")
    raise CallerError(
        "database_url_unusable",
        "数据库地址须为 sqlite:///文件 或 postgresql://…",
        "the database URL must be sqlite:///FILE or postgresql://…",
    )


def open_engine(url: str, *, read_only: bool = False, create: bool = False, pool_size: int = 8) -> Engine:
    """An engine for `url`; connects lazily. A missing SQLite file is `database_gone` unless `create` is said.

    SQLite takes `?max_page_count=` (pages) and `?busy_timeout_ms=` in the URL. Reading has a pool of its own,
    whose connections cannot write; disposing of the engine disposes of both.
    """
    parsed = parse_url(url)
    opened = _open_sqlite if parsed.get_backend_name() == "sqlite" else _open_postgresql
    reader = opened(parsed, read_only=True, create=create and not read_only, pool_size=pool_size)
    if read_only:
        return reader
    engine = opened(parsed, read_only=False, create=create, pool_size=pool_size)
    _readers[engine] = reader

    @sa.event.listens_for(engine, "engine_disposed")
    def _disposed(_engine: Engine) -> None:
        reader.dispose()

    return engine


_readers: WeakKeyDictionary[Engine, Engine] = WeakKeyDictionary()


def _open_postgresql(url: URL, *, read_only: bool, create: bool, pool_size: int) -> Engine:
    del create  # databases of a server are made by its administrator
    # As start-up options they survive RESET ALL and DISCARD ALL; explicit `options` in the URL win.
    options = f"-c timezone=UTC -c lock_timeout={LOCK_TIMEOUT_MS}"
    if read_only:
        options += " -c default_transaction_read_only=on"
    defaults = {
        "options": options,
        "application_name": "casework",
        "connect_timeout": "5",
        "tcp_user_timeout": "15000",  # a host that vanished without a word is noticed
    }
    engine = sa.create_engine(
        url.update_query_dict({k: v for k, v in defaults.items() if k not in url.query}),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        hide_parameters=True,  # personal data stays out of error texts
        # Every statement of READ COMMITTED sees its own moment anyway: BEGIN and ROLLBACK would be two round
        # trips for nothing.
        isolation_level="AUTOCOMMIT" if read_only else None,
    )
    sa.event.listen(engine, "checkout", _alive)
    return engine


def _alive(raw: Any, _record: Any, _proxy: Any) -> None:
    """A restarted server costs nobody a request: a connection that the server closed is exchanged.

    An idle connection has nothing to read; only one that has is asked, which saves the others a round trip.
    """
    poll = select.poll()
    poll.register(raw.fileno(), select.POLLIN)
    if not poll.poll(0):
        return
    try:
        raw.execute("SELECT 1")
        if not raw.autocommit:
            raw.rollback()
    except psycopg.Error as exc:
        raise sa.exc.InvalidatePoolError from exc


def _touch_private(path: Path) -> None:
    """Create the file for its owner alone, before SQLite would create it for all; its -wal and -shm follow its mode."""
    with suppress(OSError):  # it is there, or cannot be: SQLite will say which
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _open_sqlite(url: URL, *, read_only: bool, create: bool, pool_size: int) -> Engine:
    path = Path(str(url.database)).absolute()
    connect = _sqlite_connect(url, path, read_only=read_only, create=create)
    engine = sa.create_engine(
        "sqlite+pysqlite://",
        creator=connect,
        poolclass=sa.QueuePool,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        hide_parameters=True,
    )

    @sa.event.listens_for(engine, "connect")
    def _connected(_raw: Any, record: Any) -> None:
        record.info["inode"] = _inode(path)

    @sa.event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        pooled = conn.connection
        if pooled.info["inode"] != _inode(path):
            # SQLite would write on into the unlinked file and lose it all.
            raise TryAgain("database_gone", "the database file was moved or removed")
        # A deferred BEGIN that writes later fails as busy, without waiting: only readers begin so.
        pooled.cursor().execute("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _sqlite_connect(url: URL, path: Path, *, read_only: bool, create: bool) -> Callable[[], sqlite3.Connection]:
    busy_timeout_ms = _natural(url, "busy_timeout_ms", BUSY_TIMEOUT_MS)
    max_page_count = _natural(url, "max_page_count", 0)
    # A reader opens rw as well: after a crash it is he who may have to recover the write-ahead log.
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
        raw = sqlite3.connect(
            place,
            uri=True,
            timeout=busy_timeout_ms / 1000,
            isolation_level=None,  # BEGIN is ours: the driver's own comes too late and is deferred
            check_same_thread=False,
            cached_statements=512,
        )
        try:
            for pragma in pragmas:
                raw.execute(f"PRAGMA {pragma}")
        except BaseException:
            raw.close()
            raise
        return raw

    return connect


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


# --- transactions -------------------------------------------------------------------------------------------


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One writing transaction: commits at exit, rolls back on any exception; TryAgain if it cannot.

    When PostgreSQL is lost during the commit itself, the outcome is unknown: the idempotency key tells.
    """
    with _transaction(engine, {}) as conn:
        yield conn


@contextmanager
def reading(engine: Engine, *, snapshot: bool = False) -> Iterator[Connection]:
    """A connection that cannot write; with `snapshot` all its statements see one moment (SQLite: always)."""
    reader = _readers.get(engine, engine)
    options: dict[str, Any] = {_READING: True}
    if snapshot and engine.dialect.name == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"
    with _transaction(reader, options) as conn:
        yield conn


def is_reading(conn: Connection) -> bool:
    """Whether `conn` was opened by `reading`."""
    return bool(conn.get_execution_options().get(_READING))


@contextmanager
def _transaction(engine: Engine, options: dict[str, Any]) -> Iterator[Connection]:
    conn: Connection | None = None
    try:
        with engine.connect() as conn:
            if options:
                conn.execution_options(**options)  # in place
            with conn.begin():
                yield conn
    except Exception as exc:
        failure = translate(exc)
        if failure is None:
            raise
        if failure.code == "database_gone":
            _forget(engine, conn)
        raise failure from (None if failure is exc else exc)


def _forget(engine: Engine, conn: Connection | None) -> None:
    """Drop every pooled connection: after a restart of the server all of them are dead."""
    with suppress(Exception):
        if conn is not None and not conn.closed:
            conn.invalidate()
    engine.dispose()


_PG_BUSY = ("55P03", "40001", "40P01", "53300")
_SQLITE_CODES = {
    sqlite3.SQLITE_BUSY: "database_busy",
    sqlite3.SQLITE_LOCKED: "database_busy",
    sqlite3.SQLITE_FULL: "database_full",
    sqlite3.SQLITE_CANTOPEN: "database_gone",
    sqlite3.SQLITE_IOERR: "database_gone",
}
_DETAILS = {
    "database_busy": ("the database is busy", 1),
    "database_full": ("the database is full", 60),
    "database_gone": ("the database is not reachable", 5),
}


def translate(exc: BaseException) -> TryAgain | None:
    """What a driver's error means to a caller, or None where it is a bug or a broken constraint."""
    if isinstance(exc, TryAgain):
        return exc
    if isinstance(exc, sa.exc.TimeoutError):
        code: str | None = "database_busy"  # the pool had no connection to lend in time
    else:
        cause = exc.orig if isinstance(exc, sa.exc.DBAPIError) else exc
        code = _code(cause)
        if code is None and isinstance(exc, sa.exc.DBAPIError) and exc.connection_invalidated:
            code = "database_gone"
    if code is None:
        return None
    detail, retry_after_s = _DETAILS[code]
    return TryAgain(code, detail, retry_after_s=retry_after_s)


def is_conflict(exc: BaseException) -> bool:
    """Whether a unique key was taken by another transaction (or was there already)."""
    cause = exc.orig if isinstance(exc, sa.exc.DBAPIError) else exc
    if isinstance(cause, sqlite3.IntegrityError):
        return cause.sqlite_errorcode in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
    return isinstance(cause, psycopg.errors.UniqueViolation)


def is_place_taken(exc: BaseException, table: str) -> bool:
    """Whether a row of the append-only `table` stands already where another was to go; not for its number of a row.

    SQLite's guard speaks before its keys do, and does not say which key it was.
    """
    cause = exc.orig if isinstance(exc, sa.exc.DBAPIError) else exc
    if isinstance(cause, sqlite3.IntegrityError):
        return str(cause) == f"append_only: {table}"
    if not isinstance(cause, psycopg.errors.UniqueViolation):
        return False
    return cause.diag.table_name == table and cause.diag.constraint_name != f"{table}_pkey"


def key_taken(exc: BaseException) -> str | None:
    """The first value of the unique key that was taken, as PostgreSQL tells it; none on SQLite."""
    cause = exc.orig if isinstance(exc, sa.exc.DBAPIError) else exc
    detail = cause.diag.message_detail if isinstance(cause, psycopg.Error) else None
    found = re.search(r"=\((.+?), ", detail or "")
    return None if found is None else found[1]


def is_reference_broken(exc: BaseException) -> bool:
    """Whether rows that others point at would have gone, or rows would point at nothing."""
    cause = exc.orig if isinstance(exc, sa.exc.DBAPIError) else exc
    if isinstance(cause, sqlite3.IntegrityError):
        return cause.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
    return isinstance(cause, psycopg.errors.ForeignKeyViolation)


def _code(cause: BaseException | None) -> str | None:
    if isinstance(cause, sqlite3.Error):
        # The low byte is the primary code; extended codes (BUSY_SNAPSHOT, IOERR_WRITE) share it.
        return _SQLITE_CODES.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)
    if not isinstance(cause, psycopg.Error):
        return None
    state = cause.sqlstate
    if state is None:
        return "database_gone" if isinstance(cause, psycopg.OperationalError) else None
    if state in _PG_BUSY:
        return "database_busy"
    if state == "53100":
        return "database_full"
    return "database_gone" if state.startswith(("08", "57P")) else None
