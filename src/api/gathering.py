"""Jobs as the event loop comes upon them, until it comes upon nothing more: the writer gets all of them at once.

While the writer is at a transaction they wait for its end; then the loop carries its answers, and whoever was answered
and asks again at once travels with them. No timer: turns of the loop that bring nothing are the sign, and a loop that
has nothing else to do takes three of them in some microseconds.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from api.jobs import Job

QUIET_TURNS: Final = 2
"""Turns that bring no job before what has come is handed over: what one turn reads, the next one parses."""


class Gathering:
    """Owned by the event loop's thread; `is_wanted` alone is said by the writer's."""

    def __init__(self, hand_over: Callable[[list[Job]], None], *, at_most: int) -> None:
        """`hand_over` gets what has come together; `at_most`: so many do not wait for more."""
        self._hand_over = hand_over
        self._at_most = at_most
        self._jobs: list[Job] = []
        self._looking = False
        self.is_wanted = True
        """Whether the writer waits for work. Who says so has the loop `look`."""

    def __len__(self) -> int:
        """Those that have come and are not handed over."""
        return len(self._jobs)

    def add(self, job: Job) -> None:
        """One more."""
        self._jobs.append(job)
        self.look()

    def take(self) -> list[Job]:
        """All that have come; they are the caller's now."""
        jobs, self._jobs = self._jobs, []
        return jobs

    def look(self) -> None:
        """Begin to wait for the end of what comes now, if the writer waits for it."""
        if self._jobs and self.is_wanted and not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look, 0, 0)

    def _look(self, seen: int, quiet: int) -> None:
        come = len(self._jobs)
        quiet = quiet + 1 if come == seen else 0
        if quiet < QUIET_TURNS and come < self._at_most:
            asyncio.get_running_loop().call_soon(self._look, come, quiet)
            return
        self._looking = self.is_wanted = False
        self._hand_over(self.take())
