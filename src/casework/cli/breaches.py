"""`casework contact breaches`: what was done against the gate."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from casework.cli.changing import as_, changing
from casework.cli.shell import as_json, console, days_of, print_json, started
from casework.cli.tables import Table
from casework.intake.dialler.reviewing import contacts_to_review
from casework.intake.feed.past_arrears import past_arrears
from casework.storage.database import reading
from casework.work.contacts.contact import to_review
from casework.work.gate.breaches import Breach
from casework.work.gate.found import found
from casework.work.gate.reviews import (
    CLEARED,
    COMMAND,
    CONFIRMED,
    EXPLAINED,
    VERDICTS,
    Review,
    review,
    reviews,
)

_VERDICTS = {CONFIRMED: "确认违规", EXPLAINED: "已说明", CLEARED: "已更正"}
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
    days = days_of(from_, to)
    with started() as branch, reading(branch.engine, snapshot=True) as conn:
        zone = ZoneInfo(branch.branch.time_zone)
        listed = list(found(conn, branch.branch, past_arrears, *days))
        reviewed = reviews(conn)
    if json_:
        print_json([{"contact_ref": one.contact.contact_ref, "rules": list(one.rules)} for one in listed])
        return
    table = Table("contact", "began", "loan", "staff", "party", "rules", "review")
    for one in listed:
        contact = one.contact
        began = contact.started_at.astimezone(zone).strftime("%Y-%m-%d %H:%M")
        staff = contact.staff_no or contact.agency or ""
        table.add_row(
            contact.contact_ref,
            began,
            contact.loan_id,
            staff,
            contact.party,
            ", ".join(one.rules),
            review_of(reviewed, one),
        )
    console.print(table)


@click.command("to-review")
@click.option("--from", "from_", type=_DAY, required=True, help="The first day on which they began.")
@click.option("--to", type=_DAY, required=True, help="The last such day.")
@as_json
def to_review_(from_: datetime, to: datetime, json_: bool) -> None:
    """List the contacts that go to review unasked: calls without a recording, messages of no template. Not paged.

    \b
    Examples:
      casework contact to-review --from 2026-03-01 --to 2026-03-31 --json
    """
    days_of(from_, to)
    with started() as branch, reading(branch.engine) as conn:
        zone = ZoneInfo(branch.branch.time_zone)
        listed = contacts_to_review(conn, from_.date(), to.date())
    told = [(one, to_review(one.channel, one.template, recorded=one.recording)) for one in listed]
    if json_:
        print_json([{"contact_ref": one.contact_ref, "source": one.source, "why": why} for one, why in told])
        return
    table = Table("contact", "began", "loan", "staff", "party", "why")
    for one, why in told:
        began = one.started_at.astimezone(zone).strftime("%Y-%m-%d %H:%M")
        table.add_row(one.contact_ref, began, one.loan_id, one.staff_no or one.agency or "", one.party, why or "")
    console.print(table)


def review_of(reviewed: Mapping[tuple[str, str], Review], breach: Breach) -> str:
    """The verdict on these very rules, if there is one."""
    one = reviewed.get((breach.contact.source, breach.contact.contact_ref))
    return f"{one.verdict} {_VERDICTS[one.verdict]}" if one and one.answers(breach.rules) else "open 待复核"


@click.command("review")
@click.argument("contact_ref")
@click.option("--verdict", type=click.Choice(VERDICTS), required=True, help="What the breach is found to be.")
@click.option("--remark", help="Why, in words; sealed.")
@click.option("--source", help="Whose contact is meant, where several sources have one of that reference.")
@as_
def review_(contact_ref: str, verdict: str, remark: str | None, source: str | None, by: str | None) -> None:
    """Review the breach of CONTACT_REF; an entry in the debtor's stream. Cleared: a correction has made it none.

    \b
    Examples:
      casework contact review m0329-5020 --verdict explained --remark 客户来电要求回拨 --as S0012
    """
    with changing(by, COMMAND) as change:
        breach = review(
            change.conn, change.trail, change.branch, change.actor, past_arrears, contact_ref, verdict, remark, source
        )
    console.print(f"{contact_ref}: {', '.join(breach.rules)} {verdict} {_VERDICTS[verdict]}", markup=False)
