"""Over HTTP and at the shell the living go over to the next version of their chart, approved by another."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from litestar.testing import TestClient

from api.app import Assembled, create_app
from casework.cli.main import main
from casework.operation.startup import Started, start, upgrade
from casework.people.staff.actor import system
from casework.settings import Settings
from tests.api.conftest import Running, findings
from tests.lifecycle.next_version import folder_of_next

NAME = "overdue_loan"


@pytest.fixture
def next_settings(settings: Settings, branch: tuple[Started, dict[str, str]], tmp_path: Path) -> Settings:
    """The branch with five cases, whose charts then go on to an invented second version."""
    started, issued = branch
    Running(None, started, issued).open("L1", "L2", "L3", "L4", "L5")  # type: ignore[arg-type]  # nobody calls it
    renamed = {"phone_collection": "phone_desk"}
    folder = folder_of_next(settings.statecharts, tmp_path / "statecharts", started.branch, NAME, renamed)
    later = dataclasses.replace(settings, statecharts=folder)
    upgrade(later, system("cli"))
    return later


@pytest.fixture
def running(next_settings: Settings, branch: tuple[Started, dict[str, str]], assembled: Assembled) -> Iterator[Running]:
    started = start(next_settings)
    with TestClient(create_app(next_settings, assembled)) as client:
        yield Running(client, started, branch[1])
    started.engine.dispose()


def test_over_http_a_move_is_planned_asked_for_approved_run_in_batches_and_reported(running: Running) -> None:
    path = f"/charts/{NAME}/moves"
    plan = running.get(path, "AUD1").json()["plan"]
    assert (plan["chart"], plan["moving"], plan["cannot"]) == (f"{NAME}@2", 5, 0)
    assert running.post(f"{path}/run", "ADM1", json={}).json()["code"] == "move_not_approved"
    asked = running.post(path, "ADM1", json={})
    assert asked.status_code == 201, asked.text
    number = asked.json()["request_id"]
    shown = running.get(f"/requests/{number}", "B1").json()
    assert (shown["request"]["subject"], shown["request"]["what"]) == (f"chart:{NAME}", f"{NAME}@2")
    assert shown["data"]["moving"] == 5
    assert running.post(f"/requests/{number}/approve", "ADM1", json={}).status_code == 403
    approved = running.post(f"/requests/{number}/approve", "B1", json={})
    assert approved.status_code == 200, approved.text
    assert approved.json()["carried_out"] == f"chart:{NAME}:1"
    first = running.post(f"{path}/run", "ADM1", json={"at_most": 3}).json()
    assert (first["moved"], first["ways"]) == (3, [{"state": "phone_collection", "to": "phone_desk", "count": 3}])
    second = running.post(f"{path}/run", "ADM1", json={"after": first["after"]}).json()
    assert second["moved"] == 2
    assert running.post(f"{path}/run", "ADM1", json={"after": second["after"]}).json()["after"] is None
    told = running.get(path, "V1").json()
    assert (told["moved"], told["batches"], told["plan"]["moving"], told["request"]) == (5, 2, 0, number)
    history = running.get("/cases/1/history", "R1").json()["items"]
    (moved,) = [item for item in history if item["event"] == "case.moved"]
    assert (moved["from_state"], moved["to_state"], moved["zh"]) == (
        "phone_collection",
        "phone_desk",
        "按新版状态图迁移",
    )
    assert moved["data"]["from_chart"] == f"{NAME}@1"
    assert findings(running.started) == []


def test_a_case_that_waits_for_its_move_is_shown_and_says_why_nothing_can_be_done(running: Running) -> None:
    case = running.get("/cases/1", "R1").json()
    assert (case["state"], case["state_en"]) == ("phone_collection", "phone_collection")
    events = running.get("/cases/1/options", "R1").json()["events"]
    assert not any(event["allowed"] for event in events)
    assert {event["reasons"][-1]["code"] for event in events} == {"not_moved"}
    refused = running.post("/cases/1/events", "R1", json={"event": "start_visit"}, headers={"If-Match": '"1"'})
    assert (refused.status_code, refused.json()["reasons"][0]["code"]) == (409, "not_moved")
    totals = running.post("/cases/options", "R1", json={"cases": [1], "events": ["start_visit"]}).json()
    assert totals["events"][0]["reasons"]["not_moved"] == 1
    assert findings(running.started) == []


def test_what_there_is_not_is_told(running: Running) -> None:
    for name, version, status, code in (
        ("nothing", 2, 404, "unknown_chart"), (NAME, 9, 404, "unknown_version"), (NAME, 1, 422, "no_version_before"),
    ):  # fmt: skip
        told = running.get(f"/charts/{name}/moves?version={version}", "ADM1")
        assert (told.status_code, told.json()["code"]) == (status, code)
    assert running.get(f"/charts/{NAME}/moves", "T1").status_code == 403
    assert running.post(f"/charts/{NAME}/moves", "B1", json={}).status_code == 403


def test_at_the_shell_the_same_and_a_run_that_is_repeated_moves_nobody_twice(
    next_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASEWORK_DATABASE_URL", next_settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(next_settings.keys_dir))
    monkeypatch.setenv("CASEWORK_STATECHARTS", str(next_settings.statecharts))

    def call(*arguments: str, code: int = 0) -> str:
        told = CliRunner().invoke(main, list(arguments))
        assert told.exit_code == code, told.output
        return told.output

    moves = ("chart", "moves")
    plan = json.loads(call(*moves, "plan", NAME, "--each", "--json"))
    assert (plan["moving"], [line["to"] for line in plan["each"]]) == (5, ["phone_desk"] * 5)
    assert "5 move, 0 stay, 0 cannot go" in call(*moves, "plan")
    assert "move_not_approved" in call(*moves, "run", code=1)
    number = str(json.loads(call(*moves, "ask", NAME, "--as", "ADM1", "--json"))["request_id"])
    call("request", "approve", number, "--as", "ADM1", code=1)
    call("request", "approve", number, "--as", "V1")
    assert "5 moved in 1 batches" in call(*moves, "run")
    assert json.loads(call(*moves, "run", "--json"))["moved"] == 5
    assert "0 move, 5 stay" in call(*moves, "report")
    assert "nothing_to_move" in call(*moves, "ask", code=1)
    assert "sound" in call("audit", "verify")


def test_the_shell_compares_versions_that_were_published(
    next_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASEWORK_DATABASE_URL", next_settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(next_settings.keys_dir))
    monkeypatch.setenv("CASEWORK_STATECHARTS", str(next_settings.statecharts))
    told = CliRunner().invoke(main, ["chart", "diff", f"{NAME}@1", NAME, "--lang", "en"])
    assert "state phone_desk renamed: name “phone_collection” → “phone_desk”" in told.output
    told = CliRunner().invoke(main, ["chart", "diff", f"{NAME}@1", f"{NAME}@3"])
    assert (told.exit_code, "unknown_version" in told.stderr) == (1, True)
