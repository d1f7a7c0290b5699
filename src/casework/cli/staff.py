"""`casework staff`: who is in the register, with which posts, and the keys they come in with."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from rich.table import Column

from casework.cli import access, staff_changes, staff_import
from casework.cli.changing import as_, changing, date_of, day
from casework.cli.orphans import cli as orphans
from casework.cli.shell import FOLDED, as_json, console, errors, print_json, started
from casework.cli.tables import Table
from casework.clock import now
from casework.people.staff import tokens
from casework.people.staff.person import ACTIVE, LEFT, MERGED, UNVERIFIED

if TYPE_CHECKING:
    from casework.intake.enrolment.grants import PostsGranted
    from casework.people.staff.listing import Member
    from casework.people.staff.person import Person
    from casework.work.cases.branch import Branch


_TITLES = {
    "posts": "posts 岗位", "homes": "teams 团队", "certificates": "certificates 证书", "absences": "leave 请假"
}  # fmt: skip
HEADERS = {
    "from_on": "from 自", "until_on": "until", "granted_by": "granted by 授岗人", "request_id": "request",
    "issued_on": "issued", "expires_on": "ends", "deputy": "deputy 代理人",
}  # fmt: skip
"""What the fields of dated rows are called, where it is not by their own name."""


@click.group("staff")
def cli() -> None:
    """The register: people who act and own cases, their posts, teams, leave and keys.

    \b
    Examples:
      casework staff add 10021 张伟 --post phone_collector --team T1
      casework staff token 10021 --days 30
      casework staff list --post phone_collector
      casework staff import staff.xlsx --dry-run
      casework staff absent 10021 --from 2026-03-02 --until 2026-03-06 --deputy 10022
    """


for command in (*staff_changes.COMMANDS, *staff_import.COMMANDS, *access.COMMANDS, orphans):
    cli.add_command(command)


@cli.command("add")
@click.argument("staff_no", type=FOLDED)
@click.argument("name")
@click.option("--post", "posts", multiple=True, required=True, metavar="POST", help="A post of theirs; repeatable.")
@click.option("--team", help="Their team.")
@click.option("--region", help="Their region; by default their team's.")
@click.option("--capacity", type=int, help="Open cases they may have.  [default: the policy's]")
@click.option("--joined", "joined_on", type=day, help="Their first day.  [default: today]")
@click.option("--leaves", "leaves_on", type=day, help="Their last day, if it is known.")
@as_json
@as_
def add(
    staff_no: str, name: str, posts: tuple[str, ...], team: str | None, region: str | None, capacity: int | None,
    joined_on: datetime | None, leaves_on: datetime | None, *, json_: bool, by: str | None,
) -> None:  # fmt: skip
    """Register somebody; one whom a feed has named becomes active.

    At the shell their posts are granted at once, as long as the policy lets it (staff.shell_grants). With --as
    ADMINISTRATOR they are asked for, and somebody else approves (casework request).

    \b
    Examples:
      casework staff add 10021 张伟 --post business_rep --post post_loan_officer --team T1 --region R2
      casework staff add 10022 王芳 --post approver --as A1
    """
    from casework.intake.enrolment.grants import enrol

    with changing(by, "staff.change") as change:
        _, granted = enrol(
            change.conn, change.branch, change.trail, change.actor, staff_no=staff_no, name=name, posts=posts,
            team=team, region=region, capacity=capacity, joined_on=date_of(joined_on), leaves_on=date_of(leaves_on),
        )  # fmt: skip
    if json_:
        print_json({"staff_no": staff_no, **_granted(granted)})
    else:
        console.print(f"{staff_no} is registered")
        tell_granted(granted)


def _granted(granted: "list[PostsGranted]") -> dict[str, Any]:
    """Posts granted, asked for (with their request) and refused, for machines."""
    import msgspec

    return {
        "posts": [one.post for one in granted if one.request is None and not one.reasons],
        "requests": [{"post": one.post, "request": one.request} for one in granted if one.request is not None],
        "refused": [
            {"post": one.post, "reasons": [msgspec.to_builtins(reason) for reason in one.reasons]}
            for one in granted if one.reasons
        ],
    }  # fmt: skip


def tell_granted(granted: "list[PostsGranted]") -> None:
    """What became of each post, for people."""
    for one in granted:
        for reason in one.reasons:
            errors.print(f"{one.post} cannot be asked for: {reason.code}: {reason.en} / {reason.zh}")
        if one.request is not None:
            console.print(f"{one.post} is asked for in request {one.request}; somebody else approves it")
        elif not one.reasons:
            console.print(f"{one.post} is granted")


@cli.command("token")
@click.argument("staff_no", type=FOLDED)
@click.option("--days", type=click.IntRange(1, tokens.MAX_DAYS), default=tokens.DEFAULT_DAYS, show_default=True,
              help="How long it is valid.")  # fmt: skip
@as_json
@as_
def token(staff_no: str, days: int, *, json_: bool, by: str | None) -> None:
    """Issue a bearer token and print it, this once: only its hash is kept.

    \b
    Example:
      curl -H "Authorization: Bearer $(casework staff token 10021)" http://127.0.0.1:8000/me/cases
    """
    with changing(by, "staff.reset") as change:
        issued = tokens.issue(change.conn, change.trail, change.actor, staff_no=staff_no, days=days)
    if json_:
        print_json({"staff_no": staff_no, "token": issued, "days": days})
    else:
        click.echo(issued)


@cli.command("revoke")
@click.argument("staff_no", type=FOLDED)
@as_json
@as_
def revoke(staff_no: str, *, json_: bool, by: str | None) -> None:
    """Revoke every valid token of somebody; a running service forgets them within two seconds.

    \b
    Example:
      casework staff revoke 10021
    """
    from casework.people.identity import ending

    with changing(by, "staff.reset") as change:
        revoked = ending.revoke_tokens(change.conn, change.trail, change.actor, staff_no=staff_no)
    if json_:
        print_json({"staff_no": staff_no, "revoked": revoked})
    else:
        console.print(f"{revoked} token(s) of {staff_no} revoked")


# ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@cli.command("list")
@click.option("--post", help="Only those who hold it.")
@click.option("--team", help="Only those who belong to it.")
@click.option("--region", help="Only those who belong to it.")
@click.option("--status", type=click.Choice([ACTIVE, UNVERIFIED, LEFT, MERGED]), help="Only those.")
@click.option("--unverified", is_flag=True, help="Only those whom a feed named and nobody registered.")
@click.option("--on", "on_", type=day, help="Posts, teams and leave as of this day.  [default: today]")
@as_json
def list_(
    post: str | None, team: str | None, region: str | None, status: str | None, unverified: bool,
    on_: datetime | None, *, json_: bool,
) -> None:  # fmt: skip
    """Everybody, by staff number. A post marked * was granted at the shell, without four eyes.

    \b
    Examples:
      casework staff list --post approver
      casework staff list --unverified --json
      casework staff list --team T1 --on 2026-01-31
    """
    import msgspec

    from casework.people.staff import listing
    from casework.people.staff.listing import StaffWanted
    from casework.storage.database import reading

    wanted = StaffWanted(post, team, region, UNVERIFIED if unverified else status)
    with started() as branch:
        on = date_of(on_) or branch.branch.today(now())
        with reading(branch.engine) as conn:
            found = listing.members(conn, on, wanted)
        labels = _labels(branch.branch)
    if json_:
        print_json([msgspec.to_builtins(member) for member in found])
        return
    table = Table(
        "staff no", "name", Column("posts", overflow="fold"), "team", "region", "status", "capacity", "last day",
        "on leave", title=f"{len(found)} members of staff on {on}",
    )  # fmt: skip
    for member in found:
        table.add_row(*_row(member, labels))
    console.print(table)


def _row(member: "Member", labels: dict[str, str]) -> list[str]:
    posts = ", ".join(labels.get(post, post) + "*" * (post in member.shell_posts) for post in member.posts)
    leave = f"until {member.away_until}" if member.away_until else ""
    return [
        member.staff_no, member.name, posts, member.team or "", member.region or "", member.status,
        "" if member.capacity is None else f"{member.capacity:,}", str(member.leaves_on or ""),
        f"{leave}, deputy {member.deputy}" if member.deputy else leave,
    ]  # fmt: skip


@cli.command("unverified")
@as_json
def unverified_(*, json_: bool) -> None:
    """Whom a feed named and nobody registered, since when, and how many open cases each owns: confirm or merge them.

    \b
    Examples:
      casework staff unverified
      casework staff unverified --json
    """
    import msgspec

    from casework.storage.database import reading
    from casework.work.cases.unverified import unverified

    with started() as branch, reading(branch.engine) as conn:
        found = unverified(conn, branch.branch.today(now()), branch.branch.time_zone)
    if json_:
        print_json([msgspec.to_builtins(one) for one in found])
        return
    table = Table("staff no", "open cases", "first named", "days", title=f"{len(found)} unverified")
    for one in found:
        table.add_row(one.staff_no, f"{one.open_cases:,}", str(one.first_named_on), str(one.days))
    console.print(table)


@cli.command("certificates")
@click.option(
    "--within", "days", type=click.IntRange(0, 3_660), help="Ending within so many days.  [default: the policy's]"
)
@as_json
def certificates(days: int | None, *, json_: bool) -> None:
    """Certificates that have ended or soon will, without a later one of their kind.

    \b
    Examples:
      casework staff certificates
      casework staff certificates --within 90 --json
    """
    import msgspec

    from casework.people.staff import listing
    from casework.storage.database import reading

    with started() as branch, reading(branch.engine) as conn:
        today = branch.branch.today(now())
        warning: int = branch.branch.rulebook.policies.at(today).figure("staff.certificate_warning_days")
        found = listing.expiring(conn, today + timedelta(days=warning if days is None else days))
    if json_:
        print_json([msgspec.to_builtins(one) for one in found])
        return
    table = Table("staff no", "kind", "issued", "ends", title=f"{len(found)} certificates have ended or will")
    for one in found:
        table.add_row(one.staff_no, one.kind, str(one.issued_on), str(one.expires_on))
    console.print(table)


@cli.command("show")
@click.argument("staff_no", type=FOLDED)
@click.option("--on", "on_", type=day, help="Only what was in force on this day.")
@as_json
def show(staff_no: str, on_: datetime | None, *, json_: bool) -> None:
    """Everything of one person that has days: posts, teams, leave, certificates.

    \b
    Examples:
      casework staff show 10021
      casework staff show 10021 --on 2026-01-31 --json
    """
    import msgspec

    from casework.people.staff import listing
    from casework.storage.database import reading

    with started() as branch:
        on = date_of(on_)
        with reading(branch.engine, snapshot=True) as conn:
            member, person = listing.member(conn, staff_no, on or branch.branch.today(now()))
        labels = _labels(branch.branch)
    shown = listing.dated(person, on)
    if json_:
        print_json({**msgspec.to_builtins(member), **listing.particulars(person), "dated": shown})
        return
    _tell(member, person, labels)
    for title, rows in shown.items():
        if rows:
            table = Table(*(HEADERS.get(name, name) for name in rows[0]), title=_TITLES[title], title_justify="left")
            for row in rows:
                table.add_row(*("" if value is None else str(value) for value in row.values()))
            console.print(table)


def _tell(member: "Member", person: "Person", labels: dict[str, str]) -> None:
    console.print(f"{member.staff_no} {member.name}: {member.status}")
    if member.posts:
        console.print(f"posts 岗位: {', '.join(labels.get(post, post) for post in member.posts)}")
    for words, value in (
        ("team 团队", member.team), ("region 区域", member.region), ("capacity 上限", member.capacity),
        ("joined 入职", person.joined_on), ("last day 最后工作日", person.leaves_on), ("left 离职", person.left_on),
        ("returned 返岗", person.returned_on), ("is now 已并入", person.merged_into),
    ):  # fmt: skip
        if value is not None:
            console.print(f"{words}: {value}")


def _labels(branch: "Branch") -> dict[str, str]:
    from casework.people.staff.posts import post_labels

    return {code: f"{code} {words['zh']}" for code, words in post_labels(branch.rulebook.chart).items()}
