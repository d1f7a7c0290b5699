"""Cases opened by hand."""

from datetime import date
from typing import Any

import pytest

from casework.storage.database import writing
from tests.api.conftest import Running
from tests.api.test_events import problem
from tests.on_books import put_loan

MISUSE = {"ground": "misuse", "data": {"finding": "insp:1", "recall_demand": "doc:1"}}


@pytest.fixture(autouse=True)
def _books(running: Running) -> None:
    with writing(running.started.engine) as conn:
        for loan_id in ("L1", "L2"):
            put_loan(
                conn, running.started.branch, loan_id=loan_id, institution="wuhan", borrower_id="B1",
                product="consumer", owner_staff_no="R1", team="T9", region="R9",
                outstanding_principal_fen=7_000_000, risk_class="normal", npl_since=date(2025, 12, 1),
            )  # fmt: skip


def open_case(running: Running, loan_id: str = "L1", staff_no: str = "R1", body: Any = MISUSE, **headers: str) -> Any:
    return running.post("/cases", staff_no, json={"loan_id": loan_id, **body}, headers=headers)


def test_a_case_is_opened_on_misuse_though_the_loan_is_not_in_arrears(running: Running) -> None:
    answer = open_case(running)
    assert answer.status_code == 201, answer.text
    done = answer.json()
    assert answer.headers["location"] == f"/cases/{done['case_id']}"
    assert answer.headers["etag"] == '"1"'
    assert (done["from_state"], done["state"], done["entry_id"]) == (
        None,
        "phone_collection",
        f"case:{done['case_id']}:1",
    )


def test_a_loan_has_one_live_case(running: Running) -> None:
    open_case(running)
    body = problem(open_case(running), 409, "refused")
    assert [reason["code"] for reason in body["reasons"]] == ["case_open_already"]


def test_only_a_known_ground_opens_a_case_of_a_known_loan(running: Running) -> None:
    problem(open_case(running, "L9"), 404, "unknown_loan")
    (fault,) = problem(open_case(running, body={"ground": "whim"}), 422, "unknown_ground")["faults"]
    assert fault["field"] == "ground"
    assert "misuse" in fault["en"]
    assert "old_npl" not in fault["en"], "a ground of the service alone is nobody's to choose"
    problem(open_case(running, ""), 422, "invalid_request")
    faults = problem(open_case(running, body={"ground": "misuse"}), 422, "faulty_data")["faults"]
    assert {fault["field"] for fault in faults} == {"finding", "recall_demand"}


def test_a_loan_is_found_in_full_width_too(running: Running) -> None:
    assert open_case(running, "Ｌ１").status_code == 201
    problem(open_case(running, "L1"), 409, "refused")


@pytest.mark.parametrize(
    ("loan_id", "fault"), [("L' OR 1=1", "id_character"), ("10001.0", "id_decimal"), ("合计", "id_without_digit")]
)
def test_a_spoilt_loan_number_is_told_with_what_is_allowed(running: Running, loan_id: str, fault: str) -> None:
    body = problem(open_case(running, loan_id), 422, "id_malformed")
    assert (body["field"], body["fault"]) == ("loan_id", fault)
    assert "at least one digit" in body["needs"]


def test_only_the_posts_of_the_ground_may_open(running: Running) -> None:
    problem(open_case(running, staff_no="T1"), 403, "post_not_permitted")
    problem(open_case(running, staff_no="AUD1"), 403, "post_not_permitted")
    problem(open_case(running, body={"ground": "arrears"}), 403, "post_not_permitted")


def test_a_repeat_opens_nothing_more(running: Running) -> None:
    first, again = (open_case(running, **{"Idempotency-Key": "o1"}) for _ in range(2))
    assert (first.status_code, first.content, first.headers["location"]) == (
        again.status_code, again.content, again.headers["location"],
    )  # fmt: skip
    assert again.headers["idempotent-replay"] == "true"
