"""Repayments of the day over HTTP: one file, answered with what became of its rows."""

from typing import Any

import pytest
from litestar.testing import TestClient

from api.app import create_app
from casework.clock import now
from casework.operation.startup import Started
from casework.settings import Settings
from tests.api.conftest import Running
from tests.api.test_events import problem
from tests.feed.bank import DAY, INSTITUTION, Bank, arrears, contact, loan

FILE = f"payment_id,loan_id,paid_on,amount,reverses\nR1,L1,{DAY},500.00,\nR2,L99,{DAY},1.00,\n".encode()


@pytest.fixture
def paid(settings: Settings, branch: tuple[Started, dict[str, str]], tmp_path: Any) -> Any:
    """The application on a branch with one loan in arrears."""
    started, issued = branch
    bank = Bank(started, tmp_path / "feeds")
    bank.know(INSTITUTION)
    bank.send(DAY, [arrears(1)], loans=[loan(1)], contacts=[contact(1)])
    with TestClient(create_app(settings)) as client:
        yield Running(client, started, issued)
    bank.assert_sound()


def test_a_file_is_taken_in_and_again_changes_nothing(paid: Running) -> None:
    for stored, repeated in ((1, 0), (0, 1)):
        answer = paid.post("/repayments", "B1", files={"file": ("还款.csv", FILE)})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert (body["rows"], body["stored"], body["repeated"]) == (2, stored, repeated)
        assert [(one["line"], one["column"], one["kind"]) for one in body["set_aside"]] == [
            (3, "loan_id", "unknown_loan")
        ]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"files": {"file": ("r.csv", b"a,b\n1,2\n")}}, 422, "column_missing"),
        ({"files": [("file", ("a.csv", FILE)), ("file", ("b.csv", FILE))]}, 400, "malformed_request"),
        ({"json": {}}, 415, "unsupported_media_type"),
        ({"content": FILE, "headers": {"content-type": "multipart/form-data"}}, 400, "malformed_request"),
    ],
)
def test_what_is_no_file_of_repayments_is_refused(paid: Running, sent: dict[str, Any], status: int, code: str) -> None:
    problem(paid.post("/repayments", "B1", **sent), status, code)


def test_a_post_that_may_not_is_refused(paid: Running) -> None:
    problem(paid.post("/repayments", "AUD1", files={"file": ("r.csv", FILE)}), 403, "post_not_permitted")


def test_who_says_to_have_paid_with_a_proof_may_not_be_called_and_the_answer_says_why(paid: Running) -> None:
    case = {"case_id": paid.get("/cases", "T1").json()["items"][0]["id"], "party": "debtor", "phone": "12000000001"}
    wanted = {**case, "channel": "call"}
    data = {"said_at": f"{DAY}T10:00:00+08:00", "paid_on": str(DAY), "proof": "slip:77", "remark": "工行转账"}
    said = paid.post("/remittances", "T1", json={"of": case["case_id"], "ground": "said", "data": data})
    assert said.status_code == 201, said.text
    answer = paid.post("/contact-permits", "T1", json=wanted).json()
    reasons = {one["rule"]: one for one in answer["reasons"]}
    assert not answer["allowed"]
    assert reasons["paid"]["zh"] == "已还款或客户称已还，下一份数据到达前不得催收"
    assert reasons["paid"]["allowed_from"] > now().isoformat()
    line = paid.get("/remittances", "T1").json()["items"][0]
    assert (line["proof"], line["said_on"], line["state_zh"], "remark" in line) == ("slip:77", str(DAY), "待核", False)
    problem(
        paid.post("/remittances", "T1", json={"of": case["case_id"], "ground": "said", "data": data | {"proof": ""}}),
        422, "faulty_data",
    )  # fmt: skip
