"""Somebody's list of a morning, and that they took it: an act with a time (5.2)."""

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch
from casework.work.tasks.making import STREAM
from casework.work.tasks.tables import tasks, tasks_taken

TAKEN: Final = "tasks.taken"


def tasks_of(conn: Connection, on: date, actor: Actor) -> list[Any]:
    """What somebody, those they deputise for, and their posts owe that day: their own first, each in order."""
    whose = [actor.id, *sorted(actor.people - {actor.id}), *sorted(actor.posts)]
    found = conn.execute(sa.select(tasks).where(tasks.c.day == on, tasks.c.owed_by.in_(whose))).all()
    return sorted(found, key=lambda row: (whose.index(row.owed_by), row.rank))


def take_list(conn: Connection, branch: Branch, on: date, actor: Actor, at: datetime) -> bool:
    """They have taken their list; an entry. Whether they were late. CallerErrors list_taken, nothing_to_take."""
    if not tasks_of(conn, on, actor):
        raise CallerError("nothing_to_take", day=str(on))
    trail = branch.trail(at)
    limit = time.fromisoformat(branch.rulebook.policies.at(on).figure("task.take_by"))
    late = at > datetime.combine(on, limit, ZoneInfo(branch.time_zone))
    trail.append(conn, STREAM, Draft(TAKEN, actor.signed, {"on": on.isoformat(), "staff_no": actor.id, "late": late}))
    if _taken(conn, on, actor.id):
        raise CallerError("list_taken", day=str(on))
    trail.write(conn)
    conn.execute(tasks_taken.insert().values(day=on, staff_no=actor.id, taken_at=at, late=late))
    return late


def _taken(conn: Connection, on: date, staff_no: str) -> bool:
    wanted = sa.select(tasks_taken.c.day).where(tasks_taken.c.day == on, tasks_taken.c.staff_no == staff_no)
    return conn.execute(wanted).scalar_one_or_none() is not None


def told(row: Any) -> tuple[str, str]:
    """Why a task is where it is, in Chinese and English."""
    zh, en = _TEXTS[row.why]
    facts = {"due": row.due_on, "yuan": f"{row.overdue_fen / 100:,.2f}", "dpd": row.dpd}
    return zh.format(**facts), en.format(**facts)


_TEXTS: Final = {
    "late": ("按规则已逾期，应于{due}前完成", "overdue by rule: due on {due}"),
    "broken_promise": ("昨日承诺未兑现（承诺还款日{due}）", "a promise broken yesterday, to pay by {due}"),
    "hold_review": ("停催须于{due}复核", "a hold to be reviewed by {due}"),
    "due_today": ("今日到期；逾期{dpd}天，逾期金额{yuan}元", "due today; {dpd} days past due, ¥{yuan} overdue"),
    "expected": (
        "应于{due}前完成；逾期{dpd}天，逾期金额{yuan}元", "due on {due}; {dpd} days past due, ¥{yuan} overdue"
    ),
}  # fmt: skip


def days_taken(conn: Connection) -> Iterable[Any]:
    """Every list that was taken."""
    return conn.execute(sa.select(tasks_taken)).all()
