"""Where contacts reached a debtor by an address that they name themselves: rows of files and what people type.

The address is sealed with the entry that recorded the contact. It has no fingerprint in the log of contacts, for a
`number` there is one that was called; a debtor's visits are few, so their texts are opened when the book is looked at.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer, stream_of
from casework.intake.dialler.recording import RECORDED
from casework.log.tables import entries
from casework.log.write.trail import read_openings
from casework.personal import normalise
from casework.work.cases.branch import Branch
from casework.work.contacts.contact import WRITTEN
from casework.work.contacts.tables import contact_log
from casework.work.gate.known_numbers import Reached

_log: Final = contact_log.c
_CHANNELS: Final = sorted({"visit", *WRITTEN})
_MADE: Final = sa.select(_log.contact_ref, _log.source, _log.started_at, _log.outcome, _log.recorded_at).where(
    _log.borrower_id == sa.bindparam("borrower_id", type_=sa.String),
    _log.institution == sa.bindparam("institution", type_=sa.String),
    _log.has_address == sa.true(), _log.permit_id.is_(None), _log.channel.in_(_CHANNELS),
)  # fmt: skip


class _Entry(NamedTuple):
    contact_ref: str
    source: str


def reached_by_address(conn: Connection, branch: Branch, customer: Customer) -> Mapping[str, list[Reached]]:
    """By address, as `normalise` writes it: visits there, and what was written to it; nothing of who was erased."""
    made = conn.execute(_MADE, customer._asdict()).all()
    if not made:
        return {}
    stream = stream_of(branch.vault, customer)
    instants = sorted({row.recorded_at for row in made})
    told = sa.select(entries.c.stream_seq, entries.c.body).where(
        entries.c.stream == stream, entries.c.event == RECORDED, entries.c.recorded_at.in_(instants)
    )
    seqs = {_of(bytes(row.body)): row.stream_seq for row in conn.execute(told)}
    texts = read_openings(conn, branch.vault, stream, sorted(seqs.values()))
    found: dict[str, list[Reached]] = {}
    for row in made:
        address = texts.get((seqs.get(_Entry(row.contact_ref, row.source), 0), "address"))
        if address is not None:
            found.setdefault(normalise("address", address), []).append(Reached(row.started_at, row.outcome))
    return found


def _of(body: bytes) -> _Entry:
    data = msgspec.json.decode(body)["data"]
    return _Entry(data["contact_ref"], data["source"])
