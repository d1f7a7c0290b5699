"""One form of a phone number, so that the same number is one number however it is written. Pure.

Whether a number can exist is not asked: branches have numbers that no table of prefixes knows.
"""

import re
import unicodedata
from typing import Final

_HOME: Final = 86
_MOBILE: Final = re.compile(r"1[0-9]{10}", re.ASCII)
_MOBILE_OF_HOME: Final = re.compile(r"86(1[0-9]{10})", re.ASCII)
_NOT_DIGIT: Final = re.compile(r"[^0-9]+")
_PHONE: Final = re.compile(r"\+?\(?[0-9][0-9 \-()]{2,30}(?:(?:转接?|分机|,|;?ext[=.]?|#|x) ?[0-9]{1,6})?", re.ASCII)
# What the library does not take for an extension: 转801, and -801 after a mobile number or an area code's number.
_TRANSFERRED: Final = re.compile(r"转接?(?:分机)?|分机号?")
_APPENDED: Final = re.compile(
    r"((?:\+?86|0086)?(?:1[0-9]{10}|(?:\(0?[0-9]{2,3}\)-?|0?[0-9]{2,3}-)[0-9]{7,8}))-([0-9]{1,6})", re.ASCII
)


def written_phone(text: str) -> str | None:
    """As it was written, full width narrowed; `None` where it has not the form of a phone number."""
    narrow = text.strip() if text.isascii() else unicodedata.normalize("NFKC", text).strip()
    return narrow if _PHONE.fullmatch(narrow) else None


def normal_phone(text: str) -> str:
    """The national number, `;ext=` and the extension after it; `+` and its country's code before a foreign one.

    Full width, blanks, hyphens, +86 or 0086 and the 0 of an area code make no other number. What is no number at all
    keeps its digits.
    """
    if _MOBILE.fullmatch(text):
        return text
    plain = "".join(unicodedata.normalize("NFKC", text).split())
    plain = _APPENDED.sub(r"\1;ext=\2", _TRANSFERRED.sub(";ext=", plain))
    # 86 without a plus is the country only before an eleven-digit mobile number.
    if (mobile := _MOBILE_OF_HOME.fullmatch(plain)) is not None:
        return mobile[1]
    abroad = plain if plain.startswith("+") else f"+{plain[2:]}" if plain.startswith("00") else f"+{_HOME}{plain}"
    import phonenumbers  # noqa: PLC0415  # its tables take a tenth of a second, which few commands need

    try:
        number = phonenumbers.parse(abroad)
    except phonenumbers.NumberParseException:
        return _NOT_DIGIT.sub("", plain)
    extension = number.extension or ""
    written = _NOT_DIGIT.sub("", abroad).removeprefix(str(number.country_code)).removesuffix(extension)
    national = phonenumbers.national_significant_number(number)
    # The library also takes away the code of a carrier, which in a number that it does not know is part of it.
    if national not in (written, written[1:]) and _MOBILE.fullmatch(national) is None:
        national = written
    whole = national if number.country_code == _HOME else f"+{number.country_code}{national}"
    return f"{whole};ext={extension}" if extension else whole
