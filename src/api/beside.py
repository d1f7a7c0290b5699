"""What runs in a thread of its own while the service does: begun with it, and ended before it ends."""

import threading
from collections.abc import Callable


class Beside:
    """Runs `run` from `start` to `stop`; nothing where there is none to run.

    `run` comes back when the event that it is given is set, after what it is doing then.
    """

    def __init__(self, name: str, run: Callable[[threading.Event], object] | None) -> None:
        self._stop = threading.Event()
        self._thread = None if run is None else threading.Thread(target=lambda: run(self._stop), name=name)

    def start(self) -> None:
        """Begin, if there is something to run."""
        if self._thread is not None:
            self._thread.start()

    def stop(self) -> None:
        """Have it end, and wait until it has; nothing where it was not begun, or ended by itself."""
        self._stop.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()
