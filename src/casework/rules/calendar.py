"""Working days: the official Chinese calendar of the library, and the branch's own table for what it does not know.

Pure. In a year that neither knows every weekday is worked, and people are shown that.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache

import chinese_calendar

_DAY = timedelta(days=1)
_WEEK = 5


@lru_cache(4_096)
def _official(day: date) -> bool | None:
    """Whether the State Council's calendar has it as a working day; none for a year that the library lacks."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return None


class Calendar:
    """The branch's calendar; `table` says of single days whether they are worked, and goes before the library."""

    def __init__(self, table: Mapping[date, bool] | None = None) -> None:
        self._table = table or {}
        self._years = {day.year for day in self._table}
        self._after: dict[tuple[date, int], date] = {}

    def is_working(self, day: date) -> bool:
        """Whether the day is worked: a weekday that is no holiday, or a day worked in a holiday's place."""
        said = self._table.get(day)
        if said is None:
            said = _official(day)
        return day.weekday() < _WEEK if said is None else said

    def working_days_after(self, day: date, number: int) -> date:
        """The `number`th working day after the day, which itself does not count."""
        found = self._after.get((day, number))
        if found is None:
            found, left = day, number
            while left:
                found += _DAY
                left -= self.is_working(found)
            self._after[day, number] = found
        return found

    def knows(self, year: int) -> bool:
        """Whether the library or the branch's table has the year."""
        return year in self._years or _official(date(year, 1, 1)) is not None
