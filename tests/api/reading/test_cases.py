"""Reading cases over HTTP: lists, files, one case, its history, its options."""

import csv
import io
from datetime import date
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from casework.lifecycle.commands import Note
from casework.people.staff.actor import Actor
from casework.people.staff.tables import staff
from casework.storage.database import writing
from tests.api.conftest import Running
from tests.contacted import contact_day

TELEPHONIST = Actor("T1", "staff", "api", frozenset({"phone_collector"}), team="T1", region="R1")


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_a_list_is_walked_page_by_page_to_its_end(running: Running) -> None:
    opened = running.open(*[f"L{number}" for number in range(7)])
    seen, cursor = [], None
    while True:
        params = {"limit": 3, "sort": "-id"} | ({"cursor": cursor} if cursor else {})
        page = running.get("/cases", params=params)
        seen += ids(page)
        cursor = page.json()["next"]
        if cursor is None:
            break
    assert seen == sorted(opened, reverse=True)


def test_every_filter_narrows_the_list(running: Running) -> None:
    near, far = running.open("L1", days_past_due=3, owner="T1", team="T9", region="R9", product="car"), []
    far = running.open("L2", days_past_due=40)
    for query, expected in (
        ({"owner": "T1"}, near), ({"handler": "R1"}, far), ({"worked_by": "T1"}, near), ({"team": "T9"}, near),
        ({"region": "R9"}, near), ({"product": "car"}, near), ({"institution": "wuhan"}, near + far),
        ({"institution": "elsewhere"}, []), ({"dpd_min": 31}, far), ({"dpd_max": 3}, near), ({"dpd_max": 2}, []),
        ({"dpd_min": 3, "dpd_max": 40}, near + far), ({"loan_id": "L2"}, far), ({"borrower_id": "B-L1"}, near),
        ({"state": "phone_collection"}, near + far), ({"state": ["lost_contact", "phone_collection"]}, near + far),
        ({"state": "settled"}, []), ({"bucket": "M1"}, near + far), ({"bucket": "M2"}, []),
        ({"live": "true"}, near + far), ({"live": "false"}, []),
        ({"overdue_fen_min": 102_100}, near + far), ({"overdue_fen_min": 102_101}, []),
        ({"overdue_fen_max": 102_099}, []),
    ):  # fmt: skip
        assert ids(running.get("/cases", "B1", params=query)) == expected, query


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"stat": "settled"}, "filter_malformed"),
        ({"cursor": "WzFd"}, "cursor_malformed"),
        ({"cursor": "文"}, "cursor_malformed"),
        ({"limit": 0}, "invalid_request"),
        ({"limit": 201}, "invalid_request"),
        ({"sort": "name"}, "invalid_request"),
        ({"dpd_min": -1}, "invalid_request"),
        ({"dpd_max": 99_999}, "invalid_request"),
        ({"overdue_fen_min": 2**63}, "invalid_request"),
        ({"owner": "x" * 65}, "invalid_request"),
        ({"team": "a\x00b"}, "filter_malformed"),
        ({"live": "perhaps"}, "invalid_request"),
    ],
)
def test_a_query_that_means_nothing_is_told_and_shows_nothing(
    running: Running, query: dict[str, Any], code: str
) -> None:
    answer = running.get("/cases", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_cursor_of_another_filter_is_refused(running: Running) -> None:
    running.open("L1", "L2")
    cursor = running.get("/cases", params={"limit": 1}).json()["next"]
    answer = running.get("/cases", params={"limit": 1, "cursor": cursor, "team": "T1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "cursor_malformed")


def test_my_cases_are_those_i_own_or_handle(running: Running) -> None:
    mine = running.open("L1", owner="T1")
    others = running.open("L2", owner="R1")
    assert ids(running.get("/me/cases", "T1")) == mine
    assert ids(running.get("/me/cases", "R1")) == others
    assert ids(running.get("/me/cases", "R1", params={"live": "false"})) == []


def test_a_case_shows_its_figures_and_its_version_as_etag(running: Running) -> None:
    (case_id,) = running.open("L1", days_past_due=12)
    answer = running.get(f"/cases/{case_id}")
    assert answer.headers["etag"].startswith('"1-')
    body = answer.json()
    assert (body["days_past_due"], body["overdue_fen"], body["state_zh"]) == (12, 102_100, "电话催收")
    assert body["business_date"] == "2026-01-10"
    assert body["deadline_en"].startswith("5 days in a row without contact; from ¥50,000: a visit before DPD 31")


@pytest.mark.parametrize("path", ["/cases/999", "/cases/999/history", "/cases/999/notes", "/cases/999/options"])
def test_an_unknown_case_is_404(running: Running, path: str) -> None:
    answer = running.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_case")


def test_the_history_tells_every_entry_and_pages_both_ways(running: Running) -> None:
    (case_id,) = running.open("L1")
    running.do(*[Note(actor=TELEPHONIST, id=case_id, text=f"第{number}次") for number in range(4)])
    first = running.get(f"/cases/{case_id}/history", params={"limit": 2}).json()
    assert [item["seq"] for item in first["items"]] == [1, 2]
    rest = running.get(f"/cases/{case_id}/history", params={"after": first["next"]}).json()
    assert [item["seq"] for item in rest["items"]] == [3, 4, 5]
    assert rest["next"] is None
    newest = running.get(f"/cases/{case_id}/history", params={"limit": 1, "newest_first": "true"}).json()
    assert newest["items"][0]["seq"] == 5
    assert newest["items"][0]["zh"] == "备注"


def test_notes_are_opened_for_colleagues_and_not_for_the_administrator(running: Running) -> None:
    (case_id,) = running.open("L1")
    running.do(Note(actor=TELEPHONIST, id=case_id, text="客户称月底还款"))
    texts = [item["text"] for item in running.get(f"/cases/{case_id}/notes").json()["items"]]
    assert texts == ["客户称月底还款"]
    for path in ("notes", "history"):
        assert running.get(f"/cases/{case_id}/{path}", "ADM1").status_code == 403


def test_an_address_in_the_history_is_masked(running: Running) -> None:
    (case_id,) = running.open("L1")
    data = {"address_kind": "home", "address": "武汉市江岸区解放大道一号", "visit_on": "2026-01-12"}
    body = {"event": "start_visit", "data": data}
    answer = running.post(f"/cases/{case_id}/events", json=body, headers={"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    history = running.get(f"/cases/{case_id}/history")
    assert history.json()["items"][1]["texts"] == {"address": "武汉市江岸区***"}
    assert "解放大道" not in history.text


def test_opening_a_text_is_an_entry_and_looking_at_the_rest_is_not(running: Running) -> None:
    (case_id,) = running.open("L1")
    running.get(f"/cases/{case_id}/history")
    reads = {"stream": "borrower:wuhan~B-L1"}
    assert running.get("/audit/entries", "AUD1", params=reads).json()["items"] == []
    running.do(Note(actor=TELEPHONIST, id=case_id, text="客户称月底还款"))
    running.get(f"/cases/{case_id}/notes")
    (entry,) = running.get("/audit/entries", "AUD1", params=reads).json()["items"]
    assert entry["body"]["event"] == "personal.read"
    assert entry["body"]["data"]["fields"] == ["note"]
    assert entry["body"]["actor"]["id"] == "R1"


def test_options_tell_every_event_with_reasons_data_and_the_day_it_opens(running: Running) -> None:
    (case_id,) = running.open("L1", days_past_due=10)
    body = running.get(f"/cases/{case_id}/options", "B1").json()
    chart = running.started.branch.rulebook.chart
    assert [offer["event"] for offer in body["events"]] == list(chart.events)
    assert [offer["kind"] for offer in body["facts"]] == list(chart.facts)
    exception = next(offer for offer in body["events"] if offer["event"] == "grant_exception")
    assert exception["allowed"] is False
    assert exception["opens_on"] == "2026-01-31"  # DPD 31
    (reason,) = exception["reasons"]
    assert (reason["code"], reason["rules"]) == ("dpd_at_least", ["3.2"])
    assert reason["saw"] == {"days_past_due": 10}
    reasons = next(field for field in exception["data"] if field["name"] == "reason")
    assert reasons["one_of"][0].keys() == {"code", "zh", "en"}
    visit = next(offer for offer in body["events"] if offer["event"] == "start_visit")
    assert [reason["code"] for reason in visit["reasons"]] == ["post_not_permitted"]
    assert visit["posts"] == ["asset_preservation", "business_rep", "post_loan_officer"]


def test_an_option_that_is_allowed_is_then_done(running: Running) -> None:
    (case_id,) = running.open("L1")
    running.do(contact_day(case_id, date(2026, 1, 9), connected=True))
    offers = running.get(f"/cases/{case_id}/options").json()["events"]
    assert [offer["event"] for offer in offers if offer["allowed"]] == ["start_visit"]


def test_a_dry_run_gives_totals_by_event_and_reason_and_changes_nothing(running: Running) -> None:
    near = running.open("L1", "L2", days_past_due=10)
    far = running.open("L3", days_past_due=40)
    body = {"filter": {"dpd_min": 1}, "events": ["grant_exception"]}
    answer = running.post("/cases/options", "B1", json=body)
    assert answer.status_code == 200, answer.text
    totals = answer.json()
    assert (totals["cases"], totals["cut"], totals["by_state"]) == (3, False, {"phone_collection": 3})
    assert totals["events"] == [
        {"event": "grant_exception", "allowed": 1, "refused": 2, "opens_later": 2, "reasons": {"dpd_at_least": 2}}
    ]
    listed = running.post("/cases/options", "B1", json={"cases": [*near, *far, 999]}).json()
    assert (listed["cases"], listed["unknown"]) == (3, [999])
    assert [line["version"] for line in running.get("/cases").json()["items"]] == [1, 1, 1]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "filter_malformed"),
        ({"cases": [1], "filter": {}}, "filter_malformed"),
        ({"cases": [1], "events": ["fly"]}, "unknown_event"),
        ({"filter": {"stat": "x"}}, "invalid_request"),
        ({"cases": ["one"]}, "invalid_request"),
    ],
)
def test_a_dry_run_of_nothing_sensible_is_told(running: Running, body: dict[str, Any], code: str) -> None:
    answer = running.post("/cases/options", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_the_csv_has_yuan_with_two_places_and_no_formulas(running: Running) -> None:
    running.open("=1+1", days_past_due=10)
    answer = running.get("/cases.csv", "B1", params={"lang": "en"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert answer.headers["content-disposition"].startswith('attachment; filename="Cases-')
    chinese = running.get("/cases.csv", "B1").headers["content-disposition"]
    assert chinese.startswith('attachment; filename="cases-20')  # what clients read that know only ASCII
    assert "filename*=UTF-8''%E6%A1%88%E4%BB%B6-20" in chinese
    assert answer.headers["casework-cut"] == "false"
    header, row, (mark,) = csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    cells = dict(zip(header, row, strict=True))
    assert (mark.startswith("taken out by"), "B1" in mark, "1 rows" in mark) == (True, True, True)
    assert cells["Overdue (yuan)"] == "1021.00"
    assert cells["Loan"] == "'=1+1"
    assert cells["State"] == "Phone collection"


def test_the_workbook_has_numbers_dates_and_says_who_took_out_what(running: Running) -> None:
    running.open("=1+1", "L2", days_past_due=10)
    answer = running.get("/cases.xlsx", "B1", params={"dpd_min": 1})
    book = CalamineWorkbook.from_filelike(io.BytesIO(answer.content))
    _, (mark, *_), header, *rows = book.get_sheet_by_index(0).to_python()
    cells = dict(zip(header, rows[0], strict=True))
    assert len(rows) == 2
    assert (cells["逾期总额（元）"], cells["借据号"], cells["最早应还日"]) == (1021.0, "=1+1", date(2025, 12, 31))
    assert all(part in str(mark) for part in ("B1", "2行", "筛选：逾期天数不少于 1", "时间为Asia/Shanghai"))


def test_people_are_told_by_name_and_number_and_who_was_never_registered_by_number(running: Running) -> None:
    running.open("L1", "L2")
    with writing(running.started.engine) as conn:
        conn.execute(staff.update().where(staff.c.staff_no == "R1").values(name="王芳"))
    (line, _) = running.get("/cases", "B1").json()["items"]
    assert (line["owner"], line["owner_name"], line["handler_name"]) == ("R1", "王芳", "王芳")
    one = running.get("/cases/1", "B1").json()
    assert (one["owner"], one["owner_name"], one["handler_name"]) == ("R1", "王芳", "王芳")
    *rows, _ = csv.DictReader(io.StringIO(running.get("/cases.csv", "B1").content.decode("utf-8-sig")))
    assert {row["管户人"] for row in rows} == {"王芳（R1）"}
    with writing(running.started.engine) as conn:
        conn.execute(staff.update().where(staff.c.staff_no == "R1").values(name="R1"))
    assert running.get("/cases/1", "B1").json()["owner_name"] is None
    *rows, _ = csv.DictReader(io.StringIO(running.get("/cases.csv", "B1").content.decode("utf-8-sig")))
    assert {row["管户人"] for row in rows} == {"R1"}


def test_a_file_holds_what_the_list_holds(running: Running) -> None:
    running.open("L1", days_past_due=3)
    running.open("L2", days_past_due=40)
    answer = running.get("/cases.csv", "B1", params={"dpd_min": 31})
    assert [line.split(",")[1] for line in answer.text.splitlines()[1:-1]] == ["L2"]
    assert running.get("/cases.csv", "B1", params={"stat": "x"}).status_code == 422
