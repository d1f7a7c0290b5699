"""What entries say of rows beside the log: that somebody else has written in them since the entry before. Pure.

An import or an erasure that finds other rows than the entry before has left says so in its own entry; what it writes
then is right for itself, but does not make good what was done.
"""

from typing import Final

from casework.log.check.findings import Report
from casework.log.format.entry import Entry

CHANGED: Final = "rows_changed"
"""In an entry's data: the tables."""


def told_by(entry: Entry, report: Report) -> None:
    """Find what the entry says of that."""
    if CHANGED in entry.data:
        report.find("rows_were_changed", entry.stream, entry.stream_seq, tables=entry.data[CHANGED])
