"""The one alphabet of ids, of loans, borrowers, payments and staff, for every door by which they come in. Pure.

An id is read folded (NFKC: full width becomes plain) and without blanks around it. It has letters, Han, digits and
`( ) - _ . / : #`, at least one digit, at most 64 characters. What a spreadsheet makes of a number on its way through a
cell (`6.22E+18`, `10001.0`, `2026-01-02`, `="0012"`, `'0012`, `#N/A`) is no id, and no guess is made at what it was.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from casework.errors import CallerError

LONGEST: Final = 64
ERROR_VALUE: Final = re.compile(
    r"#(?:N/A|REF!|DIV/0!|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!|FIELD!|BUSY!|BLOCKED!|CONNECT!|UNKNOWN!|GETTING_DATA)"
)
"""What a spreadsheet shows where a formula has no value."""
TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "error_value": ("是表格的错误值（如 #N/A）", "an error value of a spreadsheet, such as #N/A"),
    "id_exponent": (
        "编号被表格转成了数字（科学计数法或超过15位），末位已不可信，请将该列设为文本",
        "a spreadsheet made a number of it (exponent, or more than 15 digits): its digits are lost; use a text column",
    ),
    "id_decimal": ("编号带有小数，是被表格转成了数字", "it ends in decimals, as a number from a spreadsheet does"),
    "id_date": (
        "编号是日期或时间，是被表格转成的，请将该列设为文本",
        "it is a day or a time, which a spreadsheet made of it; use a text column",
    ),
    "id_formula": ("编号前后残留表格符号（=、引号、撇号）", "a spreadsheet's = or quotation mark is left around it"),
    "id_invisible_character": ("编号中有看不见的字符", "it holds a character that nobody sees"),
    "id_without_digit": ("编号中没有数字（如“合计”）", "it has no digit in it"),
    "id_character": (
        "编号只能由字母、汉字、数字和 ( ) - _ . / : # 组成",
        "it holds something else than letters, Han, digits and ( ) - _ . / : #",
    ),
    "control_character": ("含有控制字符", "the text holds a control character"),
    "text_too_long": ("文字过长", "the text is too long"),
    "missing_value": ("必填的值为空", "a compulsory value is empty"),
}
"""Code → zh, en: why a text is no id."""
ALLOWED: Final = (
    "字母、汉字、数字和 ( ) - _ . / : #，至少一个数字，最多{}个字符",
    "letters, Han, digits and ( ) - _ . / : #, at least one digit, at most {} characters",
)
"""zh, en: what an id is, with `{}` for its longest."""
# What a spreadsheet takes 1-2, 24/1/2 or 12:30 for and hands on: 2026-01-02, 2026/1/2, 1月2日, 2-Jan, Jan-24, 12:30:00.
_DATE: Final = (
    r"(?:19|20)[0-9]{2}([-/])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12][0-9]|3[01])(?:T?[0-9:.]*)"
    r"|(?:(?:19|20)[0-9]{2}年)?[0-9]{1,2}月(?:[0-9]{1,2}日)?|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?"
    r"|(?:[0-9]{1,2}-)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?:-[0-9]{2})?"
)
# Nearly every id is plain: no dot, and nothing that a spreadsheet could have made. What is asked of the others alone is
# compiled when there is one.
_is_plain = re.compile(
    rf"(?=.{{1,64}}\Z)(?!(?:{_DATE})\Z)[A-Za-z0-9()_/:#-]*[0-9][A-Za-z0-9()_/:#-]*", re.ASCII
).fullmatch
_is_exponent = partial(re.fullmatch, r"[+-]?[0-9]+(?:\.[0-9]*)?[eE]\+[0-9]+|[+-]?[0-9]+\.[0-9]*[eE]-?[0-9]+")
# One or two decimals are how an amount is written; `2024.0001` is no number that went through a cell.
_is_decimal = partial(re.fullmatch, r"[+-]?[0-9]+\.[0-9]{0,2}|.*\.0+")
_is_in_alphabet = partial(re.fullmatch, "[A-Za-z0-9()\\-_./:#\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]*")
_is_date = partial(re.fullmatch, _DATE, flags=re.ASCII)
_without_decimals = partial(re.sub, r"\.0*\Z", "")
_has_digit = partial(re.search, "[0-9]")
_LEFT_OVER: Final = ("=", "'", '"', "`", "\u2018", "\u2019", "\u201c", "\u201d")
# Blank though they are letters or signs: fillers of Hangul, the empty braille pattern; and what only changes a sign.
_UNSEEN: Final = frozenset("\u115f\u1160\u2800\u034f") | {chr(point) for point in range(0xFE00, 0xFE10)}
# Not for any cell: controls, halves of surrogates, line separators; and the marks that turn text around.
# (Private-use characters stay: GB18030 keeps some rare characters of names there.)
_UNFIT: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


def fold(text: str) -> str:
    """The text as ids are compared: NFKC, without blanks around it."""
    return text.strip() if text.isascii() else unicodedata.normalize("NFKC", text).strip()


def has_control(text: str) -> bool:
    """Whether a text holds what no cell may: a control, half a surrogate, a mark that turns text around."""
    # `isprintable` is fast and right but for some blanks and format marks, which are looked at one by one.
    if text.isprintable():
        return False
    return any(char in _TURNING or unicodedata.category(char) in _UNFIT for char in text)


def is_plain(text: str) -> bool:
    """Whether the text is an id at first sight; one that is not may still be one."""
    return _is_plain(text) is not None


def fault_of(folded: str, longest: int = LONGEST) -> str | None:
    """Why a folded text is no id, a code of `TEXTS`; none if it is one."""
    if len(folded) > longest:
        return "text_too_long"
    if _is_plain(folded) is not None:
        return None
    return next((code for code, has in _FAULTS if has(folded)), None)


def _is_unseen(char: str) -> bool:
    return char in _UNSEEN or unicodedata.category(char) == "Cf"


_FAULTS: Final[tuple[tuple[str, Callable[[str], object]], ...]] = (
    ("missing_value", lambda text: not text),
    ("error_value", lambda text: ERROR_VALUE.fullmatch(text.upper())),
    ("control_character", has_control),
    ("id_invisible_character", lambda text: any(map(_is_unseen, text))),
    ("id_formula", lambda text: text.startswith(_LEFT_OVER) or text.endswith(_LEFT_OVER)),
    ("id_exponent", _is_exponent),
    ("id_decimal", _is_decimal),
    ("id_date", _is_date),
    ("id_character", lambda text: not _is_in_alphabet(text)),
    ("id_without_digit", lambda text: not _has_digit(text)),
)
"""The cause that says most comes first."""


def spellings(text: str) -> set[str]:
    """The text as it came, folded, and without what a spreadsheet or a paste left: for finding whose a spoilt id is."""
    folded = fold(text)
    bare = "".join(char for char in folded if not _is_unseen(char)).strip("".join(_LEFT_OVER))
    return {text.strip(), folded, bare, _without_decimals(bare)}


def checked(field: str, text: str, *, code: str = "id_malformed", longest: int = LONGEST) -> str:
    """The id that somebody gave, folded; CallerError `code` names the field, the fault and what is allowed."""
    folded = fold(text)
    fault = fault_of(folded, longest)
    if fault is None:
        return folded
    raise malformed(field, fault, code=code, longest=longest)


def malformed(field: str, fault: str, *, code: str = "id_malformed", longest: int = LONGEST) -> CallerError:
    """The mistake of whoever gave such a text; it never repeats the text."""
    (zh, en), (allowed_zh, allowed_en) = TEXTS[fault], ALLOWED
    needs = allowed_en.format(longest)
    return CallerError(
        code, f"{field} 不正确：{zh}；须为{allowed_zh.format(longest)}", f"{field}: {en}; it must have {needs}",
        field=field, fault=fault, needs=needs,
    )  # fmt: skip
