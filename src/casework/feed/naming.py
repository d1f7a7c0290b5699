"""Whom a raw row of a feed names: the values by which an erasure finds it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from casework.personal import normalise

_ID: Final = "id_number"
_NAMING: Final = ("loan_id", "borrower_id", _ID)


def named_in(positions: Mapping[str, int], width: int, cells: Sequence[str]) -> set[str]:
    """Loan, borrower and ID number of a row, from their columns (`positions` by name, `width` of the header).

    In a row of another width cells may have moved: then it is every cell. In others an amount that happens to be
    somebody's number names nobody. An ID number is there as it came and as it is normalised.
    """
    if len(cells) != width:
        return {spelling for cell in cells for spelling in (cell.strip(), normalise("id_number", cell))}
    named = {cells[positions[name]].strip() for name in _NAMING if name in positions}
    return named | ({normalise("id_number", cells[positions[_ID]])} if _ID in positions else set())
