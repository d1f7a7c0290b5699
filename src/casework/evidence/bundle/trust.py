"""Whose word a bundle's reader takes: the log keys, witnesses and checkpoint that the reader has (docs/log.md §4).

Without a key of their own, the log's statement of its keys is all there is: then the bundle is consistent with itself,
and that is what the report says.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from casework.evidence.bundle.layout import KEYS
from casework.evidence.bundle.points import Point, Points
from casework.evidence.bundle.source import MAX_TEXT_BYTES, Missing, Source
from casework.log.check.findings import Report
from casework.log.format import note
from casework.log.format.checkpoint import WitnessKey, cosigned_at
from casework.log.format.key_history import KeyHistory
from casework.log.format.note import LogKey, SignedNote, UnverifiedNote
from casework.log.format.times import Seen, instant_text
from casework.log.format.tree import Faulty


@dataclass(frozen=True, slots=True)
class KeysHeld:
    """What the reader brings along; all of it may be missing."""

    keys: Sequence[LogKey] = ()
    witnesses: Sequence[WitnessKey] = ()
    trusted: SignedNote | None = None
    receipts: Sequence[bytes] = ()


def check_signatures(
    source: Source, points: Points, history: KeyHistory | None, held: KeysHeld, report: Report, *, whole: bool
) -> None:
    """Verify every note with the keys that count, and say whom the reader need not trust any more."""
    keys = _keys(source, history, held, report, whole=whole)
    if not keys:
        report.doubt("log_keys_missing")
        return
    seen: set[WitnessKey] = set()
    for point in points.points:
        if is_signed(point, keys, report) and points.is_met(point):
            if point.trust is not None:
                report.believe(point.trust)
            seen |= witnessed(point, held, report)
    unseen(held, seen, report)


def is_signed_at_all(source: Source, points: Points, held: KeysHeld, report: Report) -> bool:
    """Whether a key of the reader's, or one that the bundle itself names, has signed the newest checkpoint.

    Asked before anything is read that it speaks of. Which of these keys count is decided at the end, by the log's own
    statement of them; where the file of keys is not as it was, its silence says nothing.
    """
    keys = {(key.name, key.key_id): key for key in (*named_keys(source), *held.keys)}
    try:
        note.verified(points.newest.signed, list(keys.values()))
    except UnverifiedNote as fault:
        if fault.code == "no_known_signature" and (not named_keys(source) or _is_doubted(KEYS, report)):
            return True
        return is_signed(points.newest, list(keys.values()), report)
    return True


def _is_doubted(path: str, report: Report) -> bool:
    return any(doubt.detail.get("path") == path for doubt in report.doubts)


def _keys(
    source: Source, history: KeyHistory | None, held: KeysHeld, report: Report, *, whole: bool
) -> Sequence[LogKey]:
    if history is None or not history.keys:
        if whole and report.entries:
            report.find("log_statement_missing")
        return held.keys or named_keys(source)
    for code, entry in history.faults:
        report.find(code, entry.stream, entry.stream_seq)
    known = history.known_from(list(held.keys))
    if not known:
        report.find("log_keys_differ", held=[key.text for key in held.keys])
        return held.keys
    return known


def named_keys(source: Source) -> Sequence[LogKey]:
    """The keys as the bundle's own file names them, where its entries cannot."""
    try:
        lines = source.read(KEYS, MAX_TEXT_BYTES).decode().split("\n")
        return [LogKey.parse(line) for line in lines if line]
    except (Missing, UnicodeDecodeError, Faulty):
        return []


def is_signed(point: Point, keys: Sequence[LogKey], report: Report) -> bool:
    """Whether the log has; else the finding is reported."""
    where = {"size": point.size} | ({"path": point.path} if point.path else {})
    try:
        note.verified(point.signed, keys)
    except UnverifiedNote as fault:
        unknown = "checkpoint_key_unknown" if point.path else "trusted_not_signed"
        report.find(unknown if fault.code == "no_known_signature" else "checkpoint_signature_wrong", **where)
        return False
    return True


def seen_by_witnesses(points: Sequence[Point], witnesses: Sequence[WitnessKey]) -> list[Seen]:
    """When witnesses that the reader trusts saw the tree, and how large; a wrong signature is reported at the end."""
    found = []
    for point in points:
        for key in witnesses:
            with suppress(UnverifiedNote):
                found += [Seen(point.size, cosigned_at(one.blob)) for _, one in note.verified(point.signed, [key])]
    return found


def witnessed(point: Point, held: KeysHeld, report: Report) -> set[WitnessKey]:
    """Who of the witnesses that the reader trusts has signed this checkpoint, and when by their clocks: told.

    A signature that is wrong is a finding, and no silence.
    """
    signed = set()
    for key in held.witnesses:
        try:
            found = note.verified(point.signed, [key])
        except UnverifiedNote as fault:
            if fault.code != "no_known_signature":
                report.find("cosignature_wrong", size=point.size, witness=key.name)
                signed.add(key)
            continue
        signed.add(key)
        report.cosignatures += 1
        report.believe("witnessed")
        at = instant_text(cosigned_at(found[0][1].blob))
        report.witnessed.append({"witness": key.name, "size": point.size, "at": at})
    return signed


def unseen(held: KeysHeld, seen: Collection[WitnessKey], report: Report) -> None:
    """A witness whose word the reader takes and who says nothing here: nothing can be said of its times."""
    for key in held.witnesses:
        if key not in seen:
            report.doubt("witness_not_seen", witness=key.text)
