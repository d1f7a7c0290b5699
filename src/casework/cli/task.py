"""`casework task`: somebody's list of a morning, and what they do with it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from casework.cli.changing import day
from casework.cli.shell import as_json, as_option, console, errors, permitted, print_json, started
from casework.cli.tables import Table
from casework.cli.task_acts import COMMANDS
from casework.clock import now
from casework.money import yuan_text

if TYPE_CHECKING:
    from casework.work.tasks.own import Task

_on = click.option("--on", type=day, required=True, metavar="DAY", help="Whose morning, YYYY-MM-DD.")
_who = as_option("staff_no", "Whose list", required=True)


@click.group()
def cli() -> None:
    """Task lists: duties, promises, holds, requests, breaches; ranked, and why each is there.

    \b
    Examples:
      casework task list --on 2026-03-10 --as S0103
      casework task take --on 2026-03-10 --as S0103
      casework task next --as S0103
    """


@cli.command("list")
@_on
@_who
@as_json
def list_(on: datetime, staff_no: str, *, json_: bool) -> None:
    """The list of the morning of DAY, from what the close of the day before left; made if it was not, and then kept.

    Today's and tomorrow's as it stands, after what people moved, put off or added; a past day's as it was handed out.

    \b
    Examples:
      casework task list --on 2026-03-10 --as S0103
      casework task list --on 2026-03-10 --as S0103 --json
    """
    from casework.operation.morning import make_lists
    from casework.people.staff.actor import system
    from casework.storage.database import writing
    from casework.work.cases.gather import business_dates
    from casework.work.tasks.own import state_of, tasks_of, told
    from casework.work.tasks.words import word_of

    with started() as open_, writing(open_.engine) as conn:
        branch = open_.branch
        actor = permitted(conn, branch, staff_no, "task.read")
        make_lists(conn, branch, on.date(), system("cli"))
        found = tasks_of(conn, branch, on.date(), actor, handed_out=on.date() < branch.today(now()))
        state = state_of(conn, on.date(), actor.id)
        fed = business_dates(conn)
    if state is not None and state.held_back:
        errors.print(f"{state.held_back:,} more have no room and come again / 另有{state.held_back:,}项因上限顺延")
    if json_:
        print_json([_as_json(place, row) for place, row in enumerate(found, 1)])
        return
    if not fed:
        errors.print("no feed has come yet / 尚未导入任何数据")
    for institution, last in sorted(fed.items()):
        if (on.date() - last).days > 1:
            errors.print(f"{institution}: the last feed is of {last} / 最近一次数据为{last}", markup=False)
    shown = Table("no.", "id", "task", "loan", "dpd", "overdue", "why")
    for place, row in enumerate(found, 1):
        word = word_of(branch, row).zh
        shown.add_row(
            str(place), str(row.id), word, row.loan_id, str(row.dpd), yuan_text(row.overdue_fen), told(row)[0]
        )
    console.print(shown)


def _as_json(rank: int, task: "Task") -> dict[str, Any]:
    from casework.work.tasks.own import told

    why_zh, why_en = told(task)
    return {
        "rank": rank, "task": task.task, "loan_id": task.loan_id, "case_id": task.case_id, "owed_by": task.owed_by,
        "due_on": task.due_on, "dpd": task.dpd, "overdue_fen": task.overdue_fen, "why": task.why, "why_zh": why_zh,
        "why_en": why_en, "id": task.id, "list_of": task.list_of, "ref": task.ref or None, "held_by": task.held_by,
    }  # fmt: skip


@cli.command()
@_on
@click.option("--again", is_flag=True, help="All the same: a further edition that keeps what people did with theirs.")
@as_option("by")
def make(on: datetime, by: str | None, *, again: bool) -> None:
    """Make the lists of the morning of DAY, once; or again, where something came late.

    \b
    Examples:
      casework task make --on 2026-03-10
      casework task make --on 2026-03-10 --again --as S0109
    """
    from casework.operation.morning import make_lists
    from casework.storage.database import writing

    with started() as open_, writing(open_.engine) as conn:
        actor = permitted(conn, open_.branch, by, "task.make")
        made = make_lists(conn, open_.branch, on.date(), actor, again=again)
    done = "made already 已生成" if made is None else f"{made:,} tasks 项任务"
    console.print(f"{on.date()}: {done}", markup=False)


@cli.command()
@_on
@_who
def take(on: datetime, staff_no: str) -> None:
    """Take the list of DAY (领取): an act with a time; after the policy's hour it is late.

    \b
    Examples:
      casework task take --on 2026-03-10 --as S0103
    """
    from casework.operation.morning import make_lists
    from casework.people.staff.actor import system
    from casework.storage.database import writing
    from casework.work.tasks.own import take_list

    with started() as open_, writing(open_.engine) as conn:
        actor = permitted(conn, open_.branch, staff_no, "task.take")
        make_lists(conn, open_.branch, on.date(), system("cli"))
        late = take_list(conn, open_.branch, on.date(), actor, now())
    console.print(f"{on.date()}: taken 已领取" + (", late 迟领" if late else ""), markup=False)


for _command in COMMANDS:
    cli.add_command(_command)
