"""`casework contact book`, `add`, `mark`: the numbers and addresses of a debtor, with state and source."""

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from casework.cli.changing import date_of, day
from casework.cli.several import ResultTold, atomic_option, from_option, result_of, right, rows_of, tell_each
from casework.cli.shell import as_json, as_staff, console, permitted, print_json, started
from casework.cli.tables import NONE, Table
from casework.clock import now
from casework.errors import CallerError
from casework.instants import branch_text
from casework.intake.contact_book.adding import ADDRESS_KINDS, MOST, RELATIONS, NewWay
from casework.intake.contact_book.marking import MARKS, Mark
from casework.work.contacts.contact import PARTIES

if TYPE_CHECKING:
    from casework.intake.contact_book.adding import Added, NotAdded
    from casework.intake.contact_book.marking import Marked
    from casework.intake.contact_book.shown import ContactBook
    from casework.operation.startup import Started

_COLUMNS = tuple(NewWay.__struct_fields__)
_NEEDED = ("loan_id", "role", "source", "legal_basis")
_BLANK = dict.fromkeys(_NEEDED, "")


@click.command("book")
@click.argument("loan_id", metavar="LOAN")
@click.option("--as-of", type=day, help="As it was at the end of this day.")
@as_json
@as_staff
def book_(loan_id: str, as_of: datetime | None, json_: bool, staff_no: str | None) -> None:
    """Show the contact book of LOAN's debtor, numbers masked; that it was shown is an entry.

    As of a day: by contacts that had begun by its end (as put right since), what was entered and feeds had brought.

    \b
    Examples:
      casework contact book L2024000917
      casework contact book L2024000917 --as-of 2026-03-09
      casework contact book L2024000917 --as S0012 --json
    """
    with started() as open_:
        book, zone = _looked_at(open_, loan_id, staff_no, date_of(as_of)), open_.branch.time_zone
    if json_:
        print_json(book)
        return
    table = Table(
        "id", "role", "relation", "phone", "address", "state", "source", "found by", "last tried", "last connected"
    )
    for one in book.items:
        tried, connected = (
            branch_text(at, zone, "minutes") if at is not None else ""
            for at in (one.last_tried_at, one.last_connected_at)
        )
        state = "ended 已停用" if one.ended_at is not None else one.state
        source = " / ".join(filter(None, (one.source, one.legal_basis)))
        table.add_row(
            str(one.id), one.role, one.relation or "", one.phone or "", one.address or "", state, source or NONE,
            one.found_by or "feed", tried, connected,
        )  # fmt: skip
    console.print(table)


def _looked_at(open_: "Started", loan_id: str, staff_no: str | None, as_of: date | None) -> "ContactBook":
    from casework.intake.contact_book.shown import COMMAND as LOOK
    from casework.intake.contact_book.shown import contact_book
    from casework.intake.feed.last_known import customer_of_loan
    from casework.storage.database import reading, writing
    from casework.work.cases.disclosure import record_read
    from casework.work.cases.sight import reach_of

    branch = open_.branch
    with reading(open_.engine, snapshot=True) as conn:
        actor = permitted(conn, branch, staff_no, LOOK)
        customer = customer_of_loan(conn, loan_id, reach_of(branch, actor, LOOK, branch.today(now())))
        book = contact_book(conn, branch, actor, customer, as_of)
    if book.fields:
        with writing(open_.engine) as conn:
            record_read(conn, branch, actor, [customer], book.fields)
    return book


@click.command("add")
@click.argument("loan_id", metavar="LOAN", required=False)
@click.option("--role", type=click.Choice(PARTIES), help="Who is reached there.")
@click.option("--phone")
@click.option("--address")
@click.option("--address-kind", type=click.Choice(ADDRESS_KINDS))
@click.option("--name", help="Whose it is.")
@click.option("--relation", type=click.Choice(RELATIONS))
@click.option("--source", help="A code of statecharts/rules/sources.toml.")
@click.option("--legal-basis", help="A ground that the source has there.")
@click.option("--found-by", help="Who found it, where that is not whoever enters it.")
@from_option(_COLUMNS, MOST)
@atomic_option
@as_json
@as_staff
def add_(*, file: Path | None, atomic: bool, json_: bool, staff_no: str | None, **fields: str | None) -> None:
    """Enter a number or an address of LOAN's debtor or somebody around them, with its source and legal ground.

    What is in the book already changes nothing. An unknown or unlawful source is refused. Exit code 0 if all are in
    the book now, 1 if one is not, 2 usage.

    \b
    Examples:
      casework contact add L2024000917 --role contact --relation sibling --phone 12000000000 \\
        --source debtor --legal-basis consent --as S0012
      casework contact add --from found.csv --json
    """
    import msgspec

    from casework.intake.contact_book.adding import COMMAND, add
    from casework.storage.database import writing

    rows = rows_of(file, _COLUMNS, _NEEDED, MOST) if file is not None else None
    given = [_row(fields)] if rows is None else [msgspec.convert(_BLANK | row, NewWay) for row in rows]
    with started() as open_:
        with writing(open_.engine) as conn:
            actor = permitted(conn, open_.branch, staff_no, COMMAND)
            told = add(conn, open_.branch, given, actor, now(), atomic=atomic)
        results = [_plain(one) for one in told]
        if file is None:
            right(results[0])
    tell_each(
        "entries", results, lambda one: f"contact {one['contact_id']}, {_said(one)}", by="", json_=json_, rows=rows
    )


def _row(fields: dict[str, str | None]) -> NewWay:
    missing = [name for name in _NEEDED if not fields.get(name)]
    if missing:
        named = ["LOAN" if name == "loan_id" else f"--{name.replace('_', '-')}" for name in missing]
        raise click.UsageError(f"missing {', '.join(named)} (or --from FILE)")
    given: Any = {name: value for name, value in fields.items() if value is not None}
    return NewWay(**given)


def _plain(one: "Added | NotAdded") -> dict[str, Any]:
    from casework.intake.contact_book.adding import Added

    if isinstance(one, Added):
        return {"outcome": "done" if one.entry_id else "repeated", **one._asdict()}
    return {"outcome": one.code, "field": one.field or None, "zh": one.zh, "en": one.en}


def _said(one: ResultTold) -> str:
    return f"entry {one['entry_id']}" if one["entry_id"] else "known already 已有"


_MARK_COLUMNS = Mark._fields


@click.command("mark")
@click.argument("contact_id", type=int, required=False)
@click.argument("what", type=click.Choice(MARKS), required=False)
@click.option("--remark", help="How that became known; sealed.")
@from_option(_MARK_COLUMNS, MOST)
@atomic_option
@as_json
@as_staff
def mark_(
    *, contact_id: int | None, what: str | None, remark: str | None, file: Path | None, atomic: bool, json_: bool,
    staff_no: str | None,
) -> None:  # fmt: skip
    """Note of an entry of the contact book that whoever is there refused (for ever), or that it is ended.

    Exit code 0 if all have their mark now, 1 if one has not, 2 usage.

    \b
    Examples:
      casework contact mark 9 refused --remark 来信要求不再联系 --as S0012
      casework contact mark 9 ended --remark 登记有误
      casework contact mark --from refusals.csv --atomic --json
    """
    from casework.intake.contact_book.marking import COMMAND as MARK
    from casework.intake.contact_book.marking import mark_many
    from casework.storage.database import writing

    rows = rows_of(file, _MARK_COLUMNS, _MARK_COLUMNS, MOST) if file else None
    if wordless := [str(rows.line(at)) for at, row in enumerate(rows or ()) if rows and not row.get("remark")]:
        raise click.UsageError(f"line {', '.join(wordless)}: every mark needs a remark 须填写备注")
    asked = [_mark_of(row) for row in rows or ()]
    if file is None:
        if contact_id is None or what is None or not remark:
            raise click.UsageError("give CONTACT_ID, WHAT and --remark, or --from FILE")
        asked = [Mark(contact_id, what, remark)]
    with started() as open_:
        with writing(open_.engine) as conn:
            actor = permitted(conn, open_.branch, staff_no, MARK)
            told = mark_many(conn, open_.branch, asked, actor, now(), atomic=atomic)
        results = [_mark_told(one, became) for one, became in zip(asked, told, strict=True)]
        alone = right(results[0]) if file is None else None
    if alone is not None and json_:
        print_json(alone)
    else:
        tell_each("marks", results, lambda one: f"{one['mark']}, {_said(one)}", by="contact_id", json_=json_, rows=rows)


def _mark_of(row: dict[str, str]) -> Mark:
    number = row.get("contact_id", "")
    known = int(number) if number.isascii() and number.isdecimal() and len(number) < 16 else 0
    return Mark(known, row.get("mark", ""), row["remark"])


def _mark_told(one: Mark, became: "Marked | CallerError") -> dict[str, Any]:
    from casework.intake.contact_book.marking import Marked

    if isinstance(became, Marked):
        return {"outcome": "done" if became.entry_id else "repeated", **became._asdict()}
    return {"contact_id": one.contact_id, **result_of(became)}
