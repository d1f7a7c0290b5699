"""`casework duty`: what each case is owed on a day, and what became of it."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import click
from sqlalchemy.engine import Connection

from casework.cli.calendar import warn_of
from casework.cli.changing import day
from casework.cli.ledger import write_out
from casework.cli.shell import as_json, as_staff, console, permitted, print_json, started
from casework.cli.tables import Table
from casework.clock import now
from casework.people.days.loading import read_calendar, unknown_years
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.table import as_csv, printed
from casework.work.cases.branch import Branch
from casework.work.cases.disclosure import LIST_EXPORTED, record_export
from casework.work.duties.listing import Listed, duties_on, duties_within
from casework.work.duties.table import LIST, STATUS_WORDS, exempted_by, sheet_of


@click.group()
def cli() -> None:
    """Duties of a day: dialling, contacts, visits, repairs, placement; done, late, open, or exempt by what.

    \b
    Examples:
      casework duty list --on 2026-03-09
    """


@cli.command("list")
@click.option("--on", type=day, required=True, metavar="DAY", help="The day, YYYY-MM-DD.")
@click.option("--out", type=click.Path(path_type=Path), help="The .xlsx or .csv file to write: a line a duty.")
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
    if out is not None and out.suffix not in {".xlsx", ".csv"}:
        raise click.BadParameter("a file ends in .xlsx or .csv", param_hint="--out")
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
                _write(conn, branch, actor, found, on.date(), out)
    warn_of(unknown)
    if out is not None:
        console.print(f"{out.name}: {len(found):,} duties 项任务", markup=False)
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
    counts = Counter((one.duty, one.exempt_by or one.status) for one in found)
    shown = Table("duty", "status", "cases")
    for name, rule in branch.rulebook.duties.by_name.items():
        for (duty, status), number in sorted(counts.items()):
            if duty == name:
                shown.add_row(f"{name} {rule.zh}", f"{status} {_word(branch, status)}".strip(), f"{number:,}")
    console.print(shown)


def _write(conn: Connection, branch: Branch, actor: Actor, found: Sequence[Listed], on: date, out: Path) -> None:
    sheet = sheet_of(conn, branch, found, f"{on} · {actor.id}", "zh")
    content = as_csv(sheet, "zh") if out.suffix == ".csv" else printed([sheet], "zh")
    record_export(
        conn, branch, actor, {"list": LIST, "on": str(on)}, rows=len(found), kind=out.suffix[1:], event=LIST_EXPORTED,
        file=content,
    )  # fmt: skip
    write_out(out, content)


def _word(branch: Branch, status: str) -> str:
    """In Chinese what is done, late, open, or exempt by what; a rule says itself."""
    word = STATUS_WORDS[status][0] if status in STATUS_WORDS else exempted_by(branch, status, "zh")
    return "" if word == status else word
