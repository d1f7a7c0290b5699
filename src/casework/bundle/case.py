"""A bundle of one case: its dossier, which has every proof with it (decision 0019)."""

from casework.audit import checkpoint
from casework.audit.dossier import MAX_DOSSIER_BYTES, read_dossier
from casework.audit.findings import Report
from casework.bundle.layout import DOSSIER
from casework.bundle.points import Points
from casework.bundle.source import Missing, Source
from casework.bundle.trust import Held, named_keys


def verify_case(source: Source, points: Points, held: Held, report: Report) -> None:
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
