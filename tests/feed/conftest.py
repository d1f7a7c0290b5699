"""A branch with nothing in it yet, and a bank that sends it feeds."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from casework.operation.startup import Started, start
from casework.settings import Settings
from casework.work.cases.rulebook import Rulebook
from tests.conftest import StartedAfter
from tests.feed.bank import Bank

BankAfter = Callable[[Callable[[Bank], object]], Bank]


@pytest.fixture
def bank(settings: Settings, rulebook_published: None, tmp_path: Path) -> Iterator[Bank]:
    """A fresh branch and its bank."""
    started = start(settings, check=False)  # the copy of one that was ready
    yield Bank(started, tmp_path / "feeds")
    started.engine.dispose()


@pytest.fixture
def bank_after(started_after: StartedAfter, tmp_path: Path) -> BankAfter:
    """The bank as a function leaves it, which is called once in each process: the others have a copy of that branch."""

    def after(furnish: Callable[[Bank], object]) -> Bank:
        def furnished(started: Started) -> tuple[int, Rulebook]:
            made = Bank(started, tmp_path / "feeds")
            furnish(made)
            return made.sent, made.started.branch.rulebook

        started, (sent, rulebook) = started_after(furnished, furnish)
        branch = replace(started.branch, rulebook=rulebook)
        return Bank(replace(started, branch=branch), tmp_path / "feeds", sent)

    return after


@pytest.fixture
def sound_bank(bank: Bank) -> Iterator[Bank]:
    """A bank that generated examples share; its log and rows are found sound at the end."""
    yield bank
    bank.assert_sound()
