"""Rows of the books for tests that need no feed: sealed, found and authenticated as a feed would have left them."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.intake.feed import sealed_cells
from casework.intake.feed.left_rows import LeftRows
from casework.intake.feed.row_mac import COVERED, row_mac
from casework.intake.feed.tables import borrowers, contacts, loans
from casework.lifecycle.tables import institutions
from casework.personal import Vault
from casework.work.cases.branch import Branch
from tests.fed import state


def put_loan(conn: Connection, branch: Branch, **values: Any) -> None:
    """A loan."""
    _put(conn, branch, loans, {"row_hash": b"", **values})


def put_borrower(
    conn: Connection, branch: Branch, customer: Customer, *, name: str | None = None, id_number: str | None = None
) -> None:
    """A borrower."""
    values: dict[str, Any] = customer._asdict()
    for field, value in (("name", name), ("id_number", id_number)):
        if value is not None:
            values[f"{field}_sealed"] = branch.vault.seal(sealed_cells.of_borrower(customer, field), value)
            values[f"{field}_index"] = branch.vault.blind(field, value)
    _put(conn, branch, borrowers, values)


def put_contact(
    conn: Connection, branch: Branch, customer: Customer, *, row_hash: bytes = b"c", name: str | None = None,
    phone: str | None = None, address: str | None = None, **plain: str,
) -> None:  # fmt: skip
    """A way to reach him; the debtor in person unless `role` says otherwise."""
    values: dict[str, Any] = {
        **customer._asdict(), "role": "debtor", "row_hash": row_hash, "added_at": datetime(2026, 1, 1, tzinfo=UTC),
        **plain,
    }  # fmt: skip
    given = (("name", "person_name", name), ("phone", "phone", phone), ("address", "address", address))
    for column, field, value in given:
        if value is not None:
            values[f"{column}_sealed"] = branch.vault.seal(sealed_cells.of_contact(customer, row_hash, field), value)
    if phone is not None:
        values["phone_index"] = branch.vault.blind("phone", phone)
    _put(conn, branch, contacts, values)


def _put(conn: Connection, branch: Branch, table: sa.Table, values: dict[str, Any]) -> None:
    """The row, and the entry that states it: a row that no entry speaks of is somebody else's."""
    left = LeftRows(conn, branch.mac_key, values["institution"])
    rows_left = left.to_write(table)
    mac = row_mac(branch.mac_key, table.name)(tuple(values.get(name) for name in COVERED[table.name]))
    conn.execute(table.insert().values({**values, "mac": mac}))
    rows_left.add(mac)
    dated = sa.select(institutions.c.business_date).where(institutions.c.institution == left.institution)
    if (day := conn.execute(dated).scalar_one_or_none()) is not None:
        left.to_date(day)
    state(conn, branch, left)


def named(vault: Vault, row: Any) -> tuple[str, str]:
    """Name and ID number of a borrower's row, opened."""
    customer = Customer(row.institution, row.borrower_id)
    name, id_number = (
        vault.open(sealed_cells.of_borrower(customer, field), bytes(getattr(row, f"{field}_sealed")))
        for field in ("name", "id_number")
    )
    return name, id_number
