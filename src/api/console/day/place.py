"""What a line of a list shows besides its words: where its task is done, and whether that is a call."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from api.console.visits.review import PLACE as BOARD
from casework.work.cases.task_rules import BY_HAND
from casework.work.photos.drawing import CHECK as PHOTOS
from casework.work.tasks.own import Task

_PLACES: Final[Mapping[str, Callable[[Task], str]]] = {
    **dict.fromkeys(
        ("hold_confirm", "hold_review", "hold_ends"), lambda one: f"/console/holds?loan_id={quote(one.loan_id)}"
    ),
    **dict.fromkeys(("breach_review", "contact_review"), lambda one: f"/console/evening?on={one.due_on}"),
    **dict.fromkeys(("form_review", "form_returned"), lambda one: f"/console/disposals/{one.ref}"),
    "request": lambda one: f"/console/requests/{one.ref}",
    "report_review": lambda _: BOARD,
    "report_returned": lambda one: f"/console/visits/{one.ref}/stop",
}


CALLS: Final = frozenset({"dial", "dial_contacts", "dial_by_dpd", "broken_promise", "promise_due", "call_back"})
"""Tasks that are done by calling: of these alone a line says when somebody may be called."""
CALL_BY_HAND: Final = "call"


def is_call(task: Task) -> bool:
    """Whether it is done by calling."""
    return task.task in CALLS or (task.task == BY_HAND and task.ref == CALL_BY_HAND)


def place_of(task: Task) -> str | None:
    """Its page; else the debtor's, and none where it is about no case."""
    if task.ref == PHOTOS:
        return BOARD
    place = _PLACES.get(task.task)
    if place is not None:
        return place(task)
    return None if task.case_id is None else f"/console/debtors/{task.case_id}"
