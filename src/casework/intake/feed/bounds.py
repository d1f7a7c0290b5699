"""How much of a feed is read, and the refusals where there is more: a stranger may have chosen what is in it. Pure.

The bytes of a file have bounds in `manifest` and `sheet`; here are those of what becomes of them. All that an import
holds grows with these figures and not with the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from casework.errors import CallerError
from casework.intake.feed.cell_texts import TEXTS

ROW_LIMIT: Final = 1 << 20
COLUMN_LIMIT: Final = 512  # of a header; a row of other cells is set aside, whatever their number
ROW_LIMIT_CHARACTERS: Final = 1 << 16  # of one row with what parts its cells; a real one has some hundred
_CELL_BYTES: Final = 64  # of a text besides its characters, in memory


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one file: `rows` that it may have, blank ones and totals included (by default as a spreadsheet's sheet can).

    `aside` rows may be set aside, which together may weigh `aside_bytes` in memory, each with the header, which is kept
    beside its cells.
    """

    rows: int = ROW_LIMIT
    aside: int = 20_000
    aside_bytes: int = 64 << 20


USUAL: Final = Bounds()


@dataclass(slots=True)
class Room:
    """What one file has set aside, as it grows."""

    kind: str
    name: str
    header: Sequence[str]
    bounds: Bounds
    rows: int = 0
    size_bytes: int = 0
    first: tuple[int, str, str] | None = None

    def take(self, line: int, column: str, code: str, cells: Sequence[str]) -> None:
        """One more row; CallerError too_many_set_aside where there is no room for it."""
        self.first = self.first or (line, column, code)
        self.rows += 1
        self.size_bytes += _weight(cells) + _weight(self.header)
        if self.rows > self.bounds.aside or self.size_bytes > self.bounds.aside_bytes:
            raise self._too_many(line)

    def _too_many(self, line: int) -> CallerError:
        at, column, code = self.first or (line, "", "")
        (zh, en), most, mib = TEXTS[code], self.bounds.aside, self.bounds.aside_bytes >> 20
        return CallerError(
            "too_many_set_aside",
            f"{self.name} 到第{line}行已有{self.rows}行不可用，超过上限（{most}行或 {mib} MiB），最先是第{at}行 "
            f"{column or self.kind}：{zh}",
            f"{self.name} has {self.rows} rows that cannot be used by line {line}, more than are kept (at most {most}, "
            f"or {mib} MiB of them), the first in line {at}, {column or self.kind}: {en}",
            kind=self.kind, set_aside=self.rows, at_most=most, at_most_bytes=self.bounds.aside_bytes,
            first=[{"line": at, "column": column, "code": code}],
        )  # fmt: skip


def _weight(cells: Sequence[str]) -> int:
    return 2 * sum(map(len, cells)) + _CELL_BYTES * len(cells)


def too_many_rows(name: str, at_most: int) -> CallerError:
    """The file has more rows than are read, or its manifest says so."""
    return CallerError(
        "too_many_rows", f"{name} 的行数（含空行）超过上限 {at_most} 行",
        f"{name} has more rows, blank ones included, than the {at_most} that are read", file=name, at_most=at_most,
    )  # fmt: skip


def row_too_long(name: str, line: int) -> CallerError:
    """A row is longer than a row of a feed can be."""
    return CallerError("row_too_long", file=name, line=line, at_most_characters=ROW_LIMIT_CHARACTERS)


def too_many_columns(name: str, columns: int) -> CallerError:
    """The header is wider than any file of a feed."""
    return CallerError("too_many_columns", file=name, columns=columns, at_most=COLUMN_LIMIT)
