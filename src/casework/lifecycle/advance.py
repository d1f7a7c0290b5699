"""The door: the only way to change a subject of a chart. It takes a batch; one event is a batch of one.

Gather (the only reads), decide each (pure), write state rows and audit entries (one statement each). The caller
commits. Commands on the same subject are taken in order, each seeing what the one before it did.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Protocol

import msgspec
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import TryAgain
from casework.lifecycle.afterwards import Afterwards, follow_up, is_followed
from casework.lifecycle.ahead import Decided, packed, unpacked
from casework.lifecycle.batch import BatchPart, Rules
from casework.lifecycle.commands import Done, NotDone, Outcome, Refused
from casework.lifecycle.door import Door
from casework.lifecycle.gather import Gathered, gather
from casework.lifecycle.kept import Kept
from casework.log.tables import streams
from casework.log.write.trail import NOT_BEGUN, Trail, locked_head
from casework.personal import Vault
from casework.storage import rows
from casework.storage.driver_errors import is_conflict, is_reference_broken
from casework.storage.forked import AHEAD_FROM, made_ahead


class House(Protocol):
    """What the door needs besides a connection: the nouns (the main one first), the rules, the keys."""

    @property
    def nouns(self) -> Sequence[Kept]:
        """The nouns, the main one first."""
        ...

    @property
    def rulebook(self) -> Rules:
        """Charts, policies, permissions."""
        ...

    @property
    def vault(self) -> Vault:
        """The keys of personal data."""
        ...

    @property
    def afterwards(self) -> Afterwards:
        """What follows some acts, in the same transaction."""
        ...

    def trail(self, now: datetime) -> Trail:
        """The entries of one transaction."""
        ...


_SLICE = 1_250  # commands that are decided before they are written, on PostgreSQL while the slice before is
_SLICE_AHEAD = 500  # less: the two begin and end apart by a slice
_FIRST_PART = 8  # of a slice: the first is written while little is decided, so that who writes waits for little
_BEHIND = 2  # slices that are handed over and not yet written: then who decides waits
_SWITCH_INTERVAL_S = 0.0001
_TOGETHER = 300  # subjects; beyond it COPY gains more than the round trips saved
_HEADS = ("stream", "last_entry_at", "audit_seq", "audit_head")


def advance(
    conn: Connection,
    commands: Sequence[Any],
    house: House,
    *,
    clock: Clock = now,
    lock: rows.Lock = "wait",
    atomic: bool = False,
    keep_refusals: bool = True,
    dry_run: bool = False,
    asking: Callable[[], None] | None = None,
    vouch: Callable[[Connection, int], None] | None = None,
    also: Callable[[list[Outcome]], None] | None = None,
    ahead: bool = False,
    meanwhile: Callable[[], None] | None = None,
) -> list[Outcome]:
    """Carry out `commands`, each with its own outcome, in the caller's transaction.

    `atomic`: if one is not done, none is; their refusals are still recorded, unless `keep_refusals` says that this was
    no attempt of anybody's (a plan that is looked at again). `dry_run`: decide, write nothing; the
    entry ids are then those that would have been.
    The time is read once the rows are locked, so that it never runs backwards within a stream.
    `lock="skip"` answers `<noun>_busy` for a subject another transaction holds instead of waiting for it.
    `asking` sends what the caller has to ask in the round trip that locks and reads; the answers are there for `vouch`.
    `vouch` gets the register's version as it is once the rows are locked, and may exchange the commands' actors.
    `also` may write what goes with these outcomes, in the round trip that writes them: it asks nothing, and it is not
    called where nothing is written together (dry runs, atomic batches that are not done, very large ones).
    `ahead`: a very large batch may be decided in a second process while this one writes it, on SQLite; PostgreSQL is
    that second process already (decision 0081). The caller has no other thread that could have locked something.
    `meanwhile`: what the caller has to do that asks the database nothing; of a very large batch it is called once while
    another process or thread is at work on it, else not at all (held by `tests/feed/test_asked_once.py`).
    """
    gathered = gather(conn, commands, house.nouns, house.vault, lock=lock, followed=house.afterwards, asking=asking)
    if vouch is not None:
        vouch(conn, gathered.register_version)
    door = _door(conn, house, commands, gathered, clock(), busy=lock == "skip")
    if len(commands) > _SLICE and not (atomic or dry_run):
        followed = any(is_followed(command, house.afterwards) for command in commands)
        outcomes = _by_slices(
            conn, commands, door, ahead=ahead and not followed, meanwhile=meanwhile or _nothing,
            decided_all=_nothing if followed else gathered.subjects.clear,
        )  # fmt: skip
        if followed:
            follow_up(conn, house, commands, outcomes, gathered.subjects, clock)
        return outcomes
    outcomes = [door.take(command) for command in commands]
    if dry_run:
        return outcomes
    if atomic and not all(isinstance(outcome, Done) for outcome in outcomes):
        return _only_refusals(conn, commands, outcomes, house, clock) if keep_refusals else outcomes
    write(conn, door.part(), None if also is None else partial(also, outcomes))
    follow_up(conn, house, commands, outcomes, gathered.subjects, clock)
    return outcomes


def _door(
    conn: Connection, house: House, commands: Sequence[Any], gathered: Gathered, at: datetime, *, busy: bool = False
) -> Door:
    trail = house.trail(at)
    prepared = {
        noun.chart: noun.prepare(conn, house, commands, gathered, trail.today)
        for noun in house.nouns if noun.prepare is not None
    }  # fmt: skip
    return Door(house.nouns, house.rulebook, gathered, trail, prepared=prepared, busy=busy)


def _nothing() -> None:
    """What nearly all callers have to do meanwhile."""


def _by_slices(
    conn: Connection, commands: Sequence[Any], door: Door, *, ahead: bool, meanwhile: Callable[[], None],
    decided_all: Callable[[], None],
) -> list[Outcome]:  # fmt: skip
    """Decide a large batch slice by slice, so that what is to be written of it stays small.

    The outcome is that of one slice: everything was gathered before, and deciding asks the database nothing.
    `decided_all`: what may be let go then, while PostgreSQL is still at work on the last of it.
    """
    for prepared in door.prepared.values():
        prepared.ask_all()  # now: later the database would tell what the slices before have written
    embedded = conn.dialect.name == "sqlite"
    if embedded and ahead and len(commands) >= AHEAD_FROM:
        return _ahead(conn, commands, door, meanwhile)
    decided = _decided(commands, door, _SLICE)
    return _in_turns(conn, decided) if embedded else _overlapped(conn, decided, meanwhile, decided_all)


def _decided(commands: Sequence[Any], door: Door, at_most: int) -> Iterator[Decided]:
    left, at_once = iter(commands), max(at_most // _FIRST_PART, 1)
    while some := [*islice(left, at_once)]:
        yield [*map(door.take, some)], door.part()
        at_once = min(2 * at_once, at_most)


def _in_turns(conn: Connection, decided: Iterator[Decided]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for told, part in decided:
        outcomes += told
        write(conn, part)
    return outcomes


def _ahead(
    conn: Connection, commands: Sequence[Any], door: Door, meanwhile: Callable[[], None]
) -> list[Outcome]:  # fmt: skip
    """The same while a second process decides the slices behind; what it knows of the subjects ends with it."""
    with made_ahead(map(packed, _decided(commands, door, _SLICE_AHEAD))) as parts:
        meanwhile()
        return _in_turns(conn, (unpacked(door, one) for one in parts))


def _overlapped(
    conn: Connection, decided: Iterator[Decided], meanwhile: Callable[[], None], decided_all: Callable[[], None]
) -> list[Outcome]:  # fmt: skip
    """The same while PostgreSQL takes in the slices before: only the writing thread uses the connection meanwhile.

    PostgreSQL takes longer for a slice than we do. So `meanwhile` is called when we would wait for it the first time:
    it goes on with what is decided by then, and is not left without a slice.
    """
    outcomes: list[Outcome] = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(min(interval, _SWITCH_INTERVAL_S))  # or the writing thread waits 5 ms for each of its turns
    waiting = deque[Future[None]]()
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="casework-door") as behind:
            try:
                for told, part in decided:
                    outcomes += told
                    waiting.append(behind.submit(write, conn, part))
                    while waiting and waiting[0].done():
                        waiting.popleft().result()
                    if len(waiting) >= _BEHIND and len(told) == _SLICE:  # of the first, smaller ones more may wait
                        meanwhile()
                        meanwhile = _nothing
                        waiting.popleft().result()
                decided_all()
                meanwhile()
                while waiting:
                    waiting.popleft().result()
            finally:  # of a slice that could not be written those behind it are none either
                behind.shutdown(cancel_futures=True)
    finally:
        sys.setswitchinterval(interval)
    return outcomes


def _only_refusals(
    conn: Connection, commands: Sequence[Any], outcomes: list[Outcome], house: House, clock: Clock
) -> list[Outcome]:
    """Of an atomic batch that is not done: record what is refused of the subjects as they stand.

    What was refused only because of a command before it in the batch, which now does not happen either, is told to
    the caller and not recorded: nothing of the kind was ever tried on the subject as it is.
    """
    told: list[Outcome] = [
        NotDone(outcome.id) if isinstance(outcome, Done)
        else msgspec.structs.replace(outcome, entry_id=None) if isinstance(outcome, Refused)
        else outcome
        for outcome in outcomes
    ]  # fmt: skip
    numbers = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Refused)]
    while numbers:
        refused = [commands[number] for number in numbers]
        gathered = gather(conn, refused, house.nouns, house.vault, lock="wait")
        door = _door(conn, house, refused, gathered, clock())
        recorded = dict(zip(numbers, map(door.take, refused), strict=True))
        numbers = [number for number, outcome in recorded.items() if isinstance(outcome, Refused)]
        if len(numbers) == len(recorded):
            write(conn, door.part())
            for number, outcome in recorded.items():
                told[number] = outcome
            break
    return told


def write(conn: Connection, part: BatchPart, also: Callable[[], None] | None = None) -> None:
    """State rows, entries and the unsealed queue, one statement each; a small batch in one round trip, `also` in it.

    CallerError `log_place_taken`; TryAgain if another transaction has meanwhile opened the like, or let somebody go
    whom a row names: the next look sees it.
    """
    for stream, draft in part.refused_openings:
        part.trail.append(conn, stream, draft)
    for stream in part.begun:
        if locked_head(conn, stream) != NOT_BEGUN:
            raise TryAgain("database_busy", "the stream was begun at the same moment")
    part.trail.seal_texts(conn)
    few = sum(len(changed) for _, changed in part.changed) <= _TOGETHER
    try:
        together = rows.together(conn) if not part.fresh and few else nullcontext()
        with part.trail.places_free(conn), together:
            for noun, changed in part.changed:  # first: it may make room for a new one
                rows.update_many(conn, noun.table, "id", changed, noun.rows.changing)
            for noun, fresh in part.fresh:
                rows.insert_many(conn, noun.table, fresh, noun.rows.columns)
            for table, columns, beside in part.beside:
                rows.insert_many(conn, table, beside, columns)
            rows.update_many(conn, streams, "stream", part.heads, _HEADS[1:])
            part.trail.write(conn)
            if also is not None:
                also()
    except Exception as error:
        if is_reference_broken(error):
            raise TryAgain("database_busy", "somebody left at the same moment") from error
        if part.fresh and is_conflict(error):
            raise TryAgain("database_busy", "the like was opened at the same moment") from error
        raise
