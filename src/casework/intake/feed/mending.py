"""The rows of a file that were set aside, as a CSV to mend and send again: as they came, and why. Pure."""

import csv
import io
from collections.abc import Iterable
from typing import Final

from casework.intake.feed.agreed_rows import RowNote
from casework.intake.feed.safe_form import in_safe_form
from casework.intake.feed.sheet import read_rows

_WHY: Final = ("set_aside_line", "set_aside_column", "set_aside_code", "set_aside_zh", "set_aside_en")
"""Behind the columns of the file; whoever reads the file again does not know them."""


def rows_to_mend(content: bytes, name: str, aside: Iterable[RowNote], *, whole: bool = False) -> bytes:
    """The header and these rows of a file that was read before, in a form that no spreadsheet runs (UTF-8 with BOM).

    `whole`: every row, of a file that is taken in whole or not at all. Empty where nothing was set aside.
    """
    why = {one.line: one for one in aside}
    if not why:
        return b""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    for number, (line, cells) in enumerate(read_rows(content, name)):
        if number == 0:
            kept = [at for at, cell in enumerate(cells) if cell not in _WHY]
            writer.writerow([*(cells[at] for at in kept), *_WHY])
        elif whole or line in why:
            one = why.get(line)
            told = [""] * len(_WHY) if one is None else [str(line), one.column or "", one.kind, one.zh, one.en]
            writer.writerow([*(cells[at] if at < len(cells) else "" for at in kept), *told])
    return in_safe_form(out.getvalue()).encode("utf-8-sig")
