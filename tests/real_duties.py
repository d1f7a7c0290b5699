"""The duties of every day that was closed, as `casework duty list` tells them, beside what others made of the files."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

LETTERS = {
    "done": "d", "late": "l", "open": "o", "complaint": "C", "dispute": "D", "hardship": "H", "bankruptcy": "B",
    "death": "X", "promise": "P", "X5": "5",
}  # fmt: skip
NAMED = ("dial", "dial_contacts", "visit", "repair", "place")


def differing(must: Callable[..., str], expected: dict[str, Any], days: list[str]) -> Iterator[str]:
    """What differs, loan by loan and day by day, of the first `days`; `must` runs a command."""
    letters: dict[tuple[str, str], list[str]] = {}
    for place, day in enumerate(days):
        told = json.loads(must("duty", "list", "--on", day, "--json"))
        counts: dict[str, Counter[str]] = {}
        for one in told:
            what = one["exempt_by"] or one["status"]
            counts.setdefault(one["duty"], Counter())[what] += 1
            letters.setdefault((one["loan_id"], one["duty"]), ["."] * len(days))[place] = LETTERS[what]
        yield from _of_day(day, counts, expected["days"][day])
    for loan, one in expected["loans"].items():
        for duty in NAMED:
            here = "".join(letters.get((loan, duty), ["."] * len(days)))
            there = one.get(duty, "." * len(days))[: len(days)]
            if here != there:
                yield f"{loan} {duty}: {here}, expected {there}"


def _of_day(day: str, counts: dict[str, Counter[str]], expected: dict[str, Any]) -> Iterator[str]:
    for duty in NAMED:
        wanted = expected[duty]
        there = {name: wanted.get(name, 0) for name in ("done", "late", "open")} | wanted["exempt"]
        here = counts.get(duty, Counter[str]())
        if {name: number for name, number in here.items() if number} != {
            name: number for name, number in there.items() if number
        }:
            yield f"{day} {duty}: {dict(here)}, expected {there}"
