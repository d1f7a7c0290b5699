"""Prometheus: requests by route template, events by outcome, the writer's batches, the pools.

With several workers (`casework serve --workers`) PROMETHEUS_MULTIPROC_DIR is set before they start, and a scrape of any
of them answers for all. What only database and sealer know: `api.stored_metrics`; the processes: `api.process_metrics`.
"""

import os
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from api.process_metrics import MULTIPROCESS, Processes, build
from api.stored_metrics import Stored
from casework.lifecycle.commands import Done, Fire, Mistaken, Note, Open, Outcome, Record, Refused
from casework.operation.startup import Started
from casework.storage.database import MOST_LENT, Watched, watch_pools
from casework.work.cases.commands import Command, Measure
from casework.work.cases.rulebook import Rulebook

CONTENT_TYPE = "text/plain; version=0.0.4"  # Litestar adds the charset to text
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256)


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
        self.waiting = Gauge(
            "pool_waiting", "Threads that wait for a connection of the database.", ("pool",),
            multiprocess_mode="livesum", **kept,
        )  # fmt: skip
        self.in_use = Gauge(
            "pool_in_use", "Connections of the database that are lent.", ("pool",), multiprocess_mode="livesum", **kept
        )
        self.pool_size = Gauge(
            "pool_size", "Connections of the database that are lent at most.", ("pool",), multiprocess_mode="livesum",
            **kept,
        )  # fmt: skip
        self._build = Gauge(
            "build_info", "What runs; always 1.", ("version", "commit", "schema"), multiprocess_mode="livemax", **kept
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

    def begin(self, started: Started) -> None:
        """What is known from the start of the process, and what is watched from now on."""
        self._build.labels(*build(started.settings.commit)).set(1)
        watch_pools(started.engine, writing=self._pool("writing"), reading=self._pool("reading"))
        for pool in ("writing", "reading"):
            self.pool_size.labels(pool).set(MOST_LENT)

    def _pool(self, name: str) -> Watched:
        return Watched(self.waiting.labels(name), self.in_use.labels(name))

    def text(self, stored: Stored) -> bytes:
        """The exposition, with what only the database knows."""
        registry = self.registry
        if os.environ.get(MULTIPROCESS):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library's
        asked = CollectorRegistry()
        asked.register(Processes())
        asked.register(stored)
        return bytes(generate_latest(registry)) + bytes(generate_latest(asked))


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
