"""The sealer as part of the process: a thread that begins and ends with it; with several processes, one seals."""

import threading

from api.logs import log, log_bug
from api.metrics import Metrics
from casework.errors import CallerError, TryAgain
from casework.log.write.seal import Round
from casework.operation.sealing import sealer_of
from casework.operation.startup import Started

_TOLD_AT_MOST = 20


class Sealing:
    """Seals twice a second until it is stopped; what troubles it is logged when it changes."""

    def __init__(self, started: Started, metrics: Metrics) -> None:
        self._metrics = metrics
        self._sealer = sealer_of(started)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="casework-sealer") if started.settings.seal else None
        self._trouble: tuple[object, ...] = ()
        self.refusal: CallerError | None = None
        """Why the last round signed nothing, or could not seal at all; while the database is gone, what was before."""

    def start(self) -> None:
        """Begin, unless CASEWORK_SEAL=0."""
        if self._thread is not None:
            self._thread.start()

    def stop(self) -> None:
        """End after the round that runs."""
        self._stop.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._sealer.watch(self._stop, tell=self._tell)
            except Exception as error:  # noqa: BLE001  # nobody waits for it: the log must tell, and sealing go on
                log_bug("sealer", error)
                self._stop.wait(5)

    def _tell(self, done: Round | CallerError | TryAgain) -> None:
        if not isinstance(done, TryAgain):
            self.refusal = done.refused if isinstance(done, Round) else done
            self._metrics.signed(self.refusal)
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
