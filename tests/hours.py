"""Times of contacts that break no rule, whatever the hour is now."""

from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from casework.clock import now

_ZONE: Final = ZoneInfo("Asia/Shanghai")


def by_day(hours_before: float = 1) -> datetime:
    """So many hours before now; outside the hours from noon to eight in the evening, before the last eight o'clock.

    No more than sixteen hours longer ago than was asked for: of up to five hours, it is never typed late.
    """
    at = now().astimezone(_ZONE)
    if not time(12) <= at.timetz().replace(tzinfo=None) <= time(20):
        last = at.date() - timedelta(days=at.hour < 12)
        at = datetime.combine(last, time(20), _ZONE)
    return at.replace(microsecond=0) - timedelta(hours=hours_before)
