"""Checks cosignatures on file, and times of entries against what witnesses have seen (docs/evidence.md, 6 and 7)."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.check.findings import Report
from casework.log.check.handed import Handed
from casework.log.format import note
from casework.log.format.checkpoint import WitnessKey, cosigned_at
from casework.log.format.note import UnverifiedNote
from casework.log.format.times import Seen, Times, instant_text
from casework.log.format.tree import Faulty
from casework.log.stored import as_stored
from casework.log.tables import checkpoints, cosignatures
from casework.log.write.cosignatures import read_line
from casework.log.write.grown import Log


class WitnessesSeen:
    """What witnesses have signed of one log: rows of the database, and notes that somebody hands in beside them.

    Only what known witnesses say bounds the times of entries. A cosignature of another must be right by its own key.
    """

    def __init__(self, report: Report, log: Log, witnesses: Sequence[WitnessKey]) -> None:
        self.by: set[WitnessKey] = set()
        self._report = report
        self._log = log
        self._known = {key.text: key for key in witnesses}
        self._handed: list[Seen] = []

    def take_handed(self, handed: Sequence[Handed]) -> None:
        """Notes with their cosignatures, by size: they count, whatever rows the database has of them."""
        newest: dict[str, dict[str, Any]] = {}
        for said, signed in handed:
            if said.origin != self._log.origin:
                continue  # it is reported with the checkpoint
            for key in self._known.values():
                try:
                    found = note.verified(signed, [key])
                except UnverifiedNote as fault:
                    if fault.code != "no_known_signature":
                        self.by.add(key)
                        self._report.find("cosignature_wrong", size=said.size, witness=key.name)
                    continue
                at = cosigned_at(found[0][1].blob)
                self.by.add(key)
                self._handed.append(Seen(said.size, at))
                newest[key.text] = {"witness": key.name, "size": said.size, "at": instant_text(at)}
        self._report.witnessed += newest.values()

    def times(self, conn: Connection) -> Times:
        """Verify every cosignature on file into the report; the bounds of all that was seen."""
        return Times(chain(self._handed, self._on_file(conn)))

    def _on_file(self, conn: Connection) -> Iterator[Seen]:
        names = ("size", "witness", "line", "cosigned_at")
        own = as_stored(cosignatures, names, conn.dialect.name).selected_columns
        text_of = as_stored(checkpoints, ("note",), conn.dialect.name).selected_columns
        same = (checkpoints.c.log == cosignatures.c.log) & (checkpoints.c.size == cosignatures.c.size)
        wanted = (
            sa.select(*own, *text_of)
            .select_from(cosignatures.outerjoin(checkpoints, same))
            .where(cosignatures.c.log == self._log.number)
            .order_by(cosignatures.c.size)
        )
        for size, witness, line, at, data in conn.execute(wanted, execution_options={"yield_per": 500}):
            self._report.cosignatures += 1
            where = {"log": self._log.number, "size": size, "witness": str(witness)[:255]}
            text = _text(data)
            if text is None:
                self._report.find("cosignature_unknown_checkpoint", **where)
                continue
            good = _good(text, witness, line)
            if good is None or good != at:
                self._report.find("cosignature_wrong", **where)
            elif witness in self._known:
                self.by.add(self._known[witness])
                yield Seen(size, good)


def _text(data: Any) -> str | None:
    """What a stored checkpoint signs; none where it is missing or no note."""
    try:
        return note.parse(data).text if type(data) is bytes else None
    except Faulty:
        return None


def _good(text: str, witness: Any, line: Any) -> int | None:
    """The time in a stored line that is the witness's and right."""
    try:
        key = WitnessKey.parse(witness if type(witness) is str else "")
    except Faulty:
        return None
    read = read_line(line, text, [key]) if type(line) is bytes else None
    return None if read is None else cosigned_at(read[1].blob)


def check_times(times: Times, report: Report, batch: Sequence[Any]) -> None:
    """Hold the entries of some leaves against `times`: rows of leaf index, stream, number and recorded_at, in order."""
    if not batch:
        return
    first, last = batch[0][0], batch[-1][0]
    whole = type(first) is int and type(last) is int and last - first == len(batch) - 1
    runs = [batch] if whole else [[row] for row in batch if type(row[0]) is int]
    for run in runs:
        for fault in times.check(run[0][0], [row[3] for row in run]):
            _, stream, seq, at = run[fault.leaf_index - run[0][0]]
            report.find(
                fault.code, stream, seq, leaf_index=fault.leaf_index, recorded_at=at, cosigned_size=fault.seen.size,
                cosigned_at=instant_text(fault.seen.at),
            )  # fmt: skip
