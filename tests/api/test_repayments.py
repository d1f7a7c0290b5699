"""Repayments of the day over HTTP: one file, answered with what became of its rows."""

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from api.app import Assembled, create_app
from casework.clock import now
from casework.operation.startup import Started
from casework.settings import Settings
from tests.api.conftest import Running
from tests.api.test_events import problem
from tests.feed.bank import DAY, INSTITUTION, Bank, arrears, contact, loan
from tests.feed.shell import casework

FILE = f"payment_id,loan_id,paid_on,amount,reverses\nR1,L1,{DAY},500.00,\nR2,L99,{DAY},1.00,\n".encode()


@pytest.fixture
def paid(settings: Settings, branch: tuple[Started, dict[str, str]], tmp_path: Any, assembled: Assembled) -> Any:
    """The application on a branch with one loan in arrears."""
    started, issued = branch
    bank = Bank(started, tmp_path / "feeds")
    bank.know(INSTITUTION)
    bank.send(DAY, [arrears(1)], loans=[loan(1)], contacts=[contact(1)])
    with TestClient(create_app(settings, assembled)) as client:
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


def over_http(paid: Running, content: bytes, tmp_path: Path, *, atomic: bool) -> tuple[bool, dict[str, Any]]:
    """Whether it was taken, and what is told."""
    del tmp_path
    answer = paid.post("/repayments", "B1", files={"file": ("r.csv", content)}, data={"atomic": str(atomic).lower()})
    return answer.status_code == 200, answer.json()


def at_the_shell(paid: Running, content: bytes, tmp_path: Path, *, atomic: bool) -> tuple[bool, dict[str, Any]]:
    (tmp_path / "r.csv").write_bytes(content)
    told = casework(
        paid.started.settings, "repayment", "import", tmp_path / "r.csv", "--json", *(["--atomic"] if atomic else [])
    )
    if told.out:
        return told.code == 0, json.loads(told.out)
    return False, {"code": told.err.split(":")[0], "exit": told.code}


ways = pytest.mark.parametrize("way", [over_http, at_the_shell])
HEADER = "payment_id,loan_id,paid_on,amount,reverses\n"
TOMORROW = (now() + timedelta(days=2)).date()


@ways
@pytest.mark.parametrize(
    ("line", "column", "kind"),
    [
        (f"R1,L1,{DAY},-5.00,", "amount", "negative_amount"), (f"R1,L1,{DAY},a lot,", "amount", "malformed_amount"),
        (f"R1,L99,{DAY},5.00,", "loan_id", "unknown_loan"), (f"R1,L1,{TOMORROW},5.00,", "paid_on", "in_the_future"),
        (f"R0,L1,{DAY},5.00,", "payment_id", "payment_differs"),
        (f"R1,L1,{DAY},5.00,R7", "reverses", "unknown_payment"),
        (f",L1,{DAY},5.00,", "payment_id", "missing_value"), (f"R1,L1,{DAY}", None, "wrong_cell_count"),
    ],
)  # fmt: skip
def test_a_bad_row_is_set_aside_with_its_column_and_nothing_goes_in_if_that_is_asked(
    paid: Running, tmp_path: Path, way: Any, line: str, column: str | None, kind: str
) -> None:
    assert way(paid, f"{HEADER}R0,L1,{DAY},1.00,\n".encode(), tmp_path, atomic=False)[0]
    content = f"{HEADER}{line}\nR2,L1,{DAY},2.00,\n".encode()
    for atomic, done, stored, not_done in ((True, way is over_http, 0, 1), (False, True, 1, 0)):
        taken, told = way(paid, content, tmp_path, atomic=atomic)
        assert (taken, told["stored"], told["not_done"], told["repeated"]) == (done, stored, not_done, 0)
        assert [(one["line"], one["column"], one["kind"]) for one in told["set_aside"]] == [(2, column, kind)]


@ways
def test_chinese_headers_and_gb18030_are_read_and_a_file_that_is_cut_is_refused_whole(
    paid: Running, tmp_path: Path, way: Any
) -> None:
    rows = f"R{{}},L1,{DAY},5.00,\n"
    whole = gzip.compress((HEADER + rows.format(1)).encode())
    taken, told = way(paid, whole[:-9], tmp_path, atomic=False)
    assert (taken, told["code"], told.get("exit", 1)) == (False, "file_cut", 1)
    chinese = "还款流水号,借据号,还款日期,还款金额,冲正流水号\n" + rows.format(1) + rows.format(2)
    taken, told = way(paid, chinese.encode("gb18030"), tmp_path, atomic=True)
    assert (taken, told["rows"], told["stored"], told["repeated"], told["set_aside"]) == (True, 2, 2, 0, [])


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"files": {"file": ("r.csv", b"a,b\n1,2\n")}}, 422, "column_missing"),
        ({"files": [("file", ("a.csv", FILE)), ("file", ("b.csv", FILE))]}, 400, "malformed_request"),
        ({"json": {}}, 415, "unsupported_media_type"),
        ({"files": {"file": ("r.csv", FILE)}, "data": {"atomic": "perhaps"}}, 422, "invalid_request"),
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
