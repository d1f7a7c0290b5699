"""Kinds of request: what may be asked for, and how it happens once it is approved. The house lists them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from sqlalchemy.engine import Connection

from casework.clock import Clock
from casework.errors import CallerError
from casework.lifecycle.commands import Done, Refused
from casework.lifecycle.kept import Kept
from casework.people.staff.actor import Actor
from casework.rules.statechart.decide import Reason
from casework.work.cases.branch import Branch
from casework.work.requests import Request


@dataclass(frozen=True, slots=True)
class Carried:
    """It happened, and this entry says so."""

    entry_id: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What a request is about as it is now: its material version, and whether what was asked can still happen at all.

    `whose`: the cases through which it is reached.
    """

    noun: Kept
    subject: Any
    whose: Sequence[Any]
    version: int
    void: bool


class Kind(Protocol):
    """One kind of request. Everything happens in the caller's transaction; nothing here commits."""

    name: str

    def topic(self, branch: Branch, subject: str, what: str) -> str:
        """The topic of the chart of requests for `what`; CallerError if there is nothing of the name to ask for."""

    def pin(self, conn: Connection, branch: Branch, subject: str, what: str, data: Mapping[str, Any]) -> int:
        """The version of the subject that the request holds on to; locks the subject. CallerError if unknown."""

    def ask(
        self, conn: Connection, branch: Branch, request_id: int, actor: Actor, subject: str, what: str,
        data: Mapping[str, Any], clock: Clock,
    ) -> tuple[Reason, ...] | Done | Refused:  # fmt: skip
        """Why it could not happen now, all of it; empty if it could. CallerError for data that cannot be.

        What the door said, if it has written down that it was asked.
        """

    def carry_out(
        self, conn: Connection, branch: Branch, request: Request, actor: Actor, data: Mapping[str, Any], clock: Clock
    ) -> tuple[Reason, ...] | Carried:
        """Let it happen, approved by `actor`; reasons if it may not after all, and then nothing has changed."""


@runtime_checkable
class AboutPeople(Protocol):
    """A kind whose requests are about somebody: they, and who deputises for them, may have no part in these."""

    def concerned(
        self, conn: Connection, branch: Branch, subject: str, what: str, data: Mapping[str, Any]
    ) -> frozenset[str]:
        """Their staff numbers."""


@runtime_checkable
class AboutSubjects(Protocol):
    """A kind whose subjects are worked on: who decides must reach them, and they can make a request void."""

    def standings(self, conn: Connection, branch: Branch, asked: Sequence[Request]) -> Mapping[int, Standing]:
        """By request id; a few statements for each sort of subject."""

    def forecast(
        self, conn: Connection, branch: Branch, request: Request, actor: Actor, data: Mapping[str, Any], clock: Clock
    ) -> tuple[Reason, ...]:
        """Why `carry_out` would refuse it now; nothing is locked or written."""


def kind_named(branch: Branch, name: str) -> Kind:
    """CallerError `unknown_kind`."""
    kinds: dict[str, Kind] = {kind.name: kind for kind in branch.above.kinds}
    if name not in kinds:
        known = ", ".join(sorted(kinds))
        raise CallerError(
            "unknown_kind", f"没有这类申请：{name[:16]}", f"there is no such kind of request; known are {known}",
            known=sorted(kinds),
        )  # fmt: skip
    return kinds[name]


def standings(conn: Connection, branch: Branch, asked: Sequence[Request]) -> dict[int, Standing]:
    """What those requests are about that are about anything that is worked on."""
    found: dict[int, Standing] = {}
    for kind in branch.above.kinds:
        own = [request for request in asked if request.kind == kind.name]
        if own and isinstance(kind, AboutSubjects):
            found.update(kind.standings(conn, branch, own))
    return found
