"""`casework staff import`: bring the register to what a file says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from casework.cli.changing import as_
from casework.cli.shell import as_json, console, errors, permitted, print_json, started
from casework.cli.tables import Table
from casework.errors import CallerError
from casework.intake.enrolment.roll import Outcome, bring
from casework.intake.enrolment.sheet import (
    MOST_BYTES,
    MOST_FAULTS,
    post_names,
    read_sheet,
)
from casework.intake.feed.cell import TEXTS
from casework.intake.feed.sheet import read_rows
from casework.people.staff.posts import post_labels
from casework.storage.database import writing


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Tell the differences and change nothing.")
@as_json
@as_
def import_(file: Path, dry_run: bool, *, json_: bool, by: str | None) -> None:
    """Bring the register to what FILE (CSV or XLSX) says: all of it, or nothing and every fault.

    Columns, in English or Chinese: staff_no 工号, name 姓名, posts 岗位, team 团队, region 区域, capacity 上限,
    joined_on 入职日期, leaves_on 离职日期. An empty cell says nothing, - says that there is none; several posts are
    separated by blanks or commas. Whoever is not in the file stays as they are. Posts are granted at the shell as long
    as the policy lets it; with --as ADMINISTRATOR they are asked for. Exit code 1 if anything is wrong.

    \b
    Examples:
      casework staff import staff.csv --dry-run
      casework staff import 员工名册.xlsx --as A1 --json
    """
    with started() as branch:
        content = _content(file)
        names = post_names(post_labels(branch.branch.rulebook.chart))
        lines = read_rows(content, file.name)
        sheet = read_sheet(lines, names)
        if lines.first_hidden:
            errors.print(" / ".join(TEXTS["first_sheet_hidden"]))
        with writing(branch.engine) as conn:
            actor = permitted(conn, branch.branch, by, "staff.change")
            outcome = bring(conn, branch.branch, sheet, actor=actor, dry_run=dry_run)
    if json_:
        print_json(_as_json(outcome))
    else:
        _tell(outcome)
    if outcome.faults:
        raise click.exceptions.Exit(1)


def _content(file: Path) -> bytes:
    """CallerErrors file_unreadable, file_too_large."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise CallerError("file_unreadable", f"无法读取{file.name}", f"{file.name}: {error.strerror}") from None
    most = MOST_BYTES >> 20
    if len(content) > MOST_BYTES:
        raise CallerError("file_too_large", f"{file.name}超过{most} MiB", f"{file.name} has more than {most} MiB")
    return content


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "applied": outcome.applied, "rows": outcome.rows, "unchanged": outcome.unchanged,
        "differences": [msgspec.to_builtins(one) for one in outcome.differences],
        "faults_in_all": len(outcome.faults),
        "faults": [one._asdict() for one in outcome.faults[:MOST_FAULTS]],
        "columns_not_read": outcome.unread,
    }  # fmt: skip


def _tell(outcome: Outcome) -> None:
    if outcome.unread:
        errors.print(f"columns not read: {', '.join(outcome.unread)}", markup=False)
    if outcome.faults:
        title = f"{len(outcome.faults)} fault(s): nothing was changed"
        table = Table("line", "column", "code", "what 说明", title=title)
        for fault in outcome.faults[:MOST_FAULTS]:
            table.add_row(str(fault.line), fault.column or "", fault.code, f"{fault.en}\n{fault.zh}")
        console.print(table)
        return
    if outcome.differences:
        table = Table("line", "staff no", "what", "before", "after", "request", title="differences")
        for one in outcome.differences:
            table.add_row(
                str(one.line), one.staff_no, one.field, one.before or "", one.after or "",
                "" if one.request is None or not outcome.applied else str(one.request),
            )  # fmt: skip
        console.print(table)
    done = "applied" if outcome.applied else "a dry run: nothing was changed"
    console.print(f"{outcome.rows:,} rows, {outcome.unchanged:,} unchanged; {done}")


COMMANDS: Sequence[click.Command] = (import_,)
