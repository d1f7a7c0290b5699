"""Money is an integer number of fen inside the service; decimal yuan only at its edges."""

import re

_YUAN = re.compile(r"(-?)(\d{1,13})(?:\.(\d{1,2}))?", re.ASCII)


def fen_from_yuan(text: str) -> int:
    """Fen of a decimal yuan text with at most two places ("1000", "1000.5", "-3.20"); ValueError otherwise."""
    match = _YUAN.fullmatch(text)
    if match is None:
        raise ValueError("not an amount in yuan with at most two places")
    sign, whole, part = match.groups()
    fen = int(whole) * 100 + (int(part.ljust(2, "0")) if part else 0)
    return -fen if sign else fen


def yuan_text(amount_fen: int) -> str:
    """Decimal yuan with two places, without grouping ("-3.20")."""
    sign = "-" if amount_fen < 0 else ""
    whole, part = divmod(abs(amount_fen), 100)
    return f"{sign}{whole}.{part:02d}"
