"""Times as people read and type them: one printed form, and what is taken back. Pure.

Whatever is printed for people is branch time with its offset, `2026-11-30 09:05:53 +08:00`; days are `2026-11-30`, on
pages with their weekday. JSON has RFC 3339. Each is read back as the same instant; so is a time without offset, as the
cells of an exported file have it, for it is the branch's, unless its clock skips that time or shows it twice.
"""

import re
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

WEEKDAYS: Final = {"zh": "一二三四五六日", "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")}
_FORM: Final = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?: \((?:周(?P<zh>[一二三四五六日])|(?P<en>Mon|Tue|Wed|Thu|Fri|Sat|Sun))\)"
    r"|[T ](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)"
    r"(?: ?(?P<utc>Z)| ?(?P<sign>[+-])(?P<offset>[0-9]{2}(?::?[0-9]{2})?))?)?"
)
_TO_THE_MINUTE: Final = len("12:00")
ALLOWED: Final = (
    "一日，如2026-03-01；或一个时间，如2026-03-01 12:00:00 +08:00（无时差者为机构时间）",
    "a day such as 2026-03-01, or a time such as 2026-03-01 12:00:00 +08:00 (without its offset, the branch's time)",
)


class Typed(NamedTuple):
    """What somebody typed: a day, or an instant of it; `with_offset`: they said the offset too.

    `told`: how much of time a text as people write it, with a blank between day and time, leaves open after `at`.
    """

    day: date
    at: datetime | None = None
    with_offset: bool = False
    told: timedelta = timedelta()


def branch_text(instant: datetime, zone: str, to: str = "seconds") -> str:
    """`2026-11-30 09:05:53 +08:00`, or `to` another `timespec` of isoformat; ValueError for a naive instant."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs its offset")
    local = instant.astimezone(ZoneInfo(zone)).isoformat(" ", to)
    return f"{local[:-6]} {local[-6:]}"


def read_text(text: str, zone: str | None) -> Typed:
    """A day or a time in any form that is printed; ValueError for any other, and for what may mean two instants.

    Without a zone a time needs its offset.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(ALLOWED[1])
    day = date.fromisoformat(found["day"])
    if found["zh"] or found["en"]:
        if WEEKDAYS["zh" if found["zh"] else "en"].index(found["zh"] or found["en"]) != day.weekday():
            raise ValueError(f"{day} is not that day of the week")
        return Typed(day)
    if found["time"] is None:
        return Typed(day)
    offset = "+00:00" if found["utc"] else found["offset"]
    if offset is not None:
        sign = "" if found["utc"] else found["sign"]
        at = datetime.fromisoformat(f"{found['day']}T{found['time']}{sign}{offset}")
        return Typed(day, at, with_offset=True, told=_left_open(text, found["time"]))
    if zone is None:
        raise ValueError("a time needs its offset, such as +08:00")
    naive = datetime.combine(day, time.fromisoformat(found["time"]))
    first, second = (naive.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        raise ValueError(f"{text} is skipped or shown twice in {zone}: say its offset")
    return Typed(day, first, told=_left_open(text, found["time"]))


def _left_open(text: str, clock: str) -> timedelta:
    if text[10] == "T" or "." in clock:
        return timedelta()
    return timedelta(minutes=1) if len(clock) == _TO_THE_MINUTE else timedelta(seconds=1)


def read_instant_text(text: str, zone: str | None) -> datetime:
    """A time alone; ValueError for a day, and as `read_text`."""
    typed = read_text(text, zone)
    if typed.at is None:
        raise ValueError("a time is needed, such as 2026-03-01 12:00:00 +08:00")
    return typed.at
