"""What `casework serve` says before it serves."""

import pytest

from casework.cli import serve
from casework.operation import startup
from casework.settings import Settings


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(("workers", "warned"), [(1, False), (2, True)])
def test_it_warns_that_several_processes_are_slower_than_one_on_sqlite(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], workers: int, warned: bool
) -> None:
    """They work, but wait for each other's lock."""
    monkeypatch.setattr(startup, "start", _not_asked)
    with pytest.raises(NotAsked):
        serve._check(settings, workers)
    assert ("PostgreSQL" in capsys.readouterr().err) is warned


@pytest.mark.only("postgresql")
def test_it_does_not_warn_on_postgresql(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Several processes write side by side there."""
    monkeypatch.setattr(startup, "start", _not_asked)
    with pytest.raises(NotAsked):
        serve._check(settings, 4)
    assert capsys.readouterr().err == ""


class NotAsked(Exception):
    """Whether the database is ready is another test's business."""


def _not_asked(_: Settings) -> None:
    raise NotAsked
