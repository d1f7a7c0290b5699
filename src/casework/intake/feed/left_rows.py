"""The rows of an institution's books, as its entries left them and as this transaction leaves them.

Every feed's entry states, by table, how many rows there are and a digest of their MACs (`left`). An erasure's entry
says which MACs went and which came since (`swapped`): it need not read the table. Whoever is about to write a table
looks first whether its rows are still those; what somebody changed meanwhile stands in the new entry
(`rows_changed`), not made right by it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.intake.feed.row_mac import (
    MacSet,
    MakeMac,
    Stated,
    as_mac,
    row_mac,
)
from casework.intake.feed.tables import borrowers, contacts, loans
from casework.lifecycle.tables import institutions
from casework.log.check.rows_left import CHANGED
from casework.log.format.chain import is_genuine
from casework.log.tables import entries
from casework.log.write.trail import Draft, Trail
from casework.people.staff.actor import Actor
from casework.storage import rows

PREFIX: Final = "feed"
APPLIED: Final = "feed.applied"
PAYMENTS_TAKEN: Final = "feed.payments_taken"
REFUSED: Final = "feed.refused"
RESTATED: Final = "feed.rows_restated"
"""Rows were written by no feed: an erasure, the contact book."""
LEFT: Final = "left"
SWAPPED: Final = "swapped"
TABLES: Final = (loans, borrowers, contacts)
"""Those whose rows change: each entry states all that there are. Payments only come: each run states its own."""
_AT_ONCE: Final = 10_000
_SWAPPED_AT_ONCE: Final = 1_000  # MACs in one entry, of 65,535 bytes
NONE: Final = Stated(0, MacSet().stated().sha256)


class Left(msgspec.Struct, frozen=True):
    """What an entry states: the business date, and the rows of each table."""

    business_date: date | None = None
    loans: Stated = NONE
    borrowers: Stated = NONE
    contacts: Stated = NONE


class Swap(msgspec.Struct, frozen=True):
    """MACs of rows that went, and of those that came; in hex."""

    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()


class Fresh(NamedTuple):
    """New rows of a table, and their MACs one after the other."""

    rows: list[tuple[Any, ...]]
    macs: bytes


NO_ROWS: Final = Fresh([], b"")


def fresh_rows(many: list[tuple[Any, ...]]) -> Fresh:
    """Rows whose last column is their MAC."""
    return Fresh(many, b"".join(row[-1] for row in many))


@dataclass(slots=True)
class Standing:
    """What entries say that there is: what the newest to state it all has left, and what was swapped since."""

    left: Left = field(default_factory=Left)
    gone: defaultdict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    new: defaultdict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    def swap(self, data: Mapping[str, Any]) -> None:
        """Take in what an erasure's entry says."""
        for table, swap in msgspec.convert(data[SWAPPED], dict[str, Swap]).items():
            self.gone[table] += map(bytes.fromhex, swap.gone)
            self.new[table] += map(bytes.fromhex, swap.new)

    def is_swapped(self, table: str) -> bool:
        """Whether rows of the table were swapped since."""
        return bool(self.gone.get(table) or self.new.get(table))

    def before(self, table: str, held: MacSet) -> Stated:
        """What rows that are there make of the statement: it is `left`'s own, unless somebody else has written."""
        return held.stated_before(self.gone.get(table, ()), self.new.get(table, ()))


class LeftRows:
    """One institution's rows in one transaction that writes them; whoever makes one holds the institution's feeds."""

    def __init__(self, conn: Connection, mac_key: bytes, institution: str) -> None:
        self._conn = conn
        self._mac_key = mac_key
        self.institution = institution
        self.payments = MacSet()  # those that this run brings
        self._held: dict[str, MacSet] = {}
        self._makers: dict[str, MakeMac] = {}
        self._swapped: list[tuple[str, str, str]] = []
        self._changed: set[str] = set()
        self._day: date | None = None

    @cached_property
    def _before(self) -> Standing:
        """Read when it is first needed: by then the institution's feeds are held."""
        return standing_of(self._conn, self._mac_key, self.institution)

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
            if self._before.before(table.name, held) != getattr(self._before.left, table.name):
                self._changed.add(table.name)
        return held

    def put(
        self, table: sa.Table, key: rows.Key, columns: Sequence[str], fresh: Fresh = NO_ROWS,
        changed: Sequence[tuple[Any, tuple[Any, ...]]] = (),
    ) -> None:  # fmt: skip
        """Insert rows and update others, known by `key` (of `columns` the first), whose MACs, the last, were others.

        `changed`: the MAC as it was stored, and the row as it is now.
        """
        if not fresh.macs and not changed:
            return
        held = self.to_write(table)
        held.add_all(fresh.macs)
        for before, row in changed:
            held.remove(as_mac(before))
            held.add(row[-1])
        rows.insert_many(self._conn, table, fresh.rows, columns)
        of_key = 1 if isinstance(key, str) else len(key)
        rows.update_many(self._conn, table, key, [row for _, row in changed], columns[of_key:])

    def swap(self, table: sa.Table, *, gone: Any = None, new: bytes | None = None) -> None:
        """Said of single rows, for an entry that does not state them all: the MAC that goes, the MAC that comes."""
        if gone is not None:
            self._swapped.append((table.name, "gone", as_mac(gone).hex()))
        if new is not None:
            self._swapped.append((table.name, "new", new.hex()))

    def check(self, table: sa.Table, values: tuple[Any, ...], mac: Any) -> None:
        """Said of a row that is written over in part, or by itself: it must have been as this service stored it."""
        if self.mac_of(table)(values) != mac:
            self._changed.add(table.name)

    def to_date(self, day: date) -> None:
        """Said before the business date becomes `day`."""
        dated = sa.select(institutions.c.business_date).where(institutions.c.institution == self.institution)
        if self._conn.execute(dated).scalar_one_or_none() != self._before.left.business_date:
            self._changed.add(institutions.name)
        self._day = day

    @property
    def changed(self) -> list[str]:
        """Tables in which somebody else has written since the last entry, as far as was looked."""
        return sorted(map(str, self._changed))  # names of tables are a kind of their own

    def said(self) -> dict[str, Any]:
        """For the data of the entry of a feed: all rows that there are, those of tables that it wrote counted anew."""
        tables = {}
        for table in TABLES:
            counted = table.name in self._held or self._before.is_swapped(table.name)
            tables[table.name] = self.to_write(table).stated() if counted else getattr(self._before.left, table.name)
        day = self._day or self._before.left.business_date
        return {LEFT: msgspec.to_builtins(Left(day, **tables)), **self._noticed()}

    def restate(self, trail: Trail, actor: Actor, because: str) -> None:
        """Append the entries of rows that no feed has written; `because` is the entry that says why."""
        for at in range(0, max(len(self._swapped), 1), _SWAPPED_AT_ONCE):
            swapped: dict[str, dict[str, list[str]]] = {}
            for table, way, mac in self._swapped[at : at + _SWAPPED_AT_ONCE]:
                swapped.setdefault(str(table), {}).setdefault(way, []).append(mac)
            data = {"because": because, SWAPPED: swapped, **self._noticed()}
            trail.append(self._conn, f"{PREFIX}:{self.institution}", Draft(RESTATED, actor.signed, data))

    def _noticed(self) -> dict[str, Any]:
        return {CHANGED: self.changed} if self._changed else {}

    def _macs(self, table: sa.Table) -> MacSet:
        held = MacSet()
        wanted = sa.select(table.c.mac).where(table.c.institution == self.institution)
        for batch in self._conn.execute(wanted, execution_options={"yield_per": _AT_ONCE}).scalars().partitions():
            held.add_stored(batch)
        return held


def standing_of(conn: Connection, mac_key: bytes, institution: str) -> Standing:
    """What the institution's entries say that there is; nothing where there are none."""
    standing = Standing()
    for data in _newest_first(conn, mac_key, institution):
        if SWAPPED in data:
            standing.swap(data)
        if LEFT in data:
            standing.left = msgspec.convert(data[LEFT], Left)
            break
    return standing


def newest_said(conn: Connection, mac_key: bytes, institution: str, key: str) -> dict[str, Any] | None:
    """The data of the newest entry of the institution's feed that this service wrote and that says `key`."""
    return next((data for data in _newest_first(conn, mac_key, institution) if key in data), None)


def _newest_first(conn: Connection, mac_key: bytes, institution: str) -> Iterator[dict[str, Any]]:
    """The data of the entries of the institution's feed that this service wrote."""
    columns = (entries.c.body, entries.c.leaf_hash, entries.c.mac)
    wanted = sa.select(*columns).where(entries.c.stream == f"{PREFIX}:{institution}")
    with conn.execute(wanted.order_by(entries.c.stream_seq.desc()), execution_options={"yield_per": 5}) as newest:
        for body, leaf, mac in newest:
            if is_genuine(mac_key, body, leaf, mac):
                yield msgspec.json.decode(bytes(body))["data"]
