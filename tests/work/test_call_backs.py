"""Call-backs by the minute: asked for, kept by a contact at or after it, missed at the close of the day, withdrawn."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Mistaken, Open, Outcome, Refused
from casework.lifecycle.listing import every
from casework.operation.sweeping import sweep
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.work.call_backs import CallBack
from casework.work.cases.call_backs_due import call_backs_due
from casework.work.cases.lifecycles import CALL_BACKS
from tests.dialler.called import call, moment, take
from tests.feed.bank import DAY, Bank, arrears, contact, loan
from tests.feed.conftest import BankAfter
from tests.work.test_promises import at, day

BOOKS = [loan(1), loan(2), loan(3, borrower_id="B1")]


@pytest.fixture
def asked(bank_after: BankAfter) -> Iterator[Bank]:
    """Two debtors, the first with two loans; the log and the rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.staff("C1", "phone_collector")
    bank.send(DAY, [arrears(number) for number in (1, 2, 3)], loans=BOOKS)


CALLER = Actor("C1", "staff", "cli", frozenset({"phone_collector"}), team="T1", region="R1")


def do(bank: Bank, *commands: Open | Fire, on: int = 0) -> list[Outcome]:
    with writing(bank.started.engine) as conn:
        return advance(conn, list(commands), bank.started.branch, clock=at(day(on)))


def at_minute(bank: Bank, clock: str, number: int = 1, on: int = 0, **more: Any) -> Open:
    data = {"due_at": moment(on, f"{clock}:00").isoformat(), "party": "debtor"} | more
    return Open(actor=CALLER, noun="callback", ground="asked", of=bank.case(number).id, data=data)


def call_backs(bank: Bank) -> list[CallBack]:
    with reading(bank.started.engine) as conn:
        return every(conn, CALL_BACKS, live_only=False)


def states(bank: Bank) -> list[str]:
    return [one.state for one in call_backs(bank)]


def close(bank: Bank, on: int) -> dict[str, int]:
    swept = sweep(bank.started.engine, bank.started.branch, day(on), clock=lambda: moment(20, "12:00:00"))
    return {name: count for name, count in swept.fired.items() if name.startswith("callback")}


def test_a_call_back_waits_for_its_minute_and_a_contact_at_it_makes_it_done(asked: Bank) -> None:
    (done,) = do(asked, at_minute(asked, "15:30", phone="12000000009", remark="下班后"))
    assert isinstance(done, Done)
    (one,) = call_backs(asked)
    assert (one.state, one.due_at, one.call_on, one.party, one.asked_by, one.loan_id) == (
        "open", moment(0, "15:30:00"), day(0), "debtor", "debtor", "L1",
    )  # fmt: skip
    take(asked, call("c1", 1, 0, "15:29:59"), call("c2", 1, 0, "15:40:00", channel="message", result="sent"))
    assert states(asked) == ["open"]
    take(asked, call("c3", 3, 0, "15:50:00"), call("c4", 1, 0, "15:30:00", result="busy"))
    (one,) = call_backs(asked)
    assert (one.state, one.called_at) == ("done", moment(0, "15:30:00")), "the first at or after the minute"
    assert (one.contact, one.due_on) == ("contact:4", None), "whichever of the debtor's loans it was made for"
    assert close(asked, 0) == {}


def test_a_day_that_closes_without_the_contact_has_missed_it_and_what_comes_later_undoes_nothing(asked: Bank) -> None:
    do(asked, at_minute(asked, "15:30"), at_minute(asked, "09:00", on=1), at_minute(asked, "10:00", 2))
    take(asked, call("c1", 1, 0, "15:00:00"), call("c2", 2, 0, "10:00:00", party="contact", result="third_party"))
    assert close(asked, 0) == {"callback.miss": 2}
    assert states(asked) == ["missed", "open", "missed"]
    take(asked, call("c3", 1, 0, "15:31:00"), call("c4", 1, 1, "09:00:01"))
    assert states(asked) == ["missed", "done", "missed"]
    assert close(asked, 1) == {}


def test_who_answers_is_who_it_was_for_and_an_inbound_call_of_the_debtor_keeps_it(asked: Bank) -> None:
    do(asked, at_minute(asked, "10:00"), at_minute(asked, "10:00", 2, party="guarantor", asked_by="debtor"))
    take(asked, call("c1", 1, 0, "11:00:00", channel="inbound", result="debtor"), call("c2", 2, 0, "11:00:00"))
    assert states(asked) == ["done", "open"]
    take(asked, call("c3", 2, 0, "12:00:00", party="guarantor"))
    assert states(asked) == ["done", "done"]


def test_it_is_withdrawn_with_a_reason_and_never_by_hand_done(asked: Bank) -> None:
    do(asked, at_minute(asked, "10:00"))
    data = {"contact": "contact:1", "called_at": moment(0, "10:00:00").isoformat()}
    (refused,) = do(asked, Fire(actor=CALLER, noun="callback", id=1, event="done", data=data))
    assert isinstance(refused, Refused)
    (early,) = do(asked, Fire(actor=system("sweep"), noun="callback", id=1, event="miss", dated=DAY))
    assert isinstance(early, Done), "its day is the business date"
    do(asked, at_minute(asked, "10:00", on=1))
    (early,) = do(asked, Fire(actor=system("sweep"), noun="callback", id=2, event="miss"))
    assert isinstance(early, Refused)
    (done,) = do(asked, Fire(actor=CALLER, noun="callback", id=2, event="withdraw", data={"reason": "agreed_anew"}))
    assert (isinstance(done, Done), states(asked)) == (True, ["missed", "withdrawn"])


# (what is wrong, the data)
BAD: list[tuple[str, dict[str, Any]]] = [
    ("of yesterday", {"due_at": moment(-1, "10:00:00").isoformat()}),
    ("beyond the month", {"due_at": moment(60, "10:00:00").isoformat()}),
    ("at no minute", {"due_at": f"{DAY}"}), ("without its offset", {"due_at": f"{DAY}T10:00:00"}),
    ("for nobody known", {"party": "neighbour"}), ("on no number", {"contact_id": -1}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "data"), BAD, ids=[one[0] for one in BAD])
def test_a_bad_one_names_the_field_and_leaves_nothing(asked: Bank, what: str, data: dict[str, Any]) -> None:
    (mistaken,) = do(asked, at_minute(asked, "10:00", **data))
    assert isinstance(mistaken, Mistaken), what
    assert [fault.field for fault in mistaken.faults] == list(data)
    assert call_backs(asked) == []


def test_a_number_that_is_not_in_their_book_is_none_to_call_back_on(asked: Bank) -> None:
    asked.send(day(1), [arrears(number) for number in (1, 2, 3)], loans=BOOKS, contacts=[contact(1), contact(2)])
    named: list[dict[str, Any]] = [{"contact_id": 1}, {"contact_id": 2}, {"contact_id": 9},
                                   {"contact_id": 1, "party": "contact"}]  # fmt: skip
    outcomes = do(asked, *(at_minute(asked, "10:00", on=1, **one) for one in named), on=1)
    told = [[one.code for one in done.reasons] if isinstance(done, Refused) else [] for done in outcomes]
    assert told == [[], *[["in_their_book"]] * 3]


def test_they_are_found_by_their_minute_for_whoever_handles_the_case_now(asked: Bank) -> None:
    do(asked, at_minute(asked, "16:00"), at_minute(asked, "10:00", 3), at_minute(asked, "12:00", 2),
       at_minute(asked, "09:00", on=1))  # fmt: skip
    handler = asked.case(1).handler

    def due(until: datetime) -> list[tuple[int, str]]:
        with reading(asked.started.engine) as conn:
            return [(one.id, one.handler) for one in call_backs_due(conn, until)]

    assert due(moment(0, "16:00:00")) == [(2, handler), (3, handler), (1, handler)]
    assert due(moment(0, "15:59:00")) == [(2, handler), (3, handler)]
    assert due(moment(1, "09:00:00")) == [(number, handler) for number in (2, 3, 1, 4)]
