"""What may come of a contact (`statecharts/rules/results.toml`): outcome, number afterwards. Pure but for the file."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec

from casework.rules.statechart.shape import (
    LABELS,
    body_of,
    checked,
    each,
    name,
    some,
    table,
    text,
    whole,
)
from casework.work.contacts.contact import CHANNELS, DEBTOR

OUTCOMES: Final = (DEBTOR, "third_party", "unanswered", "invalid_number", "message", "not_found")
THE_PERSON_MET: Final = "the_person_met"
SUSPENDED: Final = "suspended"
NUMBERS: Final = ("valid", "wrong", "invalid", "refused", SUSPENDED)
_FILE_NAME: Final = "rules/results.toml"


class Result(msgspec.Struct, frozen=True):
    """One result: on which channels it can come, what counts, what the number is from then on (none: as before).

    `SUSPENDED` is for the contact book to show and changes nothing at the gate. `also`: further names of it in files;
    `key`: what is pressed for it on a page; `check`: the task that the service adds (`rules/tasks.toml`).
    """

    code: str
    zh: str
    en: str
    outcome: str
    on: frozenset[str]
    number: str | None
    also: tuple[str, ...] = ()
    key: str = ""
    check: str | None = None

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
        """By its code or one of its names in Chinese; none where there is no such result."""
        return self.by_code.get(words) or self._by_words.get(words)

    @cached_property
    def _by_words(self) -> Mapping[str, Result]:
        return {words: one for one in self.by_code.values() for words in (one.zh, *one.also)}


_RESULT = table(
    {**LABELS, "outcome": name, "on": some(name, empty="names no channel")},
    {"number": name, "also": some(text, empty="is empty"), "key": text, "check": name},
)
_FILE = table({"name": name, "version": whole, "results": each(_RESULT)})


def parse_results(body: bytes, checks: Collection[str] | None = None) -> Results:
    """Read and check whole; `RulesBroken` with every fault. `checks`: those that there are; none: any."""
    document = checked(_FILE_NAME, body, _FILE, lambda document: _meaning(document["results"], checks))
    found = {
        code: Result(
            code, row["zh"], row["en"], row["outcome"], frozenset(row["on"]), row.get("number"),
            tuple(row.get("also", ())), row.get("key", ""), row.get("check"),
        )
        for code, row in document["results"].items()
    }  # fmt: skip
    return Results(document["version"], found, body, hashlib.sha256(body).hexdigest())


def load_results(folder: Path, checks: Collection[str] | None = None) -> Results:
    """`parse_results` of `statecharts/rules/results.toml`."""
    return parse_results(body_of(folder, _FILE_NAME), checks)


def _meaning(results: Mapping[str, Mapping[str, Any]], checks: Collection[str] | None) -> Iterator[str]:
    for outcome in OUTCOMES:
        if outcome != DEBTOR and not any(row["outcome"] == outcome for row in results.values()):
            yield f"results: none has the outcome {outcome}"
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
        if checks is not None and row.get("check") not in (None, *checks):
            yield f"{at}.check: {row['check']} is no task that the service adds ({', '.join(sorted(checks))})"
    yield from _said_twice(results)


def _said_twice(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Names that two results share, and keys that two of a channel do."""
    seen: dict[str, str] = {}
    keys: dict[tuple[str, str], str] = {}
    for code, row in results.items():
        at = f"results.{code}"
        for part, words in (("zh", row["zh"]), *(("also", one) for one in row.get("also", ()))):
            if words in seen or (words != code and words in results):
                yield f"{at}.{part}: {seen.get(words, words)} is called that already"
            seen[words] = code
        key = row.get("key", "1")
        if len(key) != 1 or not key.isascii() or not key.isprintable() or key == " " or key.isalpha():
            yield f"{at}.key: is not one key, a digit or a sign (letters are the pages' own)"
        for one in row["on"] if "key" in row else ():
            if (one, key) in keys:
                yield f"{at}.key: {keys[one, key]} has it on {one} already"
            keys[one, key] = code
