"""What may come of a contact (`statecharts/rules/results.toml`): outcome, number afterwards. Pure but for the file."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from casework.errors import RulesBroken
from casework.rules.statechart.shape import (
    LABELS,
    each,
    name,
    shape_faults,
    some,
    table,
    whole,
)
from casework.work.contacts.contact import CHANNELS, DEBTOR

OUTCOMES: Final = (DEBTOR, "third_party", "unanswered", "invalid_number", "message", "not_found")
THE_PERSON_MET: Final = "the_person_met"
SUSPENDED: Final = "suspended"
NUMBERS: Final = ("valid", "wrong", "invalid", "refused", SUSPENDED)
_FILE_NAME: Final = "rules/results.toml"


@dataclass(frozen=True, slots=True)
class Result:
    """One result: on which channels it can come, what counts, what the number is from then on (none: as before).

    `SUSPENDED` is for the contact book to show and changes nothing at the gate.
    """

    code: str
    zh: str
    en: str
    outcome: str
    on: frozenset[str]
    number: str | None

    def outcome_with(self, party: str) -> str:
        """One of `OUTCOMES`; on a visit `party` is the person met."""
        if self.outcome != THE_PERSON_MET:
            return self.outcome
        return DEBTOR if party == DEBTOR else "third_party"


@dataclass(frozen=True)
class Results:
    """The file, checked."""

    version: int
    by_code: Mapping[str, Result]
    text: bytes
    digest: str

    @property
    def title(self) -> str:
        """`results@version`."""
        return f"results@{self.version}"

    def of(self, words: str) -> Result | None:
        """By its code or what it is called in Chinese; none where there is no such result."""
        return self.by_code.get(words) or self._by_words.get(words)

    @cached_property
    def _by_words(self) -> Mapping[str, Result]:
        return {one.zh: one for one in self.by_code.values()}


_RESULT = table({**LABELS, "outcome": name, "on": some(name, empty="names no channel")}, {"number": name})
_FILE = table({"name": name, "version": whole, "results": each(_RESULT)})


def parse_results(body: bytes) -> Results:
    """Read and check whole; `RulesBroken` with every fault."""
    try:
        document = tomllib.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise RulesBroken([f"{_FILE_NAME}: {error}"]) from None
    faults = shape_faults(_FILE, document) or list(_meaning(document["results"]))
    if faults:
        raise RulesBroken([f"{_FILE_NAME}: {fault}" for fault in faults])
    found = {
        code: Result(code, row["zh"], row["en"], row["outcome"], frozenset(row["on"]), row.get("number"))
        for code, row in document["results"].items()
    }
    return Results(document["version"], found, body, hashlib.sha256(body).hexdigest())


def load_results(folder: Path) -> Results:
    """`parse_results` of `statecharts/rules/results.toml`."""
    try:
        body = (folder / _FILE_NAME).read_bytes()
    except OSError as error:
        raise RulesBroken([f"{_FILE_NAME}: {error.strerror}"]) from None
    return parse_results(body)


def _meaning(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for outcome in OUTCOMES:
        if outcome != DEBTOR and not any(row["outcome"] == outcome for row in results.values()):
            yield f"results: none has the outcome {outcome}"
    seen: dict[str, str] = {}
    for code, row in results.items():
        at = f"results.{code}"
        if row["outcome"] not in (*OUTCOMES, THE_PERSON_MET):
            yield f"{at}.outcome: {row['outcome']} is not one of {', '.join((*OUTCOMES, THE_PERSON_MET))}"
        yield from (f"{at}.on: no channel is called {one}" for one in row["on"] if one not in CHANNELS)
        if len(set(row["on"])) < len(row["on"]):
            yield f"{at}.on: names a channel twice"
        if row["outcome"] == THE_PERSON_MET and row["on"] != ["visit"]:
            yield f"{at}.on: only on a visit is a person met"
        if row.get("number", NUMBERS[0]) not in NUMBERS:
            yield f"{at}.number: {row['number']} is not one of {', '.join(NUMBERS)}"
        if row["zh"] in seen:
            yield f"{at}.zh: {seen[row['zh']]} is called that already"
        seen[row["zh"]] = code
