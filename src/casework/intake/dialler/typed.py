"""Contacts that people type, some at a time: rows of a contact file in all but the file, within the typist's reach."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.codes import texts_of
from casework.intake.dialler.entering import enter
from casework.intake.dialler.recording import REPEATED, SHEET, New, Not, Recorded, judged
from casework.intake.dialler.row import COLUMNS_OF_ROW, TEXTS, Aside, Given, Reader
from casework.intake.feed.write import name_staff
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import Reach
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.sight import reach_of
from casework.work.cases.tables import cases
from casework.work.contacts.contact import Contact

COMMAND: Final = "contact.record"
MOST: Final = 50
_WHOSE: Final = sa.select(*cases.c["loan_id", "owner", "handler", "team", "region", "product"])
NOT_DONE: Final = Not("not_done")


class Told(NamedTuple):
    """What became of a row: recorded, or why not (`repeated`, `not_done`, a code of `texts_of_kind`) and the column."""

    contact_ref: str | None
    became: Recorded | Not

    @property
    def is_fault(self) -> bool:
        """Whether something is wrong with the row itself."""
        return isinstance(self.became, Not) and self.became not in (REPEATED, NOT_DONE)


def texts_of_kind(kind: str) -> tuple[str, str]:
    """What a kind says, zh and en."""
    return TEXTS.get(kind) or texts_of(kind)


def record_typed(
    conn: Connection, branch: Branch, typed: Sequence[Mapping[str, str]], actor: Actor, at: datetime, *, atomic: bool
) -> list[Told]:
    """Record what is new and sound in the caller's transaction, tell the cases; what became of each row, in order.

    References are those of contact files of the source `sheet`. Without a staff number the contact is the actor's own.
    `atomic`: one row at fault, and none is recorded.
    """
    reader = Reader(COLUMNS_OF_ROW, branch.rulebook.results, at, errors=False)
    read = [
        _own(reader.read(line, [row.get(name, "") for name in COLUMNS_OF_ROW]), actor)
        for line, row in enumerate(typed, 1)
    ]
    sight = Sight(conn, branch, {row.loan_id for row in read if isinstance(row, Given)}, actor, at)
    seen = sight.look(read)
    found = iter(judged(conn, branch, [row for row in seen if isinstance(row, Given)], SHEET, at))
    verdicts = [next(found) if isinstance(row, Given) else row for row in seen]
    stopped = atomic and any(isinstance(one, Not) and one is not REPEATED for one in verdicts)
    new = [] if stopped else [sight.signed(one) for one in verdicts if isinstance(one, New)]
    recorded = enter(conn, branch, new, actor, at)
    name_staff(conn, branch, {one.contact.staff_no for one in recorded}, actor)
    done = iter(recorded)
    return [
        Told(row.contact_ref, verdict if isinstance(verdict, Not) else next(done, NOT_DONE))
        for row, verdict in zip(read, verdicts, strict=True)
    ]


def _own(row: Given | Aside, actor: Actor) -> Given | Aside:
    if isinstance(row, Aside) or actor.kind == "system" or row.staff_no is not None or row.agency is not None:
        return row
    return row._replace(staff_no=actor.id)


def acting_for(branch: Branch, actor: Actor, today: date, of_loan: Sequence[Any]) -> str | None:
    """For whom the actor records a contact with the debtor of these cases; none: in their own right."""
    permissions = branch.rulebook.permissions
    policy, posts = branch.rulebook.policies.at(today), permissions.commands[COMMAND].posts
    found = [permissions.authority(actor, posts, case, policy) for case in of_loan] if actor.principals else []
    whose = [one.acting_for for one in found if one is not None]
    return None if None in whose else next(iter(whose), None)


class Sight:
    """What the actor sees of the cases of some loans, and what they may record."""

    def __init__(self, conn: Connection, branch: Branch, loan_ids: set[str], actor: Actor, at: datetime) -> None:
        today = branch.today(at)
        self._acts, self._sees = (reach_of(branch, actor, command, today) for command in (COMMAND, "case.read"))
        self._people, self._may = actor.people, (branch, actor, today)
        self._cases: dict[str, list[Any]] = {}
        for case in rows.select_by_keys(conn, _WHOSE, "loan_id", sorted(loan_ids)):
            self._cases.setdefault(case.loan_id, []).append(case)

    def look(self, read: Sequence[Given | Aside]) -> list[Given | Not]:
        """The rows that they may record; of the others, why not."""
        return [Not(row.kind, row.column) if isinstance(row, Aside) else self.fault_of(row) or row for row in read]

    def fault_of(self, row: Given | Contact) -> Not | None:
        """Why they may not record it. A loan of which they see no case is unknown, as one that is not there."""
        if self._acts.everything:
            return None
        if not self._covered(row, self._sees):
            return Not("unknown_loan", "loan_id")
        if not self._covered(row, self._acts):
            return Not("out_of_reach", "loan_id")
        if row.agency is not None:
            return Not("not_your_own", "agency")
        return None if row.staff_no in self._people else Not("not_your_own", "staff_no")

    def signed(self, new: New) -> New:
        """With whose work it was, where they reach the case for somebody else alone."""
        return new._replace(acting_for=acting_for(*self._may, self._cases.get(new.contact.loan_id, ())))

    def _covered(self, row: Given | Contact, reach: Reach) -> bool:
        return any(reach.covers(case) for case in self._cases.get(row.loan_id, ()))
