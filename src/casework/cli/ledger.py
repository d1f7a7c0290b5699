"""`casework ledger`: the collection ledger of a day as a workbook that a branch sends on; whether a file is one."""

import errno
import os
from datetime import datetime
from pathlib import Path
from typing import get_args

import click

from casework.cli.changing import day
from casework.cli.shell import as_json, as_staff, console, permitted, print_json, started
from casework.instants import branch_text
from casework.table import Lang
from casework.written_file import written_to

lang_option = click.option(
    "--lang", type=click.Choice(get_args(Lang)), default="zh", show_default=True, help="Of the file."
)


@click.group(invoke_without_command=True)
@click.option("--on", type=day, metavar="DAY", help="The day, YYYY-MM-DD.")
@click.option("--team", metavar="TEAM", help="Only what members of this team owe and did, by its code or name.")
@click.option(
    "--out", type=click.Path(path_type=Path),
    help="The XLSX file to write, or the folder to write it into [default: here, 催收台账-DAY[-TEAM].xlsx].",
)  # fmt: skip
@lang_option
@as_staff
@click.pass_context
def cli(
    context: click.Context, on: datetime | None, team: str | None, out: Path | None, lang: Lang, staff_no: str | None
) -> None:  # fmt: skip
    """Write the ledger of DAY (催收台账): cases, who could not be repaired, what was not done and why, every contact.

    Of whoever has handed in theirs (`casework day hand-in`) it shows what they handed in, of others how it stands.
    Customers are masked, staff are named, times are the branch's; each sheet has a title, totals and lines to sign. An
    entry says who took it out, and has the file's digest.

    \b
    Examples:
      casework ledger --on 2026-03-09 --as S0012
      casework ledger --on 2026-03-09 --team 电催一组 --out 催收台账-2026-03-09-电催一组.xlsx
      casework ledger --on 2026-03-09 --lang en --as S0012
      casework ledger check 催收台账-2026-03-09-电催一组.xlsx
    """
    from casework.evidence.evening.exporting import EXPORTED
    from casework.evidence.evening.of_day import ledger_name, ledger_of, workbook_of
    from casework.storage.database import writing
    from casework.work.cases.disclosure import record_export

    if context.invoked_subcommand is not None:
        return
    if on is None:
        raise click.UsageError("Missing option '--on'.")
    with started() as open_, writing(open_.engine) as conn:
        actor = permitted(conn, open_.branch, staff_no, "ledger.export")
        found = ledger_of(conn, open_.branch, on.date(), team)
        content, whole = workbook_of(conn, open_.branch, found, actor, lang), found.whole()
        wanted = {"on": on.date().isoformat(), "team": team}
        record_export(
            conn, open_.branch, actor, wanted, rows=len(whole.cases), kind="xlsx", event=EXPORTED, file=content
        )
        file = place(out, ledger_name(on.date(), team, lang=lang).name)
        write_out(file, content)
    console.print(f"{file.name}: {len(whole.cases):,} cases 案件", markup=False)


def place(out: Path | None, name: str) -> Path:
    """Where a file goes: as named, or by its own name here or in the folder that is named."""
    return Path(name) if out is None else out / name if out.is_dir() else out


def write_out(file: Path, content: bytes) -> None:
    """Whole or not at all; CallerError `file_unwritable`, and what was to be committed with it is not."""
    from casework.log.write import kept

    with written_to(file):
        if not file.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        kept.write_whole(file, content)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@as_json
def check(file: Path, *, json_: bool) -> None:
    """Whether FILE is a ledger or a report as it was taken out: by whom, when, and of what; it says so by its digest.

    A file that was changed, or saved anew by another program, is not what was taken out. What people had handed in by
    then is compared with their entries, too. Exit code 0: it is; 1: it is not.

    \b
    Examples:
      casework ledger check 催收台账-2026-03-09-电催一组.xlsx
      casework ledger check 催收台账-2026-03-09-电催一组.xlsx --json
    """
    from casework.evidence.evening.exporting import checked, digest_of_file
    from casework.storage.database import reading

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        found = checked(conn, open_.branch, digest_of_file(file))
    if json_:
        print_json(found.shown())
        return
    told = f"{found.on}, {found.team or 'everybody 全部'}, {found.rows:,} rows 行"
    console.print(f"{file.name}: {told}", markup=False)
    at = branch_text(datetime.fromisoformat(found.at), open_.branch.time_zone)
    console.print(f"taken out by 导出人 {found.by}, {at} ({found.entry_id})", markup=False)
    for one in found.hand_ins:
        console.print(f"handed in 已上交: {one.owed_by} {one.part}, {one.entry_id}", markup=False)
