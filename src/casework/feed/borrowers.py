"""A borrower over all his loans and cases, and finding him; personal data leaves here masked.

Callers record what they show (`casework.cases.disclosure.record_read`), before they show it.
"""

from datetime import date
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework import rows
from casework.cases.branch import Branch
from casework.cases.filter import BusinessDates, CaseFilter, check_text, filter_malformed
from casework.cases.queries import CaseLine, walk_cases
from casework.cases.tables import cases
from casework.errors import CallerError
from casework.feed.tables import borrowers, contacts, loans
from casework.personal import Vault, mask

MAX_FOUND = 50
"""Borrowers that one search answers with; a common name needs another key."""
_MAX_ROWS = 200


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


class Contact(msgspec.Struct):
    """A way to reach the borrower or a person around him; name, phone and address masked."""

    id: int
    role: str
    relation: str | None
    name: str | None
    phone: str | None
    address_kind: str | None
    address: str | None
    source: str | None
    legal_basis: str | None


class Borrower(msgspec.Struct):
    """A borrower over all his loans and cases; `cut` if there are more than the 200 shown."""

    borrower_id: str
    institution: str
    name: str | None
    id_number: str | None
    overdue_fen: int
    loans: list[LoanOnBooks]
    cases: list[CaseLine]
    contacts: list[Contact]
    cut: bool


class FoundCase(msgspec.Struct):
    """A case of somebody found."""

    id: int
    loan_id: str
    state: str
    live: bool


class Found(msgspec.Struct):
    """A borrower found, masked, with his cases; `matched` are the keys that led to him."""

    borrower_id: str
    name: str | None
    id_number: str | None
    matched: list[str]
    cases: list[FoundCase]


class FoundPage(msgspec.Struct):
    """All found; `cut` if there are more than 50: search with another key."""

    items: list[Found]
    cut: bool


class Search(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of the keys; `purpose` is a code that the entry of this read keeps."""

    loan_id: str | None = None
    phone: str | None = None
    name: str | None = None
    id_number: str | None = None
    purpose: str = "collection"


_LOANS = tuple(loans.c[name] for name in LoanOnBooks.__struct_fields__)
_loan_of: Any = LoanOnBooks  # by position
_BORROWERS = sa.select(borrowers)
_CASES = sa.select(cases.c.borrower_id, cases.c.id, cases.c.loan_id, cases.c.state, cases.c.live)


def borrower_page(conn: Connection, branch: Branch, dates: BusinessDates, borrower_id: str) -> Borrower:
    """The borrower; CallerError `unknown_borrower`."""
    check_text("borrower_id", borrower_id)
    row = conn.execute(_BORROWERS.where(borrowers.c.borrower_id == borrower_id)).one_or_none()
    if row is None:
        raise CallerError("unknown_borrower", "没有这位借款人", "there is no such borrower")
    vault, more = branch.vault, _MAX_ROWS + 1
    on_books = sa.select(*_LOANS).where(loans.c.borrower_id == borrower_id).order_by(loans.c.loan_id)
    held = [_loan_of(*values) for values in conn.execute(on_books.limit(more))]
    reached = sa.select(contacts).where(contacts.c.borrower_id == borrower_id).order_by(contacts.c.id)
    ways = [_contact(vault, found) for found in conn.execute(reached.limit(more))]
    wanted = CaseFilter(borrower_id=borrower_id)
    lines = [line for chunk in walk_cases(conn, dates, wanted, sort="-id", at_most=more) for line in chunk]
    overdue_fen = sum(line.overdue_fen for line in lines if line.live)
    return Borrower(
        borrower_id, row.institution, _shown(vault, "name", row.name_sealed),
        _shown(vault, "id_number", row.id_number_sealed), overdue_fen, held[:_MAX_ROWS], lines[:_MAX_ROWS],
        ways[:_MAX_ROWS], max(len(held), len(ways), len(lines)) > _MAX_ROWS,
    )  # fmt: skip


def fields_shown(page: Borrower) -> set[str]:
    """Which personal data the page shows, for the entry of the read."""
    shown = {name for name in ("name", "id_number") if getattr(page, name)}
    return shown | {
        f"contact_{name}"
        for contact in page.contacts
        for name in ("name", "phone", "address")
        if getattr(contact, name)
    }


def find(conn: Connection, branch: Branch, search: Search) -> FoundPage:
    """Borrowers by exactly one key, by blind index; CallerError `filter_malformed` for none or several."""
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
    ids = sorted(set(conn.execute(_matching(branch.vault, name, value).limit(_MAX_ROWS)).scalars()))
    shown = ids[:MAX_FOUND]
    people = rows.select_by_keys(conn, _BORROWERS, "borrower_id", shown)
    of: dict[str, list[FoundCase]] = {}
    for row in rows.select_by_keys(conn, _CASES, "borrower_id", shown):
        of.setdefault(row.borrower_id, []).append(FoundCase(row.id, row.loan_id, row.state, row.live))
    vault = branch.vault
    items = [
        Found(row.borrower_id, _shown(vault, "name", row.name_sealed),
              _shown(vault, "id_number", row.id_number_sealed), [name],
              sorted(of.get(row.borrower_id, []), key=lambda case: case.id)[-_MAX_ROWS:])
        for row in people
    ]  # fmt: skip
    return FoundPage(items, len(ids) > MAX_FOUND)


def _matching(vault: Vault, name: str, value: str) -> sa.Select[Any]:
    if name == "loan_id":
        return sa.select(loans.c.borrower_id).where(loans.c.loan_id == value.strip())
    index = vault.blind(name, value)
    if name == "phone":
        return sa.select(contacts.c.borrower_id).where(contacts.c.phone_index == index).distinct()
    return sa.select(borrowers.c.borrower_id).where(borrowers.c[f"{name}_index"] == index)


def _contact(vault: Vault, row: sa.Row[Any]) -> Contact:
    return Contact(
        row.id, row.role, row.relation, _shown(vault, "person_name", row.name_sealed),
        _shown(vault, "phone", row.phone_sealed), row.address_kind,
        _shown(vault, "address", row.address_sealed), row.source, row.legal_basis,
    )  # fmt: skip


def _shown(vault: Vault, field: str, sealed: bytes | None) -> str | None:
    return mask(field, vault.open(field, bytes(sealed))) if sealed is not None else None
