"""`casework feed`: import a folder, list the runs, see what was set aside."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from casework.cli.changing import day
from casework.cli.faults import tell_faults, told_in_json, write_private
from casework.cli.progress import Rate
from casework.cli.several import LOOKED
from casework.cli.sheet_file import SheetFile
from casework.cli.shell import (
    acting,
    as_json,
    as_staff,
    console,
    errors,
    print_json,
    progress_wanted,
    started,
    told,
)
from casework.cli.tables import Table
from casework.errors import CallerError
from casework.money import yuan_text

if TYPE_CHECKING:
    from rich.progress import Progress

    from casework.intake.feed import run as runs
    from casework.intake.feed.tried import Tried


@click.group()
def cli() -> None:
    """The core-banking feed: one folder a business day, with its manifest.

    \b
    Examples:
      casework feed import feeds/2026-03-01
      casework feed runs
    """


@cli.command("import")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--confirm-vanished", is_flag=True, help="Apply although many loans are missing at once.")
@click.option(
    "--correction", is_flag=True, help="Declare that this replaces an earlier feed of the same or an older day."
)
@click.option("--dry-run", is_flag=True, help="Only say what would become of it.")
@as_staff
@as_json
def import_(
    folder: Path, confirm_vanished: bool, correction: bool, staff_no: str | None, *, dry_run: bool, json_: bool
) -> None:  # fmt: skip
    """Import the feed in FOLDER: all of it, or nothing and one clear reason.

    Exit code 0 done (or already applied), 1 refused, 2 usage.

    \b
    Examples:
      casework feed import feeds/2026-03-01
      casework feed import feeds/2026-03-01 --dry-run
      casework feed import feeds/2026-03-31 --confirm-vanished --as S017
      casework feed import feeds/2026-03-01-corrected --correction --json
    """
    from casework.intake.feed import run as runs
    from casework.intake.feed.load import ImportRequest
    from casework.operation.importing import import_apart, try_apart
    from casework.storage.database import reading

    with started() as branch:
        with reading(branch.engine) as conn:
            actor = acting(conn, branch.branch, staff_no)
        request = ImportRequest(actor, confirm_vanished, correction)
        try:
            with _Watching() as progress:
                tried = try_apart(branch, folder, request, progress=progress) if dry_run else None
                run = tried.run if tried else import_apart(branch, folder, request, progress=progress)
            if tried is not None:
                _tell_tried(tried, json_=json_)
                return
        except CallerError as refused:
            if json_:  # for machines too; the line for people and the exit code follow
                refusal = {"code": refused.code, "zh": refused.zh, "en": str(refused), "facts": refused.facts}
                print_json({"status": "refused", "refusal": refusal, "dry_run": dry_run})
            raise
    if json_:
        print_json(runs.as_json([run])[0])
    else:
        _tell(run)


class _Watching:
    """Progress bars on a terminal, one per stage; silence in a pipe."""

    def __enter__(self) -> Any:
        from casework.intake.feed.load import silent

        self.bars: Progress | None = None
        self.tasks: dict[str, Any] = {}
        return self.report if progress_wanted() else silent

    def __exit__(self, *_: object) -> None:
        if self.bars is not None:
            self.bars.stop()

    def report(self, stage: str, done: int, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        if self.bars is None:  # not before: they draw in a thread, and the import itself forks
            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn()
            self.bars = Progress(*columns, console=errors, transient=True)
            self.bars.start()
        if stage not in self.tasks:
            self.tasks[stage] = self.bars.add_task(stage, total=None)
        self.bars.update(self.tasks[stage], completed=done, total=total)


def _tell_tried(tried: "Tried", *, json_: bool) -> None:
    """What would become of a feed; CallerError with the reason for which it would be refused."""
    from casework.intake.feed import run as runs

    refusal = tried.run.refusal
    if not json_:
        console.print(LOOKED)
        tell_faults("set aside 搁置", tried.set_aside)
    if refusal is not None:
        raise CallerError(refusal["code"], refusal["zh"], refusal["en"], **refusal["facts"])
    if json_:
        aside = {"rows_set_aside": told_in_json(tried.set_aside)}
        print_json(runs.as_json([tried.run])[0] | aside | {"id": None, "dry_run": True})
    else:
        _tell(tried.run)


def _tell(run: "runs.Run") -> None:
    from casework.intake.feed import run as runs
    from casework.intake.feed.cell_texts import TEXTS

    if run.status == runs.REPEATED:
        console.print(f"{run.as_of}: already applied, nothing changed")
        return
    figures = run.figures
    console.print(
        f"{run.as_of}: {figures['overdue']} loans in arrears; {figures['opened']} new, {figures['gone']} gone, "
        f"{figures['changed']} changed, {figures['unchanged']} unchanged, {figures['set_aside']} set aside"
    )
    for code, number in sorted(figures["warnings"].items()):
        console.print(f"  warning: {code} × {number}")
    for odd in figures["warned"]:
        where = f"{odd['kind']} line {odd['line']} {odd['column']}".rstrip()
        console.print(f"    {where}: {' / '.join(TEXTS[odd['code']])}", markup=False)
    for held in figures["held_back"]:
        console.print(f"  held back: {held['zh']} / {held['en']}", soft_wrap=True, markup=False)
    if figures["left_books_unpaid"]:
        cases = ", ".join(map(str, figures["left_books_unpaid_cases"]))
        console.print(f"  off the bank's books, unpaid: cases {cases}", soft_wrap=True, markup=False)
    if figures.get("without_case"):
        console.print(f"  without a case: {figures['without_case']} loans in arrears (casework feed without-case)")
    if figures["set_aside_rows"] and run.id:
        console.print(f"  set aside, of all files: {figures['set_aside_rows']} rows (casework feed set-aside {run.id})")


@cli.command("manifest")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--as-of", type=day, help="The business date, where there is no manifest.")
@click.option("--institution", help="Whose feed it is, where there is no manifest.")
@click.option(
    "--mended", multiple=True, type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Rows of `casework feed set-aside -o`, mended: they take the place of those lines. May be repeated.",
)  # fmt: skip
@as_json
def manifest(
    folder: Path, as_of: datetime | None, institution: str | None, mended: tuple[Path, ...], *, json_: bool
) -> None:  # fmt: skip
    """Write the manifest of FOLDER anew: rows, control sums and digests of its files as they are now.

    For files that were mended, or with --mended the rows alone: a file with them, as CSV, is then named in the place of
    the one that came, which stays. Without a manifest there, files are known by the word that their
    names begin with: loans, overdue, contacts, repayments; .csv, .csv.gz or .xlsx.

    Exit code 0 written, 1 refused, 2 usage.

    \b
    Examples:
      casework feed manifest feeds/2026-03-01
      casework feed manifest feeds/2026-03-01 --mended overdue-mended.xlsx
      casework feed manifest feeds/2026-03-01 --as-of 2026-03-01 --institution wuhan
    """
    import msgspec

    from casework.intake.feed.making_manifest import Stated, make_manifest
    from casework.intake.feed.mended_rows import put_mended

    with told():
        put = put_mended(folder, mended) if mended else {}
        made = make_manifest(folder, Stated(as_of and as_of.date(), institution), put)
    if json_:
        print_json(msgspec.to_builtins(made))
        return
    table = Table("file", "kind", "rows", "¥")
    for entry in made.files:
        control = "" if entry.control_sum_fen is None else yuan_text(entry.control_sum_fen)
        table.add_row(entry.name, entry.kind, str(entry.rows), control)
    console.print(table)


@cli.command("runs")
@click.option("--all", "every", is_flag=True, help="Also refused, repeated, corrected and interrupted runs.")
@as_json
def runs_(every: bool, json_: bool) -> None:
    """Applied runs in order of day, the latest correction of each.

    \b
    Examples:
      casework feed runs
      casework feed runs --all --json
    """
    from casework.intake.feed import run as runs
    from casework.storage.database import reading

    with started() as branch, reading(branch.engine) as conn:
        found = runs.runs(conn, every=every)
    if json_:
        print_json(runs.as_json(found))
        return
    table = Table(
        "run", "institution", "as of", "status", "loans overdue", "¥", "new", "gone", "changed", "set aside", "by"
    )
    for run in found:
        figures = run.figures
        amount = f"{figures['overdue_fen'] / 100:,.2f}" if figures else ""
        counts = [str(figures.get(key, "")) for key in ("opened", "gone", "changed", "set_aside")]
        reason = f"{run.status}: {run.refusal['code']}" if run.refusal else run.status
        table.add_row(
            str(run.id), run.institution or "", str(run.as_of or ""), reason, str(figures.get("overdue", "")), amount,
            *counts, run.actor_id,
        )  # fmt: skip
    console.print(table)


@cli.command("set-aside")
@click.argument("run_id", type=int)
@click.option("--kind", type=click.Choice(["loans", "overdue", "contacts", "repayments"]), help="One file only.")
@click.option(
    "-o", "--mend", "output", type=SheetFile(), metavar="PATH",
    help="Write them into a new .xlsx or .csv, each with what is wrong, to be mended.",
)  # fmt: skip
@click.option("--raw", is_flag=True, help="With -o, CSV: cells as they came, which a spreadsheet may run as formulas.")
@as_json
@as_staff
def set_aside_(
    run_id: int, kind: str | None, output: Path | None, raw: bool, staff_no: str | None, *, json_: bool
) -> None:  # fmt: skip
    """The rows of a run that could not be used: everything that is wrong with them, by cell, and what is expected.

    With -o their cells are written out. They are personal data: the reading is an entry of the log. A cell of a CSV
    that a spreadsheet could run has an apostrophe in front; the last column says so, and the file is read without them.
    Mended, `casework feed manifest FOLDER --mended FILE` puts them in the place of the others.

    \b
    Examples:
      casework feed set-aside 17
      casework feed set-aside 17 --kind overdue -o mend.xlsx
    """
    from casework.intake.feed import run as runs
    from casework.intake.feed.aside import LIMIT, aside_csv, faults_of, record_aside_read
    from casework.intake.feed.headers import COLUMNS
    from casework.intake.feed.safe_form import in_safe_form
    from casework.intake.sheets.mending import as_workbook
    from casework.storage.database import reading, writing

    if output is not None and kind is None:
        raise click.UsageError("-o needs --kind: files have different columns")
    with started() as branch:
        vault = branch.branch.vault
        with reading(branch.engine) as conn:
            run = runs.one_run(conn, run_id)
            if run is None:
                raise CallerError("unknown_run", f"没有编号为{run_id}的导入", f"there is no run {run_id}", run=run_id)
            found = [fault for _, faults in faults_of(conn, vault, run_id, kind) for fault in faults]
            actor = acting(conn, branch.branch, staff_no)
        if output is not None and kind is not None:
            with writing(branch.engine) as conn:
                record_aside_read(conn, branch.branch, actor, kind, masked=False, run_id=run_id)
                text = aside_csv(conn, vault, run_id, kind)
            content = (text if raw else in_safe_form(text)).encode("utf-8-sig")
            if output.suffix.lower() == ".xlsx":
                content = as_workbook(in_safe_form(text).encode("utf-8-sig"), COLUMNS[kind])  # type: ignore[index]  # as click has it
            write_private(output, content)
    if json_:
        print_json(told_in_json(found))
    else:
        tell_faults(f"run {run_id}: set aside 搁置", found, on=console, most=LIMIT)


@cli.command("without-case")
@as_json
def without_case_(json_: bool) -> None:
    """Loans in arrears that nobody works on: in the last snapshot, without a live case. None is good.

    Their last case was cancelled, settled by agreement or transferred while the loan stayed overdue. They are counted
    every day until somebody acts.

    \b
    Examples:
      casework feed without-case
      casework feed without-case --json
    """
    import msgspec

    from casework.intake.feed.without_case import without_case
    from casework.storage.database import reading

    with started() as branch, reading(branch.engine, snapshot=True) as conn:
        found = without_case(conn)
        chart = branch.branch.rulebook.chart
    if json_:
        print_json([msgspec.to_builtins(one) for one in found])
    elif not found:
        console.print("every loan in arrears has a case that somebody works on")
    else:
        table = Table("loan", "as of", "days past due", "¥", "last case", "state", "since")
        for one in found:
            state = chart.state_named(one.last_state).told(one.ended_as, "zh") if one.last_state else ""
            table.add_row(
                one.loan_id, str(one.as_of), str(one.days_past_due), yuan_text(one.overdue_fen),
                str(one.last_case or ""), f"{one.last_state or ''} {state}", str(one.since or ""),
            )  # fmt: skip
        console.print(table)
