"""What the commands `promise` and `hold` share: a file in, what became of its rows out; a list that is not paged."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from casework.cli.faults import mend_option, mended, tell_faults, told_in_json
from casework.cli.several import LOOKED, atomic_option, look_option
from casework.cli.shell import as_json, console, print_json, started
from casework.cli.tables import Table

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.intake.sheets.taken import FileTaken
    from casework.lifecycle.kept import Kept
    from casework.people.staff.actor import Actor
    from casework.rules.statechart.chart import Chart
    from casework.work.cases.branch import Branch


Import = Callable[["Connection", "Branch", bytes, str, "Actor"], "FileTaken"]


def importing(command: Callable[..., None]) -> Callable[..., None]:
    """What the commands `import` take: FILE, --atomic, --dry-run, --mend, --json."""
    for option in (as_json, mend_option, look_option, atomic_option):
        command = option(command)
    return click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))(command)


def import_file(
    take: Import, word: str, file: Path, *, json_: bool, atomic: bool, dry_run: bool, mend: Path | None
) -> None:
    """All rows of the file in one transaction; those that could not be taken are listed, the others are in.

    `word`: which kind of file. `atomic`: one set aside, and none is in; then the exit code is 1. `mend`: where the rows
    set aside are written. `dry_run`: only said, nothing stays.
    """
    from casework.intake.dialler.importing import read_bounded
    from casework.intake.feed.whole import taken_in
    from casework.people.staff.actor import system

    content = read_bounded(file)
    with started() as branch:
        taken = taken_in(
            branch.engine, lambda conn: take(conn, branch.branch, content, file.name, system("cli")), atomic=atomic,
            dry_run=dry_run,
        )  # fmt: skip
        mended(branch, mend, word, content, file.name, taken.set_aside, whole=atomic)
    _tell_all(taken, json_=json_, dry_run=dry_run)
    if atomic and taken.set_aside:
        raise SystemExit(1)


def _tell_all(taken: "FileTaken", *, json_: bool, dry_run: bool) -> None:
    import msgspec

    if json_:
        print_json(
            msgspec.to_builtins(taken)
            | {"set_aside_rows": taken.aside, "faults_in_all": len(taken.set_aside), "dry_run": dry_run}
            | {"set_aside": told_in_json(taken.set_aside), "warnings": told_in_json(taken.warnings)}
        )
        return
    if dry_run:
        console.print(LOOKED)
    console.print(
        f"{taken.rows} rows 行: {taken.stored} new 新增, {taken.changed} changed 变化, {taken.repeated} known 已有, "
        f"{taken.aside} set aside 搁置, {len(taken.warnings)} warnings 提示" + not_done_text(taken.not_done)
    )
    for title, notes in (("set aside 搁置", taken.set_aside), ("warnings 提示", taken.warnings)):
        tell_faults(title, notes)


def listed(
    noun: "Kept", by: str, *, every_one: bool, json_: bool, line: Callable[[Any], dict[str, Any]],
    headers: Sequence[str], cells: "Callable[[Any, Chart], Sequence[str]]",
) -> None:  # fmt: skip
    """Those that are live, or all, in the order of the column `by`: a line of JSON or of a table for each."""
    from casework.lifecycle.listing import every
    from casework.storage.database import reading

    with started() as branch:
        with reading(branch.engine) as conn:
            found = every(conn, noun, by, live_only=not every_one)
        chart = branch.branch.rulebook.charts[noun.chart]
    if json_:
        print_json([line(one) for one in found])
        return
    shown = Table(*headers)
    for one in found:
        shown.add_row(*cells(one, chart))
    console.print(shown)


def not_done_text(number: int) -> str:
    """How many rows were left out because others could not be taken; nothing where none was."""
    return f"; {number:,} not taken, for others are at fault 因其他行有误未导入" if number else ""
