"""Promises to pay: made under limits or agreed elsewhere, judged by the money that came, told to the case."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from casework.intake.feed.agreed import import_promises
from casework.intake.feed.promised import Books, follows
from casework.intake.sheets.taken import FileTaken
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Mistaken, Open, Refused
from casework.lifecycle.listing import every
from casework.operation.sweeping import sweep
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.work.cases.lifecycles import PROMISES
from casework.work.promises import Promise
from tests.contacted import contact_day
from tests.feed.bank import DAY, Bank, arrears, loan, paid
from tests.feed.conftest import BankAfter

TEN = [loan(number) for number in range(1, 11)]
STEADY = [arrears(number) for number in range(1, 11)]
HEADER = "ref,loan_id,made_on,pay_by,amount,staff_no\n"


def at(on: date) -> Any:
    """A clock that stands at noon of a day."""
    return lambda: datetime(on.year, on.month, on.day, 12, tzinfo=ZoneInfo("Asia/Shanghai"))


def day(number: int) -> date:
    return DAY + timedelta(days=number)


def row(ref: str, number: int, made: int, pay: int, amount: str) -> str:
    return f"{ref},L{number},{day(made)},{day(pay)},{amount},S1\n"


def take(bank: Bank, *rows_: str, header: str = HEADER, on: int = 0) -> FileTaken:
    """A file of promises, taken in on a day."""
    content = (header + "".join(rows_)).encode()
    with writing(bank.started.engine) as conn:
        return import_promises(conn, bank.started.branch, content, "p.csv", system("cli"), clock=at(day(on)))


def promises(bank: Bank) -> dict[str, Promise]:
    with reading(bank.started.engine) as conn:
        return {one.ref: one for one in every(conn, PROMISES, live_only=False)}


def told(bank: Bank, number: int) -> list[tuple[str, Any]]:
    """What the case was told of promises: the fact, and how it ended."""
    bodies = bank.bodies(f"case:{bank.case(number).id}")
    return [
        (body["event"].removeprefix("case.fact."), body["data"]["given"].get("outcome"))
        for body in bodies if body["event"].startswith("case.fact.promise")
    ]  # fmt: skip


@pytest.fixture
def promised(bank_after: BankAfter) -> Iterator[Bank]:
    """Ten loans in arrears; the log and the rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.staff("B9", "basic_risk_manager")
    bank.send(DAY, STEADY, loans=TEN)


def test_money_keeps_a_promise_at_once_and_the_case_is_told(promised: Bank) -> None:
    take(promised, row("P1", 1, 0, 3, "500.00"))
    promised.send(day(1), STEADY, repayments=[paid("R1", 1, day(1), "499.99")])
    assert promises(promised)["P1"].state == "open"
    promised.send(day(2), STEADY, repayments=[paid("R2", 1, day(2), "0.01")])
    kept = promises(promised)["P1"]
    assert (kept.state, kept.because, kept.judged_on, kept.received_fen) == ("kept", "payment", day(2), 50_000)
    assert told(promised, 1) == [("promise", None), ("promise_ended", "kept")]


def test_at_the_close_of_grace_some_money_keeps_it_partly_and_none_breaks_it(promised: Bank) -> None:
    take(promised, row("P1", 1, 0, 1, "500.00"), row("P2", 2, 0, 1, "500.00"))
    promised.send(day(1), STEADY, repayments=[paid("R1", 1, day(1), "1.00")])
    assert sweep(promised.started.engine, promised.started.branch, clock=at(day(1))).fired.get("promise.judge") is None
    promised.send(day(2), STEADY)
    assert sweep(promised.started.engine, promised.started.branch, clock=at(day(2))).fired["promise.judge"] == 2
    assert {ref: (one.state, one.judged_on) for ref, one in promises(promised).items()} == {
        "P1": ("partly_kept", day(2)), "P2": ("broken", day(2)),
    }  # fmt: skip
    assert sweep(promised.started.engine, promised.started.branch, clock=at(day(2))).fired.get("promise.judge") is None


def test_a_promise_entered_after_the_feed_that_brought_its_payment_is_kept_the_same_day(promised: Bank) -> None:
    promised.send(day(1), STEADY, repayments=[paid("R1", 1, day(1), "500.00")])
    take(promised, row("P1", 1, 1, 3, "500.00"), on=1)
    assert (promises(promised)["P1"].state, promises(promised)["P1"].judged_on) == ("kept", day(1))


def test_no_yuan_counts_twice_and_the_oldest_promise_comes_first(promised: Bank) -> None:
    take(promised, row("P2", 1, 0, 3, "500.00"), row("P1", 1, 0, 2, "500.00"))
    promised.send(day(1), STEADY, repayments=[paid("R1", 1, day(1), "700.00")])
    found = promises(promised)
    assert (found["P1"].state, found["P2"].state, found["P2"].received_fen) == ("kept", "open", 20_000)


def test_a_reversal_judges_again_and_only_what_that_payment_kept(promised: Bank) -> None:
    take(promised, row("P1", 1, 0, 3, "500.00"), row("P2", 2, 0, 3, "500.00"))
    promised.send(day(1), STEADY, repayments=[paid("R1", 1, day(1), "500.00"), paid("R2", 2, day(1), "500.00")])
    promised.send(day(2), STEADY, repayments=[paid("R3", 1, day(2), "500.00", reverses="R1")])
    found = promises(promised)
    assert (found["P1"].state, found["P1"].because, found["P1"].judged_on) == ("broken", "reversal", day(2))
    assert found["P2"].state == "kept"
    assert told(promised, 1)[-1] == ("promise_ended", "broken")


@pytest.mark.parametrize(
    ("status", "state"), [("", "kept"), ("written_off", "ended"), ("transferred", "ended"), ("closed", "ended")]
)
def test_a_loan_out_of_the_snapshot_kept_its_promise_unless_it_left_the_books(
    promised: Bank, status: str, state: str
) -> None:
    take(promised, row("P1", 1, 0, 3, "500.00"))
    books = [loan(1, status=status), *TEN[1:]] if status else None
    promised.send(day(1), STEADY[1:], loans=books)
    found = promises(promised)["P1"]
    assert (found.state, found.because, found.judged_on) == (state, "left", day(1))


def test_the_same_row_again_changes_nothing_and_another_content_is_set_aside(promised: Bank) -> None:
    first = take(promised, row("P1", 1, 0, 3, "500.00"))
    again = take(promised, row("P1", 1, 0, 3, "500.00"), row("P1", 1, 0, 3, "500.00"))
    other = take(promised, row("P1", 1, 0, 3, "600.00"))
    assert (first.stored, again.repeated, other.set_aside[0].code) == (1, 2, "differs")
    assert promises(promised)["P1"].amount_fen == 50_000


@pytest.mark.parametrize(
    ("line", "column", "kind"),
    [
        ("P1,L99,2024-06-03,2024-06-05,1.00,S1\n", "loan_id", "no_case"),
        (",L1,2024-06-03,2024-06-05,1.00,S1\n", "ref", "missing_value"),
        ("P1,L1,3 June,2024-06-05,1.00,S1\n", "made_on", "malformed_date"),
        ("P1,L1,2024-06-03,2024-06-05,a lot,S1\n", "amount", "malformed_amount"),
        ("P1,L1,2024-06-03,2024-06-05,-1.00,S1\n", "amount", "negative_amount"),
        ("P1,L1,2024-06-03,2024-06-05,0.00,S1\n", "amount", "malformed_amount"),
        ("P1,L1,2024-06-09,2024-06-11,1.00,S1\n", "made_on", "malformed"),
        ("P1,L1,2024-06-03,2024-06-05,1.00,someone\n", "staff_no", "malformed_staff_no"),
        ("P1,L1,2024-06-03,2024-06-02,1.00,S1\n", "pay_by", "before_it_was_made"),
        ("P1,L1,2024-06-03\n", None, "wrong_cell_count"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_column_and_the_others_go_in(
    promised: Bank, line: str, column: str | None, kind: str
) -> None:
    taken = take(promised, line, row("P2", 2, 0, 3, "500.00"))
    assert [(note.line, note.column, note.code) for note in taken.set_aside] == [(2, column, kind)]
    assert (taken.stored, [*promises(promised)]) == (1, ["P2"])


def test_what_the_rules_would_forbid_here_is_a_warning_on_the_row(promised: Bank) -> None:
    rows = (
        row("P1", 1, 0, 3, "9999.00"),
        row("P2", 2, 0, 3, "1.00"),
        row("P3", 3, 0, 14, "1.00"),
        row("P4", 4, 0, 15, "1.00"),
    )
    taken = take(promised, *rows)
    assert {(note.line, note.code) for note in taken.warnings} >= {
        (2, "no_more_than_owed"), (3, "promises_enough"), (2, "debtor_connected_that_day"),
    }  # fmt: skip
    assert [note.line for note in taken.warnings if note.code == "beyond_the_horizon"] == [5]
    assert taken.stored == 4


def test_what_was_set_aside_is_told_in_the_order_of_its_lines(promised: Bank) -> None:
    """Whichever check each failed at."""
    bad = (
        "P1,L1,2024-06-03,2024-06-05,0.00,S1\n", "P2,L1,2024-06-09,2024-06-11,1.00,S1\n",
        "P3,L1,3 June,2024-06-05,1.00,S1\n", "P4,L99,2024-06-03,2024-06-05,1.00,S1\n",
    )  # fmt: skip
    assert [note.line for note in take(promised, *bad).set_aside] == [2, 3, 4, 5]


# ── made here ───────────────────────────────────────────────────────────────────────────────────────────────────────


def call(bank: Bank, number: int, on: date = DAY) -> None:
    fact = contact_day(bank.case(number).id, on, connected=True)
    with writing(bank.started.engine) as conn:
        assert isinstance(advance(conn, [fact], bank.started.branch, clock=at(on))[0], Done)


def make(bank: Bank, who: Actor, number: int, ground: str = "made", on: date = DAY, **data: Any) -> Any:
    given = {"amount_fen": 50_000, "made_on": DAY.isoformat(), "pay_by": day(3).isoformat()} | data
    command = Open(actor=who, noun="promise", of=bank.case(number).id, ground=ground, data=given)
    with writing(bank.started.engine) as conn:
        return advance(conn, [command], bank.started.branch, clock=at(on))[0]


@pytest.mark.parametrize(("made", "pay_by", "done"), [(0, 14, True), (0, 15, False), (10, 24, True), (10, 25, False)])
def test_the_horizon_counts_from_the_day_on_which_it_was_made_however_late_it_is_entered(
    promised: Bank, made: int, pay_by: int, done: bool
) -> None:
    caller = Actor("S1", "staff", "api", frozenset({"post_loan_officer"}), "T1", "R1")
    call(promised, 1)
    promised.send(day(10), STEADY)
    call(promised, 1, day(10))
    days = {"made_on": day(made).isoformat(), "pay_by": day(pay_by).isoformat()}
    outcome = make(promised, caller, 1, on=day(10), **days)
    if done:
        assert isinstance(outcome, Done)
    elif isinstance(outcome, Refused):
        assert [reason.code for reason in outcome.reasons] == ["within_the_horizon"]
        assert str(day(14)) in outcome.reasons[0].zh
    else:
        assert [fault.field for fault in outcome.faults] == ["pay_by"]


@pytest.mark.parametrize(
    ("days_past_due", "least_fen"), [(5, 20_420), (130, 20_420), (160, 17_017), (400, 7_293)],
    ids=["one missed", "five missed", "six missed", "fourteen missed"],
)  # fmt: skip
def test_one_instalment_is_enough_where_it_is_less_than_the_share(
    promised: Bank, days_past_due: int, least_fen: int
) -> None:
    """¥1,021 are overdue, a fifth of which is ¥204.20; the average of those missed stands in for an instalment."""
    caller = Actor("S1", "staff", "api", frozenset({"asset_preservation", "post_loan_officer"}), "T1", "R1")
    promised.send(day(1), [arrears(1, days_past_due, day(1)), *STEADY[1:]])
    call(promised, 1, day(1))
    for amount_fen, made in ((least_fen - 1, False), (least_fen, True)):
        outcome = make(promised, caller, 1, on=day(1), amount_fen=amount_fen, made_on=day(1).isoformat())
        assert isinstance(outcome, Done) == made, outcome


def test_a_promise_made_here_needs_the_debtor_on_the_line_that_day_and_keeps_the_limits(promised: Bank) -> None:
    manager = Actor("S1", "staff", "api", frozenset({"post_loan_officer"}), "T1", "R1")
    refused = make(promised, manager, 1)
    assert isinstance(refused, Refused)
    assert [reason.code for reason in refused.reasons] == ["debtor_connected_that_day"]
    call(promised, 1)
    small = make(promised, manager, 1, amount_fen=1)
    assert isinstance(small, Refused)
    assert [reason.code for reason in small.reasons] == ["promises_enough"]
    late = make(promised, manager, 1, pay_by=day(15).isoformat())
    assert isinstance(late, Mistaken)
    assert [fault.field for fault in late.faults] == ["pay_by"]
    assert [type(make(promised, manager, 1)) for _ in range(4)] == [Done, Done, Done, Refused]
    stranger = Actor("S2", "staff", "api", frozenset({"post_loan_officer"}), "T9", "R9")
    assert make(promised, stranger, 1) == Mistaken("unknown_case", promised.case(1).id)


def test_after_two_broken_in_a_row_the_basic_risk_manager_takes_the_next(promised: Bank) -> None:
    caller = Actor("S1", "staff", "api", frozenset({"post_loan_officer"}), "T1", "R1")
    risk = Actor("B9", "staff", "api", frozenset({"basic_risk_manager"}))
    take(promised, row("P1", 1, 0, 1, "500.00"), row("P2", 1, 0, 1, "400.00"))
    promised.send(day(2), STEADY)
    sweep(promised.started.engine, promised.started.branch, clock=at(day(2)))
    call(promised, 1, day(2))
    on: dict[str, Any] = {"made_on": day(2).isoformat(), "pay_by": day(4).isoformat()}
    refused = make(promised, caller, 1, **on)
    assert isinstance(refused, Refused)
    assert [reason.code for reason in refused.reasons] == ["not_broken_in_a_row"]
    assert isinstance(make(promised, risk, 1, "made_after_broken", **on), Done)


def test_a_promise_is_withdrawn_by_hand_and_pins_its_own_version(promised: Bank) -> None:
    caller = Actor("S1", "staff", "api", frozenset({"post_loan_officer"}), "T1", "R1")
    take(promised, row("P1", 1, 0, 3, "500.00"))
    number = promises(promised)["P1"].id

    def withdraw(version: int, **data: Any) -> Any:
        command = Fire(actor=caller, noun="promise", id=number, event="withdraw", data=data, version=version)
        with writing(promised.started.engine) as conn:
            return advance(conn, [command], promised.started.branch, clock=at(DAY))[0]

    assert withdraw(9, reason="misheard") == Mistaken("stale_version", number, 1)
    assert isinstance(withdraw(1, reason="misheard", remark="打错了"), Done)
    refused = withdraw(2, reason="misheard")
    assert isinstance(refused, Refused)
    assert refused.reasons[0].code == "wrong_state"
    assert told(promised, 1)[-1] == ("promise_ended", "withdrawn")


def test_the_books_are_asked_again_without_effect() -> None:
    """What counted already counts no more, whoever asks."""
    promise = Promise(
        id=1, chart="promise@1", state="kept", state_since=DAY, live=False, version=2, opened_on=DAY,
        opened_for="imported", opened_by="system", parent_id=1, institution="demo", borrower_id="B1", loan_id="L1",
        amount_fen=100, pay_by=DAY, made_on=DAY, ref="P1", counted_fen={"pay:R1": 100}, because="payment",
    )  # fmt: skip
    rows_: list[Any] = [sa.engine.result.SimpleResultMetaData(["x"])][:0]
    assert follows([promise], Books(rows_, True, None, 1), system("feed")) == []
