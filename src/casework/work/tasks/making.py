"""The lists of a morning, from what the close of the day before left; the same for the same facts.

Made again they are a further edition: a task keeps its id, and with it whatever people have done with it. What has no
room comes again the next morning.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.log.write.trail import Draft, held_head
from casework.people.shifts.answering import Answers, answers_on
from casework.people.staff.actor import Actor
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.tables import cases
from casework.work.cases.task_rules import BY_HAND, chances_of, room_of
from casework.work.gate.found import PastArrears
from casework.work.tasks.begun import Morning
from casework.work.tasks.ranking import Figures, Found, Identity, Placed, ranked
from casework.work.tasks.sources import SOURCES
from casework.work.tasks.tables import COLUMNS, task_days, task_lists, task_standing, tasks

STREAM: Final = "tasks:lists"
MADE: Final = "tasks.made"
_REMEMBERED: Final = timedelta(days=40)
"""How long a move or a postponement follows a task from list to list after somebody last touched it."""
_FIGURES: Final = sa.select(cases.c.id, cases.c.oldest_due_date, cases.c.overdue_fen, cases.c.bucket)
_IDENTITY = (tasks.c.task, tasks.c.loan_id, tasks.c.ref, tasks.c.due_on)
_OF_DAY: Final = sa.select(tasks.c.id, *_IDENTITY).where(tasks.c.day == sa.bindparam("on", type_=sa.Date))
_TOUCHED: Final = (
    sa.select(tasks.c.id, *_IDENTITY, task_standing.c.list_of, task_standing.c.until)
    .join(tasks, tasks.c.id == task_standing.c.task_id)
    .where(
        sa.or_(task_standing.c.day >= sa.bindparam("since", type_=sa.Date),
               task_standing.c.until >= sa.bindparam("on", type_=sa.Date), tasks.c.task == BY_HAND),
        sa.or_(task_standing.c.list_of.is_not(None), task_standing.c.until.is_not(None), tasks.c.task == BY_HAND),
    )
    .distinct()
)  # fmt: skip
_ADDED: Final = (
    sa.select(tasks.c.id, *_IDENTITY)
    .join(task_standing, task_standing.c.task_id == tasks.c.id, isouter=True)
    .where(tasks.c.edition == sa.literal_column("0"), task_standing.c.done_on.is_(None))
)
Row = tuple[date, int, int, str, int, str, str, str, str, int | None, str, date, int, int]
"""One row of `tasks`, in the order of its columns."""


def make(
    conn: Connection, branch: Branch, on: date, actor: Actor, arrears: PastArrears, *, clock: Clock = now,
    again: bool = False,
) -> int | None:  # fmt: skip
    """Make the lists of the morning of a day, in the caller's transaction; how many tasks, none if that was done.

    `again`: all the same, as a further edition, until the day is over. Of a day that is closed itself they are made
    from what was owed on it. CallerErrors `lists_to_come` for a day after tomorrow, `day_over`.
    """
    today = branch.today(clock())
    if on > today + timedelta(days=1):
        raise CallerError("lists_to_come", day=str(on))
    last = edition_of(conn, on)
    if last is not None and not again:
        return None
    if last is not None and on < today:
        raise CallerError("day_over", day=str(on))
    held_head(conn, STREAM)  # from here on nobody else makes a list or touches a task
    if edition_of(conn, on) != last:
        return None if not again else make(conn, branch, on, actor, arrears, clock=clock, again=True)
    edition = (last or 0) + 1
    answers = answers_on(conn, branch.rulebook.shifts, branch.rulebook.policies.at(on), on)
    known, standing = _known(conn, on)
    found = list(_found(Morning(conn, branch, on, arrears), known, standing))
    placed = list(_placed(conn, branch, on, answers, found, known, standing))
    made = list(_numbered(on, edition, placed, known, next_id(conn)))
    lists = _counted(on, edition, placed)
    trail, at = branch.trail(clock()), clock()
    digest = digest_of(made, lists)
    said = {
        "on": on.isoformat(), "edition": edition, "tasks": len(made), "lists": len(lists),
        "held_back": sum(one[4] for one in lists), "digest": digest.hex(),
    }  # fmt: skip
    rulebook = branch.rulebook
    trail.append(conn, STREAM, Draft(MADE, actor.signed, said, policy=rulebook.policies.at(on).ref))
    trail.write(conn)
    rows.insert_many(conn, tasks, made, COLUMNS)
    rows.insert_many(conn, task_lists, lists, tuple(task_lists.c.keys()))
    conn.execute(task_days.insert().values(day=on, edition=edition, made_at=at, tasks=len(made), digest=digest))
    return len(made)


def edition_of(conn: Connection, on: date) -> int | None:
    """The newest edition of that morning's lists; none: they were not made."""
    wanted = sa.select(sa.func.max(task_days.c.edition)).where(task_days.c.day == on)
    found: int | None = conn.execute(wanted).scalar_one()
    return found


def next_id(conn: Connection) -> int:
    """The id of the next task; the caller holds the stream."""
    last: int | None = conn.execute(sa.select(sa.func.max(tasks.c.id))).scalar_one()
    return (last or 0) + 1


Standing = Mapping[int, Any]
"""What people made of tasks that are remembered: to whom they were moved, until when put off; by id."""


def _known(conn: Connection, on: date) -> tuple[dict[Identity, int], Standing]:
    """The ids of tasks that are on a list of this day already, and of those that people moved, put off or added."""
    touched = conn.execute(_TOUCHED, {"on": on, "since": on - _REMEMBERED}).all()
    known: dict[Identity, int] = {
        (row.task, row.loan_id, row.ref, row.due_on): row.id
        for row in (*conn.execute(_ADDED), *touched, *conn.execute(_OF_DAY, {"on": on}))
    }
    return known, {row.id: row for row in touched}


def _found(morning: Morning, known: Mapping[Identity, int], standing: Standing) -> Iterator[Found]:
    """What every source finds, without what is put off until a later day."""
    for source in SOURCES:
        for one in source(morning):
            of_it = standing.get(known.get(one.identity, 0))
            if of_it is None or of_it.until is None or of_it.until <= morning.on:
                yield one


def _placed(
    conn: Connection, branch: Branch, on: date, answers: Answers, found: Sequence[Found], known: Mapping[Identity, int],
    standing: Standing,
) -> Iterator[Placed]:  # fmt: skip
    policy, posts = branch.rulebook.policies.at(on), branch.rulebook.permissions.posts
    ids = sorted({one.case_id for one in found if one.case_id is not None})
    figures = {
        row.id: Figures(row.oldest_due_date, row.overdue_fen, row.bucket)
        for row in rows.select_by_keys(conn, _FIGURES, "id", ids)
    }

    def list_of(one: Found) -> str:
        moved = standing.get(known.get(one.identity, 0))
        if moved is not None and moved.list_of is not None and answers.roster.is_there(moved.list_of):
            return str(moved.list_of)
        return one.owed_by if one.owed_by in posts else answers.who(one.owed_by).staff_no

    def room(whose: str) -> int | None:
        if whose in posts:
            return None
        colleague = answers.roster.colleagues.get(whose)
        return room_of(colleague.posts if colleague is not None else (), policy)

    return ranked(found, figures, chances_of(policy), list_of, room)


def _numbered(
    on: date, edition: int, placed: Iterable[Placed], known: Mapping[Identity, int], first: int
) -> Iterator[Row]:
    for list_of, rank, one, figures, held_back in placed:
        if held_back:
            continue
        number = known.get(one.identity)
        if number is None:
            number, first = first, first + 1
        dpd = (on - figures.oldest_due_date).days if figures.oldest_due_date is not None else 0
        yield (
            on, edition, number, list_of, rank, one.task, one.why, one.owed_by, one.loan_id, one.case_id, one.ref,
            one.due_on, dpd, figures.overdue_fen,
        )  # fmt: skip


def _counted(on: date, edition: int, placed: Iterable[Placed]) -> list[tuple[date, int, str, int, int]]:
    """Rows of `task_lists`."""
    counts = Counter((one.list_of, one.held_back) for one in placed)
    whose = sorted({name for name, _ in counts})
    return [(on, edition, name, counts[name, False], counts[name, True]) for name in whose]


def digest_of(made: Iterable[Sequence[Any]], lists: Iterable[Sequence[Any]]) -> bytes:
    """SHA-256 over rows in the order of lists and rank, then over the lists."""
    digest = hashlib.sha256()
    for _, *values in (*sorted(made, key=lambda row: (row[3], row[4])), *sorted(lists, key=lambda row: row[2])):
        digest.update((" ".join(map(str, values)) + "\n").encode())
    return digest.digest()
