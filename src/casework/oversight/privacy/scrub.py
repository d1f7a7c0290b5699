"""The files under the database after an erasure: what deleting leaves in them, and how it is taken out.

SQLite overwrites what it deletes (`secure_delete`, on for every writer), but the write-ahead log still holds the pages
as they were, and pages that were split or merged may keep copies of rows that moved: the log is emptied, then the
database's file is searched for the very bytes that were erased, and rewritten (VACUUM) if any is found.

PostgreSQL leaves dead rows: the table of keys, which is small, is rewritten, after which openings and requests that lie
about under an erased key cannot be read; the other tables are vacuumed, which frees their space for others to
overwrite. Its write-ahead log and replicas keep pages until they are recycled.
"""

import mmap
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from casework.address import parse_url
from casework.log.tables import opening_keys
from casework.oversight.privacy.columns import PERSONAL
from casework.settings import Settings
from casework.storage.database import open_engine

_SUFFIXES: Final = ("", "-wal")
_BUSY_S: Final = 5
_REWRITTEN: Final = (opening_keys.name,)
_VACUUMED: Final = tuple(table for table in PERSONAL if table not in _REWRITTEN)


class Scrubbed(msgspec.Struct):
    """What was done to the files. `left` is how many erased values can still be found there, none if nobody looked."""

    log_emptied: bool
    rewritten: list[str]
    vacuumed: list[str]
    not_permitted: list[str]
    searched: int
    left: int | None


def scrub(settings: Settings, traces: Sequence[bytes], *, rewrite: bool = False) -> Scrubbed:
    """After the erasure is committed. `rewrite`: every table it reached is written anew, which keeps others waiting."""
    url = parse_url(settings.database_owner_url or settings.database_url)
    if url.get_backend_name() == "sqlite":
        return _scrub_sqlite(Path(str(url.database)), traces, rewrite=rewrite)
    return _scrub_postgresql(settings, rewrite=rewrite)


# ── SQLite ──────────────────────────────────────────────────────────────────────────────────────────────────


def _scrub_sqlite(path: Path, traces: Sequence[bytes], *, rewrite: bool) -> Scrubbed:
    with closing(sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)) as raw:
        raw.execute("PRAGMA secure_delete=ON")
        emptied = _emptied(raw)
        left = sum(1 for _ in found_in(path, traces))
        rewritten = []
        if rewrite or (left and emptied):
            raw.execute("VACUUM")
            rewritten, emptied = [path.name], _emptied(raw)
            left = sum(1 for _ in found_in(path, traces))
    return Scrubbed(emptied, rewritten, [], [], len(traces), left)


def _emptied(raw: sqlite3.Connection) -> bool:
    """Whether the write-ahead log is empty now: not while somebody reads an older moment of the database."""
    busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def found_in(path: Path, traces: Sequence[bytes]) -> Iterator[bytes]:
    """Which of these values (of 8 bytes or more) stand somewhere in the database's files."""
    wanted = [trace for trace in traces if len(trace) >= 8]
    for file in (Path(f"{path}{suffix}") for suffix in _SUFFIXES):
        if wanted and file.exists() and file.stat().st_size:
            with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
                yield from [trace for trace in wanted if content.find(trace) >= 0]


# ── PostgreSQL ──────────────────────────────────────────────────────────────────────────────────────────────


def _scrub_postgresql(settings: Settings, *, rewrite: bool) -> Scrubbed:
    engine = open_engine(settings.database_owner_url or settings.database_url)
    rewritten: list[str] = []
    vacuumed: list[str] = []
    barred: list[str] = []
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            for table in (*_REWRITTEN, *_VACUUMED):
                full = rewrite or table in _REWRITTEN
                if not _may_vacuum(conn, table):
                    barred.append(table)
                    continue
                conn.exec_driver_sql(f'VACUUM (FULL) "{table}"' if full else f'VACUUM "{table}"')
                (rewritten if full else vacuumed).append(table)
    finally:
        engine.dispose()
    return Scrubbed(False, rewritten, vacuumed, barred, 0, None)


def _may_vacuum(conn: Any, table: str) -> bool:
    """Only a table's owner may; to others the server says so in a notice, and does nothing."""
    owner = sa.text("SELECT pg_has_role(current_user, relowner, 'MEMBER') FROM pg_class WHERE oid = to_regclass(:name)")
    return bool(conn.execute(owner, {"name": table}).scalar())
