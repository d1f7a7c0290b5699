"""Contacts, permits, holds, consents, late rows, corrections in any order: gate and breaches say what a model says."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casework.errors import CallerError
from casework.intake.feed.past_arrears import past_arrears
from casework.storage.database import reading, writing
from casework.work.cases.holds import HOLDS
from casework.work.cases.lifecycles import CONSENTS
from casework.work.contacts.tables import CONTACTS, contact_log, contact_of
from casework.work.gate.found import found, judged
from casework.work.gate.tables import contact_permits
from tests.conftest import LONGER
from tests.feed.bank import DAY, INSTITUTION, Bank, arrears, contact, loan
from tests.work.gate.desk import Desk
from tests.work.gate.model import Reserved, Row, World

ZONE = ZoneInfo("Asia/Shanghai")
DAYS = 4
OWN, SECOND, OTHERS, STRANGER = "12000000001", "12000000011", "12000000002", "12000000099"
NUMBERS = (OWN, SECOND, OTHERS, STRANGER)
LOANS = {"L1": "B1", "L2": "B2", "L3": "B1"}
START = datetime.combine(DAY + timedelta(days=DAYS - 1), datetime.min.time(), ZONE) + timedelta(hours=9)

loans = st.sampled_from(list(LOANS))
parties = st.sampled_from(["debtor", "debtor", "debtor", "contact", "contact", "guarantor"])
numbers = st.sampled_from([*NUMBERS, OWN, OTHERS])
results = st.sampled_from(
    ["no_answer"] * 4 + ["debtor"] * 4 + ["busy", "third_party", "wrong_number", "invalid_number", "contact_refused"]
)
channels = st.sampled_from(["call", "call", "call", "ai_voice", "message", "inbound"])
minutes = st.integers(0, 180)
hours_of_day = st.tuples(st.integers(0, 23), st.integers(0, 24)).filter(lambda hours: hours[0] != hours[1])
acts = st.tuples(loans, parties, channels, numbers)
STEPS = st.one_of(
    st.tuples(st.just("record"), acts, results, minutes),
    st.tuples(st.just("late"), acts, results, st.integers(0, 60 * 24 * 5)),
    st.tuples(st.just("burst"), acts, results, st.integers(2, 6)),
    st.tuples(st.just("ask"), acts, st.none(), st.none()),
    st.tuples(st.just("settle"), st.integers(0, 9), results, st.none()),
    st.tuples(st.just("dial"), st.integers(0, 9), st.none(), st.none()),
    st.tuples(st.just("correct"), st.integers(0, 30), results, st.none()),
    st.tuples(
        st.just("hold"), loans, st.sampled_from(["complaint", "dispute", "death", "death", "hardship", "legal"]),
        st.tuples(st.integers(-72, 2), st.sampled_from([None, 6, 24, 48])),
    ),
    st.tuples(
        st.just("consent"), loans, hours_of_day,
        st.tuples(st.integers(-72, 2), st.sampled_from([3, 24, 72])),
    ),
    st.tuples(st.just("wait"), st.sampled_from([1, 4, 6, 61, 240, 720, 1440]), st.none(), st.none()),
)  # fmt: skip


@pytest.fixture
def desk(bank: Bank) -> Desk:
    """Two debtors over three loans, one a contact person of the other by the number that is his own; four snapshots."""
    books = [loan(1), loan(2), loan(3, borrower_id="B1")]
    friend = contact(1, role="contact", phone=OTHERS, person_name="友人", address="")
    ways = [contact(1), contact(1, phone=SECOND), contact(2), friend]
    for number in range(DAYS):
        day = DAY + timedelta(days=number)
        due = [arrears(1, 3 + number, on=day), arrears(2, 4 + number, on=day)]
        bank.send(day, due, **({"loans": books, "contacts": ways} if number == 0 else {}))  # type: ignore[arg-type]  # rows
    return Desk(bank, bank.staff("B9", "basic_risk_manager"))


def clear(bank: Bank) -> None:
    """Examples share a branch: rows go without their entries, so what is asked of it here is the gate alone."""
    with writing(bank.started.engine) as conn:
        for table in (contact_log, contact_permits, HOLDS.table, CONSENTS.table):
            conn.execute(table.delete())


class Both:
    """The branch and the model, told the same."""

    def __init__(self, desk: Desk) -> None:
        clear(desk.bank)
        desk.recorded = 0
        self.desk, self.now = desk, START
        snapshots = {
            (DAY + timedelta(days=number)).isoformat(): {"B1": 3 + number, "B2": 4 + number} for number in range(DAYS)
        }
        self.world = World({"B1": [OWN, SECOND], "B2": [OTHERS]}, {"B1": [OTHERS], "B2": []}, snapshots)
        self.ids: list[int] = []

    def row(self, act: tuple[str, str, str, str], at: datetime) -> Row:
        loan_id, party, channel, number = act
        purpose = "locate" if party == "contact" else "demand"
        return Row("", LOANS[loan_id], loan_id, party, channel, number, at, purpose=purpose)

    def record(self, act: tuple[str, str, str, str], result: str, at: datetime, permit: int | None = None) -> None:
        row = self.row(act, at)
        row.result = {"message": "sent", "inbound": "debtor"}.get(row.channel, result)
        done = self.desk.record(
            at, row.result, phone=row.number, party=row.party, channel=row.channel, purpose=row.purpose,
            loan_id=row.loan, borrower_id=row.debtor, known_at=self.now, permit_id=permit,
        )  # fmt: skip
        row.ref, row.permitted = done.contact_ref, permit is not None
        self.world.rows.append(row)

    def ask(self, act: tuple[str, str, str, str]) -> None:
        row = self.row(act, self.now)
        if row.channel == "inbound":
            return
        if row.loan == "L3":  # no case: nothing can be asked for it
            return
        wanted: dict[str, Any] = {
            "party": row.party,
            "channel": row.channel,
            "phone": row.number,
            "purpose": row.purpose,
        }
        answer = self.desk.ask(self.now, loan=int(row.loan[1:]), **wanted)
        said = sorted(one.rule for one in answer.reasons)
        assert said == self.world.rules(row, asking=True), (self.now, row)
        if answer.permit_id is not None:
            self.ids.append(answer.permit_id)
            self.world.permits.append(Reserved(row, self.now + timedelta(minutes=5)))

    def settle(self, which: int, result: str) -> None:
        if not self.ids:
            return
        which %= len(self.ids)
        permit = self.world.permits[which]
        row = permit.row
        act = (row.loan, row.party, row.channel, row.number)
        if permit.used or permit.until <= self.now:
            with pytest.raises(CallerError) as refused:
                self.record(act, result, row.start, self.ids[which])
            assert refused.value.code == ("permit_used" if permit.used else "permit_expired")
            return
        self.record(act, result, row.start, self.ids[which])
        permit.used = True

    def dial(self, which: int) -> None:
        if not self.ids:
            return
        permit, number = self.world.permits[which % len(self.ids)], self.ids[which % len(self.ids)]
        if permit.used or permit.until <= self.now:
            with pytest.raises(CallerError):
                self.desk.dial(number, self.now)
        else:
            permit.until = permit.until if permit.dialling else self.now + timedelta(hours=1)
            permit.dialling = True
            assert self.desk.dial(number, self.now) == permit.until

    def correct(self, which: int, result: str) -> None:
        called = [row for row in self.world.rows if row.called]
        if not called:
            return
        row = called[which % len(called)]
        row.result = result
        outcome = self.desk.bank.started.branch.rulebook.results.by_code[result].outcome_with(row.party)
        with writing(self.desk.bank.started.engine) as conn:
            of_it = contact_log.c.contact_ref == row.ref
            conn.execute(contact_log.update().where(of_it).values(result=result, outcome=outcome))

    def hold(self, loan_id: str, kind: str, span: tuple[int, int | None]) -> None:
        begins = (self.now + timedelta(hours=span[0])).replace(minute=0, second=0, microsecond=0)
        ends = None if span[1] is None else begins + timedelta(hours=span[1])
        self.world.holds.append((kind, LOANS[loan_id], loan_id, begins, ends))
        with writing(self.desk.bank.started.engine) as conn:
            conn.execute(
                HOLDS.table.insert().values(
                    chart="hold@1", state="in_force", state_since=DAY, live=True, version=1, opened_on=DAY,
                    opened_for="set", opened_by="B9", institution=INSTITUTION, borrower_id=LOANS[loan_id],
                    loan_id=loan_id, hold=kind, begins_at=begins.astimezone(UTC),
                    ends_at=ends and ends.astimezone(UTC),
                )
            )  # fmt: skip

    def consent(self, loan_id: str, hours: tuple[int, int], span: tuple[int, int]) -> None:
        begins = (self.now + timedelta(hours=span[0])).replace(minute=0, second=0, microsecond=0)
        ends = begins + timedelta(hours=span[1])
        self.world.consents.append((LOANS[loan_id], begins, ends, *hours))
        with writing(self.desk.bank.started.engine) as conn:
            conn.execute(
                CONSENTS.table.insert().values(
                    chart="consent@1", state="in_force", state_since=DAY, live=True, version=1, opened_on=DAY,
                    opened_for="given", opened_by="B9", institution=INSTITUTION, borrower_id=LOANS[loan_id],
                    loan_id=loan_id, from_hour=hours[0], until_hour=hours[1], begins_at=begins.astimezone(UTC),
                    ends_at=ends.astimezone(UTC), evidence="rec:1",
                )
            )  # fmt: skip

    def take(self, step: tuple[str, Any, Any, Any]) -> None:
        what, first, second, third = step
        match what:
            case "record":
                self.record(first, second, self.now - timedelta(minutes=third))
            case "late":
                self.record(first, second, self.now - timedelta(minutes=third))
            case "burst":
                for number in range(third):
                    self.record(first, second, self.now - timedelta(minutes=number))
            case "ask":
                self.ask(first)
            case "settle":
                self.settle(first, second)
            case "dial":
                self.dial(first)
            case "correct":
                self.correct(first, second)
            case "hold":
                self.hold(first, second, third)
            case "consent":
                self.consent(first, second, third)
            case _:
                self.now += timedelta(minutes=first)

    def compare(self) -> None:
        bank = self.desk.bank
        with reading(bank.started.engine) as conn:
            stored = conn.execute(sa.select(sa.func.count()).select_from(contact_log)).scalar_one()
            listed = {
                one.contact.contact_ref: list(one.rules) for one in found(conn, bank.started.branch, past_arrears)
            }
            whole = judged(conn, bank.started.branch, past_arrears, [contact_of(row) for row in conn.execute(CONTACTS)])
            assert {one.contact.contact_ref: list(one.rules) for one in whole} == listed
            last = (START + timedelta(days=20)).date()
            of_one_day = {
                one.contact.contact_ref: list(one.rules)
                for one in found(conn, bank.started.branch, past_arrears, START.date(), last)
            }
        assert stored == len(self.world.rows)
        expected = self.world.breaches()
        assert listed == expected
        started = {row.ref: row.start.astimezone(ZONE).date() for row in self.world.rows}
        assert of_one_day == {ref: rules for ref, rules in expected.items() if started[ref] >= START.date()}


@given(st.lists(STEPS, max_size=40))
@settings(max_examples=25 * LONGER, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_gate_and_breaches_say_what_a_second_reading_of_the_rules_says(
    desk: Desk, steps: list[tuple[str, Any, Any, Any]]
) -> None:
    both = Both(desk)
    for step in steps:
        both.take(step)
    both.compare()
