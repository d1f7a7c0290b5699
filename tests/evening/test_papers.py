"""Disposal forms among the papers of a day (5.2): owed where the strategy says so, shown wherever one stands."""

from typing import Any

import pytest

from casework.evidence.evening.of_day import ledger_of, sheets_of
from casework.evidence.evening.standing import evening_of
from casework.evidence.ledger.line import LedgerLine
from casework.evidence.ledger.sheets import CASES, NOT_DONE
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Open, Record
from casework.operation.sweeping import sweep
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.work.duties.listing import duties_on
from casework.work.four_eyes import requests
from casework.work.tasks.strategies import start
from tests.evening.conftest import RISK, SNAPSHOT, clock, handed
from tests.feed.bank import Bank, loan
from tests.work.test_disposals import A1, FORM
from tests.work.test_promises import day

APPROVER = Actor("AP1", "staff", "cli", frozenset({"approver"}))
REP = Actor("S1", "staff", "cli", frozenset({"business_rep"}), "T1", "R1")


@pytest.fixture
def branch(house: Bank) -> Bank:
    """As of the evening, with asset preservation."""
    house.staff("A1", "asset_preservation")
    return house


def do(bank: Bank, *commands: Any, at: Any) -> list[Any]:
    with writing(bank.started.engine) as conn:
        done = advance(conn, list(commands), bank.started.branch, clock=at)
    assert all(isinstance(one, Done) for one in done), done
    return done


def judicial(bank: Bank, number: int, at: Any) -> None:
    with writing(bank.started.engine) as conn:
        (became,) = start(conn, bank.started.branch, REP, [bank.case(number).id], "judicial", at())
    assert became.refused is None


def drawn_up(bank: Bank, number: int, at: Any) -> int:
    command = Open(actor=REP, noun="disposal", ground="drawn_up", of=bank.case(number).id, data=FORM)
    return int(do(bank, command, at=at)[0].id)


def sued(bank: Bank, number: int, on: int) -> None:
    """The form is accepted and the suit filed, by asset preservation, who works the case from then on."""
    at, case_id = clock(day(on), 16), bank.case(number).id
    form = drawn_up(bank, number, clock(day(on), 15))
    limit = {"ends_on": day(900).isoformat()}
    do(
        bank, Fire(actor=A1, noun="disposal", id=form, event="accept", data={}),
        Record(actor=A1, id=case_id, kind="limitation_check", on=day(on), evidence="doc:1", data=limit),
        Record(actor=A1, id=case_id, kind="acceleration", on=day(on), evidence="doc:2", data={}),
        at=at,
    )  # fmt: skip
    with writing(bank.started.engine) as conn:
        asked = requests.ask(
            conn, bank.started.branch, actor=A1, kind="event", subject=f"case:{case_id}", what="sue",
            data={"claim_fen": 100}, clock=at,
        )  # fmt: skip
        assert isinstance(asked, requests.Asked), asked
        for step, who in ((requests.review, RISK), (requests.approve, APPROVER)):
            moved = step(conn, bank.started.branch, asked.request_id, actor=who, clock=at)
            assert isinstance(moved, requests.Moved), moved


def forms_owed(bank: Bank, on: int = 1) -> dict[str, tuple[str, str]]:
    with reading(bank.started.engine) as conn:
        found = duties_on(conn, bank.started.branch, day(on))
    return {one.loan_id: (one.status, one.owed_by) for one in found if one.duty == "disposal_form"}


def lines(bank: Bank, on: int, who: str) -> dict[str, LedgerLine]:
    with reading(bank.started.engine, snapshot=True) as conn:
        parts = ledger_of(conn, bank.started.branch, day(on), clock=clock(day(on + 1), 9)).parts
    return {one.loan_id: one for one in parts[who].cases} if who in parts else {}


def close(bank: Bank, on: int) -> None:
    sweep(bank.started.engine, bank.started.branch, day(on), clock=clock(day(on), 23))


def test_whoever_goes_to_court_today_owes_the_form_by_five_and_a_missing_one_is_late(branch: Bank) -> None:
    for number in (1, 2, 3):
        judicial(branch, number, clock(day(1), 9))
    drawn_up(branch, 1, clock(day(1), 16, 59))
    drawn_up(branch, 2, clock(day(1), 17, 1))
    assert forms_owed(branch) == {"L1": ("done", "S1"), "L2": ("open", "S1"), "L3": ("open", "S1")}
    close(branch, 1)
    assert forms_owed(branch) == {"L1": ("done", "S1"), "L2": ("late", "S1"), "L3": ("late", "S1")}
    with reading(branch.started.engine, snapshot=True) as conn:
        evening = evening_of(conn, branch.started.branch, day(1), clock=clock(day(1), 23))
        whole = ledger_of(conn, branch.started.branch, day(1), clock=clock(day(1), 23))
        sheets = sheets_of(conn, branch.started.branch, whole, RISK)
    assert dict(evening.duties["disposal_form"]) == {"done": 1, "late": 2}
    names = [one.field for one in NOT_DONE]
    told = [dict(zip(names, row, strict=True)) for row in sheets[2].lines]
    assert [(one["loan_id"], one["status"], one["why"]) for one in told if one["duty"] == "司法处置表"] == [
        ("L2", "逾期未办", "当日时限后填写"), ("L3", "逾期未办", "未填写"),
    ]  # fmt: skip


def test_a_form_that_was_returned_is_owed_until_it_is_corrected_and_the_ledger_says_so(branch: Bank) -> None:
    form = drawn_up(branch, 1, clock(day(1), 9))
    back = Fire(actor=A1, noun="disposal", id=form, event="send_back", data={"reason": "limitation"})
    do(branch, back, at=clock(day(1), 10))
    judicial(branch, 1, clock(day(1), 11))
    assert forms_owed(branch) == {"L1": ("open", "S1")}
    with reading(branch.started.engine, snapshot=True) as conn:
        whole = ledger_of(conn, branch.started.branch, day(1), clock=clock(day(1), 12))
        sheets = sheets_of(conn, branch.started.branch, whole, RISK)
    names = [one.field for one in CASES]
    first = dict(zip(names, next(iter(sheets[0].lines)), strict=True))
    assert first["disposal_on"] == f"{day(1)}退回补正"
    do(branch, Fire(actor=REP, noun="disposal", id=form, event="correct", data={}), at=clock(day(1), 13))
    assert forms_owed(branch) == {"L1": ("done", "S1")}


def test_a_case_in_court_that_owes_nothing_stands_in_the_ledger_with_its_form_whenever_it_is_drawn_up(
    branch: Bank,
) -> None:
    """In that of whoever answers for it, before the close, after it, and as they hand it in; of no other."""
    sued(branch, 1, 1)
    close(branch, 1)
    branch.send(day(2), SNAPSHOT)
    owner = branch.case(1).owner
    assert (branch.case(1).state, forms_owed(branch, 2)) == ("litigation", {})

    def stands() -> tuple[Any, ...]:
        line = lines(branch, 2, owner)["L1"]
        return line.disposal_on, line.disposal, line.due

    assert stands() == (day(1), "accepted", 0)
    assert "L1" not in lines(branch, 2, "P1")
    close(branch, 2)
    assert stands() == (day(1), "accepted", 0)
    books = [loan(1, outstanding_principal="0.00"), loan(2), loan(3)]
    branch.send(day(3), [one for one in SNAPSHOT if one["loan_id"] != "L1"], loans=books, confirm=True)
    assert branch.case(1).state == "settled"
    assert stands() == (day(1), "accepted", 0), "as it stood then"


def test_a_form_of_the_day_is_handed_in_by_whoever_answers_for_the_case_though_nothing_else_was_owed(
    branch: Bank,
) -> None:
    drawn_up(branch, 1, clock(day(1), 16))
    assert lines(branch, 1, "S1")["L1"].disposal == "filed"
    assert handed(branch, REP, clock(day(1), 17), "S1") == ["in time"]
    assert lines(branch, 1, "S1")["L1"].disposal_on == day(1)
