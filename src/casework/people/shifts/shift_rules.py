"""What shifts there are and who heads a post (`statecharts/rules/shifts.toml`). Pure but for the file."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Final

import msgspec

from casework.rules.statechart.policy import Policies, Policy
from casework.rules.statechart.shape import LABELS, body_of, checked, each, flag, name, some, table, text, whole

OTHERWISE: Final = "otherwise"
_FILE_NAME: Final = "rules/shifts.toml"
_PRESETS: Final = "roster.presets"


class Shift(msgspec.Struct, frozen=True):
    """One shift; `off`: whoever has it is not there. `called`: what a file may call it."""

    code: str
    zh: str
    en: str
    off: bool
    called: frozenset[str]


@dataclass(frozen=True)
class ShiftRules:
    """The file, checked. `heads`: by post the one whose holders answer for it; `otherwise` for all others."""

    version: int
    by_code: Mapping[str, Shift]
    heads: Mapping[str, str]
    text: bytes
    digest: str

    @property
    def title(self) -> str:
        """`shifts@version`."""
        return f"shifts@{self.version}"

    def of(self, words: str) -> Shift | None:
        """By its code or what it is called; none where there is no such shift."""
        return self.by_code.get(words) or self._by_words.get(words)

    @cached_property
    def _by_words(self) -> Mapping[str, Shift]:
        return {called: one for one in self.by_code.values() for called in one.called}

    def head_of(self, post: str) -> str:
        """The post whose holders answer for the holders of `post`."""
        return self.heads.get(post, self.heads[OTHERWISE])

    def preset(self, policy: Policy, on: date) -> Shift | None:
        """The shift of whom the roster does not name on that day (policy `roster.presets`); none: as on any day."""
        rows: Any = policy.figures[_PRESETS] or ()
        day = on.isoformat()
        found = next((row["shift"] for row in rows if row["from_on"] <= day <= row["until_on"]), None)
        return None if found is None else self.by_code[found]


_SHIFT = table({**LABELS}, {"off": flag, "as": some(text)})
_FILE = table({"name": name, "version": whole, "shifts": each(_SHIFT), "heads": table({OTHERWISE: name}, rest=name)})
_PRESET = table({"from_on": text, "until_on": text, "shift": name})


def parse_shift_rules(body: bytes, policies: Policies, posts: frozenset[str]) -> ShiftRules:
    """Read and check whole; `RulesBroken` with every fault."""
    document = checked(_FILE_NAME, body, _FILE, lambda document: chain(
        _meaning(document, posts),
        *(_preset_faults(policy, document["shifts"]) for policy in policies.all)))  # fmt: skip
    found = {
        code: Shift(code, row["zh"], row["en"], row.get("off", False), frozenset({row["zh"], *row.get("as", ())}))
        for code, row in document["shifts"].items()
    }
    return ShiftRules(document["version"], found, document["heads"], body, hashlib.sha256(body).hexdigest())


def load_shift_rules(folder: Path, policies: Policies, posts: frozenset[str]) -> ShiftRules:
    """`parse_shift_rules` of `statecharts/rules/shifts.toml`."""
    return parse_shift_rules(body_of(folder, _FILE_NAME), policies, posts)


def _meaning(document: Mapping[str, Any], posts: frozenset[str]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for code, row in document["shifts"].items():
        for called in (code, row["zh"], *row.get("as", ())):
            if called in seen:
                yield f"shifts.{code}: {seen[called]} is called {called} already"
            seen[called] = code
    for off in (True, False):
        if not any(row.get("off", False) is off for row in document["shifts"].values()):
            yield f"shifts: none is {'off' if off else 'on'}"
    for post, head in document["heads"].items():
        yield from (f"heads.{post}: no post is called {one}" for one in {post, head} - {OTHERWISE} if one not in posts)


def _preset_faults(policy: Policy, shifts: Mapping[str, Any]) -> Iterator[str]:
    rows: Any = policy.figures.get(_PRESETS)
    at = f"policy {policy.name}: {_PRESETS}"
    if rows is None:
        return
    if not isinstance(rows, list) or any(list(_PRESET("row", row)) for row in rows):
        yield f"{at}: each needs from_on, until_on and shift"
        return
    for row in rows:
        try:
            first, last = date.fromisoformat(row["from_on"]), date.fromisoformat(row["until_on"])
        except ValueError:
            yield f"{at}: {row['from_on']} or {row['until_on']} is no day"
            continue
        if last < first:
            yield f"{at}: {row['until_on']} is before {row['from_on']}"
        if row["shift"] not in shifts:
            yield f"{at}: no shift is called {row['shift']}"
