"""To which address visits were ordered: sealed with the entry that ordered each, opened for several at once."""

from collections.abc import Sequence
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.tables import entries
from casework.log.write.trail import read_openings_at
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.visits.noun import VISIT
from casework.work.visits.visit import Visit

_ORDERED: Final = sa.select(entries.c.stream, entries.c.stream_seq, entries.c.body).where(
    entries.c.event == sa.literal_column(f"'{VISIT.says.opened}'")  # a select by keys takes no parameters but the keys
)


class _Data(msgspec.Struct):
    visit: int


class _Entry(msgspec.Struct):
    data: _Data


_read: Final = msgspec.json.Decoder(_Entry).decode


def addresses_of(conn: Connection, branch: Branch, visits: Sequence[Visit]) -> dict[int, str]:
    """By visit, in clear; of who was erased there is none."""
    streams, wanted = sorted({f"case:{one.parent_id}" for one in visits}), {one.id for one in visits}
    places = {
        (row.stream, row.stream_seq): number for row in rows.select_by_keys(conn, _ORDERED, "stream", streams)
        if (number := _read(bytes(row.body)).data.visit) in wanted
    }  # fmt: skip
    return {places[place]: text for place, text in read_openings_at(conn, branch.vault, places, "address").items()}
