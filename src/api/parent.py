"""A worker ends with the process that began it, which cannot tell it so when it is killed."""

import multiprocessing
import os
import shutil
import signal
import threading
import time

from api.logs import log
from api.process_metrics import MULTIPROCESS

FORCED_AFTER_S = 60.0
"""Longer than a worker that is told to end takes at most: the half minute that the server gives its requests."""


def end_with_parent() -> None:
    """From now on this process is told to end when its parent is gone; without effect in a process that has none."""
    if multiprocessing.parent_process() is not None:
        threading.Thread(target=_wait, name="casework-parent", daemon=True).start()


def _wait() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # a pipe that its end closes, however it comes
    log().error("parent_gone")
    if MULTIPROCESS in os.environ:  # the parent's to remove, and whoever writes there still has it open
        shutil.rmtree(os.environ[MULTIPROCESS], ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(FORCED_AFTER_S)
    os._exit(1)
