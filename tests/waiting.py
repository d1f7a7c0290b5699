"""Waiting for what another process is about to do."""

import time
from collections.abc import Callable


def until(holds: Callable[[], bool], within_s: float = 60) -> None:
    """Ask until it does; TimeoutError."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)
