"""A morning whose lists are made: what every source of tasks is asked with."""

from datetime import date
from typing import NamedTuple

from sqlalchemy.engine import Connection

from casework.work.cases.branch import Branch
from casework.work.gate.found import PastArrears


class Morning(NamedTuple):
    """A day that begins. `arrears`: how far past due debtors were on past days, for the gate."""

    conn: Connection
    branch: Branch
    on: date
    arrears: PastArrears

    def post(self, task: str) -> str:
        """Which post answers for such a task (`rules/tasks.toml`)."""
        return self.branch.rulebook.tasks.owed_by[task]
