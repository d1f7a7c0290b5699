"""Threads of one process that want the same thing, one after another in the order in which they came (decision 0095).

Only who is first looks whether it can be had; the others sleep and cost nothing. A turn lasts until it is had or given
up, not for as long as it is used: who holds it without end, or drops it, is in nobody's way here.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, RLock

_waiting: dict[Hashable, deque[Lock]] = {}
"""Each who waits, by what they wait for; their lock is opened when they become first, and when they should look."""
_changing = RLock()
"""Whoever holds it may take it once more: a connection that is collected as rubbish is given back at any place."""


@contextmanager
def in_turn(wanted: Hashable, until: float) -> Iterator[Callable[[float], None]]:
    """Returns once everybody who came before has looked for `wanted` to their end, at the latest at `until`.

    `until` is of `time.monotonic`. Whose time is over before their turn may look once, out of order. What is yielded
    sleeps for so many seconds between two looks, or until `look_now` is said.
    """
    mine = Lock()
    mine.acquire()

    def sleep(seconds: float) -> None:
        mine.acquire(timeout=seconds)

    try:
        with _changing:
            line = _waiting.setdefault(wanted, deque())
            line.append(mine)
            first = line[0] is mine
        if not first:
            sleep(max(0, until - time.monotonic()))
        yield sleep
    finally:
        with _changing:
            _leave(wanted, mine)


def look_now(wanted: Hashable) -> None:
    """Wakes who is first: somebody of this process has let go of `wanted`. Only a hint; nothing depends on it."""
    with _changing:
        _wake_first(_waiting.get(wanted))


def _leave(wanted: Hashable, mine: Lock) -> None:
    line = _waiting.get(wanted, deque())
    if mine not in line:  # an interrupt came before it was
        return
    was_first = line[0] is mine
    line.remove(mine)
    if not line:
        del _waiting[wanted]
    elif was_first:
        _wake_first(line)


def _wake_first(line: deque[Lock] | None) -> None:
    if line:
        with suppress(RuntimeError):  # they are awake, and look anyway
            line[0].release()


def _nobody_waits() -> None:
    """A fork has one thread, which waits for nothing; those who did, and who held the lock, are not in it."""
    global _changing  # noqa: PLW0603 - the lock of before may be held by a thread that is not here
    _changing = RLock()
    _waiting.clear()


os.register_at_fork(after_in_child=_nobody_waits)
