"""Texts that quote facts: `{key}` as it is, `{key:yuan}` fen as yuan, `{key:words}` codes in words.

Texts that are shown without a case quote figures of the policy: `{@section.key}`, `{@section.key:yuan}`.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

QUOTE = re.compile(r"\{(\w+)(?::(\w+))?\}")
FORMS = {None, "yuan", "words"}
_FIGURE = re.compile(r"\{@(\w+\.\w+)(?::(\w+))?\}")
_JOINED_BY = {"zh": "、", "en": ", "}

Words = Mapping[str, Mapping[str, str]]
"""Codes in words: code → language → text."""


class WordTable(NamedTuple):
    """A table of the rulebook that says what codes of references mean; `offered`: those that a form offers."""

    words: Words
    offered: tuple[str, ...]


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


def figures_quoted(text: str) -> list[tuple[str, str | None]]:
    """The figures of the policy that `text` quotes, each with its form (yuan or none)."""
    return [(match[1], match[2]) for match in _FIGURE.finditer(text)]


def has_bare_digit(text: str) -> bool:
    """Whether a figure stands in `text` itself and not in the policy."""
    return any(char.isdigit() for char in _FIGURE.sub("", text))


def with_figures(text: str, figures: Mapping[str, Any]) -> str:
    """`text` with the figures of a policy filled in; one that the policy does not have, or leaves empty, is a dash."""

    def fill(match: re.Match[str]) -> str:
        value = figures.get(match[1])
        if value is None:
            return "–"
        if match[2] == "yuan" and type(value) is int:
            yuan, fen = divmod(value, 100)
            return f"{yuan:,}.{fen:02d}" if fen else f"{yuan:,}"
        return "/".join(map(str, value)) if isinstance(value, list) else str(value)

    return _FIGURE.sub(fill, text)
