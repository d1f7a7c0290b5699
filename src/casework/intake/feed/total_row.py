"""Which rows of a feed file are totals that a spreadsheet's user wrote under (or between, or over) the rows. Pure.

A total row is no loan. It is known by two things together: it has a total's word and no key, and each amount in it is
the sum of the rows it stands for (or it has none). Without the word, all of its amounts must be such sums of two rows
or more, and it may say nothing else. A row that only looks like a total could be anybody's, and stays a row.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from casework.intake.feed.cell import fen
from casework.intake.feed.headers import Kind

AMOUNTS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "loans": ("principal", "outstanding_principal"),
    "overdue": ("overdue_principal", "overdue_interest", "overdue_penalty", "outstanding_principal"),
    "repayments": ("amount",),
    "contacts": (),
}
_KEY: Final[Mapping[Kind, str]] = {"loans": "loan_id", "overdue": "loan_id", "repayments": "payment_id"}
_WORD: Final = re.compile(
    r"(?:[本各全]\S{0,3})?(?:合\s*计|总\s*计|小\s*计|汇\s*总|累\s*计)数?|(?:grand|sub)?[\s-]*totals?|sum", re.IGNORECASE
)
_COUNT: Final = re.compile(r"[\s:(]*\d*\s*[笔户条项行]?\s*[):]?")


def is_word(cell: str) -> bool:
    """Whether a cell says that its row is a total: 合计, 小计：, total, 合计40笔."""
    text = unicodedata.normalize("NFKC", cell).strip()
    found = _WORD.match(text)
    return found is not None and _COUNT.fullmatch(text, found.end()) is not None


@dataclass(slots=True)
class _Sums:
    """Of some rows: how many, and the sum of each amount; no sums if an amount cannot be read."""

    width: int
    rows: int = 0
    sums_fen: list[int] | None = field(init=False)

    def __post_init__(self) -> None:
        self.sums_fen = [0] * self.width

    def add(self, amounts: Sequence[int | None] | None) -> None:
        self.rows += 1
        if amounts is None or self.sums_fen is None:
            self.sums_fen = None
            return
        self.sums_fen = [total + (amount or 0) for total, amount in zip(self.sums_fen, amounts, strict=True)]

    def are(self, amounts: Sequence[int | None]) -> bool:
        """Whether each amount that is given is the sum of its column."""
        if self.sums_fen is None:
            return False
        return all(amount in (None, total) for amount, total in zip(amounts, self.sums_fen, strict=True))


class Totals:
    """Tells a file's total rows by its header: `may_be` for one row, `lines` for the whole file."""

    def __init__(self, kind: Kind, positions: Mapping[str, int], width: int) -> None:
        self.width = width
        self.key = positions.get(_KEY.get(kind, ""))
        self.amounts = [positions[name] for name in AMOUNTS[kind] if name in positions]

    def may_be(self, cells: Sequence[str]) -> bool:
        """Whether the row has amounts but no key, and nothing else or a total's word: then sums decide."""
        if self.key is None or len(cells) != self.width:
            return False
        key = cells[self.key]
        if key.strip() and not is_word(key):
            return False
        others = [cell for at, cell in enumerate(cells) if at not in self.amounts and cell.strip()]
        return not others or any(map(is_word, others))

    def lines(self, rows: Iterable[tuple[int, Sequence[str]]]) -> frozenset[int]:
        """The lines on which totals stand, of all rows of the file behind its header."""
        everything, group = _Sums(len(self.amounts)), _Sums(len(self.amounts))
        found: set[int] = set()
        above: list[tuple[int, Sequence[int | None]]] = []  # totals may stand over their rows
        for line, cells in rows:
            amounts = self._read(cells)
            if amounts is not None and self.may_be(cells):
                labelled = any(map(is_word, cells))
                says_nothing = labelled and not any(amounts)
                certain = labelled or (all(amounts) and group.rows > 1)
                if says_nothing or (certain and (group.are(amounts) or everything.are(amounts))):
                    found.add(line)
                    group = _Sums(len(self.amounts))
                    continue
                if labelled:
                    above.append((line, amounts))
                    continue
            everything.add(amounts)
            group.add(amounts)
        return frozenset(found | {line for line, amounts in above if everything.are(amounts)})

    def _read(self, cells: Sequence[str]) -> list[int | None] | None:
        """The amounts of a row, none where it gives none; no list if one cannot be read."""
        try:
            if len(cells) != self.width:
                raise ValueError("cells may have moved")
            return [fen(cells[at]) if cells[at].strip() else None for at in self.amounts]
        except ValueError:
            return None
