"""Runs of the feed: every one is on record, whatever became of it."""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.intake.feed.reconcile import Snapshot, unpack
from casework.intake.feed.tables import feed_runs, snapshots
from casework.log.stored import as_stored
from casework.people.staff.actor import Actor

RUNNING, APPLIED, REPEATED, REFUSED, AWAITING, INTERRUPTED = (
    "running", "applied", "repeated", "refused", "awaiting", "interrupted",
)  # fmt: skip
PAYMENTS: Final = "payments"
"""No feed, but repayments alone, taken in during the day."""
ROW: Final = tuple(column.name for column in feed_runs.columns)
_FLAG: Final = ROW.index("correction")  # SQLite keeps it as a number
KILLED = "import_killed"  # a refusal's code: nobody refused, the process ended


class Run(msgspec.Struct, kw_only=True):
    """One run: who, when, which files, what came of it; `figures` only if applied, `refusal` only if refused."""

    id: int
    institution: str | None
    as_of: date | None
    status: str
    correction: bool
    digest: str | None
    actor_id: str
    via: str
    started_at: datetime
    finished_at: datetime | None
    refusal: dict[str, Any] | None
    files: list[dict[str, Any]]
    figures: dict[str, Any]


def begin(conn: Connection, actor: Actor, *, correction: bool, clock: Clock = now) -> int:
    """Enter a run as running; its id."""
    values = {
        "status": RUNNING, "correction": correction, "actor_id": actor.id, "via": actor.via, "started_at": clock(),
    }  # fmt: skip
    return int(conn.execute(feed_runs.insert().values(values).returning(feed_runs.c.id)).scalar_one())


def finish(conn: Connection, run_id: int, status: str, *, clock: Clock = now, **values: Any) -> None:
    """Say what became of a run; `files`, `figures` and `refusal` are JSON values."""
    for key in ("files", "figures", "refusal"):
        if key in values:
            values[key] = msgspec.json.encode(values[key])
    values |= {"status": status, "finished_at": clock()}
    conn.execute(feed_runs.update().where(feed_runs.c.id == run_id).values(values))


def digest_of(conn: Connection, run_id: int) -> str:
    """SHA-256 in hex over a run's row as it lies there: for the entry that ends the run."""
    return row_digest(conn.execute(as_stored(feed_runs, ROW, conn.dialect.name).where(feed_runs.c.id == run_id)).one())


def row_digest(row: Sequence[Any]) -> str:
    """The same of a row that `audit.stored` read."""
    plain = [bool(value) if at == _FLAG and value in (0, 1) else value for at, value in enumerate(row)]
    return hashlib.sha256(b"casework/run/v1\n" + msgspec.msgpack.encode(plain)).hexdigest()


def refuse(conn: Connection, run_id: int, mistake: CallerError, **values: Any) -> None:
    """A run that a caller's mistake ended; nothing of it went in."""
    refusal = {"code": mistake.code, "zh": mistake.zh, "en": str(mistake), "facts": mistake.facts}
    status = {"loans_vanished": AWAITING, "loans_respelled": AWAITING, KILLED: INTERRUPTED}.get(mistake.code, REFUSED)
    finish(conn, run_id, status, refusal=refusal, **values)


def mark_interrupted(conn: Connection, institution: str, before: int) -> None:
    """Runs of the institution that still say running, though this one holds the import's lock, died on the way."""
    condition = sa.and_(feed_runs.c.status == RUNNING, feed_runs.c.id < before)
    mine = sa.or_(feed_runs.c.institution == institution, feed_runs.c.institution.is_(None))
    conn.execute(feed_runs.update().where(condition, mine).values(status=INTERRUPTED, finished_at=now()))


def last_applied(conn: Connection, institution: str, *, before: date | None = None) -> Run | None:
    """The applied run with the latest `as_of` (the latest correction of it); `before`: only earlier days."""
    statement = sa.select(feed_runs).where(feed_runs.c.institution == institution, feed_runs.c.status == APPLIED)
    if before is not None:
        statement = statement.where(feed_runs.c.as_of < before)
    row = conn.execute(statement.order_by(feed_runs.c.as_of.desc(), feed_runs.c.id.desc()).limit(1)).one_or_none()
    return _run(row) if row else None


def applied_digest(conn: Connection, institution: str, as_of: date, digest: str) -> int | None:
    """The applied run that brought exactly this delivery, if it is the latest word on its day."""
    row = conn.execute(
        sa.select(feed_runs.c.id, feed_runs.c.digest)
        .where(feed_runs.c.institution == institution, feed_runs.c.as_of == as_of, feed_runs.c.status == APPLIED)
        .order_by(feed_runs.c.id.desc())
        .limit(1)
    ).one_or_none()
    return int(row.id) if row and row.digest == digest else None


def last_files(conn: Connection, institution: str) -> dict[str, tuple[date, str]]:
    """Day and digest of the latest applied file of each kind (among the last forty days): what the books hold."""
    statement = (
        sa.select(feed_runs.c.as_of, feed_runs.c.files)
        .where(feed_runs.c.institution == institution, feed_runs.c.status == APPLIED)
        .order_by(feed_runs.c.as_of.desc(), feed_runs.c.id.desc())
        .limit(40)
    )
    digests: dict[str, tuple[date, str]] = {}
    for as_of, files in conn.execute(statement):
        for file in msgspec.json.decode(files):
            digests.setdefault(file["kind"], (as_of, file["sha256"]))
    return digests


def snapshot_of(conn: Connection, run: Run | None) -> Snapshot | None:
    """The snapshot that a run applied."""
    if run is None:
        return None
    found = conn.execute(sa.select(snapshots.c.rows).where(snapshots.c.run_id == run.id)).scalar_one()
    return unpack(bytes(found))


def runs(conn: Connection, *, every: bool = False) -> list[Run]:
    """Applied runs, the latest correction per day, in order of day; `every`: all runs in order of starting."""
    statement = sa.select(feed_runs).order_by(feed_runs.c.id)
    found = [_run(row) for row in conn.execute(statement)]
    if every:
        return found
    latest = {(run.institution, run.as_of): run for run in found if run.status == APPLIED}
    return sorted(latest.values(), key=lambda run: (str(run.institution), run.as_of or date.min))


def newest_runs(conn: Connection, *, before: int | None = None, limit: int) -> list[Run]:
    """At most `limit` runs, whatever became of them, the newest first; `before`: only with smaller ids."""
    statement = sa.select(feed_runs).order_by(feed_runs.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(feed_runs.c.id < before)
    return [_run(row) for row in conn.execute(statement)]


def one_run(conn: Connection, run_id: int) -> Run | None:
    """A run by its id."""
    row = conn.execute(sa.select(feed_runs).where(feed_runs.c.id == run_id)).one_or_none()
    return _run(row) if row else None


def as_json(found: Sequence[Run]) -> list[dict[str, Any]]:
    """Runs for machines: the figures' keys beside the run's own."""
    return [
        {**run.figures, **{key: value for key, value in msgspec.to_builtins(run).items() if key != "figures"}}
        for run in found
    ]


def _run(row: Any) -> Run:
    columns = row._asdict()
    values = {name: columns[name] for name in Run.__struct_fields__}
    for key, empty in (("files", []), ("figures", {}), ("refusal", None)):
        values[key] = msgspec.json.decode(bytes(values[key])) if values[key] else empty
    return Run(**values)
