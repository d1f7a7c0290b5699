"""The door: the only way to change a case. It takes a batch; one event is a batch of one.

Gather (the only reads), decide each (pure), write state rows and audit entries (one statement each). The caller
commits. Commands on the same case are taken in order, each seeing what the one before it did.
"""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime

from sqlalchemy.engine import Connection

from casework import rows
from casework.cases.branch import Branch
from casework.cases.case import CHANGING, COLUMNS
from casework.cases.commands import Command
from casework.cases.door import Door, Part
from casework.cases.gather import Gathered, gather, open_cases
from casework.cases.ownership import Loads
from casework.cases.tables import cases, owner_history
from casework.clock import Clock, now
from casework.driver_errors import is_conflict, is_reference_broken
from casework.errors import TryAgain
from casework.lifecycle.commands import Done, NotDone, Outcome, Refused

_SLICE = 2_500  # commands that are decided while the slice before is written
_SWITCH_INTERVAL_S = 0.0005
_TOGETHER = 300  # cases; beyond it COPY gains more than the round trips saved
_HISTORY = ("case_id", "stream_seq", "since_on", "since_at", "owner", "handler", "post", "reason", "rule")


def advance(
    conn: Connection,
    commands: Sequence[Command],
    branch: Branch,
    *,
    clock: Clock = now,
    lock: rows.Lock = "wait",
    atomic: bool = False,
    keep_refusals: bool = True,
    dry_run: bool = False,
    vouch: Callable[[Connection, int], None] | None = None,
) -> list[Outcome]:
    """Carry out `commands`, each with its own outcome, in the caller's transaction.

    `atomic`: if one is not done, none is; their refusals are still recorded, unless `keep_refusals` says that this was
    no attempt of anybody's (a plan that is looked at again). `dry_run`: decide, write nothing; the
    entry ids are then those that would have been.
    The time is read once the rows are locked, so that it never runs backwards within a case.
    `lock="skip"` answers `case_busy` for a case another transaction holds instead of waiting for it.
    `vouch` gets the register's version as it is once the rows are locked, and may exchange the commands' actors.
    """
    gathered = gather(conn, commands, lock=lock)
    if vouch is not None:
        vouch(conn, gathered.register_version)
    door = _door(conn, branch, gathered, clock(), missing="case_busy" if lock == "skip" else "unknown_case")
    if len(commands) > _SLICE and not (atomic or dry_run) and conn.dialect.name == "postgresql":
        return _overlapped(conn, commands, door)
    outcomes = [door.take(command) for command in commands]
    if dry_run:
        return outcomes
    if atomic and not all(isinstance(outcome, Done) for outcome in outcomes):
        return _only_refusals(conn, commands, outcomes, branch, clock) if keep_refusals else outcomes
    _write(conn, door.part())
    return outcomes


def _door(conn: Connection, branch: Branch, gathered: Gathered, at: datetime, *, missing: str) -> Door:
    roster = branch.roster(conn, gathered.register_version, branch.today(at))
    return Door(branch, gathered, at, roster, Loads(count=lambda people: open_cases(conn, people)), missing=missing)


def _overlapped(conn: Connection, commands: Sequence[Command], door: Door) -> list[Outcome]:
    """Decide a large batch slice by slice while PostgreSQL takes in the slice before.

    The outcome is that of one slice: everything was gathered before, and deciding asks the database nothing. Only the
    writing thread uses the connection meanwhile.
    """
    outcomes: list[Outcome] = []
    door.loads.need(door.roster.colleagues)  # asked now: later the connection belongs to the thread that writes
    interval = sys.getswitchinterval()
    sys.setswitchinterval(min(interval, _SWITCH_INTERVAL_S))  # or the writing thread waits 5 ms for each of its turns
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="casework-door") as behind:
            written: Future[None] | None = None
            for start in range(0, len(commands), _SLICE):
                outcomes += map(door.take, commands[start : start + _SLICE])
                part = door.part()
                if written is not None:
                    written.result()
                written = behind.submit(_write, conn, part)
            if written is not None:
                written.result()
    finally:
        sys.setswitchinterval(interval)
    return outcomes


def _only_refusals(
    conn: Connection, commands: Sequence[Command], outcomes: list[Outcome], branch: Branch, clock: Clock
) -> list[Outcome]:
    """Of an atomic batch that is not done: record what is refused of the cases as they stand.

    What was refused only because of a command before it in the batch, which now does not happen either, is told to
    the caller and not recorded: nothing of the kind was ever tried on the case as it is.
    """
    told: list[Outcome] = [
        NotDone(outcome.id) if isinstance(outcome, Done)
        else replace(outcome, entry_id=None) if isinstance(outcome, Refused)
        else outcome
        for outcome in outcomes
    ]  # fmt: skip
    numbers = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Refused)]
    while numbers:
        refused = [commands[number] for number in numbers]
        door = _door(conn, branch, gather(conn, refused, lock="wait"), clock(), missing="unknown_case")
        recorded = dict(zip(numbers, map(door.take, refused), strict=True))
        numbers = [number for number, outcome in recorded.items() if isinstance(outcome, Refused)]
        if len(numbers) == len(recorded):
            _write(conn, door.part())
            for number, outcome in recorded.items():
                told[number] = outcome
            break
    return told


def _write(conn: Connection, part: Part) -> None:
    """State rows, entries and the unsealed queue, one statement each; a small batch in one round trip.

    CallerError `log_place_taken`; TryAgain if another transaction has meanwhile opened a case of the same loan, or let
    an owner leave: the next look sees it.
    """
    for stream, draft in part.refused_openings:
        part.trail.append(conn, stream, draft)
    part.trail.seal_texts(conn)
    try:
        together = rows.together(conn) if not part.fresh and len(part.changed) <= _TOGETHER else nullcontext()
        with part.trail.places_free(conn), together:
            rows.update_many(conn, cases, "id", part.changed, CHANGING)  # first: it may free a loan for a new case
            rows.insert_many(conn, cases, part.fresh, COLUMNS)
            rows.insert_many(conn, owner_history, part.owners, _HISTORY)
            part.trail.write(conn)
    except Exception as error:
        if is_reference_broken(error):
            raise TryAgain("database_busy", "an owner left at the same moment") from error
        if part.fresh and is_conflict(error):
            raise TryAgain("database_busy", "a case of the same loan was opened at the same moment") from error
        raise
