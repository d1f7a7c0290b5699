"""A bundle of one case: its dossier, which has every proof with it (decision 0019)."""

from collections.abc import Sequence

from casework.evidence.bundle.layout import DOSSIER
from casework.evidence.bundle.points import Point, Points
from casework.evidence.bundle.source import Missing, Source
from casework.evidence.bundle.trust import (
    KeysHeld,
    is_signed,
    named_keys,
    seen_by_witnesses,
    unseen,
    witnessed,
)
from casework.log.check.dossier import Shown, read_dossier
from casework.log.check.findings import Report
from casework.log.format import checkpoint
from casework.log.format.dossier import MAX_DOSSIER_BYTES
from casework.log.format.note import LogKey
from casework.log.format.times import Times, instant_text


def verify_case(source: Source, points: Points, held: KeysHeld, report: Report) -> None:
    """A case: its dossier has every proof with it."""
    keys = held.keys or named_keys(source)
    trusted = checkpoint.parse(held.trusted.text) if held.trusted is not None else None
    try:
        data = source.read(DOSSIER, MAX_DOSSIER_BYTES)
    except Missing as missing:
        report.doubt("file_missing", path=missing.path)
        return
    if held.receipts:
        report.doubt("receipts_not_checked")
    shown = read_dossier(data, keys, trusted)
    report.absorb(shown.report)
    report.entries, report.checkpoints, report.streams = len(shown.complete) + len(shown.later), 1, 1
    report.believe(shown.report.trust)
    newest = (points.newest.size, points.newest.root)
    if shown.checkpoint is not None and (shown.checkpoint.size, shown.checkpoint.root) != newest:
        report.doubt("manifest_differs", size=points.size, signed=shown.checkpoint.size)
    if held.witnesses:
        _hear_witnesses(data, keys, points, held, shown, report)


def _hear_witnesses(
    data: bytes, keys: Sequence[LogKey], points: Points, held: KeysHeld, shown: Shown, report: Report
) -> None:
    """What witnesses have signed of the log that the dossier is proven under, and the times that it sets."""
    signed = [one for one in _proven(data, keys, points, held, shown) if is_signed(one, keys, report)]
    unseen(held, {key for one in signed for key in witnessed(one, held, report)}, report)
    times = Times(seen_by_witnesses(signed, held.witnesses))
    for entry, index in zip((*shown.complete, *shown.later), shown.leaf_indexes, strict=True):
        for fault in times.check(index, [entry.recorded_at]):
            report.find(
                fault.code, entry.stream, entry.stream_seq, leaf_index=index, recorded_at=fault.recorded_at,
                cosigned_size=fault.seen.size, cosigned_at=instant_text(fault.seen.at),
            )  # fmt: skip


def _proven(data: bytes, keys: Sequence[LogKey], points: Points, held: KeysHeld, shown: Shown) -> list[Point]:
    """The checkpoints of the dossier's log: its own, the one its reader holds, and the last cosigned one before."""
    said = shown.checkpoint
    if said is None:
        return []
    found = [points.newest] if (said.size, said.root) == (points.newest.size, points.newest.root) else []
    if shown.report.trust == "trusted_checkpoint":
        found += [point for point in points.points if point.trust is not None]
    earlier = [point for point in points.points if point.path and point is not points.newest]
    cosigned = [point for point in earlier if seen_by_witnesses([point], held.witnesses)][-1:]
    for point in cosigned:  # the dossier has one proof that the log goes on, from one size
        if read_dossier(data, keys, checkpoint.parse(point.signed.text)).report.trust == "trusted_checkpoint":
            found.append(point)
    return found
