"""The lists of a morning, made once: open duties, broken promises, holds to review; the same for the same facts.

What is overdue by rule comes first, then yesterday's broken promises, then holds to review, then the overdue amount
times the chance of its being paid (policy, by bucket); ties by case. What has no room comes again the next morning.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates
from casework.work.cases.holds import HOLDS
from casework.work.cases.lifecycles import PROMISES
from casework.work.cases.tables import cases
from casework.work.duties.tables import duties
from casework.work.duties.taking import reckon, taken
from casework.work.promises import BROKEN
from casework.work.tasks.tables import COLUMNS, task_days, tasks

STREAM: Final = "tasks:lists"
MADE: Final = "tasks.made"
WHYS: Final = ("late", "broken_promise", "hold_review", "due_today", "expected")
"""Why a task is on the list; those before `due_today` go before everything that is ranked by amount."""
HOLD_REVIEW: Final = "hold_review"
_REVIEWS_HOLDS: Final = "basic_risk_manager"
_BY_AMOUNT: Final = WHYS.index("due_today")
_promises, _holds = PROMISES.table.c, HOLDS.table.c
_FIGURES: Final = sa.select(cases.c.id, cases.c.oldest_due_date, cases.c.overdue_fen, cases.c.bucket)
_OF_DAY: Final = sa.select(duties.c.case_id, duties.c.duty, duties.c.loan_id, duties.c.due_on, duties.c.owed_by).where(
    duties.c.institution == sa.bindparam("institution"), duties.c.day == sa.bindparam("on", type_=sa.Date),
    duties.c.status != "exempt",
)  # fmt: skip
_BROKEN: Final = (
    sa.select(cases.c.id, cases.c.loan_id, cases.c.handler, _promises.pay_by)
    .join(PROMISES.table, _promises.parent_id == cases.c.id)
    .where(_promises.state == BROKEN, _promises.judged_on == sa.bindparam("on", type_=sa.Date), cases.c.live)
    .order_by(cases.c.id)
)
_TO_REVIEW: Final = (
    sa.select(_holds.loan_id, _holds.review_by)
    .where(_holds.live, _holds.review_by <= sa.bindparam("on", type_=sa.Date))
    .order_by(_holds.id)
)


class Found(NamedTuple):
    """Something to do, before it has a rank."""

    owed_by: str
    task: str
    why: str
    loan_id: str
    case_id: int | None
    due_on: date


Row = tuple[date, str, int, str, str, str, int | None, date, int, int]
"""One row of `tasks`, in the order of its columns."""


def make(conn: Connection, branch: Branch, on: date, actor: Actor, *, clock: Clock = now) -> int | None:
    """Make the lists of the morning of a day, in the caller's transaction; how many tasks, none if that was done.

    From what the close of the day before left; of a day that is closed itself, from what was owed on it. CallerError
    `day_to_come` for one that lies after tomorrow.
    """
    if made(conn, on):
        return None
    if on > branch.today(clock()) + timedelta(days=1):
        raise CallerError("day_to_come", f"{on}的任务尚不能生成", f"the lists of {on} cannot be made yet", day=str(on))
    trail, rulebook = branch.trail(clock()), branch.rulebook
    found = list(_ranked(conn, branch, on, list(_found(conn, branch, on))))
    digest = digest_of(found)
    said = {"on": on.isoformat(), "tasks": len(found), "lists": len({row[1] for row in found}), "digest": digest.hex()}
    trail.append(conn, STREAM, Draft(MADE, actor.signed, said, policy=rulebook.policies.at(on).ref))
    trail.write(conn)
    rows.insert_many(conn, tasks, found, COLUMNS)
    conn.execute(task_days.insert().values(day=on, tasks=len(found), digest=digest))
    return len(found)


def made(conn: Connection, on: date) -> bool:
    """Whether the lists of that morning are there."""
    return conn.execute(sa.select(task_days.c.day).where(task_days.c.day == on)).scalar_one_or_none() is not None


def _found(conn: Connection, branch: Branch, on: date) -> Iterator[Found]:
    for institution in sorted(business_dates(conn)):
        for case_id, duty, loan_id, due_on, owed_by in _duties(conn, branch, institution, on):
            why = "late" if due_on < on else "due_today" if due_on == on else "expected"
            yield Found(owed_by, duty, why, loan_id, case_id, due_on)
    for row in conn.execute(_BROKEN, {"on": on - timedelta(days=1)}):
        yield Found(row.handler, "broken_promise", "broken_promise", row.loan_id, row.id, row.pay_by)
    for loan_id, review_by in conn.execute(_TO_REVIEW, {"on": on}):
        yield Found(_REVIEWS_HOLDS, HOLD_REVIEW, HOLD_REVIEW, loan_id, None, review_by)


def _duties(
    conn: Connection, branch: Branch, institution: str, on: date
) -> Iterator[tuple[int, str, str, date, str]]:  # fmt: skip
    if taken(conn, institution, on):
        yield from conn.execute(_OF_DAY, {"institution": institution, "on": on}).all()
        return
    for _, case_id, duty, loan_id, status, _, due_on, owed_by, _ in reckon(conn, branch, institution, on, closed=False):
        if status in {"open", "late"}:
            yield case_id, duty, loan_id, due_on, owed_by


def _ranked(conn: Connection, branch: Branch, on: date, found: Sequence[Found]) -> Iterator[Row]:
    policy = branch.rulebook.policies.at(on)
    by_bucket: Any = policy.figures["task.chance_percent"] or ()
    chances = {row["bucket"]: row["percent"] for row in by_bucket}
    room: int = policy.figure("task.lines_per_day")
    ids = sorted({one.case_id for one in found if one.case_id is not None})
    figures = {row.id: row for row in rows.select_by_keys(conn, _FIGURES, "id", ids)}
    posts = branch.rulebook.permissions.posts

    def place(one: Found) -> tuple[Any, ...]:
        of_case = figures.get(one.case_id or 0)
        group = min(WHYS.index(one.why), _BY_AMOUNT)
        score = of_case.overdue_fen * chances.get(of_case.bucket, 0) if of_case is not None else 0
        return one.owed_by, group, -score, one.case_id or 0, one.loan_id, one.task

    rank, whose = 0, ""
    for one in sorted(found, key=place):
        rank, whose = (rank + 1 if one.owed_by == whose else 1), one.owed_by
        if rank > room and one.owed_by not in posts:
            continue
        of_case = figures.get(one.case_id or 0)
        due = of_case.oldest_due_date if of_case is not None else None
        dpd = (on - due).days if due is not None else 0
        overdue_fen = of_case.overdue_fen if of_case is not None else 0
        yield on, one.owed_by, rank, one.task, one.why, one.loan_id, one.case_id, one.due_on, dpd, overdue_fen


def digest_of(found: Iterable[Sequence[Any]]) -> bytes:
    """SHA-256 over rows in the order of people and rank."""
    digest = hashlib.sha256()
    for _, *values in found:
        digest.update((" ".join(map(str, values)) + "\n").encode())
    return digest.digest()
