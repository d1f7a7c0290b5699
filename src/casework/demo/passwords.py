"""One password for whoever shows the demo, made anew each time and told once; set by a one-time code, as anybody's."""

import secrets
from collections.abc import Sequence
from typing import Final

from sqlalchemy.engine import Connection

from casework.log.write.trail import Trail
from casework.people.identity import passwords, resetting
from casework.people.identity.brake import Brake
from casework.people.identity.log_in import Attempt
from casework.people.staff.actor import system
from casework.work.cases.branch import Branch

_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is read as another
_GROUPS, _LENGTH = 4, 4


def give_password(conn: Connection, branch: Branch, trail: Trail, staff_nos: Sequence[str]) -> str:
    """Set a new password for these people; what it is."""
    password = "-".join("".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)) for _ in range(_GROUPS))
    stored = passwords.hash_password(password)  # slow on purpose, and the same one is told for all of them
    policy = branch.rulebook.policies.at(trail.today)
    for staff_no in staff_nos:
        code = resetting.issue_code(conn, trail, policy, system("cli"), staff_no=staff_no).code
        attempt = Attempt(staff_no, Brake.of(policy, branch.vault, staff_no, "demo"), None)
        refused = resetting.set_by_code(conn, trail, attempt, code=code, password_hash=stored)
        if refused is not None:
            raise refused
    return password
