"""What the replay asks of a subject's entries about four eyes; the requests themselves are replayed by their own slice.

Pure.
"""

from collections.abc import Mapping
from typing import Any

from casework.lifecycle.subject import Subject
from casework.log.format.entry import Entry
from casework.rules.statechart.chart import Event

REQUEST_NEEDED, NO_REQUEST_NEEDED = "request_needed", "no_request_needed"
CHANGED, INVOLVED = "changed_since_asked", "involved_before"


def fault_of_step(spec: Event, entry: Entry, subject: Subject) -> str | None:
    """The finding on a step and what cleared it: none if the chart of its time asked for nothing, or it is in order."""
    cleared: Mapping[str, Any] | None = entry.data.get("four_eyes")
    if spec.four_eyes is None:
        return None if cleared is None else "four_eyes_differs"
    if cleared is None:
        return "four_eyes_missing"
    if entry.actor.id in (cleared["asked_by"], cleared["reviewed_by"]) or cleared["asked_by"] == cleared["reviewed_by"]:
        return "not_another_person"
    same = (cleared["topic"], cleared["material_version"]) == (spec.four_eyes, subject.material)
    return None if same else "four_eyes_differs"


def before_the_guards(spec: Event, entry: Entry, subject: Subject) -> list[str]:
    """The codes that four eyes put before those of the guards when an event was refused."""
    data = entry.data
    cleared: Mapping[str, Any] | None = data.get("four_eyes")
    if cleared is not None:
        codes = [CHANGED] if cleared["material_version"] != subject.material else []
        # Whom they deputised for that day is in the reason itself, not in the subject.
        told = any(reason["code"] == INVOLVED and reason["saw"]["involved"] for reason in data["reasons"])
        return [*codes, INVOLVED] if told else codes
    if data.get("asking"):
        return [] if spec.four_eyes is not None else [NO_REQUEST_NEEDED]
    return [] if spec.four_eyes is None else [REQUEST_NEEDED]
