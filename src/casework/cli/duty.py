"""`casework duty`: what each case is owed on a day, and what became of it."""

from collections import Counter
from datetime import datetime

import click

from casework.cli.calendar import warn_of
from casework.cli.changing import day
from casework.cli.shell import as_json, console, print_json, started
from casework.cli.tables import Table
from casework.people.days.loading import read_calendar, unknown_years
from casework.storage.database import reading
from casework.work.duties.listing import duties_on


@click.group()
def cli() -> None:
    """Duties of a day: dialling, contacts, visits, repairs, placement; done, late, open, or exempt by what.

    \b
    Examples:
      casework duty list --on 2026-03-09
    """


@cli.command("list")
@click.option("--on", type=day, required=True, metavar="DAY", help="The day, YYYY-MM-DD.")
@as_json
def list_(on: datetime, json_: bool) -> None:
    """Every duty of DAY: as known when the day was closed, or as it stands if it is not; the list is not paged.

    Without --json how many of each duty are done, late, open and exempt.

    \b
    Examples:
      casework duty list --on 2026-03-09
      casework duty list --on 2026-03-09 --json
    """
    with started() as branch, reading(branch.engine, snapshot=True) as conn:
        found = duties_on(conn, branch.branch, on.date())
        unknown = unknown_years(read_calendar(conn), [on.date()])
    warn_of(unknown)
    if json_:
        print_json(
            [
                {
                    "loan_id": one.loan_id, "duty": one.duty, "status": one.status, "exempt_by": one.exempt_by,
                    "due_on": one.due_on, "owed_by": one.owed_by,
                }
                for one in found
            ]
        )  # fmt: skip
        return
    counts = Counter((one.duty, one.exempt_by or one.status) for one in found)
    shown = Table("duty", "status", "cases")
    grounds = branch.branch.rulebook.charts["hold"].openings["set"].fields["hold"].one_of
    words = {code: str(one["zh"]) for code, one in grounds.items()} | STATUSES
    for name, rule in branch.branch.rulebook.duties.by_name.items():
        for (duty, status), number in sorted(counts.items()):
            if duty == name:
                shown.add_row(f"{name} {rule.zh}", f"{status} {words.get(status, '')}".strip(), f"{number:,}")
    console.print(shown)


STATUSES = {
    "done": "已完成",
    "late": "逾期未办",
    "open": "待办",
    "promise": "有承诺",
    "outage": "故障",
    "day_off": "休息日",
    "paid": "已还款",
}
