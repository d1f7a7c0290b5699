"""The rows of a CSV: one by one as the `csv` module reads them, or many at once as columns where nothing is quoted.

The text is read in pieces that end with a line. Both ways of reading go on where the other has stopped.
"""

import csv
import io
from collections.abc import Iterator
from typing import Final, NamedTuple

from casework.errors import CallerError
from casework.intake.feed.bounds import ROW_LIMIT_CHARACTERS, row_too_long

_PIECE: Final = ROW_LIMIT_CHARACTERS // 2
"""Characters: some hundred rows, few enough that one odd cell among them costs little."""
_OTHER_SEPARATORS: Final = {"\t": ("制表符", "tabs"), **dict.fromkeys(";；", ("分号", "semicolons"))}


class PlainRows(NamedTuple):
    """Rows that follow one another, a line each, as columns: `lines` are theirs, `text` is all of them."""

    lines: range
    columns: list[list[str]]
    text: str


class CsvText:
    """The text of a file, to be walked over once. `name` is for errors."""

    def __init__(self, content: bytes, encoding: str, name: str) -> None:
        # A character that is cut shows as U+FFFD: the cell that holds it is the one that is at fault.
        self._stream = io.TextIOWrapper(io.BytesIO(content), encoding, errors="replace", newline="")
        self._name = name
        self._piece = io.StringIO(newline="")
        self._line = 1  # the row in hand begins here
        self._lines = 0
        self._pending = 0  # characters read of it
        self._not_plain = False  # what is left of the piece: it was looked at
        self._rows = self._read_rows()

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Rows with the line each begins on; CallerError csv_malformed, other_separator, row_too_long."""
        return self._rows

    def plain_rows(self, width: int) -> PlainRows | None:
        """The next rows at once; none where one of them is quoted or blank or has not `width` cells, and at the end."""
        text = self._piece.read()
        if not text:
            text, self._not_plain = self._next_piece(), False
        columns = None if self._not_plain else _columns(text, width)
        if columns is None:
            self._piece, self._not_plain = io.StringIO(text, newline=""), True
            return None
        self._piece = io.StringIO(newline="")
        begun, self._lines = self._lines, self._lines + len(columns[0])
        return PlainRows(range(begun + 1, self._lines + 1), columns, text)

    def put_back(self, rows: PlainRows) -> None:
        """The rows that were given last are to be read one by one."""
        self._piece, self._not_plain = io.StringIO(rows.text, newline=""), True
        self._lines -= len(rows.lines)

    def _next_piece(self) -> str:
        head = self._stream.read(_PIECE)
        return head + self._stream.readline(ROW_LIMIT_CHARACTERS) if head else ""

    def _read_lines(self) -> Iterator[str]:
        while True:
            text = self._piece.readline()
            if not text:
                self._piece, self._not_plain = io.StringIO(self._next_piece(), newline=""), False
                text = self._piece.readline()
                if not text:
                    return
            self._lines += 1
            self._pending += len(text)
            if self._pending >= ROW_LIMIT_CHARACTERS:
                raise row_too_long(self._name, self._line)
            yield text

    def _read_rows(self) -> Iterator[tuple[int, list[str]]]:
        header = None
        self._line, self._pending = 1, 0
        try:
            for cells in csv.reader(self._read_lines(), strict=True):
                header = header or _separated(self._name, self._line, cells)
                yield self._line, cells
                self._line, self._pending = self._lines + 1, 0  # a quoted cell may hold line ends
        except csv.Error as error:
            raise CallerError(
                "csv_malformed",
                f"{self._name} 第 {self._line} 行起不是有效的 CSV",
                f"{self._name} is no valid CSV from line {self._line} on: {error}",
                file=self._name,
                line=self._line,
            ) from None


def _columns(text: str, width: int) -> list[list[str]] | None:
    """The cells of a text of whole lines by column; none where they are not all what stands between two commas."""
    if width < 2 or not text or '"' in text or len(text) >= ROW_LIMIT_CHARACTERS:
        return None
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if "\r" in text:
        return None
    count = text.count("\n") + (text[-1] != "\n")
    cells = text.removesuffix("\n").replace("\n", ",\n,").split(",")
    apart = width + 1  # a line end between the cells of two rows
    if len(cells) != apart * count - 1 or cells[width::apart].count("\n") != count - 1:
        return None
    return [cells[at::apart] for at in range(width)]


def _separated(name: str, line: int, cells: list[str]) -> list[str]:
    """The first row with something in it, if it is not separated by something else; CallerError other_separator."""
    text = cells[0].strip() if cells else ""
    if text.lower().startswith("sep="):
        raise CallerError(
            "other_separator",
            f"{name} 第 {line} 行是 sep= 声明；请删除该行，并以逗号分隔各列",
            f"line {line} of {name} is a sep= line; remove it and separate the columns by commas",
            file=name, line=line,
        )  # fmt: skip
    for separator, (zh, en) in _OTHER_SEPARATORS.items():
        if len(cells) == 1 and separator in text:
            raise CallerError(
                "other_separator",
                f"{name} 各列以{zh}分隔；请另存为以逗号分隔的 CSV",
                f"the columns of {name} are separated by {en}; save it as CSV with commas",
                file=name, line=line,
            )  # fmt: skip
    return cells if any(cells) else []
