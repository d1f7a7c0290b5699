"""What is wrong with a file of rows, at the shell: a table for people, JSON for programs, a file to mend."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.table import Column

from casework.cli.sheet_file import SheetFile
from casework.cli.shell import errors, print_json
from casework.cli.tables import Table
from casework.written_file import unwritable

if TYPE_CHECKING:
    from casework.intake.sheets.fault import Fault
    from casework.operation.startup import Started

_ON_SCREEN: Final = 50

mend_option: Callable[[Any], Any] = click.option(
    "--mend", "mend", type=SheetFile(), metavar="PATH",
    help="Where rows cannot be used: write them into this new .xlsx or .csv, each with what is wrong, to send again.",
)  # fmt: skip


def told_in_json(faults: "Sequence[Fault]") -> list[dict[str, Any]]:
    """Each of them."""
    return [one.as_json() for one in faults]


def tell_faults(title: str, faults: "Sequence[Fault]", *, on: Console = errors, most: int = _ON_SCREEN) -> None:
    """A table of the first ones, and how many there are besides; nothing where there is none."""
    if not faults:
        return
    folds = [Column(header, overflow="fold") for header in ("file", "line", "cell", "value", "what is wrong")]
    table = Table(*folds, title=title, title_justify="left")
    for one in faults[:most]:
        said = [f"{one.code}: {one.en}", one.zh]
        said += [f"expected 应填: {one.expected_en} / {one.expected_zh}"] if one.expected_zh else []
        cell = one.cell or one.column or ""
        table.add_row(one.file or "", str(one.line), cell, one.value or "", "\n".join(said))
    on.print(table)
    if len(faults) > most:
        errors.print(
            f"{len(faults):,} in all; --json tells each, --mend writes all rows "
            f"共{len(faults):,}处；--json 列出每处，--mend 写出所有行", markup=False, soft_wrap=True,
        )  # fmt: skip


def mended(
    open_: "Started", path: Path | None, word: str, content: bytes, name: str, faults: "Sequence[Fault]", *,
    whole: bool = False,
) -> None:  # fmt: skip
    """Write the rows of a file to mend where `path` says so, once it is on record; nothing where none was set aside.

    `whole`: the file is taken in whole or not at all, so every row of it. UsageError where the file is there.
    """
    from casework.intake.feed.aside import record_aside_read
    from casework.intake.sheets.forms import forms_of
    from casework.intake.sheets.mending import as_workbook, rows_to_mend
    from casework.people.staff.actor import system
    from casework.storage.database import writing

    if path is None or not faults:
        return
    to_mend = rows_to_mend(content, name, faults, whole=whole)
    columns = forms_of(open_.branch)[word].columns
    write_private(path, as_workbook(to_mend, columns) if path.suffix.lower() == ".xlsx" else to_mend)
    with writing(open_.engine) as conn:
        record_aside_read(conn, open_.branch, system("cli"), word, masked=False)
    errors.print(f"to mend and send again 待更正后重新导入: {path}", markup=False, soft_wrap=True)


@contextmanager
def told_whole(
    open_: "Started", path: Path | None, word: str, content: bytes, name: str, *, json_: bool
) -> Iterator[None]:  # fmt: skip
    """A file that is taken in whole or not at all: what is wrong with it is told, and written to mend; it fails."""
    from casework.intake.sheets.mending import FileFaulty

    try:
        yield
    except FileFaulty as faulty:
        mended(open_, path, word, content, name, faulty.all_of_them, whole=True)
        if json_:
            print_json({"code": faulty.code, "zh": faulty.zh, "en": str(faulty), **faulty.facts})
        else:
            tell_faults("nothing was entered 未导入", faulty.all_of_them)
        raise


def write_private(path: Path, content: bytes) -> None:
    """Cells are personal data: a new file that only its owner reads; one that is there is refused."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.UsageError(f"{path} exists already") from None
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    except OSError as error:  # no room: what is there of it is in nobody's way
        path.unlink()
        raise unwritable(path, error) from None
