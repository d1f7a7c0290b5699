"""Some at a time over HTTP: what came of each, in the order given, and how many of each kind there were."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from litestar import Request

from api.problems import status_of
from api.written import Change, changing
from casework.errors import CallerError
from casework.storage.driver_errors import again_on_conflict


class WithOutcome(Protocol):
    """What became of one: done, or the code that it would have been answered with alone."""

    outcome: str


T = TypeVar("T")
R = TypeVar("R", bound=WithOutcome)
DONE: dict[str, Any] = {"outcome": "done", "status": 200}
"""What every result says of one that is done."""


def refused(fault: CallerError) -> dict[str, Any]:
    """What every result says of one that is not."""
    return {"outcome": fault.code, "status": status_of(fault.code), "zh": fault.zh, "en": str(fault)}


def counted(results: Iterable[WithOutcome]) -> dict[str, int]:
    """How many there are of each outcome."""
    return dict(sorted(Counter(one.outcome for one in results).items()))


def answered(kind: Callable[[bool, int, dict[str, int], list[R]], T], results: Sequence[R], *, atomic: bool) -> T:
    """The answer of this kind: whether all or none, how many, of which outcomes, and each."""
    return kind(atomic, len(results), counted(results), list(results))


def in_one(request: Request[Any, Any, Any], work: Callable[[Change], T]) -> T:
    """What `work` says, done in one transaction by who still may, and once more if another took a unique key first."""

    def once() -> T:
        with changing(request) as change:
            return work(change)

    return again_on_conflict(once)
