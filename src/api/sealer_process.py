"""The process that seals for `casework serve`: `python -m api.sealer_process FILE ENDS`, settings in the environment.

It says in FILE what it met last, logs like the service, and ends after the round that runs when its stdin does. Signals
that a terminal or a service manager sends to all are the service's to answer: what it still writes is sealed too.
"""

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final

from api import logs
from api.sealing import Rounds
from api.sealing_apart import IN_ORDER, SealerState, write_state
from casework.errors import CallerError, RulesBroken, TryAgain
from casework.large_buffers import give_back_large_buffers
from casework.operation.startup import start
from casework.settings import Settings
from casework.storage.garbage import keep_for_good

FORCED_AFTER_S: Final = 60.0
"""Longer than one round waits for a lock; a backlog that takes longer is sealed by whoever comes next."""


def seal(stop: threading.Event, file: Path, ends: int) -> None:
    """Seal until `stop`; CallerError, RulesBroken or TryAgain where the branch cannot be opened."""
    started = start(Settings.from_environment())
    give_back_large_buffers()
    keep_for_good()
    told: list[CallerError | None] = []

    def tell(refusal: CallerError | None) -> None:
        """What is new."""
        if told and (told[0] and told[0].code) == (refusal and refusal.code):
            return
        told[:] = [refusal]
        state = SealerState(ends=ends, process_id=os.getpid())
        if refusal is not None:
            state.code, state.zh, state.en = refusal.code, refusal.zh, refusal.en
        write_state(file, state)

    try:
        Rounds(started, tell).run(stop)
    finally:
        started.engine.dispose()


def _wait_for_end(stop: threading.Event, orphaned: threading.Event, file: Path) -> None:
    """Of stdin, which whoever began this process holds."""
    if os.read(0, 1) != IN_ORDER:  # not `sys.stdin`, whose lock a thread that waits would keep from the exit
        orphaned.set()
    stop.set()
    time.sleep(FORCED_AFTER_S)
    _tidy(orphaned, file)
    os._exit(1)


def _tidy(orphaned: threading.Event, file: Path) -> None:
    """Away with the folder of who was killed: theirs to remove, if they still could. Nothing writes there any more."""
    if orphaned.is_set():
        shutil.rmtree(file.parent, ignore_errors=True)


def main() -> None:
    """As the arguments say; exit code 1 where the branch cannot be opened, and the log says why."""
    file, ends = Path(sys.argv[1]), int(sys.argv[2])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    logs.configure(Settings.from_environment().log_level)
    stop, orphaned = threading.Event(), threading.Event()
    threading.Thread(target=_wait_for_end, args=(stop, orphaned, file), name="casework-parent", daemon=True).start()
    try:
        seal(stop, file, ends)
    except (CallerError, TryAgain) as refused:
        logs.log().error("seal", code=refused.code, detail=str(refused))
        raise SystemExit(1) from None
    except RulesBroken:
        logs.log().error("seal", code="rules_broken")
        raise SystemExit(1) from None
    finally:
        _tidy(orphaned, file)


if __name__ == "__main__":
    main()
