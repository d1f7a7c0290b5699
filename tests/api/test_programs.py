"""Programs over HTTP: what a key of one opens, what it leaves shut, and whose name stands in the log."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from api.auth import is_public
from api.permitted import routes_of
from casework.cli import main
from casework.log.format.entry import decode_strict
from casework.log.tables import entries
from casework.storage.database import reading
from tests.api.conftest import Running, findings
from tests.api.test_events import problem
from tests.api.test_imports import ended
from tests.api.test_imports import importing as importing  # noqa: PLC0414  # fixtures of what a program brings
from tests.api.test_imports import inbox as inbox  # noqa: PLC0414
from tests.feed.bank import DAY, arrears, loan, write

OPEN = {
    "service.read", "branch.health", "rulebook.read", "case.read", "portfolio.read", "feed.read", "feed.import",
    "repayment.import", "log.read", "log.cosign", "log.receipt",
}  # fmt: skip


def key_of(running: Running, program: str, *commands: str, owner: str = "B1", by: str = "ADM1") -> dict[str, str]:
    """Headers with a new key of a program."""
    body = {"owner": owner, "commands": list(commands), "days": 30}
    answer = running.post(f"/programs/{program}/keys", by, json=body)
    # What a bearer's own key asks is refused: it makes no keys. So the shell's operator does.
    problem(answer, 403, "session_needed")
    words = ["program", "key", program, "--owner", owner, *[word for one in commands for word in ("--may", one)]]
    settings = running.started.settings
    done = CliRunner().invoke(main, words, env={
        "CASEWORK_DATABASE_URL": settings.database_url, "CASEWORK_KEYS_DIR": str(settings.keys_dir),
    })  # fmt: skip
    assert done.exit_code == 0, done.stderr
    return {"Authorization": f"Bearer {done.stdout.strip()}"}


def test_prometheus_reads_the_metrics_with_its_own_key_and_nothing_else(running: Running) -> None:
    prometheus = key_of(running, "prometheus", "service.read")
    assert running.client.get("/metrics", headers=prometheus).status_code == 200
    (case_id,) = running.open("L1")
    for path in ("/cases", f"/cases/{case_id}", "/charts", "/me", "/me/keys", "/me/sessions", "/feeds", "/programs"):
        problem(running.client.get(path, headers=prometheus), 403, "key_not_permitted")
    problem(
        running.client.post("/me/keys", headers=prometheus, json={"label": "x", "days": 3}), 403, "key_not_permitted"
    )


def test_keys_of_programs_are_listed_to_who_may_see_them_and_die_within_two_seconds(running: Running) -> None:
    prometheus = key_of(running, "prometheus", "service.read", "branch.health")
    for staff_no, status in (("ADM1", 200), ("AUD1", 200), ("B1", 403), ("R1", 403)):
        assert running.get("/programs", staff_no).status_code == status
    (line,) = running.get("/programs", "ADM1").json()["items"]
    assert (line["program"], line["owner"], line["commands"]) == ("prometheus", "B1", ["branch.health", "service.read"])
    (mine,) = [one for one in running.get("/me/keys", "B1").json()["items"] if one["program"]]
    assert mine["id"] == line["id"]
    problem(running.client.delete("/programs/other/keys/1", headers=running.as_("ADM1")), 404, "unknown_key")
    path = f"/programs/prometheus/keys/{line['id']}"
    assert running.client.delete(path, headers=running.as_("ADM1")).status_code == 204
    assert running.get("/programs", "ADM1").json()["items"] == []
    running.client.app.state["serving"].tokens._held.clear()
    assert running.client.get("/metrics", headers=prometheus).status_code == 401


def test_whatever_a_program_may_be_given_answers_it_and_all_else_is_shut(running: Running) -> None:
    permissions = running.started.branch.rulebook.permissions
    assert permissions.for_programs == OPEN
    everything = key_of(running, "all-there-is", *OPEN)
    (case_id,) = running.open("L1")
    values = {"case_id": str(case_id), "loan_id": "L1", "name": "overdue_loan", "staff_no": "R1"}
    opened = {route for command in OPEN for route in permissions.commands[command].routes}
    for route in sorted(routes_of(running.client.app)):
        method, _, path = route.partition(" ")
        if is_public(method, path) or path.startswith("/console"):
            continue
        for name in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
            path = path.replace(f"{{{name}}}", values.get(name, "1"))
        answer = running.client.request(method, path, headers=everything)
        if route in opened:
            assert answer.status_code not in (401, 403) or answer.json()["code"] == "post_not_permitted", (
                route,
                answer.text,
            )
            assert answer.status_code < 500 or answer.json()["code"] == "log_not_begun", (route, answer.text)
        else:
            assert answer.status_code == 403, (route, answer.text)


def test_a_program_is_shown_no_persons_name_and_no_note(running: Running) -> None:
    (case_id,) = running.open("L1")
    note = {"text": "客户母亲住院，电话13800000000"}
    assert running.post(f"/cases/{case_id}/notes", "R1", json=note).status_code == 200
    reader = key_of(running, "reporting", "case.read")
    for path in ("/cases", f"/cases/{case_id}", f"/cases/{case_id}/history", f"/cases/{case_id}/notes"):
        answer = running.client.get(path, headers=reader)
        assert answer.status_code == 200, (path, answer.text)
        assert "13800000000" not in answer.text
        assert "母亲" not in answer.text


def test_a_feed_that_a_program_brings_names_program_and_owner_and_people_confirm(importing: Running) -> None:
    bank = key_of(importing, "core-bank", "feed.import", "feed.read")
    answer = importing.client.post("/feeds", headers=bank, json={"folder": "day1"})
    assert answer.status_code == 202, answer.text
    run = ended(importing, answer.json()["run"])
    assert (run.status, run.actor_id, run.via) == ("applied", "B1:core-bank", "api")
    told = importing.client.get(f"/feeds/{run.id}", headers=bank).json()
    assert told["actor_id"] == "B1:core-bank"
    with reading(importing.started.engine) as conn:
        bodies = conn.execute(sa.select(entries.c.body).where(entries.c.actor_id == "B1:core-bank")).scalars().all()
    named = {(entry.actor.id, entry.actor.kind) for entry in map(decode_strict, map(bytes, bodies))}
    assert named == {("B1:core-bank", "program")}
    assert findings(importing.started) == []


def test_what_has_vanished_is_confirmed_by_a_person_and_by_no_program(importing: Running, inbox: Path) -> None:
    write(inbox / "many", DAY, loans=[loan(n) for n in range(1, 31)], overdue=[arrears(n) for n in range(1, 31)])
    write(inbox / "few", DAY + timedelta(days=1), loans=[loan(1)], overdue=[arrears(1)])
    bank = key_of(importing, "core-bank", "feed.import")
    many = importing.client.post("/feeds", headers=bank, json={"folder": "many"}).json()["run"]
    assert ended(importing, many).status == "applied"
    few = importing.client.post("/feeds", headers=bank, json={"folder": "few", "confirm_vanished": True}).json()["run"]
    assert ended(importing, few).status == "awaiting"
    confirmed = importing.post("/feeds", "B1", json={"folder": "few", "confirm_vanished": True}).json()["run"]
    assert ended(importing, confirmed).status == "applied"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["key", "Prom", "--owner", "B1", "--may", "service.read"], "program_name_malformed: "),
        (["key", "prom", "--owner", "B1", "--may", "request.decide"], "command_not_for_programs: "),
        (["key", "prom", "--owner", "nobody", "--may", "service.read"], "unknown_staff: "),
        (["key", "prom", "--owner", "B1", "--may", "service.read", "--as", "B1"], "post_not_permitted: "),
        (["revoke", "prom", "999"], "unknown_key: "),
        (["list", "--as", "B1"], "post_not_permitted: "),
    ],
)
def test_the_shell_refuses_in_one_line(running: Running, words: list[str], told: str) -> None:
    settings = running.started.settings
    done = CliRunner().invoke(main, ["program", *words], env={
        "CASEWORK_DATABASE_URL": settings.database_url, "CASEWORK_KEYS_DIR": str(settings.keys_dir),
    })  # fmt: skip
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(told)
