"""`casework program`: keys of programs, each with somebody who answers for it."""

import click

from casework.cli.changing import as_, changing
from casework.cli.shell import FOLDED, as_json, console, permitted, print_json, started
from casework.cli.tables import Table
from casework.clock import now
from casework.instants import branch_text
from casework.people.staff.tokens import MAX_DAYS


@click.group()
def cli() -> None:
    """Keys of programs: Prometheus, what brings the feed, a witness. Each has a name, an owner, and few commands.

    What a program may be given is marked in permissions.toml (casework permissions): nothing that takes four eyes, and
    nothing that shows personal data. A program stops when its owner leaves, unless somebody else has been given a key
    of it.

    \b
    Examples:
      casework program key prometheus --owner 10021 --may service.read
      casework program list
      casework program revoke prometheus 9
    """


@cli.command("key")
@click.argument("name")
@click.option("--owner", required=True, type=FOLDED, metavar="STAFF_NO", help="Who answers for the program.")
@click.option("--may", "commands", multiple=True, required=True, metavar="COMMAND", help="What it may do; repeatable.")
@click.option("--days", type=click.IntRange(1, MAX_DAYS), default=90, show_default=True, help="How long it is valid.")
@as_json
@as_
def key(name: str, owner: str, commands: tuple[str, ...], days: int, *, json_: bool, by: str | None) -> None:
    """Issue a key of a program and print it, this once: only its hash is kept.

    A program has two at most: give it the next one while the present one is still good, then revoke that. Another owner
    follows in the same way.

    \b
    Examples:
      casework program key prometheus --owner 10021 --may service.read > /etc/prometheus/casework.token
      casework program key core-bank --owner 10021 --may feed.import --may feed.read --days 180
    """
    from casework.people.identity import programs

    with changing(by, "program.change") as change:
        open_to = change.branch.rulebook.permissions.for_programs
        issued = programs.issue_program_key(
            change.conn, change.trail, change.actor, open_to, program=name, owner=owner, days=days, commands=commands
        )
    if json_:
        print_json({"program": name, "owner": owner, "id": issued.id, "key": issued.token,
                    "expires_at": issued.expires_at})  # fmt: skip
    else:
        click.echo(issued.token)


@cli.command("list")
@click.option("--owner", type=FOLDED, metavar="STAFF_NO", help="Only those that they answer for.")
@as_json
@as_
def list_(owner: str | None, *, json_: bool, by: str | None) -> None:
    """Every live key of every program: whose it is, what it may do, until when, and when it was last used.

    \b
    Examples:
      casework program list
      casework program list --owner 10021 --json
    """
    import msgspec

    from casework.people.identity import programs
    from casework.storage.database import reading

    with started() as branch, reading(branch.engine) as conn:
        permitted(conn, branch.branch, by, "program.read")
        found = programs.program_keys(conn, now(), owner)
    if json_:
        print_json(msgspec.to_builtins(found))
        return
    table = Table("program", "owned by", "id", "may", "since", "until", "last used", title=f"{len(found)} keys")
    for one in found:
        times = (one.created_at, one.expires_at, one.last_used_at)
        shown = (branch_text(at, branch.branch.time_zone, "minutes") if at else "" for at in times)
        table.add_row(one.program, one.owner, str(one.id), " ".join(one.commands), *shown)
    console.print(table)


@cli.command("revoke")
@click.argument("name")
@click.argument("key_id", type=click.IntRange(min=1))
@as_json
@as_
def revoke(name: str, key_id: int, *, json_: bool, by: str | None) -> None:
    """Revoke a key of a program; a running service forgets it within two seconds.

    \b
    Example:
      casework program revoke prometheus 9
    """
    from casework.people.identity import programs

    with changing(by, "program.change") as change:
        programs.revoke_program_key(change.conn, change.trail, change.actor, program=name, key_id=key_id)
    if json_:
        print_json({"program": name, "id": key_id})
    else:
        console.print(f"key {key_id} of {name} is revoked")


__all__ = ["cli"]
