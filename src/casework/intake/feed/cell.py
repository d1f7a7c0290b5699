"""One cell of a feed file, from text to value. Pure. A bad cell says why, never what it held."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple, TypeVar

from casework import ids
from casework.money import fen_from_yuan
from casework.people.staff.person import fault_of_staff_no
from casework.phone import written_phone
from casework.rules.statechart.fields import EARLIEST, LATEST


class CellNote(NamedTuple):
    """What is wrong (set aside) or odd (warning): our column name ("" for the whole row) and a code."""

    column: str
    code: str


class BadCell(Exception):
    """The row cannot be used; never carries the cell's text, which may be personal data.

    `beside`: the other column without whose cell this one would be no fault.
    """

    def __init__(self, column: str, code: str, *, beside: str | None = None) -> None:
        super().__init__(f"{column}: {code}")
        self.note = CellNote(column, code)
        self.beside = beside


KIN: Final = ("配偶", "父亲", "母亲", "父母", "子女", "亲属", "亲戚", "朋友", "同事")
"""Relations that stand where a role is asked for: who is so called owes nothing by that."""
ROLES: Final = {
    **{role: role for role in ("debtor", "co_borrower", "guarantor", "contact")},
    **dict.fromkeys(("本人", "借款人", "主借款人", "债务人"), "debtor"),
    **dict.fromkeys(("共同借款人", "共借人", "共同还款人", "共同申请人"), "co_borrower"),
    **dict.fromkeys(("保证人", "担保人", "连带责任保证人"), "guarantor"),
    **dict.fromkeys(("联系人", "紧急联系人", "其他联系人", "第一联系人", "第二联系人"), "contact"),
    **dict.fromkeys(KIN, "contact"),
}
FLAGS: Final = {
    **dict.fromkeys(("true", "yes", "y", "1", "是"), True),
    **dict.fromkeys(("false", "no", "n", "0", "否"), False),
}
RISK_CLASSES: Final = {
    **{name: name for name in ("normal", "special_mention", "substandard", "doubtful", "loss")},
    **dict.fromkeys(("正常", "正常类"), "normal"),
    **dict.fromkeys(("关注", "关注类"), "special_mention"),
    **dict.fromkeys(("次级", "次级类"), "substandard"),
    **dict.fromkeys(("可疑", "可疑类"), "doubtful"),
    **dict.fromkeys(("损失", "损失类"), "loss"),
}
LOAN_STATUSES: Final = {
    **{name: name for name in ("on_book", "written_off", "transferred", "closed")},
    **dict.fromkeys(("正常", "在账", "表内", "未结清"), "on_book"),
    **dict.fromkeys(("已核销", "核销"), "written_off"),
    **dict.fromkeys(("已转让", "转让"), "transferred"),
    **dict.fromkeys(("已结清", "结清"), "closed"),
}
PRODUCTS: Final = {"嗨花": "haihua", "消费贷": "consumer", "消费贷款": "consumer"}
# What databases and spreadsheets show for a nought that was to be a date.
_NO_DAY: Final = frozenset({"0000-00-00", "1900-01-00", "00:00:00"})
_ID_NUMBER: Final = re.compile(r"[0-9A-Za-z()\-]{5,32}")
# Amounts and days as people write them: each can be read in one way only, so 1.234,56 and 1/11/2026 are none.
_AMOUNT: Final = re.compile(
    r"(?P<out>\()?(?P<sign>-)? ?(?:[¥￥]|CNY|RMB)? ?(?P<minus>-)?"
    r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?P<part>\.[0-9]{1,2})? ?元?(?P<end>\))?",
    re.ASCII | re.IGNORECASE,
)
_DAY: Final = re.compile(
    r"(?P<year>[0-9]{4})(?:-(?P<m>[0-9]{1,2})-(?P<d>[0-9]{1,2})|/(?P<ms>[0-9]{1,2})/(?P<ds>[0-9]{1,2})"
    r"|\.(?P<mp>[0-9]{1,2})\.(?P<dp>[0-9]{1,2})|年(?P<mz>[0-9]{1,2})月(?P<dz>[0-9]{1,2})日|(?P<mc>[0-9]{2})(?P<dc>[0-9]{2}))"
    r"(?:[ T]0?0:00(?::00(?:\.0+)?)?)?"
)
_SERIAL: Final = re.compile(r"[0-9]{5}")
_SERIAL_DAY_0: Final = date(1899, 12, 30)
_SEVERAL: Final = re.compile(r"[,;、/|\n]|\s{2,}|(?<!\+86)\s(?=1[0-9]{10})")
_DIGITS_OF_ONE: Final = 21  # 15 of a number (E.164) and 6 of an extension
CUT: Final = "\ufffd"  # what stands for a character that was cut

Value = TypeVar("Value")


def text_cell(cell: str, column: str, limit: int) -> str | None:
    """The text of a cell without surrounding blanks, `None` if empty; `BadCell` if too long or unfit."""
    text = cell.strip()
    if not text:
        return None
    if len(text) > limit:
        raise BadCell(column, "text_too_long")
    if ids.has_control(text):
        raise BadCell(column, "control_character")
    if CUT in text:
        raise BadCell(column, "cut_character")
    return text


def or_unknown(notes: list[CellNote], read: Callable[..., Value | None], *cell: object) -> Value | None:
    """What `read` makes of a cell that may be empty; what it cannot read is unknown, with a note."""
    try:
        return read(*cell)
    except BadCell as bad:
        notes.append(bad.note)
        return None


def key_cell(cell: str, column: str) -> str:
    """A compulsory id, folded; `BadCell` says why the text is none."""
    if ids.is_plain(cell):
        return cell
    folded = ids.fold(cell)
    fault = ids.fault_of(folded)
    if fault is not None:
        raise BadCell(column, fault)
    return folded


def error_in(cells: Sequence[str], positions: Mapping[str, int]) -> str | None:
    """The first column that a spreadsheet's error value stands in, of those in `positions`."""
    for column, position in positions.items():
        if "#" in cells[position] and ids.ERROR_VALUE.fullmatch(cells[position].strip().upper()):
            return column
    return None


def check_row(cells: Sequence[str], positions: Mapping[str, int], width: int, *, errors: bool) -> None:
    """`BadCell` where cells may have moved, or one that is read is an error value (`errors`: there may be some)."""
    if len(cells) != width:
        raise BadCell("", "wrong_cell_count")
    if errors and (column := error_in(cells, positions)) is not None:
        raise BadCell(column, "error_value")


def fen(cell: str) -> int:
    """Fen of a decimal yuan text, negative ones too; ValueError if it is anything else or empty.

    The short path takes what nearly every cell looks like ("1234.56").
    """
    whole, _, part = cell.partition(".")
    if len(part) == 2 and 0 < len(whole) < 14:
        digits = whole + part
        if digits.isdecimal() and digits.isascii():
            return int(digits)
    text = cell.strip()
    found = _AMOUNT.fullmatch(text if text.isascii() else unicodedata.normalize("NFKC", text))
    if found is None or (found["out"] is None) != (found["end"] is None):
        raise ValueError("not an amount")
    if bool(found["sign"]) + bool(found["minus"]) + bool(found["out"]) > 1:
        raise ValueError("less than nothing in two ways")
    amount_fen = fen_from_yuan(found["whole"].replace(",", "") + (found["part"] or ""))
    return -amount_fen if found["sign"] or found["minus"] or found["out"] else amount_fen


def amount_cell(cell: str, column: str, *, signed: bool = False) -> int | None:
    """An amount in fen, `None` if the cell is empty; `BadCell` if it is none, or negative where it is not `signed`."""
    if not cell or cell.isspace():
        return None
    try:
        amount_fen = fen(cell)
    except ValueError:
        raise BadCell(column, "malformed_amount") from None
    if amount_fen < 0 and not signed:
        raise BadCell(column, "negative_amount")
    return amount_fen


class Dates(dict[str, date | None]):
    """Texts of dates already read: a feed has few different ones. An empty text is no date."""

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column = column

    def __missing__(self, cell: str) -> date | None:
        text = cell.strip()
        self[cell] = value = self.read(text) if text else None
        return value

    def read(self, text: str) -> date:
        """The date of a text that is not empty; `BadCell` if it is none."""
        if text in _NO_DAY:
            raise BadCell(self.column, "placeholder_date")
        try:
            day = _day(text if text.isascii() else unicodedata.normalize("NFKC", text))
        except ValueError:
            raise BadCell(self.column, "malformed_date") from None
        if not EARLIEST <= day <= LATEST:
            raise BadCell(self.column, "placeholder_date")
        return day


class KnownDates:
    """Optional dates up to the feed's day: a malformed one, a placeholder and a later day are unknown, with a note."""

    def __init__(self, column: str, as_of: date, notes: list[CellNote]) -> None:
        self.as_of, self.notes, self.plain = as_of, notes, Dates(column)

    def __call__(self, cell: str) -> date | None:
        """The date, none if it is empty or cannot be taken for one."""
        day = or_unknown(self.notes, self.plain.__getitem__, cell)
        if day is not None and day > self.as_of:
            self.notes.append(CellNote(self.plain.column, "dated_after_as_of"))
            return None
        return day


class DatesUntil(dict[str, date]):
    """Compulsory dates that `judge` has found fit for the feed's day; judged once per different text."""

    def __init__(self, column: str, judge: Callable[[date], str | None]) -> None:
        super().__init__()
        self.column, self.judge, self.plain = column, judge, Dates(column)

    def __missing__(self, cell: str) -> date:
        value = self.plain[cell]
        code = "missing_value" if value is None else self.judge(value)
        if value is None or code is not None:
            raise BadCell(self.column, code or "missing_value")
        self[cell] = value
        return value


class CellTexts(dict[str, str | None]):
    """Short texts that repeat over and over (teams, products), each judged once and kept as one object."""

    # Beyond this many different ones the column is no vocabulary, and remembering it would only cost memory.
    KEPT = 10_000

    def __init__(self, column: str, limit: int) -> None:
        super().__init__()
        self.column, self.limit = column, limit

    def __missing__(self, cell: str) -> str | None:
        text = text_cell(cell, self.column, self.limit)
        if len(self) < self.KEPT:
            self[cell] = text
        return text


class Codes(dict[str, str | None]):
    """Short codes that repeat over and over and never set a row aside (owner, team, product): folded by NFKC.

    What cannot be read is unknown, and `odd` says why by column and cell: `unfit`, or what `fault` finds in a text.
    """

    def __init__(
        self, column: str, limit: int, odd: dict[tuple[str, str], str],
        fault: Callable[[str], str | None] = lambda _: None, unfit: str = "code_unreadable",
    ) -> None:  # fmt: skip
        super().__init__()
        self.column, self.limit, self.odd, self.fault, self.unfit = column, limit, odd, fault, unfit

    def __missing__(self, cell: str) -> str | None:
        text, code = None, None
        try:
            text = text_cell(unicodedata.normalize("NFKC", cell), self.column, self.limit)
            code = self.fault(text) if text is not None else None
        except BadCell:
            code = self.unfit
        if code is not None:
            text, self.odd[self.column, cell] = None, code
        if len(self) < CellTexts.KEPT:
            self[cell] = text
        return text


def owner_fault(text: str) -> str | None:
    """Why the owner that a loan names is no staff number; none if it is one."""
    fault = fault_of_staff_no(text)
    return "owner_reserved" if fault == "reserved_staff_no" else None if fault is None else "owner_unreadable"


def flag_cell(cell: str) -> bool | None:
    """Yes or no in the spellings that feeds use, `None` if empty."""
    text = cell.strip().lower()
    if not text:
        return None
    if text not in FLAGS:
        raise BadCell("self_payment", "malformed_flag")
    return FLAGS[text]


def phone_cell(cell: str) -> str | None:
    """A phone number as written (full-width digits narrowed), `None` if empty."""
    if not cell.strip():
        return None
    written = written_phone(cell)
    if written is None:
        raise BadCell("phone", "malformed_phone")
    return written


def phone_cells(cell: str) -> list[str]:
    """The phone numbers in a cell, each as `phone_cell`; none if it is empty."""
    if not cell.strip():
        return []
    written = written_phone(cell)
    if written is not None and sum(map(str.isdecimal, written)) <= _DIGITS_OF_ONE:
        return [written]
    narrow = unicodedata.normalize("NFKC", cell).strip()
    several = [written_phone(part) for part in _SEVERAL.split(narrow) if part.strip()]
    found = [one for one in several if one is not None]
    if len(found) < len(several):
        raise BadCell("phone", "malformed_phone")
    return list(dict.fromkeys(found))


def _day(text: str) -> date:
    """The day that a narrow text names; ValueError where it names none, or could name two."""
    if _SERIAL.fullmatch(text):  # a spreadsheet's count of days, left as a number
        return _SERIAL_DAY_0 + timedelta(days=int(text))
    found = _DAY.fullmatch(text)
    if found is None:
        raise ValueError("no day")
    year, month, day = (part for part in found.groups() if part is not None)
    return date(int(year), int(month), int(day))


def id_number_cell(cell: str) -> str | None:
    """The number of an identity document, `None` if empty; a spreadsheet's 4.2e+17 is none."""
    text = unicodedata.normalize("NFKC", cell).strip() if not cell.isascii() else cell.strip()
    if not text:
        return None
    if _ID_NUMBER.fullmatch(text) is None:
        raise BadCell("id_number", "malformed_id_number")
    return text
