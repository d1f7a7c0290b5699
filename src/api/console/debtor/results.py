"""What may come of a contact, each with the key that says it."""

from collections.abc import Mapping
from typing import Final

from casework.work.contacts.results import Result

KEYS: Final = "1234567890-="
_ORDER: Final = ("debtor", "unanswered", "invalid_number", "third_party", "message", "not_found")


def results_of(known: Mapping[str, Result], channel: str) -> list[tuple[str, Result]]:
    """Those of a channel; the debtor first."""
    found = sorted((one for one in known.values() if channel in one.on), key=_place)
    return [(KEYS[at] if at < len(KEYS) else "", one) for at, one in enumerate(found)]


def _place(one: Result) -> int:
    return _ORDER.index(one.outcome) if one.outcome in _ORDER else 0
