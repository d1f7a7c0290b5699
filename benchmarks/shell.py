"""(r) The shell: processor time of one command, and how many times that of importing SQLAlchemy, which all of them do.

Each is a process of its own, user and system time together, taken in turns with the floor. A page has three cases.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Final

from benchmarks.machine import Others, table, write_section
from benchmarks.place import BUSINESS_DATE, POSTGRESQL, SQLITE, Place, place_on, server_of

EACH: Final = 7
_FLOOR: Final = "import sqlalchemy"
_COMMANDS: Final = (
    "--version", "--help", "case --help", "case list --limit 3", "case show 1", "case options 1 --as T1",
    f"task list --on {BUSINESS_DATE} --as T1", f"day show --on {BUSINESS_DATE}", "promise list", "audit show 1",
)  # fmt: skip
_HEADER: Final = ("", "command", "ms: best", "median", "÷ floor")


def run(
    kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, case_count: int = 100, each: int = EACH,
    commands: Sequence[str] = _COMMANDS,
) -> None:  # fmt: skip
    """Measure, and write the section `shell`."""
    others, lines = Others(), []
    for kind in kinds:
        with server_of(kind) as server, place_on(server) as place:
            place.fill(case_count)
            lines += _measured(place, each, commands)
            print(*lines, sep="\n", flush=True)
    write_section("shell", f"The best and the median of {each}; {others}.\n\n{table(_HEADER, lines)}")


def _measured(place: Place, each: int, commands: Sequence[str]) -> list[tuple[str, ...]]:
    program = str(Path(sys.executable).with_name("casework"))
    asked = {_FLOOR: [sys.executable, "-c", _FLOOR], **{one: [program, *one.split()] for one in commands}}
    took: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(each + 1):
        for name, words in asked.items():
            took[name].append(_processor_ms(place, words))
    runs = {name: sorted(found[1:]) for name, found in took.items()}  # the first may have written bytecode
    floor = runs[_FLOOR][0]
    return [
        (place.kind, name, f"{found[0]:.0f}", f"{found[len(found) // 2]:.0f}", f"{found[0] / floor:.2f}")
        for name, found in runs.items()
    ]


def _processor_ms(place: Place, words: Sequence[str]) -> float:
    """AssertionError where the command did not do what it was asked."""
    before = getrusage(RUSAGE_CHILDREN)
    environment = {**os.environ, **place.environment()}
    done = subprocess.run(words, env=environment, cwd=place.folder, capture_output=True, check=False)
    after = getrusage(RUSAGE_CHILDREN)
    assert done.returncode == 0, (words, done.stderr.decode()[-500:])
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1_000
