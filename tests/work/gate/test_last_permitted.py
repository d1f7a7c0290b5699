"""64 callers at once want the last permitted call: one of them gets it, in every round."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from zoneinfo import ZoneInfo

import pytest

from casework.storage.database import writing
from casework.work.gate.asking import Wanted
from tests.conftest import LONGER
from tests.feed.bank import DAY, Bank, arrears, contact, loan
from tests.work.gate.desk import Desk, decide

CALLERS = 64
ROUNDS = 1_000 if LONGER > 1 else 6
NOON = datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture
def desk(bank: Bank) -> Desk:
    """Two debtors who share a number."""
    bank.send(
        DAY, [arrears(1), arrears(2)], loans=[loan(1), loan(2)],
        contacts=[contact(1), contact(2), contact(2, phone="12000000001")],
    )  # fmt: skip
    return Desk(bank, bank.staff("S1", "basic_risk_manager"))


def test_of_64_callers_for_the_last_permitted_call_one_gets_it(desk: Desk) -> None:
    """In turns the last connected call to a debtor, and the last unanswered one to a number that two debtors share."""
    started = desk.bank.started
    shared = desk.ways("B1")[0], desk.ways("B2")[1]
    cases = [desk.bank.case(number).id for number in (1, 2)]
    together = Barrier(CALLERS)

    def call(caller: int, at: datetime, by_number: bool) -> bool:
        whose = caller % 2 if by_number else 0
        wanted = Wanted(case_id=cases[whose], party="debtor", channel="call", contact_id=shared[whose])
        together.wait()
        with writing(started.engine) as conn:
            return decide(conn, started.branch, desk.actor, wanted, at).allowed

    with ThreadPoolExecutor(CALLERS) as callers:
        for turn in range(ROUNDS):
            at, by_number = NOON + timedelta(days=turn), turn % 2 == 1
            for minute in range(5 if by_number else 2):
                desk.record(at - timedelta(minutes=minute + 1), "no_answer" if by_number else "debtor")
            allowed = list(callers.map(lambda one, at=at, how=by_number: call(one, at, how), range(CALLERS)))
            assert sum(allowed) == 1, (turn, by_number)
