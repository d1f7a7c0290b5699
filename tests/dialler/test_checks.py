"""Results that ask for a check: the post that answers has it on its list at once, and once, until it has looked."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from casework.intake.dialler.typed import record_typed
from casework.operation.morning import make_lists
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.work.tasks.acts import Desk
from casework.work.tasks.own import Task, tasks_of, told
from casework.work.tasks.words import word_of
from tests.dialler.called import call, moment, take
from tests.dialler.corrected import correct
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter
from tests.work.tasks.test_lists import close
from tests.work.test_promises import at, day

RISK = Actor("B9", "staff", "api", frozenset({"basic_risk_manager"}))
TODAY = 20
"""The day on which files arrive and lists are read."""


@pytest.fixture
def asked(bank_after: BankAfter) -> Iterator[Bank]:
    """Three loans, the first two of one debtor, the last with no case; log and rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.staff("B9", "basic_risk_manager")
    bank.send(DAY, [arrears(1, 4), arrears(2, 4)], loans=[loan(1), loan(2, borrower_id="B1"), loan(3)])
    close(bank, 0)
    morning(bank, TODAY)


def morning(bank: Bank, number: int) -> None:
    with writing(bank.started.engine) as conn:
        make_lists(conn, bank.started.branch, day(number), system("cli"), clock=at(day(number)))


def to_check(bank: Bank, number: int = TODAY) -> list[Task]:
    with reading(bank.started.engine) as conn:
        return [one for one in tasks_of(conn, bank.started.branch, day(number), RISK) if one.task == "by_hand"]


def checks(bank: Bank, number: int = TODAY) -> list[tuple[str, str, date]]:
    return [(one.loan_id, one.ref, one.due_on) for one in to_check(bank, number)]


DUE = day(TODAY + 1)


@pytest.mark.parametrize(
    ("cells", "check"),
    [
        ({"result": "得知死亡", "party": "contact"}, "hold_check"),
        ({"result": "told_of_custody"}, "hold_check"),
        ({"result": "told_of_incapacity", "channel": "visit", "address": "某路1号"}, "hold_check"),
        ({"result": "本人-困难（失业/疾病）"}, "hardship_check"),
        ({"result": "debtor_in_hardship", "channel": "inbound"}, "hardship_check"),
        ({"result": "debtor_disputes"}, None),
        ({"result": "联系人-愿转告", "party": "contact"}, None),
    ],
)
def test_a_result_that_asks_for_a_check_puts_it_on_the_list_of_the_basic_risk_post(
    asked: Bank, cells: dict[str, str], check: str | None
) -> None:
    assert take(asked, call("c1", on=TODAY) | cells).stored == 1
    assert checks(asked) == ([] if check is None else [("L1", check, DUE)])


def test_a_debtor_is_looked_into_once_however_many_contacts_say_so(asked: Bank) -> None:
    told_twice = [call("c1", 2, TODAY, result="told_of_death"), call("c2", 1, TODAY, result="told_of_custody")]
    take(asked, *told_twice)
    take(asked, *told_twice, call("c3", 1, TODAY, result="debtor_in_hardship"))
    assert checks(asked) == [("L2", "hold_check", DUE), ("L1", "hardship_check", DUE)]


def test_whoever_has_looked_ends_it_and_until_then_it_is_on_the_list_of_each_morning(asked: Bank) -> None:
    take(asked, call("c1", on=TODAY, result="told_of_death"))
    morning(asked, TODAY + 1)
    (task,) = to_check(asked, TODAY + 1)
    assert (task.loan_id, task.list_of, task.case_id) == ("L1", "basic_risk_manager", asked.case(1).id)
    assert word_of(asked.started.branch, task).zh == "核查应否停催（死亡、在押、丧失能力）"
    assert "check by" in told(task)[1]
    with writing(asked.started.engine) as conn:
        desk = Desk(conn, asked.started.branch, RISK, at(day(TODAY + 1))())
        assert [one.refused for one in desk.finish([task.id])] == [None]
        desk.close()
    assert checks(asked, TODAY + 1) == []
    take(asked, call("c2", on=TODAY + 1, result="told_of_death"), on=TODAY + 1)
    assert checks(asked, TODAY + 1) == [("L1", "hold_check", DUE + timedelta(days=1))], "told again after it"


def test_a_debtor_of_whom_no_case_is_worked_on_is_looked_into_too(asked: Bank) -> None:
    take(asked, call("c1", 3, TODAY, result="told_of_death"))
    assert [(one.loan_id, one.case_id, one.dpd, one.overdue_fen) for one in to_check(asked)] == [("L3", None, 0, 0)]


def test_what_is_typed_and_what_is_corrected_ask_alike(asked: Bank) -> None:
    branch, when = asked.started.branch, moment(TODAY, "12:00:00")
    with writing(asked.started.engine) as conn:
        record_typed(
            conn, branch, [call("c1", on=TODAY, result="told_of_death"), call("c2", on=TODAY)], system("cli"), when,
            atomic=False,
        )  # fmt: skip
    assert checks(asked) == [("L1", "hold_check", DUE)]
    with writing(asked.started.engine) as conn:
        correct(conn, branch, "c2", None, "debtor_in_hardship", system("cli"), when)
    assert checks(asked) == [("L1", "hold_check", DUE), ("L1", "hardship_check", DUE)]


def test_the_entry_names_the_contact_that_told_it(asked: Bank) -> None:
    take(asked, call("c1", on=TODAY, result="told_of_death"))
    added = asked.bodies("tasks:lists")[-1]
    assert (added["event"], added["data"]["what"]) == ("tasks.added", "hold_check")
    stream, _, seq = added["data"]["contact"].rpartition(":")
    told_by = asked.bodies(stream)[int(seq) - 1]
    assert told_by["event"] == "contact.recorded"
    assert told_by["data"]["result"] == "told_of_death"
