"""What one run of verification found, and its verdict. Pure. No finding carries personal data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

import msgspec

from casework.log.check.finding_texts import TEXTS
from casework.log.check.told import plain

Verdict = Literal["sound", "tampered", "cannot_tell"]
EXIT_CODES: Final[Mapping[Verdict, int]] = {"sound": 0, "tampered": 1, "cannot_tell": 2}
Trust = Literal["self_consistent_only", "signer_memory", "witnessed", "trusted_checkpoint"]
TRUST_TEXTS: Final[Mapping[Trust, tuple[str, str]]] = {
    "self_consistent_only": (
        "仅自身一致：未与库外的检查点比对，不能排除运营方改写",
        "self-consistent only: no checkpoint held elsewhere was compared, so no evidence against the operator",
    ),
    "signer_memory": (
        "与签名者在库外保存的检查点一致",
        "consistent with the checkpoint that the signer keeps outside the database",
    ),
    "witnessed": (
        "与您信任的见证人签署的检查点一致",
        "consistent with a checkpoint that a witness you trust has cosigned",
    ),
    "trusted_checkpoint": ("与您持有的检查点一致", "consistent with the checkpoint you hold"),
}
_STRENGTH: Final[tuple[Trust, ...]] = ("self_consistent_only", "signer_memory", "witnessed", "trusted_checkpoint")
_COUNTED: Final = (
    "streams", "entries", "cases", "people", "replayed_steps", "replayed_refusals", "replayed_facts",
    "cases_not_replayed", "days_by_hand", "openings", "openings_erased", "requests_erased", "texts", "rows",
    "kept_files", "leaves", "checkpoints", "cosignatures", "receipts", "streams_continued", "body_bytes",
)  # fmt: skip
KEPT: Final = 1_000  # findings and doubts kept in full; a log changed throughout must not fill the memory


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, where, with details that name columns, codes and numbers only: in JSON's own types."""

    code: str
    stream: str | None = None
    stream_seq: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def zh(self) -> str:
        """The finding for a Chinese reader."""
        return TEXTS[self.code][0]

    @property
    def en(self) -> str:
        """The finding for an English reader."""
        return TEXTS[self.code][1]

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "code": self.code, "stream": self.stream, "stream_seq": self.stream_seq,
            "zh": self.zh, "en": self.en, "detail": dict(self.detail),
        }  # fmt: skip


@dataclass(slots=True)
class Report:
    """What was checked and found. `doubts` are what could not be judged: they forbid the verdict sound."""

    streams: int = 0
    entries: int = 0
    cases: int = 0
    people: int = 0
    replayed_steps: int = 0
    replayed_refusals: int = 0
    replayed_facts: int = 0
    cases_not_replayed: int = 0
    days_by_hand: int = 0  # contact days that rest on other evidence than the debtor's stream
    openings: int = 0
    openings_erased: int = 0
    requests_erased: int = 0
    texts: int = 0
    rows: int = 0  # of the books
    kept_files: int = 0  # of loans of past days
    leaves: int = 0
    checkpoints: int = 0
    cosignatures: int = 0
    receipts: int = 0
    trust: Trust = "self_consistent_only"
    scope: Mapping[str, Any] | None = None  # of a bundle: what it is said to be about
    streams_continued: int = 0  # of a period: streams that go on from before it, so that their first link is unseen
    witnessed: list[dict[str, Any]] = field(default_factory=list)
    body_bytes: int = 0
    first_recorded_at: str | None = None
    last_recorded_at: str | None = None
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    findings_in_all: int = 0
    doubts: list[Finding] = field(default_factory=list)
    doubts_in_all: int = 0
    _found: set[str] = field(default_factory=set)
    _doubted: set[bytes] = field(default_factory=set)

    def find(self, code: str, stream: str | None = None, stream_seq: int | None = None, /, **detail: Any) -> None:
        """Note a finding; beyond `KEPT` only its number, unless it is the first of its code."""
        self.findings_in_all += 1
        if len(self.findings) < KEPT or code not in self._found:
            self._found.add(code)
            self.findings.append(Finding(code, plain(stream), plain(stream_seq), plain(detail)))

    def doubt(self, code: str, /, **detail: Any) -> None:
        """Note what cannot be judged, once; beyond `KEPT` only its number, unless it is the first of its code."""
        self._doubt(Finding(code, detail=plain(detail)))

    def _doubt(self, doubt: Finding) -> None:
        if len(self.doubts) >= KEPT and any(doubt.code == one.code for one in self.doubts):
            self.doubts_in_all += 1
            return
        said = msgspec.json.encode((doubt.code, doubt.detail), order="sorted")
        if said not in self._doubted:
            self._doubted.add(said)
            self.doubts.append(doubt)
            self.doubts_in_all += 1

    def cut(self) -> "Report":
        """What was found until now, as a report of its own; this one begins anew."""
        part, fresh = Report(), Report()
        for one in fields(self):
            setattr(part, one.name, getattr(self, one.name))
            setattr(self, one.name, getattr(fresh, one.name))
        return part

    def absorb(self, part: "Report") -> None:
        """Add what another run found of its part: findings, doubts, how much was looked at, whom it agrees with."""
        for name in _COUNTED:
            setattr(self, name, getattr(self, name) + getattr(part, name))
        firsts = [one for one in (self.first_recorded_at, part.first_recorded_at) if one is not None]
        lasts = [one for one in (self.last_recorded_at, part.last_recorded_at) if one is not None]
        self.first_recorded_at, self.last_recorded_at = min(firsts, default=None), max(lasts, default=None)
        self.witnessed += part.witnessed
        self.believe(part.trust)
        for found in part.findings:
            if len(self.findings) < KEPT or found.code not in self._found:
                self._found.add(found.code)
                self.findings.append(found)
        self.findings_in_all += part.findings_in_all
        for doubt in part.doubts:
            self._doubt(doubt)
        self.doubts_in_all += part.doubts_in_all - len(part.doubts)

    def believe(self, trust: Trust) -> None:
        """The tree agrees with what somebody else holds; the strongest counts."""
        if _STRENGTH.index(trust) > _STRENGTH.index(self.trust):
            self.trust = trust

    @property
    def verdict(self) -> Verdict:
        """Tampered if anything was found; sound only if something was checked and nothing is in doubt."""
        if self.findings_in_all:
            return "tampered"
        return "sound" if self.entries and not self.doubts else "cannot_tell"

    def as_json(self) -> dict[str, Any]:
        """For machines, and what people are shown is made of: nothing in it but JSON's own types."""
        return {
            "verdict": self.verdict, "trust": self.trust, "trust_zh": TRUST_TEXTS[self.trust][0],
            "trust_en": TRUST_TEXTS[self.trust][1],
            "checked": {
                "streams": self.streams, "entries": self.entries, "cases": self.cases,
                "people": self.people,
                "replayed_steps": self.replayed_steps, "replayed_refusals": self.replayed_refusals,
                "replayed_facts": self.replayed_facts, "cases_not_replayed": self.cases_not_replayed,
                "days_by_hand": self.days_by_hand,
                "leaves": self.leaves, "checkpoints": self.checkpoints, "cosignatures": self.cosignatures,
                "receipts": self.receipts,
                "openings": self.openings, "openings_erased": self.openings_erased,
                "requests_erased": self.requests_erased, "texts": self.texts, "rows": self.rows,
                "kept_files": self.kept_files,
                "body_bytes": self.body_bytes,
                "first_recorded_at": self.first_recorded_at, "last_recorded_at": self.last_recorded_at,
                "seconds": round(self.seconds, 3),
                "entries_per_second": round(self.entries / self.seconds) if self.seconds else None,
            },
            "scope": self.scope, "streams_continued": self.streams_continued, "witnessed": self.witnessed,
            "findings_in_all": self.findings_in_all,
            "findings": [finding.as_json() for finding in self.findings],
            "doubts_in_all": self.doubts_in_all,
            "doubts": [doubt.as_json() for doubt in self.doubts],
        }  # fmt: skip
