"""Files of lists at the shell: what `--out` takes, and the file whole or not at all, with its entry."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from casework.cli.ledger import place, write_out
from casework.cli.sheet_file import SheetFile

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.people.staff.actor import Actor
    from casework.work.cases.branch import Branch
    from casework.work.cases.taking_out import BulkFile, FileKind


_KINDS: Final[dict[str, "FileKind"]] = {".xlsx": "xlsx", ".csv": "csv"}


class OutFile(SheetFile):
    """A file that ends in .xlsx or .csv, or the folder for one that is called by what it is and its day."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """BadParameter for any other name."""
        return path if (path := Path(value)).is_dir() else super().convert(value, param, ctx)


def out_option(told: str, *, required: bool = False) -> Callable[[Any], Any]:
    """`--out`: where a list is written."""
    told = f"{told} a .xlsx or .csv file, or the folder for it."
    return click.option("--out", type=OutFile(), metavar="PATH", required=required, help=told)


def kind_of(out: Path) -> "FileKind":
    """By the name's end; in a folder it is a workbook."""
    return _KINDS.get(out.suffix.lower(), "xlsx") if not out.is_dir() else "xlsx"


def write_taken(conn: "Connection", branch: "Branch", actor: "Actor", taken: "BulkFile", out: Path) -> Path:
    """The entry in the caller's transaction, and the file; CallerError `file_unwritable`, and neither is there."""
    from casework.work.cases.taking_out import record_taken

    record_taken(conn, branch, actor, taken)
    file = place(out, taken.name.name)
    write_out(file, taken.body)
    return file


def told_of(taken: "BulkFile", file: Path, what: str) -> str:
    """What the shell says of it."""
    more = f"; cut 已截断: only the first {taken.rows:,}, narrow the filter 请缩小筛选范围" if taken.cut else ""
    return f"{file.name}: {taken.rows:,} {what}{more}"
