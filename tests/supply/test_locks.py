"""The service runs with the run-time lock alone; what the suite needs besides comes with `make test`."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from supply.lock import ROOT, pins


def installed_by(target: str) -> list[str]:
    """The locks that `make TARGET` installs in a fresh clone, in order; those that build the package are set aside."""
    command = ["make", "--dry-run", "--always-make", target]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    dry = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=True)
    pip = [line.split() for line in dry.stdout.splitlines() if "-m pip install" in line]
    return [words[words.index("-r") + 1].rstrip(";") for words in pip if "-r" in words and "--target" not in words]


@pytest.mark.parametrize("target", ["demo", "serve"])
def test_running_the_service_installs_the_run_time_lock_alone(target: str) -> None:
    assert installed_by(target) == ["requirements.txt"]


@pytest.mark.parametrize("target", ["test", "check", "bench"])
def test_the_suite_adds_the_rest(target: str) -> None:
    assert installed_by(target) == ["requirements.txt", "requirements-dev.txt"]


def imported(folder: Path) -> Iterator[str]:
    """Top names of the modules that are imported anywhere below."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (name.name.partition(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield node.module.partition(".")[0]


def test_all_that_the_service_imports_is_in_the_run_time_lock() -> None:
    own = {path.name for path in (ROOT / "src").iterdir()}
    modules = set(imported(ROOT / "src")) | set(imported(ROOT / "migrations" / "versions"))
    others = modules - own - sys.stdlib_module_names
    of = packages_distributions()
    locked = {pin.name for pin in pins(ROOT / "requirements.txt")}
    strange = {name for name in others if locked.isdisjoint(map(canonicalize_name, of.get(name, [])))}
    assert {"litestar", "sqlalchemy"} <= others
    assert strange == set()


def test_the_locks_agree_about_what_they_share() -> None:
    rest = {pin.name: pin.version for pin in pins(ROOT / "requirements-dev.txt")}
    for pin in pins(ROOT / "requirements.txt"):
        assert rest[pin.name] == pin.version
