"""Rows of a feed's files that were mended: put in the place of those that an import set aside, in a new file."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from casework.errors import CallerError
from casework.intake.feed.headers import HIDDEN, KINDS, PERSONAL, SET_ASIDE_COLUMNS, Kind, understand
from casework.intake.feed.making_manifest import names_in
from casework.intake.feed.manifest import FILE_LIMIT, read_bounded
from casework.intake.feed.sheet import read_rows
from casework.intake.sheets.column import is_ours, normal
from casework.log.write.kept import write_whole
from casework.personal import mask
from casework.written_file import written_to

_LINE: Final = SET_ASIDE_COLUMNS[0]


def put_mended(folder: Path, mended: Sequence[Path]) -> dict[Kind, str]:
    """Write each kind of file anew with its mended rows, as CSV beside the one that came; the new names.

    A cell that was handed out masked, and still is, stays as it came.

    CallerErrors: mended_rows_unknown (no column `set_aside_line`, a line that the file does not have, other columns),
    file_missing, what the files themselves are refused for.
    """
    names = names_in(folder)
    rows: dict[Kind, dict[int, list[str]]] = {}
    for path in mended:
        kind, found = _mended(path, names)
        rows.setdefault(kind, {}).update(found)
    return {kind: _written(folder, kind, names[kind], found) for kind, found in rows.items()}


def _mended(path: Path, names: dict[Kind, str]) -> tuple[Kind, dict[int, list[str]]]:
    """What kind of rows they are, and the cells of each by the line that it takes the place of."""
    lines = iter(read_rows(read_bounded(path.parent, path.name, FILE_LIMIT), path.name))
    header = next(lines, (1, []))[1]
    at = next((place for place, cell in enumerate(header) if normal(cell) == _LINE), None)
    kept = [place for place, cell in enumerate(header) if not is_ours(cell)]
    kind = next((one for one in KINDS if one in names and _is(one, header)), None)
    if at is None or kind is None:
        raise _unknown(
            path.name, f"no {_LINE}, or no kind of file has its columns", f"缺少 {_LINE} 列，或列与各类文件不符"
        )
    found: dict[int, list[str]] = {}
    for number, cells in lines:
        line = cells[at].strip() if at < len(cells) else ""
        if not (line.isascii() and line.isdecimal() and len(line) < 10):
            raise _unknown(path.name, f"line {number} does not say which row it is", f"第{number}行没有说明是哪一行")
        found[int(line)] = [cells[place] if place < len(cells) else "" for place in kept]
    return kind, found


def _is(kind: Kind, header: Sequence[str]) -> bool:
    try:
        understand(kind, header)
    except CallerError:
        return False
    return True


def _written(folder: Path, kind: Kind, name: str, mended: dict[int, list[str]]) -> str:
    out, left = io.StringIO(newline=""), dict(mended)
    writer = csv.writer(out, lineterminator="\r\n")
    try:
        content = read_bounded(folder, name, FILE_LIMIT)
    except FileNotFoundError:
        raise CallerError("file_missing", file=name) from None
    kept: list[int] = []
    names: dict[int, str] = {}
    for number, (line, cells) in enumerate(read_rows(content, name)):
        if number == 0:
            kept = [place for place, cell in enumerate(cells) if not is_ours(cell)]
            names = {place: called for called, place in understand(kind, cells).positions.items()}
        row = left.pop(line, None) if number else None
        if row is not None and len(row) != len(kept):
            raise _unknown(name, "other columns than the file that it mends", "列与所更正的文件不同")
        came = [(names.get(place), cells[place]) for place in kept if place < len(cells)]
        if row is not None and len(came) == len(row):
            row = [_unmasked(called, cell, before) for (called, before), cell in zip(came, row, strict=True)]
        writer.writerow(row or [cell for _, cell in came])
    if left:
        raise _unknown(name, f"there is no line {min(left)}", f"没有第{min(left)}行")
    new = f"{kind}-mended.csv"
    with written_to(folder / new):
        write_whole(folder / new, out.getvalue().encode("utf-8-sig"))
    return new


def _unmasked(called: str | None, cell: str, before: str) -> str:
    if called is None:
        return before if cell == HIDDEN else cell
    return before if called in PERSONAL and cell == mask(called, before) else cell


def _unknown(name: str, en: str, zh: str) -> CallerError:
    return CallerError("mended_rows_unknown", f"{name}：{zh}", f"{name}: {en}", file=name)
