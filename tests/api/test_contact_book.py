"""The contact book over HTTP: looked at masked and on record, added to within reach, refused by name."""

from typing import Any

import pytest

from casework.customer import Customer
from casework.storage.database import writing
from tests.api.conftest import Running, findings
from tests.api.test_events import problem
from tests.on_books import put_borrower, put_contact, put_loan
from tests.round_trips import RoundTrips

PHONE, SISTER = "12000000001", "121 0000 0001"


@pytest.fixture
def case(running: Running) -> int:
    """A case of R1 on the loan L1 of B-L1, whose number is on the books; L2 is another debtor's, of another team."""
    with writing(running.started.engine) as conn:
        for number, owner, place in (("1", "R1", "1"), ("2", "R2", "2")):
            put_loan(
                conn, running.started.branch, loan_id=f"L{number}", institution="wuhan", borrower_id=f"B-L{number}",
                product="consumer", owner_staff_no=owner, team=f"T{place}", region=f"R{place}",
                principal_fen=9_000_000, outstanding_principal_fen=5_000_000, row_hash=number.encode(),
            )  # fmt: skip
        him = Customer("wuhan", "B-L1")
        put_borrower(conn, running.started.branch, him, name="甄不存", id_number="000000199001010001")
        put_contact(conn, running.started.branch, him, name="甄不存", phone=PHONE)
    running.open("L2", owner="R2", team="T2", region="R2")
    return running.open("L1")[0]


def way(loan_id: str = "L1", **fields: Any) -> dict[str, Any]:
    return {
        "loan_id": loan_id, "role": "contact", "phone": SISTER, "name": "甄不存二", "relation": "sibling",
        "source": "debtor", "legal_basis": "consent",
    } | fields  # fmt: skip


def add(running: Running, *entries: dict[str, Any], staff_no: str = "R1", **more: Any) -> Any:
    return running.post("/contact-book", staff_no, json={"entries": list(entries), **more})


def outcomes(answer: Any) -> list[tuple[str, int, str | None]]:
    assert answer.status_code == 200, answer.text
    return [(one["outcome"], one["status"], one["field"]) for one in answer.json()["results"]]


def test_a_number_is_entered_once_and_shown_masked_with_state_source_and_who_found_it(
    running: Running, case: int
) -> None:
    answer = add(running, way())
    assert outcomes(answer) == [("done", 200, None)]
    assert answer.headers["receipt"]
    assert outcomes(add(running, way(phone="+8612100000001"))) == [("repeated", 200, None)]
    for asked in ({"case_id": case}, {"loan_id": "L1"}):
        shown = running.get("/contact-book", params=asked)
        assert shown.status_code == 200, shown.text
        own, sister = shown.json()["items"]
        assert (own["role"], own["phone"], own["found_by"]) == ("debtor", "120****0001", None)
        assert (sister["phone"], sister["state"], sister["source"], sister["legal_basis"], sister["found_by"]) == (
            "121******0001", "unverified", "debtor", "consent", "R1",
        )  # fmt: skip
        assert "12100000001" not in shown.text.replace(" ", "")
    page = running.get("/audit/entries", "AUD1", params={"stream": "borrower:wuhan~B-L1"}).json()
    events = [one["body"]["event"] for one in page["items"]]
    assert (events.count("contact.added"), events.count("personal.read")) == (1, 2)
    assert findings(running.started) == []


def test_a_number_is_in_clear_only_by_reveal_or_dialling_each_an_entry(running: Running, case: int) -> None:
    contact_id = add(running, way()).json()["results"][0]["contact_id"]
    asked = {"fields": ["phone"], "purpose": "collection", "contact_ids": [contact_id]}
    shown = running.post("/borrowers/B-L1/reveal", json=asked)
    assert shown.json()["contacts"] == [{"id": contact_id, "phone": SISTER}]
    page = running.get("/audit/entries", "AUD1", params={"stream": "borrower:wuhan~B-L1"}).json()
    said = [one["body"]["data"] for one in page["items"] if one["body"]["event"] == "personal.revealed"]
    assert said == [{"fields": ["phone"], "purpose": "collection", "masked": False, "contact_ids": [contact_id]}]


def test_each_row_has_its_own_result(running: Running, case: int) -> None:
    told = add(running, way(), way("L2"), way("L9"), way(source="bought_data"), way(legal_basis="need"), way())
    assert outcomes(told) == [
        ("done", 200, None), ("unknown_loan", 404, "loan_id"), ("unknown_loan", 404, "loan_id"),
        ("unlawful_source", 422, "source"), ("unknown_legal_basis", 422, "legal_basis"), ("repeated", 200, None),
    ]  # fmt: skip
    assert told.json()["by_outcome"]["unknown_loan"] == 2
    both = add(running, way(role="heir"), way(source="gossip"), atomic=True)
    assert outcomes(both) == [("not_done", 409, None), ("unknown_source", 422, "source")]
    assert len(running.get("/contact-book", params={"case_id": case}).json()["items"]) == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"entries": []}, 422), ({"entries": [way()] * 51}, 422), ({"entries": [way(colour="red")]}, 422),
        ({"entries": [{"loan_id": "L1"}]}, 422), ({}, 422),
    ],
    ids=["none", "51", "an unknown field", "no source", "no entries"],
)  # fmt: skip
def test_a_body_that_is_none_is_refused_whole(running: Running, case: int, body: Any, status: int) -> None:
    assert running.post("/contact-book", json=body).status_code == status


def test_a_refusal_and_an_end_are_noted_once_by_whoever_reaches_the_debtor(running: Running, case: int) -> None:
    contact_id = add(running, way()).json()["results"][0]["contact_id"]
    place, body = f"/contact-book/{contact_id}/marks", {"mark": "refused", "remark": "来信要求不再联系"}
    told = running.post(place, json=body)
    assert told.status_code == 200, told.text
    assert told.json()["entry_id"].startswith("borrower:wuhan~B-L1:")
    assert told.headers["receipt"]
    assert running.post(place, json=body).json()["entry_id"] is None
    shown = running.get("/contact-book", params={"case_id": case}).json()["items"][-1]
    assert (shown["state"], shown["ended_at"]) == ("refused", None)
    problem(running.post(place, json=body | {"mark": "valid"}), 422, "unknown_mark")
    problem(running.post("/contact-book/99/marks", json=body), 404, "unknown_contact")
    problem(running.post(place, "AUD1", json=body), 403, "post_not_permitted")
    assert findings(running.started) == []


@pytest.mark.parametrize("asked", [{}, {"case_id": 1, "loan_id": "L1"}, {"loan_id": "L2"}, {"case_id": 999}])
def test_a_book_is_asked_for_by_one_case_or_loan_within_reach(
    running: Running, case: int, asked: dict[str, Any]
) -> None:
    assert running.get("/contact-book", params=asked).status_code in (404, 422)


def marks(running: Running, *asked: tuple[int, str], **more: Any) -> Any:
    body = [{"contact_id": number, "mark": what, "remark": "来信"} for number, what in asked]
    return running.post("/contact-book/marks", more.pop("staff_no", "R1"), json={"marks": body, **more})


def test_marks_have_a_result_each_and_are_noted_all_or_none_if_that_is_asked(running: Running, case: int) -> None:
    told = add(running, way(), way(role="heir", phone="12100000009")).json()["results"]
    first, second = (one["contact_id"] for one in told)
    refused = marks(running, (first, "refused"), (second, "valid"), atomic=True)
    assert outcomes(refused) == [("not_done", 409, None), ("unknown_mark", 422, "mark")]
    assert running.get("/contact-book", params={"case_id": case}).json()["items"][1]["state"] == "unverified"
    done = marks(running, (first, "refused"), (first, "ended"), (first, "refused"), (999, "ended"), (second, "ended"))
    assert outcomes(done) == [
        ("done", 200, None), ("done", 200, None), ("repeated", 200, None), ("unknown_contact", 404, "contact_id"),
        ("done", 200, None),
    ]  # fmt: skip
    assert done.headers["receipt"]
    _, sister, heir = running.get("/contact-book", params={"case_id": case}).json()["items"]
    assert (sister["state"], sister["ended_at"] is None, heir["ended_at"] is None) == ("refused", False, False)
    problem(marks(running, (first, "ended"), staff_no="AUD1"), 403, "post_not_permitted")
    problem(marks(running, *[(first, "ended")] * 51), 422, "invalid_request")
    assert findings(running.started) == []


@pytest.mark.only("postgresql")
def test_fifty_marks_cost_as_many_statements_as_five(running: Running, case: int) -> None:
    """Entering them too."""
    ids, entering, counts = list[int](), list[int](), list[int]()
    for some in (range(5), range(5, 55)):
        with RoundTrips() as statements:
            told = add(running, *(way(phone=f"1210000{one:04}") for one in some)).json()["results"]
            entering.append(len(statements))
        ids += [one["contact_id"] for one in told]
    assert 5 < entering[1] <= entering[0] + 2
    for asked in (ids[:5], ids[5:]):
        with RoundTrips() as statements:
            assert {one for one, _, _ in outcomes(marks(running, *((one, "ended") for one in asked)))} == {"done"}
            counts.append(len(statements))
    assert 5 < counts[1] <= counts[0] + 2


def test_the_book_of_a_past_day_holds_what_was_entered_by_then(running: Running, case: int) -> None:
    add(running, way())
    for day, shown in (("2026-01-01", 1), ("2099-01-01", 2)):
        told = running.get("/contact-book", params={"case_id": case, "as_of": day})
        assert (told.status_code, len(told.json()["items"])) == (200, shown), told.text
    problem(running.get("/contact-book", params={"case_id": case, "as_of": "soon"}), 422, "invalid_request")
