"""The instants that people name: with an offset, in branch time, or a whole branch day (its end). Pure."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from casework.errors import CallerError

NOW: Final = "now"
Source = Literal["feed", "entry", "calendar"]
"""What told the business date of an instant: the last feed, an entry, or the calendar where neither did."""
_FORM = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)(?P<offset>Z|[+-]\d{2}:\d{2})?)?",
    re.ASCII,
)
_TICK = timedelta(microseconds=1)


class Instant(msgspec.Struct, frozen=True):
    """An instant, to the microsecond, and how it was read: `branch_time` is the same instant on the branch's clock."""

    at: datetime
    branch_time: str
    time_zone: str
    read_as: Literal["offset", "branch_time", "end_of_branch_day", "now"]


def read_instant(text: str, time_zone: str, present: datetime) -> Instant:
    """`2026-03-01T12:00+08:00`, `2026-03-01T12:00` (branch time), `2026-03-01` (the end of that branch day) or `now`.

    CallerErrors `instant_malformed`, also for a branch time that the zone's clock skips or shows twice, and
    `instant_in_future`: the log cannot tell what is not over yet.
    """
    zone = ZoneInfo(time_zone)
    if text == NOW:
        return _instant(present, zone, time_zone, "now")
    found = _FORM.fullmatch(text)
    if found is None:
        raise _malformed(text)
    try:
        day = date.fromisoformat(found["day"])
        if found["time"] is None:
            midnight = datetime.combine(day + timedelta(days=1), time.min, zone)
            instant = _instant(midnight.astimezone(UTC) - _TICK, zone, time_zone, "end_of_branch_day")
        elif found["offset"] is None:
            naive = datetime.combine(day, time.fromisoformat(found["time"]))
            first, second = (naive.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
            if first.utcoffset() != second.utcoffset():
                raise _malformed(text)
            instant = _instant(first.astimezone(UTC), zone, time_zone, "branch_time")
        else:
            with_offset = datetime.fromisoformat(f"{found['day']}T{found['time']}{found['offset']}")
            instant = _instant(with_offset.astimezone(UTC), zone, time_zone, "offset")
    except (ValueError, OverflowError):
        raise _malformed(text) from None
    if instant.at > present:
        raise CallerError("instant_in_future", at=instant.branch_time, time_zone=time_zone)
    return instant


def in_order(start: Instant, end: Instant) -> None:
    """CallerError `instants_reversed` unless `start` is not after `end`."""
    if start.at > end.at:
        raise CallerError("instants_reversed", start=start.branch_time, end=end.branch_time)


def _instant(
    at: datetime, zone: ZoneInfo, name: str, read_as: Literal["offset", "branch_time", "end_of_branch_day", "now"]
) -> Instant:
    return Instant(at, at.astimezone(zone).isoformat(), name, read_as)


def _malformed(text: str) -> CallerError:
    return CallerError("instant_malformed", given=text[:64])
