"""What guards on information repairs need from outside: sources, entries of the contact book, another repair."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.lifecycle.commands import Fire
from casework.lifecycle.door import Door
from casework.lifecycle.gather import Gathered
from casework.lifecycle.kept import Kept
from casework.lifecycle.tables import table_of
from casework.storage import rows
from casework.work.cases.one_of_a_case import UnderWay, under_way
from casework.work.contacts.results import Results
from casework.work.contacts.sources import Sources
from casework.work.contacts.tables import contact_log, contacts
from casework.work.repairs import REPAIR, Repair

if TYPE_CHECKING:
    from casework.work.cases.branch import Branch

_ENTERED: Final = sa.select(contacts).where(contacts.c.added_at.is_not(None), contacts.c.ended_at.is_(None))
_MARKED: Final = sa.select(contacts.c.phone_index).where(contacts.c.refused_at.is_not(None))
_SAID: Final = sa.select(contact_log.c.number, contact_log.c.result)
_REFUSED: Final = "refused"


class Prepared(NamedTuple):
    """The table of sources, the entries of contact books that the batch names, the repairs under way of its cases."""

    sources: Sources
    entries: Mapping[int, Any]
    refused: frozenset[bytes]
    under_way: UnderWay

    def ask_all(self) -> None:
        """Everything was asked already."""


def prepare(
    conn: Connection, branch: "Branch", commands: Sequence[Any], _gathered: Gathered, _today: date
) -> Prepared:  # fmt: skip
    """Read them, where the batch starts a repair or says what one found."""
    ours = [one for one in commands if one.noun == REPAIR.chart]
    named = {one.data.get("contact_id") for one in ours if isinstance(one, Fire)}
    wanted = sorted(one for one in named if type(one) is int and 0 <= one < _TOO_LARGE)
    entries = {row.id: row for row in rows.select_by_keys(conn, _ENTERED, "id", wanted)}
    numbers = sorted({bytes(row.phone_index) for row in entries.values() if row.phone_index is not None})
    refused = refused_among(conn, branch.rulebook.results, numbers)
    return Prepared(branch.rulebook.sources, entries, refused, under_way(conn, REPAIRS, ours))


def refused_among(conn: Connection, results: Results, numbers: Sequence[bytes]) -> frozenset[bytes]:
    """Those of these numbers at which somebody refused to be contacted again, to whomever, or wrote so (X6)."""
    marked = {bytes(row.phone_index) for row in rows.select_by_keys(conn, _MARKED, "phone_index", numbers)}
    telling = {code for code, one in results.by_code.items() if one.number == _REFUSED}
    said = rows.select_by_keys(conn, _SAID, "number", numbers)
    return frozenset(marked | {bytes(row.number) for row in said if row.result in telling})


def beside(door: Door, repair: Repair, given: Mapping[str, Any]) -> dict[str, Any]:
    """Only what a guard asks of the act."""
    known: Prepared = door.prepared[REPAIR.chart]
    if "source" in given:
        return _of_source(known.sources, given["source"])
    if "contact_id" in given:
        row = known.entries.get(given["contact_id"])
        theirs = row is not None and (row.institution, row.borrower_id) == (repair.institution, repair.borrower_id)
        return {"contact": _of_entry(row, known.refused, door.zone)} if theirs else {}
    other = known.under_way.beside(door, repair)
    return {} if other is None else {"repair": other}


def _of_source(sources: Sources, source: str) -> dict[str, Any]:
    """Nothing where it is lawful; else what the table says."""
    if source in sources.lawful:
        return {}
    if (barred := sources.unlawful.get(source)) is not None:
        return {"unlawful_zh": f"{barred.zh}（{barred.law_zh}）", "unlawful_en": f"{barred.en} ({barred.law_en})"}
    return {"known": ", ".join(sorted(sources.lawful))}


def _of_entry(row: Any, refused: frozenset[bytes], zone: ZoneInfo) -> dict[str, Any]:
    """As `casework.work.repairs.InTheBook` reads it."""
    added_at: datetime = row.added_at
    return {
        "source": row.source, "legal_basis": row.legal_basis, "phone": row.phone_index is not None,
        "address": row.address_sealed is not None, "entered_on": added_at.astimezone(zone).date().isoformat(),
        "refused": row.refused_at is not None
        or (row.phone_index is not None and bytes(row.phone_index) in refused),
    }  # fmt: skip


_TOO_LARGE: Final = 2**53
REPAIRS: Final[Kept] = Kept.of(REPAIR, table=table_of("repairs", REPAIR.rows), prepare=prepare, beside=beside)
