"""The rows of an institution's books, as its last entry left them and as this transaction leaves them.

Every entry of `feed:<institution>` that says what was written states, by table, how many rows there are and a digest of
their MACs. Whoever is about to write first looks whether the rows are still those: what somebody changed meanwhile
is told in the new entry (`rows_changed`), not made right by it.
"""

from datetime import date
from functools import cached_property
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.audit.chain import is_genuine
from casework.audit.rows_left import CHANGED
from casework.audit.tables import entries
from casework.audit.trail import Draft, Trail
from casework.feed.row_mac import MacSet, MakeMac, Stated, row_mac
from casework.feed.tables import borrowers, contacts, loans
from casework.lifecycle.tables import institutions
from casework.staff.actor import Actor

PREFIX: Final = "feed"
APPLIED: Final = "feed.applied"
REFUSED: Final = "feed.refused"
RESTATED: Final = "feed.rows_restated"
"""Rows were written by no feed: an erasure."""
LEFT: Final = "left"
TABLES: Final = (loans, borrowers, contacts)
"""Those whose rows change: each entry states all that there are. Payments only come: each run states its own."""
_AT_ONCE: Final = 10_000
NONE: Final = Stated(0, MacSet().stated().sha256)


class Left(msgspec.Struct, frozen=True):
    """What an entry states: the business date, and the rows of each table."""

    business_date: date | None = None
    loans: Stated = NONE
    borrowers: Stated = NONE
    contacts: Stated = NONE


class LeftRows:
    """One institution's rows in one transaction that writes them; whoever makes one holds the institution's feeds."""

    def __init__(self, conn: Connection, mac_key: bytes, institution: str) -> None:
        self._conn = conn
        self._mac_key = mac_key
        self.institution = institution
        self.payments = MacSet()  # those that this run brings
        self._held: dict[str, MacSet] = {}
        self._makers: dict[str, MakeMac] = {}
        self._changed: set[str] = set()
        self._day: date | None = None

    @cached_property
    def _before(self) -> Left:
        """Read when it is first needed: by then the institution's feeds are held."""
        return last_left(self._conn, self._mac_key, self.institution)

    def mac_of(self, table: sa.Table) -> MakeMac:
        """What makes the MACs of rows of `table`."""
        made = self._makers.get(table.name)
        if made is None:
            made = self._makers[table.name] = row_mac(self._mac_key, table.name)
        return made

    def to_write(self, table: sa.Table) -> MacSet:
        """Said before rows of `table` are written; what is written is added to it, or removed."""
        held = self._held.get(table.name)
        if held is None:
            held = self._held[table.name] = self._macs(table)
            if held.stated() != getattr(self._before, table.name):
                self._changed.add(table.name)
        return held

    def check(self, table: sa.Table, values: tuple[Any, ...], mac: Any) -> None:
        """Said of a row of which a part goes on: its MAC is made anew, so it must have been right."""
        if self.mac_of(table)(values) != mac:
            self._changed.add(table.name)

    def to_date(self, day: date) -> None:
        """Said before the business date becomes `day`."""
        dated = sa.select(institutions.c.business_date).where(institutions.c.institution == self.institution)
        if self._conn.execute(dated).scalar_one_or_none() != self._before.business_date:
            self._changed.add(institutions.name)
        self._day = day

    @property
    def changed(self) -> list[str]:
        """Tables in which somebody else has written since the last entry, as far as was looked."""
        return sorted(map(str, self._changed))  # names of tables are a kind of their own

    def said(self) -> dict[str, Any]:
        """For the data of the entry that ends what was written."""
        tables = {
            name: self._held[name].stated() if name in self._held else getattr(self._before, name)
            for name in (table.name for table in TABLES)
        }
        day = self._day or self._before.business_date
        said: dict[str, Any] = {LEFT: msgspec.to_builtins(Left(day, **tables))}
        return said | ({CHANGED: self.changed} if self._changed else {})

    def restate(self, trail: Trail, actor: Actor, because: str) -> None:
        """Append the entry of rows that no feed has written; `because` is the entry that says why."""
        draft = Draft(RESTATED, actor.signed, {"because": because, **self.said()})
        trail.append(self._conn, f"{PREFIX}:{self.institution}", draft)

    def _macs(self, table: sa.Table) -> MacSet:
        held = MacSet()
        wanted = sa.select(table.c.mac).where(table.c.institution == self.institution)
        for batch in self._conn.execute(wanted, execution_options={"yield_per": _AT_ONCE}).scalars().partitions():
            held.add_stored(batch)
        return held


def last_left(conn: Connection, mac_key: bytes, institution: str) -> Left:
    """What the institution's newest entry that states it has left; nothing where there is none."""
    data = newest_said(conn, mac_key, institution, LEFT)
    return Left() if data is None else msgspec.convert(data[LEFT], Left)


def newest_said(conn: Connection, mac_key: bytes, institution: str, key: str) -> dict[str, Any] | None:
    """The data of the newest entry of the institution's feed that this service wrote and that says `key`."""
    columns = (entries.c.body, entries.c.leaf_hash, entries.c.mac)
    wanted = sa.select(*columns).where(entries.c.stream == f"{PREFIX}:{institution}")
    newest = conn.execute(wanted.order_by(entries.c.stream_seq.desc()), execution_options={"yield_per": 5})
    with newest:
        for body, leaf, mac in newest:
            if is_genuine(mac_key, body, leaf, mac):
                data: dict[str, Any] = msgspec.json.decode(bytes(body))["data"]
                if key in data:
                    return data
    return None
