"""The machine under the figures, what processes cost it, and how the results are written down."""

import os
import platform
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

RESULTS = Path(__file__).parent / "RESULTS.md"
_TICKS = os.sysconf("SC_CLK_TCK")


def facts() -> list[tuple[str, str]]:
    """Cores, memory, processor, system and versions; nothing that names the machine."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return [
        ("cores", str(len(os.sched_getaffinity(0)))),
        ("memory", f"{memory_gib:.0f} GiB"),
        ("processor", model[1].strip() if model else platform.machine()),
        ("system", f"{platform.system()} {platform.release().split('-')[0]}"),
        ("Python", platform.python_version()),
    ]


class Others:
    """How busy the machine was with work that is not ours, from now on until it is told."""

    def __init__(self) -> None:
        self._began, self._before = time.monotonic(), self._busy()

    def __str__(self) -> str:
        cores = (self._busy() - self._before) / (time.monotonic() - self._began)
        return f"other work took {max(cores, 0.0):.1f} of the machine's {len(os.sched_getaffinity(0))} cores meanwhile"

    @staticmethod
    def _busy() -> float:
        """Processor seconds of everything since the machine started, but for this process and what it started."""
        user, nice, system, _idle, _wait, *rest = map(int, Path("/proc/stat").read_text().split()[1:9])
        ended = os.times()
        ours = cpu_seconds(children(os.getpid())) + ended.children_user + ended.children_system
        return (user + nice + system + sum(rest)) / _TICKS - ours


def children(process_id: int) -> list[int]:
    """A process and all its descendants."""
    found = [process_id]
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                stat = (place / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(stat[1]) == process_id:
                found += children(int(place.name))
    return found


def cpu_seconds(process_ids: Iterable[int]) -> float:
    """Processor time these processes have used so far, user and system."""
    used = 0
    for process_id in process_ids:
        try:
            stat = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        used += int(stat[11]) + int(stat[12])
    return used / _TICKS


def with_ended_seconds(process_ids: Iterable[int]) -> float:
    """The same with that of their own processes that have ended by now."""
    used = 0
    for process_id in process_ids:
        with suppress(OSError):
            stat = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
            used += sum(map(int, stat[11:15]))
    return used / _TICKS


def resident_mib(process_ids: Iterable[int]) -> float:
    """Resident memory of these processes, shared pages counted in each."""
    pages = 0
    for process_id in process_ids:
        pages += int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def proportional_mib(process_ids: Iterable[int]) -> float:
    """Memory of these processes together: what they share is counted once among them (Pss)."""
    kib = 0
    for process_id in process_ids:
        with suppress(OSError):  # it has ended
            lines = Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines()
            kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024


def clocked(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@dataclass(frozen=True)
class Spread:
    """Several measurements of one thing."""

    values: tuple[float, ...]

    @property
    def best(self) -> float:
        """The largest; for rates."""
        return max(self.values)

    @property
    def least(self) -> float:
        """The smallest; for waits."""
        return min(self.values)

    def waits(self, places: int) -> str:
        """The least and the spread, as waits are told."""
        return f"{self.least:.{places}f} ({self.least:.{places}f}–{max(self.values):.{places}f})"

    def __str__(self) -> str:
        low, high = min(self.values), max(self.values)
        return f"{high:,.0f}" if len(self.values) == 1 else f"{high:,.0f} ({low:,.0f}–{high:,.0f})"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are figures."""
    lines = ["| " + " | ".join(header) + " |", "|" + "|".join(["---", *["--:"] * (len(header) - 1)]) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def write_section(name: str, text: str) -> None:
    """Replace what RESULTS.md says between the marks of `name`; what people wrote outside of marks stays."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    page = RESULTS.read_text()
    head, mark, rest = page.partition(begin)
    _, closing, tail = rest.partition(end)
    if not mark or not closing:
        raise ValueError(f"RESULTS.md has no place for {name}")
    RESULTS.write_text(f"{head}{begin}\n{text.strip()}\n{end}{tail}")


def write_facts(postgres_url: str) -> None:
    """The section `machine`."""
    with psycopg.connect(postgres_url) as conn:
        wanted = "fsync", "synchronous_commit", "shared_buffers"
        sql = "SELECT name, setting || coalesce(' × ' || unit, '') FROM pg_settings WHERE name = ANY(%s)"
        found = conn.execute(sql, [list(wanted)]).fetchall()
        shown = [("PostgreSQL", f"{conn.info.server_version / 10_000:.2f}"), *found]
    shown.append(("SQLite", f"{sqlite3.sqlite_version}, WAL, synchronous=FULL"))
    write_section("machine", table(("", "measured on"), [*facts(), *shown]))
