"""What is sealed with the entries that recorded contacts (notes, addresses): opened for many contacts at once."""

from collections.abc import Collection
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer, stream_of
from casework.intake.dialler.recording import CORRECTED, RECORDED
from casework.log.tables import entries
from casework.log.write.trail import read_openings_at
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.contacts.tables import contact_log

Known = tuple[str, str]
"""A contact by its reference and source."""
_PLACES: Final = sa.select(
    contact_log.c.contact_ref, contact_log.c.source, contact_log.c.institution, contact_log.c.borrower_id,
    contact_log.c.stream_seq,
)  # fmt: skip
# Names of events as words of SQL: a select by keys takes no parameters but the keys.
_CORRECTED: Final = sa.select(entries.c.stream, entries.c.stream_seq).where(
    entries.c.event == sa.literal_column(f"'{CORRECTED}'")
)
_RECORDED: Final = sa.select(entries.c.stream, entries.c.stream_seq, entries.c.body).where(
    entries.c.event == sa.literal_column(f"'{RECORDED}'")
)


class _Said(msgspec.Struct):
    contact_ref: str
    source: str


class _Entry(msgspec.Struct):
    data: _Said


_read: Final = msgspec.json.Decoder(_Entry).decode


def noted(conn: Connection, branch: Branch, wanted: Collection[Known], field: str) -> dict[Known, str]:
    """That text of these contacts, in clear; of whom nothing was noted, or who was erased, is not in it."""
    places = {
        (stream_of(branch.vault, Customer(row.institution, row.borrower_id)), row.stream_seq):
            (row.contact_ref, row.source)
        for row in rows.select_by_keys(conn, _PLACES, ("contact_ref", "source"), sorted(wanted))
    }  # fmt: skip
    places |= _of_corrected(conn, places)
    texts = read_openings_at(conn, branch.vault, places.keys(), field)
    return {places[place]: text for place, text in texts.items()}


def _of_corrected(conn: Connection, places: dict[tuple[str, int], Known]) -> dict[tuple[str, int], Known]:
    """Where those were recorded whose last entry puts a result right: the text lies with the first."""
    found = rows.select_by_keys(conn, _CORRECTED, ("stream", "stream_seq"), sorted(places))
    put_right = {(row.stream, places[row.stream, row.stream_seq]) for row in found}
    recorded = {}
    for row in rows.select_by_keys(conn, _RECORDED, "stream", sorted({stream for stream, _ in put_right})):
        said = _read(bytes(row.body)).data
        known = (said.contact_ref, said.source)
        if (row.stream, known) in put_right:
            recorded[row.stream, row.stream_seq] = known
    return recorded
