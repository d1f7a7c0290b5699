"""Writing a bundle: the sealed log, or a period of it, as files that prove themselves (docs/log.md §4).

One snapshot, one pass in the order of the tree, with memory that does not grow. Entries are the exact bodies; the
hashes are those of the leaves that were sealed, not of the bodies as they are now: what differs shall show.
"""

import hashlib
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now, utc_text
from casework.errors import CallerError
from casework.evidence.bundle.layout import (
    CHECKPOINT,
    CHECKPOINTS,
    DOSSIER,
    KEYS,
    MANIFEST,
    SCHEMA,
    TEXTS,
    BundleManifest,
    File,
    Scope,
    Text,
    rounded,
)
from casework.evidence.bundle.published import taken_along
from casework.log.format import checkpoint, note
from casework.log.format.checkpoint import Checkpoint, WitnessKey
from casework.log.format.note import LogKey
from casework.log.format.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Bundle,
    Tile,
    encode_bundle,
)
from casework.log.format.tree import Range
from casework.log.tables import entries, leaves, texts
from casework.log.write.grown import (
    Growing,
    Log,
    begun_log,
    last_published,
)
from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch
from casework.written_file import unwritable

_BATCH: Final = 32 * TILE_WIDTH
Progress = Callable[[int, int], None]


class Period(NamedTuple):
    """Entries recorded from `from_at` until before `to_at`; none: without end."""

    from_at: datetime | None
    to_at: datetime | None


class Exported(NamedTuple):
    """What was written."""

    manifest: BundleManifest
    entries: int


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """A private folder beside `folder`, which takes its name when it is whole.

    CallerErrors `export_exists`, `export_unwritable`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CallerError("export_exists")
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700, parents=True)
        yield partial
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    except OSError as fault:
        raise unwritable(folder, fault, "export_unwritable") from fault
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def export_log(
    conn: Connection, folder: Path, keys: Sequence[LogKey], *, made_at: datetime, period: Period | None = None,
    held: Checkpoint | None = None, witnesses: Sequence[WitnessKey] = (),
    progress: Progress = lambda _done, _all: None,
) -> Exported:  # fmt: skip
    """Write the present log as far as it is signed into the empty `folder`; `conn` is one snapshot.

    `held`: a checkpoint that the reader keeps: what shows it is put in, also where a period would leave it out.
    `witnesses`: those that the branch knows; cosignatures of others on file go along too.
    CallerErrors `log_not_begun`, `no_checkpoint`, `nothing_recorded` (a period without entries).
    """
    log = begun_log(conn)
    newest = last_published(conn, log)
    if newest is None:
        raise CallerError("no_checkpoint")
    size = newest.size
    begin, end = (0, size) if period is None else rounded(*_range_of(conn, log, period, size), size)
    writer = _Writer(folder)
    shown = {held.size} if held is not None else set()
    for at, data in taken_along(conn, log, witnesses, begin=begin, end=end, size=size, made_at=made_at):
        writer.put(CHECKPOINT if at == size else f"{CHECKPOINTS}/{at}", data)
        if not begin <= at <= end:
            shown.add(at)
    _write_leaves(conn, log, writer, size, (begin, end), shown, progress)
    writer.put(KEYS, "".join(f"{key.text}\n" for key in keys if key.name == log.origin).encode())
    published = []
    for row in conn.execute(sa.select(texts.c.kind, texts.c.name, texts.c.digest, texts.c.body)):
        writer.put(f"{TEXTS}/{row.digest}", bytes(row.body))
        published.append(Text(row.kind, row.name, row.digest))
    scope = Scope("whole", 0, size) if period is None else _scope(period, begin, end)
    manifest = BundleManifest(
        SCHEMA,
        log.origin,
        utc_text(made_at),
        size,
        scope,
        tuple(writer.files),
        held.size if held else None,
        tuple(published),
    )
    (folder / MANIFEST).write_bytes(manifest.encode())
    return Exported(manifest, end - begin)


def export_case(
    folder: Path, case_id: int, dossier: bytes, signed: bytes, keys: Sequence[LogKey], *, made_at: datetime,
    cosigned: bytes | None = None,
) -> Exported:  # fmt: skip
    """Write a case's dossier into the empty `folder` as a bundle; `signed` is the checkpoint it is proven under.

    `cosigned`: an earlier one that a witness has signed, from which the dossier shows that the log goes on.
    """
    said = checkpoint.parse(note.parse(signed).text)
    writer = _Writer(folder)
    writer.put(CHECKPOINT, signed)
    if cosigned is not None:
        writer.put(f"{CHECKPOINTS}/{checkpoint.parse(note.parse(cosigned).text).size}", cosigned)
    writer.put(KEYS, "".join(f"{key.text}\n" for key in keys if key.name == said.origin).encode())
    writer.put(DOSSIER, dossier)
    scope = Scope("case", case=case_id)
    manifest = BundleManifest(SCHEMA, said.origin, utc_text(made_at), said.size, scope, tuple(writer.files))
    (folder / MANIFEST).write_bytes(manifest.encode())
    return Exported(manifest, 0)


def record_exported(
    conn: Connection, branch: Branch, actor: Actor, manifest: BundleManifest, *, clock: Clock = now
) -> None:
    """Append `log.exported` to `exports:<who>`, in the caller's transaction: bodies carry amounts."""
    scope = manifest.scope
    data = {
        "kind": scope.kind, "origin": manifest.origin, "size": manifest.size, "begin": scope.begin, "end": scope.end,
    }  # fmt: skip
    trail = branch.trail(clock())
    trail.append(conn, f"exports:{actor.id}", Draft("log.exported", actor.signed, data))
    trail.write(conn)


def _scope(period: Period, begin: int, end: int) -> Scope:
    at = [None if one is None else utc_text(one) for one in period]
    return Scope("period", begin, end, from_at=at[0], to_at=at[1])


class _Writer:
    """Puts files where they belong; those outside the tree are listed with their digest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[File] = []
        self._made: set[Path] = set()

    def put(self, path: str, data: bytes) -> None:
        """A file that the tree does not cover."""
        self.write(path, data)
        self.files.append(File(path, len(data), hashlib.sha256(data).hexdigest()))

    def write(self, path: str, data: bytes) -> None:
        """A file of the tree."""
        place = self.folder / path
        if place.parent not in self._made:
            place.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(place.parent)
        place.write_bytes(data)


def _range_of(conn: Connection, log: Log, period: Period, size: int) -> tuple[int, int]:
    """The first and last leaf of the period, whose entries need not lie together."""
    wanted = (
        sa.select(sa.func.min(leaves.c.leaf_index), sa.func.max(leaves.c.leaf_index))
        .join(entries, entries.c.id == leaves.c.entry)
        .where(leaves.c.log == log.number, leaves.c.leaf_index < size)
    )
    if period.from_at is not None:
        wanted = wanted.where(entries.c.recorded_at >= period.from_at)
    if period.to_at is not None:
        wanted = wanted.where(entries.c.recorded_at < period.to_at)
    first, last = conn.execute(wanted).one()
    if first is None:
        raise CallerError("nothing_recorded")
    return int(first), int(last) + 1


def _write_leaves(
    conn: Connection, log: Log, writer: _Writer, size: int, scope: tuple[int, int], shown: Collection[int],
    progress: Progress,
) -> None:  # fmt: skip
    """Tiles of the whole tree above level 0; entries within the scope; tiles of leaves there and where `shown` ends."""
    growing, (begin, end) = Growing(log, Range()), scope
    places = {at // TILE_WIDTH for at in shown}
    for first, hashes, bodies in _stretches(conn, log, size, scope):
        for at in range(0, len(hashes), TILE_WIDTH):
            number, tile = (first + at) // TILE_WIDTH, hashes[at : at + TILE_WIDTH]
            is_shown = number in places
            last_partial = len(tile) < TILE_WIDTH
            inside = begin <= first + at < end
            if inside or is_shown or last_partial:
                writer.write(Tile(0, number, len(tile)).path, b"".join(tile))
            if inside:
                writer.write(Bundle(number, len(tile)).path, encode_bundle(bodies[at : at + TILE_WIDTH]))
        for _, level, number, _, data in growing.add(hashes):
            if level:
                writer.write(Tile(level, number).path, data)
        progress(growing.size, size)
    for level, partial in enumerate(growing.partial):
        if level and partial:
            number = (size >> (TILE_HEIGHT * level)) // TILE_WIDTH
            writer.write(Tile(level, number, len(partial)).path, b"".join(partial))


def _stretches(
    conn: Connection, log: Log, size: int, scope: tuple[int, int]
) -> Iterator[tuple[int, list[bytes], list[bytes]]]:
    """First index, leaf hashes and bodies, a whole number of tiles at a time; no bodies outside the scope."""
    begin, end = scope
    for first in range(0, size, _BATCH):
        until = min(size, first + _BATCH)
        within = first < end and until > begin
        wanted: Any = sa.select(leaves.c.leaf_hash, entries.c.body if within else sa.literal(b""))
        if within:
            wanted = wanted.select_from(leaves.join(entries, entries.c.id == leaves.c.entry))
        at = leaves.c.leaf_index
        found = conn.execute(
            wanted.where(leaves.c.log == log.number, at >= first, at < until).order_by(at)
        ).all()  # fmt: skip
        if len(found) != until - first:
            raise CallerError("tree_damaged")
        yield first, [bytes(row[0]) for row in found], [bytes(row[1]) for row in found]
