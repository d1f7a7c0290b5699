"""When personal data may be erased, and reasons of a hold, from `rules/privacy.toml`. Pure but for the file."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from casework.errors import CallerError
from casework.rules.statechart.shape import (
    body_of,
    checked,
    each,
    label,
    name,
    some,
    table,
    text,
    whole,
)

LIVE_CASE, HOLD, LITIGATION, REQUEST = "live_case", "hold", "litigation", "request"
RETENTION, AFTER_SETTLEMENT = "retention", "retention_after_settlement"
ALWAYS: Final = (LIVE_CASE, HOLD, LITIGATION, REQUEST)
"""No basis is without these."""
CHECKS: Final = (*ALWAYS, RETENTION, AFTER_SETTLEMENT)
_FILE_NAME: Final = "rules/privacy.toml"


class Basis(msgspec.Struct, frozen=True):
    """A ground for erasing, its source in law, and the checks that must hold."""

    code: str
    zh: str
    en: str
    source: str
    waits_for: frozenset[str]


class HoldReason(msgspec.Struct, frozen=True):
    """Why data must stay."""

    code: str
    zh: str
    en: str


class PrivacyRules(msgspec.Struct, frozen=True):
    """The file, checked."""

    version: int
    bases: Mapping[str, Basis]
    holds: Mapping[str, HoldReason]
    text: bytes
    digest: str

    @property
    def title(self) -> str:
        """`privacy@version`."""
        return f"privacy@{self.version}"

    @property
    def ref(self) -> str:
        """`privacy@version#digest`, as entries cite it in their data."""
        return f"{self.title}#{self.digest}"

    def basis(self, code: str) -> Basis:
        """CallerError `unknown_basis`."""
        if code not in self.bases:
            raise _unknown("unknown_basis", "删除依据", "basis", self.bases)
        return self.bases[code]

    def hold(self, code: str) -> HoldReason:
        """CallerError `unknown_hold_reason`."""
        if code not in self.holds:
            raise _unknown("unknown_hold_reason", "保全事由", "reason of a hold", self.holds)
        return self.holds[code]


def _unknown(code: str, zh: str, en: str, known: Mapping[str, Any]) -> CallerError:
    return CallerError(
        code, f"{zh}须为以下之一：{'、'.join(known)}", f"the {en} must be one of {', '.join(known)}", known=list(known)
    )


_FILE = table(
    {"name": name, "version": whole,
     "bases": each(table({"zh": label, "en": label, "source": text, "waits_for": some(text)})),
     "holds": each(table({"zh": label, "en": label}))},
)  # fmt: skip


def parse_privacy_rules(body: bytes) -> PrivacyRules:
    """Read and check whole; `RulesBroken` with every fault."""
    document = checked(_FILE_NAME, body, _FILE, _meaning)
    return PrivacyRules(
        document["version"],
        {
            code: Basis(code, row["zh"], row["en"], row["source"], frozenset(row["waits_for"]))
            for code, row in document["bases"].items()
        },
        {code: HoldReason(code, row["zh"], row["en"]) for code, row in document["holds"].items()},
        body,
        hashlib.sha256(body).hexdigest(),
    )


def load_privacy_rules(folder: Path) -> PrivacyRules:
    """`parse_privacy_rules` of `statecharts/rules/privacy.toml`."""
    return parse_privacy_rules(body_of(folder, _FILE_NAME))


def _meaning(document: Mapping[str, Any]) -> Iterator[str]:
    if not document["bases"]:
        yield "bases: there is none"
    if not document["holds"]:
        yield "holds: there is none"
    for code, row in document["bases"].items():
        waits = row["waits_for"]
        yield from (f"bases.{code}.waits_for: unknown check {check}" for check in sorted(set(waits) - set(CHECKS)))
        yield from (
            f"bases.{code}.waits_for: {check} is missing; no basis is without it"
            for check in ALWAYS
            if check not in waits
        )
        if len(set(waits)) < len(waits):
            yield f"bases.{code}.waits_for: names a check twice"
