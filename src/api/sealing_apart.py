"""The sealer of `casework serve` as a process of its own: begun, watched, begun again, ended, and asked how it does.

What it met last lies in a small file that is replaced whole; every worker reads it when somebody asks for readiness or
metrics. The process ends when its stdin does, which the one who began it holds: however that one comes to its end.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Final

import msgspec

from api.logs import log
from casework.errors import CallerError
from casework.log.write.seal import OLDEST_S

STATE: Final = "CASEWORK_SEALER_STATE"
"""Of the environment, set by `casework serve` for its workers: where the file is. Unset: no process seals for them."""
# -P: nothing is imported from the folder we are in
COMMAND: Final = (sys.executable, "-P", "-m", "api.sealer_process")
FIRST_AGAIN_S, LAST_AGAIN_S = 0.5, 60.0
"""How long is waited before it is begun again: twice as long each time, unless it lived for LAST_AGAIN_S."""
_ENDS_WITHIN_S: Final = 30.0
IN_ORDER: Final = b"."
"""What it reads before the end of its stdin, if who began it was not killed."""


class SealerState(msgspec.Struct, omit_defaults=True):
    """`since`: since when (monotonic seconds) no round has come to its end; 0 while they do. `ends`: ends unasked.

    `code`, `zh` and `en`: why the last round signed nothing, or could not seal at all.
    """

    since: float = 0.0
    ends: int = 0
    process_id: int = 0
    code: str | None = None
    zh: str = ""
    en: str = ""


def write_state(file: Path, state: SealerState) -> None:
    """Whole, or as it was; where the folder is gone, nowhere: then nobody serves any longer."""
    beside = file.with_suffix(".new")
    with suppress(OSError):
        beside.write_bytes(msgspec.json.encode(state))
        beside.replace(file)


def read_state(file: Path) -> SealerState:
    """As it was written last; as if it had never sealed where nothing can be read."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=SealerState)
    except (OSError, msgspec.MsgspecError):
        return SealerState(since=-OLDEST_S)


class SealingApart:
    """What a worker knows of the process that seals for all of them."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def start(self) -> None:
        """It has been begun."""

    def stop(self) -> None:
        """Whoever began it ends it, after the workers."""

    @property
    def refusal(self) -> CallerError | None:
        """Why it signed nothing, could not seal, or that it has not come to it for longer than an entry may wait."""
        state = read_state(self._file)
        if state.since and monotonic() - state.since > OLDEST_S:
            return CallerError("sealer_stopped")
        return None if state.code is None else CallerError(state.code, state.zh, state.en)

    @property
    def ends(self) -> int:
        """How often it ended unasked and was begun again."""
        return read_state(self._file).ends


class SealerProcess:
    """Keeps one such process running from `start` to `stop`."""

    def __init__(self, file: Path, command: tuple[str, ...] = COMMAND) -> None:
        self._file, self._command = file, command
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        # A daemon: where this process cannot wait for it, the sealer still ends after its round, its stdin having ended
        self._thread = threading.Thread(target=self._run, name="casework-sealer", daemon=True)

    def start(self) -> None:
        """Begin it, and again whenever it ends."""
        write_state(self._file, SealerState(since=monotonic()))
        self._thread.start()

    def stop(self) -> None:
        """Tell it to end after the round that runs, and wait; killed if that takes longer than half a minute."""
        self._stop.set()
        with self._lock:
            process = self._process
            if process is not None and process.stdin is not None:
                with suppress(OSError):  # it has just ended
                    process.stdin.write(IN_ORDER)
                    process.stdin.close()
        self._thread.join(_ENDS_WITHIN_S)
        if self._thread.is_alive() and process is not None:
            process.kill()
            self._thread.join()

    def _run(self) -> None:
        ends, wait_s = 0, FIRST_AGAIN_S
        while (process := self._begun(ends)) is not None:
            began = monotonic()
            code = process.wait()
            self._ended()
            if self._stop.is_set():
                return
            ends += 1
            write_state(self._file, SealerState(since=monotonic(), ends=ends))
            if monotonic() - began > LAST_AGAIN_S:
                wait_s = FIRST_AGAIN_S
            log().error("sealer_ended", exit_code=code, ends=ends, again_in_s=wait_s)
            self._stop.wait(wait_s)
            wait_s = min(2 * wait_s, LAST_AGAIN_S)

    def _ended(self) -> None:
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
            self._process = None

    def _begun(self, ends: int) -> "subprocess.Popen[bytes] | None":
        """A new one; None where it is time to end."""
        with self._lock:
            if self._stop.is_set():
                return None
            command = [*self._command, str(self._file), str(ends)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603  # our own
            return self._process


@contextmanager
def sealed_apart(folder: Path) -> Iterator[None]:
    """Inside, a process of its own seals for all who are begun meanwhile; what it says of itself lies in `folder`."""
    file = folder / "sealer.json"
    os.environ[STATE] = str(file)
    process = SealerProcess(file)
    process.start()
    try:
        yield
    finally:
        process.stop()
        del os.environ[STATE]
