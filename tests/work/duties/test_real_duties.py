"""The pure judge over files whose duties of every day an independent script, and partly a hand, has found."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from casework.settings import shipped
from casework.work.cases.rulebook import load_rulebook
from casework.work.duties.judge import Duty
from tests.work.duties.files import Told, days

REAL = Path(os.environ.get("CASEWORK_REAL_FEEDS", Path(__file__).parents[4] / "shared" / "data"))
SETS = {"calls-mini": "calls-mini/feeds"} | ({"september-calls": "daily"} if "CASEWORK_LONG" in os.environ else {})
LETTERS = {
    "done": "d", "late": "l", "open": "o", "complaint": "C", "dispute": "D", "hardship": "H", "bankruptcy": "B",
    "death": "X", "promise": "P", "X5": "5",
}  # fmt: skip
NAMED = ("dial", "dial_contacts", "visit", "repair", "place")
NOTHING: dict[str, Any] = {"due": 0, "done": 0, "late": 0, "open": 0, "exempt": {}}


@pytest.mark.parametrize(("name", "feeds"), SETS.items())
def test_every_duty_of_every_day_is_as_reckoned_independently(name: str, feeds: str) -> None:
    if not (REAL / name).is_dir():
        pytest.skip(f"no contact files at {REAL} (CASEWORK_REAL_FEEDS)")
    rulebook = load_rulebook(shipped("statecharts"))
    expected, found = days(REAL / name, REAL / feeds, rulebook)
    assert list(_differing_loans(found, expected)) == []
    assert list(_differing_days(found, expected)) == []


def _differing_loans(found: list[Told], expected: dict[str, Any]) -> Iterable[str]:
    for loan, told in expected["loans"].items():
        for duty in NAMED:
            here = "".join(_letter(one.duties.get(loan, []), duty) for one in found)
            if here != told.get(duty, "." * len(found)):
                yield f"{loan} {duty}: {here}, expected {told.get(duty)}"


def _letter(duties: list[Duty], duty: str) -> str:
    return next((LETTERS[one.exempt_by or one.status] for one in duties if one.duty == duty), ".")


def _differing_days(found: list[Told], expected: dict[str, Any]) -> Iterable[str]:
    for one in found:
        wanted, here = expected["days"][one.on.isoformat()], _counted(one.duties.values())
        if one.in_house != wanted["in_house"]:
            yield f"{one.on}: {one.in_house} in house, expected {wanted['in_house']}"
        for duty in NAMED:
            if here.get(duty, NOTHING) != NOTHING | wanted[duty]:
                yield f"{one.on} {duty}: {here.get(duty)}, expected {wanted[duty]}"


def _counted(duties: Iterable[list[Duty]]) -> dict[str, dict[str, Any]]:
    """Per duty how many are due, done, late, open, and exempt by what."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for one in (one for of_case in duties for one in of_case):
        found[one.duty][one.exempt_by or one.status] += 1
    return {
        duty: {
            "due": numbers.total(), "done": numbers.pop("done", 0), "late": numbers.pop("late", 0),
            "open": numbers.pop("open", 0), "exempt": dict(numbers),
        }
        for duty, numbers in found.items()
    }  # fmt: skip
