"""What cases learn of contacts, and how a day is closed: lost, reached, missed days, days again."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from casework.cli import main
from casework.errors import CallerError
from casework.operation.sweeping import sweep
from casework.people.staff.actor import system
from casework.rules.statechart.outside_law import load_law
from casework.rules.statechart.policy import parse_policy
from casework.settings import shipped
from casework.storage.database import reading, writing
from casework.work.cases.case import AttemptDay
from casework.work.cases.publish import publish
from casework.work.cases.steps import steps_of_cases
from casework.work.contacts.tables import contact_log
from tests.dialler.called import call, case_of, logged, moment, take, text
from tests.dialler.corrected import correct
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter
from tests.work.test_promises import at, day

BOOKS = [loan(1), loan(2, borrower_id="B1"), loan(3)]


@pytest.fixture
def called(bank_after: BankAfter) -> Iterator[Bank]:
    """Three cases of two debtors from DPD 4 on; the log and the rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.send(DAY, [arrears(number, 4) for number in (1, 2, 3)], loans=BOOKS)


def silent(bank: Bank, first: int, last: int, loan_number: int = 1) -> None:
    """Two calls a day in vain."""
    rows = [
        call(f"q{loan_number}-{on}-{clock}", loan_number, on, f"{clock}:00:00")
        for on in range(first, last + 1) for clock in ("10", "15")
    ]  # fmt: skip
    assert take(bank, *rows).stored == len(rows)


def close(bank: Bank, on: int | None, today: int = 20) -> dict[str, int]:
    """The sweep for a day."""
    swept = sweep(bank.started.engine, bank.started.branch, None if on is None else day(on), clock=at(day(today)))
    return {event: number for event, number in swept.fired.items() if number}


def steps(bank: Bank) -> list[tuple[str, str, date]]:
    with reading(bank.started.engine, snapshot=True) as conn:
        found = steps_of_cases(conn, bank.started.branch.rulebook.chart, ("mark_lost", "reached"), None, None)
    return [(one.loan_id, one.event, one.on) for one in found]


def broken_by(bank: Bank, *parties: str) -> None:
    """The branch's policy has these break a run of silent days."""
    edit(bank, 'broken_by = { value = ["debtor"]', f"broken_by = {{ value = {json.dumps(parties)}")


def edit(bank: Bank, before: str, after: str) -> None:
    """The branch publishes another edition of its policy, with one thing changed."""
    text = bank.started.branch.rulebook.policies.all[0].text.decode()
    assert text.count(before) == 1
    edited = text.replace(before, after)
    policy = parse_policy("2024-01-01.3", edited.encode(), load_law(shipped("statecharts")))
    bank.hold_to(policy)
    with writing(bank.started.engine) as conn:
        assert publish(conn, bank.started.branch, system("cli")) == ["policy 2024-01-01.3"]


@pytest.mark.parametrize("party", ["co_borrower", "guarantor", "contact"])
def test_an_answer_of_somebody_else_breaks_the_run_where_the_policy_says_so(called: Bank, party: str) -> None:
    silent(called, 0, 4)
    take(called, call("c1", 1, 2, "16:00:00", party=party, result="third_party"))
    broken_by(called, "debtor", party)
    assert [close(called, on) for on in range(5)] == [{}] * 5
    assert case_of(called, 2).facts.attempt_days[2] == AttemptDay(day(2), 2, connected=False, answered=[party])
    silent(called, 5, 7)
    assert [close(called, on) for on in (5, 6, 7)] == [{}, {}, {"mark_lost": 2}], "counted anew from the day after"


@pytest.mark.parametrize("party", ["co_borrower", "guarantor", "contact"])
def test_an_answer_of_somebody_else_breaks_nothing_by_default(called: Bank, party: str) -> None:
    silent(called, 0, 4)
    take(called, call("c1", 1, 2, "16:00:00", party=party, result="third_party"))
    assert [close(called, on) for on in range(5)][4] == {"mark_lost": 2}


def test_where_nobody_may_be_called_at_any_hour_nobody_is_lost(called: Bank) -> None:
    """What was dialled all the same proves nothing."""
    edit(called, "quiet_from_hour = { value = 22", "quiet_from_hour = { value = 8")
    silent(called, 0, 4)
    assert [close(called, on) for on in range(5)] == [{}] * 5


def test_five_days_in_vain_lose_every_case_of_the_debtor_at_the_close_of_the_fifth(called: Bank) -> None:
    silent(called, 0, 4)
    assert [close(called, on) for on in range(5)] == [{}, {}, {}, {}, {"mark_lost": 2}]
    assert steps(called) == [("L1", "mark_lost", day(4)), ("L2", "mark_lost", day(4))]
    assert (case_of(called, 1).state_since, case_of(called, 3).state) == (day(4), "phone_collection")
    assert [(one.on, one.attempts) for one in case_of(called, 2).facts.attempt_days] == [
        (day(on), 2) for on in range(5)
    ]


def test_days_that_nobody_closed_are_closed_in_order_each_dated_its_own(called: Bank) -> None:
    silent(called, 0, 6)
    assert close(called, 0) == {}
    swept = sweep(called.started.engine, called.started.branch, day(6), clock=at(day(20)))
    assert (swept.days, swept.fired["mark_lost"]) == ([day(on) for on in range(1, 7)], 2)
    assert {on for _, _, on in steps(called)} == {day(4)}
    assert swept.without_feed == {"demo": DAY}


def test_who_was_reached_since_a_day_that_is_closed_late_is_lost_then_and_reached_on_that_day(called: Bank) -> None:
    silent(called, 0, 4)
    assert close(called, 3) == {}
    take(called, call("c9", 2, 6, channel="inbound", result="debtor"))
    silent(called, 7, 11)
    assert close(called, 11) == {"mark_lost": 4, "reached": 2}
    assert steps(called) == [
        (loan_id, event, day(on)) for event, on in (("mark_lost", 4), ("reached", 6), ("mark_lost", 11))
        for loan_id in ("L1", "L2")
    ]  # fmt: skip


def test_the_same_day_again_changes_nothing_and_a_day_before_the_last_is_refused(called: Bank) -> None:
    silent(called, 0, 4)
    close(called, 4)
    before = len(called.bodies("case:1"))
    assert (close(called, 4), close(called, None), len(called.bodies("case:1"))) == ({}, {}, before)
    for on, code in ((3, "day_swept"), (21, "day_to_come")):
        with pytest.raises(CallerError) as refused:
            close(called, on)
        assert refused.value.code == code


def test_a_row_that_comes_late_is_counted_from_then_on_and_undoes_nothing(called: Bank) -> None:
    """At the close of the fifth day one call is known of it; at the close of the sixth both: five days up to that."""
    silent(called, 0, 3)
    take(called, call("c1", 1, 4, "10:00:00"))
    assert close(called, 4) == {}
    take(called, call("c2", 1, 4, "11:00:00"))
    silent(called, 5, 5)
    assert close(called, 5) == {"mark_lost": 2}
    take(called, call("c3", 3, 4, "12:00:00", result="third_party"))
    assert case_of(called, 1).state == "lost_contact"


def test_who_answers_is_reached_at_once_whichever_loan_the_call_was_for(called: Bank) -> None:
    silent(called, 0, 4)
    close(called, 4)
    taken = take(called, call("c9", 2, 6, channel="inbound", result="debtor"))
    assert (taken.reached, steps(called)[2:]) == (2, [("L1", "reached", day(6)), ("L2", "reached", day(6))])
    assert (case_of(called, 1).state, case_of(called, 1).facts.desk_since) == ("phone_collection", day(6))
    silent(called, 7, 11)
    assert close(called, 10) == {}
    assert close(called, 11) == {"mark_lost": 2}, "the day after the contact is the first"


def test_an_answer_that_is_learnt_late_is_dated_its_day_but_never_before_the_mark(called: Bank) -> None:
    silent(called, 0, 4)
    close(called, 4)
    assert take(called, call("c9", 1, 2, result="debtor_hung_up")).reached == 2
    assert {on for _, event, on in steps(called) if event == "reached"} == {day(4)}


def test_what_a_person_types_in_late_proves_no_attempt_but_reaches(called: Bank) -> None:
    rows = [call(f"t{on}-{clock}", 1, on, f"{clock}:00:00") for on in range(5) for clock in ("10", "15")]
    assert take(called, *rows, source="sheet").stored == 10
    assert close(called, 4) == {}
    silent(called, 5, 9)
    assert close(called, 9) == {"mark_lost": 2}
    assert take(called, call("t9", 1, 9, result="debtor"), source="sheet").reached == 2


def test_a_wrong_outcome_is_corrected_by_an_entry_that_counts_everywhere(called: Bank) -> None:
    silent(called, 0, 3)
    take(called, call("c1", 1, 4, result="debtor"), call("c2", 1, 4, "11:00:00"))
    assert case_of(called, 1).facts.attempt_days[-1].connected
    branch = called.started.branch
    with writing(called.started.engine) as conn:
        correct(conn, branch, "c1", "dialler", "third_party", system("cli"), moment(20, "09:00:00"), "错选")
    assert (logged(called)["c1"].outcome, case_of(called, 1).facts.attempt_days[-1].connected) == ("third_party", False)
    assert close(called, 4) == {"mark_lost": 2}
    for ref, result, code in (("c0", "busy", "unknown_contact_ref"), ("c1", "odd", "unknown_result"),
                              ("c1", "found", "result_not_of_channel")):  # fmt: skip
        with writing(called.started.engine) as conn, pytest.raises(CallerError) as refused:
            correct(conn, branch, ref, "dialler", result, system("cli"), moment(5, "09:00:00"))
        assert refused.value.code == code


# (what somebody with the database does to a row, what is found)
ATTACKS: list[tuple[str, dict[str, object], str]] = [
    ("another result", {"result": "busy"}, "row_differs"),
    ("an answer taken away", {"outcome": "unanswered"}, "row_differs"),
    ("moved by a day", {"day": day(1)}, "row_differs"),
    ("moved by a minute", {"started_at": moment(0, "10:01:00")}, "row_differs"),
    ("another debtor's", {"borrower_id": "B3"}, "row_differs"),
    ("another's work", {"staff_no": "S9"}, "row_differs"),
    ("typed late", {"late": True}, "row_differs"),
    ("another number", {"number": b"0123456789abcdef"}, "row_changed"),
    ("no number any more", {"number": None}, "row_changed"),
    ("another fingerprint", {"row_hash": b""}, "row_changed"),
]


@pytest.mark.parametrize(("what", "changed", "code"), ATTACKS, ids=[row[0] for row in ATTACKS])
def test_a_row_of_the_log_that_somebody_else_changed_is_named(
    bank: Bank, what: str, changed: dict[str, object], code: str
) -> None:
    bank.send(DAY, [arrears(1, 4)], loans=BOOKS)
    take(bank, call("c1", result="debtor"), call("c2", 3))
    with writing(bank.started.engine) as conn:
        conn.execute(contact_log.update().where(contact_log.c.contact_ref == "c1").values(changed))
    (finding,) = bank.verified().findings
    assert (finding.code, finding.stream, finding.detail["contact"]) == (code, "borrower:demo~B1", "c1"), what


def test_a_row_that_is_gone_and_one_that_nobody_recorded_are_both_named(bank: Bank) -> None:
    bank.send(DAY, [arrears(1, 4)], loans=BOOKS)
    take(bank, call("c1", result="debtor"), call("c2", 3))
    with writing(bank.started.engine) as conn:
        conn.execute(contact_log.delete().where(contact_log.c.contact_ref == "c1"))
        (row,) = conn.execute(sa.select(contact_log)).mappings()
        for ref in ("c3", "c4"):
            other = {name: value for name, value in row.items() if name != "id"}
            conn.execute(contact_log.insert().values(other | {"contact_ref": ref, "stream_seq": 99}))
    codes = sorted((one.code, str(one.detail["contact"])) for one in bank.verified().findings)
    assert codes == [("row_missing", "c1"), ("row_without_entries", "c3"), ("row_without_entries", "c4")]


def test_the_shell_takes_a_file_in_corrects_a_result_and_lists_steps(
    called: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = called.started.settings
    monkeypatch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))
    file = tmp_path / "calls.csv"
    file.write_text(text(*(call(f"c{on}{clock}", 1, on, f"{clock}:00:00") for on in range(5) for clock in (10, 15))))

    def said(*words: str, code: int = 0) -> Any:
        done = CliRunner().invoke(main, [*words, "--json"])
        assert done.exit_code == code, done.output
        return json.loads(done.stdout) if code == 0 else done.stderr

    taken = said("contact", "import", str(file))
    assert {key: taken[key] for key in ("rows", "stored", "repeated", "late", "set_aside")} == {
        "rows": 10, "stored": 10, "repeated": 0, "late": 0, "set_aside": [],
    }  # fmt: skip
    assert said("sweep", "--date", str(day(4)))["fired"]["mark_lost"] == 2
    assert "day_swept" in said("sweep", "--date", str(day(3)), code=1)
    assert said("contact", "correct", "c415", "debtor")["outcome"] == "debtor"
    assert "unknown_result" in said("contact", "correct", "c415", "odd", code=1)
    steps_ = said("case", "steps", "--event", "mark_lost", "--event", "reached", "--from", str(day(4)))
    assert [(one["loan_id"], one["event"], one["on"]) for one in steps_] == [
        (loan_id, event, str(day(4))) for loan_id in ("L1", "L2") for event in ("mark_lost", "reached")
    ]
    assert said("case", "steps", "--to", str(day(3))) == []
    assert "unknown_event" in said("case", "steps", "--event", "lost", code=1)


def test_a_correction_on_a_day_on_which_another_call_connected_takes_nothing_back(called: Bank) -> None:
    """The debtor answered before the case was lost; that another call of that day was busy says nothing new of them."""
    take(called, call("c1", result="debtor"), call("c2", at="11:00:00"))
    silent(called, 1, 5)
    assert close(called, 5) == {"mark_lost": 2}
    with writing(called.started.engine) as conn:
        correct(conn, called.started.branch, "c2", "dialler", "busy", system("cli"), moment(20, "12:00:00"))
    assert [event for _, event, _ in steps(called)] == ["mark_lost", "mark_lost"]
