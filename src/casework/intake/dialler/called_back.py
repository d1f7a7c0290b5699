"""Who asked to be called back and was: a contact with them, at or after the minute, makes a call-back done."""

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.customer import Customer
from casework.intake.dialler.recording import Recorded
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Fire
from casework.lifecycle.gather import select_of
from casework.people.staff.actor import system
from casework.storage import rows
from casework.work.call_backs import CallBack
from casework.work.cases.branch import Branch
from casework.work.cases.lifecycles import CALL_BACKS
from casework.work.contacts.contact import Contact

_SPOKEN: Final = frozenset({"call", "inbound", "visit"})
"""By a person; no message, letter or robot calls back."""
_OPEN: Final = select_of(CALL_BACKS).where(CALL_BACKS.table.c.live == sa.true())


def close_call_backs(
    conn: Connection, branch: Branch, recorded: Sequence[Recorded], *, via: str, clock: Clock = now
) -> int:  # fmt: skip
    """The open call-backs that these contacts kept are done, in the caller's transaction; how many."""
    made: dict[Customer, list[Recorded]] = {}
    for one in recorded:
        if one.contact.channel in _SPOKEN:
            made.setdefault(one.contact.customer, []).append(one)
    keys = sorted((customer.borrower_id, customer.institution) for customer in made)
    if not keys:
        return 0
    zone, commands = ZoneInfo(branch.time_zone), list[Fire]()
    for row in rows.select_by_keys(conn, _OPEN, ("borrower_id", "institution"), keys):
        call_back: CallBack = CALL_BACKS.rows.read(row)
        theirs = made[Customer(call_back.institution, call_back.borrower_id)]
        keeping = [one for one in theirs if _keeps(one.contact, call_back)]
        if keeping:
            first = min(keeping, key=lambda one: one.contact.started_at)
            data = {
                "contact": f"contact:{first.entry_id.rpartition(':')[2]}",
                "called_at": first.contact.started_at.astimezone(zone).isoformat(),
            }
            commands.append(Fire(actor=system(via), noun=CALL_BACKS.chart, id=call_back.id, event="done", data=data))
    if commands:
        advance(conn, sorted(commands, key=lambda one: one.id), branch, clock=clock)
    return len(commands)


def _keeps(contact: Contact, call_back: CallBack) -> bool:
    """Whether it is with whom it was for: whoever was called, a debtor who is met or answers is the debtor."""
    with_them = contact.party == call_back.party or (contact.connected and call_back.party == "debtor")
    return with_them and contact.started_at >= call_back.due_at
