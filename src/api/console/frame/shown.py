"""How pages show values: money in yuan with separators, days with their weekday, instants in branch time."""

import re
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Final

from markupsafe import Markup

from casework.instants import WEEKDAYS, branch_text
from casework.money import yuan_text

_DAY_TOLD: Final = re.compile(r"(?<![\w-])[0-9]{4}-[0-9]{2}-[0-9]{2}(?![\w-]|[ T][0-9]{2}:| \()", re.ASCII)
NAMELESS: Final = "\x02{}\x03"


def yuan(amount_fen: int | None) -> str:
    """As 1,234.50; nothing where it is not known."""
    if amount_fen is None:
        return ""
    whole, _, part = yuan_text(amount_fen).partition(".")
    return f"{int(whole):,}.{part}" if whole != "-0" else f"-0.{part}"


def amount(amount_fen: int | None, lang: str) -> str:
    """The same with its unit, where no label says it: 1,234.50元, in English ¥1,234.50."""
    text = yuan(amount_fen)
    return "" if not text else f"{text}元" if lang == "zh" else f"¥{text}".replace("¥-", "-¥")


def day(value: date | str | None, lang: str) -> str:
    """As 2026-11-29 (周日), in English 2026-11-29 (Sun)."""
    if not value:
        return ""
    on = date.fromisoformat(value[:10]) if isinstance(value, str) else value
    name = WEEKDAYS[lang][on.weekday()]
    return f"{on.isoformat()} ({'周' if lang == 'zh' else ''}{name})"


def instant(value: datetime | str | None, zone: str) -> str:
    """As 2026-11-29 17:05 +08:00, in the branch's time."""
    if not value:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return branch_text(at, zone, "minutes")


def told(thing: Any, lang: str, part: str = "") -> str:
    """What something is called: its `zh` or `en`, or those of a part (`state_zh`)."""
    name = f"{part}_{lang}" if part else lang
    text = thing[name] if isinstance(thing, dict) or hasattr(thing, "keys") else getattr(thing, name)
    return "" if text is None else dated(str(text), lang)


def dated(text: str, lang: str) -> str:
    """A sentence with the weekday behind each day that it names."""

    def with_weekday(found: re.Match[str]) -> str:
        with suppress(ValueError):  # no day at all
            return day(found[0], lang)
        return found[0]

    return _DAY_TOLD.sub(with_weekday, text)


def named(staff_no: str) -> Markup:
    """Where the name of somebody is to stand, of whom the page knows the number alone; `page.render` finds it."""
    return Markup(NAMELESS).format(staff_no)  # noqa: S704  # two signs of our own; the number is escaped


def with_name(staff_no: str) -> Markup:
    """Name and number of somebody of whom the page knows the number alone."""
    return named(staff_no) + staff_no


def sentence(text: str) -> str:
    """As it stands at the beginning of a line."""
    return text[:1].upper() + text[1:]
