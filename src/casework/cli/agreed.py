"""What `casework promise import` and `casework hold import` share: a file in, what became of its rows out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from casework.cli.shell import console, errors, print_json, started
from casework.cli.tables import Table
from casework.intake.feed.agreed import Taken
from casework.intake.feed.agreed_rows import Note
from casework.people.staff.actor import Actor, system
from casework.storage.database import writing
from casework.work.cases.branch import Branch

Import = Callable[[Connection, Branch, bytes, str, Actor], Taken]


def import_file(take: Import, file: Path, *, json_: bool) -> None:
    """All rows of the file in one transaction; those that could not be taken are listed, the others are in."""
    content = file.read_bytes()
    with started() as branch, writing(branch.engine) as conn:
        taken = take(conn, branch.branch, content, file.name, system("cli"))
    if json_:
        print_json(
            msgspec.to_builtins(taken) | {"set_aside": _plain(taken.set_aside), "warnings": _plain(taken.warnings)}
        )
        return
    console.print(
        f"{taken.rows} rows 行: {taken.stored} new 新增, {taken.changed} changed 变化, {taken.repeated} known 已有, "
        f"{len(taken.set_aside)} set aside 搁置, {len(taken.warnings)} warnings 提示"
    )
    for title, notes in (("set aside 搁置", taken.set_aside), ("warnings 提示", taken.warnings)):
        _tell(title, notes)


def _plain(notes: list[Note]) -> list[dict[str, Any]]:
    return [one._asdict() for one in notes]


def _tell(title: str, notes: list[Note]) -> None:
    if not notes:
        return
    table = Table("line", "column", "code", "why", title=title, title_justify="left")
    for one in notes[:50]:
        table.add_row(str(one.line), one.column or "", one.kind, f"{one.zh} / {one.en}")
    errors.print(table)
