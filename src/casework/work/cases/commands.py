"""What may be asked of the door of cases beyond what every noun knows: measure and assign."""

from collections.abc import Mapping
from typing import Any

import msgspec

from casework.lifecycle.commands import Fire, Note, Open, Record
from casework.people.staff.actor import Actor


class Measure(msgspec.Struct, kw_only=True):
    """The feed reports other figures of the loan than the case has; `measure` as in `casework.work.cases.measure`."""

    actor: Actor
    id: int
    measure: Mapping[str, Any]
    run: int
    version: int | None = None
    noun: str | None = None


class Assign(msgspec.Struct, kw_only=True):
    """Give the case to another owner (rule 1.1.1), who also handles it unless `handler` names somebody.

    `reason` is a code; `rule` of owners.toml and `post` say why they. `permitted_by` is the command of permissions.toml
    that the actor needs; `cause` (a hand-over, say) goes into the entry as it stands. With `keep_capacity` a receiver
    who is full refuses it. `material_version` pins what a plan saw.
    """

    actor: Actor
    id: int
    owner: str
    reason: str
    handler: str | None = None
    rule: str | None = None
    post: str | None = None
    permitted_by: str = "case.assign"
    cause: Mapping[str, Any] = msgspec.field(default_factory=dict)
    keep_capacity: bool = True
    version: int | None = None
    material_version: int | None = None
    noun: str | None = None


class OpenCase(Open, kw_only=True):
    """Open a case of a loan on a ground the chart knows.

    `loan` names it: loan_id, institution, borrower_id, product, channel_code, team, region, owner (the rep whom the
    loan names, or none; who will own the case is for the rules to say); `measure` is its figures.
    """

    loan: Mapping[str, str | None]
    measure: Mapping[str, Any]


Command = Fire | Record | Note | Measure | Assign | OpenCase | Open
