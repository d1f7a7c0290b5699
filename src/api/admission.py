"""Where strangers are served: a bounded place beside the rest, so that a flood of log-ins costs nobody else their turn.

Comparing a password keeps a core busy on purpose. One thread does that; what finds no place to wait is refused at once.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TypeVar

from casework.errors import TryAgain

MAX_COMPARING = 16
MAX_LOOKING = 64
FORGET_EVERY_S = 60.0
Answer = TypeVar("Answer")


class Admission:
    """Two queues with an end each; owned by the event loop's thread."""

    def __init__(self) -> None:
        self._forget_at = 0.0
        self._looking = _Lane(2, MAX_LOOKING, "casework-admission")
        self._comparing = _Lane(1, MAX_COMPARING, "casework-passwords")

    async def look(self, work: Callable[[], Answer]) -> Answer:
        """Run what only asks the database; TryAgain `overloaded` when too many wait."""
        return await self._looking.run(work)

    async def compare(self, work: Callable[[], Answer]) -> Answer:
        """Run what hashes a password; TryAgain `overloaded` when too many wait."""
        return await self._comparing.run(work)

    def should_forget(self) -> bool:
        """Whether old counts are to be forgotten now: once in a while, by whoever comes."""
        if monotonic() < self._forget_at:
            return False
        self._forget_at = monotonic() + FORGET_EVERY_S
        return True

    def close(self) -> None:
        """End the threads; what they do is finished first."""
        self._looking.close()
        self._comparing.close()


class _Lane:
    def __init__(self, threads: int, places: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._places = places
        self._inside = 0

    async def run(self, work: Callable[[], Answer]) -> Answer:
        if self._inside >= self._places:
            raise TryAgain("overloaded", "too many log-ins are waiting", retry_after_s=2)
        self._inside += 1
        asked = asyncio.get_running_loop().run_in_executor(self._pool, work)
        asked.add_done_callback(self._leave)  # a client that goes away does not free the thread
        return await asyncio.shield(asked)

    def _leave(self, done: "asyncio.Future[Answer]") -> None:
        self._inside -= 1
        if not done.cancelled():
            done.exception()  # seen, even if nobody waits any more

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
