"""What a case's guards know of it, in words: the facts that are not as they began."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final

from api.console.cases.timeline import word_of
from api.console.frame import shown, words
from casework.work.cases.case import AttemptDay, Facts, Placement

HIDDEN: Final = frozenset(
    {
        "fresh",
        "material_version",
        "settled_out_of",
        "visit_photos",
        "visit_stated",
        "desk_state",
        "named",
        "spoilt",
        "due_before",
        "connected_before",
        "found_by",
    }
)
"""What is for the guards' own counting, or stands elsewhere on the page."""


def facts_of(facts: Facts, lang: str) -> Iterator[tuple[str, str, bool]]:
    """Label, value, and whether the value is a code."""
    plain = Facts()
    for name in Facts.__struct_fields__:
        value = getattr(facts, name)
        if name in HIDDEN or value == getattr(plain, name):
            continue
        yield word_of(f"fact.{name}", name, lang), *_value(name, value, lang)


def _value(name: str, value: Any, lang: str) -> tuple[str, bool]:
    if name in _TOLD:
        return _TOLD[name](value, lang), name in _OWN
    if isinstance(value, bool):
        return words.say("frame.yes" if value else "frame.no", lang), False
    if isinstance(value, date):
        return shown.day(value, lang), False
    if isinstance(value, int):
        return (shown.yuan(value) if name.endswith("_fen") else f"{value:,}"), False
    if isinstance(value, list):
        return ", ".join(word_of(f"code.{one}", str(one), lang) for one in value), True
    text = word_of(f"code.{value}", "", lang) or word_of(f"risk_class.{value}", "", lang)
    return (text, False) if text else (str(value), True)


def _attempts(value: list[AttemptDay], lang: str) -> str:
    met = words.say("case.connected", lang)

    def told(one: AttemptDay) -> str:
        who = [met] * one.connected + [word_of(f"role.{party}", party, lang) for party in one.answered]
        return " ".join([f"{shown.day(one.on, lang)} ×{one.attempts}", *who])

    return _joined(map(told, value[-5:]))


def _placed(value: Placement, lang: str) -> str:
    return f"{value.agency} · {shown.day(value.placed_on, lang)} – {shown.day(value.term_until, lang)}"


def _joined(parts: Iterable[str]) -> str:
    return " · ".join(parts)


_TOLD: Final[Mapping[str, Callable[[Any, str], str]]] = {
    "attempt_days": _attempts,
    "promises": lambda value, lang: _joined(f"{number} {shown.day(on, lang)}" for number, on in value.items()),
    "remittances": lambda value, lang: _joined(f"{number} {shown.day(on, lang)}" for number, on in value.items()),
    "received_fen": lambda value, _: shown.yuan(sum(value.values())),
    "failed_visits": lambda value, lang: _joined(shown.day(one.on, lang) for one in value),
    "last_failed_visit": lambda value, lang: shown.day(value.on, lang),
    "photos_disproved": lambda value, _: f"{len(value):,}",
    "visits_stated": lambda value, _: f"{len(value):,}",
    "agency_file": lambda value, lang: f"{value.agency} · {shown.day(value.inspected_on, lang)}",
    "placement": _placed,
}
_OWN: Final = frozenset({"promises", "remittances", "agency_file", "placement"})
"""What of these has numbers and names that no language has."""
