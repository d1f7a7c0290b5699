"""Whether entries were recorded when they say so: their times against those at which witnesses saw the tree. Pure.

A witness that saw a tree of `size` leaves at an instant says two things of every entry, by a clock that is not the
branch's (docs/evidence.md, 6 and 7):

- an entry that is not in that tree (its leaf index is `size` or more) was not recorded long before: else it has been
  dated back behind the cosignature, or sealing stood still (`back_dated_behind_cosignature`);
- an entry that is in it was recorded by then: else it bears a time that had not come (`dated_ahead_of_cosignature`).

Texts of instants sort as the instants do, so that an entry costs two comparisons of texts.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

SEALED_WITHIN_S: Final = 600
"""By how much an entry that a cosigned tree does not hold may be older than the cosignature. Health fails when an entry
waits for ten seconds; the rest is for a transaction that takes long to commit (the night's feed is one, and its entries
bear the time of its beginning) and for clocks that differ. Decision 0018."""
CLOCKS_DIFFER_S: Final = 60
"""By how much the clocks of branch and witness may differ."""
BACK_DATED: Final = "back_dated_behind_cosignature"
AHEAD: Final = "dated_ahead_of_cosignature"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_S: Final = 253_402_300_799  # 9999-12-31T23:59:59Z: beyond it nothing can be written as a text
_ALWAYS: Final = ""
_NEVER: Final = "~"


class Seen(NamedTuple):
    """A tree of `size` leaves was seen at `at`, in whole seconds since 1970 by the witness's clock."""

    size: int
    at: int


class TimeFault(NamedTuple):
    """An entry whose time cannot be: `code` is BACK_DATED or AHEAD; `seen` is the witness's word against it."""

    code: str
    leaf_index: int
    recorded_at: str
    seen: Seen


class Times:
    """The bounds that the cosignatures of one log set to the times of its entries; some forty bytes for each."""

    def __init__(self, seen: Iterable[Seen]) -> None:
        """`seen`: in any order, of any number of witnesses; each one's word counts."""
        points = sorted(set(seen))
        self._bounded = bool(points)
        self._begins = array("q", sorted({0, *(point.size for point in points)}))
        self._before = _latest_before(points, self._begins)
        self._covering = _earliest_covering(points, self._begins)

    def __bool__(self) -> bool:
        """Whether any time is bounded at all."""
        return self._bounded

    def check(self, first_index: int, recorded: Sequence[Any]) -> list[TimeFault]:
        """What is wrong with the times of the leaves from `first_index` on, without a hole, as entries write them.

        What is no text is passed over: other checks name it.
        """
        found: list[TimeFault] = []
        begins, place, end = self._begins, first_index, first_index + len(recorded)
        number = bisect_right(begins, first_index) - 1
        while place < end:
            until = min(end, begins[number + 1]) if number + 1 < len(begins) else end
            before, covering = self._before[number], self._covering[number]
            earliest = instant_text(before.at - SEALED_WITHIN_S) if before else _ALWAYS
            # A whole second that began is not over: a part of it is no lie.
            latest = instant_text(covering.at + CLOCKS_DIFFER_S + 1) if covering else _NEVER
            for index, at in enumerate(recorded[place - first_index : until - first_index], place):
                if type(at) is not str or earliest <= at <= latest:
                    continue
                if before and at < earliest:
                    found.append(TimeFault(BACK_DATED, index, at, before))
                if covering and at > latest:
                    found.append(TimeFault(AHEAD, index, at, covering))
            place, number = until, number + 1
        return found


class _Column:
    """A point or none for each stretch of leaves, without an object for each."""

    def __init__(self) -> None:
        self._sizes, self._ats = array("q"), array("q")

    def append(self, point: Seen | None) -> None:
        """The next stretch's."""
        self._sizes.append(-1 if point is None else point.size)
        self._ats.append(0 if point is None else point.at)

    def reverse(self) -> None:
        """The last becomes the first."""
        self._sizes.reverse()
        self._ats.reverse()

    def __getitem__(self, number: int) -> Seen | None:
        return None if self._sizes[number] < 0 else Seen(self._sizes[number], self._ats[number])


def _latest_before(points: Sequence[Seen], begins: Sequence[int]) -> _Column:
    """For each stretch the latest time at which a tree without its leaves was seen."""
    column, most, number = _Column(), None, 0
    for begin in begins:
        while number < len(points) and points[number].size <= begin:
            most = points[number] if most is None or points[number].at > most.at else most
            number += 1
        column.append(most)
    return column


def _earliest_covering(points: Sequence[Seen], begins: Sequence[int]) -> _Column:
    """For each stretch the earliest time at which a tree with its leaves was seen."""
    column, least, number = _Column(), None, len(points)
    for begin in reversed(begins):
        while number and points[number - 1].size > begin:
            number -= 1
            least = points[number] if least is None or points[number].at <= least.at else least
        column.append(least)
    column.reverse()
    return column


def instant_text(at: int) -> str:
    """Whole seconds since 1970 as entries write instants; what lies outside the years 1970 to 9999 at their edge."""
    moment = _EPOCH + timedelta(seconds=min(max(at, 0), _LAST_S))
    return f"{moment.isoformat(timespec='microseconds')[:-6]}Z"


__all__ = [
    "AHEAD", "BACK_DATED", "CLOCKS_DIFFER_S", "SEALED_WITHIN_S", "Seen", "TimeFault", "Times", "instant_text",
]  # fmt: skip
