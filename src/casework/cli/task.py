"""`casework task`: somebody's list of a morning, and taking it."""

from datetime import datetime

import click

from casework.cli.changing import day
from casework.cli.shell import FOLDED, as_json, console, permitted, print_json, started
from casework.cli.tables import Table
from casework.clock import now
from casework.money import yuan_text
from casework.people.staff.actor import system
from casework.storage.database import writing
from casework.work.tasks.making import make
from casework.work.tasks.own import take_list, tasks_of, told

_on = click.option("--on", type=day, required=True, metavar="DAY", help="Whose morning, YYYY-MM-DD.")
_who = click.option("--as", "staff_no", type=FOLDED, required=True, metavar="STAFF_NO", help="Whose list.")


@click.group()
def cli() -> None:
    """Task lists: open duties, broken promises, holds to review; ranked, and why each is there.

    \b
    Examples:
      casework task list --on 2026-03-10 --as S0103
      casework task take --on 2026-03-10 --as S0103
    """


@cli.command("list")
@_on
@_who
@as_json
def list_(on: datetime, staff_no: str, *, json_: bool) -> None:
    """The list of the morning of DAY, from what the close of the day before left; made if it was not, and then kept.

    \b
    Examples:
      casework task list --on 2026-03-10 --as S0103
      casework task list --on 2026-03-10 --as S0103 --json
    """
    with started() as open_, writing(open_.engine) as conn:
        actor = permitted(conn, open_.branch, staff_no, "task.read")
        make(conn, open_.branch, on.date(), system("cli"))
        found = tasks_of(conn, on.date(), actor)
    rules = open_.branch.rulebook.duties.by_name
    if json_:
        print_json(
            [
                {
                    "rank": place, "task": row.task, "loan_id": row.loan_id, "case_id": row.case_id,
                    "owed_by": row.owed_by, "due_on": row.due_on, "dpd": row.dpd, "overdue_fen": row.overdue_fen,
                    "why": row.why, "why_zh": told(row)[0], "why_en": told(row)[1],
                }
                for place, row in enumerate(found, 1)
            ]
        )  # fmt: skip
        return
    shown = Table("no.", "task", "loan", "dpd", "overdue", "why")
    for place, row in enumerate(found, 1):
        words = rules[row.task].zh if row.task in rules else _WORDS[row.task]
        shown.add_row(str(place), words, row.loan_id, str(row.dpd), yuan_text(row.overdue_fen), told(row)[0])
    console.print(shown)


_WORDS = {"broken_promise": "承诺未兑现", "hold_review": "停催复核"}


@cli.command()
@_on
@_who
def take(on: datetime, staff_no: str) -> None:
    """Take the list of DAY (领取): an act with a time; after the policy's hour it is late.

    \b
    Examples:
      casework task take --on 2026-03-10 --as S0103
    """
    with started() as open_, writing(open_.engine) as conn:
        actor = permitted(conn, open_.branch, staff_no, "task.take")
        make(conn, open_.branch, on.date(), system("cli"))
        late = take_list(conn, open_.branch, on.date(), actor, now())
    console.print(f"{on.date()}: taken 已领取" + (", late 迟领" if late else ""), markup=False)
