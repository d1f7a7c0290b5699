"""Permits of a process: what is asked while a transaction runs is decided together in the next one.

No timer: an idle service adds no delay. A caller's mistake is their own answer; what goes wrong with all of a batch is
tried again one by one, so that nobody pays for a stranger's mistake.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.engine import Connection

from api.auth import still_holds
from casework.clock import Clock, now
from casework.errors import CallerError, TryAgain
from casework.operation.startup import Started
from casework.people.identity.holding import Holder
from casework.people.identity.sessions import not_authenticated
from casework.people.staff.acting import version_of
from casework.people.staff.actor import Actor
from casework.storage.database import writing
from casework.work.gate.asking import COMMAND, Wanted, askings_of
from casework.work.gate.gather import Asking
from casework.work.gate.permits import Permit, ask

MAX_BATCH = 128
MAX_WAITING = 2_048
Outcome = Permit | Exception


@dataclass(slots=True, eq=False)
class _Asked:
    holder: Holder
    wanted: Wanted
    answer: "asyncio.Future[Permit]"


@dataclass(slots=True)
class PermitDesk:
    """Used by one event loop."""

    started: Started
    clock: Clock = now
    _waiting: list[_Asked] = field(default_factory=list)
    _working: "asyncio.Task[None] | None" = None

    async def ask(self, holder: Holder, wanted: Wanted) -> Permit:
        """The answer once it is committed; CallerError or TryAgain."""
        if len(self._waiting) >= MAX_WAITING:
            raise TryAgain("overloaded", "too much work is waiting")
        asked = _Asked(holder, wanted, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await asked.answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                outcomes = await asyncio.to_thread(self._decide_all, batch)
                for one, outcome in zip(batch, outcomes, strict=True):
                    _tell(one.answer, outcome)
        finally:
            self._working = None

    def _decide_all(self, batch: list[_Asked]) -> list[Outcome]:
        try:
            return self._decide(batch)
        except TryAgain as failure:
            return [failure] * len(batch)
        except Exception as error:  # noqa: BLE001  # whose it is shows one at a time; the edge tells a bug
            if len(batch) == 1:
                return [error]
        return [self._decide_all([one])[0] for one in batch]

    def _decide(self, batch: list[_Asked]) -> list[Outcome]:
        with writing(self.started.engine) as conn:
            version, at, branch = version_of(conn), self.clock(), self.started.branch
            actors = [self._actor(conn, one.holder, version, at) for one in batch]
            known = [(actor, one.wanted) for actor, one in zip(actors, batch, strict=True) if isinstance(actor, Actor)]
            askings = iter(askings_of(conn, branch, known, at))
            found = [next(askings) if isinstance(actor, Actor) else actor for actor in actors]
            permits = iter(ask(conn, branch, [one for one in found if isinstance(one, Asking)], at))
            return [next(permits) if isinstance(one, Asking) else one for one in found]

    def _actor(self, conn: Connection, holder: Holder, version: int, at: datetime) -> Actor | CallerError:
        """Who asks; looked up again only where the register has changed since the token was."""
        if holder.actor.register_version == version:
            return holder.actor
        try:
            found = still_holds(conn, holder, at, self.started.branch)
            if found is None:
                return not_authenticated()
            self.started.branch.rulebook.permissions.require(found.actor, COMMAND)
            return found.actor
        except CallerError as refused:
            return refused


def _tell(answer: "asyncio.Future[Permit]", outcome: Outcome) -> None:
    if answer.done():  # whoever asked has left
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
