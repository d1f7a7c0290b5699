"""What may be asked of the door, and what it answers. Refusals are values: their entries must survive. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from casework.people.staff.actor import Actor
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.decide import Reason
from casework.rules.statechart.fields import DataFault


class Cleared(msgspec.Struct, frozen=True, kw_only=True):
    """What four eyes decided: the request, who asked and reviewed, and the subject as they saw it (`material_version`).

    `approvers` are the posts that may approve its topic; `involved` is everybody who had a part in it before (their
    principals too), none of whom may be the actor. Made by `casework.work.four_eyes` alone.
    """

    request_id: int
    topic: str
    asked_by: str
    reviewed_by: str | None
    involved: frozenset[str]
    approvers: frozenset[str]
    material_version: int


class Fire(msgspec.Struct, kw_only=True):
    """Fire an event of the chart on the subject `id` of `noun` (none: of the first in the house).

    `version` pins the version that the caller saw; none means whatever it is now. An event that the chart puts under
    four eyes is asked for (`asking`: the id of the request that is being made; every guard is asked, nothing moves)
    and later fired by the approver, `cleared`. `dated`: the day that the step is of, where the service finds it on
    another than the business date.
    """

    actor: Actor
    id: int
    event: str
    data: Mapping[str, Any] = msgspec.field(default_factory=dict)
    version: int | None = None
    asking: int | None = None
    cleared: Cleared | None = None
    noun: str | None = None
    dated: date | None = None


class Record(msgspec.Struct, kw_only=True):
    """Record a typed fact: what kind, when it happened, with which evidence."""

    actor: Actor
    id: int
    kind: str
    on: date
    evidence: str
    data: Mapping[str, Any] = msgspec.field(default_factory=dict)
    version: int | None = None
    noun: str | None = None


class Note(msgspec.Struct, kw_only=True):
    """Write a note; its text is committed, never in the entry."""

    actor: Actor
    id: int
    text: str
    version: int | None = None
    noun: str | None = None


class Move(msgspec.Struct, kw_only=True):
    """Move it to `chart`, the version after its own, as its `[moves]` say; `request` approved it."""

    actor: Actor
    id: int
    chart: Chart
    request: int
    version: int | None = None
    noun: str | None = None


class Open(msgspec.Struct, kw_only=True):
    """Open a subject of `noun` on a ground of its chart; a child (`of`) where the parent's `version` is as it was seen.

    A noun whose opening needs more than its chart's fields has a command of its own, made from this.
    """

    actor: Actor
    ground: str
    data: Mapping[str, Any] = msgspec.field(default_factory=dict)
    of: int | None = None
    version: int | None = None
    noun: str | None = None


class Done(msgspec.Struct, frozen=True):
    """It happened, and this entry says so."""

    id: int
    version: int
    from_state: str | None
    state: str
    entry_id: str

    @property
    def code(self) -> str:
        """`done`."""
        return "done"


class Refused(msgspec.Struct, frozen=True):
    """The rulebook forbids it; every reason is here and in the entry. `forbidden`: the actor's posts alone do."""

    id: int | None
    version: int | None
    state: str | None
    reasons: tuple[Reason, ...]
    forbidden: bool
    entry_id: str | None

    @property
    def code(self) -> str:
        """`post_not_permitted` or `out_of_reach` where the actor alone is the reason, else `refused`."""
        return self.reasons[0].code if self.forbidden else "refused"


class Mistaken(msgspec.Struct, frozen=True):
    """The caller's mistake; nothing was recorded.

    `code` is unknown_<noun>, unknown_event, unknown_fact, unknown_ground, stale_version, faulty_data,
    why something cannot be moved to a version of its chart (`lifecycle.versions`), or <noun>_busy (a row that another
    transaction holds).
    """

    code: str
    id: int | None
    version: int | None = None
    faults: tuple[DataFault, ...] = ()


class NotDone(msgspec.Struct, frozen=True):
    """It would have happened, but another of an atomic batch was refused."""

    id: int | None

    @property
    def code(self) -> str:
        """`not_done`."""
        return "not_done"


Outcome = Done | Refused | Mistaken | NotDone
