"""A file for process mining: read in one snapshot, written beside its place, recorded, then put there."""

import os
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy.engine import Connection, Engine

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.evidence.mining import ocel_json, ocel_sqlite, xes
from casework.evidence.mining.choices import Cover, Format
from casework.evidence.mining.chosen import Chosen, MiningWanted
from casework.evidence.mining.names import Names
from casework.evidence.mining.spool import EventSpool
from casework.evidence.mining.told import STREAMS, EventPart
from casework.log.format.entry import Entry
from casework.log.write.kept import measure, sync
from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch
from casework.work.cases.filter import BusinessDates
from casework.written_file import written_to

MINED: Final = "audit.mined"
Progress = Callable[[int, int], None]
"""Told how many entries have been read, of how many."""


class Mined(msgspec.Struct):
    """What was written: events, traces of an XES file or objects of an OCEL file, the file's bytes and SHA-256."""

    format: Format
    events: int
    traces: int | None
    objects: int | None
    bytes: int
    sha256: str
    entry_id: str


def export(
    engine: Engine, branch: Branch, actor: Actor, kind: Format, file: Path, wanted: MiningWanted, *,
    cover: Cover = "customers", progress: Progress = lambda _done, _all: None, clock: Clock = now,
) -> Mined:  # fmt: skip
    """Write `file` (0600), which must not be there; the entry that says so is committed before the file appears.

    CallerErrors: file_exists, file_unwritable, entry_unreadable, filter_malformed, period_malformed.
    """
    if file.exists() or file.is_symlink():
        raise _exists(file)
    with written_to(file), tempfile.TemporaryDirectory(prefix=".casework-mine-", dir=file.absolute().parent) as folder:
        made = Path(folder) / "made"
        os.close(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with reading(engine, snapshot=True) as conn:
            chosen = Chosen(
                conn, wanted, xes.PREFIXES if kind == "xes" else STREAMS, BusinessDates(conn, branch, clock),
                branch.time_zone,
            )  # fmt: skip
            read = _Watched(chosen, progress)
            with written_to(file):  # within, or the spool's full disk would pass for the database's
                events, traces, objects = _write(kind, made, read, Names(branch.vault, cover))
        sync(made)
        size, digest = measure(made)
        mined = Mined(kind, events, traces, objects, size, digest, "")
        with writing(engine) as conn:
            mined.entry_id = _record(conn, branch, actor, mined, wanted, cover, clock)
        try:
            os.link(made, file)  # unlike a rename it never replaces what came there meanwhile
        except FileExistsError:
            raise _exists(file) from None
        sync(file.absolute().parent)
    return mined


class _Watched:
    """The entries as they are read, counted."""

    def __init__(self, chosen: Chosen, progress: Progress) -> None:
        self._chosen, self._progress = chosen, progress
        self.events = self.traces = 0

    def __iter__(self) -> Generator[tuple[Entry, EventPart], None, None]:
        total, stream = self._chosen.count(), ""
        self._progress(0, total)
        for done, (entry, part) in enumerate(self._chosen.read(), 1):
            if part is EventPart.IN:
                self.events += 1
                self.traces += entry.stream != stream
                stream = entry.stream
            if done % 1_000 == 0:
                self._progress(done, total)
            yield entry, part
        self._progress(total, total)


def _write(kind: Format, made: Path, read: _Watched, names: Names) -> tuple[int, int | None, int | None]:
    if kind == "xes":
        with closing(iter(read)) as each:  # before the connection that it reads by
            _write_text(made, xes.lines(each, names))
        return read.events, read.traces, None
    spool = EventSpool(made.with_name("spool"))
    try:
        with closing(iter(read)) as each:
            spool.fill(each, names)
        if kind == "ocel-json":
            _write_text(made, ocel_json.lines(spool))
        else:
            ocel_sqlite.write(spool, made)
        events, objects = spool.counts()
        return events, None, objects
    finally:
        spool.close()


def _write_text(made: Path, pieces: Iterator[str]) -> None:
    with made.open("w", encoding="utf-8", newline="") as out:
        out.writelines(pieces)


def _record(
    conn: Connection, branch: Branch, actor: Actor, mined: Mined, wanted: MiningWanted, cover: Cover, clock: Clock
) -> str:
    """Append `audit.mined` to `exports:<who>`: which events, how many, under which names, and the file's digest."""
    trail = branch.trail(clock())
    said: dict[str, Any] = {
        "format": mined.format, "filter": msgspec.to_builtins(wanted), "pseudonyms": cover, "events": mined.events,
        "traces": mined.traces, "objects": mined.objects, "bytes": mined.bytes, "sha256": mined.sha256,
    }  # fmt: skip
    trail.append(conn, f"exports:{actor.id}", Draft(MINED, actor.signed, said))
    (entry_id,) = trail.entry_ids
    trail.write(conn)
    return entry_id


def _exists(file: Path) -> CallerError:
    return CallerError("file_exists", file=file.name)


__all__ = ["Format", "Mined", "Progress", "export"]
