"""Time: UTC in storage, branch time in rules. The only reader of the wall clock."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]


def now() -> datetime:
    """The present instant in UTC, to the microsecond."""
    return datetime.now(UTC)


def utc_text(instant: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ` (docs/log.md §3); ValueError for a naive instant."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs its offset")
    return instant.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def branch_date(instant: datetime, zone: str) -> date:
    """The calendar day of an instant in the branch's time zone (policy `branch.time_zone`)."""
    return instant.astimezone(ZoneInfo(zone)).date()
