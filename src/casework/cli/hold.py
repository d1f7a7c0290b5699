"""`casework hold`: why debtors are left in peace, and until when."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from casework.cli import lifecycle, looking
from casework.cli.agreed import import_file, importing, listed
from casework.cli.shell import as_json

if TYPE_CHECKING:
    from casework.work.holds import Hold


@click.group()
def cli() -> None:
    """Holds of debtors and loans: set one, review and lift it, import those set elsewhere, list them.

    \b
    Examples:
      casework hold open --ground set --data loan_id=L2024000917 --data hold=hardship \\
        --data begins_at=2026-03-09T08:00:00+08:00 --data review_by=2026-04-09 --as S0012
      casework hold fire 31 lift --data reason=resolved --as S0012
      casework hold import holds.csv
      casework hold list
    """


for _command in looking.looking("hold"):
    cli.add_command(_command)
for _command in lifecycle.doing(
    "hold",
    child=False,
    opening="--ground set --data loan_id=L2024000917 --data hold=hardship \\\n    "
    "--data begins_at=2026-03-09T08:00:00+08:00 --data review_by=2026-04-09 --as S0012",
    event="31 lift --data reason=resolved --as S0012",
):
    cli.add_command(_command)


@cli.command("import")
@importing
def import_(*, file: Path, atomic: bool, dry_run: bool, mend: Path | None, json_: bool) -> None:
    """Take in FILE (CSV or XLSX): loan_id, hold, from, until (a date, or a time with its offset).

    A hold is known by loan, ground and beginning: the same row again changes nothing, another until sets its end.

    \b
    Examples:
      casework hold import holds.csv
      casework hold import 停催.xlsx --json
    """
    from casework.intake.feed.agreed import import_holds

    import_file(import_holds, "holds", file, json_=json_, atomic=atomic, dry_run=dry_run, mend=mend)


def _confirmed(hold: "Hold") -> str:
    """The day, or that it waits, or that nobody confirmed it in time."""
    if hold.confirmed_on is not None:
        return str(hold.confirmed_on)
    return "not in time 逾期未确认" if hold.confirm_missed_on else "waits 待确认" if hold.to_confirm_on else ""


@cli.command("list")
@click.option("--all", "all_", is_flag=True, help="Those that are over too.")
@as_json
def list_(all_: bool, json_: bool) -> None:
    """Holds in force, in order of their beginning; with --all those that are over too. Not paged.

    \b
    Examples:
      casework hold list
      casework hold list --all --json
    """
    from casework.work.cases.holds import HOLDS

    listed(
        HOLDS, "begins_at", every_one=all_, json_=json_,
        line=lambda one: {
            "id": one.id, "loan_id": one.loan_id, "hold": one.hold, "state": one.state, "begins_at": one.begins_at,
            "ends_at": one.ends_at, "last_on": one.last_on, "review_by": one.review_by, "set_by": one.set_by,
            "confirmed_on": one.confirmed_on, "to_confirm_on": one.to_confirm_on,
            "confirm_missed_on": one.confirm_missed_on, "wish": one.wish, "papers": one.papers,
        },
        headers=("no.", "loan", "ground", "since", "last day in force", "set by", "confirmed", "state"),
        cells=lambda one, chart: (
            str(one.id), one.loan_id, chart.openings["set"].fields["hold"].one_of[one.hold]["zh"], str(one.begins_on),
            str(one.last_on or ""), one.set_by or "", _confirmed(one), chart.state_named(one.state).zh,
        ),
    )  # fmt: skip
