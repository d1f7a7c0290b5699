"""Feeds over HTTP: answered at once, followed by their run, all or nothing."""

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from api.app import Assembled, create_app
from casework.intake.feed import run as runs
from casework.intake.feed.last_known import last_known
from casework.operation.startup import Started
from casework.settings import Settings
from casework.storage.database import reading
from tests.api.conftest import Running
from tests.api.test_events import problem
from tests.api.test_openings import MISUSE
from tests.feed.bank import DAY, INSTITUTION, Bank, arrears, loan, write


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """An inbox with one good day, and a secret beside it."""
    place = tmp_path / "inbox"
    write(place / "day1", DAY, loans=[loan(1), loan(2)], overdue=[arrears(1)])
    write(tmp_path / "secret", DAY, loans=[loan(9)], overdue=[arrears(9)])
    (place / "way_out").symlink_to(tmp_path / "secret")
    return place


@pytest.fixture
def importing(settings: Settings, branch: tuple[Started, dict[str, str]], inbox: Path, assembled: Assembled) -> Any:
    """The application with an inbox."""
    started, issued = branch
    Bank(started, inbox).know(INSTITUTION)
    with TestClient(create_app(replace(settings, feed_inbox=inbox), assembled)) as client:
        yield Running(client, started, issued)


def ended(running: Running, run_id: int) -> runs.Run:
    deadline = time.monotonic() + 20
    while True:
        with reading(running.started.engine) as conn:
            run = runs.one_run(conn, run_id)
        assert run is not None
        if run.status != runs.RUNNING or time.monotonic() > deadline:
            return run
        time.sleep(0.02)


def test_a_folder_of_the_inbox_is_entered_at_once_and_imported_behind_the_answer(importing: Running) -> None:
    answer = importing.post("/feeds", "B1", json={"folder": "day1"})
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert answer.headers["location"] == body["location"] == f"/feeds/{body['run']}"
    run = ended(importing, body["run"])
    assert (run.status, run.via, run.actor_id, run.figures["overdue"]) == ("applied", "api", "B1", 1)


def test_uploaded_files_are_imported_the_same_way_and_leave_nothing_behind(
    importing: Running, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = tmp_path / "received"
    received.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(received))
    files = [("files", (path.name, path.read_bytes())) for path in (inbox / "day1").iterdir()]
    answer = importing.post("/feeds", "B1", files=files, data={"confirm_vanished": "true"})
    assert answer.status_code == 202, answer.text
    assert ended(importing, answer.json()["run"]).status == "applied"
    importing.client.app.state["serving"].imports.stop()
    assert list(received.iterdir()) == []


def test_an_upload_whose_loans_file_is_short_waits_until_it_is_sent_again_confirmed(
    importing: Running, tmp_path: Path
) -> None:
    everybody = [arrears(number) for number in range(1, 31)]
    write(tmp_path / "whole", DAY, loans=[loan(number) for number in range(1, 31)], overdue=everybody)
    short = write(tmp_path / "short", DAY + timedelta(days=1), loans=[loan(30)], overdue=everybody[1:])

    def upload(folder: Path, **data: str) -> runs.Run:
        files = [("files", (path.name, path.read_bytes())) for path in folder.iterdir()]
        return ended(importing, importing.post("/feeds", "B1", files=files, data=data).json()["run"])

    assert upload(tmp_path / "whole").status == "applied"
    told = upload(short)
    assert (told.status, told.refusal and told.refusal["code"]) == ("awaiting", "loans_vanished")
    assert upload(short, confirm_vanished="true").figures["left_books"] == 29


def test_a_feed_that_is_refused_is_told_by_its_run(importing: Running, inbox: Path) -> None:
    (inbox / "day1" / "manifest.json").unlink()
    run = ended(importing, importing.post("/feeds", "B1", json={"folder": "day1"}).json()["run"])
    assert run.status == "refused"
    assert run.refusal is not None
    assert run.refusal["code"] == "manifest_missing"


def dry_run_ended(running: Running, sent: Any) -> dict[str, Any]:
    assert sent.status_code == 202, sent.text
    deadline = time.monotonic() + 20
    while True:
        told: dict[str, Any] = running.get(sent.headers["Location"], "B1").json()
        if told["status"] != "running" or time.monotonic() > deadline:
            return told


def test_a_dry_run_of_a_feed_tells_what_an_import_would_do_and_changes_nothing_but_that_it_was_tried(
    importing: Running, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = tmp_path / "received"
    received.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(received))
    bank = Bank(importing.started, inbox)
    before = bank.dump("jobs")
    files = [("files", (path.name, path.read_bytes())) for path in (inbox / "day1").iterdir()]
    uploaded = dry_run_ended(importing, importing.post("/feeds", "B1", files=files, data={"dry_run": "true"}))
    named = dry_run_ended(importing, importing.post("/feeds", "B1", json={"folder": "day1", "dry_run": True}))
    assert bank.dump("jobs") == before
    run = ended(importing, importing.post("/feeds", "B1", json={"folder": "day1"}).json()["run"])
    for told in (uploaded, named):
        assert (told["status"], told["would"]["id"], told["would"]["status"]) == ("done", 0, "applied")
        assert told["would"]["figures"] == run.figures
    assert list(received.iterdir()) == []


def test_a_refused_dry_run_of_a_feed_tells_the_refusal_of_its_import(importing: Running, inbox: Path) -> None:
    (inbox / "day1" / "manifest.json").unlink()
    told = dry_run_ended(importing, importing.post("/feeds", "B1", json={"folder": "day1", "dry_run": True}))
    assert told["would"]["status"] == "refused"
    assert told["would"]["refusal"]["code"] == "manifest_missing"


def test_a_dry_run_of_a_feed_that_there_is_none_of_is_unknown(importing: Running) -> None:
    problem(importing.get("/feeds/dry-runs/7", "B1"), 404, "unknown_run")


@pytest.mark.parametrize(
    "folder", ["nowhere", "../secret", "way_out", ".", "..", "/etc", "day1/manifest.json", "a\u0000b", "x" * 200]
)
def test_nothing_beyond_the_inbox_exists(importing: Running, folder: str) -> None:
    problem(importing.post("/feeds", "B1", json={"folder": folder}), 404, "unknown_folder")


def test_without_an_inbox_there_is_no_folder(running: Running) -> None:
    problem(running.post("/feeds", "B1", json={"folder": "day1"}), 404, "unknown_folder")


@pytest.mark.parametrize("body", [{}, {"folder": 1}, {"folder": "day1", "mood": 1}, []])
def test_a_request_of_another_shape_is_told(importing: Running, body: Any) -> None:
    problem(importing.post("/feeds", "B1", json=body), 422, "invalid_request")


@pytest.mark.parametrize("staff_no", ["R1", "T1", "AUD1", "ADM1"])
def test_only_the_posts_of_the_policy_may_import(importing: Running, staff_no: str) -> None:
    problem(importing.post("/feeds", staff_no, json={"folder": "day1"}), 403, "post_not_permitted")


@pytest.mark.parametrize("name", ["../manifest.json", ".hidden", "a/b.csv", "x" * 101, "名" * 100])
def test_a_file_name_cannot_lead_elsewhere(importing: Running, name: str) -> None:
    files = [("files", ("manifest.json", b"{}")), ("files", (name, b"x"))]
    answer = importing.post("/feeds", "B1", files=files)
    problem(answer, 422, "file_name_unsafe")


def test_an_upload_without_files_or_cut_in_the_middle_is_told(importing: Running) -> None:
    problem(importing.post("/feeds", "B1", files=[("files", ("manifest.json", b"{}"))]), 400, "malformed_request")
    cut = b'--b\r\nContent-Disposition: form-data; name="files"; filename="manifest.json"\r\n\r\n{"as_of'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    problem(importing.post("/feeds", "B1", content=cut, headers=headers), 400, "malformed_request")
    headers = {"Content-Type": "multipart/form-data"}
    problem(importing.post("/feeds", "B1", content=cut, headers=headers), 400, "malformed_request")


def test_the_service_outlives_an_import_that_takes_too_much_memory(
    settings: Settings, branch: tuple[Started, dict[str, str]], inbox: Path, assembled: Assembled
) -> None:
    """It answers while the import's process is ended, its run says why, and the next feed goes in."""
    started, issued = branch
    Bank(started, inbox).know(INSTITUTION)
    write(inbox / "large", DAY, loans=[loan(number) for number in range(40_000)], overdue=[arrears(1)])
    with TestClient(create_app(replace(settings, feed_inbox=inbox, feed_memory_mib=80), assembled)) as client:
        running = Running(client, started, issued)
        running.get("/feeds", "B1")  # with a process's first answer the whole description is made to hold it against
        run_id = running.post("/feeds", "B1", json={"folder": "large"}).json()["run"]
        answers = 0
        while (run := running.get(f"/feeds/{run_id}", "B1").json())["status"] == "running":
            assert client.get("/health/ready").status_code == 200
            answers += 1
        assert answers > 0
        assert (run["status"], run["refusal"]["code"]) == ("refused", "import_memory_exceeded")
        assert client.get("/health/ready").status_code == 200
        assert ended(running, running.post("/feeds", "B1", json={"folder": "day1"}).json()["run"]).status == "applied"


def test_an_uploaded_feed_of_another_institution_is_refused_by_its_run(importing: Running, tmp_path: Path) -> None:
    folder = write(tmp_path / "other", DAY, institution="elsewhere", loans=[loan(1)], overdue=[arrears(1)])
    files = [("files", (path.name, path.read_bytes())) for path in folder.iterdir()]
    run = ended(importing, importing.post("/feeds", "B1", files=files).json()["run"])
    assert (run.status, run.refusal and run.refusal["code"]) == ("refused", "institution_unknown")


def test_an_upload_is_bounded_by_the_setting(
    settings: Settings, branch: tuple[Started, dict[str, str]], inbox: Path
) -> None:
    started, issued = branch
    with TestClient(create_app(replace(settings, feed_upload_mib=1))) as client:
        running = Running(client, started, issued)
        files = [("files", ("a.csv", b"x" * 2**21)), ("files", ("manifest.json", b"{}"))]
        problem(running.post("/feeds", "B1", files=files), 413, "body_too_large")


def test_a_case_opened_by_hand_begins_with_what_the_last_feed_said(importing: Running) -> None:
    ended(importing, importing.post("/feeds", "B1", json={"folder": "day1"}).json()["run"])
    not_overdue = importing.post("/cases", "P1", json={"loan_id": "L2", **MISUSE})
    assert not_overdue.status_code == 201, not_overdue.text
    overdue = importing.post("/cases", "P1", json={"loan_id": "L1", **MISUSE})
    assert overdue.json()["reasons"][0]["code"] == "case_open_already"
    started = importing.started
    with reading(started.engine) as conn:
        figures = {number: found[1] for number in (1, 2) if (found := last_known(conn, started.branch, f"L{number}"))}
        assert last_known(conn, started.branch, "L7") is None
    assert (figures[1]["overdue_principal_fen"], figures[1]["bucket"]) == (100_000, "M1")
    assert (figures[2]["overdue_principal_fen"], figures[2]["oldest_due_date"]) == (0, None)
    assert figures[2]["outstanding_principal_fen"] == 5_000_000
