"""Asking the gate over HTTP: allowed or every reason, the number only once dialling begins, and on record."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from api import contact_permits
from api.permit_desk import PermitDesk
from casework.customer import Customer
from casework.operation.startup import Started
from casework.storage.database import writing
from casework.work.contacts.tables import contacts
from tests.api.conftest import Begins, Running, findings, open_cases
from tests.api.test_events import problem
from tests.on_books import put_borrower, put_contact, put_loan
from tests.round_trips import RoundTrips

PHONE = "12000000001"
NOON = datetime(2026, 1, 12, 4, tzinfo=UTC)


def b_l1(started: Started) -> int:
    """A case of the borrower B-L1, who is on the books with a number."""
    branch, him = started.branch, Customer("wuhan", "B-L1")
    with writing(started.engine) as conn:
        put_loan(
            conn, branch, loan_id="L1", institution="wuhan", borrower_id="B-L1", product="consumer",
            owner_staff_no="R1", team="T1", region="R1", principal_fen=9_000_000,
            outstanding_principal_fen=5_000_000, row_hash=b"1",
        )  # fmt: skip
        put_borrower(conn, branch, him, name="甄不存", id_number="000000199001010001")
        put_contact(conn, branch, him, name="甄不存", phone=PHONE, address="虚构路1号", address_kind="home")
    return open_cases(started, "L1")[0]


@pytest.fixture
def begins() -> Begins:
    """What `case` begins with."""
    return b_l1


@pytest.fixture
def case(begun: int, running: Running, monkeypatch: pytest.MonkeyPatch) -> int:
    """The case of B-L1; it is noon for the branch."""
    desk: PermitDesk = running.client.app.state["serving"].permits
    desk.clock = lambda: NOON
    monkeypatch.setattr(contact_permits, "now", lambda: NOON)
    return begun


def ask(running: Running, case: int, staff_no: str = "R1", **more: Any) -> Any:
    body = {"case_id": case, "party": "debtor", "contact_id": 1, "channel": "call"} | more
    return running.post("/contact-permits", staff_no, json={key: one for key, one in body.items() if one is not None})


def test_a_permit_is_answered_with_until_when_it_reserves_the_call(running: Running, case: int) -> None:
    answer = ask(running, case)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["allowed"], body["reasons"]) == (True, [])
    assert datetime.fromisoformat(body["expires_at"]) == NOON + timedelta(minutes=5)
    assert isinstance(body["permit_id"], int)
    assert PHONE not in answer.text


@pytest.mark.parametrize(
    ("more", "code", "field"),
    [
        ({"party": "neighbour"}, "unknown_party", "party"), ({"channel": "inbound"}, "unknown_channel", "channel"),
        ({"purpose": "gossip"}, "unknown_purpose", "purpose"), ({"contact_id": None}, "contact_or_phone", "contact_id"),
        ({"contact_id": 99}, "unknown_contact", "contact_id"), ({"party": "guarantor"}, "party_differs", "party"),
        ({"contact_id": None, "phone": "abc"}, "malformed_phone", "phone"),
        ({"party": "contact", "contact_id": None, "phone": PHONE, "purpose": "demand"}, "purpose_not_for_contact",
         "purpose"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_names_its_field(
    running: Running, case: int, more: dict[str, Any], code: str, field: str
) -> None:
    answer = ask(running, case, **more)
    assert answer.status_code in {404, 409, 422}
    assert (answer.json()["code"], answer.json()["field"]) == (code, field)


def test_what_the_gate_forbids_is_answered_with_every_reason(running: Running, case: int) -> None:
    body = ask(running, case, party="contact", contact_id=None, phone="12000000009").json()
    assert (body["allowed"], body["permit_id"], body["expires_at"]) == (False, None, None)
    assert [one["rule"] for one in body["reasons"]] == ["X4", "X5"]
    assert all(one.keys() == {"rule", "zh", "en", "allowed_from"} for one in body["reasons"])


def test_the_number_is_shown_once_dialling_begins_and_that_is_an_entry(running: Running, case: int) -> None:
    permit = ask(running, case).json()["permit_id"]
    answer = running.post(f"/contact-permits/{permit}/dialling", "R1")
    assert answer.status_code == 200, answer.text
    assert answer.json()["phone"] == PHONE
    assert datetime.fromisoformat(answer.json()["holds_until"]) == NOON + timedelta(hours=1)
    page = running.get("/audit/entries", "AUD1", params={"stream": "borrower:wuhan~B-L1"}).json()
    (entry,) = [one["body"] for one in page["items"] if one["body"]["event"] == "personal.revealed"]
    assert (entry["actor"]["id"], entry["data"]["fields"]) == ("R1", ["phone"])
    assert findings(running.started) == []


def test_a_phone_that_the_caller_named_is_not_shown_to_him(running: Running, case: int) -> None:
    permit = ask(running, case, contact_id=None, phone="12000000007").json()["permit_id"]
    assert running.post(f"/contact-permits/{permit}/dialling", "R1").json()["phone"] is None


@pytest.mark.parametrize(
    ("staff_no", "after", "code", "status"),
    [
        ("P1", timedelta(), "unknown_permit", 404), ("R1", timedelta(minutes=5), "permit_expired", 409),
        ("AUD1", timedelta(), "post_not_permitted", 403),
    ],
)  # fmt: skip
def test_the_permit_of_another_or_an_expired_one_shows_no_number(
    running: Running,
    case: int,
    monkeypatch: pytest.MonkeyPatch,
    staff_no: str,
    after: timedelta,
    code: str,
    status: int,
) -> None:
    permit = ask(running, case).json()["permit_id"]
    monkeypatch.setattr(contact_permits, "now", lambda: NOON + after)
    answer = running.post(f"/contact-permits/{permit}/dialling", staff_no)
    problem(answer, status, code)
    assert PHONE not in answer.text


@pytest.mark.parametrize(
    ("more", "code", "status"),
    [
        ({"case_id": 999}, "unknown_case", 404), ({"contact_id": 999}, "unknown_contact", 404),
        ({"party": "guarantor"}, "party_differs", 409), ({"party": "neighbour"}, "unknown_party", 422),
        ({"channel": "inbound"}, "unknown_channel", 422), ({"purpose": "revenge"}, "unknown_purpose", 422),
        ({"contact_id": None}, "contact_or_phone", 422), ({"phone": PHONE}, "contact_or_phone", 422),
        ({"contact_id": None, "phone": "call me"}, "malformed_phone", 422),
        ({"party": "contact", "purpose": "demand"}, "purpose_not_for_contact", 422),
        ({"case_id": 0}, "invalid_request", 422),
        ({"channel": 7}, "invalid_request", 422), ({"colour": "red"}, "invalid_request", 422),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_a_clear_problem(
    running: Running, case: int, more: dict[str, Any], code: str, status: int
) -> None:
    answer = ask(running, case, **more)
    problem(answer, status, code)


@pytest.mark.parametrize("permit", [0, 2**63 - 1, 2**63, 10**23])
def test_a_number_that_no_permit_has_is_an_unknown_permit(running: Running, case: int, permit: int) -> None:
    """However large."""
    problem(running.post(f"/contact-permits/{permit}/dialling", "R1"), 404, "unknown_permit")
    problem(outcome(running, permit), 404, "unknown_permit")


def test_whoever_may_not_act_on_the_case_gets_no_permit(running: Running, case: int) -> None:
    assert ask(running, case, "AUD1").status_code == 403


def outcome(running: Running, permit: int, staff_no: str = "R1", **more: Any) -> Any:
    body = {"result": "debtor", "started_at": NOON.isoformat(), "recording": "rec:1"} | more
    return running.post(f"/contact-permits/{permit}/outcome", staff_no, json=body)


def test_the_outcome_enters_the_debtors_log_with_its_permit_and_is_no_breach(running: Running, case: int) -> None:
    permit = ask(running, case).json()["permit_id"]
    answer = outcome(running, permit, note="月底还款")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "contact_ref": f"permit-{permit}", "outcome": "debtor", "entry_id": answer.json()["entry_id"],
    }  # fmt: skip
    assert answer.headers["receipt"]
    page = running.get("/audit/entries", "AUD1", params={"stream": "borrower:wuhan~B-L1"}).json()
    (entry,) = [one["body"] for one in page["items"] if one["body"]["event"] == "contact.recorded"]
    assert (entry["data"]["permit_id"], entry["data"]["result"]) == (permit, "debtor")
    assert PHONE not in str(entry)
    assert running.get("/contact-breaches", "B1", params={"from": "2026-01-12", "to": "2026-01-12"}).json() == {
        "items": [],
        "next": None,
    }
    assert findings(running.started) == []


@pytest.mark.parametrize(
    ("more", "code", "status"),
    [
        ({"result": "perhaps"}, "unknown_result", 422), ({"result": "sent"}, "result_not_of_channel", 422),
        ({"started_at": "2026-01-12T04:00:00"}, "invalid_request", 422),
        ({"started_at": "2026-01-12T04:30:00Z"}, "in_the_future", 422),
        ({"ended_at": "2026-01-12T03:59:59Z"}, "ended_before_started", 422),
        ({"started_at": "2026-01-12T03:00:00Z"}, "permit_foreign", 409),
        ({"staff_no": "P1"}, "unknown_permit", 404), ({"result": 7}, "invalid_request", 422),
    ],
)  # fmt: skip
def test_an_outcome_that_cannot_be_is_refused_and_the_permit_stays(
    running: Running, case: int, more: dict[str, Any], code: str, status: int
) -> None:
    permit = ask(running, case).json()["permit_id"]
    problem(outcome(running, permit, **more), status, code)
    assert outcome(running, permit).status_code == 200


def test_an_outcome_of_another_time_says_which_field_and_when_the_permit_holds(running: Running, case: int) -> None:
    permit = ask(running, case).json()["permit_id"]
    body = problem(outcome(running, permit, started_at="2026-01-12T03:00:00Z"), 409, "permit_foreign")
    assert (body["field"], body["permit_id"]) == ("started_at", permit)
    assert (body["started_from"], body["started_before"]) == (
        "2026-01-12T04:00:00.000000Z", "2026-01-12T04:05:00.000000Z",
    )  # fmt: skip


def test_a_number_of_another_debtor_gets_no_permit_and_is_not_told_from_one_that_there_is_not(
    running: Running, case: int
) -> None:
    """By its number on record; as a phone it is whatever the caller typed, and the gate judges it."""
    with writing(running.started.engine) as conn:
        another = Customer("wuhan", "B-L2")
        put_borrower(conn, running.started.branch, another, name="贾不存", id_number="000000199001010002")
        put_contact(conn, running.started.branch, another, name="贾不存", phone="12000000008", row_hash=b"2")
        (theirs,) = conn.execute(sa.select(contacts.c.id).where(contacts.c.borrower_id == "B-L2")).scalars()
    body = problem(ask(running, case, contact_id=theirs), 404, "unknown_contact")
    none = problem(ask(running, case, contact_id=999), 404, "unknown_contact")
    assert (body["detail_zh"], body["detail"]) == (none["detail_zh"], none["detail"])
    assert "12000000008" not in str(body)


def test_a_permit_is_used_by_one_outcome_and_expires_without(
    running: Running, case: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (ask(running, case).json()["permit_id"] for _ in range(2))
    assert outcome(running, first).status_code == 200
    body = problem(outcome(running, first), 409, "permit_used")
    assert (body["permit_id"], body["used_at"]) == (first, "2026-01-12T04:00:00.000000Z")
    problem(outcome(running, first, staff_no="P1"), 404, "unknown_permit")
    monkeypatch.setattr(contact_permits, "now", lambda: NOON + timedelta(minutes=5))
    body = problem(outcome(running, second), 409, "permit_expired")
    assert body["started_before"] == "2026-01-12T04:05:00.000000Z"
    page = running.get("/audit/entries", "AUD1", params={"stream": "borrower:wuhan~B-L1"}).json()
    recorded = [one for one in page["items"] if one["body"]["event"] == "contact.recorded"]
    assert len(recorded) == 1, "what was refused is nowhere"


def outcomes(running: Running, *reported: dict[str, Any], **more: Any) -> Any:
    headers = more.pop("headers", {})
    common = {"result": "no_answer", "started_at": NOON.isoformat(), "recording": "rec:1"}
    body = {"outcomes": [common | one for one in reported], **more}
    return running.post("/contact-permits/outcomes", json=body, headers=headers)


def became(answer: Any) -> list[tuple[str, int, str | None]]:
    assert answer.status_code == 200, answer.text
    return [(one["outcome"], one["status"], one["column"]) for one in answer.json()["results"]]


def permits(running: Running, case: int, number: int) -> list[int]:
    """For messages: an open permit for a call counts as one that connected."""
    asked = [ask(running, case, channel="message", phone=f"1200000{one:04}", contact_id=None) for one in range(number)]
    return [answer.json()["permit_id"] for answer in asked]


def test_outcomes_have_a_result_each_and_an_identical_one_of_a_used_permit_is_refused(
    running: Running, case: int
) -> None:
    first, second = (ask(running, case).json()["permit_id"] for _ in range(2))
    answer = outcomes(
        running, {"permit_id": first, "result": "debtor"}, {"permit_id": first}, {"permit_id": 999},
        {"permit_id": second, "result": "sent"}, {"permit_id": second, "next_action": "dance"}, {"permit_id": second},
    )  # fmt: skip
    assert became(answer) == [
        ("done", 200, None), ("permit_used", 409, "permit_id"), ("unknown_permit", 404, "permit_id"),
        ("result_not_of_channel", 422, "result"), ("unknown_next_action", 422, "next_action"), ("done", 200, None),
    ]  # fmt: skip
    body = answer.json()
    assert [one["contact_ref"] for one in body["results"]][:2] == [f"permit-{first}"] * 2
    assert (body["by_outcome"]["done"], sum(body["by_reason"].values())) == (2, 4)
    assert answer.headers["receipt"]
    assert findings(running.started) == []


def test_outcomes_are_recorded_all_or_none_if_that_is_asked(running: Running, case: int) -> None:
    first, second = (ask(running, case).json()["permit_id"] for _ in range(2))
    refused = outcomes(running, {"permit_id": first}, {"permit_id": second, "result": "perhaps"}, atomic=True)
    assert became(refused) == [("not_done", 409, None), ("unknown_result", 422, "result")]
    assert running.get("/contacts", params={"case_id": case}).json()["items"] == []
    assert became(outcomes(running, {"permit_id": first}, {"permit_id": second}, atomic=True)) == [
        ("done", 200, None)
    ] * 2  # fmt: skip
    assert len(running.get("/contacts", params={"case_id": case}).json()["items"]) == 2
    assert findings(running.started) == []


def test_outcomes_sent_again_under_their_key_get_the_first_answer(running: Running, case: int) -> None:
    permit, headers = ask(running, case).json()["permit_id"], {"Idempotency-Key": "outcomes-1"}
    first, again = (outcomes(running, {"permit_id": permit}, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert became(again) == [("done", 200, None)]
    problem(outcomes(running, {"permit_id": permit}, atomic=True, headers=headers), 422, "idempotency_mismatch")


@pytest.mark.only("postgresql")
def test_fifty_outcomes_cost_as_many_statements_as_five_and_more_are_refused(running: Running, case: int) -> None:
    counts = []
    for number in (5, 50):
        wanted = permits(running, case, number)
        with RoundTrips() as statements:
            told = became(outcomes(running, *({"permit_id": one, "result": "sent"} for one in wanted)))
            counts.append(len(statements))
        assert told == [("done", 200, None)] * number
    assert 5 < counts[1] <= counts[0] + 2
    problem(outcomes(running, *[{"permit_id": 1}] * 51), 422, "invalid_request")
