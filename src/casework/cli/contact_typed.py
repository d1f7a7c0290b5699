"""`casework contact record` and `list`: a contact typed at the shell, and what the log holds of a loan's."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from casework.cli.several import ResultTold, atomic_option, from_option, right, rows_of, tell_each
from casework.cli.shell import as_json, as_option, as_staff, console, permitted, print_json, started
from casework.cli.tables import Table
from casework.clock import now
from casework.instants import branch_text
from casework.intake.dialler.row import COLUMNS_OF_ROW
from casework.intake.dialler.typed import MOST

if TYPE_CHECKING:
    from casework.intake.dialler.listing import ContactLine
    from casework.intake.dialler.typed import Told
    from casework.operation.startup import Started


def _columns(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each column of a contact file."""
    for name in reversed(COLUMNS_OF_ROW):
        command = click.option(f"--{name.replace('_', '-')}", name)(command)
    return command


def result_of(told: "Told") -> dict[str, Any]:
    """What became of one, as JSON has it."""
    from casework.intake.dialler.recording import REPEATED, Recorded
    from casework.intake.dialler.typed import texts_of_kind

    became = told.became
    if isinstance(became, Recorded):
        done = {"outcome": "done", "late": became.contact.late, "entry_id": became.entry_id}
        return {"contact_ref": told.contact_ref, **done}
    known = {"contact_ref": told.contact_ref, "outcome": became.kind, "late": False, "entry_id": None}
    if became is REPEATED:
        return known
    zh, en = texts_of_kind(became.kind)
    return known | {"column": became.column or None, "zh": zh, "en": en}


def tell_many(told: "Sequence[Told]", *, json_: bool, rows: object = None) -> None:
    """A result for each; exit code 1 if one is not there now."""
    tell_each("contacts", [result_of(one) for one in told], _said, by="contact_ref", json_=json_, rows=rows)


def _said(one: ResultTold) -> str:
    known = f"entry {one['entry_id']}" if one["entry_id"] else "known already 已有"
    return f"{known}{', late 补录' if one['late'] else ''}"


@click.command("record")
@_columns
@from_option(COLUMNS_OF_ROW, MOST)
@atomic_option
@as_json
@as_option("actor_no")
def record_(*, file: Path | None, atomic: bool, json_: bool, actor_no: str | None, **cells: str | None) -> None:
    """Record one contact that was made, or some: columns, codes and checks of a contact file.

    Known by its reference: the same again changes nothing. Typed later than the policy's hours it is marked late
    (补录). Exit code 0 recorded or known already, 1 refused, 2 usage.

    \b
    Examples:
      casework contact record --contact-ref S0012-07 --loan-id L2024000917 --party debtor --channel call \\
        --phone 12000000000 --started-at 2026-03-09T10:00:00+08:00 --result no_answer --as S0012
      casework contact record --from today.csv --atomic --as S0012
    """
    from casework.intake.dialler.row import COLUMNS_NEEDED, KNOWN
    from casework.storage.driver_errors import again_on_conflict

    if file is not None:
        given = rows_of(file, COLUMNS_OF_ROW, COLUMNS_NEEDED, MOST, KNOWN)
        with started() as open_:
            told = again_on_conflict(lambda: _recorded(open_, given, actor_no, atomic=atomic))
        tell_many(told, json_=json_, rows=given)
        return
    row = {name: cell for name, cell in cells.items() if cell is not None}
    if missing := [f"--{name.replace('_', '-')}" for name in COLUMNS_NEEDED if name not in row]:
        raise click.UsageError(f"missing {', '.join(missing)} (or --from FILE)")
    with started() as open_:
        (one,) = again_on_conflict(lambda: _recorded(open_, [row], actor_no, atomic=True))
        result = right(result_of(one))
    if json_:
        print_json(result)
    else:
        console.print(f"{one.contact_ref}: {_said(result)}", markup=False)


def _recorded(
    open_: "Started", given: Sequence[Mapping[str, str]], staff_no: str | None, *, atomic: bool
) -> "list[Told]":  # fmt: skip
    from casework.intake.dialler.typed import COMMAND, record_typed
    from casework.storage.database import writing

    with writing(open_.engine) as conn:
        actor = permitted(conn, open_.branch, staff_no, COMMAND)
        return record_typed(conn, open_.branch, given, actor, now(), atomic=atomic)


@click.command("list")
@click.argument("loan_id", metavar="LOAN")
@as_json
@as_staff
def list_(loan_id: str, json_: bool, staff_no: str | None) -> None:
    """List the contacts made for LOAN, the newest first, numbers masked; that they were shown is an entry.

    \b
    Examples:
      casework contact list L2024000917
      casework contact list L2024000917 --as S0012 --json
    """
    with started() as open_:
        items, zone = _listed(open_, loan_id, staff_no), open_.branch.time_zone
    if json_:
        print_json({"items": items})
        return
    table = Table("began", "contact", "party", "channel", "result", "phone", "staff", "entered late")
    for one in items:
        began = branch_text(one.started_at, zone)
        result, staff = f"{one.result} {one.zh}", one.staff_no or one.agency or ""
        late = "late 补录" if one.late else ""
        table.add_row(began, one.contact_ref, one.party, one.channel, result, one.phone or "", staff, late)
    console.print(table)


def _listed(open_: "Started", loan_id: str, staff_no: str | None) -> "list[ContactLine]":
    """All of them, once it is on record that they were shown."""
    from casework.intake.dialler.listing import COMMAND as LOOK
    from casework.intake.dialler.listing import ContactPage, contacts_page
    from casework.intake.feed.last_known import customer_of_loan
    from casework.storage.database import reading, writing
    from casework.work.cases.disclosure import record_read
    from casework.work.cases.paging import MAX_PAGE
    from casework.work.cases.sight import reach_of

    branch, pages = open_.branch, list[ContactPage]()
    with reading(open_.engine, snapshot=True) as conn:
        actor = permitted(conn, branch, staff_no, LOOK)
        customer = customer_of_loan(conn, loan_id, reach_of(branch, actor, LOOK, branch.today(now())))
        while not pages or pages[-1].next is not None:
            cursor = pages[-1].next if pages else None
            pages.append(contacts_page(conn, branch, actor, customer, loan_id, limit=MAX_PAGE, cursor=cursor))
    if fields := {field for page in pages for field in page.fields}:
        with writing(open_.engine) as conn:
            record_read(conn, branch, actor, [customer], fields)
    return [one for page in pages for one in page.items]
