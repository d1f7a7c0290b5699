"""What is done with task lists over HTTP: taking one's own; the next task; moving, putting off, adding, ending."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, post
from litestar.params import Body
from msgspec import Meta

from api.example import Example
from api.reading.asking import answers
from api.reading.task_lists import TASK, TaskBody, own_tasks, task_body, task_list, task_lists
from api.several import DONE, answered, in_one, refused
from api.written import Change
from casework.operation.morning import make_lists
from casework.people.staff.actor import system
from casework.work.tasks.acts import MOST, Addition, Became, Desk
from casework.work.tasks.own import take_list, tasks_of
from casework.work.tasks.pulling import take_next


class TakeBody(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing has to be said; `on`: another day than today."""

    on: date | None = None


class ListTakenBody(msgspec.Struct):
    """Taken; `late`: after the hour that the policy says."""

    on: date
    late: bool
    tasks: int


_Ids = Annotated[list[Annotated[int, Meta(ge=1, le=2**53 - 1)]], Meta(min_length=1, max_length=MOST)]
_Code = Annotated[str, Meta(min_length=1, max_length=32)]


class TaskMoveBody(msgspec.Struct, forbid_unknown_fields=True):
    """`reason`: a key of `[move_reasons]`. `atomic`: if one may not be moved, none is."""

    tasks: _Ids
    to: Annotated[str, Meta(min_length=1, max_length=32)]
    reason: _Code
    atomic: bool = False


class PostponeBody(msgspec.Struct, forbid_unknown_fields=True):
    """`until`: the morning on which they are back; `reason`: a key of `[postpone_reasons]`."""

    tasks: _Ids
    until: date
    reason: _Code
    atomic: bool = False


class EndBody(msgspec.Struct, forbid_unknown_fields=True):
    """Of tasks that were added by hand."""

    tasks: _Ids
    atomic: bool = False


class AdditionBody(msgspec.Struct, forbid_unknown_fields=True):
    """`what`: a key of `[by_hand]`; `to`: whose list, one's own if left out."""

    case_id: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    what: _Code
    due_on: date
    to: Annotated[str, Meta(min_length=1, max_length=32)] | None = None


class AddBody(msgspec.Struct, forbid_unknown_fields=True):
    """Some tasks of some cases."""

    tasks: Annotated[list[AdditionBody], Meta(min_length=1, max_length=MOST)]
    atomic: bool = False


class ActResult(msgspec.Struct, kw_only=True):
    """What became of one: done, not_done, or why not. `status` is what it would have been answered with alone."""

    task_id: int | None
    outcome: str
    status: int
    zh: str | None = None
    en: str | None = None


class ActsAnswer(msgspec.Struct):
    """Totals and a result for each, in the order given."""

    atomic: bool
    tasks: int
    by_outcome: dict[str, int]
    results: list[ActResult]


_ACTED: Final = {
    "atomic": False, "tasks": 2, "by_outcome": {"case_left": 1, "done": 1},
    "results": [
        {"task_id": 1207, "outcome": "done", "status": 200, "zh": None, "en": None},
        {"task_id": 1208, "outcome": "case_left", "status": 409, "zh": "案件已不在办，任务不再有效",
         "en": "the case is not worked on any more, so there is nothing to do"},
    ],
}  # fmt: skip
_CHANGES: Final = (
    "malformed_json", "invalid_request", "unsupported_media_type", "body_too_large", "database_busy", "database_full",
)  # fmt: skip


@post(
    "/tasks/take", status_code=200, sync_to_thread=True, tags=["tasks"], summary="Take one's list (领取)",
    responses=answers(
        ListTakenBody, {"on": "2026-03-10", "late": False, "tasks": 46}, "list_taken", "nothing_to_take", "no_room",
        "lists_to_come", "day_without_feed", "day_not_closed", *_CHANGES,
    ),
)  # fmt: skip
def take(
    request: Request[Any, Any, Any], data: Annotated[TakeBody, Body(examples=[
        Example(id="today", summary="today's list", value={})])],
) -> ListTakenBody:  # fmt: skip
    """An act with a time, once a day; the lists are made first where nobody has."""

    def work(by: Change) -> ListTakenBody:
        day = data.on or by.branch.today(by.at)
        make_lists(by.conn, by.branch, day, system("api"))
        late = take_list(by.conn, by.branch, day, by.actor, by.at)
        return ListTakenBody(day, late, len(tasks_of(by.conn, by.branch, day, by.actor)))

    return in_one(request, work)


@post(
    "/tasks/next", status_code=200, sync_to_thread=True, tags=["tasks"], summary="Begin the next task",
    responses=answers(TaskBody, TASK, "nothing_left", "lists_not_made", *_CHANGES),
)  # fmt: skip
def begin_next(request: Request[Any, Any, Any]) -> TaskBody:
    """The first that nobody has begun: of one's own lists, then of what one's team has left. Nobody else gets it."""

    def work(by: Change) -> TaskBody:
        make_lists(by.conn, by.branch, by.branch.today(by.at), system("api"))
        task = take_next(by.conn, by.branch, by.actor, by.at)
        return task_body(by.branch, task.rank, task)

    return in_one(request, work)


@post(
    "/tasks/moves", status_code=200, sync_to_thread=True, tags=["tasks"], summary="Move tasks to another list",
    responses=answers(
        ActsAnswer, _ACTED, "unknown_task_reason", "unknown_staff", "staff_unverified", "staff_left", "receiver_off",
        *_CHANGES,
    ),
)  # fmt: skip
def move(
    request: Request[Any, Any, Any], data: Annotated[TaskMoveBody, Body(examples=[
        Example(id="absent", summary="somebody is absent", value={"tasks": [1207, 1208], "to": "S0104",
                                                                   "reason": "absence"})])],
) -> ActsAnswer:  # fmt: skip
    """Whoever gets them is there that day and reaches the cases; they stay there while they are the same task."""
    return acted(
        request, lambda desk: desk.move(data.tasks, to=data.to, reason=data.reason, atomic=data.atomic), data.atomic
    )


@post(
    "/tasks/postponements", status_code=200, sync_to_thread=True, tags=["tasks"], summary="Put tasks off",
    responses=answers(
        ActsAnswer, _ACTED, "unknown_task_reason", "postponed_to_past", "postponed_too_far", *_CHANGES
    ),
)  # fmt: skip
def postpone(
    request: Request[Any, Any, Any], data: Annotated[PostponeBody, Body(examples=[
        Example(id="asked", summary="the debtor asked for another day",
                value={"tasks": [1207], "until": "2026-03-12", "reason": "debtor_asked"})])],
) -> ActsAnswer:  # fmt: skip
    """They are back on the morning of `until`. What is owed by rule, and when it is late, stays as it is."""
    return acted(
        request, lambda desk: desk.postpone(data.tasks, until=data.until, reason=data.reason, atomic=data.atomic),
        data.atomic,
    )  # fmt: skip


@post(
    "/tasks/additions", status_code=200, sync_to_thread=True, tags=["tasks"], summary="Add tasks",
    responses=answers(ActsAnswer, _ACTED, *_CHANGES),
)  # fmt: skip
def add(
    request: Request[Any, Any, Any], data: Annotated[AddBody, Body(examples=[
        Example(id="papers", summary="collect papers", value={"tasks": [
            {"case_id": 17, "what": "papers", "due_on": "2026-03-12"}]})])],
) -> ActsAnswer:  # fmt: skip
    """On one's own list; on another's for whoever may move tasks. They stay on lists until they are ended."""
    wanted = [Addition(one.case_id, one.what, one.due_on, one.to) for one in data.tasks]
    return acted(request, lambda desk: desk.add(wanted, atomic=data.atomic), data.atomic)


@post(
    "/tasks/endings", status_code=200, sync_to_thread=True, tags=["tasks"], summary="End tasks that were added",
    responses=answers(ActsAnswer, _ACTED, *_CHANGES),
)  # fmt: skip
def end(
    request: Request[Any, Any, Any], data: Annotated[EndBody, Body(examples=[
        Example(id="done", summary="done", value={"tasks": [1307]})])],
) -> ActsAnswer:  # fmt: skip
    """Every other task ends by what happens, and is not ended by hand."""
    return acted(request, lambda desk: desk.finish(data.tasks, atomic=data.atomic), data.atomic)


def acted(request: Request[Any, Any, Any], act: Callable[[Desk], Sequence[Became]], atomic: bool) -> ActsAnswer:
    """A result for each of some tasks; one transaction, and one receipt."""

    def work(by: Change) -> Sequence[Became]:
        make_lists(by.conn, by.branch, by.branch.today(by.at), system("api"))
        desk = Desk(by.conn, by.branch, by.actor, by.at)
        became = act(desk)
        desk.close()
        return became

    return acts_answer(in_one(request, work), atomic=atomic)


def acts_answer(became: Iterable[Became], *, atomic: bool) -> ActsAnswer:
    """As the wire says it."""
    told = ((one.task_id, DONE if one.refused is None else refused(one.refused)) for one in became)
    return answered(ActsAnswer, [ActResult(task_id=number, **said) for number, said in told], atomic=atomic)


route_handlers = [own_tasks, task_lists, task_list, take, begin_next, move, postpone, add, end]
