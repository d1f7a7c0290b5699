"""What an information repair found: into the debtor's contact book and the end of the repair, in one transaction.

Nothing enters the book where the repair may not end by it; that refusal is on record all the same.
"""

from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.intake.contact_book.adding import Finding, NewWay, NotAdded, add
from casework.intake.feed.cell import BadCell, phone_cell
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Outcome
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch
from casework.work.cases.repairing import REPAIRS, refused_among
from casework.work.cases.shown import seen
from casework.work.repairs import Repair, outcome_of

EVENT: Final = "find"


def find(
    conn: Connection, branch: Branch, actor: Actor, repair_id: int, found: Finding, *, version: int | None = None,
    clock: Clock = now,
) -> Outcome:  # fmt: skip
    """Enter it and end the repair, in the caller's transaction; or why not.

    CallerErrors `post_not_permitted`, `unknown_repair`; those of the contact book (`unlawful_source`, `unknown_source`,
    a malformed number); `found_already`: it was in the book before, under that number; `found_refused` (X6).
    """
    branch.rulebook.permissions.require(actor, f"{REPAIRS.word}.event")
    at: datetime = clock()
    repair: Repair = seen(conn, branch, REPAIRS, actor, repair_id, branch.today(at))[0]
    _check_not_refused(conn, branch, found)
    way = NewWay(loan_id=repair.loan_id, **msgspec.structs.asdict(found))
    entering = conn.begin_nested()
    (told,) = add(conn, branch, [way], actor, at, atomic=True)
    if isinstance(told, NotAdded):
        allowed = {"allowed": list(told.allowed)} if told.allowed else {}
        raise CallerError(told.code, told.zh, told.en, field=told.field, **allowed)
    if told.entry_id is None:
        raise CallerError("found_already", contact_id=told.contact_id)
    data = {"contact_id": told.contact_id, "outcome": outcome_of(phone=bool(found.phone))}
    command = Fire(actor=actor, noun=REPAIRS.chart, id=repair_id, event=EVENT, data=data, version=version)
    (outcome,) = advance(conn, [command], branch, clock=clock)
    if isinstance(outcome, Done):
        entering.commit()
        return outcome
    entering.rollback()
    (refused,) = advance(conn, [command], branch, clock=clock)  # on record, without what did not enter
    return refused


def _check_not_refused(conn: Connection, branch: Branch, found: Finding) -> None:
    """CallerError `found_refused`: whoever is reached there refused, in whoever's book (X6); that is for ever."""
    try:
        phone = phone_cell(found.phone or "")
    except BadCell:
        return  # the contact book says what is wrong with it
    if phone and refused_among(conn, branch.rulebook.results, [branch.vault.blind("phone", phone)]):
        raise CallerError("found_refused")
