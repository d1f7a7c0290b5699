"""When a case is lost (1.3.1c), what breaks a run of silent days, and where a case goes that comes back in house."""

from collections.abc import Callable
from typing import Any

import pytest

from casework.rules.statechart.decide import Step
from casework.work.cases.case import Case
from tests.cases.journeys import NEEDS, in_state, perform
from tests.cases.worlds import attempts, dpd, fire, opened, reasons, record

Acts = Callable[[Case], None]


def silent(first: int, last: int) -> Acts:
    """Two calls a day in vain, from DPD `first` to DPD `last`."""

    def act(case: Case) -> None:
        for days in range(first, last + 1):
            attempts(case, dpd(days))

    return act


def promised(days: int, pay_by: int, *, told_on: int | None = None, ref: str = "P1") -> Acts:
    def act(case: Case) -> None:
        said: dict[str, Any] = {"promise": ref, "pay_by": dpd(pay_by).isoformat(), "amount_fen": 1}
        record(case, "promise", dpd(days), today=dpd(told_on or days), **said)

    return act


def promise_ended(days: int, outcome: str = "broken", *, ref: str = "P1") -> Acts:
    return lambda case: record(case, "promise_ended", dpd(days), promise=ref, outcome=outcome)


def replaced(days: int, pay_by: int, *, told_on: int | None = None) -> Acts:
    """P1 is withdrawn, and P2 made in its place."""

    def act(case: Case) -> None:
        promise_ended(told_on or days, "withdrawn")(case)
        promised(days, pay_by, told_on=told_on, ref="P2")(case)

    return act


def held(first: int, last: int) -> Acts:
    def act(case: Case) -> None:
        record(case, "hold", dpd(first), hold="dispute")
        record(case, "hold_lifted", dpd(last), hold="dispute")

    return act


def reached(days: int) -> Acts:
    return lambda case: attempts(case, dpd(days), 1, "debtor")


def met(days: int) -> Acts:
    return lambda case: record(case, "visit", dpd(days), outcome="found", person_met="debtor", photo="p1")


# (what happened, in this order; the day on which it is asked; lost?)
RUNS: list[tuple[str, list[Acts], int, bool]] = [
    ("five silent days", [silent(4, 8)], 8, True),
    ("five silent days, then one on which nobody called: no earlier day is marked", [silent(4, 8)], 9, False),
    ("six silent days", [silent(4, 9)], 9, True),
    ("five silent days of which the first is DPD 3", [silent(3, 7)], 7, False),
    ("a promise after five silent days", [silent(3, 7), promised(8, 15)], 8, False),
    ("a promise after five silent days, and five new ones after it",
     [silent(4, 8), promised(9, 15), promise_ended(15), silent(16, 20)], 20, True),
    ("four new ones only", [silent(4, 8), promised(9, 15), promise_ended(15), silent(16, 19)], 19, False),
    ("days on which a promise is open are no days of the run", [promised(5, 9), silent(6, 13), promise_ended(9)], 13,
     False),
    ("the day after it was judged is the first", [promised(5, 9), silent(6, 15), promise_ended(10)], 15, True),
    ("a promise that nobody has judged yet is open, whatever day it names", [promised(5, 6), silent(7, 15)], 15, False),
    ("a promise that ended counts to the day on which it ended", [promised(5, 9), silent(6, 14), promise_ended(10)],
     14, False),
    ("and anew after it", [promised(5, 9), silent(6, 15), promise_ended(10)], 15, True),
    ("a promise that another replaced was open until then", [promised(4, 30), silent(5, 15), replaced(10, 10)], 14,
     False),
    ("five silent days after the replacement", [promised(4, 30), silent(5, 15), replaced(10, 10),
     promise_ended(10, ref="P2")], 15, True),
    ("a late entry replaces it on the day of the entry, not on its own",
     [promised(4, 30), silent(5, 15), replaced(5, 6, told_on=12), promise_ended(6, ref="P2")], 15, False),
    ("of two promises the one that is open longer counts, though it was made first",
     [promised(4, 30), promised(5, 6, ref="P2"), silent(7, 15)], 15, False),
    ("and after it ended the other", [promised(4, 6), promised(4, 30, ref="P2"), promise_ended(5, ref="P2"),
     silent(6, 11)], 10, False),
    ("five silent days after the other ended", [promised(4, 6), promised(4, 30, ref="P2"),
     promise_ended(5, ref="P2"), silent(6, 11), promise_ended(6)], 11, True),
    ("a promise judged again when nothing of it was open spoils no day",
     [promised(1, 2), promise_ended(3, "kept"), silent(4, 8), promise_ended(8)], 8, True),
    ("a promise that is entered late spoils the days since it was made", [silent(4, 8), promised(6, 20, told_on=8)], 8,
     False),
    ("a hold that is entered late spoils the days since it began", [silent(4, 8), held(5, 6)], 8, False),
    ("a hold of a later day says nothing of this one", [silent(4, 8), held(9, 12)], 8, True),
    ("a hold within the run", [silent(4, 6), held(6, 6), silent(7, 8)], 8, False),
    ("a hold that was lifted: its last day is none of the run", [held(5, 10), silent(4, 14)], 14, False),
    ("five silent days after a hold", [held(5, 10), silent(4, 15)], 15, True),
    ("a hold before the run", [held(1, 3), silent(4, 8)], 8, True),
    ("the debtor rang in", [silent(4, 9), reached(9)], 9, False),
    ("the debtor was met on a visit", [silent(4, 9), met(9)], 9, False),
    ("five silent days after he was met", [silent(4, 8), met(9), silent(10, 14)], 14, True),
]  # fmt: skip


@pytest.mark.parametrize(("what", "acts", "asked", "lost"), RUNS, ids=[row[0] for row in RUNS])
def test_a_run_of_silent_days_starts_anew_after_a_promise_a_hold_or_a_connection(
    what: str, acts: list[Acts], asked: int, lost: bool
) -> None:
    case = opened()
    for act in acts:
        act(case)
    assert isinstance(fire(case, "mark_lost", dpd(asked)), Step) is lost, what


def test_while_a_promise_or_a_hold_is_in_force_the_case_is_not_lost_whatever_was_silent() -> None:
    case = opened()
    silent(4, 8)(case)
    promised(5, 8)(case)
    assert reasons(fire(case, "mark_lost", dpd(8))) == ["days_without_contact"]
    promise_ended(8)(case)
    record(case, "hold", dpd(9), hold="death")
    silent(9, 14)(case)
    assert reasons(fire(case, "mark_lost", dpd(14))) == ["days_without_contact"]


def test_a_reason_never_counts_from_a_day_to_come() -> None:
    verdict = fire(opened(), "mark_lost", dpd(2))
    assert not isinstance(verdict, Step)
    assert verdict.reasons[0].saw["counted_from"] == dpd(2).isoformat()


# ── back in house ─────────────────────────────────────────────────────────────────────────────────────────────────────


def visit_ordered(case: Case) -> None:
    perform(case, "start_visit", dpd(9))


def lost(case: Case) -> None:
    perform(case, "mark_lost", dpd(8))


# (how the case fared before it left for a visit, on DPD 9; what happened by DPD 15; where it comes back to)
HOME: list[tuple[str, list[Acts], list[Acts], str]] = [
    ("nobody ever dialled it", [], [], "phone_collection"),
    ("called, but never five days", [silent(4, 7)], [], "phone_collection"),
    ("connected long ago", [reached(2)], [], "phone_collection"),
    ("it was lost", [lost], [], "lost_contact"),
    ("it was lost, and the debtor rang in meanwhile", [lost], [reached(12)], "phone_collection"),
    ("it was lost, and he was met", [lost], [met(12)], "phone_collection"),
    ("five silent days meanwhile", [], [silent(11, 15)], "lost_contact"),
    ("five silent days, begun before the visit was ordered", [silent(7, 9)], [silent(10, 15)], "lost_contact"),
    ("five silent days that are over", [silent(7, 9)], [silent(10, 11)], "phone_collection"),
    ("four silent days meanwhile", [], [silent(12, 15)], "phone_collection"),
    ("five silent days under a promise", [], [promised(10, 20), silent(11, 15)], "phone_collection"),
]


@pytest.mark.parametrize(("what", "before", "meanwhile", "back"), HOME, ids=[row[0] for row in HOME])
def test_a_visit_given_up_leads_to_lost_only_a_case_that_was_lost_or_silent_for_five_days(
    what: str, before: list[Acts], meanwhile: list[Acts], back: str
) -> None:
    case = opened()
    for act in (*before, visit_ordered, *meanwhile):
        act(case)
    perform(case, "abandon_visit", dpd(15))
    assert case.state == back, what


@pytest.mark.parametrize("left", ["phone_collection", "lost_contact"])
@pytest.mark.parametrize(
    ("away", "back"),
    [("place", "recall"), ("sue", "withdraw"), ("sue", "end_unrecovered"), ("write_off", "undo_write_off")],
)
def test_a_case_that_comes_back_in_house_is_as_it_was_when_it_left(away: str, back: str, left: str) -> None:
    case = in_state(left)
    if left == "lost_contact":  # a visit in between finds nobody and changes nothing
        visit_ordered(case)
    perform(case, away, dpd(max(31, NEEDS[away][2])))
    perform(case, back, dpd(max(61, NEEDS[back][2])))
    assert case.state == left


def test_a_case_that_was_found_again_and_placed_comes_back_to_be_called() -> None:
    case = in_state("lost_contact")
    perform(case, "lead_found", dpd(10))
    perform(case, "place", dpd(31))
    perform(case, "recall", dpd(40))
    assert case.state == "phone_collection"
