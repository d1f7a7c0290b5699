"""`casework visit`: all that a noun can do, which cases owe a visit, and the stops of a day."""

from datetime import datetime

import click

from casework.cli import lifecycle
from casework.cli.changing import date_of, day
from casework.cli.shell import as_json, as_staff, console, permitted, print_json, started
from casework.cli.tables import Table
from casework.clock import now
from casework.money import yuan_text
from casework.work.cases.lifecycles import VISITS

cli = lifecycle.group(VISITS)
_READ = "visit.read"


@cli.command("due")
@click.option("--due-by", type=day, metavar="DAY", help="Due on this day or before.")
@click.option("--owner", metavar="STAFF_NO")
@click.option("--team")
@click.option("--region")
@click.option("--area", help="Of the visit that was ordered.")
@click.option("--planned/--not-planned", default=None, help="Whether one was ordered and not made yet.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Lines on a page.")
@click.option("--cursor", help="`next` of the page before.")
@as_json
@as_staff
def due(
    *, due_by: datetime | None, owner: str | None, team: str | None, region: str | None, area: str | None,
    planned: bool | None, limit: int, cursor: str | None, json_: bool, staff_no: str | None,
) -> None:  # fmt: skip
    """Which cases owe a visit, by the day on which it is due.

    \b
    Examples:
      casework visit due --due-by 2026-03-31 --not-planned
      casework visit due --owner S0012 --json
    """
    from casework.storage.database import reading
    from casework.work.cases.sight import reach_of
    from casework.work.cases.visits_due import VisitsDueWanted, page_of_visits_due

    wanted = VisitsDueWanted(due_by=date_of(due_by), owner=owner, team=team, region=region, area=area, planned=planned)
    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        within = reach_of(
            open_.branch, permitted(conn, open_.branch, staff_no, _READ), _READ, open_.branch.today(now())
        )
        page = page_of_visits_due(conn, wanted, within=within, limit=limit, cursor=cursor)
    if json_:
        print_json({"items": page.items, "next": page.next})
        return
    table = Table("due", "case", "loan", "principal", "owner", "state", "on hold", "planned for", "area")
    for one in page.items:
        table.add_row(
            str(one.visit_due_on), str(one.id), one.loan_id, yuan_text(one.principal_at_opening_fen), one.owner,
            one.state, ", ".join(one.holds), str(one.visit_on or ""), one.area or "",
        )  # fmt: skip
    console.print(table)


@cli.command("route")
@click.option("--on", type=day, required=True, metavar="DAY")
@click.option("--visitor", required=True, metavar="STAFF_NO")
@as_json
@as_staff
def route(*, on: datetime, visitor: str, json_: bool, staff_no: str | None) -> None:
    """Where somebody goes that day, in the order of the stops.

    \b
    Examples:
      casework visit route --on 2026-03-10 --visitor S0012
    """
    from casework.storage.database import reading
    from casework.work.cases.route import route_of
    from casework.work.cases.sight import reach_of

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        within = reach_of(
            open_.branch, permitted(conn, open_.branch, staff_no, _READ), _READ, open_.branch.today(now())
        )
        found = route_of(conn, on.date(), visitor, within=within)
    if json_:
        print_json(found)
        return
    table = Table("stop", "visit", "loan", "area", "leads", "goes along", "state")
    for one in found.stops:
        along = one.second_visitor or one.assistant or ""
        table.add_row(
            str(one.stop or ""), str(one.visit_id), one.loan_id, one.area or "", one.visitor, along, one.state
        )
    console.print(table)


@cli.command("draw")
@click.option("--from", "first", type=day, required=True, metavar="DAY")
@click.option("--to", "last", type=day, required=True, metavar="DAY")
@as_json
@as_staff
def draw(*, first: datetime, last: datetime, json_: bool, staff_no: str | None) -> None:
    """Draw photos of visits of these days that were accepted, to be checked again; the draw can be made again.

    \b
    Examples:
      casework visit draw --from 2026-02-01 --to 2026-02-28 --as S0109
    """
    from casework.storage.database import reading
    from casework.work.photos.drawing import COMMAND, draw_photos

    with started() as open_:
        with reading(open_.engine) as conn:
            actor = permitted(conn, open_.branch, staff_no, COMMAND)
        found = draw_photos(open_.engine, open_.branch, actor, first.date(), last.date())
    if json_:
        print_json(found)
        return
    console.print(f"{len(found.photos)} of {found.listed} photos 已抽取, {found.committed_id}, {found.drawn_id}")
    for photo in found.photos:
        console.print(photo, markup=False)
