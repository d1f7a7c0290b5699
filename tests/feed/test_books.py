"""The books: who owns a case, who is known only from a feed, and personal data that never lies open."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.customer import Customer
from casework.errors import CallerError
from casework.intake.feed.sealed_cells import of_borrower
from casework.intake.feed.tables import borrowers, contacts
from casework.log.tables import entries
from casework.people.staff import places
from casework.people.staff.tables import staff as people
from casework.storage.database import reading, writing
from tests.feed.bank import DAY, Bank, arrears, contact, loan
from tests.on_books import named

NEXT = DAY + timedelta(days=1)
TEN = [loan(number) for number in range(1, 11)]


def steady(*without: int) -> list[dict[str, str]]:
    return [arrears(number) for number in range(1, 11) if number not in without]


def staff(bank: Bank) -> dict[str, str]:
    """Staff number → status."""
    with reading(bank.started.engine) as conn:
        return {row.staff_no: row.status for row in conn.execute(sa.select(people.c.staff_no, people.c.status))}


def test_an_owner_nobody_registered_is_entered_unverified_and_warned_about(bank: Bank) -> None:
    bank.staff("S2", "business_rep")
    run = bank.send(DAY, steady(), loans=[loan(1, owner_staff_no="S2"), *TEN[1:]])
    assert (bank.case(1).owner, bank.case(2).owner) == ("S2", "S1")
    assert (staff(bank)["S1"], staff(bank)["S2"]) == ("unverified", "active")
    assert run.figures["warnings"]["unverified_owner"] == 1
    assert [body["event"] for body in bank.bodies("staff:S1")] == ["staff.named_by_feed"]


def test_a_loan_without_an_owner_goes_to_the_first_risk_manager(bank: Bank) -> None:
    bank.staff("B2", "basic_risk_manager")
    bank.staff("B1", "basic_risk_manager")
    bank.send(DAY, steady(), loans=[loan(1, owner_staff_no=""), *TEN[1:]])
    assert (bank.case(1).owner, bank.case(1).handler) == ("B1", "B1")


@pytest.mark.parametrize(
    ("posts", "owner"),
    [
        (["auditor"], "B1"),
        (["administrator"], "B1"),
        (["administrator", "business_rep"], "X1"),
        (["business_rep"], "X1"),
    ],
    ids=["auditor", "administrator", "rep and administrator", "rep"],
)
def test_no_auditor_or_administrator_comes_to_own_cases_because_a_feed_names_them(
    bank: Bank, posts: list[str], owner: str
) -> None:
    """The twins: whoever holds an owning post besides does, and so does a rep."""
    bank.staff("B1", "basic_risk_manager")
    bank.staff("X1", *posts)
    run = bank.send(DAY, steady(), loans=[loan(1, owner_staff_no="X1"), *TEN[1:]])
    assert bank.case(1).owner == owner
    assert run.figures["warnings"].get("owner_without_owning_post", 0) == (owner != "X1")
    bank.assert_sound()


def test_an_owner_that_cannot_be_read_is_told_by_its_line_and_no_person_is_made_of_it(bank: Bank) -> None:
    bank.staff("B1", "basic_risk_manager")
    loans = [
        loan(1, owner_staff_no="S1、S2"),
        loan(2, owner_staff_no="system"),
        loan(3, owner_staff_no="ＢＲ１"),
        *TEN[3:],
    ]
    run = bank.send(DAY, steady(), loans=loans)
    assert run.figures["set_aside_rows"] == 0
    assert [bank.case(number).owner for number in (1, 2, 3)] == ["B1", "B1", "BR1"]
    assert staff(bank).keys() == {"B1", "BR1", "S1"}
    warnings = run.figures["warnings"]
    assert (warnings["owner_unreadable"], warnings["owner_reserved"], warnings["unverified_owner"]) == (1, 1, 2)
    assert [told for told in run.figures["warned"] if told["kind"] != "manifest"] == [
        {"kind": "loans", "line": 2, "column": "owner_staff_no", "code": "owner_unreadable"},
        {"kind": "loans", "line": 3, "column": "owner_staff_no", "code": "owner_reserved"},
    ]
    bank.assert_sound()


def test_teams_and_regions_that_nobody_registered_go_in_and_are_counted_once_others_are_registered(bank: Bank) -> None:
    bank.staff("S1", "business_rep")
    first = bank.send(DAY, steady(), loans=[loan(1, team="T9"), *TEN[1:]])
    assert "unverified_team" not in first.figures["warnings"], "none is registered: they may be called anything"
    with writing(bank.started.engine) as conn:
        trail = bank.started.branch.trail(now())
        places.set_region(conn, trail, bank.actor, code="R1", name="某区")
        places.set_team(conn, trail, bank.actor, code="T1", name="某团队", region="R1")
        trail.write(conn)
    second = bank.send(NEXT, steady(), loans=[loan(1, team="T9", region="R8"), loan(2, team="T9"), *TEN[2:]])
    assert (second.figures["warnings"]["unverified_team"], second.figures["warnings"]["unverified_region"]) == (1, 1)
    assert second.figures["set_aside_rows"] == 0
    bank.assert_sound()


@pytest.mark.parametrize("unusable", ["", "张三", "S 1", "S1;drop", "system"])
def test_a_feed_with_a_case_that_nobody_could_own_is_refused_and_leaves_nothing_half_done(
    bank: Bank, unusable: str
) -> None:
    told_of = ("feed_runs", "entries", "streams", "unsealed")  # that it was refused
    before = bank.dump(*told_of)
    loans = [loan(1, owner_staff_no=unusable), *TEN[1:]]
    with pytest.raises(CallerError) as told:
        bank.send(DAY, steady(), loans=loans)
    assert (told.value.code, told.value.facts["cases"]) == ("no_owner", 1)
    assert bank.dump(*told_of) == before
    assert [body["reason_code"] for body in bank.bodies("feed:refused")] == ["no_owner"]
    bank.staff("B1", "basic_risk_manager")
    bank.send(DAY, steady(), loans=loans)
    assert bank.case(1).owner == "B1"
    bank.assert_sound()


def test_a_new_owner_team_or_region_in_the_books_does_not_move_a_case_by_itself(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(NEXT, steady(), loans=[loan(1, owner_staff_no="S9", team="T9"), *TEN[1:]])
    assert (bank.case(1).owner, bank.case(1).team) == ("S1", "T1")


@pytest.mark.parametrize(
    ("npl_since", "ground", "owner"),
    [("2023-12-31", "old_npl", "A1"), ("2024-01-01", "arrears", "S1"), ("", "arrears", "S1")],
)
def test_a_loan_non_performing_before_the_cut_off_goes_to_asset_preservation(
    bank: Bank, npl_since: str, ground: str, owner: str
) -> None:
    bank.staff("A1", "asset_preservation")
    bank.send(DAY, steady(), loans=[loan(1, npl_since=npl_since), *TEN[1:]])
    assert (bank.case(1).opened_for, bank.case(1).owner) == (ground, owner)
    bank.assert_sound()


def test_contacts_are_kept_once_however_often_they_come(bank: Bank) -> None:
    people = [contact(1), contact(2), contact(1)]
    bank.send(DAY, steady(), loans=TEN, contacts=people)
    bank.send(NEXT, steady(), contacts=[*people, contact(3)])
    with reading(bank.started.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(contacts)).scalar_one() == 3


def test_a_contact_whose_borrower_comes_later_goes_in_though_its_file_is_the_same(bank: Bank) -> None:
    people = [contact(number) for number in range(1, 41)]
    many = [loan(number) for number in range(1, 41)]
    bank.send(DAY, steady(), loans=many[:-1], contacts=people)
    bank.send(NEXT, steady(), loans=many, contacts=people)
    with reading(bank.started.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(contacts)).scalar_one() == 40


def test_an_empty_name_or_number_does_not_erase_what_is_known(bank: Bank) -> None:
    bank.send(DAY, steady(), loans=TEN)
    bank.send(
        NEXT, steady(), loans=[loan(1, borrower_name="", id_number=""), loan(2, borrower_name="甄改名"), *TEN[2:]]
    )
    vault = bank.started.branch.vault
    with reading(bank.started.engine) as conn:
        held = {row.borrower_id: row for row in conn.execute(sa.select(borrowers))}
    assert named(vault, held["B1"]) == ("甄不存1", "000000199001010001")
    assert named(vault, held["B2"])[0] == "甄改名"
    assert bytes(held["B2"].name_index) == vault.blind("name", "甄改名")


def sealed_names(bank: Bank) -> dict[str, bytes]:
    with reading(bank.started.engine) as conn:
        return {row.borrower_id: bytes(row.name_sealed) for row in conn.execute(sa.select(borrowers))}


def test_a_name_that_a_feed_says_again_stays_as_it_was_sealed_and_one_that_was_altered_is_sealed_anew(
    bank: Bank,
) -> None:
    bank.send(DAY, steady(), loans=TEN)
    before = sealed_names(bank)
    with writing(bank.started.engine) as conn:  # the name of B2 is put with B1, and B3's is spoilt
        for borrower_id, cell in (("B1", before["B2"]), ("B3", b"\x01" + bytes(40))):
            conn.execute(borrowers.update().where(borrowers.c.borrower_id == borrower_id).values(name_sealed=cell))
    paid_off_a_little = [loan(number, outstanding_principal="49000.00") for number in range(1, 11)]
    bank.send(NEXT, steady(), loans=paid_off_a_little)
    after, vault = sealed_names(bank), bank.started.branch.vault
    assert {one for one in before if after[one] != before[one]} == {"B1", "B3"}
    places = [of_borrower(Customer(bank.institution, one), "name") for one in ("B1", "B2", "B3")]
    opened = [vault.open(place, after[one]) for one, place in zip(("B1", "B2", "B3"), places, strict=True)]
    assert opened == ["甄不存1", "甄不存2", "甄不存3"]


def test_personal_data_is_in_no_column_in_the_clear_and_in_no_entry(bank: Bank) -> None:
    spoilt = [*TEN, *map(loan, range(11, 41)), loan(41, npl_since="soon")]
    bank.send(DAY, steady(), loans=spoilt, contacts=[contact(n) for n in range(1, 11)])
    bank.send(NEXT, steady(1))
    private = [cell for n in range(1, 42) for cell in (loan(n)["borrower_name"], loan(n)["id_number"])]
    private += [cell for n in range(1, 11) for cell in (contact(n)["phone"], contact(n)["address"])]
    for table, rows in bank.dump().items():
        text = b"\n".join(
            bytes(cell) if isinstance(cell, (bytes, memoryview)) else str(cell).encode() for row in rows for cell in row
        )
        assert [cell for cell in private if cell.encode() in text] == [], table
    with reading(bank.started.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one() >= 10 + 3
