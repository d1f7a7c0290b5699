"""Texts of others as a terminal may show them: nothing moves the cursor, colours the screen or turns text around. Pure.

Origins, names of witnesses, streams and details of findings come out of files and rows that anybody may have written.
"""

import unicodedata
from typing import Final

_UNFIT: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Blank though they are letters or signs: two names that look alike need not be one.
_UNSEEN: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f")


def on_screen(text: str, kept: str = "") -> str:
    """The text with every control, format and direction character written as its escape; `kept` are left alone."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(sign if sign in kept or not _is_unfit(sign) else _escaped(sign) for sign in text)


def in_json(document: str) -> str:
    """The same for a JSON document, which means what it meant: such characters become escapes of JSON."""
    if document.isascii() and "\x7f" not in document:
        return document
    return "".join(sign if sign < "\x7f" or not _is_unfit(sign) else _json_escape(sign) for sign in document)


def _is_unfit(sign: str) -> bool:
    return sign in _UNSEEN or unicodedata.category(sign) in _UNFIT


def _escaped(sign: str) -> str:
    point = ord(sign)
    return f"\\x{point:02x}" if point < 0x80 else f"\\u{point:04x}" if point < 0x1_0000 else f"\\U{point:08x}"


def _json_escape(sign: str) -> str:
    units = sign.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
