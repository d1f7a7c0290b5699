"""In which order the tasks of a morning are done, and how many of them one list has. Pure.

What is overdue by rule comes first, then promises broken yesterday, then call-backs due, then the overdue amount in fen
times the chance of its being paid (policy `task.chance_percent`, by bucket); ties by case, loan, task and reference.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

LATE, BROKEN, CALL_BACK = "late", "broken_promise", "call_back"
DUE, EXPECTED, BROKEN_BEFORE, ADDED = "due_today", "expected", "broken_before", "added"
FIRST: Final = (LATE, BROKEN, CALL_BACK)
WHYS: Final = (*FIRST, BROKEN_BEFORE, DUE, EXPECTED, ADDED)
"""Why a task is on the list; those of `FIRST` go, in this order, before everything that is ranked by amount."""
LAST: Final = 1_000_000
"""The rank of what is added during the day: after everything that the morning has ranked."""


class Found(NamedTuple):
    """Something to do, before it has a rank. `owed_by`: a member of staff, or a post; `ref`: of several of a kind."""

    owed_by: str
    task: str
    why: str
    loan_id: str
    case_id: int | None
    due_on: date
    ref: str = ""

    @property
    def identity(self) -> "Identity":
        """What makes it the same task on another list: a duty of another day is another one."""
        return self.task, self.loan_id, self.ref, self.due_on


Identity = tuple[str, str, str, date]


class Figures(NamedTuple):
    """A case, as the order needs it."""

    oldest_due_date: date | None
    overdue_fen: int
    bucket: str


NO_FIGURES: Final = Figures(None, 0, "")


class Placed(NamedTuple):
    """A task with its list and its rank in it, from 1; `held_back`: there is no room for it today."""

    list_of: str
    rank: int
    found: Found
    figures: Figures
    held_back: bool


def why_of(due_on: date, on: date) -> str:
    """Of what has a day by which it is to be done."""
    return LATE if due_on < on else DUE if due_on == on else EXPECTED


def ranked(
    found: Iterable[Found], figures: Mapping[int, Figures], chances: Mapping[str, int],
    list_of: Callable[[Found], str], room: Callable[[str], int | None],
) -> Iterator[Placed]:  # fmt: skip
    """List by list, each in its order. `chances`: percent by bucket; `room`: tasks that a list may have, none: any."""

    def place(one: Placed) -> tuple[object, ...]:
        task = one.found
        group = FIRST.index(task.why) if task.why in FIRST else len(FIRST)
        score = one.figures.overdue_fen * chances.get(one.figures.bucket, 0)
        return one.list_of, group, -score, task.case_id or 0, task.loan_id, task.task, task.ref, task.due_on

    placed = (Placed(list_of(one), 0, one, figures.get(one.case_id or 0, NO_FIGURES), False) for one in found)
    for whose, together in groupby(sorted(placed, key=place), key=attrgetter("list_of")):
        most = room(whose)
        for rank, one in enumerate(together, 1):
            yield one._replace(rank=rank, held_back=most is not None and rank > most)
