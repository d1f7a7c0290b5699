"""Repayments of the day over HTTP: one file, answered with what became of its rows."""

from typing import Any

import pytest
from litestar.testing import TestClient

from api.app import create_app
from casework.operation.startup import Started
from casework.settings import Settings
from tests.api.conftest import Running
from tests.api.test_events import problem
from tests.feed.bank import DAY, INSTITUTION, Bank, arrears, loan

FILE = f"payment_id,loan_id,paid_on,amount,reverses\nR1,L1,{DAY},500.00,\nR2,L99,{DAY},1.00,\n".encode()


@pytest.fixture
def paid(settings: Settings, branch: tuple[Started, dict[str, str]], tmp_path: Any) -> Any:
    """The application on a branch with one loan in arrears."""
    started, issued = branch
    bank = Bank(started, tmp_path / "feeds")
    bank.know(INSTITUTION)
    bank.send(DAY, [arrears(1)], loans=[loan(1)])
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
