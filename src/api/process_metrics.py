"""Prometheus: which build runs, and what its processes take together: the workers, and the one that seals."""

import os
import re
import subprocess
from collections.abc import Callable, Iterable
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from api.sealing_apart import STATE, read_state
from casework.storage import schema

MULTIPROCESS: Final = "PROMETHEUS_MULTIPROC_DIR"
_OF_PROCESS: Final = re.compile(r".*_(\d+)\.db")  # the library names its files so
_TOGETHER: Final[dict[str, Callable[[list[float]], float]]] = {
    "process_start_time_seconds": max, "process_max_fds": min,
}  # fmt: skip


def build(commit: str | None) -> tuple[str, str, str]:
    """Version, commit and schema of what runs; `commit` as whoever built it says, else a checkout's own."""
    return version("casework"), commit or _checked_out(), schema.NEWEST


@cache
def _checked_out() -> str:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return "unknown"
    asked = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=5)  # noqa: S603  # our own words
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"


class Processes(Collector):
    """The standard figures of a process: sums over all of them, of the start the latest, of a limit the least."""

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of the scrape."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read from /proc; nothing where there is none."""
        found: dict[str, list[Metric]] = {}
        for process in _workers() + _sealer():
            for metric in ProcessCollector(pid=partial(str, process), registry=None).collect():
                found.setdefault(metric.name, []).append(metric)
        for name, all_of_it in found.items():
            (sample,) = all_of_it[0].samples
            value = _TOGETHER.get(name, sum)([one.samples[0].value for one in all_of_it])
            all_of_it[0].samples = [sample._replace(value=value)]
            yield all_of_it[0]


def _workers() -> list[str]:
    """The processes that serve: this one, or those that count together and are alive."""
    folder = os.environ.get(MULTIPROCESS)
    if not folder:
        return ["self"]
    found = {match[1] for file in Path(folder).glob("*.db") if (match := _OF_PROCESS.fullmatch(file.name))}
    return sorted(one for one in found if Path(f"/proc/{one}").exists())


def _sealer() -> list[str]:
    """The process that seals for them, if there is one."""
    file = os.environ.get(STATE)
    process_id = read_state(Path(file)).process_id if file else 0
    return [str(process_id)] if process_id and Path(f"/proc/{process_id}").exists() else []
