"""Writing the books that a feed brings up to date: ways to reach people, payments, staff; loans in `write_loans`.

Set-wise, in the caller's transaction. Personal data goes in sealed, with blind indexes to find it by; each row has a
MAC, and what is written is counted into what the feed leaves (`left_rows`).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.customer import Customer
from casework.intake.feed import sealed_cells
from casework.intake.feed.left_rows import LeftRows, fresh_rows
from casework.intake.feed.payments import PAYMENT
from casework.intake.feed.row import ContactRow, RepaymentRow
from casework.intake.feed.row_mac import COVERED, as_written
from casework.intake.feed.tables import (
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

_CONTACT: Final = (*COVERED["contacts"], "mac")
_PAYMENTS = sa.select(*(repayments.c[name] for name in PAYMENT))
_encode = msgspec.msgpack.Encoder().encode


def mark_omitted(conn: Connection, left: LeftRows, loan_ids: Iterable[str], as_of: date) -> None:
    """Remember since when the loans file leaves these out, so that they are missed once and not every day."""
    covered = COVERED[loans.name]
    wanted = as_stored(loans, (*covered, "mac"), conn.dialect.name)
    marked = []
    for *held, mac in rows.select_by_keys(conn, wanted, "loan_id", list(loan_ids)):
        before = as_written(loans.name, tuple(held))
        left.check(loans, before, mac)
        marked.append((mac, (before[0], as_of, left.mac_of(loans)((*before[:-1], as_of)))))
    left.put(loans, "loan_id", ("loan_id", "omitted_on", "mac"), changed=marked)


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
    left.put(contacts, "row_hash", _CONTACT, fresh_rows(list(fresh.values())))
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
