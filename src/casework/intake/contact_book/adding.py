"""New numbers and addresses into the contact book of debtors, some at a time, each with its source and legal ground.

An entry each in the debtor's stream, its personal values committed and sealed; a row of the books like those that feeds
bring, so that gate, search, disclosure and erasure know it. What is there already changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.codes import texts_of
from casework.customer import Customer, stream_of
from casework.intake.dialler.row import TEXTS as ROW_TEXTS
from casework.intake.feed import sealed_cells
from casework.intake.feed.borrowers import cell_of_contact
from casework.intake.feed.cell import BadCell, phone_cell, text_cell
from casework.intake.feed.course import hold_feeds
from casework.intake.feed.erased import ErasedPeople
from casework.intake.feed.left_rows import LeftRows
from casework.intake.feed.row_mac import COVERED
from casework.intake.feed.tables import contacts, loans
from casework.log.write.trail import Draft, locked_heads, put_heads, wait_for_heads
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Reach
from casework.personal import normalise
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.sight import reach_of
from casework.work.cases.tables import cases
from casework.work.contacts.contact import PARTIES
from casework.work.contacts.sources import Sources

COMMAND: Final = "contact.add"
ADDED: Final = "contact.added"
MOST: Final = 50
RELATIONS: Final = (
    "self", "spouse", "parent", "child", "sibling", "relative", "friend", "colleague", "lawyer", "other",
)  # fmt: skip
ADDRESS_KINDS: Final = ("home", "work", "registered", "mailing", "other")
_SEQUENCE: Final = "contacts_id_seq"
_CASES: Final = sa.select(*cases.c["loan_id", "owner", "handler", "team", "region", "product"])
_LOANS: Final = sa.select(
    loans.c.loan_id, loans.c.institution, loans.c.borrower_id, loans.c.owner_staff_no.label("owner"),
    loans.c.owner_staff_no.label("handler"), loans.c.team, loans.c.region, loans.c.product,
)  # fmt: skip
_BY_CUSTOMER: Final = ("borrower_id", "institution")
_encode: Final = msgspec.msgpack.Encoder().encode


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A number or an address (or both), whose it is, where it comes from and on which ground of the law."""

    role: str
    source: str
    legal_basis: str
    phone: str | None = None
    address: str | None = None
    address_kind: str | None = None
    name: str | None = None
    relation: str | None = None


class NewWay(Finding, frozen=True, kw_only=True):
    """A number or an address (or both) of somebody around the debtor of a loan, and where it comes from.

    `found_by`: who found it, where that is not whoever enters it.
    """

    loan_id: str
    found_by: str | None = None


class Added(NamedTuple):
    """What is in the book now; `entry_id` none: it was there already."""

    contact_id: int
    entry_id: str | None = None


class NotAdded(NamedTuple):
    """Why a row is not: a code, what it says, the field and what it may be; `not_done` where another row stopped it."""

    code: str
    field: str
    zh: str
    en: str
    allowed: tuple[str, ...] = ()


_NOT_DONE: Final = NotAdded("not_done", "", *texts_of("not_done"))


class _Sound(NamedTuple):
    way: NewWay
    customer: Customer
    phone_index: bytes | None


def add(
    conn: Connection, branch: Branch, given: Sequence[NewWay], actor: Actor, at: datetime, *, atomic: bool = False
) -> list[Added | NotAdded]:
    """Enter what is new and lawful, in the caller's transaction; what became of each, in the same order.

    A row names its debtor by a loan within the actor's reach. `atomic`: one row at fault, and none is entered.
    """
    whose = _Whose(conn, branch, {one.loan_id for one in given}, actor, at)
    checked = [_checked(branch, one, whose) for one in given]
    if atomic and any(isinstance(one, NotAdded) for one in checked):
        return [one if isinstance(one, NotAdded) else _NOT_DONE for one in checked]
    sound = [one for one in checked if isinstance(one, _Sound)]
    wait_for_heads(conn, {stream_of(branch.vault, one.customer) for one in sound})  # a file may bring contacts of them
    for institution in sorted({one.customer.institution for one in sound}):
        hold_feeds(conn, institution)
    barred = {
        Customer(institution, borrower_id)
        for institution in sorted({one.customer.institution for one in sound})
        for borrower_id in ErasedPeople.read(conn, institution).ids
    }
    erased = NotAdded("borrower_erased", "loan_id", *texts_of("borrower_erased"))
    checked = [erased if isinstance(one, _Sound) and one.customer in barred else one for one in checked]
    if atomic and erased in checked:
        return [one if isinstance(one, NotAdded) else _NOT_DONE for one in checked]
    entered = iter(_enter(conn, branch, [one for one in checked if isinstance(one, _Sound)], actor, at))
    return [one if isinstance(one, NotAdded) else next(entered) for one in checked]


# ── what may be entered ───────────────────────────────────────────────────────────────────────────────────────────


def _checked(branch: Branch, way: NewWay, whose: "_Whose") -> _Sound | NotAdded:
    found = whose.of(way.loan_id)
    if isinstance(found, NotAdded):
        return found
    if (fault := fault_of(way, branch.rulebook.sources)) is not None:
        return fault
    phone, address = phone_cell(way.phone or ""), text_cell(way.address or "", "address", 500)
    clean = msgspec.structs.replace(way, phone=phone, address=address)
    return _Sound(clean, found, branch.vault.blind("phone", phone) if phone else None)


def fault_of(way: NewWay, sources: Sources) -> NotAdded | None:
    """What is wrong with a row itself; none where nothing is."""
    if way.role not in PARTIES:
        return _none_of("unknown_party", "role", PARTIES)
    if way.relation not in (None, *RELATIONS):
        return _none_of("unknown_relation", "relation", RELATIONS)
    if way.address_kind not in (None, *ADDRESS_KINDS):
        return _none_of("unknown_address_kind", "address_kind", ADDRESS_KINDS)
    if (unlawful := sources.fault(way.source, way.legal_basis)) is not None:
        field = "legal_basis" if "basis" in unlawful.code else "source"
        known = tuple(unlawful.facts.get("known", ()))
        return NotAdded(unlawful.code, field, unlawful.zh or unlawful.code, str(unlawful), known)
    try:
        given = (phone_cell(way.phone or ""), text_cell(way.address or "", "address", 500))
        text_cell(way.name or "", "name", 64)
    except BadCell as bad:
        return NotAdded(bad.note.code, bad.note.column, *ROW_TEXTS.get(bad.note.code, texts_of(bad.note.code)))
    if given == (None, None):
        return NotAdded("no_phone_or_address", "phone", *ROW_TEXTS["no_phone_or_address"])
    return None


def _not(code: str, field: str) -> NotAdded:
    return NotAdded(code, field, *texts_of(code))


def _none_of(code: str, field: str, allowed: Sequence[str]) -> NotAdded:
    zh, en = texts_of(code)
    listed = f"{zh}，可用：{'、'.join(allowed)}", f"{en}; known: {', '.join(allowed)}"
    return NotAdded(code, field, *listed, tuple(allowed))


class _Whose:
    """Whose loans they are, as far as the actor sees them and may act."""

    def __init__(self, conn: Connection, branch: Branch, loan_ids: set[str], actor: Actor, at: datetime) -> None:
        today, wanted = branch.today(at), sorted(one for one in loan_ids if "\x00" not in one)
        self._acts, self._sees = (reach_of(branch, actor, command, today) for command in (COMMAND, "borrower.read"))
        on_books = rows.select_by_keys(conn, _LOANS, "loan_id", wanted)
        self._of = {row.loan_id: Customer(row.institution, row.borrower_id) for row in on_books}
        self._places: dict[str, list[Any]] = {}
        for row in (*on_books, *rows.select_by_keys(conn, _CASES, "loan_id", wanted)):
            self._places.setdefault(row.loan_id, []).append(row)

    def of(self, loan_id: str) -> Customer | NotAdded:
        """A loan that is not seen is unknown, as one that is not there."""
        customer = self._of.get(loan_id)
        if customer is None or not self._covered(loan_id, self._sees):
            return _not("unknown_loan", "loan_id")
        return customer if self._covered(loan_id, self._acts) else _not("out_of_reach", "loan_id")

    def _covered(self, loan_id: str, reach: Reach) -> bool:
        return any(reach.covers(place) for place in self._places.get(loan_id, ()))


# ── entering ──────────────────────────────────────────────────────────────────────────────────────────────────────


_Part = tuple[Customer, str, bytes | str]
"""Whose, in which role, the number's fingerprint or the address."""


class _Book:
    """The contact books of some debtors: what is in use there, by role and by what it is reached with."""

    def __init__(self, conn: Connection, branch: Branch, customers: set[Customer]) -> None:
        keys = sorted((one.borrower_id, one.institution) for one in customers)
        self._known: dict[_Part, int] = {}
        in_use = sa.select(contacts).where(contacts.c.ended_at.is_(None))
        for row in sorted(rows.select_by_keys(conn, in_use, _BY_CUSTOMER, keys), key=lambda row: -row.id):
            customer = Customer(row.institution, row.borrower_id)
            if row.phone_index is not None:
                self._known[customer, row.role, bytes(row.phone_index)] = row.id
            if row.address_sealed is not None:
                address = branch.vault.open(cell_of_contact(row, "address"), bytes(row.address_sealed))
                self._known[customer, row.role, normalise("address", address)] = row.id

    def take(self, one: _Sound, contact_id: int) -> int:
        """The entry that has all of it already; a new one is from now on known by `contact_id`."""
        parts: list[_Part] = []
        if one.phone_index is not None:
            parts.append((one.customer, one.way.role, one.phone_index))
        if one.way.address:
            parts.append((one.customer, one.way.role, normalise("address", one.way.address)))
        known = [self._known.get(part) for part in parts]
        if None not in known:
            return known[0] or contact_id
        self._known |= {part: self._known.get(part, contact_id) for part in parts}
        return contact_id


def _enter(
    conn: Connection, branch: Branch, sound: Sequence[_Sound], actor: Actor, at: datetime
) -> list[Added]:  # fmt: skip
    if not sound:
        return []
    book = _Book(conn, branch, {one.customer for one in sound})
    ids = rows.next_ids(conn, _SEQUENCE, contacts, len(sound))
    taken = [(book.take(one, fresh), fresh, one) for one, fresh in zip(sound, ids, strict=True)]
    new = [(fresh, one) for known, fresh, one in taken if known == fresh]
    entered = _write(conn, branch, new, actor, at) if new else {}
    return [Added(known, entered.get(fresh) if known == fresh else None) for known, fresh, _ in taken]


def _write(
    conn: Connection, branch: Branch, new: Sequence[tuple[int, _Sound]], actor: Actor, at: datetime
) -> dict[int, str]:  # fmt: skip
    """The entries, by the number of the contact."""
    streams = {one.customer: stream_of(branch.vault, one.customer) for _, one in new}
    heads, trail = locked_heads(conn, streams.values()), branch.trail(at)
    left: dict[str, tuple[LeftRows, str]] = {}
    stored, entered = [], {}
    for contact_id, one in new:
        way, stream = one.way, streams[one.customer]
        found_by = way.found_by or actor.id
        data = {
            "contact_id": contact_id, "role": way.role, "source": way.source, "legal_basis": way.legal_basis,
            "found_by": found_by, "rulebook": branch.rulebook.sources.title,
        }  # fmt: skip
        texts = {name: text for name in ("phone", "address", "name", "relation") if (text := getattr(way, name))}
        heads[stream] = trail.add(stream, heads[stream], Draft(ADDED, actor.signed, data, texts=texts, subject=stream))
        entered[contact_id] = f"{stream}:{heads[stream].seq}"
        institution = one.customer.institution
        books, _ = left.setdefault(
            institution, (LeftRows(conn, branch.mac_key, institution), entered[contact_id])
        )  # fmt: skip
        said = _row(branch, contact_id, one, found_by, heads[stream].recorded_at)
        mac = books.mac_of(contacts)(said)
        books.swap(contacts, new=mac)
        stored.append((contact_id, *said, mac))
    rows.insert_many(conn, contacts, stored, ("id", *COVERED[contacts.name], "mac"))
    put_heads(conn, heads)
    for _, (books, because) in sorted(left.items()):
        books.restate(trail, actor, because)
    trail.write(conn)
    return entered


def _row(branch: Branch, contact_id: int, one: _Sound, found_by: str, at: datetime) -> tuple[Any, ...]:
    vault, way = branch.vault, one.way
    row_hash = vault.fingerprint(_encode(("contact_book", *one.customer, contact_id, at)))

    def sealed(field: str, value: str | None) -> bytes | None:
        return vault.seal(sealed_cells.of_contact(one.customer, row_hash, field), value) if value else None

    return (
        *one.customer, way.role, way.relation, way.address_kind, way.source, way.legal_basis,
        sealed("person_name", way.name), sealed("phone", way.phone), one.phone_index, sealed("address", way.address),
        row_hash, found_by, at, None, None,
    )  # fmt: skip
