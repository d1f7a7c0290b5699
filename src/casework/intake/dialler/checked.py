"""Contacts whose result asks for a check (`results.toml`): the post that answers has it on its list from then on."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.engine import Connection

from casework.intake.dialler.recording import Recorded
from casework.people.staff.actor import system
from casework.work.cases.branch import Branch
from casework.work.tasks.checks import Check, add_checks


def checks_of(branch: Branch, recorded: Iterable[Recorded]) -> list[Check]:
    """What these contacts ask to look into."""
    known = branch.rulebook.results.by_code
    return [
        Check(one.contact.customer, one.contact.loan_id, check, one.entry_id)
        for one in recorded
        if (result := known.get(one.contact.result)) is not None and (check := result.check) is not None
    ]


def ask_for_checks(conn: Connection, branch: Branch, recorded: Iterable[Recorded], *, via: str, at: datetime) -> int:
    """The service adds a task for each that nobody has yet, in the caller's transaction; how many."""
    return add_checks(conn, branch, checks_of(branch, recorded), system(via), at)
