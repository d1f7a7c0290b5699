"""The sealer: takes entries from the queue into the tree, beside the writers, and has the tree signed.

One sealer at a time (an advisory lock on PostgreSQL, the write lock on SQLite); any number of processes may try. It
goes by the queue and never by a cursor: a lower id can commit later. On SQLite, where a writer keeps out all others,
entries are looked at before the write lock is asked for; they cannot change meanwhile, and whether the tree did is
asked again (docs/log.md §2).
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.clock import Clock, now
from casework.errors import CallerError, TryAgain
from casework.log.format.checkpoint import Checkpoint
from casework.log.format.entry import SignedActor
from casework.log.format.tiles import MalformedTile
from casework.log.tables import (
    entries,
    leaves,
    tiles,
    unsealed,
)
from casework.log.write import logs, receipt_keys, signer
from casework.log.write.grown import (
    TILE_COLUMNS,
    Growing,
    damaged,
    last_published,
    present_log,
    size_of,
)
from casework.log.write.logs import LEAF_COLUMNS
from casework.log.write.sealable import LeftUnsealed, Stretch, read_stretch
from casework.log.write.trail import Trail
from casework.personal import Vault
from casework.storage import rows
from casework.storage.database import reading, writing

STRETCH: Final = 2_000
"""Entries sealed in one transaction: some tens of milliseconds, which is what a writer on SQLite may have to wait."""
EVERY_S: Final = 0.5
OLDEST_S: Final = 10
"""Health fails when an entry waits longer than this (docs/log.md §2)."""
SEALER: Final = SignedActor("system", "system", "sealer")
_LOCK: Final = sa.text(f"SELECT pg_try_advisory_xact_lock({logs.SEAL_LOCK})")
Chore = Callable[[], None]
"""Something to look after in each round, in transactions of its own: at once done with where nothing is due, and safe
when several processes do it. A CallerError or TryAgain of it is reported and holds up neither sealing nor signing."""


@dataclass(slots=True)
class Round:
    """What one round did. `elsewhere`: another process was sealing. `refused`: why the signer would not sign.

    `troubled`: codes of chores that could not do what was due.
    """

    sealed: int = 0
    left: list[LeftUnsealed] = field(default_factory=list)
    elsewhere: bool = False
    checkpoint: Checkpoint | None = None
    refused: CallerError | None = None
    troubled: list[str] = field(default_factory=list)


class _Moved(Exception):
    """Another sealer was quicker; nothing was changed."""


class Sealer:
    """Seals rounds of the queue; keeps the tree's right edge in memory between them."""

    def __init__(
        self, engine: Engine, mac_key: bytes, vault: Vault, keys_dir: Path, *, clock: Clock = now,
        stretch: int = STRETCH, before: Sequence[Chore] = (), after: Sequence[Chore] = (),
    ) -> None:  # fmt: skip
        """`before`: chores that write entries for this round to seal; `after`: those that follow what is sealed."""
        self._engine = engine
        self._mac_key = mac_key
        self._vault = vault
        self._keys_dir = keys_dir
        self._clock = clock
        self._stretch = stretch
        self._before = before
        self._after = after
        self._growing: Growing | None = None

    def round(self) -> Round:
        """Seal what the queue holds now, then sign. TryAgain when the database could not take it.

        CallerErrors: where there is no log yet, what keeps one from beginning (`signing_key_missing`, `tree_shrank`);
        `tree_damaged` when the tree cannot be read back.
        """
        done = Round()
        self._see_to(self._before, done)
        with reading(self._engine) as conn:
            waiting = conn.execute(sa.select(unsealed.c.entry).limit(1)).scalar() is not None
        if waiting:
            self._seal(done)
        try:
            done.checkpoint = self._sign()
        except CallerError as refusal:
            done.refused = refusal
        self._see_to(self._after, done)
        return done

    @staticmethod
    def _see_to(chores: Sequence[Chore], done: Round) -> None:
        for chore in chores:
            try:
                chore()
            except (CallerError, TryAgain) as trouble:
                done.troubled.append(trouble.code)

    def watch(
        self, stop: threading.Event, *, every_s: float = EVERY_S,
        tell: Callable[[Round | CallerError | TryAgain], None] = lambda _: None,
    ) -> None:  # fmt: skip
        """Rounds until `stop`; whatever keeps one from its end is reported, and the next one tries again."""
        while not stop.is_set():
            began = monotonic()
            try:
                tell(self.round())
            except (CallerError, TryAgain) as failure:
                tell(failure)
            stop.wait(max(0.0, every_s - (monotonic() - began)))

    def _sign(self) -> Checkpoint | None:
        """Ask the signer, unless tree, newest checkpoint and the signer's memory are of one size."""
        remembered = signer.read_memory(self._keys_dir)
        with reading(self._engine) as conn:
            log = present_log(conn)
            signed = last_published(conn, log) if log else None
            size = size_of(conn, log) if log else 0
        if size == (signed.size if signed else 0) == (remembered.size if remembered else 0):
            return None
        return signer.sign(self._engine, self._keys_dir, clock=self._clock)

    def _seal(self, done: Round) -> None:
        after: int | None = 0
        while after is not None:
            try:
                stretch = self._seal_stretch(after)
            except _Moved:
                done.elsewhere = True
                return
            except MalformedTile:
                raise damaged() from None
            done.sealed += len(stretch.sealable)
            done.left += stretch.left
            after = stretch.until

    def _seal_stretch(self, after: int) -> Stretch:
        """One transaction; the tree in memory is given up whenever it may not have been committed."""
        growing, self._growing = self._growing, None
        log = ahead = None
        if self._engine.dialect.name == "sqlite":
            with reading(self._engine) as conn:
                log = present_log(conn)
                ahead = read_stretch(conn, log, self._mac_key, after=after, limit=self._stretch) if log else None
            if ahead is not None and not ahead.sealable:
                self._growing = growing
                return ahead
        with writing(self._engine) as conn:
            growing = self._held(conn, growing)
            if ahead is not None and growing.log != log:
                raise _Moved
            if ahead is None:
                ahead = read_stretch(conn, growing.log, self._mac_key, after=after, limit=self._stretch)
            store(conn, growing, ahead)
        self._growing = growing
        return ahead

    def _held(self, conn: Connection, growing: Growing | None) -> Growing:
        """The present log's tree, with the seal held until the transaction ends; `_Moved` when another holds it."""
        if conn.dialect.name != "sqlite" and not conn.execute(_LOCK).scalar():
            raise _Moved
        log = present_log(conn)
        if log is None:
            return self._begun(conn)
        if growing is None or growing.log != log or growing.size != size_of(conn, log):
            growing = Growing.read(conn, log)
        return growing

    def _begun(self, conn: Connection) -> Growing:
        signer.check_nothing_signed(signer.read_memory(self._keys_dir))
        keys = signer.read_keys(self._keys_dir)
        also = receipt_keys.announcement(self._keys_dir, keys.origin, SEALER)
        return logs.begin(conn, Trail(self._mac_key, self._vault, self._clock()), SEALER, keys, also=also)


def store(conn: Connection, growing: Growing, stretch: Stretch) -> None:
    """Make leaves of what may be sealed, the tiles that they fill, and take it from the queue.

    `_Moved`, and nothing may be committed, when another sealer has taken some of it meanwhile.
    """
    if not stretch.sealable:
        return
    number, begin = growing.log.number, growing.size
    taken = rows.delete_many(conn, unsealed, "entry", [row for row, _ in stretch.sealable])
    if taken != len(stretch.sealable):
        raise _Moved
    new = [(number, begin + place, row, leaf) for place, (row, leaf) in enumerate(stretch.sealable)]
    rows.insert_many(conn, leaves, new, LEAF_COLUMNS)
    rows.insert_many(conn, tiles, growing.add([leaf for _, leaf in stretch.sealable]), TILE_COLUMNS)


def oldest_waiting_s(conn: Connection, clock: Clock = now) -> float:
    """The age of the oldest entry that is not sealed, in seconds; 0 where all are."""
    first = sa.select(sa.func.min(unsealed.c.entry)).scalar_subquery()
    at = conn.execute(sa.select(entries.c.recorded_at).where(entries.c.id == first)).scalar_one_or_none()
    return max(0.0, (clock() - at).total_seconds()) if at else 0.0


def oldest_unsigned_s(conn: Connection) -> float:
    """The age of the oldest sealed entry that no checkpoint covers, in seconds; 0 where all are covered."""
    log = present_log(conn)
    if log is None:
        return 0.0
    signed = last_published(conn, log)
    first = (leaves.c.log == log.number) & (leaves.c.leaf_index == (signed.size if signed else 0))
    found = sa.select(entries.c.recorded_at).join(leaves, leaves.c.entry == entries.c.id).where(first)
    at = conn.execute(found).scalar_one_or_none()
    return max(0.0, (now() - at).total_seconds()) if at else 0.0
