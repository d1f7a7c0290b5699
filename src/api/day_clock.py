"""The clock by which the service closes its days and makes its mornings itself (CASEWORK_SWEEP_AT).

Of several processes one does it. It looks every half minute, so a day that was missed while nobody ran is closed as
soon as somebody does, and then the morning that has begun is made (policy `task.lists_at`).
"""

import threading
from collections import Counter
from datetime import date, time
from functools import partial
from zoneinfo import ZoneInfo

from api.beside import Beside
from api.logs import log, log_bug
from casework.clock import Clock, now
from casework.errors import CallerError, TryAgain
from casework.operation.closing import Closed, close, day_due, is_open
from casework.operation.morning import Morning, is_made, make_morning, morning_due, waits_for_close
from casework.operation.startup import Started
from casework.people.staff.actor import system
from casework.storage.database import reading
from casework.work.cases.gather import business_dates

_LOOK_EVERY_S = 30.0


class DayClock(Beside):
    """Closes every day at `sweep_at`, if that is set, and makes each morning after it, until it is stopped.

    A day that is being closed then is closed first. What troubles it is logged when it changes.
    """

    def __init__(self, started: Started, *, clock: Clock = now, look_every_s: float = _LOOK_EVERY_S) -> None:
        self._started, self._clock, self._look_every_s = started, clock, look_every_s
        self._trouble: object = None
        self._refused: date | None = None
        self._refused_morning: date | None = None
        at = started.settings.sweep_at
        super().__init__("casework-day-clock", None if at is None else partial(self._run, at))

    def _run(self, at: time, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                self._look(at)
                self._look_at_morning()
            except (CallerError, TryAgain) as trouble:
                self._told(trouble.code)
            except Exception as error:  # noqa: BLE001  # nobody waits for it: the log must tell, and the clock go on
                log_bug("day_clock", error)
            stopping.wait(self._look_every_s)

    def _look(self, at: time) -> None:
        engine, branch = self._started.engine, self._started.branch
        day = day_due(at, self._clock().astimezone(ZoneInfo(branch.time_zone)))
        if day == self._refused:
            return
        with reading(engine) as conn:
            if not is_open(conn, day):
                return
        try:
            done = close(engine, branch, day, once=True, clock=self._clock)
        except CallerError:
            self._refused = day  # it will not be taken in half a minute either
            raise
        self._told(None)
        if not done.stepped_aside:
            _tell(done)

    def _look_at_morning(self) -> None:
        engine, branch = self._started.engine, self._started.branch
        on = morning_due(branch, self._clock())
        if on is None or on == self._refused_morning:
            return
        with reading(engine) as conn:
            if is_made(conn, on) or not business_dates(conn):
                return
            if waits_for_close(conn, on):
                self._told("day_not_closed")
                return
        try:
            made = make_morning(engine, branch, on, system("sweep"), clock=self._clock)
        except CallerError:
            self._refused_morning = on
            raise
        self._told(None)
        if not made.stepped_aside:
            _tell_morning(made)

    def _told(self, code: str | None) -> None:
        if code != self._trouble and code is not None:
            log().error("day_clock", code=code)
        self._trouble = code


def _tell_morning(made: Morning) -> None:
    given = made.distributed
    if given is not None:
        unplaced = Counter(f"{one.post}: {one.code}" for one in given.unplaced)
        told = {"moves": len(given.moves), "refused": len(given.refused), "unplaced": dict(sorted(unplaced.items()))}
        log().info("morning_made", on=made.on.isoformat(), tasks=made.tasks, **told)


def _tell(done: Closed) -> None:
    log().info("day_closed", days=[day.isoformat() for day in done.swept.days], fired=done.swept.fired)
    for institution, last in done.swept.without_feed.items():
        log().error("feed_missing", institution=institution, last=last.isoformat())
    for failed in done.departures.failed:
        log().error("hand_over_not_applied", handover=failed.handover, code=failed.code)
    if done.file_trouble is not None:
        log().error("files_not_dropped", trouble=done.file_trouble)
    if done.unknown_years:
        log().warning("calendar_unknown", years=done.unknown_years)
