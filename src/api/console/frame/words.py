"""The words of the pages in Chinese and English: one table, `words.toml`.

What charts call things is theirs; codes that workbooks, files or the shell say too have their words beside them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import tomli

from casework.evidence.evening.report_sheets import CAME
from casework.people.staff.absence import REASONS
from casework.work.contacts.contact import CHANNEL_WORDS, NEXT_ACTION_WORDS, PARTY_WORDS
from casework.work.duties.table import EXEMPT_WORDS, STATUS_WORDS
from casework.work.gate.reviews import VERDICT_WORDS

LANGUAGES: Final = ("zh", "en")
_BESIDE_THEIR_CODES: Final = {
    "absence": REASONS, "came": CAME, "channel": CHANNEL_WORDS, "evening": STATUS_WORDS, "exempt": EXEMPT_WORDS,
    "next_action": NEXT_ACTION_WORDS, "role": PARTY_WORDS, "verdict": VERDICT_WORDS,
}  # fmt: skip
"""Group → code → zh, en."""


def _read() -> Mapping[str, Mapping[str, str]]:
    table = tomli.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
    words = {f"{group}.{name}": texts for group, names in table.items() for name, texts in names.items()}
    beside = {
        f"{group}.{code}": dict(zip(LANGUAGES, texts, strict=True))
        for group, codes in _BESIDE_THEIR_CODES.items()
        for code, texts in codes.items()
    }
    if twice := sorted(words.keys() & beside.keys()):
        raise ValueError(f"words.toml has words that stand beside their codes: {', '.join(twice)}")
    return words | beside


WORDS: Final = _read()


def say(key: str, lang: str, /, **parts: Any) -> str:
    """The text of a key with its parts filled in; KeyError for a key that the table lacks."""
    text = WORDS[key][lang]
    return text.format(**parts) if parts else text


def has(key: str) -> bool:
    """Whether the table knows this key: for codes that data bring."""
    return key in WORDS
