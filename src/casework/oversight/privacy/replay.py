"""Checks holds and erasures again, by the entries of borrowers' streams (casework.log.check.verify).

An erasure is listed in `erasures` and nothing else is, covers streams of its own borrower alone, and none happened
while a legal hold was open. Each open hold has its row, and no row lacks its entry. What erasures cover is compared
with openings and requests where those are checked.
"""

from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import KIND, Customer, stream_of
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry, MalformedEntry
from casework.log.format.erasure import ERASED, Place, covered_by
from casework.log.stored import as_stored
from casework.log.tables import entries, erasures
from casework.oversight.privacy.deciding import HOLD_PLACED, HOLD_RELEASED, open_holds
from casework.oversight.privacy.tables import legal_holds
from casework.personal import Vault
from casework.storage import rows
from casework.work.cases.lifecycles import LIFECYCLES
from casework.work.four_eyes.tables import requests

PREFIX: Final = KIND
_BATCH: Final = 200
_SHOWN: Final = 100
_HOLD = (*Customer._fields, "reason", "stream_seq")
_MARK = ("stream", "stream_seq", *Customer._fields, "cases_until", "erased_at")


class _Met(NamedTuple):
    entry: Entry
    covers: list[Place]


class PrivacyReplay:
    """A follower of the streams of borrowers."""

    def __init__(self, conn: Connection, vault: Vault, report: Report) -> None:
        self._conn = conn
        self._vault = vault
        self._report = report
        self._holds: list[tuple[str, Any]] = []
        self._placed: dict[str, int] = {}  # by reason, the entry that placed it last
        self._held = {
            (self._stream_of(institution, borrower_id), reason, seq)
            for institution, borrower_id, reason, seq in conn.execute(as_stored(legal_holds, _HOLD, conn.dialect.name))
        }
        self._found: set[tuple[str, str, int]] = set()  # rows of holds that have their entry
        self._pending: list[_Met] = []
        self._met = 0

    def follow(self, entry: Entry) -> None:
        """The next entry of the present borrower."""
        try:
            if entry.event in (HOLD_PLACED, HOLD_RELEASED):
                self._holds.append((entry.event, entry.data))
                self._placed |= {entry.data["reason"]: entry.stream_seq} if entry.event == HOLD_PLACED else {}
            elif entry.event == ERASED:
                self._pending.append(_Met(entry, covered_by(entry)))
                if open_holds(self._holds):
                    self._report.find("erased_under_hold", entry.stream, entry.stream_seq)
        except (MalformedEntry, KeyError, TypeError) as error:
            self._report.find("replay_impossible", entry.stream, entry.stream_seq, error=type(error).__name__)

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (each entry is judged by itself)
        """The stream has ended: its open holds must have their rows."""
        for reason in open_holds(self._holds):
            row = stream, reason, self._placed[reason]
            if row not in self._held:
                self._report.find("row_missing", stream, row[2], table=legal_holds.name, reason=reason)
            self._found.add(row)
        self._holds.clear()
        self._placed.clear()
        if len(self._pending) >= _BATCH:
            self._flush()

    def cut(self) -> tuple[set[tuple[str, str, int]], int]:
        """What a part of the streams leaves: rows of holds that have their entry, and how many erasures were listed."""
        self._flush()
        left = self._found, self._met
        self._found, self._met = set(), 0
        return left

    def absorb(self, left: tuple[set[tuple[str, str, int]], int]) -> None:
        """What another part left."""
        self._found |= left[0]
        self._met += left[1]

    def finish(self) -> None:
        """Compare the rest; then look for rows that no entry stands behind."""
        self._flush()
        for stream, reason, _ in sorted(self._held - self._found, key=str)[:_SHOWN]:
            self._report.find("row_without_entries", stream or None, table=legal_holds.name, reason=str(reason))
        if self._conn.execute(sa.select(sa.func.count()).select_from(erasures)).scalar_one() == self._met:
            return
        at = (entries.c.stream == erasures.c.stream) & (entries.c.stream_seq == erasures.c.stream_seq)
        real = sa.exists().where(at, entries.c.event == ERASED)
        alone = sa.select(erasures.c.stream, erasures.c.stream_seq).where(~real).limit(_SHOWN)
        for stream, seq in self._conn.execute(alone):
            self._report.find("erasure_unlisted", stream, seq)

    def _flush(self) -> None:
        if not self._pending:
            return
        place = sa.tuple_(erasures.c.stream, erasures.c.stream_seq)
        wanted = [(met.entry.stream, met.entry.stream_seq) for met in self._pending]
        listed = as_stored(erasures, _MARK, self._conn.dialect.name).where(place.in_(wanted))
        marks = {(row[0], row[1]): tuple(row[2:]) for row in self._conn.execute(listed)}
        owners = self._owners({stream for met in self._pending for stream, _ in met.covers})
        for entry, covers in self._pending:
            mark = marks.get((entry.stream, entry.stream_seq))
            self._met += mark is not None
            said = entry.data.get("cases_until"), entry.recorded_at
            if mark is None or self._stream_of(*mark[:2]) != entry.stream or mark[2:] != said:
                self._report.find("erasure_unlisted", entry.stream, entry.stream_seq)
            others = [stream for stream, _ in covers if owners.get(stream, stream) != entry.stream]
            if others:
                self._report.find("erasure_of_others", entry.stream, entry.stream_seq, streams=others[:_SHOWN])
        self._pending.clear()

    def _owners(self, streams: set[str]) -> dict[str, str]:
        """Whose each stream of a case or request is, as the stream of its borrower; what is not there is nobody's."""
        about = {stream: "" for stream in streams if stream.startswith(("case:", "request:"))}
        asked = rows.select_by_keys(self._conn, _SUBJECTS, "id", _numbers(about, "request:"))
        subjects = {f"request:{row.id}": row.subject for row in asked}
        whose: dict[str, str] = {}
        named = {*about, *subjects.values()}
        for noun in LIFECYCLES:
            columns = noun.table.c
            wanted = sa.select(columns.id, columns.institution, columns.borrower_id)
            for row in rows.select_by_keys(self._conn, wanted, "id", _numbers(named, f"{noun.word}:")):
                whose[f"{noun.word}:{row.id}"] = self._stream_of(row.institution, row.borrower_id)
        return {stream: whose.get(subjects.get(stream, stream), "") for stream in about}

    def _stream_of(self, institution: Any, borrower_id: Any) -> str:
        """Nobody's where the row says what no customer is called."""
        try:
            return stream_of(self._vault, Customer(institution, borrower_id))
        except (ValueError, TypeError):
            return ""


_SUBJECTS = sa.select(requests.c.id, requests.c.subject)


def _numbers(streams: Any, prefix: str) -> list[int]:
    names = [stream.removeprefix(prefix) for stream in streams if stream.startswith(prefix)]
    return sorted({int(name) for name in names if name.isascii() and name.isdecimal() and len(name) <= 16})
