"""Cells of an XLSX part that its reader would show as something else than the spreadsheet does, made texts. Pure.

An error value (`#N/A`) is read as an empty cell, and a number shown with zeros in front (`000123`) without them.
"""

import re
from collections.abc import Mapping
from typing import Final

_IS_ERROR: Final = re.compile(rb"""(<(?:[\w.-]+:)?c\s[^<>]*?\bt\s*=\s*)(["'])e\2""")
_NUMBER_FORMAT: Final = re.compile(rb"<(?:[\w.-]+:)?numFmt\s[^<>]*>")
_ZEROS: Final = re.compile(rb"""\bformatCode\s*=\s*["'](0{2,15})(?:;[^"']*)?["']""")
_FORMAT_ID: Final = re.compile(rb"""\bnumFmtId\s*=\s*["'](\d{1,9})["']""")
_CELL_STYLES: Final = re.compile(rb"<(?:[\w.-]+:)?cellXfs[\s>].*?</(?:[\w.-]+:)?cellXfs\s*>", re.DOTALL)
_STYLE: Final = re.compile(rb"<(?:[\w.-]+:)?xf\s[^<>]*>")
_NUMBER: Final = re.compile(
    rb"""(?P<tag><(?:[\w.-]+:)?c\s(?P<attributes>[^<>]*[^<>/]))>"""
    rb"""(?P<formula>\s*<(?:[\w.-]+:)?f(?:\s[^<>]*)?>[^<>]*</(?:[\w.-]+:)?f\s*>)?"""
    rb"""(?P<v>\s*<(?:[\w.-]+:)?v(?:\s[^<>]*)?>\s*)(?P<digits>\d{1,15})(?=\s*<)"""
)
_CELL_STYLE: Final = re.compile(rb"""(?:^|\s)s\s*=\s*["'](\d{1,9})["']""")
_CELL_TYPE: Final = re.compile(rb"""(?:^|\s)t\s*=\s*["']([a-zA-Z]*)["']""")


def zeros_of_styles(part: bytes) -> dict[bytes, int]:
    """The styles of a workbook's styles part that show a number with zeros in front, and with how many digits."""
    digits: dict[bytes, int] = {}
    for declared in _NUMBER_FORMAT.findall(part):
        code, number = _ZEROS.search(declared), _FORMAT_ID.search(declared)
        if code and number:
            digits[number[1]] = len(code[1])
    found = _CELL_STYLES.search(part) if digits else None
    if found is None:
        return {}
    used = [_FORMAT_ID.search(style) for style in _STYLE.findall(found[0])]
    return {b"%d" % place: digits[one[1]] for place, one in enumerate(used) if one and one[1] in digits}


def plain_cells(part: bytes, zeros: Mapping[bytes, int]) -> bytes:
    """The part with error values as texts, and with the zeros that styles (`zeros`) show as digits."""
    part = _IS_ERROR.sub(rb"\1\2str\2", part)
    if not zeros:
        return part

    def shown(cell: re.Match[bytes]) -> bytes:
        style, kind = _CELL_STYLE.search(cell["attributes"]), _CELL_TYPE.search(cell["attributes"])
        if style is None or style[1] not in zeros or (kind is not None and kind[1] != b"n"):
            return cell[0]
        tag = cell["tag"] if kind is None else cell["tag"].replace(kind[0], b"")
        return b'%s t="str">%s%s%s' % (
            tag, cell["formula"] or b"", cell["v"], cell["digits"].zfill(zeros[style[1]]),
        )  # fmt: skip

    return _NUMBER.sub(shown, part)
