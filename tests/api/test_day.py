"""A morning and an evening over HTTP as five people: collectors, a deputy of who is away, basic-risk, a manager."""

from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from python_calamine import CalamineWorkbook

from casework.clock import now
from casework.lifecycle.commands import Done
from casework.people.staff import absence, register, tokens
from casework.people.staff.actor import Actor, system
from casework.storage.database import writing
from casework.work.cases.commands import Assign
from tests.api.conftest import BUSINESS_DATE, Running, findings
from tests.api.test_events import problem
from tests.fed import dated
from tests.on_books import put_loan

RISK = Actor("B1", "staff", "api", frozenset({"basic_risk_manager"}))
HANDLERS = {"L1": "T1", "L2": "T2", "L3": "T3"}


def today(running: Running) -> date:
    return running.started.branch.today(now())


@pytest.fixture
def branch_day(running: Running) -> Running:
    """Three loans five days past due today, one each for T1, T2 and T3; T2 is away today, and T3 deputises."""
    on, started = today(running), running.started
    with writing(started.engine) as conn:
        trail, permissions = started.branch.trail(now()), started.branch.rulebook.permissions
        for staff_no in ("T2", "T3"):
            register.add(
                conn, trail, system("cli"), permissions, staff_no=staff_no, name=f"员工{staff_no}",
                posts=("phone_collector",), team="T1", region="R1",
            )  # fmt: skip
            running.tokens[staff_no] = tokens.issue(conn, trail, system("cli"), staff_no=staff_no)
        absence.absent(
            conn, trail, system("cli"), permissions, staff_no="T2", from_on=on, until_on=on, reason="sick", deputy="T3"
        )
        trail.write(conn)
        dated(conn, started.branch, on)
        for number in "123":
            put_loan(
                conn, started.branch, loan_id=f"L{number}", institution="wuhan", borrower_id=f"B-L{number}",
                product="consumer", owner_staff_no="R1", team="T1", region="R1", principal_fen=9_000_000,
                outstanding_principal_fen=5_000_000, row_hash=number.encode(),
            )  # fmt: skip
    ids = running.open("L1", "L2", "L3", days_past_due=(BUSINESS_DATE - on).days + 5)
    moves = [
        Assign(actor=RISK, id=case_id, owner="R1", handler=handler, reason="workload")
        for case_id, handler in zip(ids, HANDLERS.values(), strict=True)
    ]  # fmt: skip
    assert all(isinstance(one, Done) for one in running.do(*moves))
    return running


def called(running: Running, who: str, loan: str, result: str, ref: str) -> None:
    """A call of this morning, typed in now."""
    zone = ZoneInfo(running.started.branch.time_zone)
    at = min(now(), datetime.combine(today(running), time(0, int(ref[1:])), zone))  # before five, whenever this runs
    row = {
        "contact_ref": ref, "loan_id": loan, "party": "debtor", "phone": "12000000001", "channel": "call",
        "started_at": at.isoformat(), "result": result,
    }  # fmt: skip
    answer = running.post("/contacts", who, json={"contacts": [row]})
    assert answer.json()["results"][0]["outcome"] == "done", answer.text


def hand_in(running: Running, who: str, **body: Any) -> list[tuple[str, int, str | None]]:
    answer = running.post("/day/hand-ins", who, json={"on": today(running).isoformat(), **body})
    assert answer.status_code == 200, answer.text
    return [(one["owed_by"], one["status"], one["code"]) for one in answer.json()["results"]]


def standing(running: Running, who: str, **params: str) -> dict[str, dict[str, Any]]:
    answer = running.get("/day", who, params={"on": today(running).isoformat(), **params})
    assert answer.status_code == 200, answer.text
    return {one["owed_by"]: one for one in answer.json()["people"]}


def test_a_day_is_lived_through_by_five_people(branch_day: Running, tmp_path: Any) -> None:
    """Two collectors, a deputy (who owes what the absent one would), the basic-risk post, and who reads the report."""
    running, on = branch_day, today(branch_day).isoformat()
    assert {who: one["due"] for who, one in standing(running, "B1").items()} == {"R1": 3, "T1": 1, "T3": 2}
    called(running, "T1", "L1", "no_answer", "c1")
    called(running, "T1", "L1", "debtor", "c2")
    called(running, "T3", "L2", "debtor", "c3")
    own = standing(running, "T1")
    assert own.keys() == {"T1"}
    assert (own["T1"]["due"], own["T1"]["done"], own["T1"]["contacts"]) == (1, 1, 2)
    assert hand_in(running, "T1") == [("T1", 200, None)]
    assert hand_in(running, "T1") == [("T1", 409, "handed_in_already")]
    assert hand_in(running, "T1", whose=["T3"]) == [("T3", 403, "hand_in_not_yours")]
    assert hand_in(running, "T3", whose=["T3", "T2"]) == [("T3", 200, None), ("T2", 422, "nothing_to_hand_in")]
    assert hand_in(running, "B1", team="T1") == [
        ("R1", 200, None), ("T1", 409, "handed_in_already"), ("T3", 409, "handed_in_already"),
    ]  # fmt: skip
    called(running, "T1", "L1", "debtor", "c4")
    everybody = standing(running, "B1", team="T1")
    assert everybody["T3"]["ledger"]["by"] == "T3"
    assert (everybody["T1"]["contacts"], everybody["T1"]["since"]) == (2, 1)
    assert hand_in(running, "T1", supplement=True) == [("T1", 200, None)]

    file = running.get("/day/ledger.xlsx", "B1", params={"on": on, "team": "T1"})
    assert "filename*=UTF-8''%E5%82%AC%E6%94%B6%E5%8F%B0%E8%B4%A6" in file.headers["content-disposition"]
    (tmp_path / "a.xlsx").write_bytes(file.content)
    book = CalamineWorkbook.from_path(tmp_path / "a.xlsx")
    lines = book.get_sheet_by_name("催记明细").to_python()
    assert [line[1:3] for line in lines if str(line[2]).startswith("L")] == [
        ["员工T1 T1", "L1"], ["员工T1 T1", "L1"], ["员工T3 T3", "L2"], ["员工T1 T1", "L1"],
    ]  # fmt: skip
    csv = running.get("/day/ledger.csv", "AUD1", params={"on": on, "sheet": "contacts"})
    assert csv.content.decode("utf-8-sig").splitlines()[0].startswith("时间,催收人,借据号,客户（脱敏）")

    report = running.get("/day/report", "V1", params={"on": on}).json()
    assert report["issued"] is None
    assert {one["owed_by"]: one["came"] for one in report["report"]["people"]}["T1"] in {"handed_in", "late"}
    issued = running.post("/day/report", "B1", json={"on": on})
    assert issued.headers["location"] == f"/day/report?on={on}"
    assert (issued.status_code, issued.json()["issued"]["by"]) == (201, "B1")
    assert issued.headers["receipt"]
    assert running.get("/day/report", "V1", params={"on": on}).json() == issued.json()
    problem(running.post("/day/report", "B1", json={"on": on}), 409, "report_issued")
    assert running.get("/day/report.xlsx", "V1", params={"on": on}).content[:2] == b"PK"
    for route, name in (("ledger", "Collection-ledger"), ("report", "Daily-collection-report")):
        file = running.get(f"/day/{route}.xlsx", "B1", params={"on": on, "lang": "en"})
        assert f"{name}-{on}.xlsx" in file.headers["content-disposition"], "in the language that was asked for"
    assert running.get("/day/unrepaired", "B1", params={"on": on}).json() == {"items": [], "next": None}
    assert findings(running.started) == []


ON = BUSINESS_DATE.isoformat()


@pytest.mark.parametrize(
    ("ask", "who", "given", "status", "code"),
    [
        ("POST /day/hand-ins", "T1", {"on": "2999-01-01"}, 422, "day_to_come"),
        ("POST /day/hand-ins", "T1", {"on": "2025-12-31"}, 422, "day_without_feed"),
        ("POST /day/hand-ins", "B1", {"on": ON, "team": "T99"}, 422, "unknown_team"),
        ("POST /day/hand-ins", "B1", {"on": ON, "team": "T1", "whose": ["T1"]}, 422, "whose_or_team"),
        ("POST /day/hand-ins", "B1", {"on": ON, "whose": []}, 422, "invalid_request"),
        ("POST /day/hand-ins", "B1", {"on": "yesterday"}, 422, "invalid_request"),
        ("POST /day/hand-ins", "V1", {"on": ON}, 403, "post_not_permitted"),
        ("POST /day/report", "V1", {"on": ON}, 403, "post_not_permitted"),
        ("POST /day/report", "B1", {"on": "2999-01-01"}, 422, "day_to_come"),
        ("GET /day", "B1", {"on": "2999-01-01"}, 422, "day_to_come"),
        ("GET /day", "B1", {"on": ON, "team": "T99"}, 422, "unknown_team"),
        ("GET /day", "B1", {"on": ON, "teams": "T1"}, 422, "filter_malformed"),
        ("GET /day", "ADM1", {"on": ON}, 403, "post_not_permitted"),
        ("GET /day/ledger.xlsx", "B1", {"on": ON, "team": "T99"}, 422, "unknown_team"),
        ("GET /day/ledger.xlsx", "T1", {"on": ON}, 403, "post_not_permitted"),
        ("GET /day/ledger.csv", "B1", {"on": ON, "sheet": "all"}, 422, "invalid_request"),
        ("GET /day/unrepaired", "R1", {"on": ON}, 403, "post_not_permitted"),
        ("GET /day/report", "T1", {"on": ON}, 403, "post_not_permitted"),
        ("GET /day/report.xlsx", "V1", {"on": "2025-12-31"}, 422, "day_without_feed"),
    ],
)
def test_what_cannot_be_is_one_problem(
    running: Running, ask: str, who: str, given: dict[str, Any], status: int, code: str
) -> None:
    method, path = ask.split()
    answer = (
        running.post(path, who, json=given) if method == "POST" else running.get(path, who, params=given)
    )  # fmt: skip
    problem(answer, status, code)


def test_the_same_key_hands_in_once_and_answers_the_same(branch_day: Running) -> None:
    body = {"on": today(branch_day).isoformat()}
    first = branch_day.post("/day/hand-ins", "T1", json=body, headers={"Idempotency-Key": "k1"})
    again = branch_day.post("/day/hand-ins", "T1", json=body, headers={"Idempotency-Key": "k1"})
    assert first.json() == again.json()
    assert first.json()["results"][0]["status"] == 200
