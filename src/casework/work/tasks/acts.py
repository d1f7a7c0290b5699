"""What people do with tasks: move, put off, add, end what was added; each an entry, some at a time, a result for each.

Whoever acts on tasks holds each of them, so two acts on one never cross and others do not wait; whoever adds holds the
stream of lists.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.errors import CallerError
from casework.log.write.trail import NOT_BEGUN, Draft, StreamHead, Trail, ask_heads, held_head, put_heads
from casework.people.shifts.answering import answers_on
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import ACTS as HOW_IT_ACTS
from casework.people.staff.permissions import Reach
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.tables import cases
from casework.work.cases.task_rules import BY_HAND, TaskWords
from casework.work.tasks import standing as stands
from casework.work.tasks.holding import hold, stream_of
from casework.work.tasks.making import STREAM, edition_of, next_id
from casework.work.tasks.own import BY_IDS, Task, standing, taking_reach, whose_of
from casework.work.tasks.ranking import ADDED, LAST
from casework.work.tasks.standing import Stand
from casework.work.tasks.tables import COLUMNS, STANDING, task_standing, tasks

MOVE, CALL = "task.move", "contact.permit"
_DONE_BY: Final = {"visit": "visit", "repair": "information_repair"}
"""Of duties, and of what is added by hand, the fact of the case's chart that does it; everything else is a contact."""
MOST: Final = 500
_AHEAD: Final = timedelta(days=92)
"""How far ahead a task may be added."""
_CASES: Final = sa.select(
    cases.c.id, cases.c.loan_id, cases.c.live, cases.c.owner, cases.c.handler, cases.c.team, cases.c.region,
    cases.c.product, cases.c.oldest_due_date, cases.c.overdue_fen,
)  # fmt: skip
Decide = Callable[[Task], dict[str, Any]]
"""What the entry of an act on a task says beside the task; CallerError where it may not be done."""


class Became(NamedTuple):
    """What became of one of several: its task, and why not if it was not done."""

    task_id: int | None
    refused: CallerError | None = None


class Addition(NamedTuple):
    """A task to be added: a key of `[by_hand]`, until when, and on whose list (none: one's own)."""

    case_id: int
    what: str
    due_on: date
    to: str | None = None


class Desk:
    """One transaction of acts on the lists of a day."""

    def __init__(self, conn: Connection, branch: Branch, actor: Actor, at: datetime) -> None:
        """Nothing is held yet: each act holds what it is about."""
        self.conn, self.branch, self.actor, self.at = conn, branch, actor, at
        self.on = branch.today(at)
        self.policy = branch.rulebook.policies.at(self.on)
        self.trail: Trail = branch.trail(at)
        self._drafts: list[tuple[int, Draft]] = []  # of which task
        self._stands: dict[int, Stand] = {}
        self._heads: dict[str, StreamHead] = {}
        self._written: dict[int, Stand] = {}

    def move(self, ids: Sequence[int], *, to: str, reason: str, atomic: bool = False) -> list[Became]:
        """To another list, for as long as the task is on lists.

        CallerErrors `unknown_task_reason`, and of whom it goes to: `unknown_staff`, `staff_unverified`, `staff_left`,
        `receiver_off`. Of one: `unknown_task`, `case_left`, `there_already`, and of who could not do it
        `receiver_lacks_post`, `receiver_out_of_reach` (whoever owns or handles the case reaches it).
        """
        self._check_reason(reason, self.branch.rulebook.tasks.move_reasons)
        receiver = self.branch.actor(self.conn, to, self.actor.via, self.on)
        answers = answers_on(self.conn, self.branch.rulebook.shifts, self.policy, self.on)
        if not answers.is_on(to):
            raise CallerError("receiver_off", receiver=to, day=str(self.on))
        found = self._tasks(ids)

        def decide(task: Task) -> dict[str, Any]:
            if task.list_of == to:
                raise CallerError("there_already", receiver=to)
            self._check_receiver(receiver, self._case_of(task), self._posts_for(task.task, task.ref, task.owed_by))
            return {"from": task.list_of, "to": to}

        return self._act(stands.MOVED, ids, found, decide, reason, atomic=atomic)

    def postpone(self, ids: Sequence[int], *, until: date, reason: str, atomic: bool = False) -> list[Became]:
        """Off the list until the morning of a later day; what a duty is and when it is late stays as it is.

        CallerErrors `unknown_task_reason`, `postponed_to_past`, `postponed_too_far`. Of one: `unknown_task`,
        `case_left`.
        """
        self._check_reason(reason, self.branch.rulebook.tasks.postpone_reasons)
        most = self.on + timedelta(days=self.policy.figure("task.postpone_within_days"))
        if until <= self.on:
            raise CallerError("postponed_to_past", field="until", day=str(self.on))
        if until > most:
            raise CallerError("postponed_too_far", field="until", latest=str(most))
        found = self._tasks(ids)
        return self._act(
            stands.POSTPONED, ids, found, lambda _: {"until": until.isoformat()}, reason, atomic=atomic
        )  # fmt: skip

    def finish(self, ids: Sequence[int], *, atomic: bool = False) -> list[Became]:
        """Only what was added by hand: everything else ends by what happens. Of one: `unknown_task`, `not_by_hand`."""

        def decide(task: Task) -> dict[str, Any]:
            if task.task != BY_HAND or task.ref in self.branch.rulebook.tasks.by_service:
                raise CallerError("not_by_hand", task=task.id)
            return {}

        return self._act(stands.ENDED, ids, self._tasks(ids), decide, None, atomic=atomic, left_too=True)

    def end(self, found: Sequence[Any], by: Mapping[str, Any]) -> None:
        """What the service added and something else has done, whoever's list it is on, put off or not.

        `found`: rows with `id` and `case_id`; `by`: what did it, as the entries say it.
        """
        numbers = {row.id for row in found}
        hold(self.conn, numbers)
        known = self.read_stands(numbers)
        for task in found:
            if (stand := known.get(task.id)) is None or stand.done_on is None:
                self._put(stands.ENDED, task, self._about(task) | dict(by), None)

    def add(self, wanted: Sequence[Addition], *, atomic: bool = False) -> list[Became]:
        """A task of a case, on one's own list or, for whoever may move tasks, on another's.

        Of one: `unknown_task_kind`, `due_in_past`, `due_too_far`, `unknown_case`, `case_left`, `task_exists`,
        `post_not_permitted`, and those of whom it is for.
        """
        held_head(self.conn, STREAM)  # nobody else adds what is there, or gives a task the same id
        numbers = sorted({one.case_id for one in wanted})
        known = {row.id: row for row in rows.select_by_keys(self.conn, _CASES, "id", numbers)}
        there = self._added(sorted(known))
        reach, first, became = self.reach(), next_id(self.conn), list[Became]()
        made: list[tuple[Any, ...]] = []
        for one in wanted:
            try:
                case = self._check_addition(one, known.get(one.case_id), reach)
                if (case.id, one.what, one.due_on) in there:
                    raise CallerError("task_exists", case=case.id)
            except CallerError as mistake:
                became.append(Became(None, mistake))
                continue
            there.add((case.id, one.what, one.due_on))
            row = self._row(first + len(made), one, case)
            made.append(row)
            became.append(Became(row[2]))
        if not (became := all_or_none(became, atomic=atomic)) or all(one.refused for one in became):
            return became
        for row in made:
            said = dict(zip(COLUMNS, row, strict=True))
            data = {
                "on": self.on.isoformat(), "task": said["id"], "case": said["case_id"], "what": said["ref"],
                "to": said["list_of"], "due_on": said["due_on"].isoformat(), "dpd": said["dpd"],
                "overdue_fen": said["overdue_fen"],
            }  # fmt: skip
            self.trail.append(self.conn, STREAM, Draft(stands.ADDED, self.actor.signed, data, rules=("5.2",)))
        rows.insert_many(self.conn, tasks, made, COLUMNS)
        return became

    def begin(self, task: Task) -> None:
        """The actor has begun it; from the list of another person it comes onto theirs."""
        data = self._about(task) | {"staff_no": self.actor.id}
        own = {*self.actor.people, *self.branch.rulebook.permissions.posts}
        self._put(stands.BEGUN, task, data if task.list_of in own else data | {"to": self.actor.id}, None)
        self.close()

    def close(self) -> None:
        """Write what was done; the caller commits."""
        heads = dict[str, StreamHead]()
        for number, draft in self._drafts:
            stream = stream_of(number)
            before = heads.get(stream) or self._heads.get(stream, NOT_BEGUN)
            heads[stream] = self.trail.add(stream, before, draft)
        with self.trail.places_free(self.conn), rows.together(self.conn):
            put_heads(self.conn, heads, fresh=heads.keys() - self._heads.keys())
            changed = list(self._written.values())
            fresh = [row for row in changed if row.task_id not in self._stands]
            rows.insert_many(self.conn, task_standing, fresh, STANDING)
            again = [row for row in changed if row.task_id in self._stands]
            rows.update_many(self.conn, task_standing, "task_id", again, STANDING[1:])
            self.trail.write(self.conn)
        self._drafts, self._written = [], {}

    # ── what they share ─────────────────────────────────────────────────────────────────────────────────────────────

    def _act(
        self, event: str, ids: Sequence[int], found: Mapping[int, Task], decide: Decide, reason: str | None, *,
        atomic: bool, left_too: bool = False,
    ) -> list[Became]:  # fmt: skip
        became, todo = list[Became](), list[tuple[Task, dict[str, Any]]]()
        for number in ids:
            try:
                task = self._permitted(found.get(number))
                if not left_too:
                    self._check_case(task)
                todo.append((task, decide(task)))
            except CallerError as mistake:
                became.append(Became(number, mistake))
                continue
            became.append(Became(number))
        became = all_or_none(became, atomic=atomic)
        refused = {one.task_id for one in became if one.refused is not None}
        for task, more in todo:
            if task.id not in refused:
                self._put(event, task, self._about(task) | more, reason)
        return became

    def _about(self, task: Any) -> dict[str, Any]:
        return {"on": self.on.isoformat(), "task": task.id, "case": task.case_id}

    def _put(self, event: str, task: Any, data: dict[str, Any], reason: str | None) -> None:
        self._drafts.append((task.id, Draft(event, self.actor.signed, data, reason_code=reason, rules=("5.2",))))
        self._written[task.id] = stands.after(self._stands.get(task.id), event, data)

    def _tasks(self, ids: Collection[int]) -> dict[int, Task]:
        """Those of today's lists, held and as they stand; and the cases they are about."""
        hold(self.conn, set(ids))
        editions = {0, edition_of(self.conn, self.on) or 0}
        found = [
            row for row in rows.select_by_keys(self.conn, BY_IDS, "id", sorted(set(ids)))
            if (row.edition in editions and row.day == self.on) or row.edition == 0
        ]  # fmt: skip
        by_id = {task.id: task for task in sorted(standing(found, self.on), key=lambda one: (one.day, one.edition))}
        self.read_stands(by_id)
        self.read_cases(by_id.values())
        return by_id

    def read_stands(self, ids: Collection[int]) -> dict[int, Stand]:
        """Where tasks that are held stand by acts, and where their streams end; one that nobody touched has neither."""
        with rows.together(self.conn):
            held = rows.ask_by_keys(self.conn, task_standing, "task_id", sorted(ids))
            heads = ask_heads(self.conn, map(stream_of, ids))
        self._stands, self._heads = {row.task_id: Stand(*row) for row in held()}, heads()
        return self._stands

    def read_cases(self, found: Collection[Task]) -> None:
        """The cases that these are about."""
        numbers = sorted({task.case_id for task in found if task.case_id is not None})
        self._cases = {row.id: row for row in rows.select_by_keys(self.conn, _CASES, "id", numbers)}

    def _permitted(self, task: Task | None) -> Task:
        """On one's own lists, or within reach of whoever may move tasks; CallerError `unknown_task`."""
        if task is None:
            raise CallerError("unknown_task")
        if task.list_of in whose_of(self.actor):
            return task
        permissions = self.branch.rulebook.permissions
        case = self._case_of(task)
        if not permissions.may(self.actor, MOVE) or (case is not None and not self.reach().covers(case)):
            raise CallerError("unknown_task")
        return task

    def _check_case(self, task: Task) -> None:
        case = self._case_of(task)
        if case is not None and not case.live:
            raise CallerError("case_left", case=case.id)

    def _case_of(self, task: Task) -> Any:
        return self._cases.get(task.case_id) if task.case_id is not None else None

    def reach(self) -> Reach:
        """Of the actor, as far as lists are taken by it."""
        return taking_reach(self.branch, self.actor, self.policy)

    def _posts_for(self, task: str, ref: str, owed_by: str) -> frozenset[str]:
        """Whose posts can do it: the one that it waits for; else those of the fact that does it, or of a contact."""
        rulebook = self.branch.rulebook
        if owed_by in rulebook.permissions.posts:
            return frozenset({owed_by})
        fact = _DONE_BY.get(ref if task == BY_HAND else task)
        return rulebook.permissions.commands[CALL].posts if fact is None else rulebook.chart.facts[fact].posts

    def _check_receiver(self, receiver: Actor, case: Any, posts: frozenset[str]) -> None:
        """CallerErrors `receiver_lacks_post`, `receiver_out_of_reach`."""
        permissions = self.branch.rulebook.permissions
        held = receiver.posts.union(*(one.posts for one in receiver.principals))
        if not posts & held:
            words = ", ".join(sorted(posts))
            raise CallerError(
                "receiver_lacks_post", f"{receiver.id}没有可办理此任务的岗位（{words}）",
                f"{receiver.id} holds no post that does this: {words}", receiver=receiver.id,
                any_of_posts=sorted(posts),
            )  # fmt: skip
        if case is not None and not permissions.reach(receiver, posts, HOW_IT_ACTS, self.policy).covers(case):
            raise CallerError("receiver_out_of_reach", receiver=receiver.id)

    def _check_reason(self, reason: str, known: Mapping[str, TaskWords]) -> None:
        if reason not in known:
            raise CallerError(
                "unknown_task_reason", f"原因须为以下之一：{'、'.join(known)}",
                f"the reason must be one of {', '.join(known)}", field="reason", known=list(known),
            )  # fmt: skip

    # ── additions ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _added(self, numbers: Sequence[int]) -> set[tuple[int, str, date]]:
        """What was added of these cases and is not done."""
        return {
            (row.case_id, row.ref, row.due_on) for row in rows.select_by_keys(self.conn, _ADDED, "case_id", numbers)
        }

    def _check_addition(self, one: Addition, case: Any, reach: Reach) -> Any:
        rules = self.branch.rulebook.tasks
        known = [code for code in rules.by_hand if code not in rules.by_service]
        if one.what not in known:
            raise CallerError(
                "unknown_task_kind", f"任务须为以下之一：{'、'.join(known)}",
                f"the task must be one of {', '.join(known)}", field="what", known=known,
            )  # fmt: skip
        if one.due_on < self.on:
            raise CallerError("due_in_past", field="due_on", day=str(self.on))
        if one.due_on > self.on + _AHEAD:
            raise CallerError("due_too_far", field="due_on", latest=str(self.on + _AHEAD))
        if case is None or not reach.covers(case):
            raise CallerError("unknown_case")
        if not case.live:
            raise CallerError("case_left", case=case.id)
        if one.to is not None and one.to != self.actor.id:
            self.branch.rulebook.permissions.require(self.actor, MOVE)
            receiver = self.branch.actor(self.conn, one.to, self.actor.via, self.on)
            self._check_receiver(receiver, case, self._posts_for(BY_HAND, one.what, one.to))
        return case

    def _row(self, number: int, one: Addition, case: Any) -> tuple[Any, ...]:
        dpd = (self.on - case.oldest_due_date).days if case.oldest_due_date is not None else 0
        whose = one.to or self.actor.id
        return (
            self.on, 0, number, whose, LAST, BY_HAND, ADDED, whose, case.loan_id, case.id, one.what, one.due_on, dpd,
            case.overdue_fen,
        )  # fmt: skip


_ADDED: Final = (
    sa.select(tasks.c.case_id, tasks.c.ref, tasks.c.due_on)
    .join(task_standing, task_standing.c.task_id == tasks.c.id, isouter=True)
    .where(tasks.c.edition == sa.literal_column("0"), task_standing.c.done_on.is_(None))
)  # fmt: skip


def all_or_none(became: list[Became], *, atomic: bool) -> list[Became]:
    """`atomic`: where one was refused, the others are `not_done`."""
    if not atomic or not any(one.refused for one in became):
        return became
    return [one if one.refused else Became(one.task_id, CallerError("not_done")) for one in became]
