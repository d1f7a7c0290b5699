"""From the bytes of a file to rows of text cells: CSV (UTF-8 or GB18030), gzip of it, or XLSX.

What a file is shows in its first bytes, not in its name. Everything that grows while it is read has a bound.
"""

import codecs
import datetime as dt
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from casework.errors import CallerError
from casework.ids import ERROR_VALUE
from casework.intake.feed.bounds import (
    ROW_LIMIT,
    ROW_LIMIT_CHARACTERS,
    row_too_long,
    too_many_rows,
)
from casework.intake.feed.csv_text import CsvText, PlainRows
from casework.intake.feed.other_kinds import other_kind
from casework.intake.feed.safe_form import as_it_was, is_safe_form
from casework.intake.feed.workbook import plain_cells, zeros_of_styles

UNPACKED_LIMIT: Final = 256 << 20  # bytes of a file once unpacked
XLSX_CELL_LIMIT: Final = 12_000_000  # the reader holds all cells and their rectangle in memory, some 30 bytes each
XLSX_TEXT_LIMIT: Final = 2 << 30  # bytes of text in cells: one shared text may stand in millions of them
GZIP_MEMBER_LIMIT: Final = 100_000
_GZIP_PIECE: Final = 1 << 14
_DECODED_PIECE: Final = 1 << 20
# Written for what the reader accepts, not for what a spreadsheet writes: blanks around "=", small letters, prefixes.
_REFERENCE: Final = re.compile(rb"""\br\s*=\s*["']([A-Za-z]*)([0-9]+)["']""")
_CELL_OR_ROW: Final = re.compile(rb"<(?:[\w.-]+:)?(c|row)[\s/>]")
_SHARED_USE: Final = re.compile(rb"""\bt\s*=\s*["']s["']""")
_ERROR: Final = re.compile(ERROR_VALUE.pattern.encode())
_SHARED_END: Final = re.compile(rb"</(?:[\w.-]+:)?si\s*>")
_UTF_8: Final = "utf-8-sig"
_HEAD, _ZEROS_OF = 4_096, 20  # no other text has zeros, and none of these has a twentieth of them at both sides
_OF_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# A character of two bytes and more, sound in UTF-8 (RFC 3629, §4, but for overlong forms and halves of surrogates).
_SOUND: Final = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_ENDS_WITHIN: Final = re.compile(rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})\Z")
_CUT_SHARE: Final = 10
"""Among so many sound characters one that is cut makes no text of another encoding."""


Rows = Iterator[tuple[int, list[str]]]


@dataclass(slots=True)
class SheetLines:
    """The rows of a file that are not blank, the header first, with the line each begins on (an XLSX row's number).

    To be walked once; CallerError too_many_rows behind `at_most` rows, blank ones included, and the header. `blank`:
    how many rows walked over so far had nothing in any cell. `errors`: whether an error value of a spreadsheet may
    stand somewhere. `workbook`: it is an XLSX; `first_hidden`: its first sheet is hidden, and was not read. Cells of a
    safe form (`safe_form`) are as they were before. `walked`: rows walked over, the header and blank ones included.
    """

    name: str
    rows: CsvText | Rows
    at_most: int
    errors: bool
    first_hidden: bool = False
    workbook: bool = False
    blank: int = 0
    walked: int = 0
    safe: bool | None = None  # not known before the header

    def __iter__(self) -> Rows:
        for line, cells in self.rows:
            self.walked += 1
            if self.walked > self.at_most + 1:
                raise too_many_rows(self.name, self.at_most)
            if any(map(str.strip, cells)):
                self.safe = is_safe_form(cells) if self.safe is None else self.safe
                yield line, as_it_was(cells) if self.safe else cells
            else:
                self.blank += 1

    def plain_rows(self, width: int) -> PlainRows | None:
        """Behind the header: the next rows at once, as `CsvText.plain_rows`; none also where walking has more to do."""
        if not isinstance(self.rows, CsvText) or self.safe is not False:
            return None
        found = self.rows.plain_rows(width)
        if found is None:
            return None
        self.walked += len(found.lines)
        if self.walked <= self.at_most + 1:
            return found
        self.put_back(found)
        return None

    def put_back(self, rows: PlainRows) -> None:
        """Those that were given last are to be walked over."""
        if isinstance(self.rows, CsvText):
            self.rows.put_back(rows)
            self.walked -= len(rows.lines)


def read_rows(content: bytes, name: str, at_most: int = ROW_LIMIT) -> SheetLines:
    """The rows of a file, at most so many; `name` is for errors.

    `CallerError`: file_cut (gzip without its end), file_unreadable, file_too_large, and while iterating csv_malformed,
    other_separator, too_many_rows, row_too_long.
    """
    if content[:2] == b"\x1f\x8b":
        content = gunzip(content, name)
    if content[:4] == b"PK\x03\x04":
        return _xlsx_rows(content, name, at_most)
    if (other := other_kind(content)) is not None:
        raise _unreadable(name, other[1], other[0])
    # In bytes: the first of an error value is never part of another character, so at most one is seen too many.
    return SheetLines(
        name, CsvText(content, _encoding(content, name), name), at_most, _ERROR.search(content) is not None
    )


def gunzip(content: bytes, name: str, limit: int = UNPACKED_LIMIT) -> bytes:
    """The content of a gzip file (of one member or several), at most `limit` bytes of it."""
    parts: list[bytes] = []
    view, at, room, members = memoryview(content), 0, limit, 0
    try:
        # Some writers pad the file with zeros after the last member.
        while at < len(content) and not (content[at] == 0 and content.count(0, at) == len(content) - at):
            members += 1
            if members > GZIP_MEMBER_LIMIT:
                raise _too_large(name, limit)
            member = zlib.decompressobj(wbits=31)
            while not member.eof:
                # In pieces: what is left over after a member is copied, and a file may be nothing but tiny members.
                piece = view[at : at + _GZIP_PIECE]
                if not piece:
                    raise CallerError("file_cut", file=name)
                part = member.decompress(piece, room + 1)
                if len(part) > room:
                    raise _too_large(name, limit)
                parts.append(part)
                room -= len(part)
                at += len(piece) - len(member.unused_data)
    except zlib.error:
        raise _unreadable(name, "its gzip data is damaged", "gzip 数据已损坏") from None
    return b"".join(parts)


def _encoding(content: bytes, name: str) -> str:
    # Text in GB18030 with any Chinese in it is never sound UTF-8 by chance over a whole file, so UTF-8 goes
    # first. In pieces: a text takes up to four times the memory of its bytes.
    if content.startswith(_OF_UTF_16) or _is_bare_utf_16(content):
        raise _unreadable(
            name,
            "it is UTF-16 (Unicode text); save it as CSV UTF-8",
            "为 UTF-16（Unicode 文本）编码；请另存为 CSV UTF-8",
        )
    view = memoryview(content)
    for encoding in (_UTF_8, "gb18030"):
        decode = codecs.getincrementaldecoder(encoding)().decode
        at_end = False
        try:
            for at in range(0, len(content), _DECODED_PIECE):
                decode(view[at : at + _DECODED_PIECE])
            at_end = True
            decode(b"", True)
        except UnicodeDecodeError:
            # Sound up to its last character, it is UTF-8 however short it is.
            if encoding == _UTF_8 and ((at_end and _SOUND.search(content)) or _is_cut_utf_8(content)):
                if _ENDS_WITHIN.search(content):
                    raise _unreadable(name, "it ends in the middle of a character", "在字符中间结束") from None
                return encoding
            continue
        return encoding
    raise _unreadable(name, "it is neither UTF-8 nor GB18030", "既不是 UTF-8 也不是 GB18030 编码")


def _is_bare_utf_16(content: bytes) -> bool:
    """Whether it is UTF-16 without a byte-order mark: its digits, commas and line feeds have a zero at one side."""
    head = content[:_HEAD]
    zeros = sorted((head[::2].count(0), head[1::2].count(0)))
    return zeros[1] * _ZEROS_OF > len(head) // 2 and zeros[0] * _ZEROS_OF <= zeros[1]


def _is_cut_utf_8(content: bytes) -> bool:
    """Whether it is UTF-8 in which few characters are cut, as by a column of so many bytes."""
    if content.startswith(codecs.BOM_UTF8):
        return True
    sound = left = 0
    at = 0
    for found in _SOUND.finditer(content):
        left += sum(byte >= 0x80 for byte in content[at : found.start()])
        sound, at = sound + 1, found.end()
    left += sum(byte >= 0x80 for byte in content[at:])
    return sound >= left * _CUT_SHARE


def _xlsx_rows(content: bytes, name: str, at_most: int) -> SheetLines:
    checked, errors = _checked_xlsx(content, name)
    try:
        book = CalamineWorkbook.from_filelike(checked)
        sheets = [sheet for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
        seen = [sheet for sheet in sheets if sheet.visible == SheetVisibleEnum.Visible]
        sheet = book.get_sheet_by_name(seen[0].name)
    except (CalamineError, IndexError, OSError, ValueError):
        raise _unreadable(name, "it is no sound XLSX workbook", "不是有效的 XLSX 工作簿") from None
    return SheetLines(name, _sheet_rows(sheet, name), at_most, errors, first_hidden=seen[0] != sheets[0], workbook=True)


def _sheet_rows(sheet: CalamineSheet, name: str) -> Iterator[tuple[int, list[str]]]:
    left = [""] * (sheet.start[1] if sheet.start else 0)  # what it hands out begins at its first cell that is used
    for number, row in enumerate(sheet.iter_rows(), 1):
        cells = [*left, *map(_xlsx_text, row)]
        if sum(map(len, cells)) >= ROW_LIMIT_CHARACTERS:
            raise row_too_long(name, number)
        yield number, cells


def _checked_xlsx(content: bytes, name: str) -> tuple[io.BytesIO, bool]:
    """The workbook unpacked within bounds and packed anew, so that the reader sees only what was looked at.

    And whether an error value may stand in a cell: the reader takes it for an empty one, so it is made a text.

    The reader has no bounds of its own: it fills a huge rectangle for one far-off cell, copies a shared text into every
    cell that uses it, reads other formats too, and ends the whole process where memory is short.
    """
    checked = io.BytesIO()
    longest = uses = 0
    errors, zeros = False, dict[bytes, int]()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package, zipfile.ZipFile(checked, "w") as anew:
            members = package.infolist()
            if sum(member.file_size for member in members) > UNPACKED_LIMIT or len(members) > 1_000:
                raise _too_large(name, UNPACKED_LIMIT)
            if len({member.filename for member in members}) < len(members):
                raise ValueError("two members of one name")
            # The styles first: they say how many digits the numbers in the sheets are shown with.
            for member in sorted(members, key=lambda member: not member.filename.endswith("styles.xml")):
                # The parts of an XLSX; without the others it can be taken for no other format.
                if not member.filename.endswith((".xml", ".rels")) or member.filename == "content.xml":
                    continue
                # A member that is longer than it claims is cut there.
                part = package.read(member)
                rows, columns, cells = _rectangle(part)
                if max(rows * columns, cells) > XLSX_CELL_LIMIT:
                    raise _too_large(name, UNPACKED_LIMIT)
                uses = max(uses, sum(1 for _ in _SHARED_USE.finditer(part)))
                longest = max(longest, _longest_shared(part))
                if member.filename.endswith("styles.xml"):
                    zeros |= zeros_of_styles(part)
                errors = errors or _ERROR.search(part) is not None
                anew.writestr(member.filename, plain_cells(part, zeros))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError):
        raise _unreadable(name, "it is no sound XLSX workbook", "不是有效的 XLSX 工作簿") from None
    if longest * uses > XLSX_TEXT_LIMIT:
        raise _too_large(name, XLSX_TEXT_LIMIT)
    checked.seek(0)
    return checked, errors


def _rectangle(part: bytes) -> tuple[int, int, int]:
    """At most so many rows and columns a sheet can span, and how many cells it has. One at a time: they may be many."""
    rows = columns = referenced = 0
    for found in _REFERENCE.finditer(part):
        rows = max(rows, int(found[2]))
        if found[1]:
            referenced += 1
            columns = max(columns, _column_number(found[1].upper()))
    cells = of_rows = in_row = widest = 0
    for tag in _CELL_OR_ROW.finditer(part):
        if tag[1] == b"c":
            cells, in_row = cells + 1, in_row + 1
            widest = max(widest, in_row)
        else:
            of_rows, in_row = of_rows + 1, 0
    if cells > referenced:  # a cell without a reference stands right of the one before it
        rows, columns = rows + of_rows + 1, columns + widest
    return rows, columns, cells


def _longest_shared(part: bytes) -> int:
    """Bytes of the longest text that cells can share, with its markup; ValueError where its end could be feigned."""
    longest = behind = 0
    for end in _SHARED_END.finditer(part):
        longest, behind = max(longest, end.start() - behind), end.end()
    if behind and b"<!" in part:
        raise ValueError("comments or sections among the shared texts")
    return max(longest, len(part) - behind) if behind else 0


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
        case float() if value.is_integer():
            return f"{value:E}"  # of more than 15 digits a spreadsheet keeps no more than 15: no number to be used
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
    return CallerError("file_unreadable", f"{name} 无法读取：{zh}", f"{name} cannot be read: {en}", file=name)
