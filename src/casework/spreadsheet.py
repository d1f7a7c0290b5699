"""What every file for a spreadsheet must keep to: no text of ours becomes a formula there. Pure."""

from collections.abc import Mapping
from typing import Any, Final, Literal

WORKBOOK: Final = {
    "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
}  # fmt: skip
"""XlsxWriter's options: rows are written as they come, and texts stay texts whatever they begin with."""
_ACTIVE: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # ＝＋－＠ too
_DEFUSED: Final = frozenset((*_ACTIVE, "'"))


def write_notes(book: Any, lang: Literal["zh", "en"], notes: Mapping[str, str], rows: int, cut: str | None) -> None:
    """A last sheet that says what the workbook holds: `notes`, how many rows, and `cut` where there were more."""
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
