"""Replays the register from its entries and compares it with its rows: a post, a leave or a status given by SQL shows.

Keepers of the streams `staff:<no>` and `register:<what>` for `log.check.verify`. The heads of these streams are
checked with all others.
"""

import json
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry
from casework.log.stored import as_stored
from casework.log.tables import entries, openings
from casework.log.write.trail import opening_cell
from casework.people.staff import places
from casework.people.staff.dossier import COLUMNS, DATED
from casework.people.staff.judge import PREFIX as _PREFIX
from casework.people.staff.judge import StaffJudge
from casework.people.staff.person import Person
from casework.people.staff.tables import regions, staff, teams
from casework.personal import Vault
from casework.storage import rows

PREFIX: Final = _PREFIX
PLACES_PREFIX: Final = "register"
_BATCH: Final = 1_000
_SHOWN: Final = 100
_NAMES = sa.select(openings.c.stream, openings.c.stream_seq, openings.c.sealed).where(
    openings.c.field == sa.literal_column("'name'")  # a select by keys takes no parameters but the keys
)


class _Folded(NamedTuple):
    """A stream that has ended; no person if it could not be replayed to the end. `named_at`: the entry of the name."""

    tail: Tail
    person: Person | None
    named_at: int | None
    whole: bool


class StaffReplay:
    """The keeper of the streams of people.

    `granted` hears every grant that names a request: the keeper of requests holds it against that.
    """

    def __init__(
        self, conn: Connection, vault: Vault, report: Report, granted: Callable[[Entry], None] = lambda _: None
    ) -> None:
        self._judge = StaffJudge(report, granted)
        self._conn = conn
        self._vault = vault
        self._report = report
        self._pending: dict[str, _Folded] = {}
        self._met = dict.fromkeys((staff, *(kept.table for kept in DATED)), 0)

    def follow(self, entry: Entry) -> None:
        """Judge one entry."""
        self._judge.follow(entry)

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:
        """The stream has ended: keep it until enough are there to be compared in one statement each."""
        self._report.people += 1
        folded, named_at, whole = self._judge.end()
        self._pending[stream] = _Folded(tail, folded, named_at, sound and whole)
        if len(self._pending) >= _BATCH:
            self._flush()

    def finish(self) -> None:
        """Compare the rest; then look for rows without a stream, if there must be any."""
        self._flush()
        for table, met in self._met.items():
            if self._conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == met:
                continue
            stream = sa.literal(f"{PREFIX}:").concat(table.c.staff_no)
            alone = sa.select(table.c.staff_no).where(~sa.exists().where(entries.c.stream == stream)).distinct()
            for number in self._conn.execute(alone.order_by(table.c.staff_no).limit(_SHOWN)).scalars():
                self._report.find("row_without_entries", f"{PREFIX}:{number}", table=str(table.name))

    # ── the rows ────────────────────────────────────────────────────────────────────────────────────────────

    def _flush(self) -> None:
        numbers = [stream.partition(":")[2] for stream in self._pending]
        held = {row[0]: row for row in self._stored(staff, (*COLUMNS, "name"), numbers)}
        names = self._names()
        dated: dict[sa.Table, dict[str, list[tuple[Any, ...]]]] = {}
        for kept in DATED:
            found = dated[kept.table] = {}
            for row in self._stored(kept.table, ("staff_no", *kept.row._fields), numbers):
                found.setdefault(row[0], []).append(row[1:])
        for stream, folded in self._pending.items():
            number = stream.partition(":")[2]
            self._compare(stream, folded, held.get(number), names.get(stream))
            for kept in DATED:
                are = [] if folded.person is None else [_plain(row) for row in getattr(folded.person, kept.part)]
                if folded.whole and not _same(are, dated[kept.table].get(number, [])):
                    self._report.find("row_differs", stream, folded.tail.seq, table=kept.table.name)
        self._pending.clear()

    def _stored(self, table: sa.Table, names: tuple[str, ...], numbers: list[str]) -> list[tuple[Any, ...]]:
        found = rows.select_by_keys(
            self._conn, as_stored(table, names, self._conn.dialect.name), "staff_no", sorted(set(numbers))
        )
        self._met[table] += len(found)
        return [tuple(row) for row in found]

    def _compare(self, stream: str, folded: _Folded, row: tuple[Any, ...] | None, name: str | None) -> None:
        if not folded.whole:
            return
        if row is None:
            self._report.find("head_missing", stream)
            return
        if folded.person is None:
            self._report.find("row_without_entries", stream, table=str(staff.name))
            return
        are = _plain(getattr(folded.person, column) for column in COLUMNS)
        differing = [column for column, is_, held in zip(COLUMNS, are, row, strict=False) if is_ != held]
        expected = folded.person.staff_no if folded.named_at is None else name
        if expected is not None and row[-1] != expected:  # erased, or told of already: nothing to compare with
            differing.append("name")
        if differing:
            self._report.find("row_differs", stream, folded.tail.seq, table=staff.name, columns=differing)

    def _names(self) -> dict[str, str]:
        """The name that the last entry about it commits to, by stream."""
        found: dict[str, str] = {}
        for stream, seq, sealed in rows.select_by_keys(self._conn, _NAMES, "stream", sorted(self._pending)):
            if seq != self._pending[stream].named_at:
                continue
            try:
                found[stream] = json.loads(self._vault.open(opening_cell(stream, seq, "name"), bytes(sealed)))["value"]
            except Exception:  # noqa: BLE001, S112  (the walk tells of an opening that does not open)
                continue
        return found


class PlacesReplay:
    """The keeper of the streams of teams and regions."""

    def __init__(self, conn: Connection, report: Report) -> None:
        self._conn = conn
        self._report = report
        self._folded: dict[str, dict[str, places.Team | places.Region]] = {}
        self._unsound: set[str] = set()

    def follow(self, entry: Entry) -> None:
        """Fold one entry."""
        try:
            place = places.fold(entry.event, entry.data)
        except Exception as error:  # noqa: BLE001  (it convicts this entry; the others must still be looked at)
            self._report.find("replay_impossible", entry.stream, entry.stream_seq, error=type(error).__name__)
            self._unsound.add(entry.stream)
            return
        if place is not None:
            self._folded.setdefault(entry.stream, {})[place.code] = place

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (rows are compared at the end)
        """The stream has ended."""
        if not sound:
            self._unsound.add(stream)

    def finish(self) -> None:
        """Compare all of them with their rows."""
        for stream, table in ((places.REGIONS, regions), (places.TEAMS, teams)):
            if stream in self._unsound:
                continue
            names = tuple(column.name for column in table.columns)
            held = {row[0]: tuple(row) for row in self._conn.execute(as_stored(table, names, self._conn.dialect.name))}
            are = {code: tuple(place) for code, place in self._folded.get(stream, {}).items()}
            differing = sorted(code for code in held.keys() | are.keys() if held.get(code) != are.get(code))
            if differing:
                self._report.find("row_differs", stream, table=table.name, codes=differing[:_SHOWN])


def _plain(values: Iterable[Any]) -> tuple[Any, ...]:
    """Values as `as_stored` reads them."""
    return tuple(
        utc_text(value) if isinstance(value, datetime) else value.isoformat() if isinstance(value, date) else value
        for value in values
    )


def _same(are: list[tuple[Any, ...]], held: list[tuple[Any, ...]]) -> bool:
    """In any order; a tampered value may be of any type, so nothing but equality is asked."""
    return sorted(are, key=repr) == sorted(held, key=repr)
