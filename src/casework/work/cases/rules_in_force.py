"""Permissions and owner rules as they were published: the replay asks under which an entry was written. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar

import tomli

from casework.errors import RulesBroken
from casework.lifecycle.judge import Judged
from casework.log.check.findings import Report
from casework.log.format.entry import Entry
from casework.log.format.texts import PUBLISHED
from casework.people.staff.permission_table import parse_permissions
from casework.people.staff.permissions import Permissions
from casework.people.staff.posts import known_posts
from casework.rules.statechart.policy import Policies, Policy
from casework.work.cases.owner_rules import OwnerRules, parse_owner_rules

_T = TypeVar("_T")
_KINDS: Final = ("permissions", "owners")


class _Text(NamedTuple):
    """A published table, and since when it is."""

    since: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Parsed:
    """Tables that were read, by their text; none where one cannot be. Several `RulesInForce` may share them."""

    permissions: dict[bytes, Permissions | None] = field(default_factory=dict)
    owners: dict[bytes, OwnerRules | None] = field(default_factory=dict)


def _posts_in(body: bytes) -> frozenset[str]:
    """Every post that somebody could hold has a row in the table, whichever chart the entry cites."""
    try:
        return frozenset(tomli.loads(body.decode())["posts"])
    except (ValueError, KeyError, TypeError):
        return frozenset()  # told when it is parsed


@lru_cache(maxsize=8)
def _permissions(body: bytes, policy: Policy) -> Permissions:
    """The same text is the same table: a process that verifies several logs reads and checks it once."""
    return parse_permissions(body, Policies([policy]), _posts_in(body))


@lru_cache(maxsize=8)
def _owners(body: bytes, policy: Policy, posts: frozenset[str]) -> OwnerRules:
    return parse_owner_rules(body, Policies([policy]), posts, None)


class RulesInForce:
    """What was published by the time of an entry; a process may have worked by any of it.

    Nothing for an entry from before the first publication: it was written under no such table. A table that cannot be
    read any more is a doubt, told once; the walk over the texts convicts what was changed.
    """

    def __init__(
        self,
        texts: Mapping[tuple[str, str, str], bytes],
        announced: Iterable[Entry],
        report: Report,
        parsed: Parsed | None = None,
    ) -> None:
        """`texts` by kind, name and digest; `announced`: the entries that published them, in their order."""
        self._report = report
        self._parsed = parsed or Parsed()
        self._known: dict[str, list[_Text]] = {kind: [] for kind in _KINDS}
        for entry in announced:
            kind = entry.event.removesuffix(PUBLISHED)
            found = texts.get((kind, str(entry.data.get("name")), str(entry.data.get("digest"))))
            if kind in self._known and found is not None:
                self._known[kind].append(_Text(entry.recorded_at, found))
        self._latest = {kind: max((text.since for text in known), default="") for kind, known in self._known.items()}
        self._all: dict[str, list[Any]] = {}

    def permissions(self, judged: Judged) -> list[Permissions]:
        """The tables of permissions."""

        def parse(body: bytes) -> Permissions:
            return _permissions(body, judged.policy)

        return self._read("permissions", judged, self._parsed.permissions, parse)

    def owners(self, judged: Judged) -> list[OwnerRules]:
        """The rules of owners."""

        def parse(body: bytes) -> OwnerRules:
            # Its states may be those of the chart's version before the one that the entry cites.
            return _owners(body, judged.policy, known_posts(judged.chart))

        return self._read("owners", judged, self._parsed.owners, parse)

    def _read(
        self, kind: str, judged: Judged, parsed: dict[bytes, _T | None], parse: Callable[[bytes], _T]
    ) -> list[_T]:
        """What was published by then; entries from after the last publication, nearly all, get the same list."""
        after_all = judged.entry.recorded_at >= self._latest[kind]
        if after_all and kind in self._all:
            return self._all[kind]
        found = []
        for since, body in self._known[kind]:
            if since > judged.entry.recorded_at:
                break
            if body not in parsed:
                try:
                    parsed[body] = parse(body)
                except RulesBroken:
                    self._report.doubt("text_unreadable", kind=kind)
                    parsed[body] = None
            table = parsed[body]
            if table is not None:
                found.append(table)
        if after_all:
            self._all[kind] = found
        return found
