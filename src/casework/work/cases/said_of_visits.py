"""What the reports of visits say in words: sealed with the entries that handed them in, the latest of each counts."""

from collections.abc import Sequence
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.log.tables import entries
from casework.log.write.trail import read_openings_at
from casework.people.staff.actor import Actor
from casework.personal import mask
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.history import shown_as
from casework.work.visits.noun import VISIT
from casework.work.visits.visit import Visit

FIELDS: Final = ("place", "assets", "statement", "remark")
"""Where they were, as they put it right; assets; what the second visitor states; anything else."""
_REPORTS: Final = tuple(f"{VISIT.says.step}{event}" for event in ("report", "report_again"))
_HANDED_IN: Final = sa.select(entries.c.stream, entries.c.stream_seq, entries.c.body).where(
    # a select by keys takes no parameters but the keys
    entries.c.event.in_([sa.literal_column(f"'{event}'") for event in _REPORTS])
)


class _Data(msgspec.Struct):
    visit: int


class _Entry(msgspec.Struct):
    data: _Data


_read: Final = msgspec.json.Decoder(_Entry).decode


def said_of(conn: Connection, branch: Branch, actor: Actor, visits: Sequence[Visit]) -> dict[int, dict[str, str]]:
    """By visit and field, as the actor is shown such texts; nothing of who was erased."""
    streams, wanted = sorted({f"case:{one.parent_id}" for one in visits}), {one.id for one in visits}
    places = {
        (row.stream, row.stream_seq): number for row in rows.select_by_keys(conn, _HANDED_IN, "stream", streams)
        if (number := _read(bytes(row.body)).data.visit) in wanted
    }  # fmt: skip
    said: dict[int, dict[str, str]] = {}
    for field in FIELDS:
        view = shown_as(branch.rulebook.permissions, actor, field)
        found = read_openings_at(conn, branch.vault, places, field) if view is not None and places else {}
        for place, text in sorted(found.items()):
            said.setdefault(places[place], {})[field] = text if view == "clear" else mask(field, text)
    return said
