"""Consents to be contacted at night: recorded with their evidence, withdrawn, over; the gate asks for them."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Mistaken, Open, Outcome, Refused
from casework.operation.sweeping import sweep
from casework.storage.database import writing
from tests.feed.bank import DAY, Bank, arrears, contact, loan, somebody
from tests.feed.conftest import BankAfter
from tests.work.gate.desk import Desk
from tests.work.test_promises import at as clock_at
from tests.work.test_promises import day

ZONE = ZoneInfo("Asia/Shanghai")


def at(time: str, days: int = 0) -> datetime:
    return datetime.fromisoformat(f"{DAY + timedelta(days=days)}T{time}").replace(tzinfo=ZONE)


@pytest.fixture
def desk(bank_after: BankAfter) -> Iterator[Desk]:
    """Two debtors; the log and the rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield Desk(bank, somebody("B9", "basic_risk_manager"))
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.send(DAY, [arrears(1), arrears(2)], loans=[loan(1), loan(2)], contacts=[contact(1), contact(2)])
    bank.staff("B9", "basic_risk_manager")


def do(desk: Desk, *commands: Open | Fire) -> list[Outcome]:
    branch = desk.bank.started.branch
    with writing(desk.bank.started.engine) as conn:
        return advance(conn, list(commands), branch, clock=clock_at(day(0)))


def given(desk: Desk, **changes: Any) -> Open:
    data = {
        "loan_id": "L1", "from_hour": 22, "until_hour": 23, "begins_at": at("00:00").isoformat(),
        "ends_at": at("00:00", 3).isoformat(), "evidence": "rec:2024-0001",
    } | changes  # fmt: skip
    return Open(actor=desk.actor, noun="consent", ground="given", data=data)


def test_a_debtor_who_agreed_may_be_called_in_the_hours_of_the_consent_until_it_ends(desk: Desk) -> None:
    assert desk.rules(at("22:30")) == ["X1"]
    assert isinstance(do(desk, given(desk))[0], Done)
    assert desk.rules(at("22:30")) == []
    assert desk.rules(at("23:30")) == ["X1"], "another hour"
    assert desk.rules(at("22:30", 3)) == ["X1"], "over"
    assert desk.rules(at("22:30"), loan=2) == ["X1"], "another debtor"


def test_a_consent_is_withdrawn_from_when_the_debtor_said_so(desk: Desk) -> None:
    (opened,) = do(desk, given(desk))
    assert isinstance(opened, Done)
    withdrawn = {"withdrawn_at": at("22:45").isoformat()}
    done = do(desk, Fire(actor=desk.actor, id=opened.id, event="withdraw", noun="consent", data=withdrawn))[0]
    assert isinstance(done, Done)
    assert desk.rules(at("22:44")) == []
    assert desk.rules(at("22:45")) == ["X1"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"from_hour": 22, "until_hour": 22}, "hours_of_a_day"), ({"from_hour": 25}, "hours_of_a_day"),
        ({"from_hour": 0, "until_hour": 24}, "hours_of_a_day"),
        ({"ends_at": at("00:00").isoformat()}, "ends_after_it_begins"),
        ({"evidence": "?"}, "faulty_data"), ({"loan_id": "L99"}, "unknown_loan"),
    ],
)  # fmt: skip
def test_a_consent_without_hours_end_or_evidence_is_none(desk: Desk, changes: dict[str, Any], code: str) -> None:
    outcome = do(desk, given(desk, **changes))[0]
    assert isinstance(outcome, Refused | Mistaken)
    said = [reason.code for reason in outcome.reasons] if isinstance(outcome, Refused) else [outcome.code]
    assert said == [code]


def test_the_sweep_ends_a_consent_the_day_after_its_last(desk: Desk) -> None:
    do(desk, given(desk))
    bank = desk.bank
    bank.send(day(3), [arrears(1), arrears(2)])
    assert sweep(bank.started.engine, bank.started.branch, clock=clock_at(day(3))).fired["consent.expire"] == 1
