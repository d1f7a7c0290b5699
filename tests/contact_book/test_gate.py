"""What is entered in the contact book is what the gate knows: from then on, until it is ended or refused."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from casework.errors import CallerError
from casework.intake.feed.past_arrears import past_arrears
from casework.lifecycle.advance import advance
from casework.storage.database import reading, writing
from casework.work.gate.found import found
from tests.contact_book.books import book, entered, marked, way
from tests.dialler.called import call, take
from tests.feed.bank import DAY, Bank, arrears, contact, loan, somebody
from tests.feed.conftest import BankAfter
from tests.promised import hold
from tests.work.gate.desk import Desk
from tests.work.gate.test_permits import MINUTE, at

SISTER = "12100000001"


@pytest.fixture
def desk(bank_after: BankAfter) -> Iterator[Desk]:
    """A debtor 20 days in arrears whom three calls of yesterday did not reach: contact persons may be approached."""
    bank = bank_after(_furnish)
    made = Desk(bank, somebody("S1", "basic_risk_manager"))
    made.recorded = 3
    yield made
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.send(DAY, [arrears(1, 20)], loans=[loan(1)], contacts=[contact(1)])
    made = Desk(bank, bank.staff("S1", "basic_risk_manager"))
    for hour in (9, 10, 11):
        made.record(at(f"{hour:02}:00", -1))


def breaches_of_today(desk: Desk) -> list[tuple[str, ...]]:
    with reading(desk.bank.started.engine) as conn:
        return [one.rules for one in found(conn, desk.bank.started.branch, past_arrears, DAY, DAY)]


def test_a_contact_person_is_unknown_until_the_number_is_entered_however_it_is_dialled(desk: Desk) -> None:
    wanted: dict[str, Any] = {"party": "contact", "phone": "+86 121-0000-0001"}
    assert desk.rules(at("10:00"), **wanted) == ["X4"]
    contact_id = entered(desk.bank, way(), at=at("10:01"))
    assert desk.rules(at("10:02"), **wanted) == []
    assert desk.rules(at("10:03"), party="contact", contact_id=contact_id) == []


def test_who_was_called_before_the_number_was_entered_was_called_in_breach(desk: Desk) -> None:
    entered(desk.bank, way(), at=at("10:30"))
    for time in ("10:00", "11:00"):
        desk.record(at(time), party="contact", phone=SISTER, purpose="locate")
    assert breaches_of_today(desk) == [("X4",)]


def test_whoever_stands_in_for_the_debtor_is_on_record_without_a_permit_too_and_judged(desk: Desk) -> None:
    """Called before the number was entered, in breach; who calls never is."""
    heir: dict[str, Any] = {"phone": "12300000001", "party": "heir"}
    entered(desk.bank, way(role="heir", relation=None, phone=heir["phone"], source="notary", legal_basis="contract"),
            at=at("10:30"))  # fmt: skip
    taken = take(
        desk.bank, call("c1", **heir), call("c2", at="11:00:00", **heir | {"party": "继承人"}),
        call("c3", at="09:00:00", **heir | {"channel": "inbound", "result": "third_party"}),
    )  # fmt: skip
    assert (taken.stored, breaches_of_today(desk)) == (3, [("X4",)])


def test_who_refused_by_letter_is_not_called_for_anybody_again(desk: Desk) -> None:
    contact_id = entered(desk.bank, way(), at=at("09:00"))
    desk.record(at("09:30"), party="contact", phone=SISTER, purpose="locate")
    marked(desk.bank, contact_id, "refused", at("10:00"))
    assert desk.rules(at("10:01"), party="contact", phone=SISTER) == ["X6"]
    desk.record(at("11:00"), party="contact", phone=SISTER, purpose="locate")
    assert breaches_of_today(desk) == [("X6",)]


def test_a_number_that_was_ended_is_known_no_more(desk: Desk) -> None:
    contact_id = entered(desk.bank, way(), at=at("09:00"))
    marked(desk.bank, contact_id, "ended", at("10:00"))
    assert desk.rules(at("10:01"), party="contact", phone=SISTER) == ["X4"]
    with pytest.raises(CallerError) as mistake:
        desk.ask(at("10:02"), party="contact", contact_id=contact_id)
    assert mistake.value.code == "contact_ended"


def test_a_new_number_of_the_debtor_shuts_the_gate_and_ending_it_opens_nothing(bank: Bank) -> None:
    """Dead numbers had opened it to contact persons."""
    bank.send(DAY, [arrears(1, 20)], loans=[loan(1)], contacts=[contact(1), contact(1, role="contact", phone=SISTER)])
    desk = Desk(bank, bank.staff("S1", "basic_risk_manager"))
    desk.record(at("09:00", -1), "invalid_number")
    assert desk.rules(at("10:00"), party="contact", phone=SISTER) == []
    contact_id = entered(bank, way(role="debtor", phone="12200000001", relation=None), at=at("11:00"))
    assert desk.rules(at("11:01"), party="contact", phone=SISTER) == ["X5"]
    marked(bank, contact_id, "ended", at("11:02"))
    assert desk.rules(at("11:03"), party="contact", phone=SISTER) == ["X5"]


@pytest.mark.parametrize(
    ("role", "purpose", "rules"),
    [
        ("debtor", None, ["death"]), ("debtor", "locate", ["death"]), ("debtor", "service_of_papers", []),
        ("heir", None, []), ("heir", "locate", []), ("heir", "demand", ["death"]),
        ("guardian", "locate", []), ("guardian", None, ["death"]),
        ("representative", "locate", []), ("representative", None, ["death"]),
        ("co_borrower", None, []), ("guarantor", None, []),
    ],
)  # fmt: skip
def test_a_death_hold_stops_the_debtors_own_numbers_and_money_of_who_stood_in_for_them(
    desk: Desk, role: str, purpose: str | None, rules: list[str]
) -> None:
    """Heirs may be asked where they are; what guarantors and co-borrowers owe themselves goes on."""
    entered(desk.bank, way(role=role, relation=None, phone="12300000001", source="notary", legal_basis="contract"),
            at=at("09:00"))  # fmt: skip
    branch, risk = desk.bank.started.branch, desk.bank.staff("B9", "basic_risk_manager")
    with writing(desk.bank.started.engine) as conn:
        advance(conn, [hold(risk, "L1", "death", on=DAY, review_by=DAY + timedelta(days=7))], branch)
    assert desk.rules(at("10:00") + MINUTE, party=role, phone="12300000001", purpose=purpose) == rules


@pytest.mark.parametrize(("role", "rules"), [("heir", ["X6"]), ("representative", []), ("guardian", [])])
def test_a_refusal_binds_for_who_owes_nothing_and_speaks_for_nobody(desk: Desk, role: str, rules: list[str]) -> None:
    contact_id = entered(desk.bank, way(role=role, relation=None), at=at("09:00"))
    marked(desk.bank, contact_id, "refused", at("09:01"))
    assert desk.rules(at("10:00") + timedelta(seconds=1), party=role, phone=SISTER, purpose="locate") == rules


def test_an_address_is_known_by_the_visits_made_there_and_one_that_refused_is_not_visited(desk: Desk) -> None:
    """By the permit that named it; where the debtor was met it is valid."""
    own = desk.ways()[0]
    home = entered(desk.bank, way(role="debtor", phone=None, address="虚构路8号", relation=None), at=at("09:00"))
    hers = entered(desk.bank, way(phone=None, address="虚构路9号"), at=at("09:01"))
    for hour, result in ((10, "found"), (11, "not_found")):
        permit = desk.ask(at(f"{hour}:00"), contact_id=home, channel="visit")
        desk.record(
            at(f"{hour}:01"), result, channel="visit", number=None, permit_id=permit.permit_id, has_address=True,
            known_at=at(f"{hour}:02"),
        )  # fmt: skip
    told = {one.id: (one.state, one.last_tried_at, one.last_connected_at) for one in book(desk.bank)}
    assert told[home] == ("valid", at("11:01"), at("10:01"))
    assert (told[own][0], told[hers]) == ("unverified", ("unverified", None, None))
    assert desk.rules(at("08:00", 1), party="contact", contact_id=hers, channel="visit") == ["X5"]
    marked(desk.bank, hers, "refused", at("12:00"))
    assert desk.rules(at("08:01", 1), party="contact", contact_id=hers, channel="visit") == ["X5", "X6"]
