"""What every file for a spreadsheet must keep to: no text of ours becomes a formula there. Pure."""

from typing import Final, Literal, NamedTuple

WORKBOOK: Final = {
    "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
}  # fmt: skip
"""XlsxWriter's options: rows are written as they come, and texts stay texts whatever they begin with."""
_ACTIVE: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # ＝＋－＠ too
_DEFUSED: Final = frozenset((*_ACTIVE, "'"))


class Column(NamedTuple):
    """A field of a list, its header, and how wide it is in a workbook; one called `…_fen` is an amount.

    What else a cell is follows from its value; `to`: how far its times are told.
    """

    field: str
    zh: str
    en: str
    width: int
    to: Literal["minutes", "seconds"] = "minutes"


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: a leading = + - @, tab or return gets an apostrophe."""
    return f"'{text}" if text[:1] in _ACTIVE else text


def defused(text: str) -> str:
    """As `safe_cell`, behind blanks too, and so that `fused` gives the text back: an apostrophe gets one more."""
    return f"'{text}" if text[:1] in _DEFUSED or text.lstrip()[:1] in _DEFUSED else text


def fused(text: str) -> str:
    """The text that `defused` was given."""
    return text.removeprefix("'")
