"""The sealer of a process that embeds the API: a thread that begins and ends with it; of several processes one seals.

`casework serve` gives the sealer a process of its own instead (`api.sealing_apart`).
"""

import threading
from collections.abc import Callable
from typing import Final

from api.beside import Beside
from api.logs import log, log_bug
from casework.errors import CallerError, TryAgain
from casework.log.write.seal import Round
from casework.operation.sealing import sealer_of
from casework.operation.startup import Started

_TOLD_AT_MOST: Final = 20
_AFTER_A_BUG_S: Final = 5.0


class Rounds:
    """Seals twice a second until it is told to stop; what troubles it is logged when it changes."""

    def __init__(self, started: Started, tell: Callable[[CallerError | None], object]) -> None:
        """`tell` hears after each round why it signed nothing, or could not seal at all; None where all is well.

        While the database is gone it hears nothing, and what was before stands.
        """
        self._sealer = sealer_of(started)
        self._tell_refusal = tell
        self._trouble: tuple[object, ...] = ()

    def run(self, stop: threading.Event) -> None:
        """Until `stop`, and the round that runs then has ended."""
        while not stop.is_set():
            try:
                self._sealer.watch(stop, tell=self._tell)
            except Exception as error:  # noqa: BLE001  # nobody waits for it: the log must tell, and sealing go on
                log_bug("sealer", error)
                stop.wait(_AFTER_A_BUG_S)

    def _tell(self, done: Round | CallerError | TryAgain) -> None:
        if not isinstance(done, TryAgain):
            self._tell_refusal(done.refused if isinstance(done, Round) else done)
        if not isinstance(done, Round):
            trouble: tuple[object, ...] = (done.code,)
        else:
            refused = done.refused.code if done.refused else None
            troubled = tuple(done.troubled)
            trouble = (refused, tuple(done.left), troubled) if refused or done.left or troubled else ()
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if isinstance(done, Round) and trouble:
            left = [f"{one.entry_id or one.row}: {one.code}" for one in done.left[:_TOLD_AT_MOST]]
            log().error("seal", refused=trouble[0], left=left, left_in_all=len(done.left), troubled=done.troubled)
        elif trouble:
            told = {} if isinstance(done, Round) else {"detail": str(done)}  # names host or file, never a password
            log().error("seal", code=trouble[0], **told)
        else:
            log().info("seal", status="well again")


class Sealing(Beside):
    """Seals in a thread, unless CASEWORK_SEAL=0; ends after the round that runs."""

    ends = 0
    """How often the sealer ended unasked: a thread does not."""

    def __init__(self, started: Started) -> None:
        rounds = Rounds(started, self._heard)
        super().__init__("casework-sealer", rounds.run if started.settings.seal else None)
        self.refusal: CallerError | None = None
        """Why the last round signed nothing, or could not seal at all; while the database is gone, what was before."""

    def _heard(self, refusal: CallerError | None) -> None:
        self.refusal = refusal
