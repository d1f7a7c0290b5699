"""The two databases behind one set of rules: how they are opened and begun, and how they fail.

Writers use `writing(engine)`, readers `reading(engine)`; nothing else commits. A failure of the database
(locked, full, gone) leaves here as `errors.TryAgain`, and nothing was changed then.
"""

import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from casework import clock
from casework.address import WRITABLE, parse_url
from casework.storage.compiled import SHARED
from casework.storage.driver_errors import takes_no_writes, translate, try_again
from casework.storage.sqlite import open_sqlite

if TYPE_CHECKING:
    import psycopg

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


def partial_index(
    name: str, *columns: Any, where: Any, on_postgresql: Any | None = None, unique: bool = False
) -> sa.Index:
    """An index of the rows for which `where` holds (SQL, perhaps spelt in another way on PostgreSQL).

    SQLAlchemy would import both databases' dialects to take the two: a tenth of a command that only looks. Whoever
    compares the schema asks `with_conditions` first.
    """
    sqlite = sa.text(where) if isinstance(where, str) else where
    postgresql = sqlite if on_postgresql is None else sa.text(on_postgresql)
    return sa.Index(name, *columns, unique=unique, info={"sqlite_where": sqlite, "postgresql_where": postgresql})


def with_conditions(declared: sa.MetaData) -> sa.MetaData:
    """The same, its partial indexes with the conditions where SQLAlchemy and Alembic look for them."""
    for table in declared.tables.values():
        for index in table.indexes:
            index.dialect_kwargs.update(index.info)
    return declared


LOCK_TIMEOUT_MS = 10_000
POOLED = 8  # connections that are kept; as many again where they do not do
MOST_LENT = 2 * POOLED
_READING = "casework_reading"
_UNCONFIRMED = "casework_unconfirmed"
_COMMITTING = "casework_committing"


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


def open_engine(url: str, *, read_only: bool = False, create: bool = False, pool_size: int = POOLED) -> Engine:
    """An engine for `url`; connects lazily. A missing SQLite file is `database_gone` unless `create` is said.

    SQLite takes `?max_page_count=` (pages) and `?busy_timeout_ms=` in the URL. Reading has a pool of its own,
    whose connections cannot write; disposing of the engine disposes of both.
    """
    parsed = parse_url(url)
    opened = open_sqlite if parsed.get_backend_name() == "sqlite" else _open_postgresql
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


@contextmanager
def disposing(engine: Engine) -> Iterator[None]:
    """Close every connection of `engine` at the end."""
    try:
        yield
    finally:
        engine.dispose()


def _open_postgresql(url: URL, *, read_only: bool, create: bool, pool_size: int) -> Engine:
    del create  # databases of a server are made by its administrator
    # As start-up options they survive RESET ALL and DISCARD ALL; explicit `options` in the URL win.
    plain = f"-c timezone=UTC -c lock_timeout={LOCK_TIMEOUT_MS} {url.query.get('options', '')}".strip()
    options = f"{plain} -c default_transaction_read_only=on" if read_only else plain
    defaults = {
        "application_name": "casework",
        "connect_timeout": "5",
        "tcp_user_timeout": "15000",  # a host that vanished without a word is noticed
    }
    engine = sa.create_engine(
        url.update_query_dict({**defaults, **url.query, "options": options}),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        hide_parameters=True,  # personal data stays out of error texts
        execution_options=SHARED,
        use_native_hstore=False,  # there is none, and the first connection would ask for its numbers
        # Every statement of READ COMMITTED sees its own moment anyway: BEGIN and ROLLBACK would be two round
        # trips for nothing.
        isolation_level="AUTOCOMMIT" if read_only else None,
    )
    sa.event.listen(engine, "checkout", _alive)
    if not read_only:
        sa.event.listen(engine, "connect", _listening)
    elif url.query.get("target_session_attrs") == WRITABLE:
        sa.event.listen(engine, "do_connect", partial(_to_who_takes_writes, plain))
    return engine


def _to_who_takes_writes(
    plain: str, _dialect: Any, _record: Any, arguments: Any, parameters: dict[str, Any]
) -> "psycopg.Connection[Any]":
    """A reader's session on the host where the writers' are; `plain` are their start-up options.

    libpq takes a session whose own default is to read only for one on a host that takes no writes, and refuses every
    host. So a session without that setting finds the host.
    """
    import psycopg  # noqa: PLC0415 (SQLAlchemy has imported it; on SQLite nobody does: a tenth of a short command)

    with psycopg.connect(*arguments, **(parameters | {"options": plain})) as found:
        info = found.info
        place = {"host": info.host, "port": info.port, "hostaddr": info.hostaddr or None}
    # Should it have become a standby in between, it is refused still.
    return psycopg.connect(*arguments, **(parameters | place | {"target_session_attrs": "primary"}))


def _listening(raw: Any, record: Any) -> None:
    """A commit that nobody waits for any longer is known by a notice alone: it stands here, and may on no standby."""

    def noticed(notice: Any) -> None:
        if notice.source_function == "SyncRepWaitForLSN":  # its text is in the server's language
            record.info[_UNCONFIRMED] = True

    raw.add_notice_handler(noticed)


def _alive(raw: Any, _record: Any, _proxy: Any) -> None:
    """A restarted server costs nobody a request: a connection that the server closed is exchanged.

    An idle connection has nothing to read; only one that has is asked, which saves the others a round trip.
    """
    poll = select.poll()
    poll.register(raw.fileno(), select.POLLIN)
    if not poll.poll(0):
        return
    import psycopg  # noqa: PLC0415 (as above)

    try:
        raw.execute("SELECT 1")
        if not raw.autocommit:
            raw.rollback()
    except psycopg.Error as exc:
        raise sa.exc.InvalidatePoolError from exc


# --- transactions -------------------------------------------------------------------------------------------


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One writing transaction: commits at exit, rolls back on any exception; TryAgain if it cannot.

    When the database is lost during the commit itself, or no standby confirms it, the outcome is unknown
    (`outcome_unknown`): the idempotency key tells.
    """
    with _transaction(engine, {}, writes=True) as conn:
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


def commit_with_these(conn: Connection) -> None:
    """Send the commit of a `writing` transaction with the statements of `rows.together`, the last of which this is.

    If one of them fails the server passes over what came after it, the commit too. `writing` finds the transaction
    ended; where statements do not travel together it commits at its end, as ever.
    """
    raw: Any = conn.connection.dbapi_connection
    if conn.dialect.name == "postgresql" and raw.pgconn.pipeline_status:
        conn.execution_options(**{_COMMITTING: True})  # in place
        raw.cursor().execute("COMMIT")


def is_reading(conn: Connection) -> bool:
    """Whether `conn` was opened by `reading`."""
    return bool(conn.get_execution_options().get(_READING))


def insert_or_not(conn: Connection, table: sa.Table) -> Any:
    """An insert of the database's own kind, which may say what happens on a conflict; that kind alone is imported."""
    return import_module(f"sqlalchemy.dialects.{conn.dialect.name}").insert(table)


@contextmanager
def _transaction(engine: Engine, options: dict[str, Any], *, writes: bool = False) -> Iterator[Connection]:
    conn: Connection | None = None
    decided = False
    try:
        with _lent(engine) as conn:
            if options:
                conn.execution_options(**options)  # in place
            with conn.begin():
                yield conn
                decided = writes
            if conn.connection.info.pop(_UNCONFIRMED, False):
                raise try_again("outcome_unknown")
    except Exception as exc:
        failure = translate(exc) or (try_again("database_read_only") if writes and takes_no_writes(exc) else None)
        if failure is None:
            raise
        if failure.code in ("database_gone", "database_read_only"):
            _forget(engine, conn)
        if writes and failure.code in WRITES_REFUSED:
            _refused[engine] = failure.code
        decided = decided or (conn is not None and _COMMITTING in conn.get_execution_options())
        if decided and failure.code == "database_gone":
            raise try_again("outcome_unknown") from exc
        raise failure from (None if failure is exc else exc)


class Gauge(Protocol):
    """A number that goes up and down, as a library of metrics has them."""

    def inc(self) -> None:
        """One more."""

    def dec(self) -> None:
        """One fewer."""


class Watched(NamedTuple):
    """What is told of a pool: threads that wait for a connection of it (or make one), and connections in use."""

    waiting: Gauge
    in_use: Gauge


_watched: WeakKeyDictionary[Engine, Watched] = WeakKeyDictionary()


def watch_pools(engine: Engine, *, writing: Watched, reading: Watched) -> None:
    """From now on tell how the two pools of `engine` are used."""
    _watched[engine] = writing
    _watched[_readers[engine]] = reading


@contextmanager
def _lent(engine: Engine) -> Iterator[Connection]:
    told = _watched.get(engine)
    if told is None:
        with engine.connect() as conn:
            yield conn
        return
    told.waiting.inc()
    try:
        conn = engine.connect()
    finally:
        told.waiting.dec()
    told.in_use.inc()
    try:
        with conn:
            yield conn
    finally:
        told.in_use.dec()


WRITES_REFUSED = ("database_full", "database_read_only")
_refused: WeakKeyDictionary[Engine, str] = WeakKeyDictionary()


def writes_refused(engine: Engine) -> str | None:
    """Why the database took a write no more, one of WRITES_REFUSED, until `writes_taken` is said; else None."""
    return _refused.get(engine)


def writes_taken(engine: Engine) -> None:
    """A write that was tried for that purpose went through."""
    _refused.pop(engine, None)


def _forget(engine: Engine, conn: Connection | None) -> None:
    """Drop every pooled connection: after a restart of the server all are dead, or another takes the writes now."""
    with suppress(Exception):
        if conn is not None and not conn.closed:
            conn.invalidate()
    engine.dispose()
