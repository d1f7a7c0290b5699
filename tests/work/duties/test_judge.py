"""The duties of one case on one day, rule by rule: each with the last day or figure that is in, and the first out."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from casework.rules.calendar import Calendar
from casework.settings import shipped
from casework.work.cases.duty_rules import Dialling
from casework.work.cases.rulebook import load_rulebook
from casework.work.duties.debtor import DebtorDay
from casework.work.duties.judge import CaseDay, Day, VisitMade, duties_of

RULEBOOK = load_rulebook(shipped("statecharts"))
HELD_TO = RULEBOOK.duties.held_to(RULEBOOK.policies.all[0])
FRI = date(2024, 3, 29)
YUAN = 100


def day(number: int) -> date:
    """The first is Friday 29 March 2024: 4 to 6 April are Qingming, Sunday 7 April is worked."""
    return FRI + timedelta(days=number - 1)


def told(
    dpd: int = 10, on: int = 5, *, case: dict[str, Any] | None = None, debtor: dict[str, Any] | None = None,
    closed: bool = True, outage: bool = False, **held_to: Any,
) -> str:  # fmt: skip
    """Duty and status of a case of ¥10,000 opened on the first day, in one text."""
    fields: dict[str, Any] = {
        "state": "phone_collection", "due_on": day(on) - timedelta(days=dpd), "opened_on": day(1),
        "principal_fen": 10_000 * YUAN,
    }  # fmt: skip
    held = replace(HELD_TO, **held_to)
    found = duties_of(
        CaseDay(**(fields | (case or {}))),
        DebtorDay(**(debtor or {})),
        Day.of(day(on), Calendar(), held, closed=closed, outage=outage),
        held,
    )
    return " ".join(f"{one.duty}:{one.exempt_by or one.status}" for one in found)


LOST = {"state": "lost_contact"}
BIG = {"principal_fen": 50_000 * YUAN}


@pytest.mark.parametrize(
    ("given", "duties"),
    [
        ({"dpd": 0}, ""), ({"dpd": 1}, "dial:late"), ({"dpd": 30}, "dial:late"), ({"dpd": 31}, "place:open"),
        ({"closed": False}, "dial:open"), ({"case": {"state": "home_visit"}}, ""),
        ({"case": {"state": "litigation"}}, ""),
        ({"debtor": {"attempts": 1}}, "dial:late"), ({"debtor": {"attempts": 2}}, "dial:done"),
        ({"debtor": {"connected": True}}, "dial:done"), ({"debtor": {"reached": True}}, "dial:late"),
        ({"case": LOST, "debtor": {"attempts": 2}}, "dial:done"),
    ],
)  # fmt: skip
def test_a_debtor_is_dialled_every_day_from_the_first_to_the_thirtieth_day_past_due(
    given: dict[str, Any], duties: str
) -> None:
    """Two attempts or a connection; only at the close is it late."""
    assert told(**given) == duties


@pytest.mark.parametrize(
    ("given", "duties"),
    [
        ({"dpd": 3}, "dial:late"), ({"dpd": 4}, "dial:late dial_contacts:late"),
        ({"dpd": 31}, "place:open"),
        ({"debtor": {"contacts_called": True}}, "dial:late dial_contacts:done"),
        ({"debtor": {"reached": True}}, "dial:late dial_contacts:X5"),
        ({"debtor": {"connected": True, "reached": True}}, "dial:done dial_contacts:X5"),
        ({"case": {"holds": frozenset({"death"})}}, "dial:death dial_contacts:death"),
    ],
)  # fmt: skip
def test_contacts_are_dialled_from_the_fourth_day_on_and_no_longer_once_the_debtor_is_reached(
    given: dict[str, Any], duties: str
) -> None:
    debtor = {"contacts_owed": True} | given.get("debtor", {})
    assert told(**(given | {"debtor": debtor})) == duties


@pytest.mark.parametrize(
    ("given", "duties"),
    [
        ({"case": {"principal_fen": 50_000 * YUAN - 1}}, "dial:late"), ({"case": BIG}, "dial:late visit:open"),
        ({"case": BIG, "dpd": 29}, "dial:late visit:open"), ({"case": BIG, "dpd": 30}, "dial:late visit:late"),
        ({"case": BIG, "dpd": 30, "closed": False}, "dial:open visit:open"),
        ({"case": BIG | {"visit_reported": True}, "dpd": 30}, "dial:late visit:done"),
        ({"case": BIG | LOST | {"lost_on": day(1)}, "on": 5}, "dial:late visit:open repair:open"),
        ({"case": BIG | LOST | {"lost_on": day(1)}, "on": 6}, "dial:late visit:late repair:late"),
        ({"case": BIG | LOST | {"lost_on": day(1), "principal_fen": 50_000 * YUAN + 1}, "on": 6},
         "dial:late visit:late"),
        ({"case": BIG | {"holds": frozenset({"dispute"})}}, "dial:dispute visit:dispute"),
    ],
)  # fmt: skip
def test_from_fifty_thousand_on_a_visit_is_owed_by_day_thirty_or_five_days_after_the_loss(
    given: dict[str, Any], duties: str
) -> None:
    assert told(**given) == duties


@pytest.mark.parametrize(
    ("case", "debtor", "on", "duties"),
    [
        ({}, {}, 5, "repair:open"), ({}, {}, 6, "repair:open"), ({}, {}, 7, "repair:late"),
        ({"repaired_on": day(1)}, {}, 7, "repair:late"), ({"repaired_on": day(2)}, {}, 7, "repair:done"),
        ({"repaired_on": day(2), "repair_good_until": day(4)}, {}, 4, "repair:done"),
        ({"repaired_on": day(2), "repair_good_until": day(4)}, {}, 5, "repair:open"),
        ({"repaired_on": day(2), "repair_good_until": day(4)}, {}, 9, "repair:late"),
        ({}, {"visited_on": day(1)}, 7, ""), ({}, {"visited_on": day(0)}, 7, "repair:late"),
        ({"visit_reported": True}, {}, 7, ""),
    ],
)  # fmt: skip
def test_a_lost_case_is_repaired_within_five_days_unless_visited_since_it_was_opened(
    case: dict[str, Any], debtor: dict[str, Any], on: int, duties: str
) -> None:
    found = told(on=on, case=LOST | {"lost_on": day(2)} | case, debtor={"attempts": 2} | debtor)
    assert found == f"dial:done {duties}".strip()


@pytest.mark.parametrize(
    ("case", "on", "duties"),
    [
        ({"due_on": day(1) - timedelta(days=35)}, 5, "place:open"),
        ({"due_on": day(1) - timedelta(days=35)}, 6, "place:late"),
        ({"due_on": day(4) - timedelta(days=31)}, 9, "place:open"),
        ({"due_on": day(4) - timedelta(days=31)}, 10, "place:late"),
        ({"due_on": day(1) - timedelta(days=35), "back_on": day(4)}, 9, "place:open"),
        ({"due_on": day(1) - timedelta(days=35), "excepted": True}, 6, ""),
        ({"due_on": day(1) - timedelta(days=35), "excepted": True, "excepted_on": day(6)}, 6, "place:done"),
        ({"due_on": day(1) - timedelta(days=35), "state": "outsourced", "placed_on": day(6)}, 6, "place:done"),
        ({"due_on": day(1) - timedelta(days=35), "state": "outsourced", "placed_on": day(5)}, 6, ""),
        ({"due_on": day(1) - timedelta(days=35), "holds": frozenset({"hardship"})}, 6, ""),
        ({"due_on": day(1) - timedelta(days=35), "holds": frozenset({"legal"})}, 6, "place:late"),
    ],
)  # fmt: skip
def test_a_case_is_placed_within_three_working_days_of_day_thirty_one_or_its_opening(
    case: dict[str, Any], on: int, duties: str
) -> None:
    """Monday, Tuesday, Wednesday after the first Friday; over Qingming the Sunday that is worked counts."""
    assert told(on=on, case=case) == duties


@pytest.mark.parametrize(
    ("given", "dial"),
    [
        ({"case": {"holds": frozenset({"hardship", "complaint"}), "promised": True}, "outage": True}, "complaint"),
        ({"case": {"holds": frozenset({"hardship", "death"})}}, "death"),
        ({"case": {"holds": frozenset({"legal"})}}, "late"),
        ({"case": {"promised": True}, "debtor": {"forbidden": "X1"}}, "promise"),
        ({"debtor": {"forbidden": "X1"}, "outage": True}, "X1"), ({"outage": True}, "outage"),
        ({"outage": True, "debtor": {"attempts": 2}}, "done"),
    ],
)  # fmt: skip
def test_what_was_done_is_done_and_the_first_exemption_is_named(given: dict[str, Any], dial: str) -> None:
    assert told(**given) == f"dial:{dial}"


@pytest.mark.parametrize(("on", "dial"), [(1, "late"), (2, "day_off"), (8, "day_off"), (10, "late")])
def test_where_the_policy_says_working_days_nothing_is_owed_on_a_day_off(on: int, dial: str) -> None:
    assert told(on=on, on_working_days=True) == f"dial:{dial}"


@pytest.mark.parametrize(("dpd", "attempts", "duty"), [(31, 0, "late"), (31, 1, "done"), (60, 0, "late"), (61, 0, "")])
def test_a_branch_may_ask_for_calls_by_days_past_due(dpd: int, attempts: int, duty: str) -> None:
    found = told(dpd=dpd, debtor={"attempts": attempts}, dialling=(Dialling(31, 60, 1),))
    assert found == (f"dial_by_dpd:{duty} place:open" if duty else "place:open")


def visit(ended: tuple[int, str], reported: tuple[int, str] | None = None) -> VisitMade:
    """A visit that ended on a day at a time; when its report came."""

    def at(moment: tuple[int, str]) -> datetime:
        return datetime.fromisoformat(f"{day(moment[0])}T{moment[1]}").replace(tzinfo=ZoneInfo("Asia/Shanghai"))

    return VisitMade(at(ended), "V1", at(reported) if reported else None)


@pytest.mark.parametrize(
    ("visits", "on", "duty"),
    [
        ([visit((5, "15:30"))], 5, "late"), ([visit((5, "15:30"), (5, "17:00"))], 5, "done"),
        ([visit((5, "15:30"), (5, "17:01"))], 5, "late"), ([visit((5, "15:31"))], 5, "open"),
        ([visit((5, "15:31"), (6, "12:00"))], 6, "done"), ([visit((5, "15:31"), (6, "12:01"))], 6, "late"),
        ([visit((6, "16:00"))], 9, "open"), ([visit((6, "16:00"))], 10, "late"), ([], 5, None),
        ([visit((5, "10:00"), (5, "11:00")), visit((5, "12:00"))], 5, "late"),
    ],
)  # fmt: skip
def test_a_visit_is_reported_by_five_that_day_or_by_noon_of_the_next_working_day(
    visits: list[VisitMade], on: int, duty: str | None
) -> None:
    """One that ended after half past three: Qingming moves its noon from Thursday to the Sunday that is worked."""
    told_of = told(on=on, case={"state": "home_visit", "visits": tuple(visits)})
    assert told_of == (f"visit_report:{duty}" if duty else "")


def filed(at: str, on: int = 5) -> dict[str, Any]:
    """A form that stands, filed on a day at a time."""
    moment = datetime.fromisoformat(f"{day(on)}T{at}").replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    return {"form_stands": True, "form_filed_at": moment}


@pytest.mark.parametrize(
    ("form", "more", "duty"),
    [
        ({}, {}, "late"), ({}, {"closed": False}, "open"), ({}, {"outage": True}, "outage"),
        ({}, {"case": {"holds": frozenset({"complaint"}), "promised": True}}, "late"),
        (filed("17:00"), {}, "done"), (filed("17:01"), {}, "late"), (filed("23:00", 4), {}, "done"),
        ({"form_stands": True}, {}, "done"), (filed("10:00") | {"form_stands": False}, {}, "late"),
    ],
)  # fmt: skip
def test_a_form_that_the_strategy_asks_for_is_filed_with_the_papers_of_that_day(
    form: dict[str, Any], more: dict[str, Any], duty: str
) -> None:
    """By five, or before that day; a hold or a promise exempts nobody from paper, and one that was returned is none."""
    case = {"state": "litigation", "form_asked": True} | form | more.pop("case", {})
    assert told(case=case, **more) == f"disposal_form:{duty}"
    assert told(case=case | {"form_asked": False}, **more) == ""
