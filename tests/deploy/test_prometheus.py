"""Scraping, alarms and dashboard on a real Prometheus: it scrapes a served branch, alarms fire and go, all is shown."""

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from casework.clock import now
from casework.demo.branch import generate
from casework.intake.feed.load import ImportRequest, import_feed
from casework.operation.startup import start, upgrade
from casework.people.staff import register, tokens
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage.database import writing
from tests.api.server import CASEWORK, ServerProcess, environment, serving
from tests.deploy.blocks import DEPLOY, ROOT
from tests.waiting import until

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
RULES = (DEPLOY / "alerts.yml").read_text(encoding="utf-8")
QUERIES = [
    target["expr"]
    for panel in json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))["panels"]
    for target in panel.get("targets", [])
]
NOT_ALWAYS = {"casework_not_ready", "casework_connections_dropped_total", 'noun!="case"'}  # while there is something
ALERTS = re.findall(r"alert: (\w+)", RULES)
pytestmark = pytest.mark.skipif(PROMETHEUS is None or PROMTOOL is None, reason="no prometheus on this machine")


def promtool(folder: Path, *arguments: str) -> int:
    """Its exit code, in a folder of files."""
    return subprocess.run([str(PROMTOOL), *arguments], cwd=folder, capture_output=True, check=False).returncode


def test_configuration_and_rules_are_well_formed(tmp_path: Path) -> None:
    """And a rule that is not is told."""
    assert promtool(DEPLOY, "check", "config", "--syntax-only", "prometheus.yml") == 0
    assert promtool(DEPLOY, "check", "rules", "alerts.yml") == 0
    (tmp_path / "alerts.yml").write_text(RULES.replace("casework_ready == 0", "casework_ready = 0"))
    assert promtool(tmp_path, "check", "rules", "alerts.yml") != 0


def test_each_rule_fires_for_what_it_is_for_and_no_other_does(tmp_path: Path) -> None:
    """And a rule that no longer does is found."""
    tests = (DEPLOY / "alerts.test.yml").read_text(encoding="utf-8")
    assert set(ALERTS) == set(re.findall(r'alertname="(\w+)"', tests))
    assert promtool(DEPLOY, "test", "rules", "alerts.test.yml") == 0
    (tmp_path / "alerts.test.yml").write_text(tests)
    (tmp_path / "alerts.yml").write_text(RULES.replace("casework_orphans > 0", "casework_orphans > 1"))
    assert promtool(tmp_path, "test", "rules", "alerts.test.yml") != 0


def test_each_rule_names_a_chapter_that_says_what_to_do() -> None:
    handbook = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    chapters = set(re.findall(r"^##+ (.*)$", handbook, re.MULTILINE))
    assert set(re.findall(r'chapter: "(.*)"', RULES)) <= chapters


@dataclass(frozen=True)
class Watched:
    """A served branch, what scrapes it, and keys by staff number."""

    server: ServerProcess
    settings: Settings
    prometheus: str
    tokens: dict[str, str]

    def asked(self, what: str, **parameters: str) -> Any:
        """What Prometheus answers of its API."""
        answer = httpx.get(f"{self.prometheus}/api/v1/{what}", params=parameters, verify=False)
        assert answer.json()["status"] == "success", answer.text
        return answer.json()["data"]

    def firing(self) -> set[str]:
        """Names of the alarms."""
        return {one["labels"]["alertname"] for one in self.asked("alerts")["alerts"] if one["state"] == "firing"}


def furnish(settings: Settings, place: Path) -> dict[str, str]:
    """A branch with a feed of one day and two members of staff; their keys."""
    upgrade(settings, system("cli"))
    started = start(settings)
    with writing(started.engine) as conn:
        trail = started.branch.trail(now())
        for staff_no, post in (("W1", "auditor"), ("B1", "basic_risk_manager")):
            register.add(
                conn, trail, system("cli"), started.branch.rulebook.permissions, staff_no=staff_no, name=staff_no,
                posts=[post],
            )  # fmt: skip
        issued = {one: tokens.issue(conn, trail, system("cli"), staff_no=one) for one in ("W1", "B1")}
        trail.write(conn)
    (folder,) = generate(place / "feeds", seed=1, loans=60, days=1)
    import_feed(started.engine, started.branch, folder, ImportRequest(system("feed")))
    started.engine.dispose()
    return issued


def configured(place: Path, target: str, token: str) -> None:
    """The configuration of the deployment, but for the address, and with patience taken out of it."""
    (place / "token").write_text(token)
    configuration = (DEPLOY / "prometheus.yml").read_text(encoding="utf-8")
    changes = {"127.0.0.1:8000": target, "/etc/prometheus/casework.token": f"{place}/token", ": 15s": ": 200ms"}
    for here, there in changes.items():
        assert here in configuration
        configuration = configuration.replace(here, there)
    (place / "prometheus.yml").write_text(configuration)
    (place / "alerts.yml").write_text(re.sub(r"\n +for: .*", "", RULES))


@pytest.fixture
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    place = tmp_path_factory.mktemp("watched")
    database = place / "casework.db"
    settings = Settings(
        f"sqlite:///{database}", keys_dir=place / "keys", loans_dir=place / "loans", statecharts=ROOT / "statecharts"
    )
    issued = furnish(settings, place)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with serving(settings, place) as server:
        configured(place, server.url.removeprefix("http://"), issued["W1"])
        command = [
            str(PROMETHEUS), f"--config.file={place}/prometheus.yml", f"--storage.tsdb.path={place}/series",
            f"--web.listen-address={address}", "--log.level=error",
        ]  # fmt: skip
        with (place / "prometheus.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                found = Watched(server, settings, f"http://{address}", issued)
                until(lambda: answers(f"http://{address}/-/ready"))
                until(lambda: bool(found.asked("query", query='up{job="casework"} == 1')["result"]))
                yield found
            finally:
                process.terminate()


def answers(url: str) -> bool:
    """Whether anybody is there, and ready."""
    with suppress(httpx.TransportError):
        return httpx.get(url, verify=False).status_code == 200
    return False


def casework(watched: Watched, *arguments: str) -> None:
    """A command on the branch that is served."""
    command = [*CASEWORK, *arguments]
    subprocess.run(command, env=environment(watched.settings), check=True, capture_output=True)


def queries_without_answer(watched: Watched) -> list[str]:
    """Of the dashboard, but for those that have figures only when something is wrong."""
    wanted = [one for one in QUERIES if not any(name in one for name in NOT_ALWAYS)]
    filled = {one: one.replace("$instance", ".*").replace("$__rate_interval", "5s") for one in QUERIES}
    empty = [one for one, query in filled.items() if not watched.asked("query", query=query)["result"]]
    return [one for one in empty if one in wanted]


def work(watched: Watched) -> None:
    """What leaves figures: an event at the door, a verification, a closed day."""
    with watched.server.client(watched.tokens["B1"]) as client:
        case = client.get("/cases").json()["items"][0]
        event = {"event": "reached"}
        client.post(f"/cases/{case['id']}/events", json=event, headers={"If-Match": f'"{case["version"]}"'})
    for command in (("audit", "verify"), ("sweep",)):
        casework(watched, *command)


def test_a_served_branch_is_scraped_alarms_fire_and_go_and_the_dashboard_shows_it(
    watched: Watched, tmp_path: Path
) -> None:
    """No backup was ever made, then one is; every query of the dashboard answers; a service that ends is missed."""
    until(lambda: "CaseworkNoBackup" in watched.firing())
    assert "CaseworkDown" not in watched.firing()
    casework(watched, "db", "backup", str(tmp_path / "first.backup"))
    until(lambda: "CaseworkNoBackup" not in watched.firing())

    work(watched)
    assert len(QUERIES) > 40
    with suppress(TimeoutError):
        until(lambda: not queries_without_answer(watched))
    assert queries_without_answer(watched) == []

    watched.server.stop()
    until(lambda: "CaseworkDown" in watched.firing())
