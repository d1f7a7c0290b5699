"""What an entry `privacy.erased` says is gone: openings of whole streams, each up to a number. Pure.

An erasure names in `data.covers` every stream it reaches and the last number in it: `[["case:17", 9], …]`. What is
written in such a stream later is not covered. A borrower with more streams than one entry takes has several entries.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from casework.log.format.entry import MAX_INT, Entry, MalformedEntry

ERASED: Final = "privacy.erased"
STREAMS_AT_ONCE: Final = 1_500
"""Streams that one entry names: at most 32 bytes each, but for the borrower's own, in a body of 65,535."""

Place = tuple[str, int]
"""A stream and a number in it."""


def parts_of(covered: Iterable[Place]) -> list[list[Place]]:
    """What each entry of one erasure covers, in order; at least one part."""
    whole = sorted(covered)
    return [whole[at : at + STREAMS_AT_ONCE] for at in range(0, len(whole), STREAMS_AT_ONCE)] or [[]]


def covered_by(entry: Entry) -> list[Place]:
    """The streams that an entry `privacy.erased` covers, each with its last number.

    MalformedEntry `not_an_erasure` for any other entry, `malformed_erasure` for one that does not say it as it must.
    """
    if entry.event != ERASED:
        raise MalformedEntry("not_an_erasure")
    covers = entry.data.get("covers")
    if not isinstance(covers, list):
        raise MalformedEntry("malformed_erasure")
    return [_place(one) for one in covers]


def _place(one: Any) -> Place:
    if isinstance(one, list) and len(one) == 2:
        stream, seq = one
        if type(stream) is str and type(seq) is int and 0 <= seq <= MAX_INT:
            return stream, seq
    raise MalformedEntry("malformed_erasure")


class Erased:
    """Which entry erased the opening at a place, for any number of erasures: 24 bytes for each stream of a case.

    Streams whose name is a number (`case:17`) are kept in packed columns, others by name.
    """

    def __init__(self) -> None:
        self._entries: list[str] = []
        self._by_kind: dict[str, _Column] = {}
        self._by_name: dict[str, list[tuple[int, int]]] = {}

    def __len__(self) -> int:
        """How many entries were added."""
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """An erasure; MalformedEntry as of `covered_by`."""
        covers, number = covered_by(entry), len(self._entries)
        self._entries.append(entry.entry_id)
        for stream, seq in covers:
            kind, _, name = stream.partition(":")
            if _is_number(name):
                self._by_kind.setdefault(kind, _Column()).add(int(name), seq, number)
            else:
                self._by_name.setdefault(stream, []).append((seq, number))

    def by(self, stream: str, seq: int) -> str | None:
        """The id of the entry that erased the openings at this place; none if no erasure covers it."""
        kind, _, name = stream.partition(":")
        if _is_number(name):
            column = self._by_kind.get(kind)
            number = None if column is None else column.find(int(name), seq)
        else:
            number = min((entry for last, entry in self._by_name.get(stream, ()) if seq <= last), default=None)
        return None if number is None else self._entries[number]


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) <= 16 and (name == "0" or name[0] != "0")


class _Column:
    """Places of one kind of stream, sorted when they are first asked for."""

    def __init__(self) -> None:
        self._names, self._last, self._entries = array("q"), array("q"), array("q")
        self._sorted = True

    def add(self, name: int, last: int, entry: int) -> None:
        self._names.append(name)
        self._last.append(last)
        self._entries.append(entry)
        self._sorted = False

    def find(self, name: int, seq: int) -> int | None:
        if not self._sorted:
            self._sort()
        at = bisect_left(self._names, name)
        while at < len(self._names) and self._names[at] == name:
            if seq <= self._last[at]:
                return self._entries[at]
            at += 1
        return None

    def _sort(self) -> None:
        order = sorted(range(len(self._names)), key=lambda at: (self._names[at], self._last[at]))
        self._names, self._last, self._entries = (
            array("q", (column[at] for at in order)) for column in (self._names, self._last, self._entries)
        )
        self._sorted = True


def as_data(covered: Sequence[Place]) -> Mapping[str, Any]:
    """The part of an entry's `data` that `covered_by` reads."""
    return {"covers": [list(place) for place in covered]}
