"""What the writer is given: the commands of one request, and what is known of their keys before anything is decided."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from api import idempotency
from api.idempotency import IdempotencyKey, StoredAnswer
from casework.errors import CallerError
from casework.lifecycle.commands import Outcome
from casework.people.identity.holding import Holder
from casework.work.cases.commands import Command


@dataclass(slots=True, eq=False)
class Job:
    """Commands that belong to one request, and how its answer is made of their outcomes (in the writer's thread)."""

    commands: Sequence[Command]
    answer: Callable[[list[Outcome]], StoredAnswer]
    key: IdempotencyKey | None = None
    atomic: bool = False
    dry_run: bool = False
    alone: bool = False  # a transaction of its own, in the slow lane
    request_id: str = "-"
    holder: Holder | None = None  # of the token it came with; asked again when the register has changed since
    loop: asyncio.AbstractEventLoop | None = None
    future: "asyncio.Future[StoredAnswer] | None" = None
    result: StoredAnswer | BaseException | None = field(default=None)


class Settled(Exception):
    """These jobs have their answers: their key has been used before, or their token has died. Nothing is written."""

    def __init__(self, answers: list[tuple[Job, StoredAnswer | CallerError]]) -> None:
        super().__init__()
        self._answers = answers

    def answer(self, batch: list[Job]) -> list[Job]:
        """Answer them; the rest of the batch."""
        for job, answer in self._answers:
            job.result = answer
        return [job for job in batch if job.result is None]


class Claim:
    """The keys of jobs: asked for once, wherever the question travels best, and seen to before anything is decided."""

    def __init__(self, conn: Connection, jobs: list[Job], moment: datetime, mac_key: bytes) -> None:
        self._conn, self._jobs, self._moment, self._mac_key = conn, jobs, moment, mac_key
        self._keys = [job.key for job in jobs if job.key is not None]
        self._asked: Callable[[], Sequence[Any]] | None = None

    @property
    def any_keys(self) -> bool:
        """Whether any of the jobs came with one."""
        return bool(self._keys)

    def ask(self) -> None:
        """Send the question, if it has not been sent."""
        self._asked = self._asked or idempotency.ask(self._conn, self._keys)

    def settle(self) -> None:
        """Wait for the answer; `Settled` with the jobs whose key has one, or cannot be used."""
        if self._asked is None:
            raise ValueError("nobody has asked")
        known = idempotency.known(self._conn, self._keys, self._asked(), self._moment, self._mac_key)
        if known:
            raise Settled([(job, known[job.key.name]) for job in self._jobs if job.key and job.key.name in known])
