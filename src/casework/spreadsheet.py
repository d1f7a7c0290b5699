"""What every file for a spreadsheet must keep to: no text of ours becomes a formula there. Pure."""

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, Literal, NamedTuple

WORKBOOK: Final = {
    "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
}  # fmt: skip
"""XlsxWriter's options: rows are written as they come, and texts stay texts whatever they begin with."""
_ACTIVE: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # ＝＋－＠ too
_DEFUSED: Final = frozenset((*_ACTIVE, "'"))


class Column(NamedTuple):
    """A field of a list, its header, and how wide it is in a workbook; one called `…_fen` is an amount."""

    field: str
    zh: str
    en: str
    width: int


def workbook(
    columns: Sequence[Column], lines: Iterable[Sequence[Any]], lang: Literal["zh", "en"], title: str,
    notes: Mapping[str, str], cut: str | None = None,
) -> bytes:  # fmt: skip
    """A workbook of `lines`, whose values stand in the order of `columns`, one in memory at a time; nothing is formula.

    Amounts, in fen, are shown in yuan. A last sheet has `notes`, how many rows there are, and `cut` where there were
    more.
    """
    import xlsxwriter  # noqa: PLC0415  # most commands make no workbook

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, WORKBOOK) as book:
        bold, money = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.00"})
        day, sheet = book.add_format({"num_format": "yyyy-mm-dd"}), book.add_worksheet(title)
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(columns):
            sheet.set_column(place, place, column.width)
        for place, column in enumerate(columns):
            sheet.write_string(0, place, getattr(column, lang), bold)
        number = 0
        for number, line in enumerate(lines, 1):
            for place, (column, value) in enumerate(zip(columns, line, strict=True)):
                if value is None or value == "":
                    continue
                if column.field.endswith("_fen"):
                    sheet.write_number(number, place, value / 100, money)  # exact to the fen far beyond any loan
                elif isinstance(value, date):
                    sheet.write_datetime(number, place, value, day)
                elif isinstance(value, int):
                    sheet.write_number(number, place, value)
                else:
                    sheet.write_string(number, place, value)
        _write_notes(book, lang, notes, number, cut)
    return out.getvalue()


def _write_notes(book: Any, lang: Literal["zh", "en"], notes: Mapping[str, str], rows: int, cut: str | None) -> None:
    sheet = book.add_worksheet({"zh": "说明", "en": "Notes"}[lang])
    sheet.set_column(0, 1, 30)
    shown = {**notes, {"zh": "行数", "en": "Rows"}[lang]: str(rows)}
    if cut is not None:
        shown[{"zh": "注意", "en": "Attention"}[lang]] = cut
    bold = book.add_format({"bold": True})
    for row, (name, value) in enumerate(shown.items()):
        sheet.write_string(row, 0, name, bold)
        sheet.write_string(row, 1, value)


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: a leading = + - @, tab or return gets an apostrophe."""
    return f"'{text}" if text[:1] in _ACTIVE else text


def defused(text: str) -> str:
    """As `safe_cell`, behind blanks too, and so that `fused` gives the text back: an apostrophe gets one more."""
    return f"'{text}" if text[:1] in _DEFUSED or text.lstrip()[:1] in _DEFUSED else text


def fused(text: str) -> str:
    """The text that `defused` was given."""
    return text.removeprefix("'")
