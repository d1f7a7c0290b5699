"""Writing the books that a feed brings up to date: loans, borrowers, ways to reach them, payments, and staff it names.

Set-wise, in the caller's transaction. Personal data goes in sealed, with blind indexes to find it by; each row has a
MAC, and what is written is counted into what the feed leaves (`left_rows`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.customer import Customer
from casework.errors import CallerError
from casework.intake.feed import sealed_cells
from casework.intake.feed.left_rows import LeftRows
from casework.intake.feed.payments import PAYMENT
from casework.intake.feed.row import ContactRow, LoanRow, RepaymentRow
from casework.intake.feed.row_mac import COVERED, as_mac, as_written
from casework.intake.feed.tables import (
    borrowers,
    contacts,
    loans,
    repayments,
)
from casework.log.stored import as_stored
from casework.people.staff import register
from casework.people.staff.actor import Actor
from casework.personal import Vault
from casework.storage import rows
from casework.work.cases.branch import Branch

_OF_THE_CASE: Final = ("risk_class", "npl_since", "disbursed_on")
"""What a case keeps of its loan beside the amounts."""
_HELD = sa.select(*(loans.c[name] for name in (*_OF_THE_CASE, "loan_id", "institution", "row_hash", "omitted_on")))
_MACS = sa.select(loans.c.loan_id, loans.c.mac)  # of the few that change: of all of them it would be felt
_LOAN: Final = (*COVERED["loans"], "row_hash", "mac")
_BORROWER: Final = (*COVERED["borrowers"], "mac")
_CONTACT: Final = (*COVERED["contacts"], "mac")
_PEOPLE = sa.select(*(borrowers.c[name] for name in _BORROWER))
_PAYMENTS = sa.select(*(repayments.c[name] for name in PAYMENT))
_AT_ONCE: Final = 10_000  # rows that are made ready to be written before they are
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class LoansWritten:
    """What writing a loans file did.

    `reclassified` are loans whose class, non-performing date or disbursement differs now; `unverified` staff nobody
    registered.
    """

    inserted: int
    updated: int
    reclassified: frozenset[str]
    unverified: int = 0


def write_loans(
    conn: Connection, branch: Branch, left: LeftRows, sheet: Sequence[LoanRow], actor: Actor, *, only_new: bool = False,
    clock: Clock = now,
) -> LoansWritten:  # fmt: skip
    """Insert new loans, update changed ones, leave the others alone; borrowers and staff named with them.

    `only_new`: the books have a later word on the loans they know; only those they do not are entered.
    `CallerError` loan_elsewhere if a loan is on the books of another institution: no feed may take it over.
    """
    writing = _LoansBeingWritten(conn, branch.vault, left, only_new=only_new)
    for start in range(0, len(sheet), _AT_ONCE):
        writing.take(sheet[start : start + _AT_ONCE])
    if writing.elsewhere:
        raise CallerError("loan_elsewhere", loans=writing.elsewhere)
    _write_borrowers(conn, branch.vault, left, writing.touched)
    unknown = name_staff(conn, branch, {row.owner_staff_no for row in writing.touched}, actor, clock=clock)
    return LoansWritten(writing.inserted, writing.updated, frozenset(writing.reclassified), len(unknown))


class _LoansBeingWritten:
    """What writing a loans file did so far: thousands of rows at once, so that what is kept beside them stays small."""

    def __init__(self, conn: Connection, vault: Vault, left: LeftRows, *, only_new: bool) -> None:
        self._conn, self._left, self._only_new = conn, left, only_new
        self._fingerprint, self._mac_of = vault.fingerprint, left.mac_of(loans)
        self.touched: list[LoanRow] = []
        self.reclassified: set[str] = set()
        self.inserted = self.updated = self.elsewhere = 0

    def take(self, sheet: Sequence[LoanRow]) -> None:
        """Write these rows; once one is on the books of another institution, none is, and those are counted."""
        institution, wanted = self._left.institution, [row.loan_id for row in sheet]
        held = {row.loan_id: row for row in rows.select_by_keys(self._conn, _HELD, "loan_id", wanted)}
        self.elsewhere += sum(1 for row in held.values() if row.institution != institution)
        if self.elsewhere:
            return
        fresh: list[tuple[Any, ...]] = []
        changed: list[tuple[Any, ...]] = []
        for row in sheet:
            row_hash = self._fingerprint(_encode(row))
            before = held.get(row.loan_id)
            unchanged = before is not None and bytes(before.row_hash) == row_hash and before.omitted_on is None
            if before is not None and (self._only_new or unchanged):
                continue
            self.touched.append(row)
            said = (row.loan_id, institution, row.borrower_id, *row[4:], None)
            (fresh if before is None else changed).append((*said, row_hash, self._mac_of(said)))
            if before is not None and before[:3] != (row.risk_class, row.npl_since, row.disbursed_on):
                self.reclassified.add(row.loan_id)
        macs = dict(rows.select_by_keys(self._conn, _MACS, "loan_id", [row[0] for row in changed]))
        _put(self._conn, self._left, loans, "loan_id", _LOAN, fresh, [(macs[row[0]], row) for row in changed])
        self.inserted, self.updated = self.inserted + len(fresh), self.updated + len(changed)


def mark_omitted(conn: Connection, left: LeftRows, loan_ids: Iterable[str], as_of: date) -> None:
    """Remember since when the loans file leaves these out, so that they are missed once and not every day."""
    covered = COVERED[loans.name]
    wanted = as_stored(loans, (*covered, "mac"), conn.dialect.name)
    marked = []
    for *held, mac in rows.select_by_keys(conn, wanted, "loan_id", list(loan_ids)):
        before = as_written(loans.name, tuple(held))
        left.check(loans, before, mac)
        marked.append((mac, (before[0], as_of, left.mac_of(loans)((*before[:-1], as_of)))))
    _put(conn, left, loans, "loan_id", ("loan_id", "omitted_on", "mac"), [], marked)


def write_contacts(
    conn: Connection, branch: Branch, left: LeftRows, sheet: Sequence[ContactRow], as_of: date
) -> int:  # fmt: skip
    """Insert the contacts of the institution's customers that are not on the books yet; how many that were.

    They are in the book from the beginning of the feed's day.
    """
    vault, since = branch.vault, datetime.combine(as_of, time(), ZoneInfo(branch.time_zone)).astimezone(UTC)
    known = {bytes(row_hash) for row_hash in conn.execute(sa.select(contacts.c.row_hash)).scalars()}
    fresh = {}
    for row in sheet:
        row_hash = vault.fingerprint(_encode((left.institution, *row)))
        if row_hash not in known and row_hash not in fresh:
            said = _contact(vault, left.institution, row, row_hash, since)
            fresh[row_hash] = (*said, left.mac_of(contacts)(said))
    _put(conn, left, contacts, "row_hash", _CONTACT, list(fresh.values()), [])
    return len(fresh)


def write_repayments(
    conn: Connection, left: LeftRows, run_id: int, sheet: Sequence[RepaymentRow]
) -> list[RepaymentRow]:  # fmt: skip
    """Insert the payments that are new of the institution; those are returned."""
    wanted = [(left.institution, row.payment_id) for row in sheet]
    held = {row.payment_id for row in rows.select_by_keys(conn, _PAYMENTS, PAYMENT, wanted)}
    fresh = [row for row in sheet if row.payment_id not in held]
    stored = []
    for row in fresh:
        said = (left.institution, *row, run_id)
        stored.append((*said, mac := left.mac_of(repayments)(said)))
        left.payments.add(mac)
    rows.insert_many(conn, repayments, stored, (*COVERED[repayments.name], "mac"))
    return fresh


def name_staff(
    conn: Connection, branch: Branch, staff_nos: Iterable[str | None], actor: Actor, *, clock: Clock = now
) -> list[str]:  # fmt: skip
    """Enter staff that a feed names and nobody registered as *unverified*: they own cases but cannot log in."""
    trail = branch.trail(clock())
    unknown = register.named_by_feed(conn, trail, actor, {staff_no for staff_no in staff_nos if staff_no})
    trail.write(conn)
    return unknown


def _put(
    conn: Connection, left: LeftRows, table: sa.Table, key: rows.Key, columns: Sequence[str],
    fresh: Sequence[tuple[Any, ...]], changed: Sequence[tuple[Any, tuple[Any, ...]]],
) -> None:  # fmt: skip
    """Insert rows and update others, known by `key` (of `columns` the first), whose MACs, the last column, were others.

    `changed`: the MAC as it was stored, and the row as it is now.
    """
    if not fresh and not changed:
        return
    held = left.to_write(table)
    for row in fresh:
        held.add(row[-1])
    for before, row in changed:
        held.remove(as_mac(before))
        held.add(row[-1])
    rows.insert_many(conn, table, fresh, columns)
    of_key = 1 if isinstance(key, str) else len(key)
    rows.update_many(conn, table, key, [row for _, row in changed], columns[of_key:])


def _write_borrowers(conn: Connection, vault: Vault, left: LeftRows, touched: Sequence[LoanRow]) -> None:
    """A borrower's name and number are as the last of their loans says; an empty cell does not erase what is known."""
    people: dict[str, tuple[str | None, str | None]] = {}
    for row in touched:
        name, id_number = people.get(row.borrower_id, (None, None))
        people[row.borrower_id] = (row.borrower_name or name, row.id_number or id_number)
    everybody = iter(people.items())
    while some := dict(islice(everybody, _AT_ONCE)):
        _write_people(conn, vault, left, some)


def _write_people(
    conn: Connection, vault: Vault, left: LeftRows, people: Mapping[str, tuple[str | None, str | None]]
) -> None:  # fmt: skip
    institution, mac_of = left.institution, left.mac_of(borrowers)
    wanted = [Customer(institution, borrower_id) for borrower_id in people]
    held = {row.borrower_id: row for row in rows.select_by_keys(conn, _PEOPLE, Customer._fields, wanted)}
    fresh: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, tuple[Any, ...]]] = []
    for borrower_id, (name, id_number) in people.items():
        before = held.get(borrower_id)
        said: tuple[Any, ...] = (institution, borrower_id)
        for at, field, value in ((2, "name", name), (4, "id_number", id_number)):
            place = sealed_cells.of_borrower(Customer(institution, borrower_id), field)
            if before is not None and (not value or _holds(vault, place, before[at], value)):
                said += before[at : at + 2]
            else:
                said += (vault.seal(place, value), vault.blind(field, value)) if value else (None, None)
        if before is None:
            fresh.append((*said, mac_of(said)))
        elif said != before[:-1]:
            left.check(borrowers, before[:-1], before.mac)
            changed.append((before.mac, (*said, mac_of(said))))
    _put(conn, left, borrowers, Customer._fields, _BORROWER, fresh, changed)


def _holds(vault: Vault, place: str, sealed: bytes | None, value: str) -> bool:
    """Whether a sealed cell says that already; one that does not open is sealed anew."""
    try:
        return sealed is not None and vault.open(place, bytes(sealed)) == value
    except (ValueError, TypeError):
        return False


def _contact(
    vault: Vault, institution: str, row: ContactRow, row_hash: bytes, since: datetime
) -> tuple[Any, ...]:  # fmt: skip
    customer = Customer(institution, row.borrower_id)

    def sealed(field: str, value: str | None) -> bytes | None:
        return vault.seal(sealed_cells.of_contact(customer, row_hash, field), value) if value else None

    return (
        *customer, row.role, row.relation, row.address_kind, row.source, row.legal_basis,
        sealed("person_name", row.person_name), sealed("phone", row.phone),
        vault.blind("phone", row.phone) if row.phone else None, sealed("address", row.address), row_hash,
        None, since, None, None,  # nobody here found it, refused it or ended it
    )  # fmt: skip
