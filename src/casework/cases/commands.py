"""What may be asked of the door, and what it answers. Refusals are values: their entries must survive."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from casework.staff.actor import Actor
from casework.statechart.decide import Reason
from casework.statechart.fields import DataFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """What four eyes decided: the request, who asked and reviewed, and the case as they saw it (`material_version`).

    `approvers` are the posts that may approve its topic; `involved` is everybody who had a part in it before (their
    principals too), none of whom may be the actor. Made by `casework.four_eyes` alone.
    """

    request_id: int
    topic: str
    asked_by: str
    reviewed_by: str | None
    involved: frozenset[str]
    approvers: frozenset[str]
    material_version: int


@dataclass(slots=True, kw_only=True)
class Fire:
    """Fire an event of the chart. `version` pins the case version the caller saw; none means whatever it is now.

    An event that the chart puts under four eyes is asked for (`asking`: the id of the request that is being made;
    every guard is asked, nothing moves) and later fired by the approver, `cleared`.
    """

    actor: Actor
    case_id: int
    event: str
    data: Mapping[str, Any] = field(default_factory=dict)
    version: int | None = None
    asking: int | None = None
    cleared: Cleared | None = None


@dataclass(slots=True, kw_only=True)
class Record:
    """Record a typed fact: what kind, when it happened, with which evidence."""

    actor: Actor
    case_id: int
    kind: str
    on: date
    evidence: str
    data: Mapping[str, Any] = field(default_factory=dict)
    version: int | None = None


@dataclass(slots=True, kw_only=True)
class Note:
    """Write a note; its text is committed, never in the entry."""

    actor: Actor
    case_id: int
    text: str
    version: int | None = None


@dataclass(slots=True, kw_only=True)
class Measure:
    """The feed reports other figures of the loan than the case has; `measure` as in `casework.cases.measure`."""

    actor: Actor
    case_id: int
    measure: Mapping[str, Any]
    run: int
    version: int | None = None


@dataclass(slots=True, kw_only=True)
class Assign:
    """Give the case to another owner (rule 1.1.1), who also handles it unless `handler` says otherwise.

    `reason` is a code; `rule` of owners.toml and `post` say why he. `permitted_by` is the command of permissions.toml
    that the actor needs; `cause` (a hand-over, say) goes into the entry as it stands. With `keep_capacity` a receiver
    who is full refuses it. `material_version` pins what a plan saw.
    """

    actor: Actor
    case_id: int
    owner: str
    reason: str
    handler: str | None = None
    rule: str | None = None
    post: str | None = None
    permitted_by: str = "case.assign"
    cause: Mapping[str, Any] = field(default_factory=dict)
    keep_capacity: bool = True
    version: int | None = None
    material_version: int | None = None


@dataclass(slots=True, kw_only=True)
class Open:
    """Open a case of a loan on a ground the chart knows.

    `loan` names it: loan_id, institution, borrower_id, product, channel_code, team, region, owner (the rep whom the
    loan names, or none; who will own the case is for the rules to say); `measure` is its figures.
    """

    actor: Actor
    ground: str
    loan: Mapping[str, str | None]
    measure: Mapping[str, Any]
    data: Mapping[str, Any] = field(default_factory=dict)


Command = Fire | Record | Note | Measure | Assign | Open


@dataclass(frozen=True, slots=True)
class Done:
    """It happened, and this entry says so."""

    case_id: int
    version: int
    from_state: str | None
    state: str
    entry_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The rulebook forbids it; every reason is here and in the entry. `forbidden`: the actor's posts alone do."""

    case_id: int | None
    version: int | None
    state: str | None
    reasons: tuple[Reason, ...]
    forbidden: bool
    entry_id: str | None


@dataclass(frozen=True, slots=True)
class Mistaken:
    """The caller's mistake; nothing was recorded.

    `code` is unknown_case, unknown_event, unknown_fact, unknown_ground, stale_version, faulty_data, or case_busy (a
    row that another transaction holds).
    """

    code: str
    case_id: int | None
    version: int | None = None
    faults: tuple[DataFault, ...] = ()


@dataclass(frozen=True, slots=True)
class NotDone:
    """It would have happened, but another of an atomic batch was refused."""

    case_id: int | None


Outcome = Done | Refused | Mistaken | NotDone
