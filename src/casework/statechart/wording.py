"""Texts that quote facts: `{key}` as it is, `{key:yuan}` fen as yuan, `{key:words}` codes in words."""

import re
from collections.abc import Mapping
from typing import Any

QUOTE = re.compile(r"\{(\w+)(?::(\w+))?\}")
FORMS = {None, "yuan", "words"}
_JOINED_BY = {"zh": "、", "en": ", "}

Words = Mapping[str, Mapping[str, str]]
"""Codes in words: code → language → text."""


def quoted(text: str) -> list[tuple[str, str | None]]:
    """The keys that `text` quotes, each with its form."""
    return [(match[1], match[2]) for match in QUOTE.finditer(text)]


def tell(text: str, facts: Mapping[str, Any], words: Words, lang: str) -> str:
    """`text` with its quotes filled in; KeyError if a fact is not there. A code without words stays."""

    def fill(match: re.Match[str]) -> str:
        value = facts[match[1]]
        if match[2] == "yuan" and type(value) is int:
            return f"{value // 100:,}.{value % 100:02d}"
        codes = value if isinstance(value, list) else [value]
        if match[2] == "words":
            codes = [words[code][lang] if code in words else code for code in codes]
        return _JOINED_BY[lang].join(map(str, codes))

    return QUOTE.sub(fill, text)
