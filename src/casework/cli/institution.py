"""`casework institution`: whose feeds this branch takes."""

import click

from casework.cli.changing import as_, changing
from casework.cli.shell import as_json, console, print_json, started
from casework.cli.tables import Table


@click.group()
def cli() -> None:
    """The institutions whose feeds this branch takes. The first feed registers its own; others are added here.

    \b
    Examples:
      casework institution list
      casework institution add yichang --as A1
    """


@cli.command("add")
@click.argument("code")
@as_
def add_(code: str, by: str | None) -> None:
    """Make the institution CODE known, as its manifest spells it; until then its feeds are refused. An entry.

    \b
    Examples:
      casework institution add yichang --as A1
    """
    from casework.intake.feed.institutions import add

    with changing(by, "institution.add") as change:
        add(change.conn, change.trail, change.actor, code)
    console.print(f"{code}: its feeds are taken from now on", markup=False)


@cli.command("list")
@as_json
def list_(json_: bool) -> None:
    """The institutions that are known.

    \b
    Examples:
      casework institution list
      casework institution list --json
    """
    from casework.intake.feed.institutions import known_institutions
    from casework.storage.database import reading

    with started() as branch, reading(branch.engine) as conn:
        known = known_institutions(conn)
    if json_:
        print_json(known)
        return
    table = Table("institution")
    for one in known:
        table.add_row(one)
    console.print(table)
