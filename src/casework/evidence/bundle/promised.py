"""What receipts promise, and whether a bundle holds it: one whose entry is gone convicts the operator (attack 11).

A promise is broken where the bundle shows that its entry must be there: its stream goes on past it, or the log goes on
for longer than an entry may wait to be sealed. Before that nothing can be said.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from casework.evidence.bundle.links import Ends, Link
from casework.log.check.findings import Report
from casework.log.format.entry import Entry
from casework.log.format.key_history import RECEIPT_KEY
from casework.log.format.note import LogKey
from casework.log.format.receipt import (
    Receipt,
    Recorded,
    open_receipt,
    parse_receipt,
)
from casework.log.format.times import SEALED_WITHIN_S
from casework.log.format.tree import Faulty

_WITHIN: Final = timedelta(seconds=SEALED_WITHIN_S)


class Promised:
    """The receipts that a reader holds, against the entries of one log as they come."""

    def __init__(self, receipts: Sequence[bytes]) -> None:
        """Faulty where one is no receipt."""
        self._held = [(data, parse_receipt(data)) for data in receipts]
        self._wanted = {one.leaf.hex() for _, receipt in self._held for one in receipt.entries}
        self._found: set[str] = set()
        self._keys: list[LogKey] = []

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._held)

    def take(self, leaves: Sequence[str]) -> None:
        """The leaf hashes, in hex, of the next entries."""
        self._found |= self._wanted.intersection(leaves)

    def announced(self, entry: Entry) -> None:
        """Any entry about the log: one names the key that signs receipts."""
        if entry.event == RECEIPT_KEY:
            try:
                self._keys.append(LogKey.parse(str(entry.data.get("receipt_key"))))
            except Faulty:
                return

    def finish(self, origin: str, ends: Ends, report: Report) -> None:
        """Say what was promised and is not there."""
        for data, receipt in self._held:
            try:
                open_receipt(data, self._keys)
            except Faulty as fault:
                report.doubt("receipt_not_trusted", recorded_at=receipt.recorded_at, fault=fault.code)
                continue
            if receipt.origin != origin:
                report.doubt("receipt_not_trusted", recorded_at=receipt.recorded_at, fault="other_origin")
                continue
            report.receipts += 1
            for one in receipt.entries:
                if one.leaf.hex() not in self._found:
                    self._missing(one, receipt, ends, report)

    def _missing(self, one: Recorded, receipt: Receipt, ends: Ends, report: Report) -> None:
        stream, _, number = one.entry_id.rpartition(":")
        ends.ready([Link(stream, 1, "")])
        end = ends.hot.get(stream)
        passed = end is not None and end.stream_seq >= int(number)
        last = report.last_recorded_at
        late = last is not None and datetime.fromisoformat(last) - datetime.fromisoformat(receipt.recorded_at) > _WITHIN
        if passed or late:
            report.find("receipt_not_honoured", stream, int(number), recorded_at=receipt.recorded_at)
        else:
            report.doubt("receipt_not_covered", entry=one.entry_id)
