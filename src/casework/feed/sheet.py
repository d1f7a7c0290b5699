"""From the bytes of a feed file to rows of text cells: CSV (UTF-8 or GB18030), gzip of it, or XLSX.

What a file is shows in its first bytes, not in its name. Everything that grows while it is read has a bound.
"""

import csv
import datetime as dt
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final

from python_calamine import CalamineError, CalamineWorkbook

from casework.errors import CallerError

UNPACKED_LIMIT: Final = 512 << 20  # bytes of a file once unpacked
XLSX_CELL_LIMIT: Final = 12_000_000  # the reader holds the whole rectangle in memory, some 30 bytes a cell
_CELL_REFERENCE: Final = re.compile(rb"""\br=["']([A-Z]{1,3})([0-9]{1,7})["']""")


def read_rows(content: bytes, name: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, the header first, with the line it begins on (an XLSX row's number).

    `name` is for errors. `CallerError`: file_cut (gzip without its end), file_unreadable, file_too_large, and
    while iterating csv_malformed.
    """
    if content[:2] == b"\x1f\x8b":
        content = gunzip(content, name)
    if content[:4] == b"PK\x03\x04":
        return _xlsx_rows(content, name)
    return _csv_rows(_decode(content, name), name)


def gunzip(content: bytes, name: str, limit: int = UNPACKED_LIMIT) -> bytes:
    """The content of a gzip file (of one member or several), at most `limit` bytes of it."""
    parts: list[bytes] = []
    room = limit
    try:
        while content:
            member = zlib.decompressobj(wbits=31)
            part = member.decompress(content, room + 1)
            if len(part) > room:
                raise _too_large(name, limit)
            if not member.eof:
                raise CallerError(
                    "file_cut",
                    f"{name} 不完整:gzip 数据在结尾前中断",
                    f"{name} is incomplete: its gzip data stops before the end",
                    file=name,
                )
            parts.append(part)
            room -= len(part)
            # Some writers pad the file with zeros after the last member.
            content = member.unused_data.lstrip(b"\0")
    except zlib.error:
        raise _unreadable(name, "its gzip data is damaged", "gzip 数据已损坏") from None
    return b"".join(parts)


def _decode(content: bytes, name: str) -> str:
    # Text in GB18030 with any Chinese in it is never sound UTF-8 by chance over a whole file, so UTF-8 goes
    # first.
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _unreadable(name, "it is neither UTF-8 nor GB18030", "既不是 UTF-8 也不是 GB18030 编码")


def _csv_rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1  # a quoted cell may hold line ends
    except csv.Error as error:
        raise CallerError(
            "csv_malformed",
            f"{name} 第 {line} 行起不是有效的 CSV",
            f"{name} is no valid CSV from line {line} on: {error}",
            file=name,
            line=line,
        ) from None


def _xlsx_rows(content: bytes, name: str) -> Iterator[tuple[int, list[str]]]:
    _check_xlsx(content, name)
    try:
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
        values = sheet.to_python(skip_empty_area=False)
    except (CalamineError, IndexError, OSError, ValueError):
        raise _unreadable(name, "it is no sound XLSX workbook", "不是有效的 XLSX 工作簿") from None
    rows = ((number, [_xlsx_text(value) for value in row]) for number, row in enumerate(values, 1))
    return ((number, cells) for number, cells in rows if any(cells))


def _check_xlsx(content: bytes, name: str) -> None:
    """Unpack it once within bounds: the reader has none, and fills a huge rectangle for one far-off cell."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            members = package.infolist()
            if sum(member.file_size for member in members) > UNPACKED_LIMIT or len(members) > 1_000:
                raise _too_large(name, UNPACKED_LIMIT)
            for member in members:
                # A member that is longer than it claims is cut there and fails its checksum.
                columns = rows = 0
                for letters, digits in _CELL_REFERENCE.findall(package.read(member)):
                    rows = max(rows, int(digits))
                    columns = max(columns, _column_number(letters))
                if rows * columns > XLSX_CELL_LIMIT:
                    raise _too_large(name, UNPACKED_LIMIT)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError):
        raise _unreadable(name, "it is no sound XLSX workbook", "不是有效的 XLSX 工作簿") from None


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _xlsx_text(value: object) -> str:
    """A spreadsheet's typed cell as a CSV would have it."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case float():
            # A computed amount may carry binary dust (1234.5600000000002); a real third decimal is a fault.
            rounded = round(value, 2)
            return f"{rounded:.2f}" if abs(value - rounded) < 1e-7 and abs(value) < 1e13 else repr(value)
        case dt.datetime() if value.time() == dt.time():
            return value.date().isoformat()
        case dt.date():  # a datetime too, whose time of day then shows as a malformed date
            return value.isoformat()
        case _:
            return str(value)


def _too_large(name: str, limit: int) -> CallerError:
    return CallerError(
        "file_too_large",
        f"{name} 解开后过大",
        f"{name} is too large once unpacked",
        file=name,
        limit_bytes=limit,
    )


def _unreadable(name: str, en: str, zh: str) -> CallerError:
    return CallerError("file_unreadable", f"{name} 无法读取:{zh}", f"{name} cannot be read: {en}", file=name)
