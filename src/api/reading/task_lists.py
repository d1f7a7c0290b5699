"""Task lists as they stand or were handed out: one's own, somebody's, those of a day."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, get
from litestar.params import QueryParameter
from msgspec import Meta

from api.reading.asking import answers, reader_of
from api.serving import serving_of
from casework.clock import now
from casework.evidence.ledger.people import members_of, teams_then
from casework.storage.database import reading
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates
from casework.work.tasks.making import edition_of
from casework.work.tasks.own import Task, list_of, state_of, states, tasks_of, told
from casework.work.tasks.words import word_of

_Team = Annotated[str | None, QueryParameter(min_length=1, max_length=64, description="By its code or name.")]
_On = Annotated[date | None, QueryParameter(description="Whose morning; today, if left out.")]
_HandedOut = Annotated[
    bool, QueryParameter(description="As it was handed out, whatever has happened since; so is every past day's.")
]


class TaskBody(msgspec.Struct):
    """One task, and why it is where it is. `list_of`: whose list it is on; `held_by`: who has begun it that day."""

    id: int
    rank: int
    task: str
    zh: str
    en: str
    loan_id: str | None
    case_id: int | None
    ref: str | None
    due_on: date
    dpd: int
    overdue_fen: int
    why: str
    why_zh: str
    why_en: str
    owed_by: str
    list_of: str
    held_by: str | None


class TaskListBody(msgspec.Struct):
    """A list. `edition` none: nobody has made the lists of that day yet. `held_back`: for want of room, come again.

    `data_as_of`: the business date of the last feed by institution, where it is not the day before.
    """

    on: date
    edition: int | None
    taken_at: datetime | None
    late: bool
    held_back: int
    data_as_of: dict[str, date]
    items: list[TaskBody]
    next: None = None


class ListLine(msgspec.Struct):
    """A list of a day as it was last made; `team`: whose person it was that day, none of a post's."""

    list_of: str
    edition: int
    tasks: int
    held_back: int
    taken_at: datetime | None
    late: bool
    team: str | None


class ListsBody(msgspec.Struct):
    """Every list of a day: of people and of posts."""

    on: date
    items: list[ListLine]
    next: None = None


TASK: Final = {
    "id": 1207, "rank": 1, "task": "dial", "zh": "每日拨打", "en": "dial every day", "loan_id": "L2024000917",
    "case_id": 17, "ref": None, "due_on": "2026-03-10", "dpd": 9, "overdue_fen": 239995, "why": "due_today",
    "why_zh": "今日到期；逾期9天，逾期金额2,399.95元", "why_en": "due today; 9 days past due, ¥2,399.95 overdue",
    "owed_by": "S0103", "list_of": "S0103", "held_by": None,
}  # fmt: skip
_LIST: Final = {
    "on": "2026-03-10", "edition": 1, "taken_at": None, "late": False, "held_back": 0, "data_as_of": {},
    "items": [TASK],
}  # fmt: skip
_LISTS: Final = {
    "on": "2026-03-10",
    "items": [{"list_of": "S0103", "edition": 1, "tasks": 46, "held_back": 0,
               "taken_at": "2026-03-10T00:55:00.000000Z", "late": False, "team": "T1"}],
}  # fmt: skip


@get(
    "/tasks", sync_to_thread=True, tags=["tasks"], summary="One's own task list",
    responses=answers(TaskListBody, _LIST, "filter_malformed", "invalid_request"),
)  # fmt: skip
def own_tasks(request: Request[Any, Any, Any], on: _On = None, handed_out: _HandedOut = False) -> TaskListBody:
    """One's own, that of whom one deputises for, and of one's posts: in order, each with why it is there."""
    serving, actor = reader_of(request, "on", "handed_out")
    return _list(
        request, on, actor.id, handed_out,
        lambda conn, day, past: tasks_of(conn, serving.branch, day, actor, handed_out=past),
    )  # fmt: skip


@get(
    "/task-lists", sync_to_thread=True, tags=["tasks"], summary="The lists of a day, and who has taken theirs",
    responses=answers(ListsBody, _LISTS, "unknown_team", "filter_malformed", "invalid_request"),
)  # fmt: skip
def task_lists(request: Request[Any, Any, Any], on: _On = None, team: _Team = None) -> ListsBody:
    """Those of people and of posts, or of a team's members of that day; not paged."""
    serving, _ = reader_of(request, "on", "team")
    today = serving.branch.today(now())
    day = on or today
    with reading(serving.engine, snapshot=True) as conn:
        teams = teams_then(conn, day, today).teams
        members = None if team is None else members_of(conn, team, day, today)
        found = [one for one in states(conn, day) if members is None or one.list_of in members]
    return ListsBody(day, [ListLine(**one._asdict(), team=teams.get(one.list_of)) for one in found])


@get(
    "/task-lists/{whose:str}", sync_to_thread=True, tags=["tasks"], summary="Somebody's list, or a post's",
    responses=answers(TaskListBody, _LIST, "filter_malformed", "invalid_request"),
)  # fmt: skip
def task_list(
    request: Request[Any, Any, Any], whose: Annotated[str, Meta(max_length=32)], on: _On = None,
    handed_out: _HandedOut = False,
) -> TaskListBody:  # fmt: skip
    """As it stands, or as it was handed out."""
    reader_of(request, "on", "handed_out")
    return _list(request, on, whose, handed_out, lambda conn, day, past: list_of(conn, day, whose, handed_out=past))


def _list(
    request: Request[Any, Any, Any], on: date | None, whose: str, handed_out: bool,
    found: Callable[[Any, date, bool], list[Task]],
) -> TaskListBody:  # fmt: skip
    serving = serving_of(request)
    branch, today = serving.branch, serving.branch.today(now())
    day = on or today
    with reading(serving.engine, snapshot=True) as conn:
        items = found(conn, day, handed_out or day < today)
        state = state_of(conn, day, whose)
        late_feeds = {name: fed for name, fed in business_dates(conn).items() if (day - fed).days > 1}
        edition = edition_of(conn, day)
    return TaskListBody(
        day, edition, state and state.taken_at, state is not None and state.late, state.held_back if state else 0,
        late_feeds, [task_body(branch, place, one) for place, one in enumerate(items, 1)],
    )  # fmt: skip


def task_body(branch: Branch, place: int, one: Task) -> TaskBody:
    """As the API shows it."""
    word, (why_zh, why_en) = word_of(branch, one), told(one)
    return TaskBody(
        one.id, place, one.task, word.zh, word.en, one.loan_id or None, one.case_id, one.ref or None, one.due_on,
        one.dpd, one.overdue_fen, one.why, why_zh, why_en, one.owed_by, one.list_of, one.held_by,
    )  # fmt: skip
