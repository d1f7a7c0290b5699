"""Contacts, permits, holds, consents, promises, money, late rows, corrections and sweeps, in any order.

After each, what the gate says and counts, breaches, who is lost and reached and what became of promises is what a
second reading of the text (docs/day.md) says.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event
from hypothesis import settings as settings_of
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from casework.errors import CallerError
from casework.intake.dialler.importing import import_contacts
from casework.intake.dialler.outcome import Outcome, record_outcome
from casework.intake.dialler.recording import Recorded
from casework.intake.dialler.row import COLUMNS_OF_ROW
from casework.intake.dialler.typed import record_typed
from casework.intake.feed.agreed import import_holds, import_promises
from casework.intake.feed.daytime import import_repayments
from casework.intake.feed.past_arrears import past_arrears
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Open
from casework.lifecycle.listing import every
from casework.operation.startup import Started
from casework.operation.sweeping import sweep
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage.database import reading, writing
from casework.work.cases.lifecycles import PROMISES
from casework.work.cases.steps import steps_of_cases
from casework.work.contacts.tables import CONTACTS, contact_of
from casework.work.gate.asking import Wanted, askings_of
from casework.work.gate.found import found, judged
from casework.work.gate.permits import foresee
from tests.conftest import LONGER, Database, Published
from tests.dialler.corrected import correct
from tests.feed.bank import DAY, Bank, arrears, contact, loan
from tests.fresh import Fresh
from tests.work.day_model import Days, Paid, Promised
from tests.work.gate.desk import Desk
from tests.work.gate.model import OF_ALL_LOANS, ZONE, Reserved, Row

LAST = 16
OWN, SECOND, OTHERS, STRANGER = "12000000001", "12000000011", "12000000002", "12000000099"
LOANS = {"L1": "B1", "L2": "B2", "L3": "B1"}
PAST_DUE = {"L1": 3, "L2": 4, "L3": 1}
ON_CALLS = ("debtor", "busy", "third_party", "wrong_number", "invalid_number", "contact_refused")
ONE_DAY = timedelta(days=1)

loans = st.sampled_from(sorted(LOANS))
results = st.sampled_from(["no_answer"] * 4 + ["debtor"] * 3 + list(ON_CALLS))
channels = st.sampled_from(["call", "call", "call", "ai_voice", "message", "inbound", "visit"])
parties = st.sampled_from(["debtor", "debtor", "debtor", "contact", "contact", "guarantor"])
numbers = st.sampled_from([OWN, OWN, SECOND, OTHERS, OTHERS, STRANGER])
acts = st.tuples(loans, parties, channels, numbers)
minutes = st.sampled_from([0, 1, 7, 60, 180, 180])
long_ago = st.integers(0, 60 * 24 * 4)
PROBES = (
    ("L1", "debtor", "call", OWN), ("L2", "debtor", "call", OTHERS), ("L3", "debtor", "ai_voice", SECOND),
    ("L1", "contact", "call", OTHERS), ("L3", "guarantor", "message", STRANGER),
)  # fmt: skip


def line_of(**cells: str) -> str:
    """A row of a file, in the order of its columns."""
    return ",".join(cells.get(name, "") for name in COLUMNS_OF_ROW)


class AnyDays(RuleBasedStateMachine):
    """A branch of two debtors and three loans, and the model, told the same: a feed, what happens, a sweep."""

    def __init__(self, started: Started, folder: Path) -> None:
        super().__init__()
        self.bank = Bank(started, folder)
        self.actor = self.bank.staff("B9", "basic_risk_manager")
        self.desk = Desk(self.bank, self.actor)
        self.engine, self.branch = started.engine, started.branch
        self.world = Days(
            {"B1": [OWN, SECOND], "B2": [OTHERS]}, {"B1": [OTHERS], "B2": []}, {}, loans=LOANS, past_due=PAST_DUE,
            first_day=DAY,
        )  # fmt: skip
        self.now = datetime.combine(DAY, time(8, 30), ZONE)
        self.unswept: list[date] = []
        self.swept = False
        self.ids: list[int] = []
        self.number = 0
        self.paid_today = dict.fromkeys(LOANS, 0)
        self.feed()

    @property
    def today(self) -> date:
        return self.now.date()

    def next_ref(self, letter: str) -> str:
        self.number += 1
        return f"{letter}{self.number:04}"

    def feed(self) -> None:
        """The snapshot of the day: everybody a day further in arrears."""
        gone = (self.today - DAY).days
        due = [arrears(int(name[1:]), days + gone, on=self.today) for name, days in PAST_DUE.items()]
        books = [loan(1), loan(2), loan(3, borrower_id="B1")]
        friend = contact(1, role="contact", phone=OTHERS, person_name="友人", address="")
        ways = [contact(1), contact(1, phone=SECOND), contact(2), friend]
        self.bank.send(self.today, due, **({} if gone else {"loans": books, "contacts": ways}))  # type: ignore[arg-type]
        self.world.dpd[self.today.isoformat()] = {
            debtor: max(days + gone for name, days in PAST_DUE.items() if LOANS[name] == debtor)
            for debtor in ("B1", "B2")
        }  # fmt: skip
        self.paid_today = dict.fromkeys(LOANS, 0)

    # ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def over(self, *, swept: bool) -> None:
        """Midnight: the day is closed, or left for later; the next has its feed."""
        self.unswept.append(self.today)
        self.now = datetime.combine(self.today + ONE_DAY, time(0, 5), ZONE)
        if swept:
            sweep(self.engine, self.branch, self.unswept[-1], clock=lambda: self.now)
            for day in self.unswept if self.swept else self.unswept[-1:]:  # before the first no day is missed
                self.world.close(day)
            self.unswept, self.swept = [], True
        self.feed()

    @rule(wait=st.sampled_from([1, 4, 6, 61, 240, 480]), swept=st.sampled_from([True, True, True, False]))
    def wait(self, wait: int, swept: bool) -> None:
        later = self.now + timedelta(minutes=wait)
        if later.date() != self.today:
            if (self.today - DAY).days >= LAST:
                return
            self.over(swept=swept)
        self.now = max(later, self.now)

    @precondition(lambda self: (self.today - DAY).days < LAST - 5)
    @rule(
        days=st.integers(1, 6),
        whose=st.sampled_from([("L1",), ("L2",), ("L1", "L2"), ("L1", "L2")]),
        swept=st.booleans(),
    )
    def in_vain(self, days: int, whose: tuple[str, ...], swept: bool) -> None:
        """Days on which nobody answers; the last sweep closes all of them, or each its own."""
        for number in range(days):
            if self.now.hour < 11:
                self.now = datetime.combine(self.today, time(11), ZONE)
            for name in whose:
                act = (name, "debtor", "call", OWN if name == "L1" else OTHERS)
                self.file([(act, "no_answer", 0), (act, "no_answer", 60)])
            self.over(swept=swept or number + 1 == days)
        self.now = datetime.combine(self.today, time(8, 30), ZONE)

    # ── contacts ────────────────────────────────────────────────────────────────────────────────────────────────────

    def row(self, act: tuple[str, str, str, str], ago: int, result: str = "", letter: str = "r") -> Row:
        """A contact that can be: visits and inbound calls are the debtor's, messages are sent."""
        loan_id, party, channel, number = act
        party = "debtor" if channel in ("visit", "inbound") else party
        result = {"message": "sent", "inbound": "debtor"}.get(channel, result)
        if channel == "visit":
            result = "found" if result == "debtor" else "not_found"
        start = (self.now - timedelta(minutes=ago)).replace(second=0, microsecond=0)
        return Row(
            self.next_ref(letter), LOANS[loan_id], loan_id, party, channel, "" if channel == "visit" else number, start,
            result, "locate" if party == "contact" else "demand",
        )  # fmt: skip

    def cells(self, row: Row) -> dict[str, str]:
        return {
            "contact_ref": row.ref, "staff_no": "B9", "loan_id": row.loan, "party": row.party, "phone": row.number,
            "address": "" if row.number else "虚构路1号", "channel": row.channel, "purpose": row.purpose,
            "started_at": row.start.isoformat(), "result": row.result, "recording": "rec",
        }  # fmt: skip

    def known(self, *rows: Row) -> None:
        """These are on record: whoever was spoken to first is found by it."""
        self.world.rows += rows
        for row in sorted(rows, key=lambda row: row.day):
            if row.reached:
                self.world.connected(row.debtor, row.day)

    def file(self, told: list[tuple[tuple[str, str, str, str], str, int]]) -> None:
        rows = [self.row(act, ago, result) for act, result, ago in told]
        lines = [",".join(COLUMNS_OF_ROW), *(line_of(**self.cells(row)) for row in rows)]
        content = ("\n".join(lines) + "\n").encode()
        with writing(self.engine) as conn:
            taken = import_contacts(
                conn, self.branch, content, "calls.csv", "dialler", system("cli"), clock=lambda: self.now
            )  # fmt: skip
        assert taken.stored == len(rows), taken
        self.known(*rows)

    @rule(told=st.lists(st.tuples(acts, results, minutes), min_size=1, max_size=3))
    def contact_file(self, told: list[tuple[tuple[str, str, str, str], str, int]]) -> None:
        self.file(told)

    @rule(told=st.lists(st.tuples(acts, results, long_ago), min_size=1, max_size=2))
    def contact_file_late(self, told: list[tuple[tuple[str, str, str, str], str, int]]) -> None:
        self.file(told)

    @rule(act=acts, result=results, times=st.integers(2, 6))
    def burst(self, act: tuple[str, str, str, str], result: str, times: int) -> None:
        self.file([(act, result, number) for number in range(times)])

    @rule(act=acts, result=results, ago=st.one_of(minutes, long_ago))
    def typed(self, act: tuple[str, str, str, str], result: str, ago: int) -> None:
        """Over the API: what is typed more than a day later proves nothing, and counts for the gate."""
        row = self.row(act, ago, result, "s")
        row.late = self.now - row.start > ONE_DAY
        with writing(self.engine) as conn:
            (told,) = record_typed(conn, self.branch, [self.cells(row)], self.actor, self.now, atomic=True)
        assert isinstance(told.became, Recorded), told
        self.known(row)

    @precondition(lambda self: any(row.called for row in self.world.rows))
    @rule(which=st.integers(0, 30), result=st.sampled_from([*ON_CALLS, "no_answer"]))
    def corrected(self, which: int, result: str) -> None:
        called = [row for row in self.world.rows if row.called]
        row = called[-1 - which % len(called)]
        with writing(self.engine) as conn:
            correct(conn, self.branch, row.ref, None, result, self.actor, self.now)
        same, row.result = row.result == result, result
        if row.reached and not same:
            self.world.connected(row.debtor, row.day)

    # ── permits ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(act=acts)
    def ask(self, act: tuple[str, str, str, str]) -> None:
        row = self.row(act, 0)
        if row.channel not in ("call", "ai_voice", "message"):
            return
        row.start = self.now
        answer = self.desk.ask(
            self.now, loan=int(row.loan[1:]), party=row.party, channel=row.channel, phone=row.number,
            purpose=row.purpose,
        )  # fmt: skip
        assert sorted(one.rule for one in answer.reasons) == self.world.rules(row, asking=True), (self.now, row)
        assert answer.allowed == (not answer.reasons)
        if answer.permit_id is not None:
            self.ids.append(answer.permit_id)
            self.world.permits.append(Reserved(row, self.now + timedelta(minutes=5)))

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, 5), result=results)
    def outcome(self, which: int, result: str) -> None:
        """An outcome uses its permit; one that is used or over takes none."""
        which = -1 - which % len(self.ids)
        permit = self.world.permits[which]
        row = permit.row
        said = "sent" if row.channel == "message" else result
        told = Outcome(said, row.start, recording="rec")
        with writing(self.engine) as conn:
            if permit.used or permit.until <= self.now:
                with pytest.raises(CallerError) as refused:
                    record_outcome(conn, self.branch, self.ids[which], told, self.actor, self.now)
                assert refused.value.code == ("permit_used" if permit.used else "permit_expired")
                return
            done = record_outcome(conn, self.branch, self.ids[which], told, self.actor, self.now)
        permit.used = True
        row.ref, row.result, row.permitted = done.contact.contact_ref, said, True
        self.known(row)

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, 5))
    def dial(self, which: int) -> None:
        which = -1 - which % len(self.ids)
        permit, number = self.world.permits[which], self.ids[which]
        if permit.used or permit.until <= self.now:
            with pytest.raises(CallerError):
                self.desk.dial(number, self.now)
            return
        permit.until = permit.until if permit.dialling else self.now + timedelta(hours=1)
        permit.dialling = True
        assert self.desk.dial(number, self.now) == permit.until

    # ── holds, consents ─────────────────────────────────────────────────────────────────────────────────────────────

    @rule(
        loan_id=loans, kind=st.sampled_from(["death", "death", *OF_ALL_LOANS, "dispute", "legal"]),
        ago=st.sampled_from([0, 1, 5, 24, 72]), length=st.sampled_from([None, None, 6, 24, 48]),
    )  # fmt: skip
    def hold(self, loan_id: str, kind: str, ago: int, length: int | None) -> None:
        """Of a kind one at a time, for what it binds."""
        since = self.now.replace(minute=0) - timedelta(hours=ago)
        if any(hold[0] == kind and hold[2:4] == (loan_id, since) for hold in self.world.holds):
            return  # the same row once more, with another end: `hold_ends`
        until = None if length is None else since + timedelta(hours=length)
        overlaps = any(
            one == kind and (whose == LOANS[loan_id] if kind in OF_ALL_LOANS else named == loan_id)
            and (until is None or begins < until) and (ends is None or since < ends)
            for one, whose, named, begins, ends in self.world.holds
        )  # fmt: skip
        stored = self.agreed_holds(loan_id, kind, since, until)
        assert stored == (not overlaps), (kind, loan_id, since, until)
        if stored:
            self.world.holds.append((kind, LOANS[loan_id], loan_id, since, until))

    @precondition(lambda self: any(hold[4] is None for hold in self.world.holds))
    @rule(which=st.integers(0, 5))
    def hold_ends(self, which: int) -> None:
        """At the end of today."""
        endless = [place for place, hold in enumerate(self.world.holds) if hold[4] is None]
        place = endless[which % len(endless)]
        kind, debtor, loan_id, since, _ = self.world.holds[place]
        until = datetime.combine(self.today + ONE_DAY, time(), ZONE)
        self.agreed_holds(loan_id, kind, since, until)
        self.world.holds[place] = (kind, debtor, loan_id, since, until)

    def agreed_holds(self, loan_id: str, kind: str, since: datetime, until: datetime | None) -> bool:
        line = f"{loan_id},{kind},{since.isoformat()},{'' if until is None else until.isoformat()}"
        with writing(self.engine) as conn:
            taken = import_holds(
                conn, self.branch, f"loan_id,hold,from,until\n{line}\n".encode(), "h.csv", system("cli"),
                clock=lambda: self.now,
            )  # fmt: skip
        assert all(one.code == "no_overlap" for one in taken.set_aside), taken.set_aside
        return not taken.set_aside

    @rule(
        loan_id=loans, hours=st.sampled_from([(22, 23), (6, 8), (21, 7), (0, 8)]), ago=st.sampled_from([0, 5, 24]),
        length=st.sampled_from([3, 24, 72]),
    )  # fmt: skip
    def consent(self, loan_id: str, hours: tuple[int, int], ago: int, length: int) -> None:
        begins = self.now.replace(minute=0) - timedelta(hours=ago)
        ends = begins + timedelta(hours=length)
        data = {
            "loan_id": loan_id, "from_hour": hours[0], "until_hour": hours[1], "begins_at": begins.isoformat(),
            "ends_at": ends.isoformat(), "evidence": "rec:1",
        }  # fmt: skip
        with writing(self.engine) as conn:
            given = Open(actor=self.actor, noun="consent", ground="given", data=data)
            (done,) = advance(conn, [given], self.branch, clock=lambda: self.now)
        assert isinstance(done, Done), done
        self.world.consents.append((LOANS[loan_id], begins, ends, *hours))

    # ── promises and money ──────────────────────────────────────────────────────────────────────────────────────────

    @rule(
        loan_id=loans,
        ago=st.sampled_from([0, 0, 0, 1, 3]),
        ahead=st.integers(0, 3),
        amount=st.sampled_from([1, 2, 3, 5]),
    )
    def promise(self, loan_id: str, ago: int, ahead: int, amount: int) -> None:
        """Agreed elsewhere: no limit refuses it."""
        made = max(DAY, self.today - ONE_DAY * ago)
        one = Promised(self.next_ref("p"), loan_id, made, made + ONE_DAY * ahead, amount * 10_000)
        line = f"{one.ref},{loan_id},{made},{one.pay_by},{amount}00.00,B9"
        with writing(self.engine) as conn:
            taken = import_promises(
                conn, self.branch, f"ref,loan_id,made_on,pay_by,amount,staff_no\n{line}\n".encode(), "p.csv",
                system("cli"), clock=lambda: self.now,
            )  # fmt: skip
        assert taken.stored == 1, taken
        self.world.promises.append(one)
        self.world.count(self.today)

    def repay(self, paid: Paid, reverses: str = "") -> None:
        header = "payment_id,loan_id,paid_on,amount,reverses"
        line = f"{paid.ref},{paid.loan},{paid.paid_on},{paid.amount // 100}.00,{reverses}"
        with writing(self.engine) as conn:
            taken = import_repayments(
                conn, self.branch, f"{header}\n{line}\n".encode(), "r.csv", system("cli"), clock=lambda: self.now
            )
        assert taken.stored == 1, taken

    @rule(loan_id=loans, ago=st.sampled_from([0, 0, 0, 1, 2]), amount=st.sampled_from([1, 2, 3]))
    def payment(self, loan_id: str, ago: int, amount: int) -> None:
        """Never as much as is overdue: who has paid it all is not called (docs/gate.md, `paid`)."""
        if self.paid_today[loan_id] + amount > 9:
            return
        self.paid_today[loan_id] += amount
        paid = Paid(self.next_ref("m"), loan_id, max(DAY, self.today - ONE_DAY * ago), amount * 10_000)
        self.repay(paid)
        self.world.payments.append(paid)
        self.world.count(self.today)

    @precondition(lambda self: self.world.payments)
    @rule(which=st.integers(0, 5))
    def payment_taken_back(self, which: int) -> None:
        paid = self.world.payments[which % len(self.world.payments)]
        self.repay(Paid(self.next_ref("m"), paid.loan, self.today, paid.amount), paid.ref)
        self.world.take_back(paid, self.today)

    # ── what has to agree ───────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def the_gate_answers_and_counts_alike(self) -> None:
        rows = [self.row(act, 0) for act in PROBES]
        for row in rows:
            row.start = self.now
        wanted = [
            (self.actor, Wanted(self.bank.case(row.loan).id, row.party, row.channel, row.purpose, None, row.number))
            for row in rows
        ]  # fmt: skip
        with reading(self.engine) as conn:
            askings = askings_of(conn, self.branch, wanted, self.now)
            foreseen = foresee(conn, self.branch, askings, self.now)  # type: ignore[arg-type]  # no mistakes among them
        for row, said in zip(rows, foreseen, strict=True):
            assert sorted(why.rule for why in said.reasons) == self.world.rules(row, asking=True), (self.now, row)
            assert (said.connected, said.unanswered) == self.world.counters(row), (self.now, row)

    def of_today(self) -> list[Row]:
        return [row for row in self.world.rows if row.day == self.today]

    @invariant()
    def breaches_are_the_same(self) -> None:
        with reading(self.engine, snapshot=True) as conn:
            listed, of_today, whole = (
                {one.contact.contact_ref: list(one.rules) for one in some}
                for some in (
                    found(conn, self.branch, past_arrears),
                    found(conn, self.branch, past_arrears, self.today, self.today),
                    judged(conn, self.branch, past_arrears, [contact_of(row) for row in conn.execute(CONTACTS)]),
                )
            )
        expected = self.world.breaches()
        assert listed == whole == expected
        assert of_today == {row.ref: expected[row.ref] for row in self.of_today() if row.ref in expected}

    @invariant()
    def whoever_is_lost_and_reached_is_the_same(self) -> None:
        with reading(self.engine, snapshot=True) as conn:
            steps = steps_of_cases(conn, self.branch.rulebook.chart, ("mark_lost", "reached"), None, None)
        assert sorted((one.loan_id, one.event, one.on) for one in steps) == sorted(self.world.steps)

    @invariant()
    def promises_end_alike(self) -> None:
        with reading(self.engine) as conn:
            here = {one.ref: one for one in every(conn, PROMISES, live_only=False)}
        assert {ref: (one.state, one.judged_on, one.received_fen) for ref, one in here.items()} == {
            one.ref: (one.state, one.judged_on, sum(one.counted.values())) for one in self.world.promises
        }

    def teardown(self) -> None:
        for what in {name for _, name, _ in self.world.steps} | {one.state for one in self.world.promises}:
            event(what)
        for refused in {name for rules in self.world.breaches().values() for name in rules}:
            event(f"breach {refused}")
        self.bank.assert_sound()


def test_gate_breaches_lost_reached_and_promises_are_what_a_second_reading_says(
    database: Database, settings: Settings, rulebook_published: None, published: Callable[[str], Published],
    tmp_path: Path,
) -> None:  # fmt: skip
    fresh = Fresh(database, settings, published(database.name), tmp_path)
    places = iter(range(10**6))
    try:
        run_state_machine_as_test(
            lambda: AnyDays(fresh(), tmp_path / f"feeds{next(places)}"),  # type: ignore[arg-type]  # it calls it
            settings=examples(5 if database.is_sqlite else 3),
        )
    finally:
        fresh.close()


def examples(number: int) -> Any:
    return settings_of(
        max_examples=number * LONGER, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate] if LONGER == 1 else [Phase.generate, Phase.shrink],
    )  # fmt: skip
