"""What a child's act makes of its parent (`fires` of its chart): an event of the parent, by the same person.

It follows where the parent's chart lets it, right after what the parent was told; whoever may not do it to the parent
may not do the child's act either, while the parent is where the event would move it. For one who reaches the child
alone (`Noun.people`) the service moves the parent, where its chart lets it.
"""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from casework.lifecycle.commands import Fire
from casework.lifecycle.kept import Kept
from casework.people.staff.actor import SYSTEM_POST, Actor, system
from casework.rules.statechart.chart import Event, Fires
from casework.rules.statechart.decide import Refusal, may

if TYPE_CHECKING:
    from casework.lifecycle.door import Door


def barred(
    door: "Door", fires: Fires | None, noun: Kept, subject: Any, given: Mapping[str, Any], actor: Actor
) -> Refusal | None:
    """Why the actor may not move the parent, which the act would do."""
    if fires is None:
        return None
    main, parent = door.main, door.gathered.subjects[door.main.chart, subject.parent_id]
    spec = door.charts[main.chart].events[fires.named(given)]
    by = _by(door, spec, noun, subject, actor) if parent.state in spec.arcs else None
    return by if isinstance(by, Refusal) else None


def follow(
    door: "Door", fires: Fires | None, noun: Kept, subject: Any, actor: Actor, data: Mapping[str, Any], on: date
) -> None:
    """Move the parent, now that the act has happened; `data`: what the act was given."""
    if fires is None:
        return
    main, parent, event = door.main, door.parent_of(noun, subject), fires.named(data)
    chart, policy = door.charts[main.chart], door.on(main, parent)[1]
    by = _by(door, chart.events[event], noun, subject, actor) if parent.state in chart.events[event].arcs else actor
    if isinstance(by, Refusal):
        return
    given = {name: data[name] for name in fires.data if name in data}
    gathered = main.beside(door, parent, given) if main.beside else {}
    now = main.situation(parent, on, policy, by.id, given, gathered)
    if may(chart, event, parent.state, now, chart.events[event].posts):
        door.fire_main(Fire(actor=by, id=parent.id, event=event, data=given), parent)


def _by(door: "Door", spec: Event, noun: Kept, subject: Any, actor: Actor) -> Actor | Refusal:
    """Who moves the parent: the actor, or the service for one who reaches the child alone; or why nobody does."""
    main, parent = door.main, door.gathered.subjects[door.main.chart, subject.parent_id]
    policy = door.on(main, parent)[1]
    authority = door.authority(actor, spec.posts, main, parent, policy, spec.rules, spec.only_own)
    if not isinstance(authority, Refusal):
        return actor
    shares = actor.people & {one.owner for one in noun.shared(subject)}
    return system(actor.via) if shares and SYSTEM_POST in spec.posts else authority
