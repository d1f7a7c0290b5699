"""`casework contact`: what happened between collectors and debtors."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from casework.cli.agreed import not_done_text
from casework.cli.breaches import breaches_, review_, to_review_
from casework.cli.contact_book import add_, book_, mark_
from casework.cli.contact_typed import list_, record_, result_of, tell_many
from casework.cli.faults import mend_option, mended, tell_faults, told_in_json
from casework.cli.progress import Rate
from casework.cli.several import LOOKED, atomic_option, from_option, look_option, right, rows_of
from casework.cli.shell import (
    as_json,
    as_staff,
    console,
    errors,
    permitted,
    print_json,
    progress_wanted,
    started,
)  # fmt: skip
from casework.clock import now
from casework.intake.dialler.correcting import Correction
from casework.intake.dialler.recording import DIALLER, SHEET
from casework.intake.dialler.typed import MOST

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.intake.dialler.importing import Taken
    from casework.intake.dialler.typed import Told


@click.group()
def cli() -> None:
    """Contacts with debtors: take in what diallers, agencies and collectors report; what broke a rule.

    The contact book of a debtor too: numbers and addresses with state and source.

    \b
    Examples:
      casework contact import calls-2026-03-09.csv
      casework contact import 催记.xlsx --source sheet
      casework contact list L2024000917
      casework contact book L2024000917
      casework contact add L2024000917 --role heir --phone 12000000000 --source notary --legal-basis contract
      casework contact correct K0903-00253 third_party --as S0021
      casework contact breaches --from 2026-03-01
    """


cli.add_command(breaches_)
cli.add_command(review_)
cli.add_command(to_review_)
cli.add_command(list_)
cli.add_command(record_)
cli.add_command(book_)
cli.add_command(add_)
cli.add_command(mark_)


@cli.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--source", type=click.Choice([DIALLER, SHEET]), default=DIALLER, show_default=True,
    help="A dialler wrote the times itself; what a person typed into a sheet can be late (补录).",
)  # fmt: skip
@atomic_option
@look_option
@mend_option
@as_json
def import_(*, file: Path, source: str, atomic: bool, dry_run: bool, mend: Path | None, json_: bool) -> None:
    """Take in FILE (CSV in UTF-8 or GB18030, or XLSX; headers in English or Chinese), one row a contact.

    A contact is known by its contact_ref: the same row again changes nothing. A bad row is set aside with line, column
    and reason; mended, it can be fed again. Who was connected is no longer lost. Exit code 0 done, 1 refused, 2 usage.

    \b
    Examples:
      casework contact import calls-2026-03-09.csv
      casework contact import 催记.xlsx --source sheet --json
    """
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from casework.intake.dialler.importing import read_bounded
    from casework.intake.feed.whole import taken_in
    from casework.storage.driver_errors import again_on_conflict

    columns = SpinnerColumn(), TextColumn("{task.completed:,} rows"), Rate()
    with started() as branch, Progress(*columns, console=errors, transient=True, disable=not progress_wanted()) as bar:
        task = bar.add_task("", total=None)
        content = read_bounded(file)

        def take(conn: "Connection") -> "Taken":
            from casework.intake.dialler.importing import import_contacts
            from casework.people.staff.actor import system

            return import_contacts(
                conn, branch.branch, content, file.name, source, system("cli"),
                progress=lambda rows: bar.update(task, completed=rows),
            )  # fmt: skip

        taken = again_on_conflict(lambda: taken_in(branch.engine, take, atomic=atomic, dry_run=dry_run))
        mended(branch, mend, "contact_records", content, file.name, taken.set_aside, whole=atomic)
    _tell_taken(taken, json_=json_, dry_run=dry_run)
    if atomic and taken.set_aside:
        raise SystemExit(1)


def _tell_taken(taken: "Taken", *, json_: bool, dry_run: bool) -> None:
    if json_:
        told = {"rows": taken.rows, "stored": taken.stored, "repeated": taken.repeated, "late": taken.late}
        told |= {"reached": taken.reached, "not_done": taken.not_done, "dry_run": dry_run}
        told |= {"set_aside_rows": taken.aside, "faults_in_all": len(taken.set_aside)}
        faults = {"set_aside": told_in_json(taken.set_aside), "warnings": told_in_json(taken.warnings)}
        print_json(told | faults)
        return
    if dry_run:
        console.print(LOOKED)
    console.print(
        f"{taken.rows:,} rows 行: {taken.stored:,} new 新增, {taken.repeated:,} known 已有, {taken.late:,} of "
        f"days before 此前日期, {taken.aside:,} set aside 搁置; {taken.reached:,} cases reached 已取得联系"
        + not_done_text(taken.not_done)
    )
    for title, asides in (("set aside 搁置", taken.set_aside), ("warnings 提示", taken.warnings)):
        tell_faults(title, asides)


_CORRECTION = Correction._fields
_NEEDED = ("contact_ref", "result")


@cli.command("correct")
@click.argument("contact_ref", required=False)
@click.argument("result", required=False)
@click.option("--source", help="In which the reference is: dialler, sheet, api, …; needed where several have it.")
@click.option("--reason", help="Why it was wrong; sealed.")
@from_option(_CORRECTION, MOST)
@atomic_option
@as_json
@as_staff
def correct_(
    *, contact_ref: str | None, result: str | None, source: str | None, reason: str | None, file: Path | None,
    atomic: bool, json_: bool, staff_no: str | None,
) -> None:  # fmt: skip
    """Put RESULT in the place of a wrong one: an entry of its own, which counts from now on wherever it counts.

    People put right their own contacts; whoever reaches every case, all. What is right already stays as it is. Exit
    code 0 if all are right now, 1 if one is not, 2 usage.

    \b
    Examples:
      casework contact correct K0903-00253 third_party --reason 听错 --as S0021
      casework contact correct --from wrong.csv --atomic --as S0021
    """
    from casework.intake.dialler.correcting import correct_contacts
    from casework.intake.dialler.typed import COMMAND
    from casework.storage.database import writing

    rows = rows_of(file, _CORRECTION, _NEEDED, MOST) if file is not None else None
    if rows is not None:
        blank = dict.fromkeys(_NEEDED, "")
        asked = [Correction(**blank | row) for row in rows]
    elif contact_ref is None or result is None:
        raise click.UsageError("give CONTACT_REF and RESULT, or --from FILE")
    else:
        asked = [Correction(contact_ref, result, source, reason)]
    with started() as open_:
        with writing(open_.engine) as conn:
            actor = permitted(conn, open_.branch, staff_no, COMMAND)
            told = correct_contacts(conn, open_.branch, asked, actor, now(), atomic=atomic)
        if file is None:
            right(result_of(told[0]))
    if file is not None:
        tell_many(told, json_=json_, rows=rows)
    else:
        _tell_corrected(told[0], json_=json_)


def _tell_corrected(told: "Told", *, json_: bool) -> None:
    from casework.intake.dialler.recording import Not

    done = told.became
    if isinstance(done, Not):
        if json_:
            print_json({"contact_ref": told.contact_ref, "outcome": done.kind, "entry_id": None})
        else:
            console.print(f"{told.contact_ref}: right already 无须更正")
    elif json_:
        print_json({"contact_ref": told.contact_ref, "outcome": done.contact.outcome, "entry_id": done.entry_id})
    else:
        console.print(f"{told.contact_ref}: {done.contact.outcome}, entry {done.entry_id}")
