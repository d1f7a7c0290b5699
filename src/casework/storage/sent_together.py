"""A pipeline of the driver that sends its statements together, at its end or when an answer is wanted before.

The driver's own sends each one as it comes and looks for answers meanwhile: some system calls a statement, and the
server is woken for each. What is overridden here is the driver's inside; `tests/test_rows.py` holds what it must do.
"""

from psycopg import Connection, Pipeline
from psycopg.abc import PQGen
from psycopg.generators import send
from psycopg.pq import TransactionStatus


class SentTogether(Pipeline):
    """To be the connection's before its `pipeline()` is entered."""

    @classmethod
    def begin(cls, raw: "Connection[object]") -> None:
        """From the next `pipeline()` of this connection to its end."""
        raw._pipeline = cls(raw)  # noqa: SLF001  # where `pipeline()` looks whether there is one

    def _communicate_gen(self) -> PQGen[None]:
        yield from ()  # after each statement: it can wait

    def _fetch_gen(self, *, flush: bool) -> PQGen[None]:
        while self.command_queue:
            self.command_queue.popleft()()
        yield from send(self.pgconn)
        yield from super()._fetch_gen(flush=flush)

    def _sync_gen(self) -> PQGen[None]:
        if self.pgconn.transaction_status == TransactionStatus.IDLE and len(self.command_queue) == 1:
            # The beginning of a transaction: it is not waited for, but libpq has to know that there is one.
            self.command_queue.popleft()()
        else:
            yield from super()._sync_gen()

    def _exit_gen(self) -> PQGen[None]:
        self._enqueue_sync()  # which has the server answer: nothing is to be asked for on top of it
        yield from self._fetch_gen(flush=False)
