"""`casework staff`: people, their posts and their tokens."""

import click
import msgspec
from rich.table import Table
from sqlalchemy.engine import Connection

from casework.cases.branch import Branch
from casework.cli.shell import as_json, console, print_json, started
from casework.clock import now
from casework.database import reading, writing
from casework.errors import CallerError
from casework.staff import register, tokens
from casework.staff.actor import Actor, system

_as = click.option("--as", "by", metavar="STAFF_NO", help="Act as this administrator (default: system).")


@click.group("staff")
def cli() -> None:
    """People who act and own cases, their posts and their tokens.

    \b
    Examples:
      casework staff add 10021 张伟 --post phone_collector --team T1
      casework staff token 10021 --days 30
      casework staff list
      casework staff revoke 10021
    """


@cli.command("add")
@click.argument("staff_no")
@click.argument("name")
@click.option("--post", "posts", multiple=True, required=True, metavar="POST", help="A post he holds; may be repeated.")
@click.option("--team", help="His team.")
@click.option("--region", help="His region.")
@as_json
@_as
def add(
    staff_no: str, name: str, posts: tuple[str, ...], team: str | None, region: str | None, *, json_: bool,
    by: str | None,
) -> None:  # fmt: skip
    """Register somebody; one whom a feed has named becomes active.

    \b
    Example:
      casework staff add 10021 张伟 --post business_rep --post post_loan_officer --team T1 --region R2
    """
    with started() as branch, writing(branch.engine) as conn:
        trail = branch.branch.trail(now())
        member = register.add(
            conn, trail, _acting(conn, by), branch.branch.rulebook.chart, staff_no=staff_no, name=name, posts=posts,
            team=team, region=region,
        )  # fmt: skip
        trail.write(conn)
    if json_:
        print_json(member)
    else:
        console.print(f"{member.staff_no} is registered as {', '.join(member.posts)}")


@cli.command("token")
@click.argument("staff_no")
@click.option("--days", type=click.IntRange(1, tokens.MAX_DAYS), default=tokens.DEFAULT_DAYS, show_default=True,
              help="How long it is valid.")  # fmt: skip
@as_json
@_as
def token(staff_no: str, days: int, *, json_: bool, by: str | None) -> None:
    """Issue a bearer token and print it, this once: only its hash is kept.

    \b
    Example:
      curl -H "Authorization: Bearer $(casework staff token 10021)" http://127.0.0.1:8000/me/cases
    """
    with started() as branch, writing(branch.engine) as conn:
        trail = branch.branch.trail(now())
        issued = tokens.issue(conn, trail, _acting(conn, by), staff_no=staff_no, days=days)
        trail.write(conn)
    if json_:
        print_json({"staff_no": staff_no, "token": issued, "days": days})
    else:
        click.echo(issued)


@cli.command("revoke")
@click.argument("staff_no")
@as_json
@_as
def revoke(staff_no: str, *, json_: bool, by: str | None) -> None:
    """Revoke every valid token of somebody; a running service forgets them within two seconds.

    \b
    Example:
      casework staff revoke 10021
    """
    with started() as branch, writing(branch.engine) as conn:
        trail = branch.branch.trail(now())
        revoked = tokens.revoke(conn, trail, _acting(conn, by), staff_no=staff_no)
        trail.write(conn)
    if json_:
        print_json({"staff_no": staff_no, "revoked": revoked})
    else:
        console.print(f"{revoked} token(s) of {staff_no} revoked")


@cli.command("list")
@as_json
def list_(*, json_: bool) -> None:
    """Everybody, by staff number.

    \b
    Example:
      casework staff list --json
    """
    with started() as branch:
        with reading(branch.engine) as conn:
            members = register.members(conn)
        labels = _labels(branch.branch)
    if json_:
        print_json([msgspec.to_builtins(member) for member in members])
        return
    table = Table("staff no", "name", "posts", "team", "region", "status", title=f"{len(members)} members of staff")
    for member in members:
        posts = ", ".join(labels.get(post, post) for post in member.posts)
        table.add_row(member.staff_no, member.name, posts, member.team or "", member.region or "", member.status)
    console.print(table)


def _labels(branch: Branch) -> dict[str, str]:
    return {code: f"{code} {labels.get('zh', '')}".strip() for code, labels in branch.rulebook.chart.posts.items()}


def _acting(conn: Connection, by: str | None) -> Actor:
    """Who registers: an administrator, or the service itself from the shell."""
    if by is None:
        return system("cli")
    actor = register.actor_for(conn, by, "cli")
    if register.ADMINISTRATOR not in actor.posts:
        raise CallerError(
            "post_not_permitted", "只有系统管理员可以登记员工", "only an administrator may register staff",
            any_of_posts=[register.ADMINISTRATOR],
        )  # fmt: skip
    return actor
