"""Contact files over HTTP: taken in behind the answer, found again, and what was set aside mended and sent again."""

import csv
import gzip
import io
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from litestar.testing import TestClient

from api import contact_files
from api.app import create_app
from casework.intake.dialler.importing import import_contacts
from casework.operation.startup import Started
from casework.settings import Settings
from tests.api.conftest import Running, findings
from tests.api.test_contacts import begins, case, logged
from tests.api.test_events import problem
from tests.api.test_mistakes import entries_of

__all__ = ["begins", "case"]  # fixtures

HEADER = "contact_ref,staff_no,loan_id,party,phone,channel,started_at,result,note"
GOOD = "c1,S1,L1,debtor,12000000001,call,2026-01-09T10:00:00+08:00,no_answer,"
BAD = "c2,S1,L1,debtor,12000000001,call,2026-01-09 10:05,no_answer,=cmd"
UNKNOWN = "c3,S1,L9,debtor,12000000001,call,2026-01-09T10:06:00+08:00,busy,"


def send(running: Running, *lines: str, staff_no: str = "B1", name: str = "calls.csv", **form: str) -> Any:
    content = "\n".join([HEADER, *lines, ""]).encode()
    return running.post("/contact-files", staff_no, files={"file": (name, content)}, data=form)


def ended(running: Running, staff_no: str = "B1", **params: Any) -> Any:
    while (body := running.get("/contact-files", staff_no, params=params).json())["status"] == "running":
        time.sleep(0.02)
    return body


def test_a_file_is_taken_in_behind_the_answer_and_again_changes_nothing(running: Running, case: int) -> None:
    assert ended(running)["status"] == "none"
    for stored, repeated in ((1, 0), (0, 1)):
        answer = send(running, GOOD, BAD, UNKNOWN)
        assert (answer.status_code, answer.headers["location"]) == (202, "/contact-files"), answer.text
        body = ended(running)
        assert (body["status"], body["file"], body["source"], body["rows"]) == ("done", "calls.csv", "dialler", 3)
        assert (body["stored"], body["repeated"], body["set_aside_in_all"]) == (stored, repeated, 2)
        assert [(one["line"], one["column"], one["kind"], one["contact_ref"]) for one in body["set_aside"]] == [
            (3, "started_at", "malformed_time", "c2"), (4, "loan_id", "unknown_loan", "c3"),
        ]  # fmt: skip
        assert "时区" in body["set_aside"][0]["zh"]
    assert [(one.contact_ref, one.late) for one in logged(running)] == [("c1", False)]
    first = ended(running, limit=1)
    assert ([one["line"] for one in first["set_aside"]], first["next"]) == ([3], 3)
    assert [one["line"] for one in ended(running, after=3)["set_aside"]] == [4]
    assert findings(running.started) == []


def test_one_row_set_aside_keeps_all_out_if_that_is_asked(running: Running, case: int) -> None:
    send(running, GOOD, BAD, atomic="true")
    body = ended(running)
    assert (body["status"], body["rows"], body["stored"], body["not_done"]) == ("done", 2, 0, 1)
    assert [(one["line"], one["kind"]) for one in body["set_aside"]] == [(3, "malformed_time")]
    assert logged(running) == []
    send(running, GOOD, atomic="true")
    body = ended(running)
    assert (body["stored"], body["not_done"], len(logged(running))) == (1, 0, 1)
    problem(send(running, GOOD, atomic="perhaps"), 422, "invalid_request")
    assert findings(running.started) == []


def test_a_file_that_is_only_tried_says_what_would_become_of_it_and_changes_nothing(
    running: Running, case: int
) -> None:
    before = entries_of(running)
    send(running, GOOD, BAD, dry_run="true")
    body = ended(running)
    told = [(one["line"], one["kind"]) for one in body["set_aside"]]
    assert (body["status"], body["dry_run"], body["rows"], body["stored"], told) == (
        "done", True, 2, 1, [(3, "malformed_time")]
    )  # fmt: skip
    assert (logged(running), entries_of(running)) == ([], before)
    send(running, GOOD, BAD, dry_run="false")
    body = ended(running)
    assert (body["dry_run"], body["stored"], len(logged(running))) == (False, 1, 1)
    problem(send(running, GOOD, dry_run="maybe"), 422, "invalid_request")
    assert findings(running.started) == []


def test_what_was_set_aside_is_mended_and_sent_again(running: Running, case: int) -> None:
    send(running, GOOD, BAD, UNKNOWN)
    ended(running)
    text = running.get("/contact-files/set-aside.csv", "B1").content.decode("utf-8-sig")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header[: len(HEADER.split(","))] == HEADER.split(",")
    assert [row[header.index("set_aside_line")] for row in rows] == ["3", "4"]
    assert rows[0][header.index("note")] == "'=cmd", "no spreadsheet runs it"
    mended = text.replace("2026-01-09 10:05", "2026-01-09T10:05:00+08:00").replace(",L9,", ",L1,")
    answer = running.post("/contact-files", "B1", files={"file": ("mended.csv", mended.encode())})
    assert answer.status_code == 202
    body = ended(running)
    assert (body["rows"], body["stored"], body["set_aside_in_all"]) == (2, 2, 0)
    problem(running.get("/contact-files/set-aside.csv", "B1"), 404, "nothing_set_aside")
    assert findings(running.started) == []


def test_what_a_person_typed_into_a_sheet_is_marked_late(running: Running, case: int) -> None:
    send(running, GOOD, source="sheet")
    ended(running)
    assert [(one.source, one.late) for one in logged(running)] == [("sheet", True)]


def test_one_file_at_a_time_and_nobody_sees_the_file_of_another(
    running: Running, case: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = threading.Event()
    usual = import_contacts

    def slow(*args: Any, **kwargs: Any) -> Any:
        waits.wait(10)
        return usual(*args, **kwargs)

    monkeypatch.setattr(contact_files, "import_contacts", slow)
    send(running, GOOD, BAD)
    assert running.get("/contact-files", "B1").json()["status"] == "running"
    problem(send(running, GOOD), 409, "import_running")
    assert running.get("/contact-files", "G1").json()["status"] == "none"
    waits.set()
    assert ended(running)["stored"] == 1
    problem(running.get("/contact-files/set-aside.csv", "G1"), 404, "nothing_set_aside")


def test_a_file_that_cannot_be_read_is_not_taken_in_and_says_why(running: Running, case: int) -> None:
    running.post("/contact-files", "B1", files={"file": ("x.csv", b"a,b\n1,2\n")})
    body = ended(running)
    assert (body["status"], body["code"], body["rows"]) == ("failed", "column_missing", 0)
    assert body["zh"]
    assert logged(running) == []


WHOLE = "\n".join([HEADER, *(f"c{number},{GOOD.split(',', 1)[1]}客户未接" for number in range(9))])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ((WHOLE.removesuffix("客户未接") + '"客户').encode(), "csv_malformed"),
        (WHOLE.encode()[:-1], "file_unreadable"),
        (gzip.compress(WHOLE.encode())[:-9], "file_cut"),
    ],
    ids=["in a row", "in a character", "packed"],
)  # fmt: skip
def test_a_file_cut_in_the_middle_changes_nothing_and_goes_in_once_it_is_whole(
    running: Running, case: int, content: bytes, code: str
) -> None:
    running.post("/contact-files", "B1", files={"file": ("calls.csv", content)})
    body = ended(running)
    assert (body["status"], body["code"], body["stored"]) == ("failed", code, 0)
    assert "calls.csv" in body["en"]
    assert logged(running) == []
    running.post("/contact-files", "B1", files={"file": ("calls.csv", WHOLE.encode("gb18030"))})
    body = ended(running)
    assert (body["status"], body["stored"], body["set_aside"]) == ("done", 9, [])


def test_a_file_that_is_too_large_is_refused_before_it_is_taken_in(
    settings: Settings, branch: tuple[Started, dict[str, str]]
) -> None:
    started, issued = branch
    with TestClient(create_app(replace(settings, feed_upload_mib=1))) as client:
        running = Running(client, started, issued)
        huge = {"file": ("calls.csv", b"x" * 2**21)}
        problem(running.post("/contact-files", "B1", files=huge), 413, "body_too_large")
        assert ended(running)["status"] == "none"


@pytest.mark.parametrize(
    ("sent", "staff_no", "status", "code"),
    [
        ({"files": [("file", ("a.csv", b"x")), ("file", ("b.csv", b"x"))]}, "B1", 400, "malformed_request"),
        ({"files": {"file": ("a.csv", b"x")}, "data": {"source": "rumour"}}, "B1", 422, "invalid_request"),
        ({"json": {}}, "B1", 415, "unsupported_media_type"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, "B1", 400, "malformed_request"),
        ({"files": {"file": ("a.csv", b"x")}}, "R1", 403, "post_not_permitted"),
    ],
)  # fmt: skip
def test_what_is_no_file_of_contacts_is_refused(
    running: Running, sent: dict[str, Any], staff_no: str, status: int, code: str
) -> None:
    problem(running.post("/contact-files", staff_no, **sent), status, code)
