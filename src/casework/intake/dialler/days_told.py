"""The days that cases were told, held against the log of contacts: who changes one of both or drops a contact shows.

Runs as a follower of cases' streams beside their keeper. A day is told as the debtor's log knew it at one entry of the
debtor's stream, which the fact names; what was recorded or corrected after that is not counted.
"""

from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import stream_of
from casework.intake.dialler.days_in_entries import NOTHING, CaseDays, ContactDays, DaySaid, DayTold, known_of
from casework.intake.dialler.learning import FACT
from casework.intake.dialler.recording import CORRECTED, RECORDED
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry, decode_strict
from casework.log.tables import entries
from casework.personal import Vault
from casework.storage import rows
from casework.work.contacts.tables import contact_log

_BATCH: Final = 1_000
_KEY: Final = ("borrower_id", "institution", "day")
_ROWS: Final = sa.select(
    *(contact_log.c[name] for name in (*_KEY, "channel", "party", "late", "outcome", "stream_seq"))
)
_ENTRIES: Final = (
    sa.select(entries.c.body)
    .where(
        entries.c.stream == sa.bindparam("stream"), entries.c.stream_seq <= sa.bindparam("seq"),
        entries.c.event.in_([RECORDED, CORRECTED]),
    )
    .order_by(entries.c.stream_seq)
)  # fmt: skip


class DaysTold:
    """A follower of the streams of cases."""

    def __init__(self, conn: Connection, vault: Vault, report: Report) -> None:
        self._conn, self._vault, self._report = conn, vault, report
        self._days = CaseDays(report)
        self._pending: list[DayTold] = []

    def follow(self, entry: Entry) -> None:
        """The next entry of the present case."""
        told = self._days.follow(entry)
        if told is not None:
            self._pending.append(told)

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (of an unsound one too)
        """The stream has ended: its days are compared in one statement when enough are there."""
        self._days.end()
        if len(self._pending) >= _BATCH:
            self._compare()

    def cut(self) -> None:
        """Compare the rest of a part: the whole log has nothing more to tell."""
        self._compare()

    def absorb(self, left: None) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Compare the rest."""
        self._compare()

    def _compare(self) -> None:
        keys = {(fact.customer.borrower_id, fact.customer.institution, fact.on) for fact in self._pending}
        held: dict[tuple[str, str, date], list[Any]] = {}
        for row in rows.select_by_keys(self._conn, _ROWS, _KEY, sorted(keys)):
            held.setdefault((row.borrower_id, row.institution, row.day), []).append(row)
        for fact in self._pending:
            of_day = held.get((fact.customer.borrower_id, fact.customer.institution, fact.on), [])
            last = max((row.stream_seq for row in of_day), default=0)
            told = fact.said, fact.known_by
            # Rows are what is known now, and compared elsewhere: where they say something else, the entries decide.
            if (known_of(of_day), last) != told and self._knew(fact) != told:
                self._report.find("told_differs", fact.stream, fact.seq, fact=FACT, contact=fact.known_by)
        self._pending = []

    def _knew(self, fact: DayTold) -> tuple[DaySaid, int]:
        """What the debtor's entries up to that one said of the day."""
        days, on = ContactDays(), fact.on.isoformat()
        said = NOTHING, 0
        asked = {"stream": stream_of(self._vault, fact.customer), "seq": fact.known_by}
        for body in self._conn.execute(_ENTRIES, asked).scalars():
            entry = decode_strict(bytes(body))
            known = days.follow(entry)
            if known is not None and known[0] == on:
                said = known[1], entry.stream_seq
        return said
