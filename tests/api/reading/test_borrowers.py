"""Borrowers over HTTP: whole, masked, found by one key, and every look on record."""

from typing import Any

import pytest
import sqlalchemy as sa

from casework.customer import Customer
from casework.intake.feed.tables import borrowers
from casework.storage.database import writing
from tests.api.conftest import Running
from tests.api.reading.conftest import ADDRESS, ID_NUMBER, NAME, PHONE
from tests.api.reading.test_sight import newcomer
from tests.on_books import put_borrower, put_contact


def reads(running: Running) -> list[dict[str, Any]]:
    page = running.get("/audit/entries", "AUD1", params={"stream": "borrower:wuhan~B-L1"}).json()
    return [entry["body"] for entry in page["items"]]


def test_a_borrower_shows_loans_cases_and_contacts_masked(known: Running) -> None:
    answer = known.get("/borrowers/B-L1")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [loan["loan_id"] for loan in body["loans"]] == ["L1", "L2"]
    assert [case["loan_id"] for case in body["cases"]] == ["L1"]
    assert body["overdue_fen"] == 102_100
    assert (body["name"], body["id_number"]) == ("张**", "4201**********1234")
    (contact,) = body["contacts"]
    assert (contact["name"], contact["phone"], contact["address"]) == ("张**", "138****0000", "武汉市江岸区***")
    for secret in (NAME, ID_NUMBER, PHONE, ADDRESS):
        assert secret not in answer.text


def test_looking_at_a_borrower_is_an_entry_with_who_what_and_why(known: Running) -> None:
    known.get("/borrowers/B-L1", "T1", params={"purpose": "complaint"})
    (entry,) = reads(known)
    assert (entry["event"], entry["actor"]["id"]) == ("personal.read", "T1")
    assert entry["data"]["purpose"] == "complaint"
    assert entry["data"]["fields"] == ["address", "contact_name", "id_number", "name", "phone"]


def test_an_unknown_borrower_is_404_and_leaves_no_entry(known: Running) -> None:
    answer = known.get("/borrowers/B99")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_borrower")
    assert known.get("/audit/entries", "AUD1", params={"event": "personal.read"}).json()["items"] == []


@pytest.mark.parametrize(
    "search",
    [
        {"loan_id": "L2"},
        {"phone": PHONE},
        {"phone": "+86 138 0000 0000"},
        {"name": NAME},
        {"id_number": ID_NUMBER},
        {"name": " 张 伟明 "},
    ],
)
def test_each_key_finds_the_borrower_however_it_is_written(known: Running, search: dict[str, str]) -> None:
    answer = known.post("/find", json={**search, "purpose": "complaint"})
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["items"]
    assert (found["borrower_id"], found["name"], found["matched"]) == ("B-L1", "张**", [next(iter(search))])
    assert [case["loan_id"] for case in found["cases"]] == ["L1"]
    assert NAME not in answer.text
    assert reads(known)[0]["data"] == {"fields": ["id_number", "name"], "masked": True, "purpose": "complaint"}


def test_nobody_found_is_an_empty_answer(known: Running) -> None:
    for search in ({"name": "张伟"}, {"phone": "13800000001"}, {"loan_id": "L3"}, {"id_number": "1"}):
        assert known.post("/find", json=search).json() == {"items": [], "cut": False}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "filter_malformed"),
        ({"name": "张", "phone": "1"}, "filter_malformed"),
        ({"name": " "}, "filter_malformed"),
        ({"name": "x" * 65}, "filter_malformed"),
        ({"nick": "张"}, "invalid_request"),
        ({"loan_id": "L1", "purpose": "因为好奇"}, "purpose_unknown"),
    ],
)
def test_a_search_that_is_none_is_told_without_its_words(known: Running, body: dict[str, str], code: str) -> None:
    answer = known.post("/find", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert "张" not in answer.text
    assert reads(known) == []


def test_a_name_many_share_is_cut_and_says_so(running: Running) -> None:
    with writing(running.started.engine) as conn:
        for number in range(51):
            put_borrower(conn, running.started.branch, Customer("wuhan", f"B{number}"), name="李娜")
    found = running.post("/find", "B1", json={"name": "李娜"}).json()
    assert (len(found["items"]), found["cut"]) == (50, True)


def test_a_name_moved_from_another_row_is_shown_to_nobody(known: Running) -> None:
    """Whoever writes rows and has no key can exchange what two rows have sealed; neither opens in the other's place."""
    with writing(known.started.engine) as conn:
        put_borrower(conn, known.started.branch, Customer("wuhan", "B-L9"), name="李四")
        theirs = conn.execute(sa.select(borrowers.c.name_sealed).where(borrowers.c.borrower_id == "B-L9")).scalar_one()
        conn.execute(borrowers.update().where(borrowers.c.borrower_id == "B-L1").values(name_sealed=theirs))
    for answer in (
        known.get("/borrowers/B-L1", "B1"),
        known.post("/find", "B1", json={"loan_id": "L1"}),
        known.post("/borrowers/B-L1/reveal", "B1", json={"fields": ["name"], "purpose": "complaint"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "sealed_value_altered")
        assert "李" not in answer.text
    assert known.get("/borrowers/B-L9", "B1").status_code == 200


@pytest.fixture
def both(known: Running) -> Running:
    """`known`, and B-L1 of yichang: somebody else with the same phone, whose loan L7 is in a team of its own."""
    branch, him = known.started.branch, Customer("yichang", "B-L1")
    with writing(known.started.engine) as conn:
        put_borrower(conn, branch, him, name="李四")
        put_contact(conn, branch, him, phone=PHONE, row_hash=b"d")
    newcomer(known, "R9", "business_rep", team="T9", region="R9")
    known.open("L7", institution="yichang", borrower_id="B-L1", owner="R9", team="T9", region="R9")
    return known


REVEAL = {"fields": ["name"], "purpose": "complaint"}


def test_a_number_of_two_institutions_is_asked_back_with_those_within_reach(both: Running) -> None:
    for answer in (both.get("/borrowers/B-L1", "B1"), both.post("/borrowers/B-L1/reveal", "B1", json=REVEAL)):
        told = answer.json()
        assert (answer.status_code, told["code"]) == (409, "institution_needed")
        assert (told["field"], told["institutions"]) == ("institution", ["wuhan", "yichang"])
    assert reads(both) == []


@pytest.mark.parametrize(("institution", "initial"), [("wuhan", "张**"), ("yichang", "李**")])
def test_the_institution_that_is_named_is_the_one_that_is_shown(both: Running, institution: str, initial: str) -> None:
    page = both.get("/borrowers/B-L1", "B1", params={"institution": institution}).json()
    assert (page["institution"], page["name"], len(page["contacts"])) == (institution, initial, 1)
    assert {case["institution"] for case in page["cases"]} == {institution}
    assert page["beyond"] is False
    shown = both.post("/borrowers/B-L1/reveal", "B1", json=REVEAL | {"institution": institution}).json()
    assert (shown["institution"], shown["name"][0]) == (institution, initial[0])
    entries = both.get("/audit/entries", "AUD1", params={"stream": f"borrower:{institution}~B-L1"}).json()["items"]
    assert [entry["body"]["event"] for entry in entries] == ["personal.read", "personal.revealed"]
    assert entries[0]["entry_id"] == f"borrower:{institution}~B-L1:1"
    one = both.get(f"/audit/entries/{entries[0]['entry_id']}", "AUD1")
    assert one.json()["body"]["stream"] == f"borrower:{institution}~B-L1"


@pytest.mark.parametrize(("staff_no", "own", "others"), [("R1", "wuhan", "yichang"), ("R9", "yichang", "wuhan")])
def test_who_reaches_one_of_them_is_shown_that_one_and_told_nothing_of_the_other(
    both: Running, staff_no: str, own: str, others: str
) -> None:
    answer = both.get("/borrowers/B-L1", staff_no)
    assert (answer.json()["institution"], answer.json()["beyond"]) == (own, False)
    assert others not in answer.text
    refused = both.get("/borrowers/B-L1", staff_no, params={"institution": others})
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_borrower")
    found = both.post("/find", staff_no, json={"phone": PHONE, "purpose": "collection"}).json()["items"]
    assert [one["institution"] for one in found] == [own]


def test_who_reaches_none_of_them_is_refused_without_being_told_that_there_are_two(both: Running) -> None:
    newcomer(both, "T8", "business_rep", team="T8", region="R8")
    refused = both.get("/borrowers/B-L1", "T8")
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_borrower")
    assert "institutions" not in refused.json()


def test_a_phone_that_customers_of_two_institutions_have_finds_both(both: Running) -> None:
    found = both.post("/find", "B1", json={"phone": PHONE, "purpose": "complaint"}).json()["items"]
    assert [(one["borrower_id"], one["institution"], one["name"]) for one in found] == [
        ("B-L1", "wuhan", "张**"), ("B-L1", "yichang", "李**"),
    ]  # fmt: skip
    assert [case["loan_id"] for one in found for case in one["cases"]] == ["L1", "L7"]


def test_the_grounds_to_open_a_case_of_a_loan_are_told(known: Running) -> None:
    offers = {offer["ground"]: offer for offer in known.get("/loans/L2/openings").json()["openings"]}
    assert [name for name, offer in offers.items() if offer["allowed"]] == ["misuse", "finding"]
    assert [field["name"] for field in offers["misuse"]["data"]] == ["finding", "recall_demand"]
    taken = known.get("/loans/L1/openings").json()
    assert len(taken["cases"]) == 1
    assert all("case_open_already" in [r["code"] for r in offer["reasons"]] for offer in taken["openings"])
    assert known.get("/loans/L3/openings").json()["code"] == "unknown_loan"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/loans/Ｌ1/openings", "loan_id"),
        ("/cases?loan_id=Ｌ１", "items"),
        ("/cases?owner=Ｒ1", "items"),
        ("/borrowers/Ｂ-L1", "name"),
    ],
)
def test_what_is_asked_for_in_full_width_is_found(known: Running, path: str, found: str) -> None:
    assert known.get(path).json()[found]


@pytest.mark.parametrize("spoilt", ["6.2E%2B18", "10001.0", "合计", "L1%E2%80%8B", "%27L1"])
@pytest.mark.parametrize(
    ("path", "field"),
    [("/loans/{}/openings", "loan_id"), ("/cases?loan_id={}", "loan_id"), ("/cases?borrower_id={}", "borrower_id"),
     ("/cases?owner={}", "owner"), ("/cases?worked_by={}", "worked_by"),
     ("/borrowers/{}", "borrower_id"), ("/audit/entries?subject=loan:{}", "subject"),
     ("/audit/entries?subject=borrower:{}", "subject")],
)  # fmt: skip
def test_a_spoilt_id_is_told_and_not_looked_for(known: Running, path: str, field: str, spoilt: str) -> None:
    answer = known.get(path.format(spoilt), "AUD1" if "audit" in path else "R1")
    body = answer.json()
    assert (answer.status_code, body["code"], body["field"]) == (422, "filter_malformed", field)
    assert body["fault"].startswith("id_")


@pytest.mark.parametrize(("loan_id", "status"), [(" Ｌ１ ", 200), ("L1", 200), ("合计", 422), ("10001.0", 422)])
def test_a_loan_number_to_find_by_is_folded_or_told(known: Running, loan_id: str, status: int) -> None:
    answer = known.post("/find", "B1", json={"loan_id": loan_id})
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert (
        len(body["items"]) == 1 if status == 200 else (body["code"], body["field"]) == ("filter_malformed", "loan_id")
    )
