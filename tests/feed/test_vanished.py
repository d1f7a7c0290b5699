"""Many loans that are missing at once, from either kind of snapshot, are a short file until somebody says otherwise."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from casework.errors import CallerError
from casework.intake.feed.run import Run
from tests.feed.bank import DAY, Bank, Cells, arrears, loan
from tests.feed.test_load import refused

NEXT = DAY + timedelta(days=1)
THIRD = DAY + timedelta(days=2)
ALL = range(1, 41)
BOOKS = [loan(number) for number in ALL]
OPEN = [arrears(number) for number in ALL]


def without(gone: int, sheet: Sequence[Cells] = OPEN) -> Sequence[Cells]:
    """The sheet without its first rows."""
    return sheet[gone:]


def paid_off(number: int) -> Cells:
    return loan(number, outstanding_principal="0.00")


def kinds(told: CallerError) -> dict[str, tuple[int, int, int]]:
    """Before, gone and at most, by kind."""
    return {one["kind"]: (one["before"], one["gone"], one["at_most"]) for one in told.facts["kinds"]}


# Five per cent of the loans for each day since the file before, at most 30 %, and always ten.
@pytest.mark.parametrize(
    ("days", "loans", "at_most"),
    [(1, 40, 10), (1, 400, 20), (2, 400, 40), (5, 400, 100), (6, 400, 120), (30, 400, 120), (30, 40, 12), (1, 8, 10)],
)
def test_five_per_cent_a_day_up_to_thirty_and_always_ten_loans_may_vanish_unasked(
    bank: Bank, days: int, loans: int, at_most: int
) -> None:
    sheet = [arrears(number) for number in range(1, loans + 1)]
    bank.send(DAY, sheet, loans=[loan(number) for number in range(1, loans + 1)])
    on = DAY + timedelta(days=days)
    if at_most < loans:
        told = refused(bank, "loans_vanished", lambda: bank.send(on, without(at_most + 1, sheet)))
        assert kinds(told)["overdue"] == (loans, at_most + 1, at_most)
        assert (told.facts["gone"], told.facts["before"]) == (at_most + 1, loans)
    run = bank.send(on, without(at_most, sheet))
    assert (run.status, run.figures["gone"]) == ("applied", min(at_most, loans))


@pytest.mark.parametrize("gone", [11, 30, 40])
def test_a_short_snapshot_goes_in_once_it_is_confirmed(bank: Bank, gone: int) -> None:
    bank.send(DAY, OPEN, loans=BOOKS)
    refused(bank, "loans_vanished", lambda: bank.send(NEXT, without(gone)))
    run = bank.send(NEXT, without(gone), confirm=True)
    assert run.figures["gone"] == gone
    assert sum(bank.case(number).state == "settled" for number in ALL) == gone
    assert bank.bodies("feed:demo")[-1]["data"]["confirmed_vanished"] is True


@pytest.mark.parametrize("missing", ["omitted", "zero"])
@pytest.mark.parametrize(("gone", "guarded"), [(10, False), (11, True), (38, True)])
def test_loans_that_the_loans_file_omits_or_zeroes_are_guarded_like_those_that_leave_the_snapshot(
    bank: Bank, missing: str, gone: int, guarded: bool
) -> None:
    bank.send(DAY, OPEN, loans=BOOKS)
    short: Sequence[Cells] = BOOKS[gone:]
    if missing == "zero":
        short = [*map(paid_off, range(1, gone + 1)), *short]

    def send(**more: Any) -> Run:
        return bank.send(NEXT, without(1), loans=short, **more)

    if guarded:
        told = refused(bank, "loans_vanished", send)
        assert kinds(told) == {"overdue": (40, 1, 10), "loans": (40, gone, 10)}
        assert f"{gone} of the 40 loans with something outstanding" in str(told)
        assert f"有余额的40笔贷款中有{gone}笔" in told.zh
        assert "overdue snapshot" not in str(told)  # that one lacks no more than it may
    run = send(confirm=guarded)
    assert run.figures["left_books"] == gone
    assert bank.case(1).closed_as is None
    assert bank.story(bank.case(1).id)[-1] == "case.step.paid_in_full"


def test_one_refusal_tells_the_counts_of_both_files(bank: Bank) -> None:
    bank.send(DAY, OPEN, loans=BOOKS)
    told = refused(bank, "loans_vanished", lambda: bank.send(NEXT, without(15), loans=BOOKS[38:]))
    assert kinds(told) == {"overdue": (40, 15, 10), "loans": (40, 38, 10)}
    assert "15 of the 40" in str(told)
    assert "38 of the 40" in str(told)


def test_a_loan_is_missed_by_the_first_file_that_omits_it_and_not_by_every_later_one(bank: Bank) -> None:
    bank.send(DAY, OPEN, loans=BOOKS)
    assert bank.send(NEXT, without(0), loans=BOOKS[8:]).figures["left_books"] == 8
    later = bank.send(THIRD, without(0), loans=[*BOOKS[12:], loan(41)])
    assert (later.status, later.figures["left_books"]) == ("applied", 4)


def test_a_loan_that_is_back_in_the_file_can_be_missed_again(bank: Bank) -> None:
    bank.send(DAY, OPEN, loans=BOOKS)
    bank.send(NEXT, OPEN, loans=BOOKS[8:])
    bank.send(THIRD, OPEN, loans=BOOKS)
    told = refused(bank, "loans_vanished", lambda: bank.send(THIRD + timedelta(days=1), OPEN, loans=BOOKS[11:]))
    assert kinds(told)["loans"] == (40, 11, 10)


@pytest.mark.parametrize(
    ("books", "of_next_day"),
    [
        pytest.param([*map(paid_off, range(1, 21)), *BOOKS[20:]], BOOKS[20:], id="nothing was outstanding any more"),
        pytest.param(BOOKS, [loan(1, principal="x"), loan(2), *map(loan, range(12, 41))], id="its row was set aside"),
    ],
)
def test_what_is_paid_already_or_cannot_be_read_is_not_missed(
    bank: Bank, books: list[dict[str, str]], of_next_day: list[dict[str, str]]
) -> None:
    bank.send(DAY, OPEN[20:], loans=books)
    assert bank.send(NEXT, OPEN[20:], loans=of_next_day).status == "applied"


def test_an_amount_that_was_unknown_counts_as_something_outstanding(bank: Bank) -> None:
    bank.send(DAY, OPEN, loans=[loan(number, outstanding_principal="") for number in ALL])
    refused(bank, "loans_vanished", lambda: bank.send(NEXT, OPEN, loans=BOOKS[11:]))


def test_days_are_counted_from_the_last_file_of_the_same_kind(bank: Bank) -> None:
    bank.send(DAY, OPEN, loans=BOOKS)
    for days in range(1, 6):
        bank.send(DAY + timedelta(days=days), OPEN)
    run = bank.send(DAY + timedelta(days=6), OPEN, loans=BOOKS[12:])  # 30 % of forty
    assert run.figures["left_books"] == 12


def test_a_short_correction_of_the_first_day_is_asked_about_too(bank: Bank) -> None:
    """Nothing came before that day, yet its cases would end as opened in error."""
    bank.send(DAY, OPEN, loans=BOOKS)
    refused(bank, "loans_vanished", lambda: bank.send(DAY, without(11), correction=True))
    assert bank.send(DAY, without(10), correction=True).status == "applied"


def test_several_corrections_of_a_day_together_take_no_more_than_the_day_may(bank: Bank) -> None:
    bank.send(DAY, OPEN, loans=BOOKS)
    bank.send(NEXT, without(6))
    assert bank.send(NEXT, without(10), correction=True).status == "applied"
    refused(bank, "loans_vanished", lambda: bank.send(NEXT, without(12), correction=True))


def test_an_older_loans_file_is_no_word_on_who_left_the_books_since(bank: Bank) -> None:
    bank.send(NEXT, OPEN, loans=BOOKS)
    run = bank.send(DAY, OPEN, loans=BOOKS[30:], correction=True)
    assert (run.status, run.figures["left_books"]) == ("applied", 0)


def test_only_a_post_of_the_policy_may_confirm(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    bank.send(DAY, OPEN, loans=BOOKS)
    policy = bank.started.branch.rulebook.policies.at(NEXT)
    plain = policy.figure

    def figure(name: str) -> Any:
        """A policy under which others import than confirm."""
        return ["phone_collector", *plain(name)] if name == "feed.importing_posts" else plain(name)

    monkeypatch.setattr(type(policy), "figure", lambda _self, name: figure(name))
    collector, manager = bank.staff("T1", "phone_collector"), bank.staff("B1", "basic_risk_manager")
    refused(bank, "loans_vanished", lambda: bank.send(NEXT, without(11), confirm=True, actor=collector))
    assert bank.send(NEXT, without(11), confirm=True, actor=manager).status == "applied"
