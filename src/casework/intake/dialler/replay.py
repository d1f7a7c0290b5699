"""The log of contacts against its entries: what a row says, and that no row is there of which no entry speaks.

Runs as a follower of customers' streams (casework.log.check.verify). Number and fingerprint of a row are in no entry:
its MAC shows whether somebody else has written them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import utc_text
from casework.customer import Customer, stream_of
from casework.intake.dialler.recording import CORRECTED, LEFT_OUT, RECORDED, mac_of
from casework.log.check.counted import Counted
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry
from casework.log.stored import as_stored
from casework.log.tables import entries
from casework.personal import Vault
from casework.storage import rows
from casework.work.contacts.tables import FIELDS, contact_log
from casework.work.gate.tables import contact_permits

_BATCH: Final = 1_000
_SHOWN: Final = 100
_COLUMNS: Final = (*FIELDS, "day", "row_hash", "stream_seq", "mac")
_PLAIN: Final = (*(name for name in FIELDS if name not in LEFT_OUT), "day", "stream_seq")
_FLAGS: Final = ("has_address", "recording", "late")


_ALONE: Final = sa.select(
    *(contact_log.c[name] for name in ("id", "institution", "borrower_id", "stream_seq", "contact_ref"))
).order_by(contact_log.c.id).limit(_BATCH)  # fmt: skip
_PLACE: Final = ("stream", "stream_seq")
_TOLD: Final = sa.select(entries.c.stream, entries.c.stream_seq).where(
    entries.c.event.in_([sa.literal_column(f"'{name}'") for name in (RECORDED, CORRECTED)])
)


_USED_TWICE: Final = (
    sa.select(contact_log.c.permit_id).where(contact_log.c.permit_id.is_not(None))
    .group_by(contact_log.c.permit_id).having(sa.func.count() > 1).order_by(contact_log.c.permit_id)
)  # fmt: skip


class _Said(NamedTuple):
    """A contact as its entries leave it: the one that recorded it, what they say, the number of the last."""

    entry: Entry
    data: dict[str, Any]
    seq: int


class ContactReplay(Counted):
    """A follower of the streams of customers."""

    def __init__(self, conn: Connection, mac_key: bytes, vault: Vault, report: Report) -> None:
        self._conn, self._vault, self._report = conn, vault, report
        self._mac = mac_of(mac_key)
        self._select = as_stored(contact_log, _COLUMNS, conn.dialect.name)
        self._stream: dict[tuple[str, str], _Said] = {}  # the contacts of the present customer
        self._pending: list[_Said] = []

    def follow(self, entry: Entry) -> None:
        """The next entry of the present customer."""
        if entry.event == RECORDED:
            self._stream[_key(entry.data)] = _Said(entry, dict(entry.data), entry.stream_seq)
        elif entry.event == CORRECTED:
            before = self._stream.get(_key(entry.data))
            if before is None:
                self._report.find("replay_impossible", entry.stream, entry.stream_seq, error="not_recorded")
            else:
                said = before.data | {name: entry.data.get(name) for name in ("result", "outcome")}
                said |= {"party": entry.data["party"]} if "party" in entry.data else {}
                self._stream[_key(entry.data)] = _Said(before.entry, said, entry.stream_seq)

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (what it says of the chain)
        """The stream has ended: its contacts are compared in one statement when enough are there."""
        self._pending += self._stream.values()
        self._stream = {}
        if len(self._pending) >= _BATCH:
            self._flush()

    def finish(self) -> None:
        """Compare the rest; then look for rows that no entry speaks of, if there must be any."""
        self._flush()
        for (permit_id,) in self._conn.execute(_USED_TWICE.limit(_SHOWN)):
            self._report.find("permit_differs", None, table=contact_log.name, permit=permit_id)
        if self._conn.execute(sa.select(sa.func.count()).select_from(contact_log)).scalar_one() != self._met:
            self._find_alone()

    def _flush(self) -> None:
        keys = {_key(said.data) for said in self._pending}
        found = rows.select_by_keys(self._conn, self._select, ("contact_ref", "source"), sorted(keys))
        held = {(row.contact_ref, row.source): row._asdict() for row in found}
        self._met += len(held)
        self._compare_permits(held)
        for said in self._pending:
            row, about = held.get(_key(said.data)), {"contact": _key(said.data)[0]}
            place = (said.entry.stream, said.seq)
            if row is None:
                self._report.find("row_missing", *place, **about)
                continue
            if self._mac(_covered(row)) != row["mac"]:
                self._report.find("row_changed", *place, table=contact_log.name, **about)
            differing = self._differing(said, row)
            if differing:
                self._report.find("row_differs", *place, columns=differing, **about)
        self._pending.clear()

    def _compare_permits(self, held: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        """An outcome uses the permit of who recorded it, for that debtor, party, channel, number and time."""
        used = [said for said in self._pending if type(said.data.get("permit_id")) is int]
        numbers = sorted({said.data["permit_id"] for said in used})
        permits = {row.id: row for row in rows.select_by_keys(self._conn, contact_permits, "id", numbers)}
        for said in used:
            number, row = said.data["permit_id"], held.get(_key(said.data), {})
            permit = permits.get(number)
            if permit is None or permit.used_at is None or not self._fits(permit, said, row.get("number")):
                self._report.find("permit_differs", said.entry.stream, said.entry.stream_seq, permit=number)

    def _fits(self, permit: Any, said: _Said, number: object) -> bool:
        began = datetime.fromisoformat(said.data["started_at"])
        same = permit.party, permit.channel, permit.actor_id
        return (
            same == (said.data["party"], said.data["channel"], said.entry.actor.id)
            and self._stream_of(permit._asdict()) == said.entry.stream
            and number in (None, permit.number)  # erased with the debtor
            and permit.issued_at.replace(microsecond=0) <= began < permit.holds_until
        )

    def _differing(self, known: _Said, row: Mapping[str, Any]) -> list[str]:
        entry, said = known.entry, dict.fromkeys(_FLAGS, False) | known.data
        began = datetime.fromisoformat(said["started_at"])
        ended = said.get("ended_at")
        said |= {
            "started_at": _instant(began), "ended_at": _instant(datetime.fromisoformat(ended)) if ended else None,
            "recorded_at": entry.recorded_at, "day": began.date().isoformat(), "stream_seq": known.seq,
        }  # fmt: skip
        compared = (*_PLAIN, "started_at", "ended_at", "recorded_at")
        differing = [name for name in compared if row[name] != said.get(name)]
        return differing if self._stream_of(row) == entry.stream else [*differing, "borrower_id"]

    def _find_alone(self) -> None:
        """Row by row: the entry that recorded it must stand where it says. Asked only where rows and entries differ."""
        shown, after = 0, 0
        while shown < _SHOWN:
            batch = self._conn.execute(_ALONE.where(contact_log.c.id > after)).all()
            if not batch:
                return
            after = batch[-1].id
            places = {row.id: (self._stream_of(row._asdict()), row.stream_seq) for row in batch}
            known = {tuple(row[:2]) for row in rows.select_by_keys(self._conn, _TOLD, _PLACE, sorted(places.values()))}
            for row in batch:
                if places[row.id] not in known and shown < _SHOWN:
                    shown += 1
                    self._report.find(
                        "row_without_entries", places[row.id][0] or None, table=contact_log.name,
                        contact=row.contact_ref,
                    )  # fmt: skip

    def _stream_of(self, row: Mapping[str, Any]) -> str:
        """Nobody's where the row says what no customer is called."""
        try:
            return stream_of(self._vault, Customer(row["institution"], row["borrower_id"]))
        except (ValueError, TypeError):
            return ""


def _key(data: Mapping[str, Any]) -> tuple[str, str]:
    return str(data.get("contact_ref")), str(data.get("source"))


def _covered(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["source"], row["contact_ref"], row["number"], row["row_hash"]


def _instant(at: datetime) -> str:
    return utc_text(at.astimezone(UTC))
