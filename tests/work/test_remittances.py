"""Who has paid is not called: money of the day, or the debtor's word with a proof, until the next snapshot tells."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from casework.intake.feed.past_arrears import past_arrears
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Mistaken, Open, Outcome, Refused
from casework.lifecycle.listing import every
from casework.operation.sweeping import sweep
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.work.cases.lifecycles import REMITTANCES
from casework.work.duties.tables import duties
from casework.work.gate.found import found
from casework.work.remittances import Remittance
from tests.feed.bank import DAY, Bank, arrears, contact, loan, paid, somebody
from tests.feed.conftest import BankAfter
from tests.feed.test_daytime import take
from tests.work.gate.desk import Desk
from tests.work.test_promises import at as clock_at
from tests.work.test_promises import day, promises, row
from tests.work.test_promises import take as take_promises

ZONE = ZoneInfo("Asia/Shanghai")
OWED = "1021.00"


def at(time: str, days: int = 1) -> datetime:
    return datetime.fromisoformat(f"{DAY + timedelta(days=days)}T{time}").replace(tzinfo=ZONE)


@pytest.fixture
def desk(bank_after: BankAfter) -> Iterator[Desk]:
    """Two debtors, the first with two loans; the log and the rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield Desk(bank, somebody("B9", "basic_risk_manager"))
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    books = [loan(1), loan(2), loan(3, borrower_id="B1")]
    bank.send(DAY, [arrears(number) for number in (1, 2, 3)], loans=books, contacts=[contact(1), contact(2)])
    bank.staff("B9", "basic_risk_manager")


def do(desk: Desk, *commands: Open | Fire) -> list[Outcome]:
    with writing(desk.bank.started.engine) as conn:
        return advance(conn, list(commands), desk.bank.started.branch, clock=clock_at(day(1)))


def said(desk: Desk, number: int = 1, **changes: Any) -> Open:
    data = {"said_at": at("10:00").isoformat(), "paid_on": day(1).isoformat(), "proof": "slip:2024-77"} | changes
    return Open(actor=desk.actor, noun="remittance", ground="said", of=desk.bank.case(number).id, data=data)


def remittances(desk: Desk) -> list[Remittance]:
    with reading(desk.bank.started.engine) as conn:
        return every(conn, REMITTANCES, live_only=False)


def ended(desk: Desk) -> list[tuple[str, str | None]]:
    return [(one.state, one.because) for one in remittances(desk)]


def test_money_that_covers_what_is_overdue_stops_demand_on_the_loan_until_the_snapshot_tells(desk: Desk) -> None:
    take(desk.bank, f"R1,L1,{day(1)},1020.99,")
    assert desk.rules(at("13:00")) == []
    take(desk.bank, f"R2,L1,{day(1)},0.01,")
    (reason,) = desk.ask(at("13:00")).reasons
    assert (reason.rule, reason.allowed_from) == ("paid", at("08:00", 2))
    assert desk.rules(at("13:00"), purpose="care") == []
    assert desk.rules(at("13:00"), loan=2) == []
    assert desk.rules(at("13:00"), loan=3, contact_id=desk.ways()[0]) == [], "their other loan is still owed"
    desk.bank.send(day(1), [arrears(number) for number in (1, 2, 3)])
    assert desk.rules(at("20:00")) == ["paid"], "to the end of the day"
    assert desk.rules(at("09:00", 2)) == []
    assert ended(desk) == [("confirmed", "snapshot")]


def test_a_reversal_of_the_day_lets_demand_begin_again_the_day_after(desk: Desk) -> None:
    take(desk.bank, f"R1,L1,{day(1)},{OWED},")
    take(desk.bank, f"R2,L1,{day(1)},{OWED},R1")
    assert ended(desk) == [("lapsed", "reversal")]
    assert desk.rules(at("09:00", 2)) == []


def test_the_snapshot_of_the_day_before_tells_nothing_of_what_was_paid_today(desk: Desk) -> None:
    desk.bank.send(day(1), [arrears(number) for number in (1, 2, 3)])
    take(desk.bank, f"R1,L1,{day(2)},{OWED},", on=2)
    desk.bank.send(day(1), [arrears(number, 6) for number in (1, 2, 3)], correction=True)
    assert desk.rules(at("13:00", 2)) == ["paid"]


@pytest.mark.parametrize(
    ("payments", "overdue", "state"),
    [
        ([paid("R1", 1, day(1), "1.00")], (1, 2, 3), "confirmed"),
        ([paid("R1", 1, day(0), "1.00")], (1, 2, 3), "lapsed"),
        ([], (2, 3), "confirmed"),
        ([], (1, 2, 3), "lapsed"),
    ],
)
def test_the_debtors_word_is_confirmed_by_the_payment_or_by_leaving_the_arrears_and_lapses_otherwise(
    desk: Desk, payments: list[Any], overdue: tuple[int, ...], state: str
) -> None:
    assert isinstance(do(desk, said(desk))[0], Done)
    assert desk.rules(at("09:59")) == []
    assert desk.rules(at("10:00")) == ["paid"]
    desk.bank.send(day(1), [arrears(number) for number in overdue], repayments=payments)
    assert ended(desk) == [(state, "snapshot")]


def test_without_a_snapshot_the_debtors_word_lapses_after_the_policys_days(desk: Desk) -> None:
    do(desk, said(desk))
    engine, branch = desk.bank.started.engine, desk.bank.started.branch
    fired = [
        sweep(engine, branch, day(number), clock=clock_at(day(number))).fired.get("remittance.expire", 0)
        for number in (3, 4)
    ]
    assert fired == [0, 1]
    assert ended(desk) == [("lapsed", "days_over")]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"paid_on": day(1).isoformat(), "said_at": at("10:00", 0).isoformat()}, "paid_before_said"),
        ({"paid_on": day(2).isoformat()}, "paid_on: malformed"),
        ({"said_at": at("10:00", 2).isoformat()}, "said_at: malformed"),
        ({"proof": "?"}, "proof: malformed"),
        ({"proof": None}, "proof: missing"),
        ({"proof_sha256": "sha256:0"}, "proof_sha256: malformed"),
        ({"amount_fen": 0}, "amount_fen: out_of_range"),
    ],
)
def test_a_word_without_a_proof_or_of_tomorrow_is_none(desk: Desk, changes: dict[str, Any], code: str) -> None:
    outcome = do(desk, said(desk, **changes))[0]
    assert isinstance(outcome, Refused | Mistaken)
    told = (
        [reason.code for reason in outcome.reasons] if isinstance(outcome, Refused)
        else [f"{fault.field}: {fault.code}" for fault in outcome.faults]
    )  # fmt: skip
    assert told == [code]


def test_a_false_proof_is_withdrawn_by_the_basic_risk_post_alone(desk: Desk) -> None:
    caller = desk.bank.staff("S7", "post_loan_officer")
    (opened,) = do(desk, said(desk))
    assert isinstance(opened, Done)

    def withdraw(actor: Actor) -> Outcome:
        fire = Fire(actor=actor, id=opened.id, event="withdraw", noun="remittance", data={"reason": "proof_false"})
        return do(desk, fire)[0]

    assert not isinstance(withdraw(caller), Done)
    assert isinstance(withdraw(desk.actor), Done)
    assert ended(desk) == [("lapsed", "withdrawn")]


def test_a_call_after_the_money_came_is_a_breach_and_one_before_it_is_none(desk: Desk) -> None:
    do(desk, said(desk))
    desk.record(at("09:00"))
    desk.record(at("11:00"))
    desk.record(at("11:05"), purpose="care")
    with reading(desk.bank.started.engine) as conn:
        broken = list(found(conn, desk.bank.started.branch, past_arrears))
    assert [(one.contact.contact_ref, one.rules) for one in broken] == [("c00002", ("paid",))]


def test_a_day_on_which_the_gate_forbade_demand_from_midnight_on_owes_no_dialling(desk: Desk) -> None:
    """The day on which the debtor said so is owed as before: the gate forbade it for a part of it only (day.md §6)."""
    do(desk, said(desk))
    engine, branch = desk.bank.started.engine, desk.bank.started.branch
    for number in (1, 2):
        sweep(engine, branch, day(number), clock=clock_at(day(number)))
    with reading(engine) as conn:
        taken = conn.execute(duties.select().where(duties.c.duty == "dial").order_by(duties.c.day, duties.c.loan_id))
        found_ = [(row.day, row.loan_id, row.status, row.exempt_by) for row in taken]
    assert found_ == [
        (on, f"L{number}", *(("exempt", "paid") if (number, on) == (1, day(2)) else ("late", None)))
        for on in (day(1), day(2)) for number in (1, 2, 3)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("comes", "state"), [("500.00", "kept"), ("1.00", "partly_kept"), (None, "broken")], ids=["all", "some", "nothing"]
)
def test_a_promise_is_not_judged_while_a_word_with_a_proof_is_awaited_and_then_by_what_came_in_time(
    desk: Desk, comes: str | None, state: str
) -> None:
    """The other loan's promise is judged on its day: nobody says that it is paid. No word keeps a promise."""
    bank = desk.bank
    take_promises(bank, row("P1", 1, 0, 0, "500.00"), row("P2", 2, 0, 0, "500.00"))
    owing = [arrears(number) for number in (1, 2, 3)]
    bank.send(day(1), owing)
    assert isinstance(do(desk, said(desk))[0], Done)
    sweep(bank.started.engine, bank.started.branch, clock=clock_at(day(1)))
    assert {ref: one.state for ref, one in promises(bank).items()} == {"P1": "open", "P2": "broken"}
    came = [] if comes is None else [paid("R1", 1, day(1), comes)]
    bank.send(day(2), owing, repayments=came)
    sweep(bank.started.engine, bank.started.branch, clock=clock_at(day(2)))
    promise = promises(bank)["P1"]
    assert (promise.state, promise.judged_on) == (state, day(2))
