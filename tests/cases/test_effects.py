"""What events and facts do to a case, one row each, and that nothing else changes."""

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from casework.work.cases.case import (
    COLUMNS,
    AgencyFile,
    AttemptDay,
    Case,
    FailedVisit,
    Placement,
    Spoilt,
    Stood,
    to_row,
)
from casework.work.cases.effects import ATTEMPT_DAYS_KEPT
from casework.work.cases.registry import REGISTRY
from tests.cases.worlds import CHART, attempts, dpd, opened, record, seen

T = dpd(20)
DAY = timedelta(days=1)
TERM = (T + 90 * DAY).isoformat()

STOOD = Stood("phone_collection", dpd(1), [])
SETTLED = {
    "settled_from": "litigation", "settled_on": T, "settled_as": "compromise", "settlement_since": T,
    "reversed_paid_on": T, "settled_out_of": STOOD,
}  # fmt: skip

# (effect, its parameters, data given, facts before, facts that differ afterwards)
EFFECTS: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("count_failed_visit", {}, {},
     {"last_failed_visit": FailedVisit(T - DAY, "p1"), "failed_visits": [FailedVisit(T, "p2")],
      "fresh": ["visit_not_found"]},
     {"last_failed_visit": None, "failed_visits": [FailedVisit(T - DAY, "p1"), FailedVisit(T, "p2")], "fresh": []}),
    ("count_failed_visit", {}, {}, {"failed_visits": [FailedVisit(T, "p1")]}, {}),
    ("place_with_agency", {}, {"agency": "agency:1", "term_until": TERM}, {},
     {"placement": Placement("agency:1", T, T + 90 * DAY), "placements": 1}),
    ("end_placement", {"destruction_days": 30}, {}, {"placement": Placement("agency:1", T, T)},
     {"placement": None, "recalled_on": T, "destruction_due_on": T + 30 * DAY}),
    ("end_placement", {"destruction_days": 30}, {"destruction_due_on": TERM}, {},
     {"recalled_on": T, "destruction_due_on": T + 90 * DAY}),
    ("visit_ordered", {}, {"visit_on": TERM}, {}, {"visit_on": T + 90 * DAY}),
    ("grant_exception", {}, {"expires_on": TERM}, {}, {"exception_until": T + 90 * DAY, "exception_on": T}),
    ("open_matter", {}, {}, {"rulings": ["judgment"]}, {"matter_open": True, "sued_on": T, "rulings": []}),
    ("end_matter", {}, {}, {"matter_open": True}, {"matter_open": False, "matter_ended_on": T}),
    ("book_write_off", {}, {"principal_fen": 100, "interest_fen": 20, "penalty_fen": 3},
     {"recoveries": ["p:0"], "recovered_fen": 9},
     {"written_off_on": T, "written_off_fen": 123, "recoveries": [], "recovered_fen": 0}),
    ("book_write_off", {}, {"principal_fen": 100, "interest_fen": 20}, {},
     {"written_off_on": T, "written_off_fen": 120}),
    ("unbook_write_off", {}, {}, {"written_off_on": T, "written_off_fen": 9, "recoveries": ["p:1"], "recovered_fen": 5},
     {"written_off_on": None, "written_off_fen": 0, "recoveries": [], "recovered_fen": 0}),
    ("count_recovery", {}, {"payment": "p:1", "amount_fen": 7}, {"recovered_fen": 5},
     {"recovered_fen": 12, "recoveries": ["p:1"]}),
    ("count_recovery", {}, {"payment": "p:1", "amount_fen": 7}, {"recovered_fen": 7, "recoveries": ["p:1"]}, {}),
    ("uncount_recovery", {}, {"payment": "p:1", "amount_fen": 7},
     {"recovered_fen": 12, "recoveries": ["p:1", "p:2"]}, {"recovered_fen": 5, "recoveries": ["p:2"]}),
    ("settle", {"settled_as": "paid_in_full"}, {}, {"reversed_paid_on": T, "fresh": ["ruling"]},
     {"settled_from": "phone_collection", "settled_on": T, "settled_as": "paid_in_full", "settlement_since": T,
      "settled_out_of": Stood("phone_collection", dpd(1), ["ruling"]), "reversed_paid_on": None}),
    ("settle", {"settled_as": "arrears_cleared"}, {"previous_as_of": dpd(19).isoformat()}, {},
     {"settled_from": "phone_collection", "settled_on": T, "settled_as": "arrears_cleared",
      "settlement_since": dpd(19), "settled_out_of": STOOD}),
    ("settle", {"settled_as": "compromise"}, {}, {"agreed_on": dpd(10)},
     {"settled_from": "phone_collection", "settled_on": T, "settled_as": "compromise", "settlement_since": dpd(10),
      "settled_out_of": STOOD}),
    ("settle", {"settled_as": "paid_in_full"}, {}, {"agreed_on": dpd(10)},
     {"settled_from": "phone_collection", "settled_on": T, "settled_as": "paid_in_full", "settlement_since": T,
      "settled_out_of": STOOD}),
    ("settle", {"settled_as": "paid_in_full"}, {"previous_as_of": dpd(19).isoformat()}, {"written_off_on": dpd(5)},
     {"settled_from": "phone_collection", "settled_on": T, "settled_as": "paid_in_full",
      "settlement_since": dpd(5), "settled_out_of": STOOD}),
    ("unsettle", {}, {}, SETTLED, dict.fromkeys(SETTLED)),
    ("resume", {}, {}, SETTLED, dict.fromkeys(SETTLED)),
    ("close", {"closed_as": "archived"}, {}, {}, {}),
]  # fmt: skip

FILE = {"agency": "agency:1", "active": True, "inspected_on": T.isoformat(), "evaluated_on": T.isoformat()}
PROMISED = {"promise": "P1", "pay_by": TERM, "amount_fen": 1}
ENDED_AS = {"promise": "P1", "outcome": "broken"}
ONE_OPEN = {"promises": {"P1": T}, "promise_pay_by": T}
# (fact, data given, facts before, facts that differ afterwards)
FACTS: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("contact_day", {"attempts": 3, "connected": False}, {"attempt_days": [AttemptDay(T, 1, True)]},
     {"attempt_days": [AttemptDay(T, 3, False)]}),
    ("contact_day", {"attempts": 0, "connected": True}, {"attempt_days": [AttemptDay(T + DAY, 2, False)]},
     {"attempt_days": [AttemptDay(T, 0, True), AttemptDay(T + DAY, 2, False)], "connected_on": T,
      "fresh": ["debtor_connected"]}),
    ("contact_day", {"attempts": 2, "connected": True}, {"connected_on": T + DAY},
     {"attempt_days": [AttemptDay(T, 2, True)], "connected_before": T, "fresh": ["debtor_connected"]}),
    ("contact_day", {"attempts": 2, "connected": False},
     {"attempt_days": [AttemptDay(T, 2, True)], "connected_on": T, "connected_before": T - DAY},
     {"attempt_days": [AttemptDay(T, 2, False)], "connected_on": T - DAY, "connected_before": None}),
    ("contact_day", {"attempts": 2, "connected": False, "contact": True, "guarantor": True, "co_borrower": False}, {},
     {"attempt_days": [AttemptDay(T, 2, False, ["guarantor", "contact"])]}),
    ("promise", PROMISED, {},
     {"promises": {"P1": T + 90 * DAY}, "promises_made": 1, "promise_pay_by": T + 90 * DAY,
      "spoilt": [Spoilt("promise:P1", T)]}),
    ("promise", PROMISED, {"spoilt": [Spoilt("death", T - 41 * DAY, T - 40 * DAY), Spoilt("dispute", T - DAY, T)]},
     {"promises": {"P1": T + 90 * DAY}, "promises_made": 1, "promise_pay_by": T + 90 * DAY,
      "spoilt": [Spoilt("dispute", T - DAY, T), Spoilt("promise:P1", T)]}),
    ("promise", PROMISED, {"spoilt": [Spoilt("promise:P1", T, T), Spoilt("death", T - DAY)]},
     {"promises": {"P1": T + 90 * DAY}, "promises_made": 1, "promise_pay_by": T + 90 * DAY,
      "spoilt": [Spoilt("promise:P1", T), Spoilt("death", T - DAY)]}),
    ("promise", PROMISED, {"promises": {"P0": T + 99 * DAY}, "promises_made": 1, "promise_pay_by": T + 99 * DAY},
     {"promises": {"P0": T + 99 * DAY, "P1": T + 90 * DAY}, "promises_made": 2,
      "spoilt": [Spoilt("promise:P1", T)]}),
    ("promise_ended", ENDED_AS | {"outcome": "kept"}, ONE_OPEN | {"broken_in_a_row": 1},
     {"promises": {}, "promise_pay_by": None, "broken_in_a_row": 0}),
    ("promise_ended", ENDED_AS | {"outcome": "kept"}, ONE_OPEN | {"spoilt": [Spoilt("promise:P1", T - DAY)]},
     {"promises": {}, "promise_pay_by": None, "spoilt": [Spoilt("promise:P1", T - DAY, T)]}),
    ("promise_ended", ENDED_AS, ONE_OPEN | {"broken_in_a_row": 1},
     {"promises": {}, "promise_pay_by": None, "broken_in_a_row": 2}),
    ("promise_ended", ENDED_AS, {"promises": {"P0": T, "P1": T + DAY}, "promise_pay_by": T + DAY},
     {"promises": {"P0": T}, "promise_pay_by": T, "broken_in_a_row": 1}),
    ("promise_ended", ENDED_AS, {}, {}),
    ("remittance", {"remittance": "M1", "begins_on": T.isoformat(), "outcome": "awaited"}, {"remittances": {"M0": T}},
     {"remittances": {"M0": T, "M1": T}}),
    ("remittance", {"remittance": "M1", "begins_on": T.isoformat(), "outcome": "lapsed"},
     {"remittances": {"M0": T, "M1": T}}, {"remittances": {"M0": T}}),
    ("hold", {"hold": "dispute"}, {"holds": ["death"]},
     {"holds": ["death", "dispute"], "material_version": 2, "spoilt": [Spoilt("dispute", T)]}),
    ("hold_lifted", {"hold": "death"}, {"holds": ["death"], "spoilt": [Spoilt("death", T - DAY)]},
     {"holds": [], "material_version": 2, "spoilt": [Spoilt("death", T - DAY, T)]}),
    ("hold_lifted", {"hold": "death"}, {}, {"material_version": 2}),
    ("at_risk", {"ground": "illness"}, {}, {"at_risk": "illness", "material_version": 2}),
    ("at_risk_lifted", {"ground": "illness"}, {"at_risk": "illness"}, {"at_risk": None, "material_version": 2}),
    ("information_repair", {"outcome": "nothing_new"}, {},
     {"repaired_on": T, "repair_good_until": T + 30 * DAY}),
    ("information_repair", {"outcome": "new_address"}, {"repair_good_until": T},
     {"repaired_on": T, "repair_good_until": None}),
    ("information_repair", {"outcome": "new_number"}, {}, {"repaired_on": T, "fresh": ["new_number"]}),
    ("visit", {"outcome": "found", "person_met": "family", "photo": "p1"}, {},
     {"found_on": T, "found_by": {"p1": T}, "visit_photos": ["p1"], "fresh": ["visit_found"]}),
    ("visit", {"outcome": "found", "person_met": "debtor", "photo": "p1"}, {"visit_photos": ["p2"]},
     {"found_on": T, "found_by": {"p1": T}, "visit_photos": ["p1", "p2"], "fresh": ["debtor_connected", "visit_found"],
      "connected_on": T, "attempt_days": [AttemptDay(T, 0, True)]}),
    ("visit", {"outcome": "found", "person_met": "debtor", "photo": "p1"},
     {"attempt_days": [AttemptDay(T, 2, False, ["contact"])]},
     {"found_on": T, "found_by": {"p1": T}, "visit_photos": ["p1"], "fresh": ["debtor_connected", "visit_found"],
      "connected_on": T, "attempt_days": [AttemptDay(T, 2, True, ["contact"])]}),
    ("visit", {"outcome": "not_found", "person_met": "nobody", "photo": "p1"}, {},
     {"last_failed_visit": FailedVisit(T, "p1"), "visit_photos": ["p1"], "fresh": ["visit_not_found"]}),
    ("visit_corrected", {"outcome": "found", "person_met": "family", "photo": "p1", "disproved": False},
     {"failed_visits": [FailedVisit(T, "p1"), FailedVisit(T, "p2")], "visit_photos": ["p1", "p2"]},
     {"failed_visits": [FailedVisit(T, "p2")], "found_on": T, "found_by": {"p1": T}, "fresh": ["visit_found"]}),
    ("visit_corrected", {"outcome": "not_found", "person_met": "nobody", "photo": "p1", "disproved": False},
     {"found_on": T, "found_by": {"p0": T - DAY, "p1": T}, "visit_photos": ["p1"], "fresh": ["visit_found"]},
     {"found_on": T - DAY, "found_by": {"p0": T - DAY}, "failed_visits": [FailedVisit(T, "p1")], "fresh": []}),
    ("visit_corrected", {"outcome": "not_found", "person_met": "nobody", "photo": "p1", "disproved": True},
     {"last_failed_visit": FailedVisit(T, "p1"), "visit_photos": ["p1"], "fresh": ["visit_not_found"]},
     {"last_failed_visit": None, "visit_photos": [], "photos_disproved": ["p1"], "fresh": []}),
    ("visit_corrected", {"outcome": "not_found", "person_met": "nobody", "photo": "p1", "disproved": False},
     {"photos_disproved": ["p1"]},
     {"photos_disproved": [], "visit_photos": ["p1"], "failed_visits": [FailedVisit(T, "p1")]}),
    ("visit", {"outcome": "found", "person_met": "family", "visit": 7}, {"visits_stated": [0], "visit_stated": True},
     {"visits_stated": [0, 7], "found_on": T, "found_by": {"visit:7": T}, "fresh": ["visit_found"]}),
    ("visit", {"outcome": "not_found", "person_met": "nobody"}, {},
     {"visits_stated": [0], "visit_stated": True, "fresh": ["visit_not_found"]}),
    ("visit_corrected", {"outcome": "found", "person_met": "family", "disproved": True, "visit": 7},
     {"visits_stated": [5, 7], "visit_stated": True, "found_on": T, "found_by": {"visit:5": T, "visit:7": T}},
     {"visits_stated": [5], "found_by": {"visit:5": T}}),
    ("visit_corrected", {"outcome": "not_found", "person_met": "nobody", "disproved": True, "visit": 7},
     {"visits_stated": [7], "visit_stated": True}, {"visits_stated": [], "visit_stated": False}),
    ("visit_corrected", {"outcome": "not_found", "person_met": "nobody", "disproved": False, "visit": 7},
     {"found_on": T, "found_by": {T.isoformat(): T}}, {"visits_stated": [7], "visit_stated": True}),
    ("visit_corrected", {"outcome": "found", "person_met": "family", "photo": "p1", "disproved": False, "visit": 7},
     {"visits_stated": [7], "visit_stated": True, "found_on": T, "found_by": {"visit:7": T}},
     {"visits_stated": [], "visit_stated": False, "visit_photos": ["p1"], "found_by": {"p1": T},
      "fresh": ["visit_found"]}),
    ("agency_file", FILE, {}, {"agency_file": AgencyFile("agency:1", True, T, T)}),
    ("placement_ended", {"reason": "term_over"}, {"placement": Placement("agency:1", T, T)},
     {"placement": Placement("agency:1", T, T, True)}),
    ("placement_ended", {"reason": "term_over"}, {}, {}),
    ("disposal_form", {}, {}, {"disposal_form_on": T}),
    ("disposal_form", {"form": "filed"}, {}, {"disposal_form_on": T, "disposal_form": "filed"}),
    ("disposal_form", {"form": "withdrawn"}, {"disposal_form_on": T, "disposal_form": "filed"},
     {"disposal_form_on": None, "disposal_form": None}),
    ("limitation_check", {"ends_on": TERM}, {}, {"limitation_ends_on": T + 90 * DAY}),
    ("acceleration", {}, {}, {"accelerated_on": T, "material_version": 2}),
    ("ruling", {"outcome": "judgment"}, {"matter_open": True}, {"rulings": ["judgment"]}),
    ("ruling", {"outcome": "dismissed"}, {"matter_open": True, "rulings": ["judgment"]},
     {"rulings": ["dismissed", "judgment"], "matter_open": False}),
    ("payment", {"payment": "p:1", "amount_fen": 5}, {}, {}),  # there is no agreement that it could count towards
    ("payment", {"payment": "p:1", "amount_fen": 5}, {"agreed_on": T, "received_fen": {"p:2": 2}},
     {"received_fen": {"p:1": 5, "p:2": 2}}),
    ("payment", {"payment": "p:1", "amount_fen": 5}, {"agreed_on": T, "received_fen": {"p:1": 5}}, {}),
    ("payment", {"payment": "p:1", "amount_fen": 5}, {"agreed_on": T + DAY}, {}),
    ("reversal", {"payment": "p:1", "paid_on": T.isoformat(), "amount_fen": 5}, {"received_fen": {"p:1": 5, "p:2": 2}},
     {"received_fen": {"p:2": 2}, "reversed_paid_on": T}),
    ("reversal", {"payment": "p:9", "paid_on": T.isoformat(), "amount_fen": 9}, {"received_fen": {"p:1": 5}},
     {"reversed_paid_on": T}),  # it never counted
    ("agreement", {"agreed_fen": 50}, {"received_fen": {"p:1": 9}},
     {"agreed_fen": 50, "agreed_on": T, "received_fen": {}, "material_version": 2}),
    ("transfer_contract", {}, {}, {"transfer_contract_on": T}),
    ("debtor_notice", {}, {}, {"debtor_notified_on": T}),
    ("opening_error", {}, {}, {"opening_error_on": T}),
    ("finding_cleared", {}, {}, {"finding_cleared_on": T}),
    ("left_books", {"status": "transferred"}, {}, {"left_books": "transferred"}),
]  # fmt: skip


def with_facts(before: dict[str, Any]) -> Case:
    case = opened()
    for name, value in before.items():
        setattr(case.facts, name, value)
    return case


def differing(before: Case, after: Case) -> dict[str, Any]:
    old, new = msgspec.structs.asdict(before.facts), msgspec.structs.asdict(after.facts)
    return {name: new[name] for name in new if new[name] != old[name]}


@pytest.mark.parametrize(("effect", "params", "given", "before", "changed"), EFFECTS)
def test_an_effect_changes_its_own_facts_and_no_others(
    effect: str, params: dict[str, Any], given: dict[str, Any], before: dict[str, Any], changed: dict[str, Any]
) -> None:
    case = msgspec.msgpack.decode(msgspec.msgpack.encode(with_facts(before)), type=Case)
    REGISTRY.effects[effect].apply(seen(case, T, given=given), params)
    assert differing(with_facts(before), case) == changed
    assert case.state == "phone_collection", "an effect never moves the case"


@pytest.mark.parametrize(("kind", "given", "before", "changed"), FACTS)
def test_a_fact_changes_its_own_facts_and_no_others(
    kind: str, given: dict[str, Any], before: dict[str, Any], changed: dict[str, Any]
) -> None:
    case = msgspec.msgpack.decode(msgspec.msgpack.encode(with_facts(before)), type=Case)
    record(case, kind, T, **given)
    assert differing(with_facts(before), case) == changed
    assert (case.version, case.state) == (2, "phone_collection")


def test_every_effect_and_every_fact_is_in_a_table_and_in_the_chart() -> None:
    assert {row[0] for row in EFFECTS} == REGISTRY.effects.keys()
    assert {row[0] for row in FACTS} == REGISTRY.recorders.keys() == CHART.facts.keys()


def test_closing_says_as_what() -> None:
    case = opened()
    REGISTRY.effects["close"].apply(seen(case, T), {"closed_as": "archived"})
    assert case.closed_as == "archived"


def test_attempts_may_be_recorded_late_and_only_the_last_days_are_kept() -> None:
    case = opened()
    for number in reversed(range(ATTEMPT_DAYS_KEPT + 5)):
        attempts(case, dpd(number), 1)
    kept = [day.on for day in case.facts.attempt_days]
    assert kept == [dpd(number) for number in range(5, ATTEMPT_DAYS_KEPT + 5)]


def test_facts_are_stored_in_one_canonical_form_without_defaults() -> None:
    case = opened()
    assert to_row(case)[COLUMNS.index("facts")] == b'{"first_overdue_on":"2026-01-06"}'
    record(case, "limitation_check", T, ends_on=date(2029, 1, 1).isoformat())
    assert b'"limitation_ends_on":"2029-01-01"' in to_row(case)[COLUMNS.index("facts")]
