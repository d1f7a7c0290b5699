"""`casework duty`: what each case is owed on a day, and what became of it."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from casework.cli.calendar import warn_of
from casework.cli.changing import day
from casework.cli.shell import as_json, as_staff, console, permitted, print_json, started
from casework.cli.tables import Table
from casework.cli.taking_out import kind_of, out_option, told_of, write_taken
from casework.clock import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from casework.work.cases.branch import Branch
    from casework.work.duties.listing import Listed


@click.group()
def cli() -> None:
    """Duties of a day: dialling, contacts, visits, repairs, placement; done, late, open, or exempt by what.

    \b
    Examples:
      casework duty list --on 2026-03-09
    """


@cli.command("list")
@click.option("--on", type=day, required=True, metavar="DAY", help="The day, YYYY-MM-DD.")
@out_option("Write them, a line a duty, into")
@as_json
@as_staff
def list_(on: datetime, out: Path | None, *, json_: bool, staff_no: str | None) -> None:
    """Every duty of DAY: as known when the day was closed, or as it stands if it is not; the list is not paged.

    Without --json how many of each duty are done, late, open and exempt. That a file was written is an entry. With --as
    only duties of cases that they see.

    \b
    Examples:
      casework duty list --on 2026-03-09
      casework duty list --on 2026-03-09 --json
      casework duty list --on 2026-03-09 --out 当日任务-2026-03-09.xlsx --as S0109
    """
    from casework.people.days.loading import read_calendar, unknown_years
    from casework.storage.database import reading, writing
    from casework.work.cases.taking_out import file_of_list, taker_of
    from casework.work.duties.listing import duties_on, duties_within
    from casework.work.duties.table import DUTIES, duty_cells

    with started() as open_:
        branch = open_.branch
        with reading(open_.engine, snapshot=True) as conn:
            actor = permitted(conn, branch, staff_no, "duty.read")
            policy = branch.rulebook.policies.at(branch.today(now()))
            within = branch.rulebook.permissions.within(actor, "duty.read", policy)
            found = duties_within(conn, within, duties_on(conn, branch, on.date()))
            unknown = unknown_years(read_calendar(conn), [on.date()])
        if out is not None:
            with writing(open_.engine) as conn:
                cells, taker = duty_cells(conn, branch, found, "zh"), taker_of(conn, branch, actor, now())
                asked = {"list": DUTIES.name, "on": str(on.date())}
                taken = file_of_list(DUTIES, cells, kind_of(out), "zh", asked, taker)
                file = write_taken(conn, branch, actor, taken, out)
            console.print(told_of(taken, file, "duties 项任务"), markup=False)
    warn_of(unknown)
    if out is not None:
        return
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
    console.print(_counted(branch, found))


def _counted(branch: "Branch", found: "Sequence[Listed]") -> Table:
    """How many of each duty are done, late, open, or exempt by what; in the order of the rules."""
    counts = Counter((one.duty, one.exempt_by or one.status) for one in found)
    shown = Table("duty", "status", "cases")
    for name, rule in branch.rulebook.duties.by_name.items():
        for (duty, status), number in sorted(counts.items()):
            if duty == name:
                shown.add_row(f"{name} {rule.zh}", f"{status} {_word(branch, status)}".strip(), f"{number:,}")
    return shown


def _word(branch: "Branch", status: str) -> str:
    """In Chinese what is done, late, open, or exempt by what; a rule says itself."""
    from casework.work.duties.table import STATUS_WORDS, exempted_by

    word = STATUS_WORDS[status][0] if status in STATUS_WORDS else exempted_by(branch, status, "zh")
    return "" if word == status else word
