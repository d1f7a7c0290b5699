"""The state of a number is what calls have told: the latest telling result decides, a refusal is for ever."""

from datetime import timedelta
from typing import Any

import pytest

from casework.clock import now
from casework.errors import CallerError
from casework.intake.contact_book.marking import mark
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Record
from casework.people.staff.actor import Actor
from casework.storage.database import writing
from casework.work.gate.known_numbers import STATES
from tests.contact_book.books import book, entered, marked, states, way
from tests.dialler.called import call, moment, take
from tests.dialler.corrected import correct
from tests.feed.bank import DAY, Bank, arrears, contact, loan
from tests.feed.conftest import BankAfter
from tests.work.gate.desk import Desk

SISTER = "12100000001"


@pytest.fixture
def lent(bank_after: BankAfter) -> Bank:
    """Two debtors in arrears with a number each; the sister of the first is in the book."""
    return bank_after(_furnish)


def _furnish(bank: Bank) -> None:
    bank.send(DAY, [arrears(1), arrears(2)], loans=[loan(1), loan(2)], contacts=[contact(1), contact(2)])
    entered(bank, way())


# (results of calls to the debtor's own number in order, its state)
TOLD: list[tuple[list[str], str]] = [
    ([], "unverified"),
    (["no_answer"], "unverified"),
    (["third_party"], "unverified"),
    (["debtor"], "valid"),
    (["debtor", "no_answer"], "valid"),
    (["debtor", "suspended"], "suspended"),
    (["debtor", "suspended", "busy"], "valid"),
    (["suspended"], "suspended"),
    (["wrong_number"], "wrong"),
    (["wrong_number", "no_answer"], "wrong"),
    (["wrong_number", "suspended"], "wrong"),
    (["wrong_number", "debtor"], "valid"),
    (["debtor", "wrong_number"], "wrong"),
    (["invalid_number"], "invalid"),
    (["invalid_number", "debtor"], "valid"),
    (["debtor", "invalid_number", "wrong_number"], "wrong"),
    (["wrong_number", "invalid_number"], "invalid"),
    (["contact_refused", "debtor"], "refused"),
]


@pytest.mark.parametrize(("results", "state"), TOLD, ids=["-".join(results) or "nothing" for results, _ in TOLD])
def test_a_number_has_the_state_that_its_calls_tell(lent: Bank, results: list[str], state: str) -> None:
    calls = [call(f"c{at}", 1, at=f"{9 + at:02}:00:00", result=result) for at, result in enumerate(results)]
    if calls:
        take(lent, *calls[::-1])  # rows come in any order
    assert states(lent) == [("debtor", state), ("contact", "unverified")]
    assert states(lent, 2) == [("debtor", "unverified")]


def test_every_state_is_met_in_the_table_above() -> None:
    assert {state for _, state in TOLD} == set(STATES)


def test_invalid_and_refused_hold_for_whomever_was_called_valid_and_wrong_for_their_debtor(lent: Bank) -> None:
    """Calls for the second debtor, on numbers of the first."""
    own = "12000000001"
    take(lent, call("c1", 2, phone=SISTER, result="contact_refused"), call("c2", 2, phone=own, result="wrong_number"))
    assert states(lent) == [("debtor", "unverified"), ("contact", "refused")]
    take(lent, call("c3", 2, at="11:00:00", phone=own, result="invalid_number"))
    assert states(lent) == [("debtor", "invalid"), ("contact", "refused")]


def test_the_book_says_when_a_number_was_last_tried_and_when_somebody_last_answered(lent: Bank) -> None:
    """A wrong number's answer is nobody's; a call that came in is no attempt of ours."""
    take(
        lent, call("c1", at="09:00:00", result="debtor"), call("c2", at="10:00:00"),
        call("c3", at="11:00:00", channel="inbound", result="debtor"),
        call("c4", at="12:00:00", party="contact", phone=SISTER, result="third_party"),
        call("c5", at="13:00:00", party="contact", phone=SISTER, result="wrong_number"),
    )  # fmt: skip
    told = [(one.last_tried_at, one.last_connected_at) for one in book(lent)]
    assert told == [
        (moment(0, "10:00:00"), moment(0, "11:00:00")), (moment(0, "13:00:00"), moment(0, "12:00:00")),
    ]  # fmt: skip


def test_an_address_was_tried_and_reached_when_a_file_says_that_somebody_went_there(lent: Bank) -> None:
    """However it is written; an entry with a number too keeps the number's state. A correction is heard."""
    home = entered(lent, way(role="debtor", phone=None, name=None, relation=None, address="虚构路 18号"))
    visit: dict[str, Any] = {"channel": "visit", "phone": "", "address": "虚构路１８号"}
    take(
        lent, call("c1", at="09:00:00", result="found", **visit),
        call("c2", at="10:00:00", result="not_found", **visit),
        call("c3", at="11:00:00", result="found", **visit | {"address": "虚构路1号"}),
        call("c4", at="12:00:00", result="found", **visit | {"address": "他处"}),
    )  # fmt: skip
    told = {one.id: (one.state, one.last_tried_at, one.last_connected_at) for one in book(lent)}
    own = min(told)
    assert told[home] == ("valid", moment(0, "10:00:00"), moment(0, "09:00:00"))
    assert told[own] == ("unverified", moment(0, "11:00:00"), moment(0, "11:00:00"))
    with writing(lent.started.engine) as conn:
        correct(conn, lent.started.branch, "c1", None, "not_found", lent.actor, now())
    told = {one.id: (one.state, one.last_tried_at, one.last_connected_at) for one in book(lent)}
    assert told[home] == ("unverified", moment(0, "10:00:00"), None)
    lent.assert_sound()


def test_a_refusal_stays_through_reassignment_and_another_debtor_who_names_the_same_number(lent: Bank) -> None:
    marked(lent, book(lent)[-1].id, "refused")
    entered(lent, way(2, phone="+86 121 0000 0001"))
    assert states(lent, 2) == [("debtor", "unverified"), ("contact", "refused")]
    lent.send(DAY + timedelta(days=1), [arrears(1), arrears(2)], loans=[loan(1, owner_staff_no="S9"), loan(2)])
    assert states(lent) == [("debtor", "unverified"), ("contact", "refused")]
    lent.assert_sound()


def test_only_whoever_reaches_the_debtor_marks_an_entry_and_only_with_marks_that_there_are(lent: Bank) -> None:
    """Whether a number is valid, wrong or invalid is for calls to tell."""
    stranger = Actor("S7", "staff", "api", frozenset({"business_rep"}))
    contact_id = book(lent)[-1].id
    told = []
    for actor, where, what in (
        (stranger, contact_id, "refused"), (lent.actor, 99, "ended"), (lent.actor, contact_id, "invalid"),
    ):  # fmt: skip
        with pytest.raises(CallerError) as mistake, writing(lent.started.engine) as conn:
            mark(conn, lent.started.branch, where, what, "来信", actor, now())
        told.append(mistake.value.code)
    assert told == ["unknown_contact", "unknown_contact", "unknown_mark"]
    assert states(lent) == [("debtor", "unverified"), ("contact", "unverified")]


def test_the_book_is_as_it_was_at_the_end_of_a_past_day(bank: Bank) -> None:
    """By what had begun, was entered or noted by then; what is put right since is right for then too."""
    bank.send(DAY, [arrears(1)], loans=[loan(1)], contacts=[contact(1)])
    sister = entered(bank, way(), at=moment(1, "08:00:00"))
    bank.send(
        DAY + timedelta(days=4), [arrears(1)], loans=[loan(1)], contacts=[contact(1), contact(1, phone="12000009999")]
    )
    marked(bank, sister, "refused", moment(2, "12:00:00"))
    marked(bank, sister, "ended", moment(3, "12:00:00"))
    take(
        bank, call("c1", on=0, result="debtor"), call("c2", on=1, result="invalid_number"),
        call("c3", on=2, at="23:59:59", result="debtor"), call("c4", on=3, at="00:00:00", result="wrong_number"),
    )  # fmt: skip
    days = {number: states(bank, as_of=DAY + timedelta(days=number)) for number in range(-1, 4)}
    assert days == {
        -1: [], 0: [("debtor", "valid")],
        1: [("debtor", "invalid"), ("contact", "unverified")], 2: [("debtor", "valid"), ("contact", "refused")],
        3: [("debtor", "wrong"), ("contact", "refused")],
    }  # fmt: skip
    assert [book(bank, as_of=DAY + timedelta(days=on))[1].ended_at is None for on in (2, 3)] == [True, False]
    assert book(bank, as_of=DAY + timedelta(days=1))[0].last_tried_at == moment(1, "10:00:00")
    assert states(bank) == [*days[3], ("debtor", "unverified")] == states(bank, as_of=DAY + timedelta(days=4))
    with writing(bank.started.engine) as conn:
        correct(conn, bank.started.branch, "c2", None, "no_answer", bank.actor, now())
    assert states(bank, as_of=DAY + timedelta(days=1))[0] == ("debtor", "valid")
    bank.assert_sound()


def test_a_refusal_stays_with_the_agency_and_through_whatever_feeds_bring(bank: Bank) -> None:
    """Placed with an agency, brought again by a feed under another name, come home: nobody calls the number."""
    day = DAY.isoformat()
    agency = bank.staff("G9", "agency_post")
    feed: Any = {
        "loans": [loan(1)],
        "contacts": [contact(1), contact(1, role="contact", phone=SISTER, relation="sibling")],
    }
    bank.send(DAY, [arrears(1, 40)], **feed)
    take(bank, call("c1", party="contact", phone=SISTER, result="contact_refused"))
    case, after = bank.case(1).id, (DAY + timedelta(days=20)).isoformat()
    fit = {"agency": "agency:1", "active": True, "inspected_on": day, "evaluated_on": day}
    steps = (
        Record(actor=agency, id=case, kind="agency_file", on=DAY, evidence="doc:1", data=fit),
        Fire(actor=agency, id=case, event="place", data={"agency": "agency:1", "term_until": after}),
        Fire(actor=agency, id=case, event="recall",
             data={"reason": "branch_decision", "destruction_due_on": after}),
    )  # fmt: skip
    for number, (step, state) in enumerate(zip(steps, ("phone_collection", "outsourced", None), strict=True), 1):
        with writing(bank.started.engine) as conn:
            (outcome,) = advance(conn, [step], bank.started.branch, clock=lambda: moment(0, "12:00:00"))
        assert isinstance(outcome, Done), outcome
        assert state in (None, bank.case(1).state)
        bank.send(DAY + timedelta(days=number), [arrears(1, 40)], **feed)
        assert states(bank) == [("debtor", "unverified"), ("contact", "refused")]
        desk = Desk(bank, bank.actor)
        asked = {"party": "contact", "phone": f"+86 {SISTER}", "contact_id": None, "purpose": "locate"}
        assert "X6" in desk.rules(moment(number, "10:00:00"), **asked)
    bank.assert_sound()
