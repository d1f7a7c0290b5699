"""Checks the cosignatures on file, and the times of entries against what witnesses have seen (audit.md §7, 6 and 7)."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.audit import note
from casework.audit.checkpoint import WitnessKey, cosigned_at
from casework.audit.cosignatures import read_line
from casework.audit.findings import Report
from casework.audit.grown import Log
from casework.audit.stored import as_stored
from casework.audit.tables import checkpoints, cosignatures
from casework.audit.times import Seen, Times, instant_text
from casework.audit.tree import Faulty


def check_cosignatures(conn: Connection, report: Report, log: Log, witnesses: Sequence[WitnessKey]) -> Times:
    """Verify every cosignature of the log into `report`; the times that the known witnesses' set to its entries.

    One of a witness that is not known (any more) must be right by its own key, and bounds nothing.
    """
    return Times(_seen(conn, report, log, witnesses))


def _seen(conn: Connection, report: Report, log: Log, witnesses: Sequence[WitnessKey]) -> Iterator[Seen]:
    names = ("size", "witness", "line", "cosigned_at")
    own = as_stored(cosignatures, names, conn.dialect.name).selected_columns
    text_of = as_stored(checkpoints, ("note",), conn.dialect.name).selected_columns
    same = (checkpoints.c.log == cosignatures.c.log) & (checkpoints.c.size == cosignatures.c.size)
    wanted = (
        sa.select(*own, *text_of)
        .select_from(cosignatures.outerjoin(checkpoints, same))
        .where(cosignatures.c.log == log.number)
        .order_by(cosignatures.c.size)
    )
    known = {key.text for key in witnesses}
    for size, witness, line, at, data in conn.execute(wanted, execution_options={"yield_per": 500}):
        report.cosignatures += 1
        where = {"log": log.number, "size": size, "witness": str(witness)[:255]}
        text = _text(data)
        if text is None:
            report.find("cosignature_unknown_checkpoint", **where)
            continue
        good = _good(text, witness, line)
        if good is None or good != at:
            report.find("cosignature_wrong", **where)
        elif witness in known:
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
