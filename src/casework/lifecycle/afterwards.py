"""What else happens once an act was written, in the same transaction: by chart and act, as the house lists it.

An act that something follows holds its customer whole (their living main subjects, and their stream), for what follows
may write to all of these.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy.engine import Connection

from casework.clock import Clock
from casework.lifecycle.commands import Done, Fire, Open, Outcome, Record

ActName = tuple[str, str]
"""A chart, and an event, a ground or a fact of it."""


class Acted(NamedTuple):
    """An act that was done, and the subject as it left it."""

    command: Any
    subject: Any


_NAMED: Final[Mapping[type, str]] = {Fire: "event", Open: "ground", Record: "kind"}
Follow = Callable[[Connection, Any, Sequence[Acted], Clock], None]
"""What follows, called with the house and all such acts of a batch."""
Afterwards = Mapping[ActName, Follow]


def act_of(command: Any) -> ActName | None:
    """What it does, of the nouns but the main one."""
    named = _NAMED.get(type(command))
    return None if command.noun is None or named is None else (command.noun, getattr(command, named))


def is_followed(command: Any, followed: Collection[ActName]) -> bool:
    """Whether something follows it."""
    return act_of(command) in followed


def follow_up(
    conn: Connection, house: Any, commands: Sequence[Any], outcomes: Sequence[Outcome],
    subjects: Mapping[tuple[str, int], Any], clock: Clock,
) -> None:  # fmt: skip
    """Let follow what follows the acts of a batch that were done; it has been written."""
    found: dict[ActName, list[Acted]] = {}
    for command, outcome in zip(commands, outcomes, strict=True):
        act = act_of(command)
        if act is not None and act in house.afterwards and isinstance(outcome, Done):
            found.setdefault(act, []).append(Acted(command, subjects[act[0], outcome.id]))
    for act, acted in found.items():
        house.afterwards[act](conn, house, acted, clock)
