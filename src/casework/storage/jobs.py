"""Work that outlasts whoever asked for it: a row a run, written by the process that is at it and read by every one.

A run is known by its name, of which at most one runs at a time. The process at it beats and says how far it is: on
PostgreSQL in the row, on SQLite, where the work itself may hold the only writer for minutes, in a file beside the
database. Whoever is silent for `SILENT_S` has died: the run is interrupted, and another of the name may begin.

What came of it stays for the policy's days. It names no borrower; a file that came of it does, be it rows to mend or a
list that was taken out: it is sealed, and goes with any erasure.
"""

import os
import zlib
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import now
from casework.personal import Vault, cell
from casework.storage import rows
from casework.storage.database import BigId, Bytes, UtcDateTime, metadata, partial_index

RUNNING, DONE, FAILED, INTERRUPTED = "running", "done", "failed", "interrupted"
BEAT_S: Final = 2.0
SILENT_S: Final = 30.0
"""Many beats: of a machine that is busy, and of clocks that differ."""

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", BigId, sa.Identity(), primary_key=True),
    sa.Column("name", sa.String(128), nullable=False),  # kind, or kind:whose
    sa.Column("actor_id", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("began_at", UtcDateTime, nullable=False),
    sa.Column("beat_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("stage", sa.String(32), nullable=False),
    sa.Column("done", sa.BigInteger, nullable=False),
    sa.Column("total", sa.BigInteger),
    sa.Column("about", Bytes, nullable=False),  # JSON: what it was asked to do
    sa.Column("refusal", Bytes),  # JSON: why nothing came of it
    sa.Column("outcome", Bytes),  # JSON, compressed
    sa.Column("file_sealed", Bytes),  # a file that came of it: personal data
    sa.Index("ix_jobs_name", "name", "id"),
    partial_index("uq_jobs_running", "name", unique=True, where="state = 'running'"),
)  # fmt: skip


class Refusal(msgspec.Struct, frozen=True):
    """What a caller's mistake said."""

    code: str
    zh: str
    en: str


class Beat(msgspec.Struct):
    """How far a run is, and when its process said so."""

    at: datetime
    stage: str = ""
    done: int = 0
    total: int | None = None


class Job(msgspec.Struct, kw_only=True):
    """One run as it stands; `outcome` is JSON. `has_file`: whether a file came of it."""

    id: int
    name: str
    actor_id: str
    state: str
    began_at: datetime
    ended_at: datetime | None
    beat: Beat
    about: bytes
    refusal: Refusal | None
    outcome: bytes | None
    has_file: bool


_PLAIN: Final = tuple(one for one in jobs.c if one.name not in ("outcome", "file_sealed"))
_SHOWN: Final = (*_PLAIN, jobs.c.outcome, jobs.c.file_sealed.is_not(None).label("has_file"))
_LISTED: Final = sa.select(*_PLAIN, sa.null().label("outcome"), sa.false().label("has_file"))


def begin(conn: Connection, name: str, actor_id: str, about: bytes, *, at: datetime | None = None) -> int | None:
    """Enter a run and give its number; none where one of its name runs. What died of the name is interrupted first.

    Two who begin at the same moment: the second meets the unique key (`driver_errors.is_conflict`).
    """
    at = at or now()
    before = newest(conn, name, at=at, state=RUNNING)
    if before is not None:
        if before.state == RUNNING:
            return None
        end(conn, before.id, INTERRUPTED)
    values = {
        "name": name, "actor_id": actor_id, "state": RUNNING, "began_at": at, "beat_at": at, "stage": "", "done": 0,
        "about": about,
    }  # fmt: skip
    return int(conn.execute(jobs.insert().values(values).returning(jobs.c.id)).scalar_one())


def beat(conn: Connection, job_id: int, told: Beat) -> None:
    """The process lives and has got so far. On SQLite `conn` only says where the database lies; a reader's will do."""
    if conn.dialect.name == "sqlite":
        place = _place(conn, job_id)
        fresh = place.with_name(f"{place.name}.new")
        handle = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(told))
        fresh.replace(place)
        return
    values = {"beat_at": told.at, "stage": told.stage, "done": told.done, "total": told.total}
    conn.execute(jobs.update().where(jobs.c.id == job_id, jobs.c.state == RUNNING).values(values))


def end(
    conn: Connection, job_id: int, state: str, *, last: Beat | None = None, refusal: Refusal | None = None,
    outcome: bytes | None = None, file: bytes = b"", vault: Vault | None = None,
) -> None:  # fmt: skip
    """What became of it. `vault` seals the `file`."""
    values: dict[str, Any] = {"state": state, "ended_at": now()}
    if last is not None:
        values |= {"stage": last.stage, "done": last.done, "total": last.total}
    if refusal is not None:
        values["refusal"] = msgspec.json.encode(refusal)
    if outcome is not None:
        values["outcome"] = zlib.compress(outcome, 1)
    if file and vault is not None:
        values["file_sealed"] = vault.seal_bytes(_of(job_id), file)
    conn.execute(jobs.update().where(jobs.c.id == job_id).values(values))


def ended(conn: Connection, name: str, actor_id: str, began_at: datetime, outcome: bytes | None = None) -> None:
    """Enter a run that has just ended well, wherever it ran; unlike one that `begin` enters, nobody waits for it."""
    at = now()
    values = {
        "name": name, "actor_id": actor_id, "state": DONE, "began_at": began_at, "beat_at": at, "ended_at": at,
        "stage": "", "done": 0, "about": b"null",
    }  # fmt: skip
    if outcome is not None:
        values["outcome"] = zlib.compress(outcome, 1)
    conn.execute(jobs.insert().values(values))


def last_ended(conn: Connection, name: str) -> tuple[datetime, bytes | None] | None:
    """When the last run of a name that came to its end did, and its outcome; none where there is none (any more)."""
    done = (jobs.c.name == name) & (jobs.c.state == DONE)
    wanted = sa.select(jobs.c.ended_at, jobs.c.outcome).where(done).order_by(jobs.c.id.desc()).limit(1)
    row = conn.execute(wanted).one_or_none()
    return None if row is None else (row.ended_at, None if row.outcome is None else zlib.decompress(row.outcome))


def silenced(conn: Connection, job_id: int) -> None:
    """Nobody is at it any more: what it beat in goes."""
    if conn.dialect.name == "sqlite":
        _place(conn, job_id).unlink(missing_ok=True)


def newest(
    conn: Connection, name: str, *, at: datetime | None = None, state: str | None = None, job_id: int | None = None
) -> Job | None:
    """The last run of a name that was begun, the last that the row says is in `state`, or the one with this number."""
    wanted = sa.select(*_SHOWN).where(jobs.c.name == name)
    if state is not None:
        wanted = wanted.where(jobs.c.state == state)
    if job_id is not None:
        wanted = wanted.where(jobs.c.id == job_id)
    row = conn.execute(wanted.order_by(jobs.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _job(conn, row, at or now())


def of_name(conn: Connection, name: str, limit: int) -> list[Job]:
    """The runs of a name, the newest first."""
    found = conn.execute(sa.select(*_SHOWN).where(jobs.c.name == name).order_by(jobs.c.id.desc()).limit(limit)).all()
    return [_job(conn, row, now()) for row in found]


def of_actor(conn: Connection, actor_id: str, limit: int) -> list[Job]:
    """What somebody began, the newest first. Without outcomes."""
    found = conn.execute(_LISTED.where(jobs.c.actor_id == actor_id).order_by(jobs.c.id.desc()).limit(limit)).all()
    return [_job(conn, row, now()) for row in found]


def running(conn: Connection, names: Iterable[str], *, at: datetime | None = None) -> dict[str, Job]:
    """Those of these names of which a row says that they run: running, or interrupted. Without outcomes."""
    found = conn.execute(_LISTED.where(jobs.c.name.in_(sorted(names)), jobs.c.state == RUNNING))
    return {row.name: _job(conn, row, at or now()) for row in found}


def file_of(conn: Connection, vault: Vault, job_id: int) -> bytes:
    """The file that came of a run; empty where there is none, or an erasure has taken it."""
    sealed = conn.execute(sa.select(jobs.c.file_sealed).where(jobs.c.id == job_id)).scalar_one_or_none()
    return b"" if sealed is None else vault.open_bytes(_of(job_id), bytes(sealed))


def empty_files(conn: Connection) -> list[bytes]:
    """Take away the files of every run, whoever stands in them; the very bytes that were there.

    They can be had again by sending a file again, or taking a list out again.
    """
    held = jobs.c.file_sealed.is_not(None)
    found = [bytes(one) for one in conn.execute(sa.select(jobs.c.file_sealed).where(held)).scalars()]
    if found:
        conn.execute(jobs.update().where(held).values(file_sealed=None))
    return found


def forget(conn: Connection, before: datetime) -> int:
    """Delete runs that began before, with what came of them, but for those that somebody is at; how many."""
    old = conn.execute(_LISTED.where(jobs.c.began_at < before))
    gone = [one.id for row in old if (one := _job(conn, row, now())).state != RUNNING]
    for number in gone:
        silenced(conn, number)
    rows.delete_many(conn, jobs, "id", gone)
    return len(gone)


def _job(conn: Connection, row: Any, at: datetime) -> Job:
    told, state = Beat(row.beat_at, row.stage, row.done, row.total), row.state
    if state == RUNNING:
        told = _last_beat(conn, row.id) or told
        if at - told.at > timedelta(seconds=SILENT_S):
            state = INTERRUPTED
    return Job(
        id=row.id, name=row.name, actor_id=row.actor_id, state=state, began_at=row.began_at, ended_at=row.ended_at,
        beat=told, about=bytes(row.about),
        refusal=None if row.refusal is None else msgspec.json.decode(row.refusal, type=Refusal),
        outcome=None if row.outcome is None else zlib.decompress(row.outcome), has_file=bool(row.has_file),
    )  # fmt: skip


def _last_beat(conn: Connection, job_id: int) -> Beat | None:
    if conn.dialect.name == "sqlite":
        with suppress(OSError, msgspec.DecodeError):  # it has not beaten yet, or has just ended
            return msgspec.json.decode(_place(conn, job_id).read_bytes(), type=Beat)
    return None


def _place(conn: Connection, job_id: int) -> Path:
    return Path(f"{conn.exec_driver_sql('PRAGMA database_list').one()[2]}.job-{job_id}")


def _of(job_id: int) -> str:
    return cell("jobs", "mend", str(job_id))
