"""What is sealed opens where it was sealed and nowhere else: a writer of rows exchanges nobody's data unseen."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.intake.feed.aside import aside_csv
from casework.intake.feed.borrowers import cell_of_contact
from casework.intake.feed.tables import borrowers, contacts, set_aside
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Note
from casework.log.tables import openings
from casework.people.staff.actor import Actor
from casework.personal import DoesNotOpen
from casework.storage.database import reading, writing
from casework.work.cases.history import history_of_case
from casework.work.cases.queries import find_case
from tests.feed.bank import DAY, Bank, arrears, contact, loan
from tests.on_books import named

Rows = sa.Table
Where = sa.ColumnElement[bool]
REP = Actor("S1", "staff", "cli", frozenset({"business_rep"}))


def exchange(conn: Connection, table: Rows, one: Where, other: Where, *columns: str) -> None:
    """What two rows hold in these columns, each in the other's place."""
    ones, others = (
        dict(conn.execute(sa.select(*(table.c[name] for name in columns)).where(at)).one()._mapping)
        for at in (one, other)
    )
    assert ones != others
    conn.execute(table.update().where(one).values(others))
    conn.execute(table.update().where(other).values(ones))


def is_borrower(number: int, table: Rows = borrowers) -> Where:
    return table.c.borrower_id == f"B{number}"


def is_of_case(case_id: int) -> Where:
    return openings.c.stream == f"case:{case_id}"


def names(conn: Connection, bank: Bank) -> Any:
    return [named(bank.started.branch.vault, row) for row in conn.execute(sa.select(borrowers))]


def phones(conn: Connection, bank: Bank) -> Any:
    vault = bank.started.branch.vault
    return [vault.open(cell_of_contact(row, "phone"), bytes(row.phone_sealed))
            for row in conn.execute(sa.select(contacts))]  # fmt: skip


def rows_aside(conn: Connection, bank: Bank) -> Any:
    return aside_csv(conn, bank.started.branch.vault, bank.runs()[-1].id, "contacts")


def notes(conn: Connection, bank: Bank) -> Any:
    return [history_of_case(conn, bank.started.branch, find_case(conn, bank.case(n).id), REP) for n in (1, 2)]


@pytest.mark.parametrize(
    ("move", "read"),
    [
        (lambda c: exchange(c, borrowers, is_borrower(1), is_borrower(2), "name_sealed", "name_index"), names),
        (lambda c: exchange(c, borrowers, is_borrower(1), is_borrower(2), "id_number_sealed"), names),
        (lambda c: c.execute(borrowers.update().values(name_sealed=borrowers.c.id_number_sealed)), names),
        (lambda c: c.execute(borrowers.update().where(is_borrower(1)).values(borrower_id="B9")), names),
        (lambda c: exchange(c, contacts, is_borrower(1, contacts), is_borrower(2, contacts), "phone_sealed"), phones),
        (lambda c: exchange(c, contacts, is_borrower(1, contacts), is_borrower(2, contacts), "borrower_id"), phones),
        (lambda c: c.execute(contacts.update().values(phone_sealed=contacts.c.address_sealed)), phones),
        (lambda c: exchange(c, set_aside, set_aside.c.line == 4, set_aside.c.line == 5, "row_sealed"), rows_aside),
        (lambda c: exchange(c, openings, is_of_case(1), is_of_case(2), "sealed"), notes),
    ],
    ids=["names", "ID numbers", "fields of one row", "a borrower renumbered", "phones", "contacts to another borrower",
         "fields of one contact", "rows set aside", "notes of two cases"],
)  # fmt: skip
def test_what_is_moved_by_sql_is_shown_to_nobody(
    bank: Bank, move: Callable[[Connection], Any], read: Callable[[Connection, Bank], Any]
) -> None:
    several = [contact(number) for number in (1, 2)]
    bank.send(DAY, [arrears(1), arrears(2)], loans=[loan(1), loan(2)],
              contacts=[*several, contact(1, role="无"), contact(2, role="无")])  # fmt: skip
    with writing(bank.started.engine) as conn:
        cases = [Note(actor=REP, id=int(bank.case(n).id), text=f"备注{n}") for n in (1, 2)]
        assert all(isinstance(one, Done) for one in advance(conn, cases, bank.started.branch))
    with reading(bank.started.engine) as conn:
        read(conn, bank)
    with writing(bank.started.engine) as conn:
        move(conn)
    with reading(bank.started.engine) as conn, pytest.raises(DoesNotOpen) as told:
        read(conn, bank)
    assert told.value.code == "sealed_value_altered"
