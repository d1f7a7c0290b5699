"""The days that cases were told, held against the log of contacts: who changes one of both or drops a contact shows.

Runs as a follower of cases' streams beside their keeper. A day is told as the debtor's log knew it at one entry of the
debtor's stream, which the fact names; what was recorded or corrected after that is not counted.
"""

from datetime import date
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer, stream_of
from casework.intake.dialler.learning import FACT
from casework.intake.dialler.recording import CORRECTED, RECORDED
from casework.log.check.findings import Report
from casework.log.check.heads import Tail
from casework.log.format.entry import Entry, decode_strict
from casework.log.tables import entries
from casework.personal import Vault
from casework.storage import rows
from casework.work.cases.case import ANSWERED_BY
from casework.work.contacts.contact import CALLS, DEBTOR
from casework.work.contacts.tables import contact_log

_OPENED: Final = "case.opened"
_TOLD: Final = f"case.fact.{FACT}"
_EVIDENCE: Final = "contact:"
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


class _Fact(NamedTuple):
    """What a case was told: by which entry, of which customer and day, and up to which entry of the customer's."""

    stream: str
    seq: int
    customer: Customer
    on: date
    attempts: int
    connected: bool
    answered: tuple[str, ...]
    known_by: int


class DaysTold:
    """A follower of the streams of cases."""

    def __init__(self, conn: Connection, vault: Vault, report: Report) -> None:
        self._conn, self._vault, self._report = conn, vault, report
        self._customer: Customer | None = None
        self._present: list[_Fact] = []
        self._pending: list[_Fact] = []

    def follow(self, entry: Entry) -> None:
        """The next entry of the present case."""
        if entry.event == _OPENED:
            self._customer = Customer(str(entry.data["institution"]), str(entry.data["borrower_id"]))
        elif entry.event == _TOLD and self._customer is not None:
            number = str(entry.data["evidence"]).removeprefix(_EVIDENCE)
            if number.isascii() and number.isdecimal():  # else an earlier day was told again
                given, on = entry.data["given"], date.fromisoformat(entry.data["on"])
                answered = tuple(party for party in ANSWERED_BY if given.get(party) is True)
                told = int(given["attempts"]), bool(given["connected"]), answered
                self._present.append(_Fact(entry.stream, entry.stream_seq, self._customer, on, *told, int(number[:18])))

    def close(self, stream: str, tail: Tail, *, sound: bool) -> None:  # noqa: ARG002  (of an unsound one too)
        """The stream has ended: its days are compared in one statement when enough are there."""
        self._pending += self._present
        self._customer, self._present = None, []
        if len(self._pending) >= _BATCH:
            self._compare()

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
            known = [(row.channel, row.party, row.late, row.outcome) for row in of_day]
            last = max((row.stream_seq for row in of_day), default=0)
            told = fact.attempts, fact.connected, fact.answered, fact.known_by
            # Rows are what is known now, and compared elsewhere: where they say something else, the entries decide.
            if (*_count(known), last) != told and self._knew(fact) != told:
                self._report.find("told_differs", fact.stream, fact.seq, fact=FACT, contact=fact.known_by)
        self._pending = []

    def _knew(self, fact: _Fact) -> tuple[int, bool, tuple[str, ...], int]:
        """What the debtor's entries up to that one said of the day."""
        said: dict[tuple[Any, Any], dict[str, Any]] = {}
        last = 0
        asked = {"stream": stream_of(self._vault, fact.customer), "seq": fact.known_by}
        for body in self._conn.execute(_ENTRIES, asked).scalars():
            entry = decode_strict(bytes(body))
            key = entry.data.get("source"), entry.data.get("contact_ref")
            if entry.event == RECORDED:
                said[key] = dict(entry.data)
            elif key in said:
                said[key] |= {name: entry.data.get(name) for name in ("result", "outcome")}
            if key in said and said[key]["started_at"][:10] == fact.on.isoformat():
                last = entry.stream_seq
        of_day = [one for one in said.values() if one["started_at"][:10] == fact.on.isoformat()]
        known = [(one["channel"], one["party"], one.get("late", False), one["outcome"]) for one in of_day]
        return (*_count(known), last)


def _count(contacts: list[tuple[str, str, bool, str]]) -> tuple[int, bool, tuple[str, ...]]:
    """Attempts at the debtor, whether the debtor was connected, who else answered."""
    attempts = sum(channel in CALLS and party == DEBTOR and not late for channel, party, late, _ in contacts)
    answered = {party for _, party, _, outcome in contacts if outcome == "third_party"}
    connected = any(outcome == DEBTOR for *_, outcome in contacts)
    return attempts, connected, tuple(party for party in ANSWERED_BY if party in answered)
