"""What may come of a contact, each with the key that says it."""

from collections.abc import Mapping
from typing import Final

from casework.work.contacts.results import Result

LETTERS: Final = "qwetyoafghlzxvbm,"
"""For results without a key of their own: as on the keyboard, without those that the page has other uses for."""
_ORDER: Final = ("debtor", "unanswered", "invalid_number", "third_party", "message", "not_found")


def results_of(known: Mapping[str, Result], channel: str) -> list[tuple[str, Result]]:
    """Those of a channel: what has a key first, and of those and the others each the debtor first."""
    found = sorted((one for one in known.values() if channel in one.on), key=_place)
    letters = iter(LETTERS)
    return [(one.key or next(letters, ""), one) for one in found]


def _place(one: Result) -> tuple[bool, int]:
    return not one.key, _ORDER.index(one.outcome) if one.outcome in _ORDER else 0
