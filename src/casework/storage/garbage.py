"""Python's garbage collector, where a great many objects are held at once and few of them in circles."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

_SELDOM: Final = (500_000, 500, 100)
"""So many new objects before the youngest are looked through, and so many times that before older ones are.

What an import or a ledger makes lives for a slice or to the end, and none of it goes in circles: looked at after fewer
objects, all of it would be looked at once, and what stays twice.
"""
_lock: Final = Lock()
_inside: Final = list[None]()
_before: Final = list[int]()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Inside, the collector of the whole process looks seldom: rows that stay would be walked through again and again.

    A fifth of an import's time was that, and half of a branch's ledger. Circles are still found, a little later.
    Several threads may be inside at once: the last to leave sets it as it was before the first.
    """
    with _lock:
        if not _inside:
            _before[:] = gc.get_threshold()
            gc.set_threshold(*_SELDOM)
        _inside.append(None)
    try:
        yield
    finally:
        with _lock:
            _inside.pop()
            if not _inside:
                gc.set_threshold(*_before)


def collected_as_before() -> None:
    """From now on as it was before `seldom_collected`: for a program that turns out to stay for long."""
    with _lock:
        if _inside:
            gc.set_threshold(*_before)


def keep_for_good() -> None:
    """What stands now is looked through no more: for a process that is ready and will serve for long.

    Of the API's 150,000 objects a full collection takes some 80 ms, in which nobody is answered.
    """
    gc.collect()
    gc.freeze()
