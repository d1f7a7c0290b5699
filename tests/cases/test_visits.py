"""Visits: when one may be ordered, what its report may say, and which of them open early placement (1.3.2)."""

from typing import Any

import pytest

from casework.lifecycle.fold import begin
from casework.people.staff.actor import system
from casework.rules.statechart.decide import Step, unmet
from casework.work.cases.case import Case
from casework.work.cases.situation import CaseSituation
from casework.work.promises import PROMISE
from tests.cases.journeys import NEEDS, in_state, perform
from tests.cases.worlds import CHART, POLICY, attempts, dpd, fire, fit_agency, opened, reasons, record, seen
from tests.statechart.small import RULEBOOK

AGENCY = NEEDS["place_early"][1]
SERVICE = system("cli").id


def asked(kind: str, case: Case, days: int, *, actor: str = SERVICE, **given: Any) -> list[str]:
    """Why such a fact of DPD `days` may not be recorded, by the chart's guards."""
    base = seen(case, dpd(days), actor=actor, given=given)
    now = CaseSituation(base.case, base.today, base.policy, base.actor, given, on=dpd(days))
    return [reason.code for reason in unmet(CHART.facts[kind].guards, now)]


def promising(case: Case, days: int) -> list[str]:
    """Why a promise made on DPD `days` may not be entered on that day, by its chart's guards."""
    chart = RULEBOOK.charts[PROMISE.chart]
    ground, made_on, pay_by = chart.openings["made"], dpd(days).isoformat(), dpd(days + 2).isoformat()
    given = {"amount_fen": case.overdue_fen, "made_on": made_on, "pay_by": pay_by}
    data = {"ground": "made", "business_date": made_on, "given": given}
    promise = begin(PROMISE, 1, "S1", chart, data, POLICY, case)
    now = PROMISE.situation(promise, dpd(days), POLICY, "S1", given, parent=case)
    return [reason.code for reason in unmet(ground.guards, now)]


def in_vain(case: Case, days: int, photo: str) -> None:
    record(case, "visit", dpd(days), outcome="not_found", person_met="nobody", photo=photo)
    assert isinstance(fire(case, "not_found", dpd(days)), Step)


def place_early(case: Case, days: int = 20) -> list[str]:
    fit_agency(case, dpd(days))
    return reasons(fire(case, "place_early", dpd(days), **AGENCY))


# ── ordering one ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("principal", [1, 5_000_000, 5_000_001])
def test_a_lost_case_may_be_visited_at_once_whatever_is_owed_and_without_a_repair(principal: int) -> None:
    case = in_state("lost_contact")
    case.principal_at_opening_fen = principal
    assert reasons(fire(case, "start_visit", dpd(9))) == []


# (principal; where the case stands at DPD 31; visited; may it be placed without a repair?)
PLACED = [
    (5_000_000, "lost", False, False),
    (5_000_001, "lost", False, True),
    (5_000_000, "lost, visit ordered", False, False),  # an order alone is no visit
    (5_000_000, "lost, visit ordered", True, True),
    (5_000_000, "called", False, True),
    (5_000_000, "called, visit ordered", False, True),
]


@pytest.mark.parametrize(("principal", "where", "visited", "placed"), PLACED)
def test_a_small_lost_case_is_placed_only_after_a_repair_or_a_visit(
    principal: int, where: str, visited: bool, placed: bool
) -> None:
    case = in_state("lost_contact" if where.startswith("lost") else "phone_collection")
    case.principal_at_opening_fen = principal
    if where.endswith("visit ordered"):
        perform(case, "start_visit", dpd(9))
        case.facts.repaired_on = None
    if visited:
        in_vain(case, 10, "p1")
    fit_agency(case, dpd(31))
    assert reasons(fire(case, "place", dpd(31), **AGENCY)) == ([] if placed else ["repair_duty_done"])


# ── the report ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("outcome", "person_met", "codes"),
    [
        ("found", "debtor", []),
        ("found", "family", []),
        ("found", "nobody", ["person_met_fits"]),
        ("not_found", "nobody", []),
        ("not_found", "neighbour", []),
        ("not_found", "debtor", ["person_met_fits"]),
    ],
)
def test_whom_a_visit_met_fits_whether_it_found_the_debtor(outcome: str, person_met: str, codes: list[str]) -> None:
    given = {"outcome": outcome, "person_met": person_met, "photo": "p1"}
    assert asked("visit", in_state("home_visit"), 10, **given) == codes


@pytest.mark.parametrize(
    ("actor", "proof", "codes"),
    [
        (SERVICE, {"photo": "p1"}, []),
        ("S1", {"photo": "p1"}, ["photo_by_a_visit"]),
        ("S1", {"photo": "p1", "stated": True}, ["photo_by_a_visit"]),
        ("S1", {"stated": True}, []),
        ("S1", {}, ["visit_proven"]),
    ],
)
def test_who_records_a_visit_by_hand_gives_their_word_and_no_photo(
    actor: str, proof: dict[str, Any], codes: list[str]
) -> None:
    given = {"outcome": "not_found", "person_met": "nobody", **proof}
    assert asked("visit", in_state("home_visit"), 10, actor=actor, **given) == codes


def test_visits_recorded_by_hand_place_nothing_early() -> None:
    case = in_state("home_visit")
    for days in (10, 11):
        record(case, "visit", dpd(days), outcome="not_found", person_met="nobody", stated=True)
        assert isinstance(fire(case, "not_found", dpd(days)), Step)
    assert place_early(case) == ["failed_visits"]


def test_one_photo_proves_one_visit_of_a_case_and_another_photo_another() -> None:
    case = in_state("home_visit")
    in_vain(case, 10, "p1")
    again = {"outcome": "not_found", "person_met": "nobody"}
    assert asked("visit", case, 11, photo="p1", **again) == ["photo_is_new"]
    assert asked("visit", case, 11, photo="p2", **again) == []


@pytest.mark.parametrize(
    ("contact", "codes"),
    [
        (None, ["debtor_connected_that_day"]),
        ((9, "debtor"), ["debtor_connected_that_day"]),  # yesterday
        ((10, "third_party"), ["debtor_connected_that_day"]),
        ((10, "debtor"), []),
    ],
)
def test_a_promise_needs_a_contact_with_the_debtor_on_its_day(
    contact: tuple[int, str] | None, codes: list[str]
) -> None:
    case = opened()
    if contact:
        attempts(case, dpd(contact[0]), 1, contact[1])
    assert promising(case, 10) == codes


def test_a_promise_may_be_made_at_the_door() -> None:
    case = in_state("home_visit")
    record(case, "visit", dpd(10), outcome="found", person_met="debtor", photo="p1")
    assert promising(case, 10) == []


# ── two in vain ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_visits_in_vain_on_different_days_open_early_placement() -> None:
    case = in_state("home_visit")
    in_vain(case, 10, "p1")
    assert place_early(case) == ["failed_visits"]
    in_vain(case, 11, "p2")
    assert place_early(case) == []


def test_two_visits_on_one_day_do_not() -> None:
    case = in_state("home_visit")
    in_vain(case, 10, "p1")
    in_vain(case, 10, "p2")
    assert place_early(case) == ["failed_visits"]


@pytest.mark.parametrize("how", ["found", "reached"])
def test_a_visit_in_vain_from_before_the_debtor_was_found_or_reached_does_not_count(how: str) -> None:
    case = in_state("home_visit")
    in_vain(case, 10, "p1")
    perform(case, how, dpd(11))
    perform(case, "start_visit", dpd(12))
    in_vain(case, 13, "p2")
    assert place_early(case) == ["failed_visits"]
    in_vain(case, 14, "p3")
    assert place_early(case) == []


def test_a_visit_in_vain_from_before_one_was_given_up_counts_if_nobody_saw_the_debtor_since() -> None:
    case = in_state("home_visit")
    in_vain(case, 10, "p1")
    perform(case, "abandon_visit", dpd(11))
    perform(case, "start_visit", dpd(12))
    in_vain(case, 13, "p2")
    assert place_early(case) == []
