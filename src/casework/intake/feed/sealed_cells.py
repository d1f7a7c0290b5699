"""Where the sealed values of the books lie: what binds each to its table, row and field (`casework.personal.cell`).

A contact is known by the keyed hash of its row, which it is stored with; its number is only made by storing it.
"""

from casework.customer import Customer
from casework.intake.feed.tables import borrowers, contacts, set_aside
from casework.personal import cell


def of_borrower(customer: Customer, field: str) -> str:
    """`name` or `id_number`."""
    return cell(borrowers.name, field, *customer)


def of_contact(customer: Customer, row_hash: bytes, field: str) -> str:
    """`person_name`, `phone` or `address`."""
    return cell(contacts.name, field, row_hash.hex(), *customer)


def of_aside(run_id: int, kind: str, line: int) -> str:
    """The cells of a row that a run set aside."""
    return cell(set_aside.name, "row", str(run_id), str(line), kind)
