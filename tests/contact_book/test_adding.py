"""New numbers and addresses: entered with source and ground, once, sealed, on record; erased with their debtor."""

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.customer import Customer
from casework.intake.contact_book.adding import Added, NewWay, NotAdded
from casework.intake.feed.borrowers import Search, find
from casework.intake.feed.tables import contacts
from casework.log.tables import openings
from casework.oversight.privacy.erase import Erasure, erase
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import EVERYTHING
from casework.storage.database import reading, writing
from tests.contact_book.books import book, enter, entered, marked, states, way
from tests.feed.bank import DAY, INSTITUTION, Bank, arrears, contact, loan
from tests.feed.conftest import BankAfter

STREAM = f"borrower:{INSTITUTION}~B1"
RISK = Actor("B9", "staff", "api", frozenset({"basic_risk_manager"}))


@pytest.fixture
def lent(bank_after: BankAfter) -> Bank:
    """Two debtors in arrears, each with a number and an address from the feed."""
    return bank_after(_furnish)


def _furnish(bank: Bank) -> None:
    bank.staff("B9", "basic_risk_manager")
    bank.send(DAY, [arrears(1), arrears(2)], loans=[loan(1), loan(2)], contacts=[contact(1), contact(2)])


def test_a_new_number_is_an_entry_with_its_source_and_nothing_personal_in_it(lent: Bank) -> None:
    contact_id = entered(lent, way(address="虚构路9号", address_kind="home"), actor=RISK)
    (entry,) = [one for one in lent.bodies(STREAM) if one["event"] == "contact.added"]
    assert entry["data"] == {
        "contact_id": contact_id, "role": "contact", "source": "debtor", "legal_basis": "consent", "found_by": "B9",
        "rulebook": "sources@1",
    }  # fmt: skip
    assert sorted(entry["personal"]) == ["address", "name", "phone", "relation"]
    assert not {"12100000001", "甄不存二", "sibling"} & set(json.dumps(entry, ensure_ascii=False).split('"'))
    one = book(lent)[-1]
    assert (one.id, one.state, one.source, one.found_by, one.ended_at) == (
        contact_id,
        "unverified",
        "debtor",
        "B9",
        None,
    )
    assert one.added_at is not None
    lent.assert_sound()


@pytest.mark.parametrize(
    "again",
    [
        way(),
        way(phone="+86 121 0000 0001"),
        way(phone="１２１００００ ０００１", source="application_form", legal_basis="contract", name=None),
        way(role="debtor", phone="120 0000 0001"),
        way(role="debtor", phone=None, address="虚构路 1号"),
    ],
)
def test_what_is_there_already_changes_nothing(lent: Bank, again: NewWay) -> None:
    """Entered before, or brought by a feed; however it is written."""
    entered(lent, way())
    before, kept = lent.bodies(STREAM), len(book(lent))
    (told,) = enter(lent, again)
    assert isinstance(told, Added)
    assert (told.entry_id, lent.bodies(STREAM), len(book(lent))) == (None, before, kept)


def test_each_row_has_its_own_result_and_one_batch_knows_its_own_rows(lent: Bank) -> None:
    told = enter(lent, way(), way(2), way(phone="12100000001"), way(source="bought_data"), way(3), way(phone="11"))
    assert [one.code if isinstance(one, NotAdded) else one.entry_id is not None for one in told] == [
        True, True, False, "unlawful_source", "unknown_loan", "malformed_phone",
    ]  # fmt: skip
    assert len(book(lent)) == len(book(lent, 2)) == 2
    lent.assert_sound()


def test_an_atomic_batch_with_one_fault_enters_nothing(lent: Bank) -> None:
    told = enter(lent, way(), way(source="gossip"), atomic=True)
    assert [one.code for one in told if isinstance(one, NotAdded)] == ["not_done", "unknown_source"]
    assert len(book(lent)) == 1


# (what is wrong, the row, code, field)
BAD: list[tuple[str, NewWay, str, str]] = [
    ("no such loan", way(9), "unknown_loan", "loan_id"),
    ("no such role", way(role="neighbour"), "unknown_party", "role"),
    ("no such relation", way(relation="在一起"), "unknown_relation", "relation"),
    ("no such kind of address", way(address="虚构路", address_kind="cave"), "unknown_address_kind", "address_kind"),
    ("bought", way(source="bought_data"), "unlawful_source", "source"),
    ("scraped", way(source="scraped_data"), "unlawful_source", "source"),
    ("under a pretext", way(source="pretext"), "unlawful_source", "source"),
    ("leaked", way(source="leaked_data"), "unlawful_source", "source"),
    ("unknown source", way(source="gossip"), "unknown_source", "source"),
    ("no source", way(source=""), "unknown_source", "source"),
    ("unknown ground", way(legal_basis="need"), "unknown_legal_basis", "legal_basis"),
    ("not on that ground", way(legal_basis="statutory_duty"), "basis_not_of_source", "legal_basis"),
    ("neither number nor address", way(phone=None), "no_phone_or_address", "phone"),
    ("no number", way(phone="call me"), "malformed_phone", "phone"),
    ("an address of a novel's length", way(address="路" * 501), "text_too_long", "address"),
    ("a control character", way(name="甄\x07"), "control_character", "name"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "code", "field"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD])
def test_a_bad_row_is_refused_by_name_and_leaves_nothing(lent: Bank, row: NewWay, code: str, field: str) -> None:
    (told,) = enter(lent, row)
    assert isinstance(told, NotAdded)
    assert (told.code, told.field) == (code, field)
    assert told.zh
    assert told.en.isascii()
    assert [one["event"] for one in lent.bodies(STREAM)].count("contact.added") == 0


def test_a_loan_beyond_reach_is_unknown_and_one_that_is_only_seen_is_out_of_reach(lent: Bank) -> None:
    rep = Actor("S7", "staff", "api", frozenset({"business_rep"}))
    clerk = Actor("C7", "staff", "api", frozenset({"customer_service"}))
    told = [*enter(lent, way(), actor=rep), *enter(lent, way(), actor=clerk)]
    assert [one.code for one in told if isinstance(one, NotAdded)] == ["unknown_loan", "out_of_reach"]


def test_a_debtor_is_found_by_a_number_that_was_entered_however_it_is_written(lent: Bank) -> None:
    entered(lent, way(phone="027-8555 1234 转801"))
    with reading(lent.started.engine) as conn:
        page = find(conn, lent.started.branch, Search(phone="(027)85551234-801"), actor=RISK, within=EVERYTHING)
    assert [one.borrower_id for one in page.items] == ["B1"]


def test_an_ended_number_stays_on_record_and_may_be_entered_anew(lent: Bank) -> None:
    contact_id = entered(lent, way())
    assert marked(lent, contact_id, "ended").entry_id is not None
    assert marked(lent, contact_id, "ended").entry_id is None, "the second time changes nothing"
    assert book(lent)[-1].ended_at is not None
    assert entered(lent, way()) != contact_id
    assert states(lent) == [("debtor", "unverified"), ("contact", "unverified"), ("contact", "unverified")]
    lent.assert_sound()


def test_a_refusal_survives_a_feed_that_brings_the_number_again(lent: Bank) -> None:
    """In whichever role and spelling: the number has refused, for ever."""
    marked(lent, entered(lent, way()), "refused")
    again = contact(1, role="contact", phone="+86 12100000001", relation="sibling")
    lent.send(DAY + timedelta(days=1), [arrears(1), arrears(2)], contacts=[contact(1), contact(2), again])
    assert states(lent) == [("debtor", "unverified"), ("contact", "refused"), ("contact", "refused")]
    lent.assert_sound()


def test_what_was_entered_goes_with_the_debtor_and_does_not_come_back(lent: Bank) -> None:
    entered(lent, way())
    kept = entered(lent, way(2))
    lent.send(DAY + timedelta(days=1), [arrears(1)])
    with writing(lent.started.engine) as conn:
        done = erase(conn, lent.started.branch, Customer(INSTITUTION, "B2"), basis="unlawful", actor=RISK)
        assert isinstance(done, Erasure)
    assert done.gone.counts["contacts"] == 2
    with reading(lent.started.engine) as conn:
        assert conn.execute(sa.select(contacts.c.id).where(contacts.c.id == kept)).all() == []
        of_them = sa.select(openings.c.field).where(openings.c.stream == f"borrower:{INSTITUTION}~B2")
        assert conn.execute(of_them).all() == []
    (told,) = enter(lent, way(2))
    assert isinstance(told, NotAdded)
    assert told.code == "borrower_erased"
    assert len(book(lent)) == 2
    lent.assert_sound()


@pytest.mark.parametrize("column", ["source", "found_by", "refused_at", "ended_at", "added_at", "phone_index", "role"])
def test_a_row_that_somebody_changes_by_sql_is_told(lent: Bank, column: str) -> None:
    contact_id = entered(lent, way())
    value = now() if column.endswith("_at") else b"-" if column == "phone_index" else "court"
    with writing(lent.started.engine) as conn:
        conn.execute(contacts.update().where(contacts.c.id == contact_id).values({column: value}))
    assert {one.code for one in lent.verified().findings} == {"row_changed"}


def test_a_row_that_somebody_deletes_or_inserts_by_sql_is_told(lent: Bank) -> None:
    contact_id = entered(lent, way())
    with writing(lent.started.engine) as conn:
        gone = conn.execute(contacts.delete().where(contacts.c.id == contact_id).returning(contacts)).one()
    assert {one.code for one in lent.verified().findings} == {"rows_not_as_left"}
    with writing(lent.started.engine) as conn:
        conn.execute(contacts.insert().values(gone._asdict() | {"id": 77, "row_hash": b"other"}))
    assert "row_changed" in {one.code for one in lent.verified().findings}
