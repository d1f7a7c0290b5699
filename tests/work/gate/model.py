"""A second reading of day.md §4, slow and plain: every question is answered by walking over all that was ever recorded.

It shares nothing with the gate but the tables of results and policy, of which it has the outcomes by name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
CALLS = ("call", "ai_voice")
REACHED = ("debtor", "debtor_hung_up")
UNANSWERED = ("no_answer", "busy", "invalid_number", "suspended")
MARK = {"debtor": "valid", "debtor_hung_up": "valid", "wrong_number": "wrong", "invalid_number": "invalid"}
OF_ALL_LOANS = ("complaint", "hardship", "bankruptcy", "death")
HOUR = timedelta(hours=1)
STOPS = (*OF_ALL_LOANS, "dispute")


@dataclass
class Row:
    """A contact, or the wish for one (without a result)."""

    ref: str
    debtor: str
    loan: str
    party: str
    channel: str
    number: str
    start: datetime
    result: str = ""
    purpose: str = "demand"
    permitted: bool = False
    late: bool = False

    @property
    def day(self) -> date:
        return self.start.astimezone(ZONE).date()

    @property
    def place(self) -> tuple[datetime, str]:
        return self.start, self.ref

    @property
    def called(self) -> bool:
        return self.channel in CALLS

    @property
    def reached(self) -> bool:
        return self.result in REACHED or (self.result == "found" and self.party == "debtor")


@dataclass
class Reserved:
    """A permit that somebody was given."""

    row: Row
    until: datetime
    used: bool = False
    dialling: bool = False


def counts(act: Row, today: list[Row], reserved: list[Row]) -> tuple[int, int]:
    """Connected calls to the debtor (X2) and unanswered ones to the number (X3); what is reserved counts as both."""
    connected = sum(row.called and row.reached and row.debtor == act.debtor for row in today)
    unanswered = sum(row.called and row.result in UNANSWERED and row.number == act.number for row in today)
    return (
        connected + sum(row.debtor == act.debtor for row in reserved),
        unanswered + sum(row.number == act.number for row in reserved),
    )


@dataclass
class World:
    """All that is known: rows, holds as (kind, debtor, loan, from, until), permits, books, DPD by day and debtor.

    Consents are (debtor, from, until, from which hour, until which).
    """

    own: dict[str, list[str]]
    friends: dict[str, list[str]]
    dpd: dict[str, dict[str, int]]
    rows: list[Row] = field(default_factory=list)
    holds: list[tuple[str, str, str, datetime, datetime | None]] = field(default_factory=list)
    consents: list[tuple[str, datetime, datetime, int, int]] = field(default_factory=list)
    permits: list[Reserved] = field(default_factory=list)

    def reserved(self, act: Row) -> list[Row]:
        """What others may be about to call."""
        return [one.row for one in self.permits if not one.used and one.until > act.start and one.row.called]

    def counters(self, act: Row) -> tuple[int, int]:
        """Connected calls to the debtor, unanswered ones to the number, so far that day."""
        return counts(act, [row for row in self.rows if row.day == act.day], self.reserved(act))

    def rules(self, act: Row, *, asking: bool) -> list[str]:
        """Why not, sorted."""
        if act.channel == "inbound":
            return []
        before = sorted((row for row in self.rows if asking or row.place < act.place), key=lambda row: row.place)
        return sorted(self._rules(act, before, asking=asking))

    def _rules(self, act: Row, before: list[Row], *, asking: bool) -> Iterator[str]:
        local = act.start.astimezone(ZONE)
        today = [row for row in before if row.day == local.date()]
        reserved = self.reserved(act) if asking else []
        if local.time() < time(8) or local.time() >= time(22):
            yield from () if self._agreed(act, local) else ("X1",)
        connected, unanswered = counts(act, today, reserved)
        if act.called and act.party == "debtor" and connected >= 3:
            yield "X2"
        if act.called and unanswered >= 6:
            yield "X3"
        wrong = act.called and self._mark(act.debtor, act.number, before) == "wrong"
        if wrong or act.party == "guarantor" or (act.party == "contact" and act.number not in self.friends[act.debtor]):
            yield "X4"
        if act.party == "contact":
            if not self._open(act, before):
                yield "X5"
            if any(row.result == "contact_refused" and row.number == act.number for row in before):
                yield "X6"
        if act.purpose in ("demand", "locate"):
            yield from {
                kind for kind, debtor, loan, since, until in self.holds
                if kind in STOPS and debtor == act.debtor and (kind in OF_ALL_LOANS or loan == act.loan)
                and since <= act.start and (until is None or act.start < until)
                and (kind != "death" or act.party == "debtor")
            }  # fmt: skip

    def _agreed(self, act: Row, local: datetime) -> bool:
        """A consent of the debtor holds now, and this hour is one of its hours; they may run past midnight."""
        return any(
            debtor == act.debtor and since <= act.start < until
            and local.hour in {(first + number) % 24 for number in range((last - first) % 24 or 24)}
            for debtor, since, until, first, last in self.consents
        )  # fmt: skip

    def _mark(self, debtor: str, number: str, before: list[Row]) -> str:
        mark = ""
        for row in before:
            said = MARK.get(row.result, "")
            if row.number == number and said and (row.debtor == debtor or said == "invalid"):
                mark = said
        return mark

    def _open(self, act: Row, before: list[Row]) -> bool:
        midnight = datetime.combine(act.start.astimezone(ZONE).date(), time(), ZONE)
        known = [day for day in self.dpd if day <= midnight.date().isoformat()]
        if not known or self.dpd[max(known)].get(act.debtor, 0) < 4:
            return False
        his = [row for row in before if row.debtor == act.debtor]
        if any(row.reached and row.start >= midnight for row in his):
            return False
        yesterday = [row for row in before if row.start < midnight]
        run = 0
        for row in (row for row in yesterday if row.debtor == act.debtor):
            run = 0 if row.reached else run + (row.called and row.party == "debtor")
        marks = [
            {self._mark(act.debtor, number, rows) in ("wrong", "invalid") for rows in (yesterday, before)}
            for number in self.own[act.debtor]
        ]
        return run >= 3 or (bool(marks) and all(mark == {True} for mark in marks)) or self._died(act, midnight)

    def _died(self, act: Row, midnight: datetime) -> bool:
        """A death hold is in force now and has been, without a gap, since before midnight."""
        deaths = [hold for hold in self.holds if hold[:2] == ("death", act.debtor)]
        hours = int((act.start - midnight) / HOUR) + 1
        # Holds here begin and end on full hours, so a gap shows at one of them.
        moments = [act.start, *(midnight + HOUR * number for number in range(hours)), midnight - timedelta(seconds=1)]
        return all(
            any(since <= at and (until is None or at < until) for _, _, _, since, until in deaths) for at in moments
        )

    def breaches(self) -> dict[str, list[str]]:
        """Of every row that had no permit."""
        found = {row.ref: self.rules(row, asking=False) for row in self.rows if not row.permitted}
        return {ref: rules for ref, rules in found.items() if rules}
