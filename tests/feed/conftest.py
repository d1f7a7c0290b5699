"""A branch with nothing in it yet, and a bank that sends it feeds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from casework.operation.startup import start
from casework.settings import Settings
from tests.feed.bank import Bank


@pytest.fixture
def bank(settings: Settings, rulebook_published: None, tmp_path: Path) -> Iterator[Bank]:
    """A fresh branch and its bank."""
    started = start(settings)
    yield Bank(started, tmp_path / "feeds")
    started.engine.dispose()


@pytest.fixture
def sound_bank(bank: Bank) -> Iterator[Bank]:
    """A bank that generated examples share; its log and rows are found sound at the end."""
    yield bank
    bank.assert_sound()
