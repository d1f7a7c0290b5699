"""The streams of a log in parts, each walked by itself: who walks them may be several processes.

Where a part ends follows from the log alone, so that as many make the same report as one.
"""

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.tables import entries

AT_ONCE = 2_000
"""Entries in a part, about: a stream is never divided. So many take a process less than a tenth of a second: as long as
the others wait, at most, for whoever took the last part."""


class Part(NamedTuple):
    """Streams of one kind from `first` on and before `end`; or, where `kind` is none, all that are `of_none`."""

    kind: str | None
    first: str | None = None
    end: str | None = None
    of_none: tuple[str, ...] = ()

    def holds(self, stream: sa.Column[str]) -> list[sa.ColumnElement[bool]]:
        """Whether a stream is in it. Every value is in exactly one part, whatever it is and however it is sorted."""
        said = [] if self.kind is None else [_of_kind(stream, self.kind)]
        said += [sa.not_(_of_kind(stream, kind)) for kind in self.of_none]
        said += [] if self.first is None else [stream >= self.first]
        return said if self.end is None else [*said, stream < self.end]


def parts_of(conn: Connection, kind: str) -> Iterator[Part]:
    """All streams of a kind, in order, each part as soon as it is cut; none where there are no such entries."""
    if conn.execute(sa.select(entries.c.id).where(_of_kind(entries.c.stream, kind)).limit(1)).first() is None:
        return
    for first, end in pairwise(chain([None], _cuts(conn, kind), [None])):
        yield Part(kind, first, end)


def _cuts(conn: Connection, kind: str) -> Iterator[str]:
    stream = entries.c.stream
    there = sa.select(stream).where(_of_kind(stream, kind)).order_by(stream, entries.c.stream_seq).limit(1)
    last = conn.execute(there).scalar_one()
    while True:
        cut = conn.execute(there.where(stream >= last).offset(AT_ONCE)).scalar()
        if cut == last:  # a stream longer than a part
            cut = conn.execute(there.where(stream > last)).scalar()
        if cut is None:
            return
        yield cut
        last = cut


def _of_kind(stream: sa.Column[str], kind: str) -> sa.ColumnElement[bool]:
    return sa.func.substr(stream, 1, len(kind) + 1) == f"{kind}:"
