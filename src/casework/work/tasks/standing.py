"""Where a task stands by what people did with it: the fold of their acts. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final, NamedTuple

STARTED: Final = "tasks.strategy"
MOVED, POSTPONED, BEGUN, ENDED, ADDED = "tasks.moved", "tasks.postponed", "tasks.begun", "tasks.done", "tasks.added"
ACTS: Final = frozenset({MOVED, POSTPONED, BEGUN, ENDED})


class Stand(NamedTuple):
    """A row of `task_standing`, in the order of its columns."""

    task_id: int
    day: date
    list_of: str | None = None
    until: date | None = None
    held_by: str | None = None
    held_on: date | None = None
    done_on: date | None = None


def after(before: Stand | None, event: str, data: Mapping[str, Any]) -> Stand:
    """What an act makes of it; KeyError, ValueError or TypeError for data that no act has."""
    on = date.fromisoformat(data["on"])
    stand = (before or Stand(data["task"], on))._replace(day=on)
    if event == MOVED:
        return stand._replace(list_of=data["to"], held_by=None, held_on=None)
    if event == POSTPONED:
        return stand._replace(until=date.fromisoformat(data["until"]), held_by=None, held_on=None)
    if event == BEGUN:
        return stand._replace(held_by=data["staff_no"], held_on=on, list_of=data.get("to", stand.list_of))
    return stand._replace(done_on=on)
