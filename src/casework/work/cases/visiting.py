"""What guards on visits need from outside: the time, and which of the staff that are named are not there."""

from collections.abc import Mapping
from typing import Any

from casework.lifecycle.door import Door
from casework.work.cases.door import owning_of
from casework.work.visits import Visit


def beside(door: Door, visit: Visit, given: Mapping[str, Any]) -> dict[str, Any]:
    """When the act is recorded, and who is named but does not work here."""
    roster = owning_of(door).roster
    named = {*visit.visitors, *(given[name] for name in ("visitor", "second_visitor") if given.get(name))}
    return {
        "at": door.trail.recorded_at.isoformat(),
        "not_there": sorted(one for one in named if not roster.is_there(one)),
    }
