"""`casework contact breaches`, `to-review`, `review`: what was done against the gate or lacks something."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from casework.cli.changing import as_, changing, day
from casework.cli.ledger import lang_option
from casework.cli.several import ResultTold, atomic_option, from_option, result_of, right, rows_of, tell_each
from casework.cli.shell import as_json, console, days_of, permitted, print_json, started
from casework.cli.tables import Table
from casework.cli.taking_out import kind_of, out_option, told_of, write_taken
from casework.errors import CallerError
from casework.instants import branch_text
from casework.work.gate.reviews import VERDICT_WORDS, VERDICTS, ReviewAsked

if TYPE_CHECKING:
    from casework.table import Lang
    from casework.work.gate.reviews import Review, ReviewDone
    from casework.work.gate.subjects import Subject


@click.command("breaches")
@click.option("--from", "from_", type=day, help="Only of contacts that began on this day or later.")
@click.option("--to", type=day, help="Only of contacts that began on this day or earlier.")
@as_json
def breaches_(from_: datetime | None, to: datetime | None, json_: bool) -> None:
    """List the contacts that the gate would have forbidden when they began, with the rules that it broke. Not paged.

    Judged against everything on record now: a row, a hold or a correction that comes late changes the answer.

    \b
    Examples:
      casework contact breaches
      casework contact breaches --from 2026-03-01 --to 2026-03-31 --json
    """
    from casework.intake.feed.past_arrears import past_arrears
    from casework.storage.database import reading
    from casework.work.gate.found import found
    from casework.work.gate.reviews import reviews
    from casework.work.gate.subjects import of_breaches

    days = days_of(from_, to)
    with started() as branch, reading(branch.engine, snapshot=True) as conn:
        zone = branch.branch.time_zone
        listed = list(of_breaches(branch.branch, found(conn, branch.branch, past_arrears, *days)))
        reviewed = reviews(conn, [one.contact for one in listed])
    if json_:
        print_json([{"contact_ref": one.contact.contact_ref, "rules": list(one.rules)} for one in listed])
        return
    table = Table("contact", "began", "loan", "staff", "party", "rules", "review")
    for one in listed:
        contact = one.contact
        began = branch_text(contact.started_at, zone, "minutes")
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
@click.option("--from", "from_", type=day, required=True, help="The first day on which they began.")
@click.option("--to", type=day, required=True, help="The last such day.")
@out_option("Write them into")
@lang_option
@as_json
@as_
def to_review_(from_: datetime, to: datetime, out: Path | None, lang: "Lang", json_: bool, by: str | None) -> None:
    """List the contacts that go to review, with their reasons and what the review made of them. Not paged.

    With --out they are written into FILE, the report of the period; an entry has its digest.

    \b
    Reasons beside the rules of the gate:
      unrecorded         a call of which there is no recording
      no_template        a message of no template
      unregistered_line  a line that policy (contact.lines) does not name; while it names none, none is questioned
      unknown_template   a template that policy (contact.templates) does not name; likewise

    \b
    Examples:
      casework contact to-review --from 2026-03-01 --to 2026-03-31 --json
      casework contact to-review --from 2026-03-01 --to 2026-03-31 --out reviews.xlsx --as S0012
    """
    from casework.intake.feed.past_arrears import past_arrears
    from casework.storage.database import reading
    from casework.work.contacts.registered import WHY
    from casework.work.gate.reviews import READ, reviews
    from casework.work.gate.subjects import subjects

    days_of(from_, to)
    if out is not None:
        _write(out, from_.date(), to.date(), lang, by)
        return
    with started() as branch, reading(branch.engine, snapshot=True) as conn:
        zone = branch.branch.time_zone
        permitted(conn, branch.branch, by, READ)
        listed = subjects(conn, branch.branch, past_arrears, from_.date(), to.date()).items
        reviewed = reviews(conn, [one.contact for one in listed])
    if json_:
        print_json([_told(reviewed, one) for one in listed])
        return
    table = Table("contact", "began", "loan", "staff", "party", "why", "review")
    for one in listed:
        contact = one.contact
        began = branch_text(contact.started_at, zone, "minutes")
        why = ", ".join([*one.rules, *(f"{code} {WHY[code][0]}" for code in one.lacks)])
        staff = contact.staff_no or contact.agency or ""
        table.add_row(contact.contact_ref, began, contact.loan_id, staff, contact.party, why, review_of(reviewed, one))
    console.print(table)


def _write(out: Path, first: date, last: date, lang: "Lang", by: str | None) -> None:
    from casework.evidence.evening.review_sheet import review_file
    from casework.work.gate.reviews import READ

    with changing(by, READ) as change:
        taken = review_file(change.conn, change.branch, first, last, change.actor, kind_of(out), lang)
        file = write_taken(change.conn, change.branch, change.actor, taken, out)
    console.print(told_of(taken, file, "contacts 条联系"), markup=False)


def _told(reviewed: "Mapping[tuple[str, str], Review]", one: "Subject") -> dict[str, Any]:
    from casework.work.gate.reviews import verdict_on

    known = verdict_on(reviewed, one)
    return {
        "contact_ref": one.contact.contact_ref, "source": one.contact.source, "why": (one.lacks or one.rules)[0],
        "reasons": list(one.reasons), "verdict": known and known.verdict, "reviewed_by": known and known.actor_id,
    }  # fmt: skip


def review_of(reviewed: "Mapping[tuple[str, str], Review]", subject: "Subject") -> str:
    """The verdict on it for these very reasons, if there is one."""
    from casework.work.gate.reviews import verdict_on

    one = verdict_on(reviewed, subject)
    return f"{one.verdict} {VERDICT_WORDS[one.verdict][0]}" if one else "open 待复核"


_COLUMNS = ReviewAsked._fields
_NEEDED = ("contact_ref", "verdict")
_MOST = 50


@click.command("review")
@click.argument("contact_ref", required=False)
@click.option("--verdict", type=click.Choice(VERDICTS), help="What it is found to be.")
@click.option("--remark", help="Why, in words; sealed.")
@click.option("--source", help="Whose contact is meant, where several sources have one of that reference.")
@from_option(_COLUMNS, _MOST)
@atomic_option
@as_json
@as_
def review_(
    *, contact_ref: str | None, verdict: str | None, remark: str | None, source: str | None, file: Path | None,
    atomic: bool, json_: bool, by: str | None,
) -> None:  # fmt: skip
    """Review the contact CONTACT_REF; an entry in the debtor's stream. Cleared: nothing is to be reviewed any more.

    Exit code 0 if all are recorded, 1 if one is not, 2 usage.

    \b
    Examples:
      casework contact review m0329-5020 --verdict explained --remark 客户来电要求回拨 --as S0012
      casework contact review --from verdicts.csv --atomic --as S0012
    """
    from casework.intake.feed.past_arrears import past_arrears
    from casework.work.gate.reviews import COMMAND, review_many

    blank = dict.fromkeys(_NEEDED, "")
    rows = rows_of(file, _COLUMNS, _NEEDED, _MOST) if file else None
    asked = [ReviewAsked(**blank | row) for row in rows or ()]
    if file is None:
        if contact_ref is None or verdict is None:
            raise click.UsageError("give CONTACT_REF and --verdict, or --from FILE")
        asked = [ReviewAsked(contact_ref, verdict, remark, source)]
    with changing(by, COMMAND) as change:
        told = review_many(
            change.conn, change.trail, change.branch, change.actor, past_arrears, asked, atomic=atomic
        )  # fmt: skip
        results = [_result(one, became) for one, became in zip(asked, told, strict=True)]
        if file is None:
            right(results[0])
    tell_each("reviews", results, _reviewed, by="contact_ref", json_=json_, rows=rows)


def _result(asked: ReviewAsked, became: "ReviewDone | CallerError") -> ResultTold:
    told = {"contact_ref": asked.contact_ref}
    if isinstance(became, CallerError):
        return told | result_of(became)
    reasons = list(became.subject.reasons)
    return told | result_of(None) | {"verdict": asked.verdict, "reasons": reasons, "entry_id": became.entry_id}


def _reviewed(one: ResultTold) -> str:
    return f"{', '.join(one['reasons'])} {one['verdict']} {VERDICT_WORDS[one['verdict']][0]}"
