"""The house that a test hands over cases in."""

from collections.abc import Iterator

import pytest

from casework.settings import Settings
from tests.handover.house import House, furnished


@pytest.fixture
def template() -> str:
    """Every test here begins with a published rulebook."""
    return "published"


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    """A furnished branch on the test's database."""
    made = furnished(settings)
    yield made
    made.started.engine.dispose()
