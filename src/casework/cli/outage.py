"""`casework outage`: days on which something was out, so that nobody could do what was owed."""

from datetime import datetime

import click

from casework.cli.changing import as_, changing, day
from casework.cli.shell import as_json, console, print_json, started
from casework.cli.tables import Table
from casework.people.days.loading import declare_outage, every_outage, withdraw_outage
from casework.storage.database import reading

_on = click.option("--on", type=day, required=True, metavar="DAY", help="The day, YYYY-MM-DD.")


@click.group()
def cli() -> None:
    """Outages: a day of which one is declared before its close exempts from what could not be done.

    \b
    Examples:
      casework outage declare --on 2026-03-09 --reason telephone --as S0012
      casework outage list
    """


@cli.command()
@_on
@click.option("--reason", required=True, metavar="CODE", help="A key of [outages] in statecharts/rules/duties.toml.")
@as_
def declare(on: datetime, reason: str, by: str | None) -> None:
    """Declare an outage of DAY; an entry. What was taken when the day closed stays as it was known then.

    \b
    Examples:
      casework outage declare --on 2026-03-09 --reason telephone --as S0012
    """
    with changing(by, "outage.declare") as change:
        declare_outage(
            change.conn, change.trail, change.actor, on.date(), reason, change.branch.rulebook.duties.outages
        )
    console.print(f"{on.date()}: declared 已登记", markup=False)


@cli.command()
@_on
@as_
def withdraw(on: datetime, by: str | None) -> None:
    """Withdraw the outage of DAY; an entry.

    \b
    Examples:
      casework outage withdraw --on 2026-03-09 --as S0012
    """
    with changing(by, "outage.declare") as change:
        withdraw_outage(change.conn, change.trail, change.actor, on.date())
    console.print(f"{on.date()}: withdrawn 已撤销", markup=False)


@cli.command("list")
@as_json
def list_(json_: bool) -> None:
    """The outages that are declared.

    \b
    Examples:
      casework outage list --json
    """
    with started() as branch, reading(branch.engine) as conn:
        found = every_outage(conn)
    words = branch.branch.rulebook.duties.outages
    if json_:
        print_json([{"day": day, "reason": reason} for day, reason in found.items()])
        return
    shown = Table("day", "reason")
    for on, reason in found.items():
        shown.add_row(str(on), " ".join(words.get(reason, (reason,))))
    console.print(shown)
