"""Checks that the result of a contact asks for: tasks that the service adds, on the list of the post that answers.

A debtor who is said to have died, or to be in hardship, is looked into once, however many contacts say so; whoever has
looked ends the task, an entry (`acts.Desk.finish`), or what they said of it does (`end_checks`). Setting the hold is an
act of its own.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.log.write.trail import Draft, held_head
from casework.people.staff.actor import Actor
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.loans import loans
from casework.work.cases.tables import cases
from casework.work.cases.task_rules import BY_HAND
from casework.work.tasks.acts import Desk
from casework.work.tasks.making import STREAM, next_id
from casework.work.tasks.ranking import ADDED as WHY
from casework.work.tasks.ranking import LAST
from casework.work.tasks.standing import ADDED
from casework.work.tasks.tables import COLUMNS, task_standing, tasks

_LOANS: Final = sa.select(loans.c.institution, loans.c.borrower_id, loans.c.loan_id)
_CASES: Final = sa.select(cases.c.id, cases.c.loan_id, cases.c.oldest_due_date, cases.c.overdue_fen).where(cases.c.live)
_OPEN: Final = (
    sa.select(*tasks.c["id", "case_id", "loan_id", "ref"])
    .join(task_standing, task_standing.c.task_id == tasks.c.id, isouter=True)
    .where(tasks.c.edition == sa.literal_column("0"), task_standing.c.done_on.is_(None))
)


class Check(NamedTuple):
    """Something to look into, told by a contact for that loan; `what`: a key of `checked_by` of the rules of tasks."""

    customer: Customer
    loan_id: str
    what: str
    contact: str
    rules: tuple[str, ...] = ("5.6", "X15")


def add_checks(conn: Connection, branch: Branch, wanted: Sequence[Check], actor: Actor, at: datetime) -> int:
    """Add those that nobody has to do yet, in the caller's transaction; how many.

    Each is due within `hold.confirm_within_days`, on the debtor's case, that of the loan first; on none where no case
    of theirs is worked on. `contact`: the entry that told it.
    """
    if not wanted:
        return 0
    held_head(conn, STREAM)
    on = branch.today(at)
    due_on = on + timedelta(days=branch.rulebook.policies.at(on).figure("hold.confirm_within_days"))
    trail, first, made = branch.trail(at), next_id(conn), list[tuple[Any, ...]]()
    for one, case in _new(conn, wanted):
        post = branch.rulebook.tasks.checked_by[one.what]
        of, dpd, overdue = (one.loan_id, None), 0, 0
        if case is not None:
            of, overdue = (case.loan_id, case.id), case.overdue_fen
            dpd = (on - case.oldest_due_date).days if case.oldest_due_date is not None else 0
        task_id = first + len(made)
        made.append((on, 0, task_id, post, LAST, BY_HAND, WHY, post, *of, one.what, due_on, dpd, overdue))
        data = {
            "on": on.isoformat(), "task": task_id, "case": of[1], "what": one.what, "to": post,
            "due_on": due_on.isoformat(), "dpd": dpd, "overdue_fen": overdue, "contact": one.contact,
        }  # fmt: skip
        trail.append(conn, STREAM, Draft(ADDED, actor.signed, data, rules=one.rules))
    trail.write(conn)
    rows.insert_many(conn, tasks, made, COLUMNS)
    return len(made)


def end_checks(
    conn: Connection, branch: Branch, check: Check, waiting: Callable[[], Collection[Customer]], actor: Actor,
    at: datetime, **by: Any,
) -> None:  # fmt: skip
    """A check of that customer is done, in the caller's transaction, if nothing of theirs is still to be looked into.

    `waiting`: who waits, asked once nobody can add any more; `by`: what did it, for the entry.
    """
    held_head(conn, STREAM)
    if check.customer in waiting():
        return
    theirs = {loan for loan, whose in _whose(conn, {check.customer.borrower_id}).items() if whose == check.customer}
    open_ = rows.select_by_keys(conn, _OPEN, "loan_id", sorted({check.loan_id, *theirs}))
    found = [row for row in open_ if row.ref == check.what]
    desk = Desk(conn, branch, actor, at)
    desk.end(found, by)
    desk.close()


def _whose(conn: Connection, borrowers: Collection[str]) -> dict[str, Customer]:
    """Whose the loans of these are."""
    return {
        row.loan_id: Customer(row.institution, row.borrower_id)
        for row in rows.select_by_keys(conn, _LOANS, "borrower_id", sorted(borrowers))
    }


def _new(conn: Connection, wanted: Sequence[Check]) -> Iterator[tuple[Check, Any]]:
    """Those of whom nobody looks into the same yet, each with the case that it goes to, if there is one."""
    whose = _whose(conn, {one.customer.borrower_id for one in wanted})
    theirs: dict[Customer, list[Any]] = {}
    for row in sorted(rows.select_by_keys(conn, _CASES, "loan_id", sorted(whose)), key=lambda row: int(row.id)):
        theirs.setdefault(whose[row.loan_id], []).append(row)
    there = {(whose[row.loan_id], row.ref) for row in rows.select_by_keys(conn, _OPEN, "loan_id", sorted(whose))}
    for one in wanted:
        if (one.customer, one.what) not in there:
            there.add((one.customer, one.what))
            found = sorted(theirs.get(one.customer, ()), key=lambda row: bool(row.loan_id != one.loan_id))
            yield one, found[0] if found else None
