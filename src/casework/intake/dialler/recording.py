"""Contacts into the log of their debtors: an entry each in the debtor's stream, and a row that is the fold of them.

Number, address, recording and note are committed texts of the entry, sealed with the debtor's key; nothing of them is
in the entry or in the row, but for the number's keyed fingerprint, by which calls to one number are counted.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer, stream_of
from casework.intake.dialler.row import Given
from casework.intake.feed.row_mac import MakeMac, row_mac
from casework.log.write.trail import Draft, locked_heads, put_heads
from casework.people.staff.actor import Actor
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.loans import loans
from casework.work.contacts.contact import Contact
from casework.work.contacts.tables import FIELDS, contact_log

RECORDED: Final = "contact.recorded"
CORRECTED: Final = "contact.corrected"
DIALLER, SHEET, API = "dialler", "sheet", "api"
_COLUMNS: Final = (*FIELDS, "day", "row_hash", "stream_seq", "mac")
_KNOWN: Final = sa.select(contact_log.c.contact_ref, contact_log.c.source, contact_log.c.row_hash)
_LOANS: Final = sa.select(loans.c.loan_id, loans.c.institution, loans.c.borrower_id)
LEFT_OUT: Final = frozenset({"institution", "borrower_id", "number", "recorded_at", "started_at", "ended_at"})
"""What an entry has otherwise, or elsewhere, or not at all."""
_RECORDED_AT: Final = FIELDS.index("recorded_at")
_IN_ENTRY: Final = tuple(name for name in FIELDS if name not in LEFT_OUT)
_values_of: Final = attrgetter(*FIELDS)
_values_in_entry: Final = attrgetter(*_IN_ENTRY)
_NOT_SAID: Final = frozenset({"line", "outcome", "borrower_id"})
_said: Final = itemgetter(*(place for place, name in enumerate(Given._fields) if name not in _NOT_SAID))
"""All that a row says; an instant is packed the same in whatever offset it was written."""
_encode: Final = msgspec.msgpack.Encoder().encode


class Recorded(NamedTuple):
    """A contact that was recorded, and the entry that says so."""

    contact: Contact
    entry_id: str


class Not(NamedTuple):
    """Why a row was not: repeated, or a code of `row.TEXTS` and the column."""

    kind: str
    column: str = ""


class New(NamedTuple):
    """A contact that is new, and what is committed of it: phone, address, recording, note.

    `row_hash`: the keyed fingerprint of the row as it came. `acting_for`: whose work it was, if not the actor's own.
    """

    contact: Contact
    texts: Mapping[str, str]
    row_hash: bytes
    acting_for: str | None = None


REPEATED: Final = Not("repeated")


def source_of(row: Given, source: str) -> str:
    """In which its reference is unique: what an agency numbers is its own."""
    return source if row.agency is None else f"agency:{row.agency}"


def record(
    conn: Connection, branch: Branch, given: Sequence[Given], source: str, actor: Actor, at: datetime
) -> list[Recorded | Not]:
    """Record what is new of `given`, in the caller's transaction; what became of each, in the same order."""
    told = judged(conn, branch, given, source, at)
    recorded = iter(put(conn, branch, [one for one in told if isinstance(one, New)], actor, at))
    return [one if isinstance(one, Not) else next(recorded) for one in told]


def put(conn: Connection, branch: Branch, new: Sequence[New], actor: Actor, at: datetime) -> list[Recorded]:
    """Record contacts of which none is there yet, in the caller's transaction."""
    streams = {customer: stream_of(branch.vault, customer) for customer in {one.contact.customer for one in new}}
    heads = locked_heads(conn, streams.values())
    trail, zone, mac = branch.trail(at), ZoneInfo(branch.time_zone), mac_of(branch.mac_key)
    stored: list[tuple[Any, ...]] = []
    recorded = []
    for contact, texts, row_hash, acting_for in new:
        stream, local = streams[contact.customer], contact.started_at.astimezone(zone)
        said = _data_of(contact, local) | ({} if acting_for is None else {"acting_for": acting_for})
        draft = Draft(RECORDED, actor.signed, said, texts=texts, subject=stream)
        heads[stream] = trail.add(stream, heads[stream], draft)
        values = list(_values_of(contact))
        values[_RECORDED_AT] = heads[stream].recorded_at
        proof = mac((contact.source, contact.contact_ref, contact.number, row_hash))
        stored.append((*values, local.date(), row_hash, heads[stream].seq, proof))
        recorded.append(Recorded(contact, f"{stream}:{heads[stream].seq}"))
    trail.write(conn)
    rows.insert_many(conn, contact_log, stored, _COLUMNS)
    put_heads(conn, heads)
    return recorded


def mac_of(mac_key: bytes) -> MakeMac:
    """What makes the MAC of a row: over source, reference, number, fingerprint; the last two are in no entry."""
    return row_mac(mac_key, contact_log.name)


def _data_of(contact: Contact, local: datetime) -> dict[str, Any]:
    """What the entry says: the contact without what is personal, times in branch time."""
    said = zip(_IN_ENTRY, _values_in_entry(contact), strict=True)
    data = {name: value for name, value in said if value is not None and value is not False}
    data["started_at"] = local.isoformat()
    if contact.ended_at is not None:
        data["ended_at"] = contact.ended_at.astimezone(local.tzinfo).isoformat()
    return data


def judged(conn: Connection, branch: Branch, given: Sequence[Given], source: str, at: datetime) -> list[New | Not]:
    """What each is: new, there already, or nothing that can be."""
    keys = {(row.contact_ref, source_of(row, source)) for row in given}
    found = rows.select_by_keys(conn, _KNOWN, ("contact_ref", "source"), sorted(keys))
    known = {(row.contact_ref, row.source): bytes(row.row_hash) for row in found}
    books = rows.select_by_keys(conn, _LOANS, "loan_id", sorted({row.loan_id for row in given}))
    whose = {row.loan_id: Customer(row.institution, row.borrower_id) for row in books}
    late_after = timedelta(hours=branch.rulebook.policies.at(branch.today(at)).figure("contact.late_after_hours"))
    told: list[New | Not] = []
    for row in given:
        customer, of = whose.get(row.loan_id), source_of(row, source)
        if customer is None:
            told.append(Not("unknown_loan", "loan_id"))
        elif row.borrower_id not in (None, customer.borrower_id):
            told.append(Not("not_the_loans_borrower", "borrower_id"))
        else:
            row_hash = branch.vault.fingerprint(_encode(_said(row)))
            before = known.setdefault((row.contact_ref, of), b"new")
            if before == b"new":
                known[row.contact_ref, of] = row_hash
                late = source != DIALLER and at - row.started_at > late_after
                texts = {"phone": row.phone, "address": row.address, "recording": row.recording, "note": row.note}
                told.append(
                    New(
                        _contact(branch, row, customer, of, at, late=late),
                        {name: text for name, text in texts.items() if text}, row_hash,
                    )
                )  # fmt: skip
            else:  # of who was erased nothing is left to compare
                told.append(REPEATED if before in (row_hash, b"") else Not("contact_differs", "contact_ref"))
    return told


def _contact(branch: Branch, row: Given, customer: Customer, source: str, at: datetime, *, late: bool) -> Contact:
    return Contact(
        institution=customer.institution, source=source, contact_ref=row.contact_ref, loan_id=row.loan_id,
        borrower_id=customer.borrower_id, party=row.party, channel=row.channel, started_at=row.started_at,
        result=row.result, outcome=row.outcome, recorded_at=at, purpose=row.purpose, staff_no=row.staff_no,
        agency=row.agency, number=branch.vault.blind("phone", row.phone) if row.phone else None,
        has_address=row.address is not None, ended_at=row.ended_at, recording=row.recording is not None, late=late,
        line=row.line_used, seconds=row.seconds, template=row.template, next_action=row.next_action,
    )  # fmt: skip
