"""Waiting until what was changed is under a signed checkpoint (`Prefer: sealed`): one look for all who wait.

While somebody waits, a worker thread asks the newest checkpoint's size a few times a second, and only when it has grown
which of the awaited entries it covers. Nobody holds a thread, a connection or the writer meanwhile.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from casework.errors import TryAgain
from casework.log.tables import entries, leaves
from casework.log.write.grown import last_published, present_log
from casework.storage.database import reading

LOOK_EVERY_S: Final = 0.05
MAX_ENTRIES: Final = 4_000
"""Awaited at one time; whoever comes then is answered without waiting, as if the time had run out."""
_ASKED_AT_ONCE: Final = 400

Place = tuple[str, int]
"""Stream and number of an entry."""


class _Waiter:
    """One request: what it still waits for, and the checkpoint that covered the rest."""

    def __init__(self, places: Iterable[Place], done: "asyncio.Future[int]") -> None:
        self.left = set(places)
        self.done = done
        self.looked_up = False


class Awaiting:
    """Those who wait, of one process; owned by the event loop's thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiters: list[_Waiter] = []
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    async def sealed(self, entry_ids: Iterable[str], within_s: float) -> int | None:
        """The size of the checkpoint under which all of these are; None when it takes longer, or too many wait."""
        places = set(map(_place_of, entry_ids))
        if not places or within_s <= 0 or self._closed:
            return None
        if sum(len(waiter.left) for waiter in self._waiters) + len(places) > MAX_ENTRIES:
            return None
        waiter = _Waiter(places, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            return await asyncio.wait_for(waiter.done, within_s)
        except TimeoutError:
            return None
        finally:
            self._waiters.remove(waiter)

    def close(self) -> None:
        """Nobody waits any longer: the service is stopping."""
        self._closed = True
        for waiter in self._waiters:
            if not waiter.done.done():
                waiter.done.set_exception(TimeoutError())

    async def _look(self) -> None:
        """Until nobody waits; a database that cannot answer now is asked again."""
        known: tuple[int, int] | None = None
        while self._waiters:
            waiting = [waiter for waiter in self._waiters if not waiter.done.done()]
            wanted = {place for waiter in waiting for place in waiter.left}
            with suppress(TryAgain):
                is_new = any(not waiter.looked_up for waiter in waiting)
                known, covered = await asyncio.to_thread(self._covered, wanted, None if is_new else known)
                for waiter in waiting:
                    waiter.looked_up = True
                    waiter.left -= covered
                    if not waiter.left and known is not None and not waiter.done.done():
                        waiter.done.set_result(known[1])
            await asyncio.sleep(LOOK_EVERY_S)

    def _covered(self, wanted: set[Place], known: tuple[int, int] | None) -> tuple[tuple[int, int] | None, set[Place]]:
        """The present log's number and signed size, and which entries are below it; of what is `known`, nothing."""
        covered: set[Place] = set()
        with reading(self._engine, snapshot=True) as conn:
            log = present_log(conn)
            published = last_published(conn, log) if log else None
            if log is None or published is None:
                return None, covered
            at = (log.number, published.size)
            places = list(wanted) if at != known else []
            for start in range(0, len(places), _ASKED_AT_ONCE):
                part = places[start : start + _ASKED_AT_ONCE]
                found = (
                    sa.select(entries.c.stream, entries.c.stream_seq)
                    .join(leaves, (leaves.c.entry == entries.c.id) & (leaves.c.log == log.number))
                    .where(
                        sa.tuple_(entries.c.stream, entries.c.stream_seq).in_(part),
                        leaves.c.leaf_index < published.size,
                    )
                )
                covered |= {(row.stream, row.stream_seq) for row in conn.execute(found)}
        return at, covered


def _place_of(entry_id: str) -> Place:
    stream, _, number = entry_id.rpartition(":")
    return stream, int(number)
