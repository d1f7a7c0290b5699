"""Whom a raw row of a feed names: the values by which an erasure finds it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from casework import ids
from casework.personal import normalise

_ID: Final = "id_number"
_NAMING: Final = ("loan_id", "borrower_id", _ID)


def named_in(positions: Mapping[str, int], width: int, cells: Sequence[str]) -> set[str]:
    """Loan, borrower and ID number of a row, from their columns (`positions` by name, `width` of the header).

    In a row of another width cells may have moved: then it is every cell. In others an amount that happens to be
    somebody's number names nobody. A spoilt id is there in every spelling (`ids.spellings`), and an ID number as it is
    normalised too.
    """
    if len(cells) != width:
        return {spelling for cell in cells for spelling in (*ids.spellings(cell), normalise("id_number", cell))}
    named = {spelling for name in _NAMING if name in positions for spelling in ids.spellings(cells[positions[name]])}
    return named | ({normalise("id_number", cells[positions[_ID]])} if _ID in positions else set())
