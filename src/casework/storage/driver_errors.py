"""What an error of a database's driver means: try again, a broken constraint, or a bug."""

import re
import sqlite3
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from casework.errors import TryAgain

if TYPE_CHECKING:
    import psycopg

Result = TypeVar("Result")

_REASON_AT_MOST = 500
_SHORT = "memory"  # libpq: out of memory, cannot allocate memory for input buffer
_PG_BUSY = ("55P03", "40001", "40P01", "53300")
_PG_UNIQUE, _PG_REFERENCE, _PG_READ_ONLY, _PG_FULL = "23505", "23503", "25006", "53100"
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
    "database_read_only": ("the database takes no writes: a standby, or set to read only", 5),
    "outcome_unknown": ("the database was lost during the commit, or no standby has confirmed it", 5),
}


def try_again(code: str, reason: str = "") -> TryAgain:
    """That the database could not take the work, by one of the codes above; `reason` is for the shell's one line."""
    detail, retry_after_s = _DETAILS[code]
    return TryAgain(code, f"{detail}: {reason}" if reason else detail, retry_after_s=retry_after_s)


def _reason(exc: BaseException) -> str:
    """What libpq says of each host that it did not get a session of; it names hosts and roles, never passwords."""
    cause = exc.orig if isinstance(exc, sa.exc.DBAPIError) else exc
    if not _is_unreachable(_of_psycopg(cause)):
        return ""
    text = str(cause)
    lines = (text.partition("All failures were:")[2] or text).splitlines()
    told = [line.strip(" \t-").rpartition("connection failed: ")[2] for line in lines]
    return "; ".join(dict.fromkeys(line for line in told if line))[:_REASON_AT_MOST]


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
    return None if code is None else try_again(code, _reason(exc))


def takes_no_writes(exc: BaseException) -> bool:
    """Whether a writer was told that here nothing is written: a standby, a server or a file set to read only."""
    cause = exc.orig if isinstance(exc, sa.exc.DBAPIError) else exc
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY
    return _sqlstate(cause) == _PG_READ_ONLY


def is_conflict(exc: BaseException) -> bool:
    """Whether a unique key was taken by another transaction (or was there already)."""
    cause = exc.orig if isinstance(exc, sa.exc.DBAPIError) else exc
    if isinstance(cause, sqlite3.IntegrityError):
        return cause.sqlite_errorcode in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
    return _sqlstate(cause) == _PG_UNIQUE


def again_on_conflict(work: Callable[[], Result]) -> Result:
    """`work`, a transaction of its own, and once more if another took a unique key first: now its rows are seen."""
    try:
        return work()
    except Exception as error:
        if not is_conflict(error):
            raise
    return work()


def is_place_taken(exc: BaseException, table: str) -> bool:
    """Whether a row of the append-only `table` stands already where another was to go; not for its number of a row.

    SQLite's guard speaks before its keys do, and does not say which key it was.
    """
    cause = exc.orig if isinstance(exc, sa.exc.DBAPIError) else exc
    if isinstance(cause, sqlite3.IntegrityError):
        return str(cause) == f"append_only: {table}"
    error = _of_psycopg(cause)
    if error is None or error.sqlstate != _PG_UNIQUE:
        return False
    return error.diag.table_name == table and error.diag.constraint_name != f"{table}_pkey"


def is_out_of_memory(exc: BaseException) -> bool:
    """Whether memory was short behind an error: here, or in the driver, whose connection then looks gone."""
    seen: list[BaseException] = []
    found: BaseException | None = exc
    while found is not None and found not in seen:
        seen.append(found)
        found = found.__cause__ or found.__context__
    return any(isinstance(one, MemoryError) or _is_short(_of_psycopg(one)) for one in seen)


def key_taken(exc: BaseException) -> str | None:
    """The first value of the unique key that was taken, as PostgreSQL tells it; none on SQLite."""
    cause = exc.orig if isinstance(exc, sa.exc.DBAPIError) else exc
    error = _of_psycopg(cause)
    detail = error.diag.message_detail if error is not None else None
    found = re.search(r"=\((.+?), ", detail or "")
    return None if found is None else found[1]


def is_reference_broken(exc: BaseException) -> bool:
    """Whether rows that others point at would have gone, or rows would point at nothing."""
    cause = exc.orig if isinstance(exc, sa.exc.DBAPIError) else exc
    if isinstance(cause, sqlite3.IntegrityError):
        return cause.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
    return _sqlstate(cause) == _PG_REFERENCE


def _code(cause: BaseException | None) -> str | None:
    if isinstance(cause, sqlite3.Error):
        # The low byte is the primary code; extended codes (BUSY_SNAPSHOT, IOERR_WRITE) share it.
        return _SQLITE_CODES.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)
    error = _of_psycopg(cause)
    if error is None:
        return None
    state = error.sqlstate
    if state is None:
        return "database_gone" if _is_unreachable(error) else None
    if state in _PG_BUSY:
        return "database_busy"
    if state == _PG_FULL:
        return "database_full"
    return "database_gone" if state.startswith(("08", "57P")) else None


def _of_psycopg(exc: BaseException | None) -> "psycopg.Error | None":
    """The error, if it is of PostgreSQL's driver; on SQLite that one is not even imported, so that it has none."""
    driver = sys.modules.get("psycopg")
    return exc if driver is not None and isinstance(exc, driver.Error) else None


def _sqlstate(exc: BaseException | None) -> str | None:
    error = _of_psycopg(exc)
    return None if error is None else error.sqlstate


def _is_unreachable(error: "psycopg.Error | None") -> bool:
    """Whether it came from libpq rather than from a server."""
    return error is not None and error.sqlstate is None and isinstance(error, sys.modules["psycopg"].OperationalError)


def _is_short(error: "psycopg.Error | None") -> bool:
    return error is not None and error.sqlstate is None and _SHORT in str(error)
