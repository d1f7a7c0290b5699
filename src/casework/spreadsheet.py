"""What every file for a spreadsheet must keep to: no text of ours becomes a formula there. Pure."""

from typing import Final

WORKBOOK: Final = {
    "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
}  # fmt: skip
"""XlsxWriter's options: rows are written as they come, and texts stay texts whatever they begin with."""
_ACTIVE: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # ＝＋－＠ too


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: a leading = + - @, tab or return gets an apostrophe."""
    return f"'{text}" if text[:1] in _ACTIVE else text
