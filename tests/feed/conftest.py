"""A branch with nothing in it yet, and a bank that sends it feeds."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from casework.settings import Settings
from casework.staff.actor import system
from casework.startup import start, upgrade
from tests.conftest import Database
from tests.feed.bank import Bank
from tests.fresh import Fresh


@pytest.fixture
def bank(settings: Settings, tmp_path: Path) -> Iterator[Bank]:
    """A fresh branch and its bank."""
    upgrade(settings, system("cli"))
    started = start(settings)
    yield Bank(started, tmp_path / "feeds")
    started.engine.dispose()


@pytest.fixture
def fresh_bank(
    database: Database, settings: Settings, migrated_sqlite: Path, tmp_path: Path
) -> Iterator[Callable[[], Bank]]:
    """Makes a bank with an empty branch each time it is called."""
    fresh = Fresh(database, settings, migrated_sqlite, tmp_path)
    numbers = itertools.count(1)
    yield lambda: Bank(fresh(), tmp_path / f"feeds-{next(numbers)}")
    fresh.close()
