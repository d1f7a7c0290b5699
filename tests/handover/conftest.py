"""The house that a test hands over cases in."""

import pytest

from tests.conftest import StartedAfter
from tests.handover.house import House, furnish


@pytest.fixture
def house(started_after: StartedAfter) -> House:
    """A furnished branch on the test's database."""
    started, _ = started_after(furnish)
    return House(started)
