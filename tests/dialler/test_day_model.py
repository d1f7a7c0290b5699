"""Contacts, promises, holds, late rows and corrections in any order: who is lost and reached is what a model says.

The model is a second reading of docs/day.md, 3 and 5, slow and plain: it walks over all that was known on each day.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

import pytest

from casework.intake.dialler.correcting import correct
from casework.intake.dialler.recording import DIALLER
from casework.operation.sweeping import sweep
from casework.people.staff.actor import system
from casework.storage.database import reading, writing
from casework.work.cases.steps import steps_of_cases
from tests.conftest import LONGER
from tests.dialler.called import call, moment, take
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.work import test_holds as holds
from tests.work import test_promises as promises
from tests.work.test_promises import day

DAYS = 11
DEBTOR = {number: number if number <= 8 else number - 8 for number in range(1, 13)}
"""By loan; four debtors have two."""
DPD = {number: 1 + number % 5 for number in DEBTOR}
STOPS_ALL = ("complaint", "hardship")


@dataclass
class Call:
    """One row of a contact file, as it is known now."""

    ref: str
    loan: int
    on: int
    attempt: bool
    result: str


@dataclass
class World:
    """All that is known; days are numbers, holds and promises both included."""

    calls: list[Call] = field(default_factory=list)
    held: list[tuple[str, int, int, int]] = field(default_factory=list)
    promised: list[tuple[int, int, int]] = field(default_factory=list)
    lost_on: dict[int, int] = field(default_factory=dict)
    back_on: dict[int, int] = field(default_factory=dict)
    steps: list[tuple[str, str, date]] = field(default_factory=list)

    def connected(self, debtor: int, on: int) -> None:
        """The debtor was spoken to: every lost case is taken back, never before its mark."""
        for number in [one for one in sorted(self.lost_on) if DEBTOR[one] == debtor]:
            self.back_on[number] = max(on, self.lost_on.pop(number))
            self.steps.append((f"L{number}", "reached", day(self.back_on[number])))

    def close(self, on: int) -> None:
        """The day ends: who was silent on it and the four days before is lost."""
        for number in DEBTOR:
            first = on - 4
            counts = first >= 0 and DPD[number] + first >= 4 and first > self.back_on.get(number, -1)
            if number not in self.lost_on and counts and all(self._silent(number, one) for one in range(first, on + 1)):
                self.lost_on[number] = on
                self.steps.append((f"L{number}", "mark_lost", day(on)))

    def _silent(self, number: int, on: int) -> bool:
        of_day = [one for one in self.calls if DEBTOR[one.loan] == DEBTOR[number] and one.on == on]
        held = any(
            first <= on <= last and (loan == number or (kind in STOPS_ALL and DEBTOR[loan] == DEBTOR[number]))
            for kind, loan, first, last in self.held
        )
        promised = any(loan == number and made <= on <= judged for loan, made, judged in self.promised)
        spoken = any(one.result == "debtor" for one in of_day)
        return sum(one.attempt for one in of_day) >= 2 and not spoken and not held and not promised


class Both:
    """The branch and the model, told the same."""

    def __init__(self, bank: Bank, seed: int) -> None:
        self.bank, self.chance, self.world, self.number = bank, Random(seed), World(), 0

    def new_call(self, loan_number: int, on: int, result: str, *, attempt: bool = True) -> Call:
        self.number += 1
        return Call(f"r{self.number:05}", loan_number, on, attempt, result)

    def contacts(self, on: int) -> Iterator[Call]:
        """Of a day: mostly two calls in vain, now and then an answer, or something of an earlier day."""
        for number in DEBTOR:
            if number > 8 and self.chance.random() < 0.7:
                continue
            for _ in range(self.chance.choice((1, 2, 2, 2, 2, 2, 2, 3))):
                yield self.new_call(number, on, "no_answer")
            if self.chance.random() < 0.05:
                yield self.new_call(number, on, "debtor", attempt=self.chance.random() < 0.5)
            if self.chance.random() < 0.1:
                yield self.new_call(number, on, "no_answer", attempt=False)
            if on and self.chance.random() < 0.08:
                yield self.new_call(number, self.chance.randrange(on), self.chance.choice(("no_answer", "debtor")))

    def feed(self, on: int) -> None:
        rows = list(self.contacts(on))
        self.world.calls += rows
        self.chance.shuffle(rows)
        sent = [
            call(
                one.ref, one.loan, one.on, f"{9 + place % 10:02}:{place % 60:02}:00", result=one.result,
                channel="call" if one.attempt else "inbound" if one.result == "debtor" else "call",
                party="debtor" if one.attempt or one.result == "debtor" else "contact",
            )
            for place, one in enumerate(rows)
        ]  # fmt: skip
        taken = take(self.bank, *sent, on=on + 1)
        assert taken.stored == len(rows), taken.set_aside
        # Of several answers in one file the first day takes a case back.
        for one in sorted((one for one in rows if one.result == "debtor"), key=lambda one: one.on):
            self.world.connected(DEBTOR[one.loan], one.on)

    def correct(self, on: int) -> None:
        for one in self.chance.sample(self.world.calls, min(2, len(self.world.calls))):
            if one.attempt and self.chance.random() < 0.6:
                one.result = self.chance.choice([to for to in ("debtor", "third_party", "busy") if to != one.result])
                with writing(self.bank.started.engine) as conn:
                    branch, at = self.bank.started.branch, moment(on + 1, "12:30:00")
                    correct(conn, branch, one.ref, DIALLER, one.result, system("cli"), at)
                if one.result == "debtor":
                    self.world.connected(DEBTOR[one.loan], one.on)

    def agree(self, on: int) -> None:
        """At most one hold and one promise a loan; a hold may have begun on an earlier day."""
        for number in DEBTOR:
            if self.chance.random() < 0.04 and not any(one[1] == number for one in self.world.held):
                first, kind = max(0, on - self.chance.randrange(3)), self.chance.choice(("dispute", *STOPS_ALL))
                until = on + self.chance.randrange(1, 4)
                taken = holds.take(self.bank, f"L{number},{kind},{day(first)},{day(until)}", on=on + 1)
                if not taken.set_aside:
                    self.world.held.append((kind, number, first, until - 1))
            if self.chance.random() < 0.04 and not any(one[0] == number for one in self.world.promised):
                pay_by = on + self.chance.randrange(1, 3)
                made = promises.row(f"P{number}", number, on, pay_by, "500.00")
                assert not promises.take(self.bank, made, on=on + 1).set_aside
                self.world.promised.append((number, on, pay_by + 1))

    def sweep(self, on: int) -> None:
        sweep(self.bank.started.engine, self.bank.started.branch, day(on), clock=lambda: moment(on + 1, "13:00:00"))
        self.world.close(on)


@pytest.mark.parametrize("seed", range(2 * LONGER))
def test_who_is_lost_and_reached_is_what_a_second_reading_of_the_day_says(bank: Bank, seed: int) -> None:
    both = Both(bank, seed)
    for on in range(DAYS):
        due = [arrears(number, DPD[number] + on, on=DAY + timedelta(days=on)) for number in DEBTOR]
        if on == 0:
            books = [loan(number, borrower_id=f"B{DEBTOR[number]}") for number in DEBTOR]
            bank.send(DAY, due, loans=books)
        else:
            bank.send(DAY + timedelta(days=on), due)
        both.feed(on)
        both.correct(on)
        both.agree(on)
        both.sweep(on)
        with reading(bank.started.engine, snapshot=True) as conn:
            found = steps_of_cases(conn, bank.started.branch.rulebook.chart, ("mark_lost", "reached"), None, None)
        assert sorted((one.loan_id, one.event, one.on) for one in found) == sorted(both.world.steps), on
    assert {event for _, event, _ in both.world.steps} >= {"mark_lost"}
    bank.assert_sound()
