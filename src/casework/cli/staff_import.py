"""`casework staff import`: bring the register to what a file says."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from casework.cli.changing import as_
from casework.cli.faults import mend_option, mended, tell_faults, told_in_json
from casework.cli.shell import as_json, console, errors, permitted, print_json, started
from casework.cli.tables import Table

if TYPE_CHECKING:
    from casework.intake.enrolment.roll import Outcome


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Tell the differences and change nothing.")
@mend_option
@as_json
@as_
def import_(file: Path, dry_run: bool, *, mend: Path | None, json_: bool, by: str | None) -> None:
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
    from casework.intake.dialler.importing import read_bounded
    from casework.intake.enrolment.roll import import_staff
    from casework.intake.enrolment.sheet import MOST_BYTES
    from casework.intake.feed.cell_texts import TEXTS
    from casework.storage.database import writing

    with started() as branch:
        content = read_bounded(file, MOST_BYTES)
        with writing(branch.engine) as conn:
            actor = permitted(conn, branch.branch, by, "staff.change")
            outcome = import_staff(conn, branch.branch, content, file.name, actor=actor, dry_run=dry_run)
        if outcome.first_hidden:
            errors.print(" / ".join(TEXTS["first_sheet_hidden"]))
        mended(branch, mend, "staff", content, file.name, outcome.faults, whole=True)
    if json_:
        print_json(_as_json(outcome))
    else:
        _tell(outcome)
    if outcome.faults:
        raise click.exceptions.Exit(1)


def _as_json(outcome: "Outcome") -> dict[str, Any]:
    import msgspec

    return {
        "applied": outcome.applied, "rows": outcome.rows, "unchanged": outcome.unchanged,
        "differences": [msgspec.to_builtins(one) for one in outcome.differences],
        "faults_in_all": len(outcome.faults),
        "faults": told_in_json(outcome.faults),
        "columns_not_read": outcome.unread,
    }  # fmt: skip


def _tell(outcome: "Outcome") -> None:
    if outcome.unread:
        errors.print(f"columns not read: {', '.join(outcome.unread)}", markup=False)
    if outcome.faults:
        tell_faults(f"{len(outcome.faults)} fault(s): nothing was changed 未导入", outcome.faults)
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
