"""Every guard of a case, at its boundaries: facts on one side, the verdict on the other."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from casework.rules.statechart.decide import Option, options, unmet
from casework.work.cases.case import (
    AgencyFile,
    AttemptDay,
    Case,
    Facts,
    FailedVisit,
    Placement,
)
from casework.work.cases.registry import REGISTRY
from tests.cases.worlds import CHART, DUE, POLICY, ask, attempts, dpd, fire, measured, opened, reasons, record, seen

BOUNDARIES = (0, 1, 3, 4, 30, 31, 60, 61, 90, 91, 180, 181, 270, 271, 360, 361)
DAY = timedelta(days=1)
T = dpd(20)
"""The business date of most rows."""
Change = Callable[[Case], None]


def facts(**values: Any) -> Change:
    def change(case: Case) -> None:
        for name, value in values.items():
            setattr(case.facts, name, value)

    return change


def of_case(**values: Any) -> Change:
    def change(case: Case) -> None:
        for name, value in values.items():
            setattr(case, name, value)

    return change


def both(*changes: Change) -> Change:
    def change(case: Case) -> None:
        for one in changes:
            one(case)

    return change


def nothing(_: Case) -> None:
    """The case as it was opened."""


def file(**changes: Any) -> Change:
    values: dict[str, Any] = {"agency": "agency:1", "active": True, "inspected_on": T, "evaluated_on": T}
    return facts(agency_file=AgencyFile(**values | changes))


def failed(*visits: tuple[date, str], **more: Any) -> Change:
    return facts(failed_visits=[FailedVisit(on, photo) for on, photo in visits], **more)


def placed(**changes: Any) -> Change:
    values: dict[str, Any] = {"agency": "agency:1", "placed_on": T, "term_until": T}
    return facts(placement=Placement(**values | changes))


AGENCY = {"inspection_months": 1, "evaluation_days": 365}
NPL = {"above_dpd": 90, "classes": ["substandard", "doubtful", "loss"]}
LOST_STATE = {"state": "lost_contact"}
LOST_CASE = facts(desk_state="lost_contact")
REPAIR = {"up_to_fen": 5_000_000, "state": "lost_contact"}
FIT = {**NPL, "or_criteria": ["death", "bankruptcy", "fraud"]}
ENDED = {"outcomes": ["enforcement_suspended", "enforcement_ended", "dismissed"]}
EXCLUDED = {"holds": ["death", "dispute"]}

# (guard, its parameters, the case, met?)
TABLE: list[tuple[str, dict[str, Any], Change, bool]] = [
    ("not_in_arrears", {}, of_case(oldest_due_date=None), True),
    ("not_in_arrears", {}, nothing, False),
    ("nothing_outstanding", {}, of_case(outstanding_principal_fen=0), True),
    ("nothing_outstanding", {}, of_case(outstanding_principal_fen=1), False),
    ("non_performing", NPL, facts(risk_class="substandard"), True),
    ("non_performing", NPL, facts(risk_class="loss"), True),
    ("non_performing", NPL, facts(risk_class="special_mention"), False),
    ("non_performing", NPL, nothing, False),
    ("npl_before", {"cut_off": "2023-12-31"}, facts(npl_since=date(2023, 12, 30)), True),
    ("npl_before", {"cut_off": "2023-12-31"}, facts(npl_since=date(2023, 12, 31)), True),
    ("npl_before", {"cut_off": "2023-12-31"}, facts(npl_since=date(2024, 1, 1)), False),
    ("npl_before", {"cut_off": "2023-12-31"}, nothing, False),
    ("debtor_connected_since", {}, facts(fresh=["debtor_connected"]), True),
    ("debtor_connected_since", {}, facts(connected_on=T), False),
    ("still_lost", LOST_STATE, facts(desk_state="lost_contact", desk_since=T), True),
    ("still_lost", LOST_STATE, facts(desk_state="lost_contact", desk_since=T, connected_on=T - DAY), True),
    ("still_lost", LOST_STATE, facts(desk_state="lost_contact", desk_since=T, connected_on=T), False),
    ("still_lost", LOST_STATE, facts(desk_state="lost_contact", desk_since=T, found_on=T), False),
    ("still_lost", LOST_STATE, facts(desk_state="phone_collection", desk_since=T), False),
    ("still_lost", LOST_STATE, nothing, False),
    ("new_number_since", {}, facts(fresh=["new_number"]), True),
    ("new_number_since", {}, facts(repaired_on=T), False),
    ("repair_duty_done", REPAIR, both(LOST_CASE, of_case(principal_at_opening_fen=5_000_001)), True),
    ("repair_duty_done", REPAIR, both(LOST_CASE, of_case(principal_at_opening_fen=5_000_000)), False),
    ("repair_duty_done", REPAIR, both(LOST_CASE, of_case(principal_at_opening_fen=1)), False),
    ("repair_duty_done", REPAIR, both(LOST_CASE, facts(repaired_on=T)), True),
    ("repair_duty_done", REPAIR, both(LOST_CASE, facts(repaired_on=T - 30 * DAY, repair_good_until=T)), True),
    ("repair_duty_done", REPAIR, both(LOST_CASE, facts(repaired_on=T - 31 * DAY, repair_good_until=T - DAY)), False),
    ("repair_duty_done", REPAIR, both(LOST_CASE, facts(visit_photos=["p"])), True),
    ("repair_duty_done", REPAIR, nothing, True),  # it is not lost
    ("visit_on_record", {"outcome": "found"}, facts(fresh=["visit_found"]), True),
    ("visit_on_record", {"outcome": "found"}, facts(fresh=["visit_not_found"]), False),
    ("failed_visits", {"days": 2}, failed((T - DAY, "p1"), (T, "p2")), True),
    ("failed_visits", {"days": 2}, failed((T, "p1"), (T, "p2")), False),  # one day
    ("failed_visits", {"days": 2}, failed((T - DAY, "p1"), (T, "p1")), False),  # one photo
    ("failed_visits", {"days": 2}, failed((T - DAY, "p1"), (T, "p2"), connected_on=T - 2 * DAY), True),
    ("failed_visits", {"days": 2}, failed((T - DAY, "p1"), (T, "p2"), connected_on=T - DAY), False),
    ("failed_visits", {"days": 2}, failed((T - DAY, "p1"), (T, "p2"), found_on=T - DAY), False),
    ("failed_visits", {"days": 2}, nothing, False),
    ("no_hold", EXCLUDED, nothing, True),
    ("no_hold", EXCLUDED, facts(holds=["dispute"]), False),
    ("no_hold", EXCLUDED, facts(holds=["legal"]), True),  # the policy does not name it for this
    ("no_live_exception", {}, nothing, True),
    ("no_live_exception", {}, facts(exception_until=T - DAY), True),
    ("no_live_exception", {}, facts(exception_until=T), False),  # its last day still counts
    ("agency_fit", AGENCY, file(), True),
    ("agency_fit", AGENCY, nothing, False),
    ("agency_fit", AGENCY, file(active=False), False),
    ("agency_fit", AGENCY, file(inspected_on=date(2025, 12, 1)), True),
    ("agency_fit", AGENCY, file(inspected_on=date(2025, 11, 30)), False),
    ("agency_fit", AGENCY, file(evaluated_on=T - 365 * DAY), True),
    ("agency_fit", AGENCY, file(evaluated_on=T - 366 * DAY), False),
    ("no_placement", {}, nothing, True),
    ("no_placement", {}, placed(), False),
    ("no_placement", {}, placed(ended=True), True),
    ("no_placement", {}, placed(term_until=T - DAY), True),
    ("placement_ended", {}, nothing, False),
    ("placement_ended", {}, placed(), False),
    ("placement_ended", {}, placed(ended=True), True),
    ("placement_ended", {}, placed(term_until=T - DAY), True),
    ("placement_not_excluded", EXCLUDED, nothing, True),
    ("placement_not_excluded", EXCLUDED, facts(holds=["complaint"]), True),
    ("placement_not_excluded", EXCLUDED, facts(holds=["complaint", "death"]), False),
    ("disposal_form_filed", {}, facts(disposal_form_on=T), True),
    ("disposal_form_filed", {}, facts(disposal_form_on=T, disposal_form="accepted"), True),
    ("disposal_form_filed", {}, facts(disposal_form_on=T, disposal_form="filed"), False),
    ("disposal_form_filed", {}, facts(disposal_form_on=T, disposal_form="returned"), False),
    ("disposal_form_filed", {}, nothing, False),
    ("limitation_checked", {}, facts(limitation_ends_on=T), True),
    ("limitation_checked", {}, facts(limitation_ends_on=T - DAY), True),  # past, and known to be
    ("limitation_checked", {}, nothing, False),
    ("limitation_running", {}, facts(limitation_ends_on=T), True),
    ("limitation_running", {}, facts(limitation_ends_on=T - DAY), False),
    ("limitation_running", {}, nothing, True),  # that nobody checked it is told by limitation_checked
    ("claim_within_debt", {}, nothing, True),  # nothing claimed yet
    ("debt_due", {}, nothing, True),
    ("debt_due", {}, of_case(oldest_due_date=None), False),
    ("debt_due", {}, both(of_case(oldest_due_date=None), facts(accelerated_on=T)), True),
    ("ruling_on_record", ENDED, facts(rulings=["enforcement_suspended"]), True),
    ("ruling_on_record", ENDED, facts(rulings=["dismissed", "judgment"]), True),
    ("ruling_on_record", ENDED, facts(rulings=["judgment"]), False),
    ("ruling_on_record", ENDED, facts(rulings=["withdrawal_allowed"]), False),
    ("ruling_on_record", ENDED, nothing, False),
    ("no_judgment", {}, nothing, True),
    ("no_judgment", {}, facts(rulings=["withdrawal_allowed"]), True),
    ("no_judgment", {}, facts(rulings=["judgment", "withdrawal_allowed"]), False),
    ("fit_to_write_off", FIT, nothing, True),  # no criterion named yet
    ("principal_outstanding", {}, of_case(outstanding_principal_fen=1), True),
    ("principal_outstanding", {}, of_case(outstanding_principal_fen=0), False),
    ("whole_principal", {}, nothing, True),  # no sum named yet
    ("interest_within_books", {}, nothing, True),
    ("matter_open", {}, facts(matter_open=True), True),
    ("matter_open", {}, nothing, False),
    ("opened_for_arrears", {}, nothing, True),
    ("opened_for_arrears", {}, of_case(opened_for="old_npl"), True),
    ("opened_for_arrears", {}, of_case(opened_for="misuse"), False),
    ("opened_for_arrears", {}, of_case(opened_for="finding"), False),
    ("not_accelerated", {}, nothing, True),
    ("not_accelerated", {}, facts(accelerated_on=T), False),
    ("agreement_filed", {}, facts(agreed_fen=100), True),
    ("agreement_filed", {}, nothing, False),
    ("agreed_sum_received", {}, facts(agreed_fen=100, received_fen={"pay:1": 60, "pay:2": 40}), True),
    ("agreed_sum_received", {}, facts(agreed_fen=100, received_fen={"pay:1": 99}), False),
    ("agreed_sum_received", {}, facts(agreed_fen=100), False),
    ("agreed_sum_received", {}, nothing, True),  # that there is no agreement is told by agreement_filed
    ("written_off_sum_received", {}, facts(written_off_on=T, written_off_fen=100, recovered_fen=100), True),
    ("written_off_sum_received", {}, facts(written_off_on=T, written_off_fen=100, recovered_fen=99), False),
    ("written_off_sum_received", {}, nothing, False),
    ("claim_written_off", {}, facts(written_off_on=T), True),
    ("claim_written_off", {}, nothing, False),
    ("dated_since_opening", {}, nothing, True),  # no day named yet; with one: a test below
    ("dated_since_suit", {}, nothing, True),
    ("recovery_counted", {}, nothing, False),  # the payment is in the event's data: test_fold
    ("recovery_falls_short", {}, nothing, True),
    ("recovery_falls_short", {}, facts(written_off_on=T, written_off_fen=9, settled_as="paid_in_full"), True),
    ("recovery_falls_short", {}, facts(written_off_on=T, settled_as="paid_in_full"), False),
    ("recovery_falls_short", {}, facts(written_off_on=T, settled_as="compromise"), True),
    ("settled_by_corrected_feed", {}, nothing, False),  # the day is in the event's data: test_fold
    ("settling_payment_reversed", {}, facts(settlement_since=T - DAY, reversed_paid_on=T - DAY), True),
    ("settling_payment_reversed", {}, facts(settlement_since=T, reversed_paid_on=T - DAY), False),
    ("settling_payment_reversed", {}, facts(settlement_since=T), False),
    ("settled_from", {"state": "written_off"}, facts(settled_from="written_off"), True),
    ("settled_from", {"state": "written_off"}, facts(settled_from="litigation"), False),
    ("settled_for", {"days": 180}, facts(settled_on=T - 181 * DAY), True),
    ("settled_for", {"days": 180}, facts(settled_on=T - 180 * DAY), False),  # the window's last day
    ("settled_for", {"days": 180}, nothing, False),
    ("transfer_contract_filed", {}, facts(transfer_contract_on=T), True),
    ("transfer_contract_filed", {}, nothing, False),
    ("debtor_notified", {}, facts(debtor_notified_on=T), True),
    ("debtor_notified", {}, nothing, False),
    ("opened_by_corrected_feed", {}, of_case(opened_on=T), True),
    ("opened_by_corrected_feed", {}, of_case(opened_on=T, opened_for="old_npl"), True),
    ("opened_by_corrected_feed", {}, of_case(opened_on=T - DAY), False),
    ("opened_by_corrected_feed", {}, of_case(opened_on=T, opened_by="B1"), False),
    ("opened_by_corrected_feed", {}, of_case(opened_on=T, opened_for="misuse"), False),
    ("ground_to_cancel", {}, facts(opening_error_on=T), True),
    ("ground_to_cancel", {}, facts(finding_cleared_on=T), False),  # but still in arrears
    ("ground_to_cancel", {}, both(facts(finding_cleared_on=T), of_case(oldest_due_date=None)), True),
    ("ground_to_cancel", {}, of_case(oldest_due_date=None), False),
    ("actor_is_not_opener", {}, nothing, True),
    ("actor_is_not_opener", {}, of_case(opened_by="S1"), False),
]  # fmt: skip
BY_DAYS: dict[str, tuple[dict[str, Any], Callable[[int], bool]]] = {
    "in_arrears": ({}, lambda days: days >= 1),
    "debt_due": ({}, lambda days: days >= 1),
    "dpd_at_least": ({"days": 31}, lambda days: days >= 31),
    "dpd_at_most": ({"days": 30}, lambda days: days <= 30),
    "non_performing": (NPL, lambda days: days > 90),
}


@pytest.mark.parametrize(("guard", "params", "change", "met"), TABLE)
def test_a_guard_says_what_its_facts_say(guard: str, params: dict[str, Any], change: Change, met: bool) -> None:
    case = opened()
    change(case)
    verdict = ask(guard, case, T, params)
    assert verdict.met is met
    assert REGISTRY.guards[guard].facts <= verdict.saw.keys() | verdict.needs.keys()


# Books of the case, in fen: principal 3,000,000 outstanding, 100,000 overdue; overdue interest 2,000, penalty 100.
# (guard, its parameters, the data given, the case, met?)
GIVEN_TABLE: list[tuple[str, dict[str, Any], dict[str, Any], Change, bool]] = [
    ("claim_within_debt", {}, {"claim_fen": 102_100}, nothing, True),
    ("claim_within_debt", {}, {"claim_fen": 102_101}, nothing, False),
    ("claim_within_debt", {}, {"claim_fen": 3_002_100}, nothing, False),  # neither accelerated nor matured
    ("claim_within_debt", {}, {"claim_fen": 3_002_100}, facts(accelerated_on=T), True),
    ("claim_within_debt", {}, {"claim_fen": 3_002_101}, facts(accelerated_on=T), False),
    ("claim_within_debt", {}, {"claim_fen": 3_002_100}, of_case(overdue_principal_fen=3_000_000), True),  # matured
    ("claim_within_debt", {}, {"claim_fen": 999_999_999_999}, facts(accelerated_on=T), False),
    ("whole_principal", {}, {"principal_fen": 3_000_000}, nothing, True),
    ("whole_principal", {}, {"principal_fen": 2_999_999}, nothing, False),
    ("whole_principal", {}, {"principal_fen": 3_000_001}, nothing, False),
    ("whole_principal", {}, {"principal_fen": 1}, nothing, False),
    ("whole_principal", {}, {"principal_fen": 0}, nothing, False),
    ("interest_within_books", {}, {"interest_fen": 0}, nothing, True),
    ("interest_within_books", {}, {"interest_fen": 2_100}, nothing, True),
    ("interest_within_books", {}, {"interest_fen": 2_101}, nothing, False),
    *(("fit_to_write_off", FIT, {"criterion": one}, nothing, True) for one in ("death", "bankruptcy", "fraud")),
    *(("fit_to_write_off", FIT, {"criterion": one}, nothing, False)
      for one in ("long_overdue", "enforcement_suspended", "enforcement_ended", "other")),
    *(("fit_to_write_off", FIT, {"criterion": one}, facts(risk_class="substandard"), True)
      for one in ("long_overdue", "enforcement_suspended", "enforcement_ended", "other", "death")),
    ("fit_to_write_off", FIT, {"criterion": "other"}, of_case(oldest_due_date=T - 90 * DAY), False),
    ("fit_to_write_off", FIT, {"criterion": "other"}, of_case(oldest_due_date=T - 91 * DAY), True),
]  # fmt: skip


@pytest.mark.parametrize(("guard", "params", "given", "change", "met"), GIVEN_TABLE)
def test_a_guard_on_what_is_asked_for_holds_it_against_the_books(
    guard: str, params: dict[str, Any], given: dict[str, Any], change: Change, met: bool
) -> None:
    case = opened()
    change(case)
    verdict = ask(guard, case, T, params, given=given)
    assert verdict.met is met
    assert REGISTRY.guards[guard].facts <= verdict.saw.keys() | verdict.needs.keys()


@pytest.mark.parametrize("days", BOUNDARIES)
@pytest.mark.parametrize("guard", BY_DAYS)
def test_a_guard_on_days_past_due_turns_exactly_at_its_figure(guard: str, days: int) -> None:
    params, expected = BY_DAYS[guard]
    assert ask(guard, opened(DUE), dpd(days), params).met is expected(days)
    number = REGISTRY.guards[guard].number
    assert number is None or number(days, params) is expected(days)


def test_every_guard_is_in_a_table() -> None:
    by_themselves = {
        "days_without_contact",
        "no_newer_case",
        "nothing_by_a_repair",
        "person_met_fits",
        "photo_by_a_visit",
        "photo_is_new",
        "repair_has_source",
        "snapshot_in_time",
        "visit_proven",
    }
    tested = {row[0] for row in TABLE} | BY_DAYS.keys() | by_themselves
    assert tested == REGISTRY.guards.keys()


def test_a_repair_that_a_person_records_names_source_and_ground_and_a_form_not_filled_in_is_no_fault() -> None:
    where = {"source": "debtor", "legal_basis": "consent"}
    for said, met in (({}, True), ({"outcome": "new_number"} | where, True), ({"outcome": "new_number"}, False)):
        assert ask("repair_has_source", opened(), T, given=said).met is met


def test_that_nothing_was_found_is_no_persons_to_say() -> None:
    for outcome, met in (("nothing_new", False), ("new_address", True)):
        assert ask("nothing_by_a_repair", opened(), T, given={"outcome": outcome}).met is met


def test_a_newer_case_of_the_loan_bars_a_reversal() -> None:
    assert ask("no_newer_case", opened(), T).met
    assert not ask("no_newer_case", opened(), T, gathered={"newer_case": 2}).met


IN_TIME: list[tuple[str | None, int, bool, int]] = [
    (None, 0, True, 0), (T.isoformat(), 0, True, 0), ((T - DAY).isoformat(), 0, True, 0),
    ((T + DAY).isoformat(), 0, False, 1), ((T + DAY).isoformat(), 1, True, 1), ((T + 2 * DAY).isoformat(), 1, False, 2),
]  # fmt: skip


@pytest.mark.parametrize(("closed_on", "at_most", "met", "behind"), IN_TIME)
def test_nothing_is_placed_while_closed_days_lie_further_ahead_of_the_feed_than_the_policy_lets(
    closed_on: str | None, at_most: int, met: bool, behind: int
) -> None:
    gathered = {} if closed_on is None else {"closed_on": closed_on}
    verdict = ask("snapshot_in_time", opened(), T, {"days": at_most}, gathered=gathered)
    assert (verdict.met, verdict.saw["days_behind"], verdict.opens_on) == (met, behind, None)


def test_of_what_changes_a_case_placements_alone_wait_for_a_feed() -> None:
    waiting = {
        event.name for event in CHART.events.values() for arc in event.arcs.values()
        for use in arc.guards if use.guard.name == "snapshot_in_time"
    }  # fmt: skip
    assert waiting == {"place", "place_early", "rotate"}


@pytest.mark.parametrize("agency", ["agency:2", "agency:1"])
def test_only_the_agency_on_file_may_receive_the_case(agency: str) -> None:
    case = opened()
    file()(case)
    verdict = ask("agency_fit", case, T, AGENCY, given={"agency": agency})
    assert verdict.met is (agency == "agency:1")
    assert verdict.saw["missing"] == ([] if verdict.met else ["no_file"])


MONTHLY: list[tuple[date, date, bool]] = [
    (date(2026, 1, 1), date(2025, 12, 1), True), (date(2026, 1, 31), date(2025, 12, 1), True),
    (date(2026, 2, 1), date(2025, 12, 31), False), (date(2026, 2, 1), date(2026, 1, 1), True),
    (date(2026, 2, 28), date(2026, 1, 1), True), (date(2026, 3, 1), date(2026, 1, 31), False),
    (date(2026, 3, 31), date(2026, 3, 1), True), (date(2027, 1, 31), date(2026, 12, 1), True),
]  # fmt: skip


@pytest.mark.parametrize(("today", "inspected_on", "fit"), MONTHLY)
def test_an_agency_is_inspected_once_in_every_calendar_month(today: date, inspected_on: date, fit: bool) -> None:
    """In this month or, until it ends, in the month before (3.3): never by counting days."""
    case = opened()
    file(inspected_on=inspected_on, evaluated_on=today)(case)
    verdict = ask("agency_fit", case, today, AGENCY)
    assert (verdict.met, verdict.saw["missing"]) == (fit, [] if fit else ["inspection_overdue"])


# ── five days without contact (1.3.1c) ────────────────────────────────────────────────────────────────────────

LOST = {"days": 5, "from_dpd": 4, "attempts_per_day": 2, "holds": ["dispute"], "broken_by": ["debtor"]}
GAP, ONE, REACHED, THIRD, SENT = "gap", "one", "reached", "third", "sent"
FULL = "full"
DAYS: list[tuple[str, list[str], int, bool]] = [
    ("five full days from DPD 4, asked at the close of DPD 8", [FULL] * 5, 8, True),
    ("the fifth day is not closed yet", [FULL] * 5, 7, False),
    ("four days only", [FULL] * 4, 8, False),
    ("a day without attempts between them", [FULL, FULL, GAP, FULL, FULL, FULL], 9, False),
    ("a day with one attempt only", [FULL, FULL, ONE, FULL, FULL], 8, False),
    ("one attempt after five full days: the count starts anew", [*[FULL] * 5, ONE], 9, False),
    ("days without attempts after five full days: no earlier day is marked", [*[FULL] * 5, GAP, GAP], 11, False),
    ("six full days", [FULL] * 6, 9, True),
    ("five full days after a broken run", [FULL, ONE, *[FULL] * 5], 10, True),
    ("the debtor was reached on the fifth day", [*[FULL] * 4, REACHED], 8, False),
    ("the debtor was reached after five full days", [*[FULL] * 5, REACHED], 9, False),
    ("five full days after the debtor was reached", [FULL, REACHED, *[FULL] * 5], 10, True),
    ("a third party answered, not the debtor", [*[FULL] * 4, THIRD], 8, True),
    ("messages are not calls", [*[FULL] * 4, SENT], 8, False),
]


@pytest.mark.parametrize(("what", "days", "asked", "met"), DAYS)
def test_lost_contact_needs_five_days_in_a_row_with_two_calls_and_nobody_reached(
    what: str, days: list[str], asked: int, met: bool
) -> None:
    case = opened()
    for number, day in enumerate(days):
        on = dpd(4 + number)
        if day in {FULL, ONE}:
            attempts(case, on, 2 if day == FULL else 1)
        elif day == REACHED:
            attempts(case, on, 1, "debtor")
        elif day == THIRD:
            attempts(case, on, 2, "third_party")
        elif day == SENT:
            attempts(case, on, 2, channel="message")
    assert ask("days_without_contact", case, dpd(asked), LOST).met is met, what


@pytest.mark.parametrize(
    ("broken_by", "lost"),
    [
        (["debtor"], True), (["debtor", "contact"], False), (["debtor", "co_borrower", "guarantor"], True),
        (["debtor", "co_borrower", "guarantor", "contact"], False),
    ],
)  # fmt: skip
def test_whose_answer_breaks_the_run_beside_the_debtors_is_the_policys_to_say(broken_by: list[str], lost: bool) -> None:
    """A contact answered on the third of five silent days."""
    case = opened()
    for days in range(4, 9):
        attempts(case, dpd(days))
    case.facts.attempt_days[2].answered.append("contact")
    assert ask("days_without_contact", case, dpd(8), LOST | {"broken_by": broken_by}).met is lost


def test_days_before_dpd_4_do_not_count() -> None:
    case = opened()
    for days in range(1, 8):
        attempts(case, dpd(days))
    verdict = ask("days_without_contact", case, dpd(7), LOST)
    assert (verdict.met, verdict.saw["days_in_a_row"]) == (False, 4)


def test_a_case_opened_for_a_finding_counts_from_its_opening() -> None:
    case = opened(dpd(0), ground="finding")
    for days in range(5):
        attempts(case, dpd(days))
    assert ask("days_without_contact", case, dpd(4), LOST).met


def test_a_case_that_came_back_counts_from_its_return() -> None:
    case = opened()
    case.facts.desk_since = dpd(20)
    for days in [*range(4, 9), *range(20, 25)]:
        attempts(case, dpd(days))
    assert not ask("days_without_contact", case, dpd(24), LOST).met, "the day of the return is none of them"
    attempts(case, dpd(25))
    assert ask("days_without_contact", case, dpd(25), LOST).met


def test_the_first_of_the_five_days_alone_needs_dpd_4_by_the_due_date_of_that_day() -> None:
    case = opened()
    for days in range(3, 9):
        attempts(case, dpd(days))
    assert ask("days_without_contact", case, dpd(8), LOST).met
    measured(case, dpd(6), oldest_due_date=dpd(3).isoformat())  # a part payment: DPD 3 and less from there on
    assert ask("days_without_contact", case, dpd(8), LOST).met
    assert not ask("days_without_contact", case, dpd(7), LOST).met, "its first day was DPD 3"
    measured(case, dpd(9), oldest_due_date=dpd(0).isoformat())
    assert ask("days_without_contact", case, dpd(8), LOST).met, "what is learnt later says nothing of that day"


@given(st.lists(st.sampled_from([0, 1, 2, 3, -1]), max_size=30), st.integers(0, 40))
def test_lost_contact_is_what_a_plain_reading_of_the_rule_gives(counts: list[int], asked: int) -> None:
    """-1 stands for a day on which the debtor was reached."""
    case = opened(dpd(1))
    case.facts.attempt_days = [
        AttemptDay(dpd(number), max(count, 1), count < 0) for number, count in enumerate(counts) if count
    ]
    lost = asked - 4 >= 4 and len(counts) > asked and all(count >= 2 for count in counts[asked - 4 : asked + 1])
    assert ask("days_without_contact", case, dpd(asked), LOST).met is lost


# ── what every guard owes ─────────────────────────────────────────────────────────────────────────────────────

_DAYS = st.integers(-400, 400).map(dpd)
_MAYBE = st.none() | _DAYS
_HOLDS = st.lists(st.sampled_from(["dispute", "death", "complaint"]), unique=True).map(sorted)
_PEOPLE = st.sampled_from(["S1", "A", "B", "P"])
_FACTS = st.builds(
    Facts,
    attempt_days=st.lists(
        st.builds(AttemptDay, _DAYS, st.integers(0, 3), st.booleans()), max_size=8, unique_by=lambda day: day.on
    ).map(lambda days: sorted(days, key=lambda day: day.on)),
    connected_on=_MAYBE, found_on=_MAYBE, desk_since=_MAYBE,
    desk_state=st.sampled_from([None, "phone_collection", "lost_contact"]),
    fresh=st.lists(st.sampled_from(["debtor_connected", "new_number", "visit_found", "visit_not_found"])),
    promise_pay_by=_MAYBE, holds=_HOLDS, repaired_on=_MAYBE,
    failed_visits=st.lists(st.builds(FailedVisit, _DAYS, st.sampled_from(["p1", "p2"])), max_size=3),
    visit_photos=st.lists(st.sampled_from(["p1", "p2"]), unique=True),
    agency_file=st.none() | st.builds(AgencyFile, st.just("agency:1"), st.booleans(), _DAYS, _DAYS),
    placement=st.none() | st.builds(Placement, st.just("agency:1"), _DAYS, _DAYS, st.booleans()),
    exception_until=_MAYBE, disposal_form_on=_MAYBE, limitation_ends_on=_MAYBE, accelerated_on=_MAYBE,
    matter_open=st.booleans(),
    rulings=st.lists(st.sampled_from(["judgment", "dismissed", "withdrawal_allowed"]), unique=True).map(sorted),
    agreed_fen=st.none() | st.integers(1, 9), transfer_contract_on=_MAYBE,
    received_fen=st.dictionaries(st.sampled_from(["pay:1", "pay:2"]), st.integers(1, 9)),
    debtor_notified_on=_MAYBE, opening_error_on=_MAYBE, finding_cleared_on=_MAYBE,
    risk_class=st.sampled_from([None, "special_mention", "loss"]), npl_since=_MAYBE,
    settled_from=st.sampled_from([None, *CHART.states]), settled_on=_MAYBE, settlement_since=_MAYBE,
    settled_as=st.sampled_from([None, "arrears_cleared", "paid_in_full", "compromise"]), written_off_on=_MAYBE,
    written_off_fen=st.integers(0, 9), recovered_fen=st.integers(0, 9),
    reversed_paid_on=_MAYBE, material_version=st.integers(1, 2),
)  # fmt: skip


GIVEN_ANYHOW = {
    "agency": "agency:1", "criterion": "other", "principal_fen": 1, "interest_fen": 9_999, "claim_fen": 9_999_999,
}  # fmt: skip


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Case, date]:
    """Any case on any day, sensible or not: a guard must have an answer to all of them."""
    today = draw(_DAYS)
    case = opened(draw(_DAYS))
    case.facts = draw(_FACTS)
    case.state = draw(st.sampled_from(sorted(CHART.states)))
    case.state_since = draw(_DAYS)
    case.oldest_due_date = draw(_MAYBE)
    case.opened_for = draw(st.sampled_from(sorted(CHART.openings)))
    case.opened_by = draw(_PEOPLE)
    case.principal_at_opening_fen = draw(st.sampled_from([1, 5_000_000, 5_000_001]))
    case.outstanding_principal_fen = draw(st.integers(0, 1))
    return case, today


def _uses() -> list[Any]:
    found: dict[tuple[str, str], Any] = {}
    for event in CHART.events.values():
        found |= {(use.guard.name, repr(use.params)): use for use in event.flags}
        for arc in event.arcs.values():
            for use in (*arc.guards, *(use for branch in arc.branches for use in branch.when)):
                found[use.guard.name, repr(use.params)] = use
    for opening in CHART.openings.values():
        found |= {(use.guard.name, repr(use.params)): use for use in opening.guards}
    for kind in CHART.facts.values():
        found |= {(use.guard.name, repr(use.params)): use for use in kind.guards}
    return list(found.values())


@given(worlds())
def test_every_guard_answers_with_a_bool_the_facts_it_quotes_and_text_in_both_languages(
    world: tuple[Case, date],
) -> None:
    case, today = world
    nothing_given: dict[str, Any] = {}
    for now in (seen(case, today, given=GIVEN_ANYHOW), seen(case, today, given=nothing_given)):
        for use in _uses():
            verdict = use.verdict(now)
            assert type(verdict.met) is bool
            assert use.guard.facts <= verdict.saw.keys() | verdict.needs.keys()
            for reason in unmet([use], now):
                assert reason.zh
                assert reason.en
                assert not {"{", "–", "None"} & set(re.findall(r"{|–|None", reason.zh + reason.en)), reason


def test_where_a_value_is_missing_the_reason_has_a_text_of_its_own() -> None:
    case = opened(ground="old_npl")
    use = next(use for use in CHART.openings["old_npl"].guards if use.guard.name == "npl_before")
    (reason,) = unmet([use], seen(case, T))
    assert reason.zh == "没有不良认定日；须在2023-12-31或之前"
    case.facts.npl_since = date(2024, 1, 1)
    (reason,) = unmet([use], seen(case, T))
    assert reason.zh == "不良认定日（2024-01-01）须在2023-12-31或之前"


@given(worlds())
def test_on_opens_on_an_unmet_guard_is_met_and_the_day_before_it_is_not(world: tuple[Case, date]) -> None:
    case, today = world
    for use in _uses():
        now = seen(case, today, given=GIVEN_ANYHOW)
        verdict = use.verdict(now)
        if verdict.met or verdict.opens_on is None:
            continue
        assert verdict.opens_on > today
        assert use.verdict(now.at(verdict.opens_on)).met
        assert not use.verdict(now.at(verdict.opens_on - DAY)).met


@given(worlds())
def test_when_time_alone_opens_an_event_it_is_open_on_that_day(world: tuple[Case, date]) -> None:
    case, today = world
    now = seen(case, today, given=GIVEN_ANYHOW)
    everyone = frozenset(CHART.posts)
    for option in options(CHART, case.state, now, everyone):
        if option.opens_on is not None:
            assert not option.allowed
            assert _option(options(CHART, case.state, now.at(option.opens_on), everyone), option.event).allowed


def _option(found: list[Option], event: str) -> Option:
    return next(option for option in found if option.event == event)


def test_what_lapses_before_it_would_open_is_not_promised() -> None:
    """Due for placement in eleven days, but by then the agency's inspection is too old."""
    case = opened()
    file(inspected_on=dpd(-5))(case)
    now = seen(case, dpd(20), given=GIVEN_ANYHOW)
    place = _option(options(CHART, "phone_collection", now, frozenset({"agency_post"})), "place")
    assert [reason.code for reason in place.reasons] == ["dpd_at_least"]
    assert place.reasons[0].opens_on == dpd(31)
    assert place.opens_on is None


@pytest.mark.parametrize(
    ("kind", "change", "on", "told"),
    [
        ("ruling", facts(sued_on=T), T, None),
        ("ruling", facts(sued_on=T), T + DAY, None),
        ("ruling", facts(sued_on=T), T - DAY, f"裁判文书的日期早于起诉日{T}"),
        ("ruling", nothing, T, "案件没有起诉，不能登记裁判文书"),
        ("agreement", nothing, dpd(1), None),
        ("agreement", nothing, dpd(0), f"减免协议的日期早于入催日{dpd(1)}"),
    ],
)
def test_a_fact_is_no_older_than_what_it_is_of(kind: str, change: Change, on: date, told: str | None) -> None:
    case = opened()
    change(case)
    found = unmet(CHART.facts[kind].guards, replace(seen(case, T + DAY), on=on))
    assert [reason.zh for reason in found] == ([told] if told else [])


def test_codes_and_amounts_are_told_in_words_and_yuan() -> None:
    case = opened()
    record(case, "hold", T, hold="dispute")
    record(case, "hold", T, hold="death")
    use = next(use for use in _uses() if use.guard.name == "no_hold")
    (reason,) = unmet([use], seen(case, T))
    assert (reason.zh, reason.en) == ("案件因死亡、争议停催", "the case is on hold: death, dispute")
    case.facts.desk_state = "lost_contact"
    use = next(use for use in _uses() if use.guard.name == "repair_duty_done")
    (reason,) = unmet([use], seen(case, T))
    assert "30,000.00元" in reason.zh
    assert "50,000.00" in reason.en
    assert POLICY.figure("repair.duty_up_to_fen") == 5_000_000


@pytest.mark.parametrize(
    ("kind", "given", "event"),
    [
        ("visit", {"outcome": "found", "person_met": "debtor", "photo": "p1"}, "reached"),
        ("information_repair", {"outcome": "new_number", "source": "debtor", "legal_basis": "law"}, "lead_found"),
    ],
)
def test_what_happened_before_the_case_was_lost_does_not_find_it_though_recorded_today(
    kind: str, given: dict[str, Any], event: str
) -> None:
    case, today = opened(), dpd(8)
    for day in range(4, 9):
        attempts(case, dpd(day))
    assert reasons(fire(case, "mark_lost", today)) == []
    record(case, kind, today - timedelta(days=1), today=today, **given)
    assert reasons(fire(case, event, today)) != []
    record(case, kind, today, today=today, **given)
    assert reasons(fire(case, event, today)) == []


def test_a_visit_of_an_earlier_time_is_none_of_those_ordered_now() -> None:
    case, today = opened(), dpd(8)
    assert reasons(fire(case, "start_visit", today)) == []
    in_vain: dict[str, Any] = {"outcome": "not_found", "person_met": "nobody"}
    record(case, "visit", today - timedelta(days=1), today=today, photo="p1", **in_vain)
    assert reasons(fire(case, "not_found", today)) == ["visit_on_record"]
    record(case, "visit", today, photo="p2", **in_vain)
    record(case, "visit", today - timedelta(days=1), today=today, photo="p3", **in_vain)
    assert reasons(fire(case, "not_found", today)) == []
    assert case.facts.failed_visits == [FailedVisit(today, "p2")]
