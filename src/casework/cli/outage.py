"""`casework outage`: days on which something was out, so that nobody could do what was owed."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from casework.cli.changing import as_, changing, day
from casework.cli.several import atomic_option, result_of, right, tell_each
from casework.cli.shell import as_json, console, print_json, started
from casework.cli.tables import Table

if TYPE_CHECKING:
    from casework.people.days.declaring import Outage


_on = click.option(
    "--on", "days", type=day, required=True, multiple=True, metavar="DAY", help="The day, YYYY-MM-DD; may be repeated."
)


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
@atomic_option
@as_
def declare(days: tuple[datetime, ...], reason: str, by: str | None, *, atomic: bool) -> None:
    """Declare an outage of DAY; an entry. A day that is closed is refused: what was owed on it has been taken.

    Of several days each has its own result. Exit code 1 if one was refused.

    \b
    Examples:
      casework outage declare --on 2026-03-09 --reason telephone --as S0012
      casework outage declare --on 2026-03-09 --on 2026-03-10 --reason power
    """
    from casework.people.days.declaring import Outage

    _do([Outage(one.date(), reason) for one in days], by, "declared 已登记", atomic=atomic)


@cli.command()
@_on
@atomic_option
@as_
def withdraw(days: tuple[datetime, ...], by: str | None, *, atomic: bool) -> None:
    """Withdraw the outage of DAY; an entry. A day that is closed is refused, as it is for declaring.

    Exit code 1 if one was refused, or there was none of it.

    \b
    Examples:
      casework outage withdraw --on 2026-03-09 --as S0012
    """
    from casework.people.days.declaring import Outage

    _do([Outage(one.date(), None) for one in days], by, "withdrawn 已撤销", atomic=atomic)


def _do(wanted: "list[Outage]", by: str | None, done: str, *, atomic: bool) -> None:
    from casework.people.days.declaring import declare_outages
    from casework.work.cases.gather import closed_through

    with changing(by, "outage.declare") as change:
        known, closed = change.branch.rulebook.duties.outages, closed_through(change.conn)
        faults = declare_outages(change.conn, change.trail, change.actor, wanted, known, closed=closed, atomic=atomic)
        results = [{"day": one.day, **result_of(fault)} for one, fault in zip(wanted, faults, strict=True)]
        if len(results) == 1:
            right(results[0])
    tell_each("outages", results, lambda _: done, by="day", json_=False)


@cli.command("list")
@as_json
def list_(json_: bool) -> None:
    """The outages that are declared.

    \b
    Examples:
      casework outage list --json
    """
    from casework.people.days.loading import every_outage
    from casework.storage.database import reading

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
