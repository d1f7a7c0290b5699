"""Duties over HTTP: by person, team and case, of an open day and of one that was taken, within one's reach."""

import hashlib
import io
from datetime import date
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from casework.operation.sweeping import sweep
from tests.api.conftest import BUSINESS_DATE, Running
from tests.api.test_dossier import on_record

DAY = BUSINESS_DATE.isoformat()


@pytest.fixture
def two(running: Running) -> list[int]:
    """A rep's cases in region R1, and one in R2 of an owner who is not registered."""
    mine = running.open("L1", "L2", days_past_due=2)
    return [*mine, *running.open("L3", days_past_due=2, region="R2", team="T2", owner=None)]


def asked(running: Running, query: str, staff_no: str = "B1") -> Any:
    answer = running.get(f"/duties?on={DAY}&{query}", staff_no)
    assert answer.status_code == 200, answer.text
    return [(one["case_id"], one["duty"], one["status"]) for one in answer.json()["items"]]


@pytest.mark.parametrize("closed", [False, True])
def test_they_are_found_by_person_team_case_name_and_status(
    running: Running, two: list[int], closed: bool
) -> None:  # fmt: skip
    """Before the close they are as they stand, afterwards as they were taken: what was open is late then."""
    if closed:
        sweep(running.started.engine, running.started.branch, BUSINESS_DATE)
    first, second, _ = two
    dial = "late" if closed else "open"
    every = [(one, duty, status) for one in (first, second) for duty, status in (("dial", dial), ("visit", "open"))]
    assert asked(running, "owed_by=R1") == every
    assert asked(running, f"case_id={second}&duty=dial") == [(second, "dial", dial)]
    assert asked(running, f"owed_by=R1&status={dial}&duty=dial") == [(one, "dial", dial) for one in (first, second)]
    assert asked(running, "owed_by=P1") == []
    page = running.get(f"/duties?on={DAY}&owed_by=R1&limit=3", "B1").json()
    rest = running.get(f"/duties?on={DAY}&owed_by=R1&limit=3&after={page['next']}", "B1").json()
    assert [(one["case_id"], one["duty"], one["status"]) for one in page["items"] + rest["items"]] == every
    assert rest["next"] is None


@pytest.mark.parametrize("closed", [False, True])
def test_they_are_found_by_what_exempts_from_them(running: Running, two: list[int], closed: bool) -> None:
    given = [{"day": str(DAY), "reason": "telephone"}]
    assert running.post("/outages/declarations", "B1", json={"outages": given}).status_code == 200
    if closed:
        sweep(running.started.engine, running.started.branch, BUSINESS_DATE)
    first, second, _ = two
    of_both = [(one, duty, "exempt") for one in (first, second) for duty in ("dial", "visit")]
    assert asked(running, "owed_by=R1&exempt_by=outage") == of_both
    assert asked(running, "owed_by=R1&exempt_by=promise") == []
    lines = running.get(f"/duties.csv?on={DAY}&owed_by=R1&exempt_by=outage", "B1").text.splitlines()
    assert len(lines) == 1 + len(of_both) + 1


def test_those_of_a_team_are_found_by_who_belongs_to_it_that_day(running: Running, two: list[int]) -> None:
    """Today, for people belong to a team from the day on which they were registered."""
    found = running.get("/duties?team=T1&duty=visit", "B1").json()["items"]
    assert [one["case_id"] for one in found if one["owed_by"] == "R1"] == two[:2]
    assert running.get("/duties?team=T9&duty=visit", "B1").json()["items"] == []


def test_what_a_post_owes_is_of_anybodys_case(running: Running, two: list[int]) -> None:
    """Today all are long due for placement."""
    found = running.get("/duties?owed_by=agency_post", "B1").json()["items"]
    assert {(one["case_id"], one["duty"]) for one in found} == {(one, "place") for one in two}


def test_of_an_open_day_it_must_be_said_whose_and_of_a_closed_one_not(running: Running, two: list[int]) -> None:
    answer = running.get(f"/duties?on={DAY}", "B1")
    assert (answer.status_code, answer.json()["code"]) == (422, "duties_not_taken_yet")
    sweep(running.started.engine, running.started.branch, BUSINESS_DATE)
    assert {one for one, _, _ in asked(running, "")} == set(two)


@pytest.mark.parametrize("closed", [False, True])
def test_only_cases_within_reach_are_told_of(running: Running, two: list[int], closed: bool) -> None:
    """A rep sees their own, the phone collector of a region theirs, an agency's and an auditor's post all."""
    if closed:
        sweep(running.started.engine, running.started.branch, BUSINESS_DATE)
    other = running.get(f"/cases/{two[2]}", "B1").json()["owner"]
    assert {one for one, _, _ in asked(running, f"owed_by={other}", "AUD1")} >= {two[2]}
    assert two[2] not in {one for one, _, _ in asked(running, f"owed_by={other}", "R1")}
    assert running.get(f"/duties?on={DAY}&owed_by=R1", "ADM1").status_code == 403


def test_a_case_tells_its_own(running: Running, two: list[int]) -> None:
    answer = running.get(f"/cases/{two[0]}/duties?on={DAY}", "R1").json()["items"]
    assert [(one["duty"], one["duty_zh"], one["status"], one["owed_by"]) for one in answer] == [
        ("dial", "每日拨打", "open", "R1"), ("visit", "下户", "open", "R1"),
    ]  # fmt: skip
    assert running.get(f"/cases/{two[2]}/duties?on={DAY}", "R1").status_code == 404


def test_they_are_taken_out_as_a_file_of_the_same_filters_and_it_is_an_entry(running: Running, two: list[int]) -> None:
    """What one sees and no more; codes in words, people by name and number; the digest of the file is on record."""
    csv = running.get(f"/duties.csv?on={DAY}&owed_by=R1&duty=dial&lang=en", "R1")
    assert csv.status_code == 200, csv.text
    assert csv.headers["casework-cut"] == "false"
    header, *lines, mark = csv.content.decode("utf-8-sig").splitlines()
    assert all(part in mark for part in ("R1", "2 rows", "Duty dial"))
    assert header == "Day,Loan,Duty,Status,Exempt by,Due,Owed by,Rules,Institution,Case"
    assert [line.split(",")[:4] for line in lines] == [
        [DAY, "L1", "dial every day", "open"], [DAY, "L2", "dial every day", "open"]
    ]  # fmt: skip
    assert lines[0].split(",")[6].endswith(" R1")
    workbook = running.get(f"/duties.xlsx?on={DAY}&owed_by=R1", "R1")
    book = CalamineWorkbook.from_filelike(io.BytesIO(workbook.content)).get_sheet_by_name("当日任务").to_python()
    assert [line[:4] for line in book[3:5]] == [
        [date.fromisoformat(DAY), "L1", "每日拨打", "待办"], [date.fromisoformat(DAY), "L1", "下户", "待办"],
    ]  # fmt: skip
    first, second = (entry["data"] for entry in on_record(running, "exports:R1"))
    asked = {"list": "duties", "on": DAY, "owed_by": "R1"}
    assert (first["filter"], first["rows"], first["format"]) == (asked | {"duty": "dial"}, 2, "csv")
    assert first["digest"] == hashlib.sha256(csv.content).hexdigest()
    assert (second["filter"], second["rows"], second["format"]) == (asked, 4, "xlsx")
    assert running.get(f"/duties.csv?on={DAY}", "B1").json()["code"] == "duties_not_taken_yet"
    assert running.get(f"/duties.xlsx?on={DAY}&owed_by=R1", "ADM1").status_code == 403
