"""Rows of a file that were set aside: told with cell, value and what is expected, and a file to mend and send again.

Whatever follows the columns of the file there is ours and is not read again (`column.is_ours`). Pure.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from casework.errors import CallerError
from casework.intake.feed.headers import APART
from casework.intake.feed.safe_form import in_safe_form
from casework.intake.feed.sheet import read_rows
from casework.intake.sheets.column import FileColumn, is_ours, names_of, normal
from casework.intake.sheets.fault import Fault, Places, by_line
from casework.spreadsheet import WORKBOOK

_WHY: Final = ("set_aside_line", "set_aside_column", "set_aside_code", "set_aside_zh", "set_aside_en")
_LINE: Final = _WHY[0]
_REASON: Final = "有误之处 set_aside_reason"
MOST_TOLD: Final = 200
"""Faults that are told one by one; of more only the number."""
_IN_WORDS: Final = 20
_WIDEST: Final = 40  # characters of a column in a workbook


def placed(faults: Iterable[Fault], content: bytes, name: str, columns: Sequence[FileColumn]) -> list[Fault]:
    """The faults of a file that was read before, with cell, value and what is expected. It is read once more."""
    wanted, known = by_line(faults), names_of(columns)
    told: list[Fault] = []
    lines = read_rows(content, name)
    places: Places | None = None
    for line, cells in lines:
        if not wanted:
            break
        if places is None:
            positions = {known[normal(one)]: at for at, one in enumerate(cells) if normal(one) in known}
            places = Places(name, cells, positions, columns, workbook=lines.workbook)
        told += [places.placed(one, cells) for one in wanted.pop(line, ())]
    return told + [one._replace(file=name) for some in wanted.values() for one in some]


class FileFaulty(CallerError):
    """Nothing of a file was taken in, for all of these: the first in words, more as facts, each in `all_of_them`."""

    def __init__(self, code: str, name: str, faults: Sequence[Fault]) -> None:
        zh = "；".join(f"第{one.line}行 {one.column or ''}：{one.zh}" for one in faults[:_IN_WORDS])
        en = "; ".join(f"line {one.line}, {one.column or 'row'}: {one.en}" for one in faults[:_IN_WORDS])
        super().__init__(
            code, f"{name}未导入，共{len(faults)}处有误：{zh}",
            f"{name}: nothing was entered, {len(faults)} fault(s): {en}",
            file=name, faults_in_all=len(faults), faults=[one.as_json() for one in faults[:MOST_TOLD]],
            lines=sorted({one.line for one in faults}),
        )  # fmt: skip
        self.all_of_them = faults


def rows_to_mend(content: bytes, name: str, aside: Iterable[Fault], *, whole: bool = False) -> bytes:
    """The header and these rows of a file that was read before, in a form that no spreadsheet runs (UTF-8 with BOM).

    `whole`: every row, of a file that is taken in whole or not at all. Empty where nothing was set aside.
    """
    why = by_line(aside)
    if not why:
        return b""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    for number, (line, cells) in enumerate(read_rows(content, name)):
        if number == 0:
            kept = [at for at, cell in enumerate(cells) if not is_ours(cell)]
            writer.writerow([*(cells[at] for at in kept), *_WHY])
        elif whole or line in why:
            some = why.get(line, [])
            told = [
                str(line) if some else "", APART.join(one.column or "" for one in some),
                APART.join(one.code for one in some), "；".join(one.zh for one in some),
                APART.join(one.en for one in some),
            ]  # fmt: skip
            writer.writerow([*(cells[at] if at < len(cells) else "" for at in kept), *told])
    return in_safe_form(out.getvalue()).encode("utf-8-sig")


def _split(to_mend: bytes) -> Iterator[tuple[list[str], dict[str, str]]]:
    """The rows of a file to mend, the header first: what is the file's, and what is ours by its name."""
    kept: list[int] = []
    ours: dict[str, int] = {}
    for number, (_, cells) in enumerate(read_rows(to_mend, "mend.csv")):
        if number == 0:
            kept = [at for at, cell in enumerate(cells) if not is_ours(cell)]
            ours = {cell: at for at, cell in enumerate(cells) if is_ours(cell)}
        yield [cells[at] for at in kept], {name: cells[at] for name, at in ours.items()}


def without_values(faults: Iterable[Fault]) -> list[Fault]:
    """As they may be kept in clear: their values lie in the file to mend, which is sealed."""
    return [one._replace(value=None) for one in faults]


def with_values(faults: Sequence[Fault], to_mend: bytes, columns: Sequence[FileColumn]) -> list[Fault]:
    """The faults with the values that a file to mend still holds; without them where it is gone."""
    wanted, known = by_line(faults), names_of(columns)
    if not to_mend:
        return list(faults)
    told = dict[int, list[Fault]]()
    places: Places | None = None
    for cells, ours in _split(to_mend):
        if places is None:
            positions = {known[normal(one)]: at for at, one in enumerate(cells) if normal(one) in known}
            places = Places("", cells, positions, columns, workbook=False)
        elif (line := ours["set_aside_line"]).isdecimal() and int(line) in wanted:
            told[int(line)] = [places.value(one, cells) for one in wanted[int(line)]]
    return [one for line, some in wanted.items() for one in told.get(line, some)]


def as_workbook(to_mend: bytes, columns: Sequence[FileColumn]) -> bytes:
    """A file to mend as XLSX: the columns of the file, faulty cells marked, the line, and last what is wrong with it.

    Every cell is a text, and none a formula.
    """
    import xlsxwriter  # noqa: PLC0415  # most commands make no workbook

    known, by_name, out = names_of(columns), {one.name: one for one in columns}, io.BytesIO()
    with xlsxwriter.Workbook(out, WORKBOOK) as book:
        sheet, bold = book.add_worksheet("待更正 to mend"), book.add_format({"bold": True})
        bad, wraps = book.add_format({"bg_color": "#FFE699"}), book.add_format({"text_wrap": True})
        sheet.freeze_panes(1, 0)
        names: list[str | None] = []
        for row, (cells, ours) in enumerate(_split(to_mend)):
            if row == 0:
                names = [known.get(normal(cell)) for cell in cells]
                for at, cell in enumerate(cells):
                    sheet.set_column(at, at, min(max(12, 2 * len(cell)), _WIDEST))
                    sheet.write_string(0, at, cell, bold)
                sheet.set_column(len(cells) + 1, len(cells) + 1, 2 * _WIDEST)
                sheet.write_string(0, len(cells), _LINE, bold)
                sheet.write_string(0, len(cells) + 1, _REASON, bold)
                continue
            faulty = set(ours["set_aside_column"].split(APART))
            for at, cell in enumerate(cells):
                is_bad = names[at] in faulty if names[at] else False
                if cell or is_bad:
                    sheet.write_string(row, at, cell, *([bad] if is_bad else []))
            sheet.write_string(row, len(cells), ours["set_aside_line"])
            sheet.write_string(row, len(cells) + 1, _reason(ours, by_name), wraps)
    return out.getvalue()


def _reason(ours: Mapping[str, str], columns: Mapping[str, FileColumn]) -> str:
    """What is wrong with a row, in both languages, and what is expected of each cell."""
    names = list(dict.fromkeys(name for name in ours["set_aside_column"].split(APART) if name in columns))
    wrong = ours.get("set_aside_reason") or " / ".join(filter(None, (ours["set_aside_zh"], ours["set_aside_en"])))
    expected = [f"{columns[name].zh} {name}: {columns[name].kind.zh} / {columns[name].kind.en}" for name in names]
    return "\n".join([wrong, *expected]) if wrong else ""
