"""`casework staff reset` and `casework staff access`: how people come in, as an administrator sees it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from casework.cli.changing import as_, changing
from casework.cli.shell import FOLDED, as_json, console, permitted, print_json, started
from casework.cli.tables import Table
from casework.clock import now
from casework.instants import branch_text

if TYPE_CHECKING:
    from casework.people.identity.access import Access


@click.command("reset")
@click.argument("staff_no", type=FOLDED)
@click.option("--second-factor", is_flag=True, help="Take their second factor away too: the phone is gone.")
@as_json
@as_
def reset(staff_no: str, *, second_factor: bool, json_: bool, by: str | None) -> None:
    """Issue a one-time code with which somebody sets their password, and print it, this once.

    The way in for everybody, the first administrator included: there is no default password. An earlier code dies,
    and somebody locked after too many tries may try again.

    \b
    Examples:
      casework staff reset 10021
      casework staff reset 10021 --second-factor --as A1
    They then set the password:
      curl http://127.0.0.1:8000/session/password -H 'Content-Type: application/json' \\
        -d '{"staff_no": "10021", "code": "7KQM-2XRT-PB4C-W9HD", "new_password": "four plain words here"}'
    """
    import msgspec

    from casework.people.identity import resetting

    with changing(by, "staff.reset") as change:
        policy = change.branch.rulebook.policies.at(change.trail.today)
        issued = resetting.issue_code(
            change.conn, change.trail, policy, change.actor, staff_no=staff_no, second_factor_too=second_factor
        )
    if json_:
        print_json(msgspec.to_builtins(issued))
        return
    click.echo(issued.code)
    until = branch_text(issued.expires_at, change.branch.time_zone, "minutes")
    click.echo(f"good once, until {until}", err=True)
    if issued.awaits_second_administrator:
        click.echo("the second factor stays until another administrator asks too 须另一名管理员再次申请", err=True)


@click.command("access")
@click.argument("staff_no", type=FOLDED)
@as_json
@as_
def access(staff_no: str, *, json_: bool, by: str | None) -> None:
    """What somebody can come in with: password, second factor, open sessions, keys; and whether they are locked.

    \b
    Examples:
      casework staff access 10021
      casework staff access 10021 --json
    """
    import msgspec

    from casework.people.identity.access import access_of
    from casework.storage.database import reading

    with started() as branch, reading(branch.engine) as conn:
        permitted(conn, branch.branch, by, "staff.reset")
        found = access_of(conn, staff_no, now())
    if json_:
        print_json(msgspec.to_builtins(found))
    else:
        _print(found, branch.branch.time_zone)


def _print(found: "Access", zone: str) -> None:
    def since(moment: datetime | None, otherwise: str) -> str:
        return otherwise if moment is None else branch_text(moment, zone, "minutes")

    console.print(f"password set        {since(found.password_set_at, 'never')}")
    console.print(f"one-time code until {since(found.code_expires_at, '-')}")
    console.print(f"second factor since {since(found.second_factor_at, '-')}")
    console.print(f"locked until        {since(found.locked_until, '-')}")
    table = Table("kind", "id", "label", "may", "since", "until", "last used", title="what is open")
    rows: list[tuple[Any, ...]] = [
        ("session", one.id, "", "", one.created_at, one.expires_at, one.refreshed_at) for one in found.sessions
    ]
    rows += [
        ("key", one.id, f"program {one.program}" if one.program else one.label or "",
         " ".join(one.commands or ("all they may",)), one.created_at, one.expires_at,
         one.last_used_at)
        for one in found.keys
    ]  # fmt: skip
    for kind, number, label, may, *moments in rows:
        table.add_row(kind, str(number), label, may, *[since(moment, "") for moment in moments])
    console.print(table)


COMMANDS = (reset, access)
