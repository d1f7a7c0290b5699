"""The house that a test hands over cases in."""

from collections.abc import Iterator

import pytest

from casework.settings import Settings
from tests.handover.house import House, furnished


@pytest.fixture
def house(settings: Settings, rulebook_published: None) -> Iterator[House]:
    """A furnished branch on the test's database."""
    made = furnished(settings)
    yield made
    made.started.engine.dispose()
