"""One table, told once: columns with labels, widths and totals; written as sheets of a workbook that can be printed.

What is in a cell follows from its value: an amount in fen (a field called `…_fen`) is shown in yuan, days and times as
such, texts stay texts whatever they begin with. Times are the branch's, as their values say; `about` says the zone.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from casework.spreadsheet import WORKBOOK, Column, safe_cell

Lang = Literal["zh", "en"]
MAX_ROWS: Final = 20_000
LIST_EXPORTED: Final = "list.exported"
_PAGE_WIDTH: Final = 200  # characters beside each other that can be read on paper that lies
_HEAD: Final = 2  # rows above the header: the title, and what it is about
_MOST_CHARS: Final = 32_000  # a workbook's cell holds 32,767
_LINE_HEIGHT: Final = 15  # points, of the type that a workbook has by itself
_MOST_LINES: Final = 12
_WIDE: Final = "\u2e80"  # from here on characters are as wide as high
_TIMES: Final = {
    "minutes": ("%Y-%m-%d %H:%M", "yyyy-mm-dd hh:mm"), "seconds": ("%Y-%m-%d %H:%M:%S", "yyyy-mm-dd hh:mm:ss"),
}  # fmt: skip
_TRUTH: Final[Mapping[Lang, tuple[str, str]]] = {"zh": ("否", "是"), "en": ("no", "yes")}


_COLON: Final[Mapping[Lang, str]] = {"zh": "：", "en": ": "}


class Sheet(NamedTuple):
    """A table of a workbook. `about` is shown under the title; `totals` are the fields that are summed below.

    `kept_left`: so many columns stay in sight when the table is scrolled, and stand on every page that it takes in
    width. `summed`: totals that are no plain sums of what the lines say, by field. `unprinted`: so many columns at the
    right are for programs, and stay off paper.
    """

    title: str
    about: str
    columns: Sequence[Column]
    lines: Iterable[Sequence[Any]]
    totals: frozenset[str] = frozenset()
    kept_left: int = 0
    summed: Mapping[str, int] = MappingProxyType({})
    unprinted: int = 0

    @property
    def on_paper(self) -> Sequence[Column]:
        """The columns that are printed."""
        return self.columns[: len(self.columns) - self.unprinted]


class BulkList(NamedTuple):
    """A list: its name in entries, what it is called, its columns, and how it is printed (as `Sheet`).

    `event` is the entry's; `at_most`: how many rows a file may have; one that lacks some says so.
    """

    name: str
    zh: str
    en: str
    columns: Sequence[Column]
    event: str = LIST_EXPORTED
    totals: frozenset[str] = frozenset()
    kept_left: int = 0
    unprinted: int = 0
    at_most: int = MAX_ROWS


def shown(column: Column, value: Any, lang: Lang = "zh") -> str:
    """A value as it stands on a screen: amounts in yuan with separators, times in branch time; nothing is empty."""
    if value is None:
        return ""
    if column.field.endswith("_fen"):
        return f"{value / 100:,.2f}"
    if isinstance(value, bool):
        return _TRUTH[lang][value]
    return value.strftime(_TIMES[column.to][0]) if isinstance(value, datetime) else str(value)


def as_csv(sheet: Sheet, lang: Lang) -> bytes:
    """The lines for a spreadsheet (UTF-8 with a mark), amounts in yuan; nothing in it is a formula.

    They begin in the first row, as programs want it; what the sheet is about stands below them.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([getattr(column, lang) for column in sheet.columns])
    for line in sheet.lines:
        writer.writerow([_plain(column, value, lang) for column, value in zip(sheet.columns, line, strict=True)])
    if sheet.about:
        writer.writerow([safe_cell(sheet.about)])
    return out.getvalue().encode("utf-8-sig")


def _plain(column: Column, value: Any, lang: Lang) -> str:
    if column.field.endswith("_fen") and value is not None:
        return f"{value / 100:.2f}"
    return safe_cell(value) if isinstance(value, str) else shown(column, value, lang)


def printed(sheets: Sequence[Sheet], lang: Lang, signed_by: Sequence[str] = ()) -> bytes:
    """A workbook of these sheets, to filter and to print: landscape, header and number on every page, lines to sign."""
    import xlsxwriter  # noqa: PLC0415  # most commands make no workbook

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, WORKBOOK) as book:
        formats = {
            "title": book.add_format({"bold": True, "font_size": 14}), "bold": book.add_format({"bold": True}),
            "header": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
            "fen": book.add_format({"num_format": "#,##0.00"}), "day": book.add_format({"num_format": "yyyy-mm-dd"}),
            **{to: book.add_format({"num_format": form}) for to, (_, form) in _TIMES.items()},
            "long": book.add_format({"text_wrap": True}),
            "total": book.add_format({"bold": True, "top": 1}),
            "total_fen": book.add_format({"bold": True, "top": 1, "num_format": "#,##0.00"}),
        }  # fmt: skip
        for sheet in sheets:
            _write(book.add_worksheet(sheet.title), sheet, lang, formats, signed_by)
    return out.getvalue()


def _write(page: Any, sheet: Sheet, lang: Lang, formats: dict[str, Any], signed_by: Sequence[str]) -> None:
    _set_up(page, sheet)
    page.write_string(0, 0, sheet.title, formats["title"])
    page.write_string(1, 0, sheet.about)
    for place, column in enumerate(sheet.columns):
        page.write_string(_HEAD, place, getattr(column, lang), formats["header"])
    row, sums = _write_lines(page, sheet, lang, formats)
    page.autofilter(_HEAD, 0, row, len(sheet.columns) - 1)
    row += 1
    if sheet.totals:
        page.write_string(row, 0, {"zh": "合计", "en": "Total"}[lang], formats["total"])
        for place, column in enumerate(sheet.columns):
            if column.field in sums:
                is_fen = column.field.endswith("_fen")
                value = sums[column.field] / 100 if is_fen else sums[column.field]
                page.write_number(row, place, value, formats["total_fen" if is_fen else "total"])
    apart = max(1, min(4, len(sheet.columns) // max(1, len(signed_by))))
    for number, who in enumerate(signed_by):
        page.write_string(row + 2, number * apart, f"{who}{_COLON[lang]}____________", formats["bold"])
    last = max(len(sheet.on_paper), apart * (len(signed_by) - 1) + 1) - 1
    page.print_area(0, 0, row + 2, last)


def _write_lines(
    page: Any, sheet: Sheet, lang: Lang, formats: dict[str, Any]
) -> tuple[int, dict[str, int]]:  # fmt: skip
    """The last row, and the totals. A workbook is mostly these cells: what can be known of a column is, once."""
    is_fen = [column.field.endswith("_fen") for column in sheet.columns]
    added = {
        place: 0 for place, column in enumerate(sheet.columns)
        if column.field in sheet.totals and column.field not in sheet.summed
    }  # fmt: skip
    fits = [column.width // 2 if column in sheet.on_paper else _MOST_CHARS for column in sheet.columns]
    write_string, write_number, fen, long = page.write_string, page.write_number, formats["fen"], formats["long"]
    row = _HEAD
    for row, line in enumerate(sheet.lines, _HEAD + 1):
        if len(line) != len(is_fen):
            raise ValueError("a line has a value for each column")
        tallest = 1
        for place, value in enumerate(line):
            if value is None or value == "":
                continue
            if is_fen[place]:
                write_number(row, place, value / 100, fen)  # exact to the fen far beyond any loan
            elif type(value) is str:
                needed = 1 if len(value) <= fits[place] else _lines_of(value, sheet.columns[place].width)
                write_string(row, place, _held(value), long if needed > 1 else None)
                tallest = max(tallest, needed)
            elif isinstance(value, bool):
                write_string(row, place, _TRUTH[lang][value])
            else:
                _cell(page, row, place, value, formats, sheet.columns[place])
            if place in added:
                added[place] += value
        if tallest > 1:
            page.set_row(row, _LINE_HEIGHT * tallest)  # not every program fits a row to its text
    return row, {sheet.columns[place].field: total for place, total in added.items()} | dict(sheet.summed)


def _lines_of(text: str, width: int) -> int:
    """How many lines it takes in a column: a Chinese character is as wide as two letters."""
    wide = len(text) + sum(char >= _WIDE for char in text)
    return min(_MOST_LINES, -(-wide // width))


def _held(text: str) -> str:
    """What a workbook's cell can hold of it."""
    return text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}…"


def _set_up(page: Any, sheet: Sheet) -> None:
    for place, column in enumerate(sheet.columns):
        page.set_column(place, place, column.width)
    page.freeze_panes(_HEAD + 1, sheet.kept_left)
    page.set_landscape()
    page.set_paper(9)  # A4
    page.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    width = sum(column.width for column in sheet.on_paper)
    page.fit_to_pages(max(1, round(width / _PAGE_WIDTH)) if sheet.kept_left else 1, 0)
    if sheet.kept_left:
        page.repeat_columns(0, sheet.kept_left - 1)
    page.repeat_rows(_HEAD - 1, _HEAD)  # what it is about says who took it out: on every page
    page.set_footer("&C&P / &N&R&D")


def _cell(page: Any, row: int, place: int, value: Any, formats: dict[str, Any], column: Column) -> None:
    if isinstance(value, datetime):
        page.write_datetime(row, place, value.replace(tzinfo=None), formats[column.to])
    elif isinstance(value, date):
        page.write_datetime(row, place, value, formats["day"])
    elif isinstance(value, int):
        page.write_number(row, place, value)
    else:
        page.write_string(row, place, _held(str(value)))
