"""When the personal data of borrowers were erased, for what is shown of them."""

from collections.abc import Collection
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.log.tables import erasures
from casework.storage import rows
from casework.work.cases.branch import Branch

_BY_CUSTOMER = sa.select(erasures.c.institution, erasures.c.borrower_id, erasures.c.erased_at)


def last_erased_on(conn: Connection, branch: Branch, customers: Collection[Customer]) -> dict[Customer, date]:
    """The branch's day of the latest erasure of each who was ever erased."""
    found: dict[Customer, datetime] = {}
    for row in rows.select_by_keys(conn, _BY_CUSTOMER, Customer._fields, sorted(customers)):
        customer = Customer(row.institution, row.borrower_id)
        found[customer] = max(row.erased_at, found.get(customer, row.erased_at))
    return {customer: branch.today(at) for customer, at in found.items()}


class ErasedOf:
    """The erasures of one borrower, read when the first text is missing."""

    def __init__(self, conn: Connection, branch: Branch, customer: Customer) -> None:
        self._conn = conn
        self._branch = branch
        self._customer = customer
        self._at: list[datetime] | None = None

    @property
    def ever(self) -> bool:
        """Whether they were ever erased."""
        return bool(self._all())

    def on(self, recorded_at: datetime) -> date | None:
        """The branch's day on which what was recorded then was erased; none if no erasure came after it."""
        at = next((one for one in self._all() if one >= recorded_at), None)
        return None if at is None else self._branch.today(at)

    def _all(self) -> list[datetime]:
        if self._at is None:
            found = rows.select_by_keys(self._conn, _BY_CUSTOMER, Customer._fields, [self._customer])
            self._at = sorted(row.erased_at for row in found)
        return self._at
