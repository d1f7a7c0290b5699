"""What a guard of a request may look at, and the registry of what the chart may name. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from casework.rules.statechart.policy import Policy
from casework.rules.statechart.registry import Registry
from casework.work.request.request import Request

REGISTRY = Registry()


@dataclass(slots=True)
class Situation:
    """One decision's world; everything but the request goes into the entry, for the replay.

    `people`: the actor and whoever deputised for him, or he for, on any day since the request was asked.
    `concerned`: whom it is about (who gets the post, who leaves). `subject_version`: what the request pinned, as it
    is now. `void`: what was asked for can no longer happen. `request` is none while it is being asked.
    """

    request: Request | None
    topic: str
    today: date
    policy: Policy
    people: frozenset[str]
    concerned: frozenset[str] = frozenset()
    subject_version: int = 0
    void: bool = False
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def deciders(self) -> int:
        """How many people the topic takes beside the proposer."""
        return int(self.policy.figure(f"approval.{self.topic}"))

    def at(self, day: date) -> "Situation":
        """The same situation on another day."""
        return replace(self, today=day)
