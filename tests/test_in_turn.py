"""A line of threads is of one process alone (decision 0095)."""

import os
import signal
import threading
import time

from casework.storage import in_turn as turns

_PATIENCE_S = 20


def test_a_fork_waits_for_nobody_of_the_process_that_it_was_forked_from() -> None:
    """Others stand in the line at that moment, and one of them is just changing it."""
    leave, held = threading.Event(), threading.Event()

    def hold() -> None:
        with turns.in_turn("some", time.monotonic() + _PATIENCE_S), turns._changing:
            held.set()
            leave.wait(_PATIENCE_S)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(_PATIENCE_S)
    pid = os.fork()
    if pid == 0:
        began = time.monotonic()
        with turns.in_turn("some", began + _PATIENCE_S):
            os._exit(0 if time.monotonic() - began < _PATIENCE_S / 2 else 1)
    leave.set()
    thread.join()
    until = time.monotonic() + _PATIENCE_S
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0) and time.monotonic() < until:
        time.sleep(0.01)
    if ended == (0, 0):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert ended == (pid, 0)
