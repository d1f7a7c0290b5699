"""`casework audit mine`: the log as a file for process mining."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from casework.cli.changing import date_of, day
from casework.cli.shell import as_json, as_staff, console, errors, permitted, print_json, progress_wanted, started
from casework.evidence.mining.choices import Cover, Format

if TYPE_CHECKING:
    from casework.evidence.mining import export as exporting


@click.command("mine")
@click.option("--format", "kind", type=click.Choice(get_args(Format)), required=True, help="What the file is to be.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A file not yet there.")
@click.option("--from", "from_on", type=day, help="First day, in the branch's time.")
@click.option("--to", "to_on", type=day, help="Last day.")
@click.option("--event", "events", multiple=True, help="Only these events; * at the end: all that begin so.")
@click.option("--without-refusals", is_flag=True, help="Leave out what guards or permissions refused.")
@click.option("--case", "case_ids", type=click.IntRange(1), multiple=True, help="Only these cases.")
@click.option("--state", multiple=True, help="Only cases that are in one of these states today.")
@click.option("--product", help="Only cases of this product.")
@click.option("--institution", help="Only cases of this institution.")
@click.option(
    "--pseudonyms", type=click.Choice(get_args(Cover)), default="customers", show_default=True,
    help="Whose numbers are replaced: nobody's, those of loans and borrowers, those of staff as well.",
)  # fmt: skip
@as_staff
@as_json
def mine(
    kind: Format, out: Path, from_on: datetime | None, to_on: datetime | None, events: tuple[str, ...],
    without_refusals: bool, case_ids: tuple[int, ...], state: tuple[str, ...], product: str | None,
    institution: str | None, pseudonyms: Any, staff_no: str | None, json_: bool,
) -> None:  # fmt: skip
    """Write the log as XES (one trace a case) or OCEL 2.0 (cases, loans, borrowers, staff, requests, hand-overs).

    Nothing of it is personal data, and amounts are in fen. The file is no evidence: that is what the log's
    checkpoints and bundles are for. That it was written is an entry, with the file's SHA-256.

    \b
    Examples:
      casework audit mine --format xes --out cases.xes
      casework audit mine --format ocel-sqlite --out branch.sqlite --from 2026-01-01 --to 2026-03-31
      casework audit mine --format ocel-json --out branch.json --pseudonyms all --without-refusals
      casework audit mine --format xes --out steps.xes --event 'case.step.*' --product consumer --as S117
    """
    import msgspec

    from casework.evidence.mining import export as exporting
    from casework.evidence.mining.chosen import MiningWanted
    from casework.storage.database import reading
    from casework.work.cases.filter import CaseFilter

    cases = CaseFilter(state=state, product=product, institution=institution)
    wanted = MiningWanted(
        from_on=date_of(from_on), to_on=date_of(to_on), events=events, refusals=not without_refusals, case_ids=case_ids,
        cases=None if cases == CaseFilter() else cases,
    )  # fmt: skip
    with started() as branch:
        with reading(branch.engine) as conn:
            actor = permitted(conn, branch.branch, staff_no, "audit.read")
        with _progress() as progress:
            mined = exporting.export(
                branch.engine, branch.branch, actor, kind, out, wanted, cover=pseudonyms, progress=progress
            )
    if json_:
        print_json(msgspec.to_builtins(mined))
        return
    of = f"{mined.traces:,} traces" if mined.traces is not None else f"{mined.objects:,} objects"
    console.print(f"{out}: {mined.events:,} events 事件, {of}, {mined.bytes:,} bytes", markup=False)
    console.print(f"sha256 {mined.sha256}, recorded 已记录 as {mined.entry_id}", markup=False)


@contextmanager
def _progress() -> "Iterator[exporting.Progress]":
    """A bar on a terminal, nothing in a pipe."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from casework.cli.progress import Rate

    if not progress_wanted():
        yield lambda _done, _all: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("读取分录 entries", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


COMMANDS = (mine,)
