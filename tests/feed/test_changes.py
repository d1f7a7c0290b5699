"""From the feed to the door: what opens, changes, settles and re-opens a case, and what a correction does."""

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from casework.intake.feed.last_known import last_known
from casework.intake.feed.run import Run
from casework.intake.feed.without_case import without_case
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Fire, Record, Refused
from casework.storage.database import reading, writing
from casework.work.cases.commands import OpenCase
from casework.work.four_eyes import requests
from tests.conftest import LONGER
from tests.feed.bank import DAY, Bank, Cells, arrears, loan, paid
from tests.feed.steps import do, write_off

NEXT = DAY + timedelta(days=1)
THIRD = DAY + timedelta(days=2)
TEN = [loan(number) for number in range(1, 11)]


def steady(*without: int, on: date = DAY) -> list[dict[str, str]]:
    """Loans 1 to 10 in arrears but those named, so that few vanish at once; figures as of DAY."""
    return [arrears(number, on=on) for number in range(1, 11) if number not in without]


def test_ageing_within_a_bucket_writes_nothing(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    run = bank.send(NEXT, steady())
    assert (run.figures["unchanged"], run.figures["changed"]) == (10, 0)
    assert bank.story(bank.case(1).id) == ["case.opened"]
    assert bank.case(1).version == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"overdue_principal": "999.99"},
        {"overdue_interest": "0.01"},
        {"overdue_penalty": "7.00"},
        {"outstanding_principal": "49000.00"},
        {"oldest_due_date": "2024-05-20"},
    ],
)
def test_a_changed_amount_or_due_date_writes_one_entry(bank: Bank, changed: dict[str, str]) -> None:
    bank.send(DAY, steady(), loans=TEN)
    run = bank.send(NEXT, [*steady(1), arrears(1) | changed])
    assert (run.figures["unchanged"], run.figures["changed"]) == (9, 1)
    assert bank.story(bank.case(1).id) == ["case.opened", "case.measured"]
    assert bank.case(1).version == 2
    bank.assert_sound()


def test_a_change_of_bucket_writes_one_entry_though_no_figure_changed(bank: Bank) -> None:
    bank.send(DAY, [*steady(1), arrears(1, 30)], loans=TEN)
    run = bank.send(NEXT, [*steady(1), arrears(1, 30)])
    assert run.figures["roll"] == {"M1->M1": 9, "M1->M2": 1}
    assert bank.case(1).bucket == "M2"
    assert bank.story(bank.case(1).id) == ["case.opened", "case.measured"]


def test_a_changed_risk_class_is_measured_though_the_overdue_row_is_the_same(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady(), loans=[loan(1, risk_class="doubtful", npl_since="2024-06-04"), *TEN[1:]])
    measured = bank.bodies(f"case:{bank.case(1).id}")[-1]
    assert measured["data"]["measure"]["risk_class"] == "doubtful"
    assert measured["data"]["measure"]["npl_since"] == "2024-06-04"
    assert bank.story(bank.case(2).id) == ["case.opened"]


def test_a_loan_that_left_the_snapshot_has_cleared_its_arrears(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    run = bank.send(NEXT, steady(1))
    case = bank.case(1)
    assert (case.state, case.live, case.oldest_due_date, case.bucket, case.overdue_fen) == (
        "settled",
        False,
        None,
        "M0",
        0,
    )
    assert case.outstanding_principal_fen == 5_000_000
    assert bank.story(case.id) == ["case.opened", "case.measured", "case.step.arrears_cleared"]
    assert (run.figures["gone"], run.figures["cases_settled"]) == (1, 1)
    bank.assert_sound()


@pytest.mark.parametrize(
    ("loans", "event"),
    [
        pytest.param(None, "arrears_cleared", id="no loans file in this feed"),
        pytest.param(TEN, "arrears_cleared", id="loans file shows it outstanding"),
        pytest.param(TEN[1:], "paid_in_full", id="loans file omits it"),
        pytest.param([loan(1, outstanding_principal="0.00"), *TEN[1:]], "paid_in_full", id="loans file shows 0"),
        pytest.param([loan(1, outstanding_principal=""), *TEN[1:]], "arrears_cleared", id="unknown is not zero"),
    ],
)
def test_paid_in_full_only_if_a_loans_file_of_that_feed_says_so(
    bank: Bank, loans: list[dict[str, str]] | None, event: str
) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady(1), loans=loans)
    case = bank.case(1)
    assert bank.story(case.id)[-1] == f"case.step.{event}"
    assert case.outstanding_principal_fen == (0 if event == "paid_in_full" else 5_000_000)
    bank.assert_sound()


@pytest.mark.parametrize("broken", [{"outstanding_principal": "1.234"}, {"loan_id": ""}])
def test_a_loan_whose_loans_row_was_set_aside_is_not_taken_for_paid_in_full(bank: Bank, broken: dict[str, str]) -> None:
    many = [loan(number) for number in range(1, 41)]
    bank.send(DAY, steady(), loans=many)
    run = bank.send(NEXT, steady(1), loans=[loan(1) | broken, *many[1:]])
    assert run.figures["set_aside_rows"] == 1
    case = bank.case(1)
    assert bank.story(case.id)[-1] == "case.step.arrears_cleared"
    assert case.outstanding_principal_fen == 5_000_000


def test_no_payment_row_is_needed_and_payments_alone_settle_nothing(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady(), repayments=[paid("P1", 1, NEXT)])
    assert bank.case(1).state == "phone_collection"


def test_a_loan_overdue_again_gets_a_new_case_that_names_the_earlier_ones(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady(1))
    run = bank.send(THIRD, steady())
    first, second = bank.cases(1)
    assert (first.state, second.state) == ("settled", "phone_collection")
    assert bank.bodies(f"case:{second.id}")[0]["data"]["earlier_cases"] == [first.id]
    assert run.figures["cases_opened"] == 1
    bank.assert_sound()


def test_the_reversal_of_a_payment_since_the_snapshot_before_the_settlement_reopens_the_case(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady(1), repayments=[paid("P1", 1, DAY)])
    run = bank.send(THIRD, steady(), repayments=[paid("P2", 1, THIRD, reverses="P1")])
    (case,) = bank.cases(1)
    assert (case.state, case.live) == ("phone_collection", True)
    assert bank.story(case.id)[3:] == ["case.fact.reversal", "case.step.reverse_payment", "case.measured"]
    assert (case.oldest_due_date, case.overdue_fen) == (DAY - timedelta(days=5), 102_100)
    assert (run.figures["opened"], run.figures["cases_reopened"], run.figures["cases_opened"]) == (1, 1, 0)
    bank.assert_sound()


def test_the_reversal_of_an_older_payment_does_not_reopen_but_a_new_case_names_the_earlier(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN, repayments=[paid("P0", 1, DAY - timedelta(days=3))])
    bank.send(NEXT, steady(1), repayments=[paid("P1", 1, NEXT)])
    bank.send(THIRD, steady(), repayments=[paid("P2", 1, THIRD, reverses="P0")])
    first, second = bank.cases(1)
    assert (first.state, second.state) == ("settled", "phone_collection")
    refused = bank.bodies(f"case:{first.id}")[-1]
    assert (refused["event"], refused["reason_code"]) == ("case.refused.reverse_payment", "settling_payment_reversed")
    assert bank.bodies(f"case:{second.id}")[0]["data"]["earlier_cases"] == [first.id]
    bank.assert_sound()


def test_a_reversal_that_came_before_the_settlement_does_not_reopen_later(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    undone = [paid("P1", 1, NEXT), paid("P2", 1, NEXT, reverses="P1"), paid("P3", 1, NEXT)]
    bank.send(NEXT, steady(1), repayments=undone)
    bank.send(THIRD, steady())
    first, second = bank.cases(1)
    assert (first.state, second.state) == ("settled", "phone_collection")
    assert bank.story(first.id)[-1] == "case.step.arrears_cleared"


def test_a_reversal_that_came_a_day_before_the_loan_is_back_still_reopens(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady(1), repayments=[paid("P1", 1, NEXT)])
    bank.send(THIRD, steady(1), repayments=[paid("P2", 1, THIRD, reverses="P1")])
    bank.send(THIRD + timedelta(days=1), steady())
    (case,) = bank.cases(1)
    assert case.state == "phone_collection"
    bank.assert_sound()


def test_money_on_a_written_off_case_is_a_recovery_and_clearing_the_arrears_does_not_settle_it(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    case_id = write_off(bank, 1)
    run = bank.send(NEXT, steady(1), repayments=[paid("P1", 1, NEXT, "21.00")])
    recovered = next(body for body in bank.bodies(f"case:{case_id}") if body["event"] == "case.step.recover")
    assert recovered["data"]["given"] == {"amount_fen": 2_100, "payment": "pay:P1"}
    assert bank.case(1).state == "written_off"
    assert (run.figures["recoveries"], run.figures["cases_settled"]) == (1, 0)
    bank.assert_sound()


def cancel(bank: Bank, number: int) -> int:
    """The case of loan L<number> cancelled on a person's word, which another approved; its number."""
    manager, approver = bank.staff("B1", "basic_risk_manager"), bank.staff("V1", "approver")
    case_id, branch = int(bank.case(number).id), bank.started.branch
    do(bank, Record(actor=manager, id=case_id, kind="opening_error", on=DAY, evidence="doc:9"))
    with writing(bank.started.engine) as conn:
        asked = requests.ask(
            conn, branch, actor=manager, kind="event", subject=f"case:{case_id}", what="cancel",
            data={"reason": "opened_in_error"},
        )  # fmt: skip
        assert isinstance(asked, requests.Asked), asked
        assert isinstance(requests.approve(conn, branch, asked.request_id, actor=approver), requests.Moved)
    assert bank.case(number).closed_as == "cancelled"
    return case_id


@pytest.mark.parametrize("post", ["basic_risk_manager", "post_loan_officer"])
def test_nobody_cancels_a_debt_on_his_own_word(bank: Bank, post: str) -> None:
    bank.send(DAY, steady(), loans=TEN)
    somebody, case_id = replace(bank.staff("S9", post), team="T1", region="R1"), bank.case(1).id
    do(bank, Record(actor=somebody, id=case_id, kind="opening_error", on=DAY, evidence="doc:9"))
    with writing(bank.started.engine) as conn:
        cancelling = Fire(actor=somebody, id=case_id, event="cancel", data={"reason": "opened_in_error"})
        (outcome,) = advance(conn, [cancelling], bank.started.branch)
    assert isinstance(outcome, Refused)
    assert [reason.code for reason in outcome.reasons] == ["request_needed"]
    assert bank.case(1).live


def test_a_loan_whose_case_was_closed_by_hand_opens_no_new_one_while_it_stays_in_arrears(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    cancel(bank, 1)
    run = bank.send(NEXT, [*steady(1), arrears(1, overdue_interest="99.00")])
    assert (run.figures["changed"], run.figures["without_case"]) == (1, 1)
    assert [case.state for case in bank.cases(1)] == ["closed"]


def test_a_loan_in_arrears_without_a_case_is_counted_every_day_and_listed_until_somebody_acts(bank: Bank) -> None:
    assert bank.send(DAY, steady(), loans=TEN).figures["without_case"] == 0
    case_id = cancel(bank, 1)
    assert [bank.send(day, steady()).figures["without_case"] for day in (NEXT, THIRD)] == [1, 1]  # nothing changed
    with reading(bank.started.engine) as conn:
        (found,) = without_case(conn)
        assert without_case(conn, after="L1") == []
    assert (found.loan_id, found.as_of, found.days_past_due, found.overdue_fen) == ("L1", THIRD, 7, 102_100)
    assert (found.last_case, found.last_state, found.ended_as, found.since) == (case_id, "closed", "cancelled", DAY)
    with reading(bank.started.engine) as conn:
        known = last_known(conn, bank.started.branch, "L1")
    assert known is not None
    manager = bank.staff("B2", "basic_risk_manager")
    do(bank, OpenCase(actor=manager, ground="arrears", loan=known[0], measure=known[1]))
    with reading(bank.started.engine) as conn:
        assert without_case(conn) == []
    assert bank.send(THIRD + timedelta(days=1), steady()).figures["without_case"] == 0
    bank.assert_sound()


# ── corrections ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_correction_of_the_day_takes_back_what_that_day_opened_in_error(bank: Bank) -> None:
    bank.send(DAY, steady(1), loans=TEN)
    bank.send(NEXT, steady())
    run = bank.send(NEXT, steady(1), correction=True)
    case = bank.case(1)
    assert bank.story(case.id) == ["case.opened", "case.measured", "case.step.opening_corrected"]
    assert (case.state, case.closed_as, case.oldest_due_date) == ("closed", "cancelled", None)
    assert (run.figures["opened"], run.figures["gone"], run.figures["overdue"]) == (0, 0, 9)
    assert (run.figures["cases_cancelled"], run.figures["cases_settled"], run.figures["without_case"]) == (1, 0, 0)
    assert [one.id for one in bank.runs(every=False)] == [1, run.id]
    bank.assert_sound()


@pytest.mark.parametrize("before", ["opened by a person", "re-opened by a reversal"])
def test_a_correction_takes_back_no_case_that_the_corrected_feed_did_not_open(bank: Bank, before: str) -> None:
    if before == "opened by a person":
        bank.send(DAY, steady(1), loans=TEN)
        with reading(bank.started.engine) as conn:
            known = last_known(conn, bank.started.branch, "L1")
        assert known is not None
        found = {"finding": "doc:1", "recall_demand": "doc:2"}
        officer = replace(bank.staff("P1", "post_loan_officer"), team="T1", region="R1")
        do(bank, OpenCase(actor=officer, ground="misuse", loan=known[0], measure=known[1], data=found))
        bank.send(NEXT, steady())
    else:
        bank.send(DAY - timedelta(days=1), steady(), loans=TEN)
        bank.send(DAY, steady(1), repayments=[paid("P1", 1, DAY)])
        bank.send(NEXT, steady(), repayments=[paid("P2", 1, NEXT, reverses="P1")])
    case = bank.case(1)
    assert case.live
    bank.send(NEXT, steady(1), correction=True)
    assert "case.step.opening_corrected" not in bank.story(case.id)
    assert bank.case(1).closed_as is None
    bank.assert_sound()


def test_a_correction_of_the_day_brings_amounts_right_and_settles_what_really_left(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, [*steady(2), arrears(2, overdue_interest="77.00")])
    run = bank.send(NEXT, [*steady(1, 2), arrears(2, overdue_interest="78.00")], correction=True)
    assert bank.case(1).state == "settled"
    assert bank.case(2).overdue_interest_fen == 7_800
    assert (run.figures["changed"], run.figures["gone"]) == (1, 1)
    bank.assert_sound()


def test_a_correction_of_an_older_day_restates_figures_and_touches_no_case(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady(), loans=[loan(1, team="T9"), *TEN[1:]])
    before = bank.dump("feed_runs", "snapshots", "entries", "streams", "unsealed")
    run = bank.send(DAY, steady(1), loans=[loan(1, team="T5"), *TEN[1:]], correction=True)
    assert run.figures["restates_only"] is True
    assert bank.dump("feed_runs", "snapshots", "entries", "streams", "unsealed") == before
    assert [one.figures["overdue"] for one in bank.runs(every=False)] == [9, 10]
    third = bank.send(THIRD, steady())
    assert (third.figures["opened"], third.figures["unchanged"]) == (0, 10)
    bank.assert_sound()


def test_a_correction_of_an_older_day_is_the_latest_word_on_loans_that_no_later_file_named(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady())
    corrected = [loan(1, team="T5"), *TEN[1:]]
    bank.send(DAY, steady(), loans=corrected, correction=True)
    assert ("L1", "T5") in {(row[0], row[6]) for row in bank.dump()["loans"]}


# ── the counts ──────────────────────────────────────────────────────────────────────────────────────────────────────


def identities(run: Run, before: int) -> None:
    """The two sums of the feed's description."""
    figures = run.figures
    assert figures["opened"] + figures["changed"] + figures["unchanged"] + figures["set_aside"] == figures["rows"]
    assert before - figures["gone"] + figures["opened"] == figures["overdue"]


_examples = itertools.count(1)
snapshot = st.dictionaries(
    st.integers(1, 8), st.tuples(st.sampled_from([1, 30, 31, 90]), st.sampled_from(["1000.00", "7.50", "-1.00", "x"])),
    max_size=8,
)  # fmt: skip


@settings(max_examples=25 * LONGER, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(snapshot, min_size=2, max_size=4), gaps=st.lists(st.integers(1, 3), min_size=4, max_size=4))
def test_the_counts_always_add_up_and_every_live_case_is_a_loan_in_arrears(
    sound_bank: Bank, days: list[dict[int, tuple[int, str]]], gaps: list[int]
) -> None:
    bank, example = sound_bank, next(_examples)
    bank.institution = f"bank{example}"  # each example is a bank of its own within one branch
    bank.know(bank.institution)
    base = example * 1_000
    padding: list[Cells] = [arrears(base + number) for number in range(100, 260)]
    books = [loan(base + number) for number in (*range(1, 9), *range(100, 260))]
    on, overdue_now, held = DAY, 0, set[int]()
    for number, (rows, gap) in enumerate(zip(days, gaps, strict=False)):
        sheet = [arrears(base + key, dpd, on, overdue_interest=text) for key, (dpd, text) in rows.items()]
        run = bank.send(on, [*sheet, *padding], confirm=True, loans=books if number == 0 else None)
        identities(run, overdue_now)
        overdue_now = run.figures["overdue"]
        good = {key for key, (_, text) in rows.items() if text not in ("-1.00", "x")}
        held = good | (held & set(rows))
        live = {key for key in range(1, 9) if any(case.live for case in bank.cases(base + key))}
        assert live == held
        assert overdue_now == len(held) + len(padding)
        on += timedelta(days=gap)


@pytest.mark.parametrize("again", [False, True], ids=["a correction of an older day", "the feed of today"])
def test_a_non_performing_date_moves_the_owner_whichever_feed_brings_it(bank: Bank, again: bool) -> None:
    bank.staff("A1", "asset_preservation")
    bank.staff("S1", "business_rep")
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, [arrears(1, overdue_interest="31.00"), *steady(1)])
    books = [loan(1, npl_since="2023-11-30"), *TEN[1:]]
    run = bank.send(*((THIRD, steady()) if again else (DAY, steady())), loans=books, correction=not again)
    assert (bank.case(1).owner, run.figures["restates_only"]) == ("A1", not again)
    assert bank.case(1).overdue_interest_fen == (2_000 if again else 3_100), "the amounts are those of the last day"
    assert bank.case(2).owner == "S1"
    bank.assert_sound()


def test_a_correction_of_an_older_day_counts_the_loans_without_a_case_as_the_last_feed_left_them(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    cancel(bank, 1)
    bank.send(NEXT, steady())
    run = bank.send(DAY, [*steady(2), arrears(2, overdue_interest="9.00")], correction=True)
    assert (run.figures["restates_only"], run.figures["without_case"]) == (True, 1)
