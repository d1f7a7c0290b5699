"""Contacts for tests that are about something else: what the log tells a case of a day, or a row that is typed."""

from datetime import date

from casework.lifecycle.commands import Record
from casework.people.staff.actor import system

REPAIRED = {"outcome": "new_address", "source": "debtor", "legal_basis": "contract"}
"""A repair that found nothing: the fact that any collector may record again and again."""


def contact_day(case_id: int, on: date, *, attempts: int = 2, connected: bool = False) -> Record:
    """What the log of contacts tells a case of a day."""
    data = {"attempts": attempts, "connected": connected}
    return Record(actor=system("sweep"), id=case_id, kind="contact_day", on=on, evidence="rec:told", data=data)


def repair(on: str, evidence: str = "rec:1") -> dict[str, object]:
    """The body of such a repair over HTTP."""
    return {"kind": "information_repair", "on": on, "evidence": evidence, "data": REPAIRED}


def typed(loan_id: str, on: str, ref: str = "t1", result: str = "debtor") -> dict[str, str]:
    """A call to the debtor as somebody types it, at ten in the morning."""
    return {
        "contact_ref": ref, "loan_id": loan_id, "party": "debtor", "channel": "call", "phone": "12000001234",
        "started_at": f"{on}T10:00:00+08:00", "result": result,
    }  # fmt: skip
