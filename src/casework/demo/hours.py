"""When the demo's people act: in the evenings of its month and on the day that begins, and nothing later than now."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from casework.clock import now

FEED: Final = time(19, 30)
"""When the close of a day is delivered; what the demo does on its business date comes after it, in the same evening."""
EVENING: Final = time(20)
MORNING: Final = time(6, 30)
DAYTIME: Final = time(9, 30)
_TICK: Final = timedelta(milliseconds=1)


class DemoClock:
    """A `Clock` that is set: each look at it is a little later than the one before, and never later than now."""

    def __init__(self, time_zone: str) -> None:
        self.zone = ZoneInfo(time_zone)
        self._at = datetime.min.replace(tzinfo=UTC)

    def set(self, day: date, hour: time) -> None:
        """On that day at that hour of branch time; where it is past that already, it goes on from where it is."""
        self._at = max(self._at, datetime.combine(day, hour, self.zone).astimezone(UTC))

    def __call__(self) -> datetime:
        """The instant that it shows."""
        self._at = min(self._at + _TICK, now())
        return self._at
