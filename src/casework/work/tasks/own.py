"""Somebody's list: as it stands, or as it was handed out; and that they took it, an act with a time (5.2)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.instants import branch_text
from casework.log.write.trail import Draft
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import ACTS, Reach
from casework.rules.statechart.policy import Policy
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.tables import cases
from casework.work.cases.task_rules import BY_HAND
from casework.work.four_eyes.tables import requests
from casework.work.tasks.making import STREAM, edition_of
from casework.work.tasks.papers import REVIEWED, STANDING
from casework.work.tasks.ranking import FIRST
from casework.work.tasks.sources import REQUEST
from casework.work.tasks.tables import task_lists, task_standing, tasks, tasks_taken

TAKEN: Final = "tasks.taken"
TAKE: Final = "task.take"
_WHOSE: Final[sa.BindParameter[Any]] = sa.bindparam("whose", expanding=True)
ON: Final = sa.bindparam("on", type_=sa.Date)
FIELDS: Final = (
    tasks, task_standing.c.list_of.label("moved_to"), task_standing.c.until, task_standing.c.held_by,
    task_standing.c.held_on, task_standing.c.done_on,
)  # fmt: skip
OF_TASK_ID: Final = task_standing.c.task_id == tasks.c.id
_ROWS: Final = sa.select(*FIELDS).join(task_standing, OF_TASK_ID, isouter=True)
_OF_DAY: Final = _ROWS.where(tasks.c.day == ON, tasks.c.edition.in_(sa.bindparam("editions", expanding=True)))
_HANDED_OUT: Final = _OF_DAY.where(tasks.c.list_of.in_(_WHOSE))
_MOVED_HERE: Final = (
    sa.select(*FIELDS)
    .select_from(task_standing)
    .join(tasks, OF_TASK_ID)
    .where(
        task_standing.c.list_of.in_(_WHOSE), task_standing.c.day >= ON, tasks.c.day == ON,
        tasks.c.edition.in_(sa.bindparam("editions", expanding=True)),
    )
)  # fmt: skip
BY_IDS: Final = _ROWS
"""For `rows.select_by_keys` by `id`; over all days and editions."""
_STANDING: Final = {
    **STANDING,
    REQUEST: (
        sa.select(*requests.c["id", "live", "opened_by", "asked_for", "reviewed_by", "reviewed_for"]), True,
    ),
}  # fmt: skip
"""By task about something that people decide or put right: how it stands, then who had a part in it; and how it stands
while it waits."""
DECIDED: Final = (REQUEST, *REVIEWED)
"""Tasks that are a decision on what somebody else did."""


class Task(NamedTuple):
    """One task. `list_of`: whose list it is on now; `held_by`: who has begun it that day."""

    id: int
    day: date
    edition: int
    list_of: str
    rank: int
    task: str
    why: str
    owed_by: str
    loan_id: str
    case_id: int | None
    ref: str
    due_on: date
    dpd: int
    overdue_fen: int
    held_by: str | None = None


class ListState(NamedTuple):
    """A list of a day: how many tasks it was handed out with, how many had no room, when it was taken."""

    list_of: str
    edition: int
    tasks: int
    held_back: int
    taken_at: datetime | None = None
    late: bool = False


def whose_of(actor: Actor) -> list[str]:
    """Their own list first, then of whom they deputise for, then of their posts."""
    posts = actor.posts.union(*(principal.posts for principal in actor.principals))
    return [actor.id, *sorted(actor.people - {actor.id}), *sorted(posts)]


def tasks_of(conn: Connection, branch: Branch, on: date, actor: Actor, *, handed_out: bool = False) -> list[Task]:
    """What is on the lists of the actor, those they deputise for, and their posts: each in order, their own first.

    Of a post's list they have the cases that they reach: of another region's they could do nothing.
    `handed_out`: as the lists were when they took theirs, or at last made; whatever has happened to a task since.
    """
    whose = whose_of(actor)
    edition = _edition(conn, on, actor, handed_out=handed_out)
    if edition is None:
        return []
    editions = [edition] if handed_out else [0, edition]
    asked = {"on": on, "editions": editions, "whose": whose}
    listed = [task for task in _read(conn, asked, handed_out=handed_out) if task.list_of in whose]
    listed.sort(key=lambda one: (whose.index(one.list_of), group_of(one.why), one.rank, one.id))
    return list(_still_theirs(conn, actor, _reached(conn, branch, on, actor, listed), handed_out=handed_out))


def taking_reach(branch: Branch, actor: Actor, policy: Policy) -> Reach:
    """How far the actor acts by the posts that take lists."""
    permissions = branch.rulebook.permissions
    return permissions.reach(actor, permissions.commands[TAKE].posts, ACTS, policy)


_WHOSE_CASES: Final = sa.select(*(cases.c[name] for name in ("id", "owner", "handler", "team", "region", "product")))


def _reached(conn: Connection, branch: Branch, on: date, actor: Actor, listed: Sequence[Task]) -> list[Task]:
    """Without what is on the list of a post and about a case that the actor does not reach."""
    posts = branch.rulebook.permissions.posts
    of_posts = [one for one in listed if one.list_of in posts and one.task != REQUEST]  # which whoever decides it reads
    shared = sorted({one.case_id for one in of_posts if one.case_id is not None})
    reach = taking_reach(branch, actor, branch.rulebook.policies.at(on))
    if not shared or reach.everything:
        return list(listed)
    found = rows.select_by_keys(conn, _WHOSE_CASES, "id", shared)
    theirs = {row.id for row in found if reach.covers(row)}
    beyond = {one.id for one in of_posts if one.case_id is not None and one.case_id not in theirs}
    return [one for one in listed if one.id not in beyond]


def list_of(conn: Connection, on: date, whose: str, *, handed_out: bool = False) -> list[Task]:
    """One list alone, in order: of a member of staff, or of a post."""
    edition = edition_of(conn, on)
    if edition is None:
        return []
    asked = {"on": on, "editions": [edition] if handed_out else [0, edition], "whose": [whose]}
    listed = [task for task in _read(conn, asked, handed_out=handed_out) if task.list_of == whose]
    return sorted(listed, key=lambda one: (group_of(one.why), one.rank, one.id))


def _read(conn: Connection, asked: dict[str, Any], *, handed_out: bool) -> Iterable[Task]:
    """By two indexes: what is on these lists, and what was moved to them."""
    by_id = {}
    for statement in (_HANDED_OUT,) if handed_out else (_HANDED_OUT, _MOVED_HERE):
        for task in standing(conn.execute(statement, asked), asked["on"], handed_out=handed_out):
            by_id[task.id] = task
    return by_id.values()


def standing(found: Iterable[Any], on: date, *, handed_out: bool = False) -> Iterator[Task]:
    """Rows of `_ROWS` as they stand on a day: without what is put off or done."""
    for row in found:
        if handed_out:
            yield _task(row, row.list_of, None)
        elif row.done_on is None and (row.until is None or row.until <= on):
            yield _task(row, row.moved_to or row.list_of, row.held_by if row.held_on == on else None)


def _task(row: Any, list_of: str, held_by: str | None) -> Task:
    return Task(
        row.id, row.day, row.edition, list_of, row.rank, row.task, row.why, row.owed_by, row.loan_id, row.case_id,
        row.ref, row.due_on, row.dpd, row.overdue_fen, held_by,
    )  # fmt: skip


def group_of(why: str) -> int:
    """Which comes before which, whatever the amount."""
    return FIRST.index(why) if why in FIRST else len(FIRST)


def _edition(conn: Connection, on: date, actor: Actor, *, handed_out: bool) -> int | None:
    wanted = sa.select(tasks_taken.c.edition).where(tasks_taken.c.day == on, tasks_taken.c.staff_no == actor.id)
    taken = conn.execute(wanted).scalar_one_or_none() if handed_out else None
    return taken if taken is not None else edition_of(conn, on)


def _still_theirs(conn: Connection, actor: Actor, listed: Sequence[Task], *, handed_out: bool) -> Iterator[Task]:
    """Nobody decides what they had a part in; one request is one task, whichever of their posts it waits for.

    What was decided, or put right, since the morning is off the list (not of a list as it was handed out).
    """
    taken: set[tuple[str, str]] = set()
    for task, (wanted, waits) in _STANDING.items():
        numbers = sorted({int(one.ref) for one in listed if one.task == task})
        for number, stands, *parts in rows.select_by_keys(conn, wanted, "id", numbers):
            if {*parts} & actor.people or (stands != waits and not handed_out):
                taken.add((task, str(number)))
    for one in listed:
        which = one.task, one.ref
        if which not in taken:
            yield one
        if one.task in _STANDING:
            taken.add(which)


def state_of(conn: Connection, on: date, list_of: str) -> ListState | None:
    """Of one list as it was last made; none: that morning it had nothing on it."""
    return next(states(conn, on, list_of), None)


def states(conn: Connection, on: date, list_of: str | None = None) -> Iterator[ListState]:
    """Every list of the newest edition (or one of them), by whose it is."""
    wanted = (
        sa.select(task_lists, tasks_taken.c.taken_at, tasks_taken.c.late)
        .join(
            tasks_taken,
            sa.and_(tasks_taken.c.day == task_lists.c.day, tasks_taken.c.staff_no == task_lists.c.list_of),
            isouter=True,
        )
        .where(task_lists.c.day == on, task_lists.c.edition == (edition_of(conn, on) or 0))
        .order_by(task_lists.c.list_of)
    )
    if list_of is not None:
        wanted = wanted.where(task_lists.c.list_of == list_of)
    for row in conn.execute(wanted):
        yield ListState(row.list_of, row.edition, row.tasks, row.held_back, row.taken_at, bool(row.late))


def take_list(conn: Connection, branch: Branch, on: date, actor: Actor, at: datetime) -> bool:
    """They have taken their list; an entry. Whether they were late.

    CallerErrors `lists_to_come` before the day; `list_taken` (with the time), `nothing_to_take`, `no_room` where their
    list may hold nothing.
    """
    if on > branch.today(at):
        raise CallerError("lists_to_come", day=str(on))
    zone = ZoneInfo(branch.time_zone)
    trail = branch.trail(at)
    limit = time.fromisoformat(branch.rulebook.policies.at(on).figure("task.take_by"))
    late = at > datetime.combine(on, limit, zone)
    data = {"on": on.isoformat(), "staff_no": actor.id, "late": late}
    edition = edition_of(conn, on) or 0
    trail.append(conn, STREAM, Draft(TAKEN, actor.signed, data | {"edition": edition}))
    wanted = sa.select(tasks_taken.c.taken_at).where(tasks_taken.c.day == on, tasks_taken.c.staff_no == actor.id)
    before = conn.execute(wanted).scalar_one_or_none()
    if before is not None:
        raise CallerError("list_taken", day=str(on), at=branch_text(before, branch.time_zone, "minutes"))
    if not tasks_of(conn, branch, on, actor):
        own = state_of(conn, on, actor.id)
        raise CallerError(
            "no_room" if own is not None and own.held_back and not own.tasks else "nothing_to_take", day=str(on)
        )
    trail.write(conn)
    conn.execute(tasks_taken.insert().values(day=on, staff_no=actor.id, edition=edition, taken_at=at, late=late))
    return late


def told(row: Task) -> tuple[str, str]:
    """Why a task is where it is, in Chinese and English."""
    zh, en = _OF_TASK.get((row.task, row.ref if row.task == BY_HAND else row.why)) or _TEXTS[row.why]
    facts = {"due": row.due_on, "yuan": f"{row.overdue_fen / 100:,.2f}", "dpd": row.dpd}
    return zh.format(**facts), en.format(**facts)


_TEXTS: Final = {
    "late": ("按规则已逾期，应于{due}前完成", "overdue by rule: due on {due}"),
    "broken_promise": ("昨日承诺未兑现（承诺还款日{due}）", "a promise broken yesterday, to pay by {due}"),
    "broken_before": (
        "承诺未兑现后尚未跟进（承诺还款日{due}）", "a broken promise that nobody has followed up, to pay by {due}"
    ),
    "call_back": ("约定今日回电", "the debtor is to be called back today"),
    "due_today": ("今日到期；逾期{dpd}天，逾期金额{yuan}元", "due today; {dpd} days past due, ¥{yuan} overdue"),
    "expected": (
        "应于{due}前完成；逾期{dpd}天，逾期金额{yuan}元", "due on {due}; {dpd} days past due, ¥{yuan} overdue"
    ),
    "added": ("人工添加，应于{due}前完成", "added by hand, to be done by {due}"),
}  # fmt: skip
_OF_TASK: Final = {
    ("hold_review", "late"): ("停催复核已逾期，应于{due}复核", "a hold whose review is overdue, since {due}"),
    ("hold_review", "due_today"): ("停催须于今日复核", "a hold to be reviewed today"),
    ("hold_confirm", "due_today"): ("新设停催待确认", "a hold that nobody has confirmed yet"),
    ("hold_ends", "due_today"): ("停催今日到期，明日起可照常催收", "a hold that ends today: work goes on tomorrow"),
    ("promise_due", "due_today"): ("客户承诺今日还款", "the debtor has promised to pay today"),
    ("request", "due_today"): ("申请今日失效，待您办理", "a request that waits for you and expires today"),
    ("request", "expected"): ("申请待您办理，{due}失效", "a request that waits for you and expires after {due}"),
    (BY_HAND, "hold_check"): (
        "催记得知死亡、在押或丧失能力，应于{due}前核查应否停催",
        "a contact told of death, custody or incapacity: check by {due} whether a hold is due",
    ),
    (BY_HAND, "hardship_check"): (
        "客户自述困难，应于{due}前核查应否停催",
        "the debtor tells of hardship: check by {due} whether a hold is due",
    ),
    (BY_HAND, "photo_recheck"): (
        "下户照片被抽中复核，应于{due}前复核",
        "photos of a visit were drawn to be checked again, by {due}",
    ),
    (BY_HAND, "early_placement_check"): (
        "提前委外所依据的下户不再作证明，应于{due}前核查是否召回",
        "a visit that an early placement rests on proves nothing any more: check by {due} whether it is recalled",
    ),
    ("report_review", "due_today"): ("{due}提交的下户报告，待审核", "a report handed in on {due} waits for its review"),
    ("form_review", "due_today"): ("{due}提交的司法处置表，待审核", "a form handed in on {due} waits for its review"),
    ("report_returned", "due_today"): ("下户报告被退回，待补正", "a report was returned: put it right"),
    ("report_returned", "expected"): (
        "下户报告被退回，应于{due}前补正", "a report was returned, to be put right by {due}"),
    ("report_returned", "late"): ("下户报告补正已逾期，应于{due}前", "a report that was to be put right by {due}"),
    ("form_returned", "due_today"): ("司法处置表被退回，待补正", "a form was returned: put it right"),
    ("form_returned", "expected"): (
        "司法处置表被退回，应于{due}前补正", "a form was returned, to be put right by {due}"
    ),
    ("form_returned", "late"): ("司法处置表补正已逾期，应于{due}前", "a form that was to be put right by {due}"),
    ("breach_review", "due_today"): ("{due}的联系不合规定，待复核", "a contact of {due} was against the gate"),
    ("contact_review", "due_today"): (
        "{due}有联系未录音，或模板、线路有疑问，待复核",
        "contacts of {due} have no recording, or no good template or line",
    ),
}  # fmt: skip


def days_taken(conn: Connection) -> Iterable[Any]:
    """Every list that was taken."""
    return conn.execute(sa.select(tasks_taken)).all()
