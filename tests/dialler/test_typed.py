"""Contacts that people type, beside contact files: the same references, checks and consequences."""

from collections.abc import Iterator

import pytest

from casework.intake.dialler.recording import Recorded
from casework.intake.dialler.typed import Told, record_typed
from casework.operation.sweeping import sweep
from casework.people.staff.actor import Actor, system
from casework.storage.database import writing
from tests.dialler.called import call, case_of, logged, moment, take
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter
from tests.work.test_promises import at, day


@pytest.fixture
def called(bank_after: BankAfter) -> Iterator[Bank]:
    """Two cases of one debtor from DPD 4 on; the log and the rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.send(DAY, [arrears(1, 4), arrears(2, 4)], loans=[loan(1), loan(2, borrower_id="B1")])


def type_in(bank: Bank, *rows: dict[str, str], actor: Actor | None = None, on: int = 20) -> list[Told]:
    """Rows, typed at noon of a day, by the service itself if nobody is named."""
    with writing(bank.started.engine) as conn:
        return record_typed(
            conn, bank.started.branch, rows, actor or system("cli"), moment(on, "12:00:00"), atomic=False
        )


def became(told: list[Told]) -> list[str]:
    return ["recorded" if isinstance(one.became, Recorded) else one.became.kind for one in told]


def test_what_a_typed_file_brought_is_a_repeat_when_it_is_typed_and_the_other_way_round(called: Bank) -> None:
    first, second = call("c1", note="想谈分期"), call("c2", at="11:00:00")
    assert take(called, first, source="sheet").stored == 1
    assert became(type_in(called, first, second)) == ["repeated", "recorded"]
    taken = take(called, first, second, call("c2", at="11:00:01"), source="sheet")
    assert (taken.stored, taken.repeated, [one.code for one in taken.set_aside]) == (0, 2, ["contact_differs"])
    assert became(type_in(called, first | {"note": ""})) == ["contact_differs"]


def test_a_debtor_who_was_reached_takes_back_every_case_that_was_lost(called: Bank) -> None:
    assert take(called, *[call(f"q{on}-{hour}", 1, on, f"{hour}:00:00") for on in range(5) for hour in (10, 15)]).stored
    swept = sweep(called.started.engine, called.started.branch, day(4), clock=at(day(20)))
    assert swept.fired["mark_lost"] == 2
    (told,) = type_in(called, call("c1", on=6, result="debtor"), on=8)
    assert isinstance(told.became, Recorded)
    assert told.became.contact.late, "typed two days after it"
    assert [case_of(called, number).state for number in (1, 2)] == ["phone_collection"] * 2


def test_somebody_who_sees_a_case_that_is_another_collectors_is_told_that_it_is_not_his(called: Bank) -> None:
    him = called.staff("S9", "business_rep", "customer_service")
    told = type_in(called, call("c1", staff_no=""), actor=him)
    assert became(told) == ["out_of_reach"]
    assert logged(called) == {}
