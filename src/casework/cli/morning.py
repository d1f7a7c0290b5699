"""`casework morning`: for cron, each morning after the close of the day before."""

from datetime import datetime

import click

from casework.cli.changing import day
from casework.cli.shell import as_json, as_staff, console, errors, permitted, print_json, started
from casework.clock import now

MAKE = "task.make"


@click.command()
@click.option("--on", type=day, metavar="DAY", help="Whose morning, YYYY-MM-DD.  [default: today]")
@as_json
@as_staff
def cli(on: datetime | None, staff_no: str | None, *, json_: bool) -> None:
    """Give out the cases and make the task lists of a morning, once: `distribute` and `task make` in one.

    It runs after the sweep of the day before, and refuses until that was closed. Run again it changes nothing; of
    several at once one runs, the others step aside. `casework serve` does it itself where CASEWORK_SWEEP_AT is set.

    \b
    Examples:
      casework morning
      casework morning --on 2026-03-10 --json
    """
    from casework.operation.morning import make_morning
    from casework.storage.database import reading
    from casework.work.cases.distribution import COMMAND

    with started() as open_:
        with reading(open_.engine) as conn:
            actor = permitted(conn, open_.branch, staff_no, COMMAND)
            permitted(conn, open_.branch, staff_no, MAKE)
        made = make_morning(open_.engine, open_.branch, on.date() if on else open_.branch.today(now()), actor)
    given = made.distributed
    if json_:
        moves, unplaced = (0, 0) if given is None else (len(given.moves), len(given.unplaced))
        print_json({
            "on": made.on, "moves": moves, "unplaced": unplaced, "tasks": made.tasks,
            "stepped_aside": made.stepped_aside,
        })  # fmt: skip
    elif given is None:
        errors.print(f"{made.on}: made already, or another process is at it 已完成，或另有进程正在进行", markup=False)
    else:
        lists = "lists unchanged 清单未变" if made.tasks is None else f"{made.tasks:,} tasks 项任务"
        console.print(f"{made.on}: {len(given.moves):,} cases given 件已分派; {lists}", markup=False)
