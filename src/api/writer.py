"""The one writer of a process: requests that arrive together share a transaction.

No timer: the writer takes everything that waits, runs it, commits, answers, and looks again; an idle service adds no
delay. What the event loop comes upon meanwhile is handed over together (`api.gathering`): a transaction costs more than
the events in it. A case that another process holds sends its job to the slow lane, which waits for it alone. If a
shared batch fails, but for a database that is full or gone, its jobs run again one at a time, so that nobody pays for
a stranger's mistake.
"""

import asyncio
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from time import monotonic

from sqlalchemy.engine import Connection

from api import idempotency
from api.auth import still_holds
from api.gathering import Gathering
from api.idempotency import StoredAnswer
from api.jobs import Claim, Job, Settled
from api.logs import FailedRequest, log_bug
from api.metrics import Metrics, counted
from api.receipts import shared_out
from casework.clock import now
from casework.errors import CallerError, TryAgain
from casework.lifecycle.advance import advance
from casework.lifecycle.afterwards import is_followed
from casework.lifecycle.commands import Done, Mistaken, Open, Outcome, Refused
from casework.log.write.trail import Collected, collecting
from casework.operation.startup import Started
from casework.people.identity.sessions import not_authenticated
from casework.storage import rows
from casework.storage.database import commit_with_these, writing
from casework.storage.driver_errors import is_conflict

MAX_BATCH = 256
MAX_WAITING = 2_048
SWITCH_INTERVAL_S = 0.0002
"""How long the event loop may keep the interpreter while the writer's next statement is ready. After every answer of
the database the writer has to get it back: at Python's 5 ms, a batch of a dozen statements waits longer than it
works."""
PURGE_EVERY_S = 30.0
_TRIES = 3


class Writer:
    """Two threads: the fast lane takes everything, the slow lane what has to wait or is large."""

    def __init__(self, started: Started, metrics: Metrics) -> None:
        self._started = started
        self._metrics = metrics
        self._lock = threading.Lock()
        self._fast_wake = threading.Condition(self._lock)
        self._slow_wake = threading.Condition(self._lock)
        self._gathering = Gathering(self._hand_over, at_most=MAX_BATCH)
        self._fast: deque[Job] = deque()
        self._slow: deque[Job] = deque()
        self._keys: set[tuple[str, str]] = set()
        self._stopping = self._fast_ended = False
        self._purge_at = 0.0
        self._busy_since: float | None = None
        self._first_lock: rows.Lock = "wait" if started.engine.dialect.name == "sqlite" else "skip"
        self._threads = [
            threading.Thread(target=self._run_fast, name="casework-writer", daemon=True),
            threading.Thread(target=self._run_slow, name="casework-writer-slow", daemon=True),
        ]

    # ── for the event loop ──────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin to write."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        for thread in self._threads:
            thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether both lanes run."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def busy_s(self) -> float:
        """For how long the fast lane has been at the transaction that it is in, in seconds; 0 between two."""
        since = self._busy_since
        return 0.0 if since is None else monotonic() - since

    def stop(self) -> None:
        """Write all that waits, then end; blocks until it is done."""
        with self._lock:
            self._stopping = True
            self._fast.extend(self._gathering.take())
            self._fast_wake.notify_all()
            self._slow_wake.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    async def write(self, job: Job) -> StoredAnswer:
        """The job's answer once it is committed; CallerError, TryAgain, or the bug that came of it."""
        job.loop = asyncio.get_running_loop()
        job.future = job.loop.create_future()
        if any(is_followed(command, self._started.branch.afterwards) for command in job.commands):
            job.alone = True  # it holds all of a customer, and what follows is in no other's receipt
        with self._lock:
            self._admit(job)
            if job.alone:
                self._slow.append(job)
                self._slow_wake.notify()
            else:
                self._gathering.add(job)
        return await job.future

    def _hand_over(self, jobs: list[Job]) -> None:
        with self._lock:
            self._fast.extend(jobs)
            self._fast_wake.notify()

    def _admit(self, job: Job) -> None:
        if self._stopping:
            raise TryAgain("shutting_down", "the service is stopping", retry_after_s=5)
        if self._waiting() >= MAX_WAITING:
            raise TryAgain("overloaded", "too much work is waiting")
        if job.key is not None:
            if job.key.name in self._keys:
                raise idempotency.running()
            self._keys.add(job.key.name)

    def _waiting(self) -> int:
        return len(self._gathering) + len(self._fast) + len(self._slow)

    # ── the lanes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _run_fast(self) -> None:
        while batch := self._take():
            self._metrics.queue.set(self._waiting())
            self._write_together(batch)
            self._deliver(batch)
        with self._lock:
            self._fast_ended = True
            self._slow_wake.notify_all()  # the slow lane ends only after this one

    def _take(self) -> list[Job]:
        with self._lock:
            while not self._fast:
                if self._stopping:
                    return []
                self._fast_wake.wait()
            return [self._fast.popleft() for _ in range(min(len(self._fast), MAX_BATCH))]

    def _run_slow(self) -> None:
        while True:
            with self._lock:
                while not self._slow:
                    if self._fast_ended:
                        return
                    self._slow_wake.wait()
                job = self._slow.popleft()
            self._write_alone(job)
            self._deliver([job])

    def _write_together(self, batch: list[Job]) -> None:
        try:
            self._transaction(batch, self._first_lock)
            return
        except Settled as settled:
            rest = settled.answer(batch)
            if rest:
                self._write_together(rest)
            return
        except TryAgain as failure:
            if failure.code != "database_busy":
                for job in batch:
                    job.result = failure
                return
        except Exception as error:  # noqa: BLE001  # told apart one at a time
            if len(batch) == 1 and not is_conflict(error):
                self._failed(batch[0], error)
                return
        for job in batch:
            self._write_alone(job)

    def _write_alone(self, job: Job) -> None:
        for attempt in range(_TRIES):
            try:
                self._transaction([job], "wait")
                return
            except Settled as settled:
                settled.answer([job])
                return
            except TryAgain as failure:
                job.result = failure
                if failure.code != "database_busy":
                    return
            except Exception as error:  # noqa: BLE001  # the caller gets a 500, the log the place
                # Another process opened a case of the same loan, or answered the key: the next look sees it.
                if not is_conflict(error) or attempt == _TRIES - 1:
                    self._failed(job, error)
                    return

    def _failed(self, job: Job, error: Exception) -> None:
        if not isinstance(error, CallerError):
            log_bug(job.request_id, error)
            error = FailedRequest()
        job.result = error

    def _transaction(self, jobs: list[Job], lock: rows.Lock) -> None:
        """One transaction; results are set only for what it decided. Jobs whose case is held elsewhere change lanes."""
        with self._timed(), writing(self._started.engine) as conn:
            results, counts = self._decide(conn, jobs, lock)
        for job, result in results:
            job.result = result
        if counts:
            self._metrics.batch.observe(len(counts))
            for event, outcome in counts:
                self._metrics.command(event, outcome)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """What the fast lane is at; in the slow one a transaction may take its time."""
        if threading.current_thread() is not self._threads[0]:
            yield
            return
        self._busy_since = monotonic()
        try:
            yield
        finally:
            self._busy_since = None

    def _decide(
        self, conn: Connection, jobs: list[Job], lock: rows.Lock
    ) -> tuple[list[tuple[Job, StoredAnswer]], list[tuple[str, str]]]:
        moment, mac_key = now(), self._started.branch.mac_key
        claim = Claim(conn, jobs, moment, mac_key)
        answered: list[tuple[Job, StoredAnswer, list[tuple[str, str]]]] = []
        collected = collecting(conn)
        alone = any(job.alone for job in jobs)
        purging = claim.any_keys and monotonic() > self._purge_at

        def store(outcomes: list[Outcome]) -> None:
            """Make the answers, and keep those that may be asked for again."""
            answered.extend(self._answered(jobs, outcomes, collected, lock))
            stored = [(job.key, answer) for job, answer, _ in answered if job.key is not None and not job.dry_run]
            idempotency.store(conn, stored, moment, mac_key)
            if not (alone or purging):
                commit_with_these(conn)

        # With what the log is given, unless more may follow that their receipts speak of.
        outcomes = self._advance(conn, jobs, lock, claim, None if alone else store)
        if not answered:
            store(outcomes)
        if purging:
            self._purge_at = monotonic() + (0.0 if idempotency.purge(conn, moment) else PURGE_EVERY_S)
        return [(job, answer) for job, answer, _ in answered], [count for *_, counts in answered for count in counts]

    def _answered(
        self, jobs: list[Job], outcomes: list[Outcome], collected: Collected, lock: rows.Lock
    ) -> Iterator[tuple[Job, StoredAnswer, list[tuple[str, str]]]]:
        """Of each job its answer and what is counted; none of those whose case the slow lane will wait for."""
        places, rulebook = iter(outcomes), self._started.branch.rulebook
        of_all = [[next(places) for _ in job.commands] for job in jobs]
        changes = shared_out(collected, [list(map(_first_entry, of_job)) for of_job in of_all])
        for job, of_job, change in zip(jobs, of_all, changes, strict=True):
            if lock == "skip" and any(isinstance(one, Mistaken) and one.code.endswith("_busy") for one in of_job):
                continue
            told = [] if job.dry_run else zip(job.commands, of_job, strict=True)
            yield job, replace(job.answer(of_job), change=change), [counted(rulebook, *pair) for pair in told]

    def _advance(
        self, conn: Connection, jobs: list[Job], lock: rows.Lock, claim: Claim,
        also: Callable[[list[Outcome]], None] | None,
    ) -> list[Outcome]:  # fmt: skip
        commands = [command for job in jobs for command in job.commands]
        first = jobs[0]
        if not all(command.noun is None and not isinstance(command, Open) for command in commands):
            claim.ask()  # before numbers are taken, or a customer's cases held, for what was answered long ago
            claim.settle()
        return advance(
            conn,
            commands,
            self._started.branch,
            lock=lock,
            atomic=first.atomic,
            dry_run=first.dry_run,
            asking=claim.ask,
            vouch=partial(self._vouch, jobs, claim),
            also=also,
        )

    def _vouch(self, jobs: list[Job], claim: Claim, conn: Connection, version: int) -> None:
        """Look tokens up again that were found under another version of the register; `Settled` with what ends here.

        No statement while nobody's posts or tokens have changed.
        """
        claim.settle()
        dead: list[tuple[Job, StoredAnswer | CallerError]] = []
        for job in jobs:
            if job.holder is None or job.holder.actor.register_version == version:
                continue
            holder = still_holds(conn, job.holder, now(), self._started.branch)
            if holder is None:
                dead.append((job, not_authenticated()))
                continue
            for command in job.commands:
                command.actor = holder.actor
        if dead:
            raise Settled(dead)

    # ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _deliver(self, batch: list[Job]) -> None:
        """Hand answers back to the event loop: one call for all of them."""
        done = [job for job in batch if job.result is not None]
        with self._lock:
            for job in done:
                if job.key is not None:
                    self._keys.discard(job.key.name)
            waiting = [job for job in batch if job.result is None]
            if waiting:
                self._slow.extend(waiting)
                self._slow_wake.notify()
            if threading.current_thread() is self._threads[0]:
                self._gathering.is_wanted = not self._fast
        loop = batch[0].loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._resolve, done)

    def _resolve(self, jobs: list[Job]) -> None:
        """In the event loop's thread."""
        _resolve(jobs)
        self._gathering.look()  # their answers go first


def _first_entry(outcome: Outcome) -> str | None:
    """As `shared_out` takes it."""
    match outcome:
        case Done():
            return outcome.entry_id
        case Refused():
            return "" if outcome.entry_id is None and outcome.id is None else outcome.entry_id
        case _:
            return None


def _resolve(jobs: list[Job]) -> None:
    for job in jobs:
        if job.future is None or job.future.done():
            continue
        if isinstance(job.result, StoredAnswer):
            job.future.set_result(job.result)
        elif job.result is not None:
            job.future.set_exception(job.result)
