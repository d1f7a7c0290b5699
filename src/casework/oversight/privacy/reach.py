"""Every place that holds personal data of a borrower, emptied in the caller's transaction (table: `columns`).

Their key goes first: on PostgreSQL that waits for whoever is sealing something with it right now, and what that wrote
is there when the openings go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.intake.dialler.recording import mac_of as contact_mac
from casework.intake.feed.aside import aside_of_people
from casework.intake.feed.customers import of_customer
from casework.intake.feed.left_rows import LeftRows
from casework.intake.feed.row_mac import COVERED
from casework.intake.feed.sealed_cells import of_borrower
from casework.intake.feed.tables import (
    borrowers,
    contacts,
    loans,
    set_aside,
)
from casework.log.tables import opening_keys, openings
from casework.oversight.privacy.answers import erase_answers
from casework.oversight.privacy.gather import ErasureGathered
from casework.personal import normalise
from casework.storage import rows
from casework.storage.jobs import empty_files
from casework.work.cases.branch import Branch
from casework.work.cases.visit_addresses import forget_addresses
from casework.work.contacts.tables import contact_log
from casework.work.four_eyes.tables import requests
from casework.work.gate.tables import contact_permits
from casework.work.photos.dropping import forget
from casework.work.requests import ERASED as REQUEST_ERASED

_OF_BORROWER: Final = ("name_sealed", "name_index", "id_number_sealed", "id_number_index")
_OF_CONTACT: Final = ("name_sealed", "phone_sealed", "phone_index", "address_sealed")
_CALLS = sa.select(
    *(contact_log.c[name] for name in ("id", "source", "contact_ref", "number", "row_hash"))
)  # fmt: skip
_OPENINGS = sa.select(openings.c.stream, openings.c.sealed)
_REQUESTS = sa.select(requests.c.id, requests.c.data_sealed)


@dataclass(frozen=True)
class AsideReached:
    """Rows set aside that are theirs, as far as the table was looked through (`until`)."""

    ids: tuple[int, ...] = ()
    until: int = 0


@dataclass
class Gone:
    """How many of each kind are gone, and the very bytes: to look for them in the database's file afterwards."""

    counts: dict[str, int] = field(default_factory=dict)
    traces: list[bytes] = field(default_factory=list)

    def note(self, what: str, number: int, traces: Iterable[Any] = ()) -> None:
        """So many of a kind."""
        self.counts[what] = number
        self.traces += [bytes(one) for one in traces if one is not None]


def find_aside(
    conn: Connection, branch: Branch, found: ErasureGathered, before: AsideReached | None = None
) -> AsideReached:
    """The rows that their institution's feeds set aside and that name them, a loan of theirs or their ID number.

    `before`: what was looked at already.
    """
    before = before or AsideReached()
    wanted = {found.customer.borrower_id, *found.loan_ids}
    if found.row is not None and found.row.id_number_sealed is not None:
        number = branch.vault.open(of_borrower(found.customer, "id_number"), bytes(found.row.id_number_sealed))
        wanted |= {number, normalise("id_number", number)}
    ids, until = aside_of_people(conn, branch.vault, found.customer.institution, wanted, after=before.until)
    return AsideReached((*before.ids, *ids), until)


def empty(conn: Connection, found: ErasureGathered, aside: Sequence[int], left: LeftRows, mac_key: bytes) -> Gone:
    """Delete, overwrite, or leave a mark, place by place; their cases, requests and stream are held by the caller.

    `left` learns which rows of the books are others now.
    """
    gone = Gone()
    of_them = opening_keys.c.subject == found.stream
    keys = conn.execute(sa.delete(opening_keys).where(of_them).returning(opening_keys.c.wrapped)).scalars().all()
    gone.note("keys", len(keys), keys)
    streams = [stream for stream, _ in found.places]
    texts = rows.select_by_keys(conn, _OPENINGS, "stream", streams)
    rows.delete_many(conn, openings, "stream", sorted({row.stream for row in texts}))
    gone.note("openings", len(texts), (row.sealed for row in texts))
    asked = rows.select_by_keys(conn, _REQUESTS, "id", [one.id for one in found.requests])
    asked = [row for row in asked if bytes(row.data_sealed) != REQUEST_ERASED]
    marks = [(row.id, REQUEST_ERASED, None) for row in asked]
    rows.update_many(conn, requests, "id", marks, ("data_sealed", "sealed_for"))
    gone.note("requests", len(asked), (row.data_sealed for row in asked))
    _empty_books(conn, found, gone, left, mac_key)
    gone.note("photos", *forget(conn, found.customer))
    put_aside = rows.select_by_keys(conn, _ASIDE, "id", list(aside))
    rows.delete_many(conn, set_aside, "id", [row.id for row in put_aside])
    gone.note("set_aside", len(put_aside), (row.row_sealed for row in put_aside))
    gone.traces += empty_files(conn)
    numbers, asked_ids = {case.id for case in found.cases}, {one.id for one in found.requests}
    gone.note("answers", erase_answers(conn, numbers, asked_ids, found.loan_ids, found.customer, mac_key))
    return gone


_ASIDE = sa.select(set_aside.c.id, set_aside.c.row_sealed)


def _empty_books(conn: Connection, found: ErasureGathered, gone: Gone, left: LeftRows, mac_key: bytes) -> None:
    held = [getattr(found.row, name) for name in _OF_BORROWER] if found.row is not None else []
    if found.row is not None:
        left.check(borrowers, (*found.customer, *held), found.row.mac)
        mac = left.mac_of(borrowers)((*found.customer, *(None for _ in _OF_BORROWER)))
        left.swap(borrowers, gone=found.row.mac, new=mac)
        emptied = dict.fromkeys(_OF_BORROWER, sa.null()) | {"mac": mac}
        conn.execute(borrowers.update().where(of_customer(borrowers, found.customer)).values(emptied))
    gone.note("borrower_fields", sum(one is not None for one in held[::2]), held)
    ways = conn.execute(sa.delete(contacts).where(of_customer(contacts, found.customer)).returning(contacts)).all()
    for way in ways:
        left.check(contacts, tuple(getattr(way, name) for name in COVERED[contacts.name]), way.mac)
        left.swap(contacts, gone=way.mac)
    gone.note("contacts", len(ways), (getattr(way, name) for way in ways for name in (*_OF_CONTACT, "row_hash")))
    gone.traces += forget_addresses(conn, found.customer)
    mac_of_call = contact_mac(mac_key)
    tried = conn.execute(_CALLS.where(of_customer(contact_log, found.customer))).all()
    conn.execute(contact_permits.update().where(of_customer(contact_permits, found.customer)).values(number=None))
    emptied_calls = [(row.id, None, b"", mac_of_call((row.source, row.contact_ref, None, b""))) for row in tried]
    rows.update_many(conn, contact_log, "id", emptied_calls, ("number", "row_hash", "mac"))
    gone.note("contact_log", len(tried), (one for row in tried for one in (row.number, row.row_hash) if one))
    # A row's fingerprint is over name and number too; without it the next loans file writes it anew, without them.
    of_them = of_customer(loans, found.customer)
    prints = conn.execute(sa.select(loans.c.row_hash).where(of_them)).scalars().all()
    conn.execute(loans.update().where(of_them).values(row_hash=b""))
    gone.note("loan_fingerprints", len(prints), (one for one in prints if one))
