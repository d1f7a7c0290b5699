"""The books that a feed brings up to date: loans, borrowers, ways to reach them, payments, and the staff it names.

Set-wise, in the caller's transaction. Personal data goes in sealed, with blind indexes to find it by.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework import rows
from casework.cases.branch import Branch
from casework.cases.ownership import is_barred
from casework.clock import now
from casework.customer import Customer
from casework.errors import CallerError
from casework.feed import sealed_cells
from casework.feed.booked import Booked
from casework.feed.payments import PAYMENT
from casework.feed.row import ContactRow, LoanRow, RepaymentRow
from casework.feed.tables import borrowers, contacts, feed_runs, loans, repayments
from casework.personal import Vault
from casework.staff import places, register
from casework.staff.actor import Actor
from casework.staff.roster_rows import read_roster

_LOAN_COLUMNS = (
    "loan_id", "institution", "borrower_id", "product", "channel_code", "owner_staff_no", "team", "region",
    "disbursed_on", "self_payment", "principal_fen", "outstanding_principal_fen", "risk_class", "npl_since", "status",
    "row_hash", "omitted_on",
)  # fmt: skip
_OF_BORROWER = ("name_sealed", "name_index", "id_number_sealed", "id_number_index")
_CONTACT_COLUMNS = (
    *Customer._fields, "role", "relation", "address_kind", "source", "legal_basis", "name_sealed", "phone_sealed",
    "phone_index", "address_sealed", "row_hash",
)  # fmt: skip
_encode = msgspec.msgpack.Encoder().encode


_BOOKED = sa.select(*(loans.c[name] for name in Booked._fields))
_OF_THE_CASE = ("risk_class", "npl_since", "disbursed_on")  # what a case keeps of its loan beside the amounts
_HASHES = sa.select(*(loans.c[name] for name in (*_OF_THE_CASE, "loan_id", "institution", "row_hash", "omitted_on")))


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
    conn: Connection,
    branch: Branch,
    institution: str,
    sheet: Sequence[LoanRow],
    actor: Actor,
    *,
    only_new: bool = False,
) -> LoansWritten:
    """Insert new loans, update changed ones, leave the others alone; borrowers and staff named with them.

    `only_new`: the books have a later word on the loans they know; only those they do not are entered.
    `CallerError` loan_elsewhere if a loan is on the books of another institution: no feed may take it over.
    """
    held = {row.loan_id: row for row in rows.select_by_keys(conn, _HASHES, "loan_id", [row.loan_id for row in sheet])}
    elsewhere = sum(1 for row in held.values() if row.institution != institution)
    if elsewhere:
        raise CallerError(
            "loan_elsewhere", f"{elsewhere}笔贷款属于其他机构", f"{elsewhere} loans belong to another institution",
            loans=elsewhere,
        )  # fmt: skip
    fresh: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    touched: list[LoanRow] = []
    reclassified = set()
    fingerprint = branch.vault.fingerprint
    for row in sheet:
        row_hash = fingerprint(_encode(row))
        before = held.get(row.loan_id)
        unchanged = before is not None and bytes(before.row_hash) == row_hash and before.omitted_on is None
        if before is not None and (only_new or unchanged):
            continue
        touched.append(row)
        stored = (row.loan_id, institution, row.borrower_id, *row[4:], row_hash, None)
        (fresh if before is None else changed).append(stored)
        if before is not None and before[:3] != (row.risk_class, row.npl_since, row.disbursed_on):
            reclassified.add(row.loan_id)
    rows.insert_many(conn, loans, fresh, _LOAN_COLUMNS)
    rows.update_many(conn, loans, "loan_id", changed, _LOAN_COLUMNS[1:])
    _write_borrowers(conn, branch.vault, institution, touched)
    unknown = name_staff(conn, branch, {row.owner_staff_no for row in touched}, actor)
    return LoansWritten(len(fresh), len(changed), frozenset(reclassified), len(unknown))


def booked(conn: Connection, loan_ids: Iterable[str]) -> dict[str, Booked]:
    """What is known of these loans; unknown ones are left out."""
    return {row[0]: Booked(*row) for row in rows.select_by_keys(conn, _BOOKED, "loan_id", list(loan_ids))}


_CUSTOMERS = sa.select(borrowers.c.institution, borrowers.c.borrower_id)


def known_borrowers(conn: Connection, institution: str, borrower_ids: Iterable[str]) -> set[str]:
    """Which of these customers of the institution are on the books."""
    wanted = [Customer(institution, borrower_id) for borrower_id in sorted(set(borrower_ids))]
    return {row.borrower_id for row in rows.select_by_keys(conn, _CUSTOMERS, Customer._fields, wanted)}


def write_contacts(conn: Connection, vault: Vault, institution: str, sheet: Sequence[ContactRow]) -> int:
    """Insert the contacts of the institution's customers that are not on the books yet; how many that were."""
    stored = [_contact(vault, institution, row) for row in sheet]
    return rows.insert_many(conn, contacts, stored, _CONTACT_COLUMNS, skip_existing=True)


_PAYMENTS = sa.select(*(repayments.c[name] for name in PAYMENT))


def write_repayments(
    conn: Connection, institution: str, run_id: int, sheet: Sequence[RepaymentRow]
) -> list[RepaymentRow]:  # fmt: skip
    """Insert the payments that are new of the institution; those are returned."""
    wanted = [(institution, row.payment_id) for row in sheet]
    held = {row.payment_id for row in rows.select_by_keys(conn, _PAYMENTS, PAYMENT, wanted)}
    fresh = [row for row in sheet if row.payment_id not in held]
    columns = (*PAYMENT, "loan_id", "paid_on", "amount_fen", "reverses", "run_id")
    rows.insert_many(conn, repayments, [(institution, *row, run_id) for row in fresh], columns)
    return fresh


class Reversed(NamedTuple):
    """A payment undone: the reversal's own id, the payment it undoes with date and amount, the run that brought it."""

    reversal: str
    loan_id: str
    payment: str
    paid_on: date
    amount_fen: int
    run_id: int
    received_on: date  # `as_of` of that run


def reversals_of(conn: Connection, loan_ids: Iterable[str]) -> dict[str, list[Reversed]]:
    """Every payment of these loans that was undone, by loan."""
    undone = repayments.alias("undone")
    # A run enters its day when it ends, so the present one has none yet; it is known by its id.
    statement = (
        sa.select(
            repayments.c.payment_id,
            repayments.c.loan_id,
            undone.c.payment_id,
            undone.c.paid_on,
            undone.c.amount_fen,
            repayments.c.run_id,
            sa.func.coalesce(feed_runs.c.as_of, repayments.c.paid_on),
        )
        .join(
            undone,
            (undone.c.institution == repayments.c.institution) & (undone.c.payment_id == repayments.c.reverses),
        )
        .join(feed_runs, feed_runs.c.id == repayments.c.run_id)
        .where(repayments.c.reverses.is_not(None), undone.c.loan_id == repayments.c.loan_id)
    )
    found: dict[str, list[Reversed]] = {}
    for row in rows.select_by_keys(conn, statement, "loan_id", list(loan_ids)):
        found.setdefault(row[1], []).append(Reversed(*row))
    return found


def name_staff(conn: Connection, branch: Branch, staff_nos: Iterable[str | None], actor: Actor) -> list[str]:
    """Enter staff that a feed names and nobody registered as *unverified*: they own cases but cannot log in."""
    trail = branch.trail(now())
    unknown = register.named_by_feed(conn, trail, actor, {staff_no for staff_no in staff_nos if staff_no})
    trail.write(conn)
    return unknown


def unverified_places(conn: Connection, sheet: Sequence[LoanRow]) -> dict[str, int]:
    """How many teams and regions these loans name that nobody registered, as warnings; none while none is registered.

    The loans go in with them: a place that the register does not know is the feed's word, not an error.
    """
    places_ = {
        "unverified_team": ({row.team for row in sheet}, {row.code for row in places.all_teams(conn)}),
        "unverified_region": ({row.region for row in sheet}, {row.code for row in places.all_regions(conn)}),
    }  # fmt: skip
    counts = {code: len(named - known - {None}) for code, (named, known) in places_.items() if known}
    return {code: number for code, number in counts.items() if number}


def barred_owners(conn: Connection, branch: Branch, sheet: Sequence[LoanRow]) -> dict[str, int]:
    """How many people these loans name whose posts own no case (auditors, administrators), as a warning.

    Their cases go to whom the rules name next.
    """
    colleagues = read_roster(conn, branch.today(now())).colleagues
    named = {row.owner_staff_no for row in sheet if row.owner_staff_no in colleagues}
    barred = sum(is_barred(colleagues[staff_no], branch.rulebook.owners) for staff_no in named if staff_no)
    return {"owner_without_owning_post": barred} if barred else {}


def _write_borrowers(conn: Connection, vault: Vault, institution: str, touched: Sequence[LoanRow]) -> None:
    """A borrower's name and number are as the last of his loans says; an empty cell does not erase what is known."""
    people: dict[str, tuple[str | None, str | None]] = {}
    for row in touched:
        name, id_number = people.get(row.borrower_id, (None, None))
        people[row.borrower_id] = (row.borrower_name or name, row.id_number or id_number)
    wanted = [Customer(institution, borrower_id) for borrower_id in people]
    held = {row.borrower_id: row for row in rows.select_by_keys(conn, borrowers, Customer._fields, wanted)}
    stored: Mapping[bool, list[tuple[Any, ...]]] = {True: [], False: []}
    for borrower_id, (name, id_number) in people.items():
        before = held.get(borrower_id)
        sealed: list[Any] = []
        for at, field, value in ((2, "name", name), (4, "id_number", id_number)):
            place = sealed_cells.of_borrower(Customer(institution, borrower_id), field)
            if before is not None and (not value or _holds(vault, place, before[at], value)):
                sealed += before[at : at + 2]
            else:
                sealed += (vault.seal(place, value), vault.blind(field, value)) if value else (None, None)
        if before is None or sealed != [*before[2:]]:
            stored[before is None].append((institution, borrower_id, *sealed))
    rows.insert_many(conn, borrowers, stored[True], (*Customer._fields, *_OF_BORROWER))
    rows.update_many(conn, borrowers, Customer._fields, stored[False], _OF_BORROWER)


def _holds(vault: Vault, place: str, sealed: bytes | None, value: str) -> bool:
    """Whether a sealed cell says that already; one that does not open is sealed anew."""
    try:
        return sealed is not None and vault.open(place, bytes(sealed)) == value
    except ValueError:
        return False


def _contact(vault: Vault, institution: str, row: ContactRow) -> tuple[Any, ...]:
    row_hash, customer = vault.fingerprint(_encode((institution, *row))), Customer(institution, row.borrower_id)

    def sealed(field: str, value: str | None) -> bytes | None:
        return vault.seal(sealed_cells.of_contact(customer, row_hash, field), value) if value else None

    return (
        *customer, row.role, row.relation, row.address_kind, row.source, row.legal_basis,
        sealed("person_name", row.person_name), sealed("phone", row.phone),
        vault.blind("phone", row.phone) if row.phone else None, sealed("address", row.address), row_hash,
    )  # fmt: skip
