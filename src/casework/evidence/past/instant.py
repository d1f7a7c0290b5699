"""The instants that people name: with an offset, in branch time, or a whole branch day (its end). Pure."""

from datetime import UTC, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from casework.errors import CallerError
from casework.instants import read_text

NOW: Final = "now"
ReadAs = Literal["offset", "branch_time", "end_of_branch_day", "now"]
Source = Literal["feed", "entry", "calendar"]
"""What told the business date of an instant: the last feed, an entry, or the calendar where neither did."""
_TICK = timedelta(microseconds=1)


class Instant(msgspec.Struct, frozen=True):
    """An instant, to the microsecond, and how it was read: `branch_time` is the same instant on the branch's clock."""

    at: datetime
    branch_time: str
    time_zone: str
    read_as: ReadAs


def read_instant(text: str, time_zone: str, present: datetime) -> Instant:
    """Any form of `instants`, such as `2026-03-01 12:00 +08:00` or `2026-03-01`; or `now`.

    What people write is meant whole: a day is its end, and so is a minute or a second, up to now, in a text that has a
    blank before the time; with a T it is exact.

    CallerErrors `instant_malformed`, also for a branch time that the zone's clock skips or shows twice, and
    `instant_in_future`: the log cannot tell what is not over yet.
    """
    zone = ZoneInfo(time_zone)
    if text == NOW:
        return _instant(present, zone, time_zone, "now")
    try:
        typed = read_text(text, time_zone)
        if typed.at is None:
            midnight = datetime.combine(typed.day + timedelta(days=1), time.min, zone)
            instant = _instant(midnight.astimezone(UTC) - _TICK, zone, time_zone, "end_of_branch_day")
        else:
            read_as: ReadAs = "offset" if typed.with_offset else "branch_time"
            at = typed.at.astimezone(UTC)
            if typed.told:  # what is printed to the second was recorded within it
                at = max(at, min(at + typed.told - _TICK, present))
            instant = _instant(at, zone, time_zone, read_as)
    except (ValueError, OverflowError):
        raise _malformed(text) from None
    if instant.at > present:
        raise CallerError("instant_in_future", at=instant.branch_time, time_zone=time_zone)
    return instant


def in_order(start: Instant, end: Instant) -> None:
    """CallerError `instants_reversed` unless `start` is not after `end`."""
    if start.at > end.at:
        raise CallerError("instants_reversed", start=start.branch_time, end=end.branch_time)


def _instant(at: datetime, zone: ZoneInfo, name: str, read_as: ReadAs) -> Instant:
    return Instant(at, at.astimezone(zone).isoformat(), name, read_as)


def _malformed(text: str) -> CallerError:
    return CallerError("instant_malformed", given=text[:64])
