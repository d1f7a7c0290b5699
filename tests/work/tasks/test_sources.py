"""What each source puts on a morning's lists, on whose, and what takes it off again."""

from collections.abc import Iterator
from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest

from casework.clock import now
from casework.intake.feed.past_arrears import past_arrears
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Open, Record
from casework.people.staff import absence
from casework.people.staff.actor import Actor, system
from casework.storage.database import writing
from casework.work.four_eyes import recording, requests
from casework.work.gate.reviews import review
from casework.work.tasks.own import told
from tests.feed.bank import DAY, Bank, arrears, contact, loan, paid
from tests.feed.conftest import BankAfter
from tests.work import test_visits as visits
from tests.work.gate.desk import Desk
from tests.work.tasks.test_lists import close, listed, morning
from tests.work.test_holds import take as hold
from tests.work.test_promises import at, day
from tests.work.test_promises import row as promise
from tests.work.test_promises import take as promised

BOOKS = [loan(number, outstanding_principal="9000.00") for number in (1, 2)]
SNAPSHOT = [arrears(number, 5, outstanding_principal="9000.00") for number in (1, 2)]
RISK = "B9", "basic_risk_manager"


@pytest.fixture
def house(bank_after: BankAfter) -> Iterator[Bank]:
    """Two cases of the rep S1, ¥9,000 each; the log and the rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.staff("S1", "business_rep")
    bank.staff(*RISK)
    bank.send(DAY, SNAPSHOT, loans=BOOKS, contacts=[contact(1), contact(2)])


def test_an_open_promise_is_told_on_its_day_and_the_day_after_nobody_speaks_of_it(house: Bank) -> None:
    promised(house, promise("P1", 1, 0, 2, "500.00"))
    close(house, 0)
    assert morning(house, 1) == ["L2 dial: due_today"], "the promise exempts from dialling"
    house.send(day(1), SNAPSHOT)
    close(house, 1)
    assert morning(house, 2) == ["L1 promise_due: due_today", "L2 dial: due_today"]


def test_a_broken_promise_stays_for_a_week_until_somebody_calls_or_another_is_made(house: Bank) -> None:
    promised(house, promise("P1", 1, -1, 0, "500.00"), promise("P2", 2, -1, 0, "500.00"))
    for number in (1, 2):
        house.send(day(number), SNAPSHOT)
        close(house, number)
    assert morning(house, 2)[:2] == ["L1 broken_promise: broken_promise", "L2 broken_promise: broken_promise"]
    called = Desk(house, house.staff("P1", "phone_collector"))
    called.record(datetime.combine(day(2), time(10), ZoneInfo("Asia/Shanghai")))
    house.send(day(3), SNAPSHOT)
    close(house, 2)
    assert [one for one in morning(house, 3) if "broken" in one] == ["L2 broken_promise: broken_before"]


def test_a_report_that_was_returned_is_on_the_list_of_whoever_led_the_visit_until_it_is_put_right(
    bank_after: BankAfter,
) -> None:
    bank = bank_after(visits.staffed)
    visits.order(bank)
    visits.visited(bank)
    visits.fire(bank, "report", **visits.REPORT)
    visits.fire(bank, "send_back", visits.B9, reason="incomplete")
    close(bank, 0)
    assert [one for one in morning(bank, 1, "V1", "business_rep") if "report" in one] == [
        "L1 report_returned: due_today"
    ]
    assert [one for one in morning(bank, 1, "P2", "post_loan_officer") if "report" in one] == []
    visits.fire(bank, "report_again", on=1, **visits.REPORT)
    close(bank, 1)
    assert [one for one in morning(bank, 2, "V1", "business_rep") if "report" in one] == []
    bank.assert_sound()


def test_whoever_asked_to_be_called_back_comes_before_what_is_ranked_by_money(house: Bank) -> None:
    rep = Actor("S1", "staff", "api", frozenset({"business_rep"}))
    asked = {"due_at": f"{day(1)}T15:30:00+08:00", "party": "debtor"}
    branch = house.started.branch
    opening = Open(actor=rep, noun="callback", ground="asked", of=house.case(2).id, data=asked)
    with writing(house.started.engine) as conn:
        (opened,) = advance(conn, [opening], branch, clock=at(DAY))
    assert isinstance(opened, Done), opened
    close(house, 0)
    assert morning(house, 1)[:2] == ["L2 call_back: call_back", "L1 dial: due_today"]
    house.send(day(1), SNAPSHOT)
    close(house, 1)
    assert [one for one in morning(house, 2) if "call_back" in one] == [], "missed at the close of its day"


def test_a_promise_that_money_kept_is_on_no_list(house: Bank) -> None:
    promised(house, promise("P1", 1, 0, 1, "500.00"))
    house.send(day(1), SNAPSHOT, repayments=[paid("R1", 1, day(1), "500.00")])
    close(house, 1)
    assert [one for one in morning(house, 2) if "promise" in one] == []


def test_holds_are_to_be_confirmed_reviewed_in_time_and_told_of_on_their_last_day(house: Bank) -> None:
    setter, risk = (
        Actor("S1", "staff", "api", frozenset({"business_rep"})),
        Actor(RISK[0], "staff", "api", frozenset({RISK[1]})),
    )
    set_here = {
        "loan_id": "L1", "hold": "complaint", "begins_at": f"{DAY}T09:00:00+08:00", "review_by": day(1).isoformat(),
        "ends_at": f"{day(3)}T00:00:00+08:00",
    }  # fmt: skip
    branch = house.started.branch
    with writing(house.started.engine) as conn:
        (opened,) = advance(conn, [Open(actor=setter, noun="hold", ground="set", data=set_here)], branch, clock=at(DAY))
    assert isinstance(opened, Done)
    close(house, 0)
    theirs = "B9", "basic_risk_manager"
    assert morning(house, 1, *theirs) == ["L1 hold_confirm: due_today", "L1 hold_review: due_today"]
    with writing(house.started.engine) as conn:
        advance(conn, [Fire(actor=risk, noun="hold", id=opened.id or 0, event="confirm")], branch, clock=at(day(1)))
    assert morning(house, 2, *theirs) == ["L1 hold_review: late"]
    assert "L1 hold_ends: due_today" in morning(house, 2)


def test_a_hold_agreed_elsewhere_needs_no_confirmation(house: Bank) -> None:
    hold(house, f"L1,complaint,{DAY},")
    close(house, 0)
    assert morning(house, 1, "B9", "basic_risk_manager") == []


def test_a_request_waits_for_the_post_that_has_the_next_step_and_not_for_whoever_asked(house: Bank) -> None:
    branch, approver = house.started.branch, house.staff("V1", "approver")
    asker = Actor("B9", "staff", "api", frozenset({"basic_risk_manager"}))
    wrong = Record(
        actor=asker, id=house.case(1).id, kind="opening_error", on=DAY, evidence=f"sha256:{'0' * 64}"
    )  # fmt: skip
    with writing(house.started.engine) as conn:
        advance(conn, [wrong], branch, clock=at(DAY))
        asked = requests.ask(
            conn, branch, actor=asker, kind="event", subject=f"case:{house.case(1).id}", what="cancel",
            data={"reason": "opened_in_error"}, clock=at(DAY),
        )  # fmt: skip
    assert isinstance(asked, recording.Asked), asked
    close(house, 0)
    assert morning(house, 1, approver.id, "approver") == ["L1 request: expected"]
    assert morning(house, 1, "B9", "basic_risk_manager", "approver") == []


def test_a_contact_against_the_gate_waits_for_its_review_until_somebody_has_reviewed_it(house: Bank) -> None:
    caller = Desk(house, house.staff("P1", "phone_collector"))
    night = caller.record(datetime.combine(DAY, time(22, 5), ZoneInfo("Asia/Shanghai")), recording=True)
    close(house, 0)
    assert morning(house, 1, "B9", "basic_risk_manager") == ["L1 breach_review: due_today"]
    (task,) = listed(house, 1, "B9", "basic_risk_manager")
    assert (task.ref, task.due_on) == (f"api:{night.contact_ref}", DAY)
    assert told(task)[1] == f"a contact of {DAY} was against the gate"
    house.send(day(1), SNAPSHOT)
    close(house, 1)
    assert morning(house, 2, "B9", "basic_risk_manager") == ["L1 breach_review: due_today"], "still unreviewed"


def test_a_day_whose_contacts_lack_a_recording_is_one_task_until_all_of_them_were_reviewed(house: Bank) -> None:
    """Without their number: a dialler that records nothing would fill the list. One that lacks nothing is no task."""
    caller, risk = Desk(house, house.staff("P1", "phone_collector")), house.staff("B8", "basic_risk_manager")
    silent = [caller.record(datetime.combine(DAY, time(hour), ZoneInfo("Asia/Shanghai"))) for hour in (9, 10)]
    caller.record(datetime.combine(DAY, time(11), ZoneInfo("Asia/Shanghai")), recording=True)
    close(house, 0)
    assert morning(house, 1, "B9", "basic_risk_manager") == [" contact_review: due_today"]
    (task,) = listed(house, 1, "B9", "basic_risk_manager")
    assert (task.ref, task.due_on) == (str(DAY), DAY)
    assert told(task)[1] == f"contacts of {DAY} have no recording, or no good template or line"
    explain(house, risk, silent[0].contact_ref)
    house.send(day(1), SNAPSHOT)
    close(house, 1)
    assert morning(house, 2, "B9", "basic_risk_manager") == [" contact_review: due_today"], "one is unreviewed"
    explain(house, risk, silent[1].contact_ref)
    house.send(day(2), SNAPSHOT)
    close(house, 2)
    assert morning(house, 3, "B9", "basic_risk_manager") == []


def explain(house: Bank, risk: Actor, contact_ref: str) -> None:
    branch = house.started.branch
    with writing(house.started.engine) as conn:
        trail = branch.trail(now())
        review(conn, trail, branch, risk, past_arrears, contact_ref, "explained")
        trail.write(conn)


def test_the_list_of_whoever_is_away_is_that_of_whoever_answers_for_them(house: Bank) -> None:
    house.staff("P2", "business_rep")
    branch = house.started.branch
    with writing(house.started.engine) as conn:
        trail = branch.trail(at(DAY)())
        absence.absent(
            conn, trail, system("cli"), branch.rulebook.permissions, staff_no="S1", from_on=day(1), until_on=day(2),
            reason="sick", deputy="P2",
        )  # fmt: skip
        trail.write(conn)
    close(house, 0)
    assert len(morning(house, 1)) == 0
    assert [one.list_of for one in listed(house, 1, "P2") if one.task == "dial"] == ["P2", "P2"]
