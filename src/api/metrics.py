"""Prometheus: requests by route template, events by outcome, the writer's batches, the log's backlog, the feed's runs.

With several workers (`casework serve --workers`) PROMETHEUS_MULTIPROC_DIR is set before they start, and a scrape of any
of them answers for all.
"""

import os
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.engine import Connection, Engine

from casework.clock import now
from casework.errors import CallerError, TryAgain
from casework.intake.feed.held_back import feed_health
from casework.intake.feed.tables import feed_runs
from casework.lifecycle.commands import Done, Fire, Mistaken, Note, Open, Outcome, Record, Refused
from casework.log.format.tree import MAX_SIZE
from casework.log.write.grown import last_published, present_log, size_of
from casework.log.write.seal import oldest_waiting_s
from casework.operation.alarms import feeds_behind, visits_not_ended, years_without_days_off
from casework.storage.database import reading
from casework.work.cases.branch import Branch
from casework.work.cases.commands import Command, Measure
from casework.work.cases.rulebook import Rulebook
from casework.work.cases.unverified import Unverified, unverified
from casework.work.handover.orphans import count_orphans, departures_ahead
from casework.work.handover.sweep import warning_days

CONTENT_TYPE = "text/plain; version=0.0.4"  # Litestar adds the charset to text
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"

_RUNS = sa.select(feed_runs.c.status, sa.func.count()).group_by(feed_runs.c.status)


class Metrics:
    """The instruments of one process; a registry of its own, so that a test can make two apps."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        kept: dict[str, Any] = {"registry": self.registry, "namespace": "casework"}
        self.requests = Histogram(
            "http_request_seconds",
            "Requests by route template.",
            ("method", "route", "status"),
            buckets=_SECONDS,
            **kept,
        )
        self.events = Counter("commands", "Commands at the door by outcome.", ("event", "outcome"), **kept)
        self.batch = Histogram("batch_commands", "Commands that shared a transaction.", buckets=_BATCH, **kept)
        self.queue = Gauge(
            "writer_queue_commands", "Commands waiting for the writer.", multiprocess_mode="livesum", **kept
        )
        self.receipts_missing = Counter(
            "changes_without_receipt", "Changes answered while there was no key to sign receipts.", **kept
        )
        self.places_taken = Counter(
            "log_places_taken", "Changes refused because the log held an entry that its head knows nothing of.", **kept
        )
        self.connections = Gauge("connections", "Open connections.", multiprocess_mode="livesum", **kept)
        self.dropped = Counter(
            "connections_dropped", "Connections ended by the service: out of time, or to make room.", ("why",), **kept
        )
        self._of_request: dict[tuple[str, str, int], Any] = {}
        self._of_event: dict[tuple[str, str], Any] = {}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request answered. `route` is a template, so that the number of series is bounded."""
        key = (method, route, status)
        instrument = self._of_request.get(key)
        if instrument is None:
            instrument = self._of_request[key] = self.requests.labels(method, route, str(status))
        instrument.observe(seconds)

    def command(self, event: str, outcome: str) -> None:
        """One command taken by the door. `event` must be one the chart knows."""
        key = (event, outcome)
        instrument = self._of_event.get(key)
        if instrument is None:
            instrument = self._of_event[key] = self.events.labels(event, outcome)
        instrument.inc()

    def text(self, engine: Engine, branch: Branch) -> bytes:
        """The exposition, with what only the database knows."""
        registry = self.registry
        if os.environ.get(MULTIPROCESS):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library's
        stored = CollectorRegistry()
        stored.register(_Stored(engine, branch))
        return bytes(generate_latest(registry)) + bytes(generate_latest(stored))


def counted(rulebook: Rulebook, command: Command, outcome: Outcome) -> tuple[str, str]:
    """Event and outcome as the metrics name them; what the chart does not know has one name: it is bounded."""
    chart = rulebook.chart if command.noun is None else rulebook.charts[command.noun]
    event = "measure"
    match command:
        case Fire():
            event = command.event if command.event in chart.events else "(unknown)"
        case Record():
            event = f"fact:{command.kind}" if command.kind in chart.facts else "(unknown)"
        case Open():
            event = f"open:{command.ground}" if command.ground in chart.openings else "(unknown)"
        case Note():
            event = "note"
        case Measure():
            pass  # only the feed measures
    if command.noun is not None:
        event = f"{command.noun}:{event}"
    match outcome:
        case Done():
            return event, "done"
        case Refused():
            return event, "forbidden" if outcome.forbidden else "refused"
        case Mistaken():
            return event, outcome.code
        case _:
            return event, "not_done"


def _by_state(conn: Connection, branch: Branch) -> GaugeMetricFamily:
    """How many of each noun are in each state of its chart, none included: a state that is emptied says 0."""
    counts = GaugeMetricFamily("casework_subjects", "How many there are by state.", labels=["noun", "state"])
    for noun in branch.nouns:
        column = noun.table.c.state
        found = dict.fromkeys(branch.rulebook.charts[noun.chart].states, 0)
        for state, number in conn.execute(sa.select(column, sa.func.count()).group_by(column)):
            found[state] = number
        for state, number in found.items():
            counts.add_metric([noun.word, state], number)
    return counts


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


class _Stored(Collector):
    """Read from the database at each scrape."""

    def __init__(self, engine: Engine, branch: Branch) -> None:
        self._engine = engine
        self._branch = branch

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of the scrape: registering must not touch the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The log, runs by status, the branch's health, and whether the database answered."""
        up = GaugeMetricFamily("casework_database_up", "Whether the database answered this scrape.")
        try:
            with reading(self._engine) as conn:
                age_s, sealed, signed = oldest_waiting_s(conn), *_sealed_and_signed(conn)
                counted = conn.execute(_RUNS).all()
                by_state = _by_state(conn, self._branch)
                today = self._branch.today(now())
                lost = count_orphans(conn, today)
                feeds = feed_health(conn)
                ahead = departures_ahead(conn, today, warning_days(self._branch, today))
                unknown = unverified(conn, today, self._branch.time_zone)
                behind, years = feeds_behind(conn, self._branch), years_without_days_off(conn, today)
                visits = visits_not_ended(conn, self._branch, now())
        except TryAgain:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        age = GaugeMetricFamily("casework_unsealed_entries_age_seconds", "Age of the oldest entry not yet sealed.")
        age.add_metric([], age_s)
        yield age
        yield GaugeMetricFamily("casework_log_leaves", "Entries sealed into the present log.", value=sealed)
        yield GaugeMetricFamily("casework_log_signed_leaves", "Leaves that the newest checkpoint signs.", value=signed)
        yield by_state
        runs = GaugeMetricFamily("casework_feed_runs", "Feed runs by status.", labels=["status"])
        for status, number in counted:
            runs.add_metric([status], number)
        yield runs
        idle = GaugeMetricFamily(
            "casework_loans_without_case", "Loans in arrears by the last feed that nobody works on; must be 0.",
            labels=["institution"],
        )  # fmt: skip
        held = GaugeMetricFamily(
            "casework_loans_held_back", "Loans that rows without a loan number keep from settling; must be 0.",
            labels=["institution"],
        )  # fmt: skip
        for one in feeds:
            idle.add_metric([one.institution], one.without_case)
            held.add_metric([one.institution], sum(part.loans for part in one.held_back))
        yield from (idle, held)
        orphans = GaugeMetricFamily("casework_orphans", "Open cases whose owner or handler is not there; must be 0.")
        orphans.add_metric([], lost)
        yield orphans
        leaving = GaugeMetricFamily("casework_departures_unplanned", "People leaving soon without an approved plan.")
        leaving.add_metric([], len(ahead))
        yield leaving
        yield from _unverified(unknown)
        late = GaugeMetricFamily(
            "casework_feed_days_behind", "Days that the last feed lies behind the last closed day; must be 0.",
            labels=["institution"],
        )  # fmt: skip
        for one_behind in behind:
            late.add_metric([one_behind.institution], one_behind.days)
        yield late
        yield GaugeMetricFamily(
            "casework_calendar_years_unknown", "Years at hand whose days off nobody knows; must be 0.", value=len(years)
        )
        yield GaugeMetricFamily(
            "casework_visits_not_ended", "Visits that nobody came back from in time; must be 0.", value=len(visits)
        )


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
        yield GaugeMetricFamily(f"casework_unverified_{name}", text, value=value)
