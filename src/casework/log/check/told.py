"""Details of findings as every report can print them: plain values of JSON, whatever a tampered row held. Pure."""

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, time
from enum import Enum
from typing import Any, Final

LONGEST: Final = 400
"""Characters of a text, values of a list: a report of a tampered log must not become as large as the log."""
_MOST: Final = 2**63


def plain(value: Any) -> Any:
    """`value` in JSON's own types: texts whole and short, bytes in hex, instants in ISO form; anything else its type.

    Nothing that a finding is given can keep the report from being printed.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(one) for key, one in list(value.items())[:LONGEST]}
    if isinstance(value, AbstractSet):
        return sorted((plain(one) for one in list(value)[:LONGEST]), key=repr)
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value[:LONGEST]]
    return _simple(value)


def _simple(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):  # also a kind of its own, as the names of tables are
        text = str.__str__(value)
        return (text if len(text) <= LONGEST else f"{text[:LONGEST]}…").encode(errors="backslashreplace").decode()
    if isinstance(value, int):
        return int(value) if -_MOST <= value < _MOST else f"{value:#x}"[:LONGEST]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(float(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"0x{bytes(value)[:LONGEST].hex()}"
    return value.isoformat() if isinstance(value, (date, time)) else type(value).__name__
