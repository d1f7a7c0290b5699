"""Days that cases were told of contacts, and what the debtor's stream says of them: only entries are read.

A day is told as the debtor's stream knew it at the entry that the fact names as evidence (`contact:<number>`), or once
more as the case was told it before (`contact:told`). What rests on other evidence somebody has said by hand.
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date
from typing import Any, Final, NamedTuple

from casework.customer import KIND, Customer, stream_seen
from casework.intake.dialler.learning import FACT
from casework.intake.dialler.recording import CORRECTED, RECORDED
from casework.log.check.findings import Report
from casework.log.format.entry import Entry
from casework.work.cases.case import ANSWERED_BY
from casework.work.contacts.contact import CALLS, DEBTOR

_OPENED: Final = "case.opened"
_TOLD: Final = f"case.fact.{FACT}"
_EVIDENCE, _AGAIN = "contact:", "told"
_DIGEST: Final = 16  # bytes
_PLACE: Final = 8  # bytes, of a case's number and of an entry's
_BUCKETS: Final = 64


class DaySaid(NamedTuple):
    """Calls to the debtor that prove something, whether the debtor was connected, who else answered."""

    attempts: int
    connected: bool
    answered: tuple[str, ...]


NOTHING: Final = DaySaid(0, False, ())


class DayTold(NamedTuple):
    """What a case was told: by which entry, of which customer and day, and up to which entry of the customer's."""

    stream: str
    seq: int
    customer: Customer
    on: date
    said: DaySaid
    known_by: int


class CaseDays:
    """Reads cases' streams one after the other; finds what was told again and was not so told before."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._customer: Customer | None = None
        self._said: dict[date, DaySaid] = {}

    def follow(self, entry: Entry) -> DayTold | None:
        """The next entry of the present case; the day that it tells, if the debtor's stream must know it so."""
        if entry.event != _TOLD or self._customer is None:
            if entry.event == _OPENED:
                self._customer = Customer(str(entry.data["institution"]), str(entry.data["borrower_id"]))
            return None
        given, on = entry.data["given"], date.fromisoformat(entry.data["on"])
        answered = tuple(party for party in ANSWERED_BY if given.get(party) is True)
        said, before = DaySaid(int(given["attempts"]), bool(given["connected"]), answered), self._said.get(on)
        self._said[on] = said
        name, found, number = str(entry.data["evidence"]).partition(_EVIDENCE)
        if name or not found:
            self._report.days_by_hand += 1
        elif number.isascii() and number.isdecimal():
            return DayTold(entry.stream, entry.stream_seq, self._customer, on, said, int(number[:18]))
        elif number != _AGAIN or said != before:
            self._report.find("told_differs", entry.stream, entry.stream_seq, fact=FACT)
        return None

    def end(self) -> None:
        """The stream has ended, and another begins."""
        self._customer, self._said = None, {}


class _Known(NamedTuple):
    """What a contact, as its last entry leaves it, says of its day; called as rows of the log have it."""

    channel: str
    party: str
    late: bool
    outcome: str


class ContactDays:
    """The days of one customer, as one entry after the other leaves them."""

    def __init__(self) -> None:
        self._known: dict[str, dict[tuple[Any, Any], _Known]] = {}
        self._day_of: dict[tuple[Any, Any], str] = {}

    def follow(self, entry: Entry) -> tuple[str, DaySaid] | None:
        """The day that the next entry is about, with what is known of it since; none if it is about no contact."""
        data = entry.data
        key = data.get("source"), data.get("contact_ref")
        if entry.event == RECORDED:
            day = self._day_of[key] = str(data["started_at"])[:10]
            late = data.get("late", False)
            of_day = self._known.setdefault(day, {})
            of_day[key] = _Known(data["channel"], data["party"], late, data["outcome"])
        elif entry.event == CORRECTED and key in self._day_of:
            day = self._day_of[key]
            of_day = self._known[day]
            known = of_day[key]
            of_day[key] = known._replace(
                outcome=str(data.get("outcome")), party=str(data.get("party", known.party))
            )  # fmt: skip
        else:
            return None
        return day, known_of(of_day.values())


def known_of(of_day: Iterable[Any]) -> DaySaid:
    """What the contacts of a day come to: each with channel, party, late, outcome."""
    attempts, connected, answered = 0, False, set()
    for one in of_day:
        attempts += one.channel in CALLS and one.party == DEBTOR and not one.late
        connected |= one.outcome == DEBTOR
        if one.outcome == "third_party":
            answered.add(one.party)
    return DaySaid(attempts, connected, tuple(party for party in ANSWERED_BY if party in answered))


class DaysOfBundle:
    """Hears cases and customers in whatever order, part by part, and compares at the end, without a database or a key.

    Of each contact's entry 16 bytes are kept, of each day that was told 32: they are compared bucket by bucket.
    """

    def __init__(self) -> None:
        self.known = [bytearray() for _ in range(_BUCKETS)]
        self.told = [bytearray() for _ in range(_BUCKETS)]
        self.unread = False

    def case(self, entries: Iterable[Entry], report: Report) -> None:
        """The stream of a case; what is no fact at all its own replay finds."""
        days = CaseDays(report)
        with suppress(KeyError, TypeError, ValueError, OverflowError):
            for told in filter(None, map(days.follow, entries)):
                digest = _digest(stream_seen(told.customer), told.on.isoformat(), told.known_by, told.said)
                number = int(told.stream.partition(":")[2])
                place = number.to_bytes(_PLACE, "big") + told.seq.to_bytes(_PLACE, "big")
                self.told[digest[0] % _BUCKETS] += digest + place

    def customer(self, entries: Sequence[Entry], *, whole: bool) -> None:
        """The stream of a customer; if it is not whole, nobody can say of whom something is missing."""
        self.unread |= not whole
        customer = Customer(*entries[0].stream.removeprefix(f"{KIND}:").partition("~")[::2])
        days, stream = ContactDays(), stream_seen(customer)
        try:
            for entry in entries:
                known = days.follow(entry)
                if known is not None:
                    digest = _digest(stream, known[0], entry.stream_seq, known[1])
                    self.known[digest[0] % _BUCKETS] += digest
        except (KeyError, TypeError, ValueError):
            self.unread = True

    def absorb(self, other: "DaysOfBundle") -> None:
        """What another part of the streams said."""
        for mine, theirs in zip((*self.known, *self.told), (*other.known, *other.told), strict=True):
            mine.extend(theirs)
        self.unread |= other.unread

    def compare(self, report: Report) -> None:
        """All streams were heard: what was told otherwise than it was known, or of what nobody ever knew."""
        if self.unread:
            return
        width = _DIGEST + 2 * _PLACE
        for held, told in zip(self.known, self.told, strict=True):
            known = {bytes(held[at : at + _DIGEST]) for at in range(0, len(held), _DIGEST)}
            for at in range(0, len(told), width):
                if bytes(told[at : at + _DIGEST]) not in known:
                    case, seq = (
                        int.from_bytes(told[at + begin : at + begin + _PLACE], "big")
                        for begin in (_DIGEST, _DIGEST + _PLACE)
                    )
                    report.find("told_differs", f"case:{case}", seq, fact=FACT)


def _digest(stream: str, on: str, seq: int, said: DaySaid) -> bytes:
    words = f"{stream}\n{on}\n{seq}\n{said.attempts}\n{said.connected:d}\n{' '.join(said.answered)}"
    return hashlib.sha256(words.encode()).digest()[:_DIGEST]
