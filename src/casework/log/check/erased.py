"""The erasures of this database, read before the openings are judged: by the places that `erasures` lists.

Only an entry that the service wrote (its MAC) and that is an erasure counts. One the table does not list is reported by
the replay of borrowers (casework.oversight.privacy.replay).
"""

from typing import Final

from sqlalchemy.engine import Connection

from casework.log.format.chain import leaf_hash, mac_matches
from casework.log.format.entry import MalformedEntry, decode_strict
from casework.log.format.erasure import Erased
from casework.log.stored import as_stored
from casework.log.tables import entries, erasures

_BATCH: Final = 500
_COLUMNS = ("stream", "stream_seq", "body", "mac")


def read_erased(conn: Connection, mac_key: bytes) -> Erased:
    """Every genuine erasure; what is forged or unreadable erases nothing, and the walk tells of it."""
    erased = Erased()
    at = (entries.c.stream == erasures.c.stream) & (entries.c.stream_seq == erasures.c.stream_seq)
    # From the erasures to their entries: SQLite would begin with the log, and read all of it where nothing was erased.
    listed = (
        as_stored(entries, _COLUMNS, conn.dialect.name)
        .select_from(erasures.outerjoin(entries, at))
        .order_by(erasures.c.stream, erasures.c.stream_seq)
    )
    for batch in conn.execute(listed, execution_options={"yield_per": _BATCH}).partitions():
        for stream, seq, body, tag in batch:
            if type(body) is not bytes or type(tag) is not bytes or not mac_matches(mac_key, leaf_hash(body), tag):
                continue
            try:
                entry = decode_strict(body)
                if (entry.stream, entry.stream_seq) == (stream, seq):
                    erased.add(entry)
            except MalformedEntry:
                continue
    return erased
