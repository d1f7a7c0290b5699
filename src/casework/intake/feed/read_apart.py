"""The overdue file read by a second process, and handed over by columns, while this one reads the others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any, Final

from casework.intake.feed.feed_sheet import FeedSheet
from casework.intake.feed.reconcile import Snapshot, pack
from casework.intake.feed.row import OverdueRow, rows_of
from casework.storage.forked import made_ahead

_HANDED_OVER: Final = 5_000
"""Rows: as columns, of which a day that stands in many of them is sent once."""


@contextmanager
def overdue_apart(
    read: Callable[[], FeedSheet[OverdueRow]], as_of: date
) -> Iterator[Callable[[], FeedSheet[OverdueRow]]]:
    """From here on a second process reads it, and packs it; what gives the sheet, or raises what was raised there."""
    with made_ahead(_parts(read, as_of)) as parts:

        def sheet() -> FeedSheet[OverdueRow]:
            first: FeedSheet[OverdueRow] = next(parts)
            rows = [row for columns in parts for row in rows_of(OverdueRow, columns)]
            return replace(first, rows=rows)

        yield sheet


def _parts(read: Callable[[], FeedSheet[OverdueRow]], as_of: date) -> Iterator[Any]:
    """The sheet without its rows, and then these."""
    sheet = read()
    snapshot = Snapshot(as_of, {row[0]: row for row in sheet.rows}, {})
    yield replace(sheet, rows=[], packed=pack(snapshot))  # before the pipe is full: then it would wait with that
    for at in range(0, len(sheet.rows), _HANDED_OVER):
        yield tuple(zip(*sheet.rows[at : at + _HANDED_OVER], strict=True))
