"""What a call-back needs of the contact book: whether the way to reach somebody that it names is theirs."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.lifecycle.advance import House
from casework.lifecycle.commands import Open
from casework.lifecycle.door import Door
from casework.lifecycle.gather import Gathered
from casework.storage import rows
from casework.work.call_backs import CALLBACK, CallBack
from casework.work.contacts.tables import contacts

_WAYS: Final = sa.select(contacts.c.id, contacts.c.institution, contacts.c.borrower_id, contacts.c.role).where(
    contacts.c.ended_at.is_(None)
)


class Ways(dict[int, tuple[Customer, str]]):
    """By number in the book, whose it is and who is reached there."""

    def ask_all(self) -> None:
        """Everything was asked already."""


def prepare(conn: Connection, _house: House, commands: Sequence[Any], _gathered: Gathered, _today: date) -> Ways:
    """Those in use that openings of the batch name."""
    opened = [one.data for one in commands if isinstance(one, Open) and one.noun == CALLBACK.chart]
    named = {number for data in opened if isinstance(number := data.get("contact_id"), int) and 0 < number < 2**63}
    found = rows.select_by_keys(conn, _WAYS, "id", sorted(named))
    return Ways({row.id: (Customer(row.institution, row.borrower_id), row.role) for row in found})


def beside(door: Door, call_back: CallBack, _given: Mapping[str, Any]) -> dict[str, Any]:
    """The number that is not theirs, of one that opens."""
    named = call_back.contact_id
    if named is None or (CALLBACK.chart, call_back.id) in door.gathered.subjects:
        return {}
    ways: Ways = door.prepared[CALLBACK.chart]
    theirs = Customer(call_back.institution, call_back.borrower_id), call_back.party
    return {} if ways.get(named) == theirs else {"stranger": named}
