"""`casework staff …`: what changes somebody who is in the register; each command is one entry."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from casework.cli.changing import as_, changing, date_of, day
from casework.cli.shell import FOLDED, as_json, console, errors, print_json, started
from casework.cli.tables import NONE, Table
from casework.people.staff import absence

if TYPE_CHECKING:
    from casework.people.staff.person import Person


_GONE = "none"


def _told(person: "Person", en: str, *, json_: bool) -> None:
    from casework.people.staff.listing import dated, particulars

    if json_:
        print_json({
            "staff_no": person.staff_no, "status": person.status, "capacity": person.capacity, **particulars(person),
            "dated": dated(person),
        })  # fmt: skip
    else:
        console.print(en)


@click.command("confirm")
@click.argument("staff_no", type=FOLDED)
@click.argument("name")
@click.option("--team", help="Their team.")
@click.option("--region", help="Their region; by default their team's.")
@as_json
@as_
def confirm(staff_no: str, name: str, team: str | None, region: str | None, *, json_: bool, by: str | None) -> None:
    """Somebody whom only a feed named is who they seem: they become active and keep their cases. Posts come next.

    \b
    Examples:
      casework staff confirm 10077 李强 --team T2
      casework staff post grant 10077 business_rep
    """
    from casework.people.staff import register

    with changing(by, "staff.change") as change:
        person = register.confirm(
            change.conn, change.trail, change.actor, staff_no=staff_no, name=name, team=team, region=region
        )
    _told(person, f"{staff_no} is confirmed; they hold no post yet", json_=json_)


@click.command("merge")
@click.argument("staff_no", type=FOLDED)
@click.argument("into")
@as_json
@as_
def merge(staff_no: str, into: str, *, json_: bool, by: str | None) -> None:
    """Somebody whom only a feed named is INTO, who is registered: the cases go there, the number means INTO from now.

    \b
    Example:
      casework staff merge 1OO21 10021
    """
    from casework.work.cases.merging import merge as merge_into

    with changing(by, "staff.change") as change:
        moved = merge_into(change.conn, change.branch, change.trail, change.actor, staff_no=staff_no, into=into)
    if json_:
        print_json({"staff_no": staff_no, "into": into, "cases": moved})
    else:
        console.print(f"{staff_no} is merged into {into}; {moved} case(s) went with them")


@click.command("change")
@click.argument("staff_no", type=FOLDED)
@click.option("--name", help="Their new name.")
@click.option("--capacity", metavar="CASES|none", help="Open cases they may have; none: the policy's figure.")
@click.option("--joined", "joined_on", type=day, help="Their first day.")
@click.option("--leaves", "leaves_on", metavar="DATE|none", help="Their last day; none: they stay.")
@as_json
@as_
def change_(
    staff_no: str, name: str | None, capacity: str | None, joined_on: datetime | None, leaves_on: str | None, *,
    json_: bool, by: str | None,
) -> None:  # fmt: skip
    """Change somebody's name, capacity, first or last day. Whoever leaves needs a hand-over plan (casework handover).

    \b
    Examples:
      casework staff change 10021 --capacity 800
      casework staff change 10021 --leaves 2026-04-30
      casework staff change 10021 --leaves none
    """
    from casework.people.staff import register

    figures: dict[str, Any] = {}
    if capacity is not None:
        figures["capacity"] = None if capacity == _GONE else int(click.INT(capacity))
    if leaves_on is not None:
        figures["leaves_on"] = None if leaves_on == _GONE else day.convert(leaves_on, None, None).date()
    with changing(by, "staff.change") as change:
        person = register.change(
            change.conn, change.trail, change.actor, staff_no=staff_no, name=name, joined_on=date_of(joined_on),
            figures=figures,
        )  # fmt: skip
    _told(person, f"{staff_no} is changed", json_=json_)


@click.command("move")
@click.argument("staff_no", type=FOLDED)
@click.option("--team", help="The new team; left out: none.")
@click.option("--region", help="The new region; by default the team's.")
@click.option("--from", "from_on", type=day, help="From this day on.  [default: today]")
@as_json
@as_
def move(
    staff_no: str, team: str | None, region: str | None, from_on: datetime | None, *, json_: bool, by: str | None
) -> None:
    """Somebody belongs to another team and region. Their cases stay theirs: to hand them over, plan a transfer.

    \b
    Examples:
      casework staff move 10021 --team T2 --from 2026-04-01
      casework handover plan 10021 --transfer --team T2
    """
    from casework.people.staff import register

    with changing(by, "staff.change") as change:
        person = register.move(
            change.conn, change.trail, change.actor, staff_no=staff_no, team=team, region=region,
            from_on=date_of(from_on) or change.trail.today, cause={},
        )  # fmt: skip
    _told(person, f"{staff_no} belongs to team {team or NONE}, region {person.homes[-1].region or NONE}"
          if team or region else f"{staff_no} belongs to no team", json_=json_)  # fmt: skip


@click.command("return")
@click.argument("staff_no", type=FOLDED)
@click.option("--team", help="Their team.")
@click.option("--region", help="Their region; by default their team's.")
@as_json
@as_
def return_(staff_no: str, team: str | None, region: str | None, *, json_: bool, by: str | None) -> None:
    """Somebody who left is back, without posts, keys and any of their old cases.

    \b
    Example:
      casework staff return 10021 --team T1
    """
    from casework.people.staff import register

    with changing(by, "staff.change") as change:
        person = register.come_back(
            change.conn, change.trail, change.actor, staff_no=staff_no, team=team, region=region
        )
    _told(person, f"{staff_no} is back; they hold no post yet", json_=json_)


@click.command("absent")
@click.argument("staff_no", type=FOLDED)
@click.option("--from", "from_on", type=day, required=True, help="First day of the leave.")
@click.option("--until", "until_on", type=day, required=True, help="Its last day.")
@click.option(
    "--reason", type=click.Choice(list(absence.REASONS)), default="leave", show_default=True, help="Why they are away."
)
@click.option("--deputy", type=FOLDED, metavar="STAFF_NO", help="Who sees and acts in their place meanwhile.")
@as_json
@as_
def absent(
    staff_no: str, from_on: datetime, until_on: datetime, reason: str, deputy: str | None, *, json_: bool,
    by: str | None,
) -> None:  # fmt: skip
    """Somebody is on leave; their deputy acts in their place on those days, and the log names both.

    \b
    Example:
      casework staff absent 10021 --from 2026-03-02 --until 2026-03-06 --deputy 10022
    """
    with changing(by, "leave.own") as change:
        absence.check_recorder(
            change.conn, change.branch.rulebook.permissions, change.actor, staff_no, deputy,
            (from_on.date(), until_on.date()), today=change.trail.today,
        )  # fmt: skip
        person = absence.absent(
            change.conn, change.trail, change.actor, change.branch.rulebook.permissions, staff_no=staff_no,
            from_on=from_on.date(), until_on=until_on.date(), reason=reason, deputy=deputy,
        )  # fmt: skip
    told = f", {deputy} deputises" if deputy else ""
    _told(person, f"{staff_no} is away from {from_on.date()} to {until_on.date()}{told}", json_=json_)


@click.command("back")
@click.argument("staff_no", type=FOLDED)
@click.option("--from", "from_on", type=day, required=True, help="First day of the leave that ends.")
@click.option("--on", "on_", type=day, help="Its last day now.  [default: yesterday; with a deputy today]")
@as_json
@as_
def back(staff_no: str, from_on: datetime, on_: datetime | None, *, json_: bool, by: str | None) -> None:
    """Somebody is back early from leave, and with that their deputy's part ends.

    \b
    Example:
      casework staff back 10021 --from 2026-03-02 --on 2026-03-04
    """
    with changing(by, "leave.own") as change:
        absence.check_recorder(
            change.conn, change.branch.rulebook.permissions, change.actor, staff_no, None, today=change.trail.today
        )
        person = absence.end_absence(
            change.conn, change.trail, change.actor, staff_no=staff_no, from_on=from_on.date(),
            on=date_of(on_),
        )  # fmt: skip
    _told(person, f"the leave of {staff_no} from {from_on.date()} has ended", json_=json_)


@click.command("certify")
@click.argument("staff_no", type=FOLDED)
@click.argument("kind")
@click.option("--issued", "issued_on", type=day, required=True, help="When it was issued.")
@click.option("--expires", "expires_on", type=day, help="Its last day, if it has one.")
@as_json
@as_
def certify(
    staff_no: str, kind: str, issued_on: datetime, expires_on: datetime | None, *, json_: bool, by: str | None
) -> None:
    """A training certificate, of a KIND such as collector_training.

    \b
    Example:
      casework staff certify 10021 collector_training --issued 2026-01-15 --expires 2027-01-14
    """
    with changing(by, "staff.change") as change:
        person = absence.certify(
            change.conn, change.trail, change.actor, staff_no=staff_no, kind=kind, issued_on=issued_on.date(),
            expires_on=date_of(expires_on),
        )  # fmt: skip
    _told(person, f"{staff_no} has the certificate {kind}", json_=json_)


# ── posts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@click.group("post")
def post_() -> None:
    """Grant and end posts of somebody in the register.

    \b
    Examples:
      casework staff post grant 10021 approver --as A1
      casework staff post end 10021 approver
    """


@post_.command("grant")
@click.argument("staff_no", type=FOLDED)
@click.argument("post")
@click.option("--from", "from_on", type=day, help="First day.  [default: today]")
@click.option("--until", "until_on", type=day, help="Last day.  [default: without end]")
@as_json
@as_
def grant(
    staff_no: str, post: str, from_on: datetime | None, until_on: datetime | None, *, json_: bool, by: str | None
) -> None:
    """Ask for a post (--as ADMINISTRATOR, somebody else approves), or grant it at the shell while the policy lets it.

    \b
    Examples:
      casework staff post grant 10021 approver --until 2026-12-31 --as A1
      casework request approve 4 --as B1
    """
    import msgspec

    from casework.intake.enrolment.grants import grant as grant_one

    with changing(by, "staff.change") as change:
        granted = grant_one(
            change.conn, change.branch, change.trail, change.actor, staff_no=staff_no, post=post,
            from_on=date_of(from_on) or change.trail.today, until_on=date_of(until_on),
        )  # fmt: skip
    if json_:
        print_json(msgspec.to_builtins(granted))
    elif granted.request is not None:
        console.print(f"{post} is asked for in request {granted.request}; somebody else approves it")
    elif not granted.reasons:
        console.print(f"{staff_no} holds {post}")
    for reason in granted.reasons:
        errors.print(f"{reason.code}: {reason.en} / {reason.zh}")
    if granted.reasons:
        raise click.exceptions.Exit(1)


@post_.command("end")
@click.argument("staff_no", type=FOLDED)
@click.argument("post")
@click.option("--on", "on_", type=day, help="Its last day.  [default: yesterday, so that it ends at once]")
@as_json
@as_
def end(staff_no: str, post: str, on_: datetime | None, *, json_: bool, by: str | None) -> None:
    """End a post; that takes no four eyes.

    \b
    Example:
      casework staff post end 10021 approver --on 2026-03-31
    """
    from casework.people.staff import register
    from casework.people.staff.person import day_before

    with changing(by, "staff.change") as change:
        person = register.end_post(
            change.conn, change.trail, change.actor, staff_no=staff_no, post=post,
            on=date_of(on_) or day_before(change.trail.today),
        )  # fmt: skip
    _told(person, f"{staff_no} no longer holds {post}" if on_ is None else f"{post} of {staff_no} ends", json_=json_)


# ── teams and regions ───────────────────────────────────────────────────────────────────────────────────────────────


@click.command("team")
@click.argument("code")
@click.argument("name")
@click.option("--region", help="The region in which it lies.")
@as_
def team(code: str, name: str, region: str | None, *, by: str | None) -> None:
    """Register a team, or give it another name or region. Once one is registered, no other can be named.

    \b
    Example:
      casework staff team T1 江岸一组 --region R1
    """
    from casework.people.staff import places

    with changing(by, "team.change") as change:
        places.set_team(change.conn, change.trail, change.actor, code=code, name=name, region=region)
    console.print(f"team {code} {name}" + (f" in region {region}" if region else ""))


@click.command("region")
@click.argument("code")
@click.argument("name")
@as_
def region_(code: str, name: str, *, by: str | None) -> None:
    """Register a region, or give it another name.

    \b
    Example:
      casework staff region R1 武汉
    """
    from casework.people.staff import places

    with changing(by, "team.change") as change:
        places.set_region(change.conn, change.trail, change.actor, code=code, name=name)
    console.print(f"region {code} {name}")


@click.command("teams")
@as_json
def teams(*, json_: bool) -> None:
    """Every registered team and region.

    \b
    Example:
      casework staff teams --json
    """
    from casework.people.staff import places
    from casework.storage.database import reading

    with started() as branch, reading(branch.engine) as conn:
        found, regions = places.all_teams(conn), places.all_regions(conn)
    if json_:
        print_json({"teams": [one._asdict() for one in found], "regions": [one._asdict() for one in regions]})
        return
    table = Table("team", "name", "region", title=f"{len(found)} teams, {len(regions)} regions")
    for one in found:
        table.add_row(*(value or "" for value in one))
    for place in regions:
        table.add_row("", place.name, place.code)
    console.print(table)


COMMANDS: Sequence[click.Command] = (
    confirm, merge, change_, move, return_, absent, back, certify, post_, team, region_, teams,
)  # fmt: skip
