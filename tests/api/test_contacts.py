"""Contacts that staff type: recorded as a file of sheets would be, some at a time, within their reach."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from casework.clock import now
from casework.customer import Customer
from casework.operation.startup import Started
from casework.people.staff.actor import system
from casework.storage.database import reading, writing
from casework.work.contacts.contact import Contact
from casework.work.contacts.latest import latest_contacts
from tests.api.conftest import Begins, Running, findings, open_cases
from tests.api.test_events import problem
from tests.dialler.corrected import correct
from tests.hours import by_day
from tests.on_books import put_loan

PHONE = "12000000001"
HIM = Customer("wuhan", "B-L1")


def l1_and_l2(started: Started) -> int:
    """A case of R1 on the loan L1 of B-L1, which is on the books, as L2 of another debtor and team is."""
    with writing(started.engine) as conn:
        for number, owner, place in (("1", "R1", "1"), ("2", "R2", "2")):
            put_loan(
                conn, started.branch, loan_id=f"L{number}", institution="wuhan", borrower_id=f"B-L{number}",
                product="consumer", owner_staff_no=owner, team=f"T{place}", region=f"R{place}",
                principal_fen=9_000_000, outstanding_principal_fen=5_000_000, row_hash=number.encode(),
            )  # fmt: skip
    open_cases(started, "L2", owner="R2", team="T2", region="R2")
    return open_cases(started, "L1")[0]


@pytest.fixture
def begins() -> Begins:
    """What `case` begins with."""
    return l1_and_l2


@pytest.fixture
def case(begun: int, running: Running) -> int:
    """The case on L1."""
    return begun


def row(ref: str = "c1", **cells: Any) -> dict[str, Any]:
    """A call of this or the last day to the debtor of L1 that nobody answered."""
    at = by_day().isoformat()
    return {
        "contact_ref": ref, "loan_id": "L1", "party": "debtor", "phone": PHONE, "channel": "call", "started_at": at,
        "result": "no_answer",
    } | cells  # fmt: skip


def record(running: Running, *contacts: dict[str, Any], staff_no: str = "R1", **more: Any) -> Any:
    return running.post("/contacts", staff_no, json={"contacts": list(contacts), **more})


def results(answer: Any) -> list[tuple[str, int, str | None]]:
    """Outcome, status and column of each row."""
    assert answer.status_code == 200, answer.text
    return [(one["outcome"], one["status"], one["column"]) for one in answer.json()["results"]]


def logged(running: Running) -> list[Contact]:
    with reading(running.started.engine) as conn:
        return latest_contacts(conn, HIM)


def test_a_typed_contact_is_the_callers_own_and_in_the_debtors_log(running: Running, case: int) -> None:
    answer = record(running, row(seconds=0, note="无人接听", recording="rec:1"))
    assert results(answer) == [("done", 200, None)]
    assert answer.headers["receipt"]
    assert (answer.json()["results"][0]["late"], answer.json()["by_outcome"]) == (False, {"done": 1})
    (contact,) = logged(running)
    assert (contact.source, contact.staff_no, contact.outcome, contact.late) == ("sheet", "R1", "unanswered", False)
    assert contact.number == running.started.branch.vault.blind("phone", PHONE)
    page = running.get("/audit/entries", "AUD1", params={"stream": "borrower:wuhan~B-L1"}).json()
    (entry,) = [one["body"] for one in page["items"] if one["body"]["event"] == "contact.recorded"]
    assert entry["actor"]["id"] == "R1"
    assert PHONE not in str(entry)
    assert findings(running.started) == []


def test_the_same_contact_again_is_a_repeat_and_another_of_its_reference_differs(running: Running, case: int) -> None:
    known = row()
    record(running, known)
    answer = record(running, known, known | {"result": "busy"}, row("c2"), row("c2", result="busy"))
    assert results(answer) == [
        ("repeated", 200, None), ("contact_differs", 422, "contact_ref"), ("done", 200, None),
        ("contact_differs", 422, "contact_ref"),
    ]  # fmt: skip
    assert answer.json()["by_reason"] == {"contact_differs": 2}
    assert len(logged(running)) == 2


def test_what_is_typed_a_day_after_the_call_is_kept_and_marked_late(running: Running, case: int) -> None:
    answer = record(running, row(started_at=by_day(25).isoformat()))
    assert answer.json()["results"][0]["late"] is True
    assert logged(running)[0].late


def test_a_debtor_who_was_reached_is_learnt_by_his_case(running: Running, case: int) -> None:
    record(running, row(result="debtor"))
    history = running.get(f"/cases/{case}/history").json()["items"]
    assert history[-1]["event"] == "case.fact.contact_day"
    assert findings(running.started) == []


# (what is wrong, the cells that make it so, outcome, status, column)
BAD: list[tuple[str, dict[str, Any], str, int, str]] = [
    ("a call of tomorrow", {"started_at": "2099-01-01T10:00:00+08:00"}, "in_the_future", 422, "started_at"),
    ("ended before it began", {"ended_at": "2025-01-01T10:00:00+08:00"}, "ended_before_started", 422, "ended_at"),
    ("no such result", {"result": "answered_by_machine"}, "unknown_result", 422, "result"),
    ("a call cannot be delivered", {"result": "delivered"}, "result_not_of_channel", 422, "result"),
    ("a loan of another debtor", {"borrower_id": "B-L2"}, "not_the_loans_borrower", 422, "borrower_id"),
    ("no such loan", {"loan_id": "L9"}, "unknown_loan", 404, "loan_id"),
    ("a loan that he does not see", {"loan_id": "L2"}, "unknown_loan", 404, "loan_id"),
    ("no reference", {"contact_ref": None}, "missing", 422, "contact_ref"),
    ("no party", {"party": None}, "unknown_party", 422, "party"),
    ("a time without its offset", {"started_at": "2026-01-10T10:00:00"}, "malformed_time", 422, "started_at"),
    ("no number", {"phone": None}, "no_phone_or_address", 422, "phone"),
    ("less than no seconds", {"seconds": -1}, "malformed_seconds", 422, "seconds"),
    ("a colleague's call", {"staff_no": "T1"}, "not_your_own", 422, "staff_no"),
    ("an agency's call", {"agency": "A01"}, "not_your_own", 422, "agency"),
]  # fmt: skip


@pytest.mark.parametrize("atomic", [False, True], ids=["each", "atomic"])
@pytest.mark.parametrize(("what", "cells", "outcome", "status", "column"), BAD, ids=[one[0] for one in BAD])
def test_a_bad_row_is_told_alone_and_only_an_atomic_request_leaves_out_the_others(
    running: Running, case: int, what: str, cells: dict[str, Any], outcome: str, status: int, column: str, *,
    atomic: bool,
) -> None:  # fmt: skip
    answer = record(running, row("c1"), row("c2", **cells), atomic=atomic)
    good = ("not_done", 409, None) if atomic else ("done", 200, None)
    assert results(answer) == [good, (outcome, status, column)], what
    told = answer.json()["results"][1]
    assert told["zh"] != outcome != told["en"]
    assert answer.json()["by_reason"] == {outcome: 1}
    assert [one.contact_ref for one in logged(running)] == ([] if atomic else ["c1"])
    assert findings(running.started) == []


def test_who_reaches_all_cases_records_for_others(running: Running, case: int) -> None:
    answer = record(running, row(staff_no="T9"), row(agency="A01"), staff_no="B1")
    assert results(answer) == [("done", 200, None)] * 2
    assert {(one.staff_no, one.source) for one in logged(running)} == {("T9", "sheet"), (None, "agency:A01")}


def test_whoever_works_no_cases_records_no_contact(running: Running, case: int) -> None:
    problem(record(running, row(), staff_no="AUD1"), 403, "post_not_permitted")


def test_the_same_row_sent_by_many_at_once_is_recorded_once(running: Running, case: int) -> None:
    known = row()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: record(running, known), range(8)))
    told = sorted(results(one)[0] for one in answers)
    assert told == [("done", 200, None)] + [("repeated", 200, None)] * 7
    assert len(logged(running)) == 1
    assert findings(running.started) == []


def test_50_contacts_are_recorded_by_one_request(running: Running, case: int) -> None:
    answer = record(running, *[row(f"c{number}") for number in range(50)], atomic=True)
    assert answer.json()["by_outcome"] == {"done": 50}
    assert answer.headers["receipt-omitted"]
    assert len(logged(running)) == 50


@pytest.mark.parametrize(
    "body",
    [
        {}, {"contacts": []}, {"contacts": [row(f"c{number}") for number in range(51)]},
        {"contacts": [{"colour": "red"}]}, {"contacts": [row(note=7)]}, {"contacts": [row()], "dry_run": True},
    ],
    ids=["nothing", "none", "51", "unknown column", "no text", "unknown key"],
)  # fmt: skip
def test_what_is_no_request_is_a_clear_problem(running: Running, body: dict[str, Any]) -> None:
    problem(running.post("/contacts", "R1", json=body), 422, "invalid_request")


def listed(running: Running, staff_no: str = "R1", **params: Any) -> Any:
    return running.get("/contacts", staff_no, params=params)


def test_a_debtors_contacts_are_listed_newest_first_page_by_page_with_masked_numbers(
    running: Running, case: int
) -> None:
    hours = [3, 1, 2]
    rows = [row(f"c{one}", started_at=by_day(one).isoformat()) for one in hours]
    record(running, *rows, row("c9", loan_id="L2", phone="12000000002"), staff_no="B1")
    found, cursor = [], None
    while True:
        answer = listed(running, case_id=case, limit=2, **({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        assert PHONE not in answer.text
        page = answer.json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert [one["contact_ref"] for one in found] == ["c1", "c2", "c3"]
    assert {one["phone"] for one in found} == {"120****0001"}
    assert {(one["result"], one["zh"], one["staff_no"], one["source"]) for one in found} == {
        ("no_answer", "无人接听", "B1", "sheet")
    }  # fmt: skip
    assert listed(running, loan_id="L1").json()["items"] == found
    page = running.get("/audit/entries", "AUD1", params={"stream": "borrower:wuhan~B-L1"}).json()
    reads = [one["body"] for one in page["items"] if one["body"]["event"] == "personal.read"]
    assert {(one["actor"]["id"], tuple(one["data"]["fields"])) for one in reads} == {("R1", ("phone",))}
    problem(listed(running, case_id=case, limit=2, cursor="nonsense"), 422, "cursor_malformed")
    assert findings(running.started) == []


def test_a_corrected_contact_is_listed_with_its_new_result_and_its_number(running: Running, case: int) -> None:
    record(running, row(), row("c2", phone="12000000002"))
    with writing(running.started.engine) as conn:
        correct(conn, running.started.branch, "c1", "sheet", "third_party", system("cli"), now())
    shown = {
        one["contact_ref"]: (one["outcome"], one["phone"]) for one in listed(running, case_id=case).json()["items"]
    }
    assert shown == {"c1": ("third_party", "120****0001"), "c2": ("unanswered", "120****0002")}


@pytest.mark.parametrize(
    ("params", "staff_no", "code", "status"),
    [
        ({}, "R1", "filter_malformed", 422), ({"case_id": 1, "loan_id": "L1"}, "R1", "filter_malformed", 422),
        ({"colour": "red", "case_id": 2}, "R1", "filter_malformed", 422),
        ({"case_id": 0}, "R1", "invalid_request", 422),
        ({"case_id": 99}, "R1", "unknown_case", 404), ({"case_id": 1}, "R1", "unknown_case", 404),
        ({"loan_id": "L9"}, "R1", "unknown_loan", 404), ({"loan_id": "L2"}, "R1", "unknown_loan", 404),
        ({"case_id": 2, "limit": 201}, "R1", "invalid_request", 422),
        ({"case_id": 2}, "ADM1", "post_not_permitted", 403),
    ],
)  # fmt: skip
def test_contacts_of_nobody_or_of_another_are_not_listed(
    running: Running, case: int, params: dict[str, Any], staff_no: str, code: str, status: int
) -> None:
    assert case == 2
    problem(listed(running, staff_no, **params), status, code)


def test_line_seconds_template_and_what_follows_are_listed_and_what_lacks_a_record_goes_to_review(
    running: Running, case: int
) -> None:
    sent = {"channel": "message", "result": "sent"}
    record(
        running, row(line="02759990000", seconds=22, recording="rec:1", next_action="再次拨打"), row("c2"),
        row("c3", **sent, template="T-07"), row("c4", **sent), row("c5", next_action="wait"),
    )  # fmt: skip
    found = {one["contact_ref"]: one for one in listed(running, case_id=case).json()["items"]}
    assert [found["c1"][name] for name in ("line", "seconds", "template", "next_action", "to_review")] == [
        "02759990000", 22, None, "call_again", None,
    ]  # fmt: skip
    assert {ref: one["to_review"] for ref, one in found.items()} == {
        "c1": None, "c2": "unrecorded", "c3": None, "c4": "no_template",
    }  # fmt: skip
    today = running.started.branch.today(now())
    days = {"from": str(today - timedelta(days=1)), "to": str(today)}
    page = running.get("/contacts/to-review", "B1", params=days).json()
    assert ([(one["contact_ref"], one["why"]) for one in page["items"]], page["more"]) == (
        [("c2", "unrecorded"), ("c4", "no_template")], False,
    )  # fmt: skip
    reviewed = running.post("/contact-breaches/reviews", "B1", json={"contact_ref": "c2", "verdict": "explained"})
    assert reviewed.json() == {"contact_ref": "c2", "rules": [], "verdict": "explained", "reasons": ["unrecorded"]}
    of_review = ("contact_ref", "reasons", "verdict", "reviewed_by")
    page = running.get("/contacts/to-review", "B1", params=days).json()
    assert [tuple(one[name] for name in of_review) for one in page["items"]] == [
        ("c2", ["unrecorded"], "explained", "B1"), ("c4", ["no_template"], None, None),
    ]  # fmt: skip
    problem(running.get("/contacts/to-review", "R1", params=days), 403, "post_not_permitted")
    problem(running.get("/contacts/to-review", "B1", params=days | {"to": "2020-01-01"}), 422, "period_too_long")
    assert findings(running.started) == []


def test_contacts_are_listed_since_an_instant(running: Running, case: int) -> None:
    at = by_day(5)
    record(running, *(row(f"c{n}", started_at=(at + timedelta(hours=n)).isoformat()) for n in range(4)))
    since = (at + timedelta(hours=2)).isoformat()
    first = listed(running, case_id=case, since=since, limit=1).json()
    rest = listed(running, case_id=case, since=since, limit=1, cursor=first["next"]).json()
    assert [one["contact_ref"] for one in (*first["items"], *rest["items"])] == ["c3", "c2"]
    assert rest["next"] is None
    problem(listed(running, case_id=case, cursor=first["next"]), 422, "cursor_malformed")
