"""`casework contact breaches`: what was done against the gate."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import click

from casework.cli.shell import as_json, console, print_json, started
from casework.cli.tables import Table
from casework.intake.feed.past_arrears import past_arrears
from casework.storage.database import reading
from casework.work.gate.found import found

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("breaches")
@click.option("--from", "from_", type=_DAY, help="Only of contacts that began on this day or later.")
@click.option("--to", type=_DAY, help="Only of contacts that began on this day or earlier.")
@as_json
def breaches_(from_: datetime | None, to: datetime | None, json_: bool) -> None:
    """List the contacts that the gate would have forbidden when they began, with the rules that it broke. Not paged.

    Judged against everything on record now: a row, a hold or a correction that comes late changes the answer.

    \b
    Examples:
      casework contact breaches
      casework contact breaches --from 2026-03-01 --to 2026-03-31 --json
    """
    with started() as branch, reading(branch.engine, snapshot=True) as conn:
        zone = ZoneInfo(branch.branch.time_zone)
        listed = list(found(conn, branch.branch, past_arrears, _day(from_), _day(to)))
    if json_:
        print_json([{"contact_ref": one.contact.contact_ref, "rules": list(one.rules)} for one in listed])
        return
    table = Table("contact", "began", "loan", "staff", "party", "rules")
    for one in listed:
        contact = one.contact
        began = contact.started_at.astimezone(zone).strftime("%Y-%m-%d %H:%M")
        staff = contact.staff_no or contact.agency or ""
        table.add_row(contact.contact_ref, began, contact.loan_id, staff, contact.party, ", ".join(one.rules))
    console.print(table)


def _day(given: datetime | None) -> date | None:
    return None if given is None else given.date()
