"""What a child's act makes of its parent (`fires` of its chart): an event of the parent, by the same person.

It follows where the parent's chart lets it, right after what the parent was told; whoever may not do it to the parent
may not do the child's act either, while the parent is where the event would move it.
"""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from casework.lifecycle.commands import Fire
from casework.lifecycle.kept import Kept
from casework.people.staff.actor import Actor
from casework.rules.statechart.chart import Fires
from casework.rules.statechart.decide import Refusal, may

if TYPE_CHECKING:
    from casework.lifecycle.door import Door


def barred(door: "Door", fires: Fires | None, parent: Any, given: Mapping[str, Any], actor: Actor) -> Refusal | None:
    """Why the actor may not move the parent, which the act would do."""
    if fires is None:
        return None
    main = door.main
    spec = door.charts[main.chart].events[fires.named(given)]
    if parent.state not in spec.arcs:
        return None
    policy = door.on(main, parent)[1]
    authority = door.authority(actor, spec.posts, main, parent, policy, spec.rules, spec.only_own)
    return authority if isinstance(authority, Refusal) else None


def follow(
    door: "Door", fires: Fires | None, noun: Kept, subject: Any, actor: Actor, data: Mapping[str, Any], on: date
) -> None:
    """Move the parent, now that the act has happened; `data`: what the act was given."""
    if fires is None:
        return
    main, parent, event = door.main, door.parent_of(noun, subject), fires.named(data)
    chart, policy = door.charts[main.chart], door.on(main, parent)[1]
    given = {name: data[name] for name in fires.data if name in data}
    gathered = main.beside(door, parent, given) if main.beside else {}
    now = main.situation(parent, on, policy, actor.id, given, gathered)
    if may(chart, event, parent.state, now, chart.events[event].posts):
        door.fire_main(Fire(actor=actor, id=parent.id, event=event, data=given), parent)
