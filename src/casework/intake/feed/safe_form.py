"""Rows set aside as a CSV that no spreadsheet runs: cells that could be formulas are defused, and are read back. Pure.

The column `SAFE_COLUMN` says so. A file that has it is read as its cells were before, so that it can be mended and fed
again; a file without it is read as it is.
"""

import csv
import io
from collections.abc import Sequence

from casework.intake.feed.headers import SAFE_COLUMN
from casework.intake.sheets.column import normal
from casework.spreadsheet import defused, fused


def in_safe_form(text: str) -> str:
    """A CSV of `set_aside_csv` with every cell defused, and the column that says so."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""))):
        writer.writerow([*map(defused, cells), "" if number else SAFE_COLUMN])
    return out.getvalue()


def is_safe_form(header: Sequence[str]) -> bool:
    """Whether a file of this first row has its cells defused."""
    return any(normal(name) == SAFE_COLUMN for name in header)


def as_it_was(cells: Sequence[str]) -> list[str]:
    """The cells of a row of a safe form as they were before."""
    return list(map(fused, cells))
