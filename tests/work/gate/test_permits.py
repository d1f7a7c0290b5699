"""Permits: asked for before the call, counted while they are open, settled by the outcome."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from casework.errors import CallerError
from casework.intake.feed.past_arrears import past_arrears
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.work.gate.found import found
from tests.feed.bank import DAY, Bank, arrears, contact, loan, somebody
from tests.feed.conftest import BankAfter
from tests.promised import hold
from tests.work.gate.desk import Desk

ZONE = ZoneInfo("Asia/Shanghai")
FRIEND = "12000009999"
MINUTE = timedelta(minutes=1)
STRANGER = Actor("S9", "staff", "api", frozenset({"basic_risk_manager"}))


def at(time: str, days: int = 0) -> datetime:
    return datetime.fromisoformat(f"{DAY + timedelta(days=days)}T{time}").replace(tzinfo=ZONE)


@pytest.fixture
def desk(bank_after: BankAfter) -> Iterator[Desk]:
    """Loans 1 and 2, each with a debtor's number; the debtor of loan 1 has a friend on record."""
    bank = bank_after(_furnish)
    yield Desk(bank, somebody("S1", "basic_risk_manager"))
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.send(
        DAY, [arrears(1), arrears(2)], loans=[loan(1), loan(2)],
        contacts=[contact(1), contact(2), contact(1, role="contact", phone=FRIEND, person_name="友人", address="")],
    )  # fmt: skip
    bank.staff("S1", "basic_risk_manager")


def test_a_permit_reserves_a_call_for_five_minutes(desk: Desk) -> None:
    permit = desk.ask(at("10:00"))
    assert permit.allowed
    assert permit.permit_id is not None
    assert permit.expires_at == at("10:05")
    assert permit.reasons == []


def test_every_reason_is_given_in_both_languages_with_the_time_from_which_it_no_longer_holds(desk: Desk) -> None:
    answer = desk.ask(at("22:30"), party="contact")
    assert not answer.allowed
    assert (answer.permit_id, answer.expires_at) == (None, None)
    assert [(one.rule, one.allowed_from) for one in answer.reasons] == [("X1", at("08:00", 1)), ("X5", None)]
    assert all(one.zh and one.en for one in answer.reasons)


def test_the_third_connected_call_may_be_asked_for_once_at_a_time(desk: Desk) -> None:
    """An open permit counts as a connected call; expired it is free again, used it counts as what came of it."""
    for minute in (0, 1):
        desk.record(at("09:00") + minute * MINUTE, "debtor")
    held = desk.ask(at("10:00"))
    assert held.allowed
    assert desk.rules(at("10:01")) == ["X2"]
    assert desk.rules(at("10:05")) == [], "expired"
    assert desk.rules(at("10:06")) == ["X2"], "the one asked for at 10:05"


@pytest.mark.parametrize(("result", "after"), [("debtor", ["X2"]), ("no_answer", []), ("third_party", [])])
def test_the_outcome_settles_what_the_permit_reserved(desk: Desk, result: str, after: list[str]) -> None:
    for minute in (0, 1):
        desk.record(at("09:00") + minute * MINUTE, "debtor")
    held = desk.ask(at("10:00"))
    desk.record(at("10:01"), result, permit_id=held.permit_id)
    assert desk.rules(at("10:02")) == after


def cap(desk: Desk, number: int, key: str = "messages_per_day") -> None:
    """The branch's policy has so many messages, or calls to contact persons, a day."""
    desk.bank.set_figures({f"contact.{key}": number})


def test_messages_are_permitted_up_to_the_cap_and_an_open_permit_is_one(desk: Desk) -> None:
    """Two who write at the same time never both get the last one; without a cap nobody is stopped."""
    for minute in range(3):
        desk.record(at("09:00") + minute * MINUTE, "sent", channel="message")
    assert desk.rules(at("10:00"), channel="message") == []
    cap(desk, 4)
    assert desk.rules(at("10:10"), channel="message") == []
    answer = desk.ask(at("10:11"), channel="message")
    assert [(one.rule, one.allowed_from) for one in answer.reasons] == [("X8", at("08:00", 1))]
    assert "短信4条" in answer.reasons[0].zh
    assert desk.rules(at("10:12")) == [], "calls are not messages"
    assert desk.rules(at("10:15"), channel="message") == [], "expired"
    assert desk.rules(at("09:00", 1), channel="message") == []


def test_calls_to_contact_persons_are_permitted_up_to_the_cap_and_an_open_permit_is_one(desk: Desk) -> None:
    for hour in (9, 10, 11):
        desk.record(at(f"{hour:02}:00"))
    cap(desk, 2, "third_party_calls_per_day")
    desk.record(at("09:00", 1), party="contact", phone=FRIEND)
    assert desk.rules(at("09:10", 1), party="contact") == []
    answer = desk.ask(at("09:11", 1), party="contact")
    assert [(one.rule, one.allowed_from) for one in answer.reasons] == [("X8", at("08:00", 2))]
    assert "联系人通话2次" in answer.reasons[0].zh
    assert desk.rules(at("09:12", 1)) == [], "the debtor is called all the same"
    assert desk.rules(at("09:15", 1), party="contact") == [], "expired"


def test_messages_above_the_cap_are_listed_as_breaches(desk: Desk) -> None:
    sent = [desk.record(at("09:00") + minute * MINUTE, "sent", channel="message") for minute in range(3)]
    cap(desk, 2)
    with reading(desk.bank.started.engine) as conn:
        listed = list(found(conn, desk.bank.started.branch, past_arrears))
    assert [(one.contact.contact_ref, one.rules) for one in listed] == [(sent[2].contact_ref, ("X8",))]


def test_an_open_permit_counts_as_an_unanswered_call_to_its_number(desk: Desk) -> None:
    for minute in range(5):
        desk.record(at("09:00") + minute * MINUTE, "no_answer")
    assert desk.ask(at("10:00")).allowed
    assert desk.rules(at("10:01")) == ["X3"]
    assert desk.rules(at("10:01"), phone="12000000077", party="debtor") == [], "another number"
    assert desk.rules(at("10:01"), loan=2, phone="12000000001") == ["X3"], "for another debtor too"


def test_once_dialling_has_begun_a_permit_holds_until_its_outcome_or_for_an_hour(desk: Desk) -> None:
    for minute in (0, 1):
        desk.record(at("09:00") + minute * MINUTE, "debtor")
    held = desk.ask(at("10:00"))
    assert held.permit_id is not None
    assert desk.dial(held.permit_id, at("10:04")) == at("11:04")
    assert desk.dial(held.permit_id, at("10:30")) == at("11:04"), "begun once"
    assert desk.rules(at("11:03")) == ["X2"]
    desk.record(at("10:05"), "no_answer", permit_id=held.permit_id, known_at=at("11:03"))
    assert desk.rules(at("11:03")) == []


def test_a_hold_stops_what_it_binds_and_a_message_counts_nothing(desk: Desk) -> None:
    assert desk.ask(at("10:00"), channel="message").allowed
    for minute in (0, 1, 2):
        desk.record(at("09:00") + minute * MINUTE, "debtor")
    assert desk.ask(at("10:00"), channel="message").allowed
    assert desk.rules(at("10:00")) == ["X2"]


def test_a_hold_that_was_lifted_stops_nothing_any_more(desk: Desk) -> None:
    started, risk = desk.bank.started, desk.bank.staff("B8", "basic_risk_manager")
    with writing(started.engine) as conn:
        (opened,) = advance(conn, [hold(risk, "L1", "complaint", on=DAY, review_by=DAY)], started.branch)
    assert isinstance(opened, Done)
    assert desk.rules(at("10:00")) == ["complaint"]
    lift = Fire(actor=risk, noun="hold", id=opened.id or 0, event="lift", data={"reason": "resolved"})
    with writing(started.engine) as conn:
        advance(conn, [lift], started.branch)
    assert desk.rules(at("10:01")) == []


def test_the_gate_to_contact_persons_opens_the_day_after_the_third_failed_attempt(desk: Desk) -> None:
    for minute in range(3):
        desk.record(at("09:00") + minute * MINUTE)
    assert [(one.rule, one.allowed_from) for one in desk.ask(at("10:00"), party="contact").reasons] == [
        ("X5", at("08:00", 1))
    ]
    assert desk.rules(at("10:00", 1), party="contact") == []
    assert desk.rules(at("10:00", 1), party="contact", phone="12000008888") == ["X4"], "not on record"
    desk.record(at("11:00", 1), "contact_refused", party="contact", phone=FRIEND)
    assert desk.rules(at("12:00", 1), party="contact") == ["X6"]
    desk.record(at("13:00", 1), "debtor", channel="inbound")
    assert desk.rules(at("14:00", 1), party="contact") == ["X5", "X6"]


def test_a_number_that_is_wrong_is_not_dialled_again(desk: Desk) -> None:
    desk.record(at("09:00"), "wrong_number")
    assert desk.rules(at("10:00")) == ["X4"]
    assert desk.rules(at("10:00", 1), party="contact") == [], "no number of the debtor's is left"


Spoilt = Callable[[Desk, int], object]


@pytest.mark.parametrize(
    ("code", "spoilt"),
    [
        ("unknown_permit", lambda desk, permit: desk.record(at("10:01"), permit_id=permit + 99)),
        ("unknown_permit", lambda desk, permit: desk.record(at("10:01"), permit_id=permit, actor=STRANGER)),
        ("unknown_permit", lambda desk, permit: desk.dial(permit, at("10:01"), STRANGER)),
        ("permit_foreign", lambda desk, permit: desk.record(at("10:01"), permit_id=permit, loan=2)),
        ("permit_foreign", lambda desk, permit: desk.record(at("10:01"), permit_id=permit, phone="12000000002")),
        ("permit_foreign", lambda desk, permit: desk.record(at("10:01"), permit_id=permit, party="guarantor")),
        ("permit_foreign", lambda desk, permit: desk.record(at("10:01"), permit_id=permit, channel="ai_voice")),
        ("permit_foreign", lambda desk, permit: desk.record(at("09:59"), permit_id=permit)),
        ("permit_foreign", lambda desk, permit: desk.record(at("10:05"), permit_id=permit)),
        ("permit_expired", lambda desk, permit: desk.record(at("10:01"), permit_id=permit, known_at=at("10:05"))),
        ("permit_expired", lambda desk, permit: desk.dial(permit, at("10:05"))),
    ],
)  # fmt: skip
def test_an_outcome_of_a_foreign_or_expired_permit_is_refused_and_stored_nowhere(
    desk: Desk, code: str, spoilt: Spoilt
) -> None:
    held = desk.ask(at("10:00"))
    assert held.permit_id is not None
    with pytest.raises(CallerError) as refused:
        spoilt(desk, held.permit_id)
    assert refused.value.code == code


def test_a_permit_is_used_once(desk: Desk) -> None:
    held = desk.ask(at("10:00"))
    desk.record(at("10:01"), permit_id=held.permit_id)
    with pytest.raises(CallerError) as refused:
        desk.record(at("10:02"), permit_id=held.permit_id)
    assert refused.value.code == "permit_used"


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("unknown_party", {"party": "neighbour", "phone": "12000000001"}),
        ("unknown_channel", {"channel": "inbound"}), ("unknown_channel", {"channel": "telegram"}),
        ("unknown_purpose", {"purpose": "revenge"}),
        ("purpose_not_for_contact", {"party": "contact", "purpose": "demand"}),
        ("contact_or_phone", {"contact_id": 1, "phone": "12000000001"}),
        ("malformed_phone", {"phone": "call me"}), ("malformed_phone", {"phone": "12000000001\0"}),
        ("unknown_contact", {"contact_id": 999}),
        ("unknown_contact", {"party": "debtor", "contact_id": "of another"}),
        ("party_differs", {"party": "guarantor", "contact_id": "own"}),
        ("out_of_reach", {"actor": Actor("S8", "staff", "api", frozenset({"customer_service"}))}),
        ("unknown_case", {"actor": Actor("S8", "staff", "api", frozenset({"business_rep"}))}),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_refused_by_name(desk: Desk, code: str, wanted: dict[str, Any]) -> None:
    known = {"of another": desk.ways("B2")[0], "own": desk.ways("B1")[0]}
    asked = wanted | {"contact_id": known.get(wanted["contact_id"], wanted["contact_id"])} if (
        "contact_id" in wanted
    ) else wanted  # fmt: skip
    with pytest.raises(CallerError) as refused:
        desk.ask(at("10:00"), **asked)
    assert refused.value.code == code
