"""The gate, rule by rule: each with the last that is allowed and, one step on, the first that is not."""

from datetime import datetime
from typing import Any

import msgspec
import pytest

from casework.work.contacts.contact import Contact
from casework.work.gate.judge import Asked, Reason, reasons
from casework.work.gate.seen import Course, Line, see
from casework.work.gate.standing import Consent, OnRecord, Span, Standing
from tests.work.gate.told import (
    FRIEND,
    LIMITS,
    OWN,
    RESULTS,
    SECOND,
    STRANGER,
    ZONE,
    at,
    broken,
    contact,
    standing,
)

CONSENT = Consent(at("1"), at("3"), 22, 23)
NIGHT = Consent(at("1"), at("3"), 23, 2)
PAST_DEBTOR = [contact(f"a{hour}", f"1 {hour}:00") for hour in (10, 11, 12)]


def friend(ref: str, when: str, result: str = "no_answer", **other: Any) -> Contact:
    return contact(ref, when, result, **({"party": "contact", "number": FRIEND, "purpose": "locate"} | other))


@pytest.mark.parametrize(
    ("when", "channel", "consents", "rules"),
    [
        ("1 07:59:59", "call", (), "X1"), ("1 08:00", "call", (), ""), ("1 21:59:59", "call", (), ""),
        ("1 22:00", "call", (), "X1"), ("1 22:00", "message", (), "X1"), ("1 22:00", "visit", (), "X1"),
        ("1 22:00", "inbound", (), ""), ("1 22:00", "call", (CONSENT,), ""), ("1 22:59:59", "call", (CONSENT,), ""),
        ("1 23:00", "call", (CONSENT,), "X1"), ("3 22:00", "call", (CONSENT,), "X1"), ("1 01:59", "call", (NIGHT,), ""),
        ("1 23:30", "call", (NIGHT,), ""), ("1 02:00", "call", (NIGHT,), "X1"), ("3 01:59", "call", (NIGHT,), "X1"),
    ],
)  # fmt: skip
def test_nobody_is_contacted_at_night_unless_the_debtor_agreed(
    when: str, channel: str, consents: tuple[Consent, ...], rules: str
) -> None:
    result = {"message": "sent", "visit": "not_found", "inbound": "debtor"}.get(channel, "no_answer")
    found = broken([contact("c", when, result, channel=channel)], standing(consents=consents))
    assert found.get("c", "") == rules


@pytest.mark.parametrize(
    ("fourth", "rules"),
    [
        ({}, "X2"), ({"when": "2 08:00"}, ""), ({"channel": "message", "result": "sent"}, ""),
        ({"loan_id": "L2"}, "X2"),
        ({"channel": "ai_voice"}, "X2"), ({"number": SECOND}, "X2"), ({"party": "guarantor"}, ""),
        ({"channel": "inbound", "result": "debtor"}, ""), ({"when": "1 08:59"}, ""),
    ],
)  # fmt: skip
def test_a_debtor_is_reached_by_three_calls_a_day_and_no_fourth_is_made(fourth: dict[str, Any], rules: str) -> None:
    before = [contact(f"c{hour}", f"1 {hour:02}:00", "debtor") for hour in (9, 10, 11)]
    on_record = (*standing().on_record, OnRecord("guarantor", SECOND, at("0")))
    found = broken([*before, contact("d", **({"when": "1 12:00"} | fourth))], standing(on_record=on_record))
    assert found == ({"d": rules} if rules else {})


def test_of_two_calls_that_begin_together_the_one_with_the_smaller_reference_is_first() -> None:
    before = [contact(f"c{hour}", f"1 {hour}:00", "debtor") for hour in (10, 11)]
    assert broken([contact("e", "1 12:00", "debtor"), contact("d", "1 12:00", "debtor"), *before]) == {"e": "X2"}


@pytest.mark.parametrize(
    ("seventh", "rules"),
    [
        ({}, "X3"), ({"result": "debtor"}, "X3"), ({"when": "2 08:00"}, ""), ({"number": SECOND}, ""),
        ({"channel": "message", "result": "sent"}, ""), ({"party": "contact", "purpose": "locate"}, "X3 X4 X5"),
    ],
)  # fmt: skip
def test_a_number_rings_unanswered_six_times_a_day_whoever_is_called_there(seventh: dict[str, Any], rules: str) -> None:
    before = [contact(f"c{number}", f"1 1{number}:00", borrower_id=f"B{number % 2 + 1}") for number in range(6)]
    found = broken([*before, contact("d", **({"when": "1 17:00"} | seventh))])
    assert found == ({"d": rules} if rules else {})


@pytest.mark.parametrize(
    ("act", "rules"),
    [
        (friend("d", "2 10:00"), ""), (friend("d", "2 10:00", number=STRANGER), "X4"),
        (contact("d", "2 10:00", party="guarantor", number=STRANGER), "X4"),
        (contact("d", "2 10:00", number=STRANGER), ""),
        (friend("d", "2 10:00", number=None, channel="letter", result="sent"), ""),
    ],
)  # fmt: skip
def test_only_who_is_liable_or_a_known_contact_is_approached(act: Contact, rules: str) -> None:
    assert broken([*PAST_DEBTOR, act]) == ({"d": rules} if rules else {})


@pytest.mark.parametrize(
    ("then", "channel", "rules"),
    [
        ([], "call", "X4"), ([], "message", ""), (["no_answer"], "call", "X4"), (["third_party"], "call", "X4"),
        (["debtor"], "call", ""), (["invalid_number"], "call", ""),
    ],
)  # fmt: skip
def test_a_wrong_number_is_not_called_again_until_something_else_is_said_of_it(
    then: list[str], channel: str, rules: str
) -> None:
    said = [contact(f"c{place}", f"1 1{place}:00", one) for place, one in enumerate(["wrong_number", *then])]
    act = contact("d", "2 10:00", "sent" if channel == "message" else "no_answer", channel=channel)
    assert broken([*said, act]).get("d", "") == rules


@pytest.mark.parametrize(
    ("before", "when", "dpd", "holds", "rules"),
    [
        (PAST_DEBTOR, "2 08:00", 4, (), ""), (PAST_DEBTOR, "1 18:00", 4, (), "X5"),
        (PAST_DEBTOR, "2 08:00", 3, (), "X5"),
        (PAST_DEBTOR[:2], "2 08:00", 4, (), "X5"),
        ([*PAST_DEBTOR, contact("i", "1 20:00", "debtor", channel="inbound")], "2 08:00", 4, (), "X5"),
        ([*PAST_DEBTOR, contact("i", "2 08:30", "debtor")], "2 08:00", 4, (), ""),
        ([*PAST_DEBTOR, contact("i", "2 08:30", "debtor")], "2 09:00", 4, (), "X5"),
        ([contact("w", "1 10:00", "wrong_number")], "2 08:00", 4, (), ""),
        ([contact("w", "1 10:00", "wrong_number")], "1 11:00", 4, (), "X5"),
        ([contact("w", "1 10:00", "invalid_number", borrower_id="B2")], "2 08:00", 4, (), ""),
        ([contact("w", "1 10:00", "wrong_number", borrower_id="B2")], "2 08:00", 4, (), "X5"),
        ([contact("w", "1 10:00", "wrong_number"), contact("v", "1 11:00", "debtor")], "2 08:00", 4, (), "X5"),
        ([contact("w", "1 10:00", "wrong_number"), contact("v", "1 11:00", "debtor", number=SECOND)], "1 12:00", 4,
         (), "X5"),
        ([contact("w", "1 10:00", "wrong_number"), contact("v", "1 11:00", "debtor", number=SECOND)], "2 08:00", 4,
         (), ""),
        ([], "2 08:00", 4, (Span("death", at("1")),), ""), ([], "2 08:00", 4, (Span("death", at("2")),), "X5"),
        ([], "3 08:00", 4, (Span("death", at("2")),), ""), ([], "2 08:00", 4, (Span("death", at("1"), at("2")),), "X5"),
        ([], "2 08:00", 4, (Span("death", at("1"), at("2")), Span("death", at("2"))), ""),
        ([], "2 08:00", 4, (Span("incapacity", at("1")),), ""),
        ([], "2 08:00", 4, (Span("incapacity", at("2")),), "X5"),
        ([], "2 08:00", 3, (Span("incapacity", at("1")),), "X5"), ([], "2 08:00", 4, (Span("custody", at("1")),), "X5"),
        ([], "2 08:00", 4, (Span("incapacity", at("1"), at("2")), Span("death", at("2"))), ""),
        ([contact("i", "2 08:30", "debtor")], "2 09:00", 4, (Span("incapacity", at("1")),), "X5"),
        ([contact("i", "2 08:30", "debtor")], "3 08:00", 4, (Span("incapacity", at("1")),), ""),
    ],
)  # fmt: skip
def test_a_contact_person_is_approached_from_the_day_after_the_debtor_proved_out_of_reach(
    before: list[Contact], when: str, dpd: int, holds: tuple[Span, ...], rules: str
) -> None:
    assert broken([*before, friend("d", when)], standing(*holds, dpd=dpd)).get("d", "") == rules


def test_whoever_refused_is_never_approached_again_for_whomever_and_by_whatever_channel() -> None:
    refused = friend("r", "2 10:00", "contact_refused")
    later = [
        friend("d", "2 11:00"),
        friend("e", "9 11:00", "sent", channel="message"),
        contact("f", "9 12:00", number=FRIEND),
    ]
    assert broken([*PAST_DEBTOR, refused, *later]) == {"d": "X6", "e": "X6"}


@pytest.mark.parametrize(
    ("changed", "before", "act", "rules"),
    [
        ({"contacts_after_days": 3}, PAST_DEBTOR, friend("d", "3 21:59"), "X5"),
        ({"contacts_after_days": 3}, PAST_DEBTOR, friend("d", "4 08:00"), ""),
        ({"demand_from": frozenset({"debtor"})}, [], contact("d", "1 10:00", party="guarantor", number=SECOND), "X4"),
        ({"demand_from": frozenset({"debtor"})}, [],
         contact("d", "1 10:00", party="guarantor", number=SECOND, purpose="locate"), ""),
        ({}, [], contact("d", "1 10:00", party="guarantor", number=SECOND), ""),
        ({"contacts_by_holds": frozenset({"death"})}, [], friend("d", "2 08:00"), "X5"),
        ({"refusal_binds": frozenset({"contact", "guarantor"})}, [friend("r", "1 10:00", "contact_refused")],
         contact("d", "2 10:00", party="guarantor", number=FRIEND), "X6"),
        ({}, [friend("r", "1 10:00", "contact_refused")],
         contact("d", "2 10:00", party="guarantor", number=FRIEND), ""),
    ],
)  # fmt: skip
def test_whom_and_from_when_is_the_policys_to_say(
    changed: dict[str, Any], before: list[Contact], act: Contact, rules: str
) -> None:
    on_record = (*standing().on_record, OnRecord("guarantor", SECOND, at("0")))
    incapable = [Span("incapacity", at("1"))] if "contacts_by_holds" in changed else []
    found = broken(
        [*before, act], standing(*incapable, on_record=on_record), msgspec.structs.replace(LIMITS, **changed)
    )
    assert found.get("d", "") == rules


def message(ref: str, when: str, result: str = "sent", **other: Any) -> Contact:
    return contact(ref, when, result, **({"channel": "message"} | other))


@pytest.mark.parametrize(
    ("cap", "third", "rules"),
    [
        (2, message("d", "1 12:00"), "X8"), (3, message("d", "1 12:00"), ""), (None, message("d", "1 12:00"), ""),
        (2, message("d", "2 08:00"), ""), (2, message("d", "1 12:00", loan_id="L2", number=SECOND), "X8"),
        (2, contact("d", "1 12:00", "debtor"), ""), (2, contact("d", "1 12:00", "sent", channel="letter"), ""),
        (0, message("d", "2 08:00"), "X8"), (2, message("d", "1 10:30"), ""),
    ],
)  # fmt: skip
def test_a_debtor_is_sent_as_many_messages_a_day_as_the_branch_says(
    cap: int | None, third: Contact, rules: str
) -> None:
    """Whatever became of them and whoever they went to."""
    before = [message("a", "1 10:00", "failed"), message("b", "1 11:00", party="guarantor", number=SECOND)]
    on_record = (*standing().on_record, OnRecord("guarantor", SECOND, at("0")))
    limits = msgspec.structs.replace(LIMITS, messages=cap)
    assert broken([*before, third], standing(on_record=on_record), limits).get("d", "") == rules


@pytest.mark.parametrize(
    ("cap", "act", "rules"),
    [
        (2, friend("d", "2 12:00"), "X8"), (3, friend("d", "2 12:00"), ""), (None, friend("d", "2 12:00"), ""),
        (2, friend("d", "3 08:00"), ""), (2, friend("d", "2 12:00", channel="ai_voice", loan_id="L2"), "X8"),
        (2, contact("d", "2 12:00"), ""), (2, friend("d", "2 12:00", "sent", channel="message"), ""),
    ],
)  # fmt: skip
def test_contact_persons_of_a_debtor_are_called_as_often_a_day_as_the_branch_says(
    cap: int | None, act: Contact, rules: str
) -> None:
    before = [*PAST_DEBTOR, friend("a", "2 09:00"), friend("b", "2 10:00", "third_party"), contact("c", "2 11:00")]
    limits = msgspec.structs.replace(LIMITS, contact_calls=cap)
    assert broken([*before, act], None, limits).get("d", "") == rules


HOLD = ("1 12:00", "2 12:00")


@pytest.mark.parametrize(
    ("kind", "loan", "act", "rules"),
    [
        ("complaint", None, {"when": "1 11:59:59"}, ""), ("complaint", None, {"when": "1 12:00"}, "complaint"),
        ("complaint", None, {"when": "2 11:59:59"}, "complaint"), ("complaint", None, {"when": "2 12:00"}, ""),
        ("complaint", None, {"purpose": "complaint_answer"}, ""),
        ("complaint", None, {"purpose": "service_of_papers"}, ""),
        ("complaint", None, {"purpose": "locate"}, "complaint"), ("legal", "L1", {}, ""),
        ("dispute", "L1", {}, "dispute"),
        ("dispute", "L1", {"loan_id": "L2"}, ""), ("hardship", None, {"loan_id": "L2"}, "hardship"),
        ("death", None, {}, "death"), ("death", None, {"party": "guarantor", "number": SECOND}, ""),
        ("custody", None, {}, "custody"), ("incapacity", None, {"loan_id": "L2"}, "incapacity"),
        ("custody", None, {"party": "guarantor", "number": SECOND}, ""),
        ("incapacity", None, {"party": "guarantor", "number": SECOND}, ""),
        ("complaint", None, {"party": "guarantor", "number": SECOND}, "complaint"),
        ("complaint", None, {"channel": "inbound", "result": "debtor"}, ""),
        ("complaint", None, {"channel": "letter", "result": "sent"}, "complaint"),
    ],
)  # fmt: skip
def test_a_hold_that_stops_contact_stops_demand_and_locating_for_what_it_binds(
    kind: str, loan: str | None, act: dict[str, Any], rules: str
) -> None:
    on_record = (*standing().on_record, OnRecord("guarantor", SECOND, at("0")))
    held = standing(Span(kind, at(HOLD[0]), at(HOLD[1]), loan), on_record=on_record)
    assert broken([contact("d", **({"when": "1 13:00"} | act))], held) == ({"d": rules} if rules else {})


@pytest.mark.parametrize(
    ("posts", "loan", "when", "rules"),
    [
        ((), "L1", "1 13:00", ["channel"]), (("phone_collector",), "L1", "1 13:00", ["channel"]),
        (("asset_preservation",), "L1", "1 13:00", []), ((), "L2", "1 13:00", []), ((), "L1", "1 11:00", []),
    ],
)  # fmt: skip
def test_in_litigation_only_asset_preservation_contacts_the_debtor(
    posts: tuple[str, ...], loan: str, when: str, rules: list[str]
) -> None:
    sued = standing(states=(Span("litigation", at("1 12:00"), None, "L1"),))
    asked = Asked(contact("d", when, loan_id=loan), Course(), {}, sued, LIMITS, frozenset(posts))
    assert [one.rule for one in reasons(asked)] == rules


def test_a_contact_that_had_a_permit_is_no_breach_and_counts_for_those_after_it() -> None:
    calls = [contact(f"c{hour}", f"1 {hour}:00", "debtor", permit_id=hour) for hour in (10, 11, 12, 13)]
    assert broken([*calls, contact("d", "1 14:00")]) == {"d": "X2"}


def asked_after(before: list[Contact], act: Contact, on_record: Standing) -> list[Reason]:
    """The reasons against an act after those contacts."""
    course, lines = Course(), {OWN: Line(), FRIEND: Line()}
    for one in before:
        see(one, course, lines[one.number or OWN], ZONE, RESULTS.by_code[one.result].number)
    return reasons(Asked(act, course, lines, on_record, LIMITS))


@pytest.mark.parametrize(
    ("before", "act", "on_record", "expected"),
    [
        ([], contact("d", "1 07:00"), standing(), {"X1": at("1 08:00")}),
        ([], contact("d", "1 22:30"), standing(), {"X1": at("2 08:00")}),
        ([contact(f"c{hour}", f"1 {hour}:00", "debtor") for hour in (10, 11, 12)], contact("d", "1 13:00"), standing(),
         {"X2": at("2 08:00")}),
        ([contact(f"c{hour}", f"1 1{hour}:00") for hour in range(6)], contact("d", "1 20:00"), standing(),
         {"X3": at("2 08:00")}),
        (PAST_DEBTOR, friend("d", "1 20:00"), standing(), {"X5": at("2 08:00")}),
        (PAST_DEBTOR, friend("d", "1 20:00"), standing(dpd=2), {"X5": at("3 08:00")}),
        (PAST_DEBTOR, friend("d", "1 20:00"), standing(dpd=0), {"X5": None}),
        ([], friend("d", "1 20:00"), standing(), {"X5": None}),
        ([], friend("d", "1 20:00", number=STRANGER), standing(), {"X4": None, "X5": None}),
        ([], contact("d", "1 13:00"), standing(Span("complaint", at("1"), at("5"))), {"complaint": at("5 08:00")}),
        ([], contact("d", "1 13:00"), standing(Span("complaint", at("1"))), {"complaint": None}),
        ([], contact("d", "1 07:00"), standing(Span("dispute", at("1"), at("1 09:00"), "L1")),
         {"X1": at("1 08:00"), "dispute": at("1 09:00")}),
    ],
)  # fmt: skip
def test_every_reason_is_given_with_the_time_from_which_it_no_longer_holds(
    before: list[Contact], act: Contact, on_record: Standing, expected: dict[str, datetime | None]
) -> None:
    assert dict(asked_after(before, act, on_record)) == expected


def test_a_contact_is_judged_by_when_it_began_and_not_by_when_it_was_recorded() -> None:
    """A row that comes late turns a later one into a breach; the correction of one clears it."""
    known = [contact(f"c{hour}", f"1 {hour}:00", "debtor") for hour in (10, 11)]
    last = contact("d", "1 13:00", "debtor")
    late = contact("l", "1 12:00", "debtor", recorded_at=at("5"))
    corrected = msgspec.structs.replace(late, result="third_party", outcome="third_party")
    assert broken([*known, last]) == {}
    assert broken([*known, last, late]) == {"d": "X2"}
    assert broken([*known, last, corrected]) == {}
