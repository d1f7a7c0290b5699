"""Dialling begins by a permit: the number in clear, once the entry that it was shown is committed."""

from collections.abc import Callable
from datetime import datetime

import msgspec
from sqlalchemy.engine import Connection, Engine

from casework.clock import Clock
from casework.intake.feed.reveal import reveal
from casework.people.staff.actor import Actor
from casework.storage.database import writing
from casework.work.cases.branch import Branch
from casework.work.cases.sight import reach_of
from casework.work.gate.asking import COMMAND
from casework.work.gate.permits import begin_dialling


class Dialling(msgspec.Struct):
    """The number to dial (none where the caller gave it), and until when the permit waits for the outcome."""

    permit_id: int
    holds_until: datetime
    phone: str | None


def dial(
    engine: Engine, branch: Branch, permit_id: int, who: Callable[[Connection], Actor], *, clock: Clock
) -> Dialling:  # fmt: skip
    """From now on the permit holds until its outcome; `who` says who dials, or raises.

    CallerErrors of `begin_dialling` and `reveal`.
    """
    shown = None
    with writing(engine) as conn:
        actor, at = who(conn), clock()
        begun = begin_dialling(conn, branch, permit_id, actor.id, at)
        if begun.contact_id is not None:
            shown = reveal(
                conn, branch, begun.customer, ["phone"], [begun.contact_id], actor=actor,
                within=reach_of(branch, actor, COMMAND, branch.today(at)),
                purpose=branch.rulebook.permissions.purpose_of(actor),
            )  # fmt: skip
    phone = shown.open(branch.vault).contacts[0].phone if shown is not None else None
    return Dialling(permit_id, begun.holds_until, phone)
