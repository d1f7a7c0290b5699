"""Contact files in miniature: rows, an import at an instant, what came of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from casework.intake.dialler.importing import Taken, import_contacts
from casework.people.staff.actor import system
from casework.storage.database import reading, writing
from casework.work.cases.case import Case, from_row
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.tables import cases
from casework.work.contacts.contact import Contact
from casework.work.contacts.tables import CONTACTS, contact_log, contact_of
from tests.feed.bank import Bank
from tests.work.test_promises import day

COLUMNS = (
    "contact_ref", "staff_no", "loan_id", "borrower_id", "party", "phone", "address", "channel", "started_at",
    "ended_at", "result", "recording", "note",
)  # fmt: skip
SHANGHAI = ZoneInfo("Asia/Shanghai")
_USUAL = {"staff_no": "S1", "party": "debtor", "channel": "call", "result": "no_answer"}


def moment(number: int, clock: str) -> datetime:
    """An instant of a day, in branch time."""
    return datetime.fromisoformat(f"{day(number)}T{clock}+08:00")


def call(ref: str, loan: int = 1, on: int = 0, at: str = "10:00:00", **cells: str) -> dict[str, str]:
    """A call to the debtor of loan L<number> that nobody answers, unless more is said."""
    usual = _USUAL | {"contact_ref": ref, "loan_id": f"L{loan}", "phone": f"1200000{loan:04}"}
    return dict.fromkeys(COLUMNS, "") | usual | {"started_at": f"{day(on)}T{at}+08:00"} | cells


def text(*rows: Mapping[str, str], header: str = ",".join(COLUMNS)) -> str:
    """A CSV of these rows."""
    return "\n".join([header, *(",".join(row[name] for name in COLUMNS) for row in rows)]) + "\n"


def take(
    bank: Bank, *rows: Mapping[str, str], on: int = 20, source: str = "dialler", content: bytes | None = None
) -> Taken:
    """A contact file, taken in at noon of a day."""
    with writing(bank.started.engine) as conn:
        return import_contacts(
            conn, bank.started.branch, text(*rows).encode() if content is None else content, "calls.csv", source,
            system("cli"), clock=lambda: moment(on, "12:00:00"),
        )  # fmt: skip


def logged(bank: Bank) -> dict[str, Contact]:
    """The log, by reference."""
    with reading(bank.started.engine) as conn:
        found = conn.execute(CONTACTS.order_by(contact_log.c.id)).all()
    return {one.contact_ref: one for one in map(contact_of, found)}


def case_of(bank: Bank, loan: int) -> Case:
    """The case of a loan, whole."""
    with reading(bank.started.engine) as conn:
        row = conn.execute(CASE_ROWS.where(cases.c.loan_id == f"L{loan}")).one()
    return from_row(row)


def aside(taken: Taken) -> list[tuple[Any, ...]]:
    """What was set aside, without its texts."""
    return [(one.line, one.column, one.code, one.ref) for one in taken.set_aside]
