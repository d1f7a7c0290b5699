"""One case's stream folded as far as it is asked for, by the door's own fold. Pure but for the texts it asks for."""

from collections.abc import Callable
from copy import deepcopy
from datetime import date, datetime
from typing import Final

from casework.errors import CallerError
from casework.evidence.past.chained import (
    SaidThen,
    broken,
    business_date_of,
    data_of,
)
from casework.lifecycle.fold import apply
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.policy import Policy
from casework.work.cases import fold
from casework.work.cases.case import Case
from casework.work.cases.noun import CASE
from casework.work.cases.nouns import NOUNS

PREFIX: Final = "case:"
_STILL: Final = (
    fold.SAYS.refused,
    fold.SAYS.asked,
    fold.SAYS.noted,
)  # they change nothing: neither data nor texts are looked at
_OF_CHILDREN: Final = tuple(f"{noun.word}." for noun in NOUNS if noun.child)
Cited = Callable[[SaidThen], tuple[Chart, Policy]]
"""The chart and policy that an entry cites; CallerError `log_broken` for a text that is not there as it was."""


class CaseFold:
    """A case as the entries taken so far make it; none before the first.

    `last` is the last entry of its stream, `own` the last that is the case's and not a child's.
    """

    __slots__ = ("_cited", "case", "last", "leaf", "own")

    def __init__(self, cited: Cited) -> None:
        self._cited = cited
        self.case: Case | None = None
        self.last: SaidThen | None = None
        self.own: SaidThen | None = None
        self.leaf = b""

    def take(self, said: SaidThen, leaf: bytes) -> None:
        """Let the entry with this leaf hash happen; CallerError `log_broken` if it does not follow from the case."""
        case, event = self.case, said.event
        if case is None:
            self.case = case = self._open(said)
        elif event.startswith(_OF_CHILDREN):  # what the case learns of it, a fact of its own says
            self.last, self.leaf = said, leaf
            return
        elif said.from_ != case.state:
            raise broken("state_differs", said.stream, said.stream_seq, entry_says=said.from_, replayed=case.state)
        elif not event.startswith(_STILL):
            chart, policy = self._cited(said)
            try:
                apply(CASE, case, event, said.to, said.actor.id, data_of(said), chart, policy)
            except Exception as error:
                raise _impossible(said, type(error).__name__) from error
        if said.to != case.state:
            raise broken("state_differs", said.stream, said.stream_seq, entry_says=said.to, replayed=case.state)
        self.last = self.own = said
        self.leaf = leaf

    def _open(self, said: SaidThen) -> Case:
        number = number_of(said.stream)
        if said.event != fold.SAYS.opened or said.from_ is not None or number is None:
            raise _impossible(said, "not_opened")
        chart, _ = self._cited(said)
        try:
            return fold.open_case(number, said.actor.id, chart, data_of(said))
        except Exception as error:
            raise _impossible(said, type(error).__name__) from error

    def business_date(self) -> date:
        """The business date of the last entry taken."""
        if self.last is None:
            raise ValueError("a case that was not opened has no business date")
        try:
            return date.fromisoformat(business_date_of(self.last))
        except ValueError as error:
            raise _impossible(self.last, type(error).__name__) from error

    def row(self) -> Case | None:
        """The case's row as it was after the last entry taken; a copy that later entries leave alone."""
        if self.case is None or self.last is None:
            return None
        row = deepcopy(self.case)
        row.audit_seq, row.audit_head = self.last.stream_seq, self.leaf
        row.last_entry_at = datetime.fromisoformat(self.last.recorded_at)
        return row


def number_of(stream: str) -> int | None:
    """The case of a stream, in the only spelling that the service uses; none for any other stream."""
    text = stream.removeprefix(PREFIX)
    plain = stream.startswith(PREFIX) and text.isascii() and text.isdecimal() and len(text) <= 18
    return int(text) if plain and text == str(int(text)) else None


def _impossible(said: SaidThen, error: str) -> CallerError:
    return broken("replay_impossible", said.stream, said.stream_seq, error=error)
