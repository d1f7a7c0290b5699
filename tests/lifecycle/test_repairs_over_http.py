"""Information repairs and disposal forms over HTTP: what was found enters the book or nothing does; paper."""

import io
from typing import Any

from python_calamine import CalamineWorkbook

from tests.api.conftest import Running
from tests.api.test_events import problem
from tests.lifecycle.test_over_http import case_id as case_id  # noqa: PLC0414  # a fixture

NUMBER = {"role": "debtor", "phone": "120 0000 0009", "source": "liable_person", "legal_basis": "contract"}
SEEN = {"If-Match": "*"}


def begun(running: Running, case_id: int) -> int:
    body = {"of": case_id, "ground": "started", "data": {"because": "wrong_number"}}
    made = running.post("/repairs", "R1", json=body)
    assert made.status_code == 201, made.text
    number: int = made.json()["id"]
    return number


def test_what_a_repair_found_is_in_the_book_unverified_with_source_and_ground(running: Running, case_id: int) -> None:
    number = begun(running, case_id)
    tried = {"event": "try_source", "data": {"source": "court"}}
    assert running.post(f"/repairs/{number}/events", "R1", json=tried, headers=SEEN).status_code == 200
    found = running.post(f"/repairs/{number}/findings", "R1", json=NUMBER, headers=SEEN)
    assert (found.status_code, found.json()["state"]) == (200, "found"), found.text
    line = running.get(f"/repairs/{number}").json()
    assert (line["outcome"], line["source"], line["legal_basis"]) == ("new_number", "liable_person", "contract")
    book = running.get("/contact-book?loan_id=L1", "R1").json()["items"]
    (entry,) = [one for one in book if one["id"] == line["contact_id"]]
    assert (entry["state"], entry["source"], entry["found_by"]) == ("unverified", "liable_person", "R1")


def test_what_is_no_finding_says_why_and_changes_nothing(running: Running, case_id: int) -> None:
    number, place = begun(running, case_id), ""
    place = f"/repairs/{number}/findings"
    for changes, status, code in (
        ({"source": "courier"}, 422, "unlawful_source"), ({"source": "a_friend"}, 422, "unknown_source"),
        ({"legal_basis": "statutory_duty"}, 422, "basis_not_of_source"), ({"phone": "12-ab"}, 422, "malformed_phone"),
        ({"phone": None}, 422, "no_phone_or_address"), ({"colour": "red"}, 422, "invalid_request"),
    ):  # fmt: skip
        told = problem(running.post(place, "R1", json=NUMBER | changes, headers=SEEN), status, code)
        if code in ("unknown_source", "basis_not_of_source"):
            assert told["allowed"] == sorted(told["allowed"])
            assert all(one in told["detail"] and one in told["detail_zh"] for one in told["allowed"])
        if code == "unlawful_source":
            assert ("第34条" in told["detail_zh"], "art. 34" in told["detail"]) == (True, True)
    problem(running.post(place, "R1", json=NUMBER), 428, "version_required")
    problem(running.post(place, "R1", json=NUMBER, headers={"If-Match": '"9"'}), 412, "stale_version")
    problem(running.post(place, "R2", json=NUMBER, headers=SEEN), 404, "unknown_repair")
    problem(running.post(place, "B1", json=NUMBER, headers=SEEN), 403, "post_not_permitted")
    assert running.get("/contact-book?loan_id=L1", "R1").json()["items"] == []
    assert running.get(f"/repairs/{number}").json()["state"] == "under_way"
    body = {"of": case_id, "ground": "started", "data": {"because": "wrong_number"}}
    (reason,) = problem(running.post("/repairs", "R1", json=body), 409, "refused")["reasons"]
    assert (reason["code"], str(number) in reason["en"]) == ("no_repair_under_way", True)


def test_the_table_of_sources_says_which_are_lawful_and_by_which_law_the_others_are_not(running: Running) -> None:
    told = running.get("/sources", "R1").json()
    assert {"lender_records", "loan_change", "debtor", "liable_person", "contact_person", "court", "public_register",
            "operator_repair"} <= {one["code"] for one in told["sources"]}  # fmt: skip
    assert {"bought_data", "scraped_data", "pretext", "courier", "hospital", "school", "unknown"} <= {
        one["code"] for one in told["unlawful"]
    }
    assert all(one["law_zh"] and one["law_en"] and one["zh"] and one["en"] for one in told["unlawful"])


def test_a_disposal_form_begins_with_what_is_known_and_goes_on_paper(running: Running, case_id: int) -> None:
    known = running.get(f"/disposals/prefilled?case_id={case_id}", "R1").json()
    assert (known["loan_id"], known["data"]["calls"], known["data"]["security"]) == ("L1", 1, "none")
    said: dict[str, Any] = known["data"] | {
        "proposal": "suit", "contract_no": "HT-1", "has_contract": True, "has_disbursement": True,
        "has_statement": True, "has_demand": False, "service_address": "虚构路8号", "service_agreed": True,
        "jurisdiction": "lender_seat", "limitation_ends_on": "2028-01-01",
    }  # fmt: skip
    made = running.post("/disposals", "R1", json={"of": case_id, "ground": "drawn_up", "data": said})
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    file = running.get(f"/disposals/{number}/form.xlsx", "R1")
    assert file.status_code == 200, file.text
    page = CalamineWorkbook.from_filelike(io.BytesIO(file.content)).get_sheet_by_index(0)
    lines = {row[0]: row[1] for row in page.to_python()[3:]}
    assert (lines["处置建议"], lines["借据号"], "送达地址" in lines) == ("诉讼", "L1", True)
    problem(running.get(f"/disposals/{number}/form.xlsx", "R2"), 404, "unknown_disposal")
    problem(running.get("/disposals/prefilled?case_id=999", "R1"), 404, "unknown_case")
