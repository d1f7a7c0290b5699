"""What may be asked of the door, and what it answers. Refusals are values: their entries must survive."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from casework.staff.actor import Actor
from casework.statechart.decide import Reason
from casework.statechart.fields import DataFault


@dataclass(slots=True, kw_only=True)
class Fire:
    """Fire an event of the chart. `version` pins the case version the caller saw; none means whatever it is now."""

    actor: Actor
    case_id: int
    event: str
    data: Mapping[str, Any] = field(default_factory=dict)
    version: int | None = None


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
class Open:
    """Open a case of a loan on a ground the chart knows.

    `loan` names it: loan_id, institution, borrower_id, product, channel_code, team, region, owner; `measure` is its
    figures.
    """

    actor: Actor
    ground: str
    loan: Mapping[str, str | None]
    measure: Mapping[str, Any]
    data: Mapping[str, Any] = field(default_factory=dict)


Command = Fire | Record | Note | Measure | Open


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
