"""A borrower over all loans and cases, and finding them, within a reach; personal data leaves here as permitted.

permissions.toml says which fields a reader sees masked; the others are not shown. Callers record what they show
(`casework.work.cases.disclosure.record_read`), before they show it.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.intake.dialler.visited import reached_by_address
from casework.intake.feed.customers import LOAN_PLACES, is_within, of_customer
from casework.intake.feed.sealed_cells import of_borrower, of_contact
from casework.intake.feed.tables import borrowers, contacts, loans
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Reach
from casework.personal import Vault, mask, normalise
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.erased import last_erased_on
from casework.work.cases.filter import (
    BusinessDates,
    CaseFilter,
    check_id,
    filter_malformed,
)
from casework.work.cases.line import CaseLine
from casework.work.cases.queries import walk_cases
from casework.work.cases.reached import covered_by
from casework.work.cases.tables import cases
from casework.work.cases.unseen import unseen
from casework.work.gate.known_numbers import (
    EVER,
    REFUSED,
    KnownNumber,
    known_addresses,
    known_numbers,
    of_number_and_address,
)

MAX_FOUND = 50
"""Borrowers that one search answers with; a common name needs another key."""
_MAX_CANDIDATES = 2_000
"""Borrowers of one name who are looked at for those within reach: a search costs the same however many bear it."""
_MAX_ROWS = 200
_NOTHING = KnownNumber()


class LoanOnBooks(msgspec.Struct):
    """A loan as the last loans file had it; amounts in fen, none means unknown."""

    loan_id: str
    product: str | None
    channel_code: str | None
    owner_staff_no: str | None
    team: str | None
    region: str | None
    disbursed_on: date | None
    principal_fen: int | None
    outstanding_principal_fen: int | None
    risk_class: str | None
    npl_since: date | None
    status: str | None  # on_book, written_off, transferred, closed


class FeedContact(msgspec.Struct):
    """A way to reach the borrower or a person around them: an entry of the contact book, masked as the reader may see.

    `state`: unverified, valid, suspended, wrong, invalid or refused, as calls to the number have told; what is no
    longer used has `ended_at`. No `found_by`: a feed brought it, on the day of `added_at`. Tried and connected by
    whatever channel on its number.
    """

    id: int
    role: str
    relation: str | None
    name: str | None
    phone: str | None
    address_kind: str | None
    address: str | None
    source: str | None
    legal_basis: str | None
    state: str
    found_by: str | None
    added_at: datetime | None
    ended_at: datetime | None
    last_tried_at: datetime | None
    last_connected_at: datetime | None


class Borrower(msgspec.Struct):
    """A borrower over their loans and cases within the reader's reach; `cut` if there are more than the 200 shown.

    `beyond`: they have loans or cases that are not within reach, which others work on. `erased_on`: their personal data
    were erased that day, and none have come in since.
    """

    borrower_id: str
    institution: str
    name: str | None
    id_number: str | None
    overdue_fen: int
    loans: list[LoanOnBooks]
    cases: list[CaseLine]
    contacts: list[FeedContact]
    cut: bool
    beyond: bool
    erased_on: date | None = None


class FoundCase(msgspec.Struct):
    """A case of somebody found."""

    id: int
    loan_id: str
    state: str
    live: bool


class BorrowersFound(msgspec.Struct):
    """A borrower found, masked, with their cases; `matched` are the keys that led to them."""

    borrower_id: str
    institution: str
    name: str | None
    id_number: str | None
    matched: list[str]
    cases: list[FoundCase]
    erased_on: date | None = None


class FoundPage(msgspec.Struct):
    """All found; `cut` if there are more than 50: search with another key."""

    items: list[BorrowersFound]
    cut: bool


class Search(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of the keys; `purpose` is a code of permissions.toml that the entry of this read keeps."""

    loan_id: str | None = None
    phone: str | None = None
    name: str | None = None
    id_number: str | None = None
    purpose: str | None = None


_LOANS = tuple(loans.c[name] for name in LoanOnBooks.__struct_fields__)
_loan_of: Any = LoanOnBooks  # by position
_BORROWERS = sa.select(borrowers)
_CASES = sa.select(
    *(cases.c[name] for name in ("institution", "borrower_id", "id", "loan_id", "state", "live")),
    *(cases.c[name] for name in ("owner", "handler", "team", "region", "product")),  # for the reach
)
_BY_NUMBER = ("borrower_id", "institution")
CONTACT_FIELDS = {"name": "contact_name", "phone": "phone", "address": "address"}
"""Fields of permissions.toml by what a contact calls them, in the order of its own."""


def borrower_page(
    conn: Connection, branch: Branch, dates: BusinessDates, customer: Customer, *, actor: Actor, within: Reach
) -> Borrower:
    """The borrower as `actor` may see them; CallerError `unknown_borrower`."""
    row = known_borrower(conn, customer, within)
    more = _MAX_ROWS + 1
    show = _Shown(branch, actor)
    on_books = sa.select(*_LOANS).where(of_customer(loans, customer), covered_by(within, LOAN_PLACES))
    held = [_loan_of(*values) for values in conn.execute(on_books.order_by(loans.c.loan_id).limit(more))]
    ways = book_shown(conn, branch, customer, actor, more)
    wanted = CaseFilter(institution=customer.institution, borrower_id=customer.borrower_id)
    walk = walk_cases(conn, dates, wanted, within=within, sort="-id", at_most=more)
    lines = [line for chunk in walk for line in chunk]
    overdue_fen = sum(line.overdue_fen for line in lines if line.live)
    return Borrower(
        row.borrower_id, row.institution, show.of_borrower("name", row), show.of_borrower("id_number", row),
        overdue_fen, held[:_MAX_ROWS], lines[:_MAX_ROWS],
        ways[:_MAX_ROWS], max(len(held), len(ways), len(lines)) > _MAX_ROWS, _has_others(conn, customer, within),
        erased_of(conn, branch, [row]).get(customer),
    )  # fmt: skip


def book_shown(
    conn: Connection, branch: Branch, customer: Customer, actor: Actor, limit: int = _MAX_ROWS,
    until: datetime = EVER,
) -> list[FeedContact]:  # fmt: skip
    """The contact book of a borrower as `actor` may see it, oldest first, by what was so before an instant."""
    reached = sa.select(contacts).where(of_customer(contacts, customer)).order_by(contacts.c.id)
    if until != EVER:
        reached = reached.where(contacts.c.added_at < until)
    found, show = conn.execute(reached.limit(limit)).all(), _Shown(branch, actor, until)
    numbers = [bytes(row.phone_index) for row in found if row.phone_index is not None]
    known = known_numbers(conn, customer, numbers, branch.rulebook.results, until)
    addresses = {row.id: _address_of(branch, row) for row in found if row.address_sealed is not None}
    theirs = reached_by_address(conn, branch, customer) if addresses else {}
    of_files = {number: theirs[address] for number, address in addresses.items() if address in theirs}
    visited = known_addresses(conn, customer, of_files, until) if addresses else {}
    return [
        show.contact(row, visited.get(row.id, _NOTHING) if row.phone_index is None
                     else of_number_and_address(known[bytes(row.phone_index)], visited.get(row.id, _NOTHING)))
        for row in found
    ]  # fmt: skip


def _address_of(branch: Branch, row: Any) -> str:
    return normalise("address", branch.vault.open(cell_of_contact(row, "address"), bytes(row.address_sealed)))


def known_borrower(conn: Connection, customer: Customer, within: Reach) -> sa.Row[Any]:
    """Their row; CallerError `unknown_borrower`, the same where they are beyond reach."""
    row = conn.execute(_BORROWERS.where(of_customer(borrowers, customer))).one_or_none()
    if row is None:
        raise unseen("unknown_borrower")
    if not within.everything:
        of_him = (sa.literal(customer.institution), sa.literal(customer.borrower_id))
        sees = conn.execute(sa.select(is_within(of_him, within))).scalar()
        if not sees:
            raise unseen("unknown_borrower")
    return row


def erased_of(conn: Connection, branch: Branch, found: Sequence[sa.Row[Any]]) -> dict[Customer, date]:
    """The days on which those were erased of whom nothing has come in since."""
    bare = [customer_of(row) for row in found if row.name_sealed is None and row.id_number_sealed is None]
    return last_erased_on(conn, branch, bare) if bare else {}


def customer_of(row: Any) -> Customer:
    """Whose row it is, of any table that says so."""
    return Customer(row.institution, row.borrower_id)


def cell_of_contact(row: Any, part: str) -> str:
    """Where a part of a contact (`CONTACT_FIELDS`) lies."""
    return of_contact(customer_of(row), bytes(row.row_hash), "person_name" if part == "name" else part)


def loan_in_reach(conn: Connection, loan_id: str, within: Reach) -> bool:
    """Whether the loan, or a case of it, is within reach."""
    if within.everything:
        return True
    of_cases = sa.exists().where(cases.c.loan_id == loan_id, covered_by(within, cases.c))
    itself = sa.exists().where(loans.c.loan_id == loan_id, covered_by(within, LOAN_PLACES))
    return bool(conn.execute(sa.select(sa.or_(of_cases, itself))).scalar())


def _has_others(conn: Connection, customer: Customer, within: Reach) -> bool:
    if within.everything:
        return False
    # A column that is NULL makes a plain NOT unknown, and would hide what lies beyond.
    covered = {table: sa.func.coalesce(covered_by(within, columns), sa.false())
               for table, columns in ((cases, cases.c), (loans, LOAN_PLACES))}  # fmt: skip
    others = [sa.exists().where(of_customer(table, customer), sa.not_(one)) for table, one in covered.items()]
    return bool(conn.execute(sa.select(sa.or_(*others))).scalar())


def fields_shown(page: Borrower) -> set[str]:
    """Which personal data the page shows, for the entry of the read."""
    shown = {name for name in ("name", "id_number") if getattr(page, name)}
    return shown | {
        field for contact in page.contacts for name, field in CONTACT_FIELDS.items() if getattr(contact, name)
    }


def fields_found(page: FoundPage) -> set[str]:
    """Which personal data a search shows, for the entries of the read."""
    return {name for item in page.items for name in ("name", "id_number") if getattr(item, name)}


def find(conn: Connection, branch: Branch, search: Search, *, actor: Actor, within: Reach) -> FoundPage:
    """Borrowers within reach by exactly one key, by blind index; CallerError `filter_malformed` for none or several."""
    given = {
        name: value
        for name in ("loan_id", "phone", "name", "id_number")
        if (value := getattr(search, name)) is not None
    }
    if len(given) != 1:
        raise filter_malformed("find", "exactly one of loan_id, phone, name, id_number")
    name, value = next(iter(given.items()))
    if not value.strip() or len(value) > 64 or "\x00" in value:
        raise filter_malformed(name, "1 to 64 characters")
    candidates = _matching(branch.vault, name, value).order_by(*_BY_NUMBER).limit(_MAX_CANDIDATES).subquery()
    ids = sa.select(candidates.c.institution, candidates.c.borrower_id)
    if not within.everything:
        ids = ids.where(is_within((candidates.c.institution, candidates.c.borrower_id), within))
    known = [customer_of(row) for row in conn.execute(ids.order_by(*_BY_NUMBER).limit(MAX_FOUND + 1))]
    shown, show = known[:MAX_FOUND], _Shown(branch, actor)
    people = rows.select_by_keys(conn, _BORROWERS, _BY_NUMBER, [customer[::-1] for customer in shown])
    erased = erased_of(conn, branch, people)
    of: dict[Customer, list[FoundCase]] = {}
    for row in rows.select_by_keys(conn, _CASES, Customer._fields, shown):
        if within.covers(row):
            of.setdefault(customer_of(row), []).append(FoundCase(row.id, row.loan_id, row.state, row.live))
    items = [
        BorrowersFound(*customer[::-1], show.of_borrower("name", row), show.of_borrower("id_number", row), [name],
              sorted(of.get(customer, []), key=lambda case: case.id)[-_MAX_ROWS:], erased.get(customer))
        for row in people for customer in [customer_of(row)]
    ]  # fmt: skip
    return FoundPage(items, len(known) > MAX_FOUND)


def _matching(vault: Vault, name: str, value: str) -> sa.Select[Any]:
    if name == "loan_id":
        wanted = check_id("loan_id", value)
        return sa.select(loans.c.institution, loans.c.borrower_id).where(loans.c.loan_id == wanted)
    index = vault.blind(name, value)
    if name == "phone":
        return (
            sa.select(contacts.c.institution, contacts.c.borrower_id).where(contacts.c.phone_index == index).distinct()
        )
    return sa.select(borrowers.c.institution, borrowers.c.borrower_id).where(borrowers.c[f"{name}_index"] == index)


class _Shown:
    """Personal data as one reader is shown it: masked, or not at all."""

    def __init__(self, branch: Branch, actor: Actor, until: datetime = EVER) -> None:
        self._vault, self._until = branch.vault, until
        permissions = branch.rulebook.permissions
        self._views = {field: permissions.view(actor, field) for field in permissions.personal}

    def of_borrower(self, field: str, row: sa.Row[Any]) -> str | None:
        """A field of a borrower."""
        sealed = getattr(row, f"{field}_sealed")
        return None if sealed is None else self._value(field, of_borrower(customer_of(row), field), sealed)

    def contact(self, row: sa.Row[Any], told: KnownNumber) -> FeedContact:
        """A contact, with what is known of its number or address."""
        name, phone, address = (self._of_contact(row, part) for part in CONTACT_FIELDS)
        return FeedContact(
            row.id, row.role, row.relation, name, phone, row.address_kind, address, row.source, row.legal_basis,
            told.state if self._then(row.refused_at) is None else REFUSED, row.found_by, row.added_at,
            self._then(row.ended_at),
            told.last_tried_at, told.last_connected_at,
        )  # fmt: skip

    def _then(self, at: datetime | None) -> datetime | None:
        return at if at is not None and at < self._until else None

    def _of_contact(self, row: sa.Row[Any], part: str) -> str | None:
        sealed = getattr(row, f"{part}_sealed")
        return None if sealed is None else self._value(CONTACT_FIELDS[part], cell_of_contact(row, part), sealed)

    def _value(self, field: str, place: str, sealed: bytes) -> str | None:
        if self._views[field] is None:
            return None
        value = self._vault.open(place, bytes(sealed))
        return value if self._views[field] == "clear" else mask(field, value)
