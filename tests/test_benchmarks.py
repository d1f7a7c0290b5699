"""Every benchmark runs at its smallest size: whether it measures at all, not what; the figures go nowhere."""

import inspect
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as benchmarking
from benchmarks import (
    bundles,
    contacts,
    departure,
    duties,
    evening,
    events,
    feed,
    growth,
    machine,
    pages,
    permissions,
    permits,
    photos,
    pulling,
    scale,
    sealing,
    search,
    shell,
    sweeping,
    tree,
    verify,
)
from benchmarks.place import POSTGRESQL, SQLITE
from tests.conftest import LONGER
from tests.net import kept
from tests.postgres_server import Server

Kinds = tuple[str, ...]
SMALLEST: dict[str, Callable[[Kinds], None]] = {
    "events": lambda kinds: events.run(0.2, kinds, case_count=8, clients=(2,), workers=(1,), repeats=1, warm_up_s=0.1),
    "feed": lambda kinds: feed.run(20, kinds, repeats=1),
    "verify": lambda kinds: verify.run(4, kinds, repeats=1),
    "sealing": lambda kinds: sealing.run(0.2, 300, kinds, many=300, repeats=1),
    "departure": lambda kinds: departure.run(kinds, sizes=(2,), repeats=1, others_cases=2),
    "contacts": lambda kinds: contacts.run(40, kinds, repeats=1),
    "pages": lambda kinds: pages.run(kinds, cases=20, each=2),
    "duties": lambda kinds: duties.run(kinds, sizes=(20, 40), repeats=1),
    "sweep": lambda kinds: sweeping.run(kinds, sizes=(20, 40)),
    "next": lambda kinds: pulling.run(kinds, collectors=8, pool=24, case_count=16),
    "evening": lambda kinds: evening.run(kinds, case_count=24, people=16, each=1),
    "search": lambda kinds: search.run(300, kinds, small=100, each=1, alone_s=0.1),
    "permits": lambda kinds: permits.run(0.2, kinds, case_count=16, callers=4, repeats=1, warm_up_s=0.1),
    "photos": lambda kinds: photos.run(kinds, number=2, sides=(400, 300)),
    "shell": lambda kinds: shell.run(kinds, case_count=3, each=1),
    "growth": lambda kinds: growth.run(100, 200, kinds, each=1, pages_deep=1, filters=("",), nouns=()),
    "scale": lambda kinds: scale.run(3, 6, kinds, each=1, pages_deep=0, filters=("", "bucket=M2")),
}  # fmt: skip
BOTH = [(name, kind) for name in SMALLEST for kind in (POSTGRESQL, SQLITE)]
ONE = [
    ("events", POSTGRESQL), ("feed", POSTGRESQL), ("feed", SQLITE), ("verify", SQLITE), ("sealing", SQLITE),
    ("departure", POSTGRESQL), ("duties", POSTGRESQL), ("search", POSTGRESQL), ("scale", SQLITE),
    ("permits", POSTGRESQL), ("contacts", POSTGRESQL), ("contacts", SQLITE), ("sweep", POSTGRESQL), ("sweep", SQLITE),
    ("pages", SQLITE), ("next", POSTGRESQL), ("next", SQLITE), ("evening", POSTGRESQL),
    ("photos", SQLITE), ("growth", SQLITE), ("shell", SQLITE),
]  # fmt: skip
"""Each on one database; on both in the long run."""


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_servers: Callable[[str], Server]) -> Path:
    """A copy of the results to write into; databases are on the suite's own server."""

    @contextmanager
    def server_of(kind: str) -> Iterator[Server | None]:
        yield postgres_servers("17") if kind == POSTGRESQL else None

    modules: list[Any] = [
        contacts,
        departure,
        duties,
        evening,
        events,
        feed,
        growth,
        pages,
        permits,
        photos,
        pulling,
        scale,
        sealing,
        search,
        shell,
        sweeping,
        verify,
    ]
    for module in modules:
        monkeypatch.setattr(module, "server_of", server_of)
    copy = shutil.copyfile(machine.RESULTS, tmp_path / "RESULTS.md")
    monkeypatch.setattr(machine, "RESULTS", copy)
    return copy


def section(results: Path, name: str) -> str:
    return results.read_text().partition(f"<!-- {name} -->")[2].partition(f"<!-- end of {name} -->")[0]


@pytest.mark.parametrize(("name", "kind"), BOTH if LONGER > 1 else ONE)
def test_a_benchmark_measures_and_writes_its_section(results: Path, name: str, kind: str) -> None:
    before = section(results, name)
    SMALLEST[name]((kind,))
    assert section(results, name) != before
    assert kind in section(results, name)


@pytest.mark.parametrize("name", [*benchmarking.ALL, *benchmarking.NAMED])
def test_a_part_that_is_named_takes_the_options_that_it_is_given(name: str) -> None:
    takes = inspect.signature(benchmarking.part(name)).parameters
    assert takes.keys() >= set(benchmarking.TAKES.get(name, {}).values())
    assert ("kinds" in takes) == (name != "bundles")


def test_the_tree_and_the_guard_are_measured_too() -> None:
    assert "1.00" in tree.run(leaves=300, proven=300)
    assert all(spent > 0 for _, spent, _ in permissions.measure(calls=20))
    assert permissions.reach_us(calls=20) > 0


def test_verifying_a_bundle_is_measured_too(results: Path, tmp_path: Path) -> None:
    before = section(results, "bundles")
    bundle = kept.unpacked(tmp_path) / "bundle"
    bundles.run(300, usual=300, repeats=1, ways=((True, 2),), copied=bundle)
    assert section(results, "bundles") != before
