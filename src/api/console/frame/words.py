"""The words of the pages in Chinese and English: one table, `words.toml`. What charts call things is theirs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import tomli

LANGUAGES: Final = ("zh", "en")


def _read() -> Mapping[str, Mapping[str, str]]:
    table = tomli.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
    return {f"{group}.{name}": texts for group, names in table.items() for name, texts in names.items()}


WORDS: Final = _read()


def say(key: str, lang: str, /, **parts: Any) -> str:
    """The text of a key with its parts filled in; KeyError for a key that the table lacks."""
    text = WORDS[key][lang]
    return text.format(**parts) if parts else text


def has(key: str) -> bool:
    """Whether the table knows this key: for codes that data bring."""
    return key in WORDS
