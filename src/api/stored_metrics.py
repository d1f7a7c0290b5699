"""Prometheus: what only the database knows, and what sealing came to, asked for at each scrape.

The count by state, which looks at every case, is made once in `HELD_S` at most, however often somebody scrapes; all
else is a few rows, found by an index or in small tables.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from math import inf
from time import monotonic
from typing import Final

import msgspec
import sqlalchemy as sa
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.engine import Connection, Engine

from api.sealing import Sealing
from api.sealing_apart import SealingApart
from casework.clock import now
from casework.errors import CallerError, TryAgain
from casework.evidence import verifying
from casework.intake.feed.held_back import feed_health
from casework.intake.feed.run import APPLIED
from casework.intake.feed.tables import feed_runs
from casework.log.backups import BACKUPS
from casework.log.check.findings import Report
from casework.log.format.tree import MAX_SIZE
from casework.log.tables import streams
from casework.log.write.grown import last_published, present_log, size_of
from casework.log.write.seal import oldest_waiting_s
from casework.operation import closing
from casework.operation.alarms import feeds_behind, visits_not_ended, years_without_days_off
from casework.people.identity.brake import locked_now
from casework.storage import jobs
from casework.storage.database import UtcDateTime, reading
from casework.work.cases.branch import Branch
from casework.work.cases.unverified import Unverified, unverified
from casework.work.handover.orphans import count_orphans, departures_ahead
from casework.work.handover.sweep import warning_days

HELD_S: Final = 60.0
_NOT_REFUSED: Final = "none"
_RUNS = sa.select(
    feed_runs.c.institution, feed_runs.c.status, sa.func.count().label("number"),
    sa.func.max(feed_runs.c.finished_at, type_=UtcDateTime).label("last_at"),
).group_by(feed_runs.c.institution, feed_runs.c.status)  # fmt: skip


class Stored(Collector):
    """Read from the database at each scrape."""

    def __init__(
        self, engine: Engine, branch: Branch, why_not: Callable[[], CallerError | None], sealing: Sealing | SealingApart
    ) -> None:  # fmt: skip
        """`why_not` says why work cannot be taken, and none where it can."""
        self._engine = engine
        self._branch = branch
        self._why_not = why_not
        self._sealing = sealing
        self._refused: dict[str, bool] = {}
        self._counted: tuple[float, GaugeMetricFamily] | None = None

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of the scrape: registering must not touch the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Whether work can be taken, whether the database answered, and what it said."""
        failure = self._why_not()
        yield _gauge("ready", "Whether work can be taken.", failure is None)
        not_ready = _gauge("not_ready", "1 for the code of what stands in the way of work.", labels=["code"])
        if failure is not None:
            not_ready.add_metric([failure.code], 1)
        yield not_ready
        yield from self._of_sealing()
        found: list[Metric] = []
        try:
            if failure is not None and failure.code == "database_gone":  # it is not waited for twice
                raise TryAgain(failure.code, str(failure))
            with reading(self._engine) as conn:
                found += [*_of_log(conn), *_of_feeds(conn, self._branch), *_of_work(conn, self._branch), *_ages(conn)]
                found += [_locked(conn), self._by_state(conn)]
        except TryAgain:
            found.clear()
        yield _gauge("database_up", "Whether the database answered this scrape.", bool(found))
        yield from found

    def _of_sealing(self) -> Iterable[Metric]:
        refusal = self._sealing.refusal
        self._refused = dict.fromkeys(self._refused, False) | {refusal.code if refusal else _NOT_REFUSED: bool(refusal)}
        refused = _gauge("signer_refused", "Whether the signer refuses, by what it says; none: it does not.",
                         labels=["code"])  # fmt: skip
        for code, is_so in self._refused.items():
            refused.add_metric([code], is_so)
        yield refused
        ends = "How often the process that seals ended unasked and was begun again."
        yield CounterMetricFamily("casework_sealer_ends", ends, value=self._sealing.ends)

    def _by_state(self, conn: Connection) -> GaugeMetricFamily:
        """How many of each noun are in each state of its chart, none included: a state that is emptied says 0."""
        if self._counted is not None and self._counted[0] > monotonic():
            return self._counted[1]
        counts = _gauge("subjects", "How many there are by state.", labels=["noun", "state"])
        for noun in self._branch.nouns:
            column = noun.table.c.state
            found = dict.fromkeys(self._branch.rulebook.charts[noun.chart].states, 0)
            for state, number in conn.execute(sa.select(column, sa.func.count()).group_by(column)):
                found[state] = number
            for state, number in found.items():
                counts.add_metric([noun.word, state], number)
        self._counted = monotonic() + HELD_S, counts
        return counts


def _gauge(name: str, text: str, value: float | None = None, labels: list[str] | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"casework_{name}", text, value=value, labels=labels)


def _sealed_and_signed(conn: Connection) -> tuple[int, int]:
    """Leaves of the present log, and of those the signed ones: they stay apart while the signer refuses."""
    log = present_log(conn)
    if log is None:
        return 0, 0
    published = last_published(conn, log)
    signed = published.size if published else 0
    try:
        return size_of(conn, log), signed
    except CallerError:  # a leaf where none can be: as far apart as can be, and no scrape fails
        return MAX_SIZE, signed


def _of_log(conn: Connection) -> Iterable[Metric]:
    sealed, signed = _sealed_and_signed(conn)
    yield _gauge("unsealed_entries_age_seconds", "Age of the oldest entry not yet sealed.", oldest_waiting_s(conn))
    yield _gauge("log_leaves", "Entries sealed into the present log.", sealed)
    yield _gauge("log_signed_leaves", "Leaves that the newest checkpoint signs.", signed)


def _of_feeds(conn: Connection, branch: Branch) -> Iterable[Metric]:
    by_status = Counter[str]()
    age = _gauge("last_feed_age_seconds", "Since a feed was last taken in.", labels=["institution"])
    for institution, status, number, last_at in conn.execute(_RUNS):
        by_status[status] += number
        if status == APPLIED and institution is not None and last_at is not None:
            age.add_metric([institution], _since(last_at))
    runs = _gauge("feed_runs", "Feed runs by status.", labels=["status"])
    for status, number in by_status.items():
        runs.add_metric([status], number)
    idle = _gauge(
        "loans_without_case", "Loans in arrears by the last feed that nobody works on; must be 0.",
        labels=["institution"],
    )  # fmt: skip
    held = _gauge(
        "loans_held_back", "Loans that rows without a loan number keep from settling; must be 0.",
        labels=["institution"],
    )  # fmt: skip
    for one in feed_health(conn):
        idle.add_metric([one.institution], one.without_case)
        held.add_metric([one.institution], sum(part.loans for part in one.held_back))
    late = _gauge(
        "feed_days_behind", "Days that the last feed lies behind the last closed day; must be 0.",
        labels=["institution"],
    )  # fmt: skip
    for behind in feeds_behind(conn, branch):
        late.add_metric([behind.institution], behind.days)
    yield from (runs, age, idle, held, late)


def _of_work(conn: Connection, branch: Branch) -> Iterable[Metric]:
    today = branch.today(now())
    ahead = departures_ahead(conn, today, warning_days(branch, today))
    years, visits = years_without_days_off(conn, today), visits_not_ended(conn, branch, now())
    yield _gauge("orphans", "Open cases whose owner or handler is not there; must be 0.", count_orphans(conn, today))
    yield _gauge("departures_unplanned", "People leaving soon without an approved plan.", len(ahead))
    yield from _unverified(unverified(conn, today, branch.time_zone))
    yield _gauge("calendar_years_unknown", "Years at hand whose days off nobody knows; must be 0.", len(years))
    yield _gauge("visits_not_ended", "Visits that nobody came back from in time; must be 0.", len(visits))


def _ages(conn: Connection) -> Iterable[Metric]:
    """What is to be done again and again, +Inf where it never was, or so long ago that nobody knows."""
    backed_up = sa.select(streams.c.last_entry_at).where(streams.c.stream == BACKUPS)
    swept, verified = jobs.last_ended(conn, closing.RUN), jobs.last_ended(conn, verifying.RUN)
    for what, text, at in (
        ("sweep", "Since a day was last closed.", swept and swept[0]),
        ("verification", "Since the log was last verified, whatever was found.", verified and verified[0]),
        ("backup", "Since the database was last backed up.", conn.execute(backed_up).scalar_one_or_none()),
    ):
        yield _gauge(f"last_{what}_age_seconds", text, _since(at))
    if verified is not None and verified[1] is not None:
        with suppress(msgspec.ValidationError):  # of another version: it is verified again soon enough
            is_sound = msgspec.json.decode(verified[1], type=Report).verdict == "sound"
            yield _gauge("last_verification_sound", "Whether it found nothing and doubted nothing.", is_sound)


def _since(at: datetime | None) -> float:
    return inf if at is None else max(0.0, (now() - at).total_seconds())


def _locked(conn: Connection) -> Metric:
    locked = _gauge("log_ins_locked", "Staff numbers and addresses that may try no log-in now.", labels=["by"])
    for by, number in locked_now(conn, now()).items():
        locked.add_metric([by], number)
    return locked


def _unverified(found: list[Unverified]) -> Iterable[Metric]:
    for name, text, value in (
        ("people", "People whom a feed named and nobody registered; must be 0.", len(found)),
        ("cases", "Open cases that people own whom nobody registered.", sum(one.open_cases for one in found)),
        (
            "days",
            "Days since the first of those whom nobody registered was named.",
            max([one.days for one in found], default=0),
        ),
    ):
        yield _gauge(f"unverified_{name}", text, value)
