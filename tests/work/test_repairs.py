"""Information repairs: lawful sources tried one by one, what is found enters the contact book, the case is told."""

from collections.abc import Iterator
from typing import Any

import pytest

from casework.errors import CallerError
from casework.intake.contact_book.adding import Added, Finding, NewWay, add
from casework.intake.contact_book.marking import REFUSED, mark
from casework.intake.contact_book.repairing import find
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Mistaken, Open, Outcome, Record, Refused
from casework.lifecycle.listing import every
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.work.cases.repairing import REPAIRS
from casework.work.repairs import Repair, Tried
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter
from tests.work.test_promises import at, day
from tests.work.test_visits import case_of, codes, rep

BOOKS = [loan(1, owner_staff_no="V1"), loan(2, owner_staff_no="V1")]
V1 = rep("V1")
NUMBER = {"role": "debtor", "phone": "120 0000 0001", "source": "liable_person", "legal_basis": "contract"}


@pytest.fixture
def lost(bank_after: BankAfter) -> Iterator[Bank]:
    """Two debtors of a rep, the first of them lost; the log and the rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.staff("V1", "business_rep")
    bank.send(DAY, [arrears(number) for number in (1, 2)], loans=BOOKS)


def do(bank: Bank, *commands: Any, on: int = 0) -> list[Outcome]:
    with writing(bank.started.engine) as conn:
        return advance(conn, list(commands), bank.started.branch, clock=at(day(on)))


def start(bank: Bank, number: int = 1, actor: Actor = V1, on: int = 0, **more: Any) -> Outcome:
    data = {"because": "lost_contact"} | more
    begin = Open(actor=actor, noun="repair", ground="started", of=bank.case(number).id, data=data)
    return do(bank, begin, on=on)[0]


def fire(bank: Bank, event: str, number: int = 1, on: int = 0, **data: Any) -> Outcome:
    return do(bank, Fire(actor=V1, noun="repair", id=number, event=event, data=data), on=on)[0]


def found(bank: Bank, number: int = 1, on: int = 0, **more: Any) -> Outcome:
    given = {name: value for name, value in {**NUMBER, **more}.items() if value is not None}
    with writing(bank.started.engine) as conn:
        return find(conn, bank.started.branch, V1, number, Finding(**given), clock=at(day(on)))


def repairs(bank: Bank) -> list[Repair]:
    with reading(bank.started.engine) as conn:
        return every(conn, REPAIRS, live_only=False)


def entered(bank: Bank, loan_id: str, **way: str) -> int:
    """A way to reach somebody, entered in the contact book by hand."""
    with writing(bank.started.engine) as conn:
        (told,) = add(conn, bank.started.branch, [NewWay(loan_id=loan_id, **way)], V1, at(day(0))())
    assert isinstance(told, Added)
    return told.contact_id


def book(bank: Bank) -> int:
    """How many entries all contact books have."""
    with reading(bank.started.engine) as conn:
        return int(conn.exec_driver_sql("SELECT count(*) FROM contacts").scalar_one())


def test_a_number_that_was_found_is_in_the_book_and_the_case_knows_of_it(lost: Bank) -> None:
    assert isinstance(start(lost), Done)
    assert isinstance(fire(lost, "try_source", source="lender_records", remark="无"), Done)
    before = book(lost)
    assert isinstance(found(lost), Done)
    (one,) = repairs(lost)
    assert book(lost) == before + 1
    assert (one.state, one.outcome, one.source, one.legal_basis, one.ended_on, one.good_until) == (
        "found", "new_number", "liable_person", "contract", day(0), None,
    )  # fmt: skip
    assert one.tried == (Tried("lender_records", day(0), "V1"),)
    facts = case_of(lost).facts
    assert (facts.repaired_on, facts.repair_good_until, facts.fresh) == (day(0), None, ["new_number"])


def test_an_address_alone_is_found_too_and_moves_no_case(lost: Bank) -> None:
    start(lost)
    assert isinstance(found(lost, phone=None, address="文三路9号", address_kind="home"), Done)
    assert (repairs(lost)[0].outcome, case_of(lost).facts.fresh) == ("new_address", [])


def test_nothing_needs_so_many_different_sources_and_holds_good_for_so_many_days(lost: Bank) -> None:
    start(lost)
    for source in ("lender_records", "court"):
        assert isinstance(fire(lost, "try_source", source=source), Done)
        assert codes(fire(lost, "find_nothing")) == {"enough_sources_tried"}
    assert codes(fire(lost, "try_source", source="court")) == {"source_not_tried"}
    assert isinstance(fire(lost, "try_source", source="public_register"), Done)
    assert isinstance(fire(lost, "find_nothing"), Done)
    (one,) = repairs(lost)
    assert (one.state, one.good_until) == ("nothing", day(30))
    facts = case_of(lost).facts
    assert (facts.repaired_on, facts.repair_good_until) == (day(0), day(30))
    assert isinstance(start(lost), Done), "another may begin"


# (what is wrong, what the finding says, the code of the answer)
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("a bought list", {"source": "bought_data"}, "unlawful_source"),
    ("a courier", {"source": "courier"}, "unlawful_source"),
    ("a hospital", {"source": "hospital"}, "unlawful_source"),
    ("a school", {"source": "school"}, "unlawful_source"),
    ("nobody knows where from", {"source": "unknown"}, "unlawful_source"),
    ("a source that no table names", {"source": "a_friend"}, "unknown_source"),
    ("no source", {"source": ""}, "unknown_source"),
    ("a ground that it has not", {"legal_basis": "statutory_duty"}, "basis_not_of_source"),
    ("no number and no address", {"phone": None}, "no_phone_or_address"),
    ("a malformed number", {"phone": "12-ab"}, "malformed_phone"),
    ("a role that nobody has", {"role": "friend"}, "unknown_party"),
]  # fmt: skip


def test_nothing_enters_the_book_from_an_unlawful_source_or_malformed(lost: Bank) -> None:
    start(lost)
    before = book(lost)
    for what, changes, code in BAD:
        with pytest.raises(CallerError) as fault:
            found(lost, **changes)
        assert (fault.value.code, bool(fault.value.zh)) == (code, True), what
    assert (book(lost), repairs(lost)[0].state) == (before, "under_way")


def test_a_source_is_tried_if_it_is_lawful_and_refused_with_its_name_and_the_law_if_not(lost: Bank) -> None:
    start(lost)
    outcome = fire(lost, "try_source", source="courier")
    assert codes(outcome) == {"source_lawful"}
    assert isinstance(outcome, Refused)
    (reason,) = outcome.reasons
    assert (reason.rules, "快递" in reason.zh, "第34条" in reason.zh, "art. 34" in reason.en) == (
        ("1.3.2c",), True, True, True,
    )  # fmt: skip
    unknown = fire(lost, "try_source", source="a_friend")
    assert codes(unknown) == {"source_known"}
    assert isinstance(unknown, Refused)
    assert ("court, credit_reference" in unknown.reasons[0].en, "True" in unknown.reasons[0].zh) == (True, False)
    missing = fire(lost, "try_source")
    assert isinstance(missing, Mistaken)
    assert [one.field for one in missing.faults] == ["source"]


def test_what_is_in_the_book_already_or_was_refused_is_no_finding(lost: Bank) -> None:
    start(lost)
    known = entered(lost, "L1", **NUMBER)
    other = entered(lost, "L2", **NUMBER | {"role": "contact", "phone": "12000000002"})
    with writing(lost.started.engine) as conn:
        mark(conn, lost.started.branch, other, REFUSED, "来信", V1, at(day(0))())
    with pytest.raises(CallerError) as already:
        found(lost)
    assert (already.value.code, already.value.facts) == ("found_already", {"contact_id": known})
    before = book(lost)
    with pytest.raises(CallerError, match="X6"):
        found(lost, phone="12000000002")
    assert book(lost) == before
    assert codes(fire(lost, "find", contact_id=other, outcome="new_number")) == {"entered_since"}, "another's"
    assert codes(fire(lost, "find", contact_id=known, outcome="new_address")) == {"outcome_fits"}
    assert isinstance(fire(lost, "find", contact_id=known, outcome="new_number"), Done), "entered by hand"


def test_a_repair_that_is_over_takes_nothing_into_the_book(lost: Bank) -> None:
    start(lost)
    fire(lost, "give_up", reason="reached")
    before = book(lost)
    assert codes(found(lost)) == {"wrong_state"}
    assert book(lost) == before


def test_one_repair_of_a_case_at_a_time_and_none_of_a_settled_one(lost: Bank) -> None:
    both = [
        Open(actor=V1, noun="repair", ground="started", of=lost.case(1).id, data={"because": "moved_away"})
        for _ in range(2)
    ]
    first, second = do(lost, *both)
    assert isinstance(first, Done)
    assert codes(second) == {"no_repair_under_way"}
    assert codes(start(lost)) == {"no_repair_under_way"}
    assert isinstance(start(lost, 2), Done)
    lost.send(day(1), [arrears(1)], confirm=True)
    assert case_of(lost, 2).state == "settled"
    number = repairs(lost)[-1].id
    for event, data in (("try_source", {"source": "court"}), ("find_nothing", {})):
        assert "case_may_be_repaired" in codes(fire(lost, event, number, on=1, **data))
    before = book(lost)
    assert "case_may_be_repaired" in codes(found(lost, number, on=1))
    assert (book(lost), case_of(lost, 2).facts.repaired_on) == (before, None)
    assert isinstance(fire(lost, "give_up", number, on=1, reason="paid"), Done)
    assert codes(start(lost, 2, on=1)) == {"case_may_be_repaired"}


def test_a_person_who_records_a_repair_says_where_it_is_from(lost: Bank) -> None:
    told = Record(
        actor=V1, id=lost.case(1).id, kind="information_repair", on=day(0), evidence="r:1",
        data={"outcome": "new_number"},
    )  # fmt: skip
    assert codes(do(lost, told)[0]) == {"repair_has_source"}
