"""What a guard may look at: the subject, its parent, business date, policy, actor, data given and gathered. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Self

import msgspec

from casework.rules.statechart.policy import Policy


class SubjectSituation(msgspec.Struct):
    """One decision's world. `gathered` was read beside the subject; it goes into the entry, for the replay."""

    subject: Any
    today: date
    policy: Policy
    actor: str
    given: Mapping[str, Any] = msgspec.field(default_factory=dict)
    gathered: Mapping[str, Any] = msgspec.field(default_factory=dict)
    on: date | None = None  # when a fact happened; none for an event
    parent: Any = None  # of a child, as it stands
    acting_for: str | None = None  # whose deputy the actor is in this

    def at(self, day: date) -> Self:
        """The same situation on another day, nothing else changed (not even the policy)."""
        return msgspec.structs.replace(self, today=day)
