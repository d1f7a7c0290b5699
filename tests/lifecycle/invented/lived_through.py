"""What an invented noun can do, tried in a house that has it: `test_invented_noun` makes the house and runs this."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from python_calamine import CalamineWorkbook

from casework.cli.main import main
from casework.clock import now
from casework.customer import Customer
from casework.evidence.bundle.deep import replay
from casework.evidence.bundle.export import export_log, fresh_folder
from casework.evidence.bundle.trust import KeysHeld
from casework.evidence.bundle.verify import verify_bundle
from casework.evidence.dossier.heads import state_heads
from casework.evidence.dossier.make import make_dossier
from casework.lifecycle.commands import Fire
from casework.lifecycle.sweep import fire_due
from casework.log.write import signer
from casework.log.write.seal import Sealer
from casework.oversight.privacy.gather import gather
from casework.people.staff import register, tokens
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage.database import reading, writing
from casework.work.cases.export import columns_of
from casework.work.cases.lifecycles import LIFECYCLES
from casework.work.cases.tables import cases
from tests.api.conftest import Running, findings
from tests.console.conftest import Browsing, browse

__all__ = ["browse"]

ERRANDS = LIFECYCLES[-1]
MONDAY = date(2027, 3, 1)


@pytest.fixture
def house(running: Running) -> Running:
    """Two cases in reach of P1, and R2 of another region."""
    with writing(running.started.engine) as conn:
        trail, actor = running.started.branch.trail(now()), system("cli")
        register.add(
            conn, trail, actor, running.started.branch.rulebook.permissions, staff_no="R2", name="员工R2",
            posts=["business_rep"], team="T9", region="R9",
        )  # fmt: skip
        running.tokens["R2"] = tokens.issue(conn, trail, actor, staff_no="R2")
        trail.write(conn)
    running.open("L1", "L2")
    return running


@pytest.fixture
def shell(house: Running) -> Callable[..., Result]:
    """A command line of the same branch."""
    settings: Settings = house.started.settings

    def run(*arguments: str) -> Result:
        given = {"CASEWORK_DATABASE_URL": settings.database_url, "CASEWORK_KEYS_DIR": str(settings.keys_dir)}
        return CliRunner().invoke(main, ["errand", *arguments], env=given)

    return run


def agree(house: Running, on: date = MONDAY, staff_no: str = "P1", of: int = 1, **more: Any) -> Any:
    body = {"of": of, "ground": "agreed", "data": {"call_on": on.isoformat()}, **more}
    return house.post("/errands", staff_no, json=body)


def fire(house: Running, number: int, event: str = "called", version: int = 1, staff_no: str = "P1") -> Any:
    return house.post(
        f"/errands/{number}/events", staff_no, json={"event": event}, headers={"If-Match": f'"{version}"'}
    )


def numbers(house: Running, staff_no: str = "P1", **asked: Any) -> list[int]:
    answer = house.get("/errands", staff_no, params=asked)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def code_of(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["code"])


# ── over HTTP ───────────────────────────────────────────────────────────────────────────────────────────────


def test_it_is_opened_shown_and_moved(house: Running) -> None:
    made = agree(house)
    assert (made.status_code, made.headers["location"], made.headers["etag"]) == (201, "/errands/1", '"1"')
    assert made.json()["entry_id"].startswith("case:1:")
    line = house.get("/errands/1", "P1").json()
    assert (line["case_id"], line["call_on"], line["due_on"], line["state_zh"]) == (
        1, "2027-03-01", "2027-03-02", "待回电",
    )  # fmt: skip
    assert fire(house, 1).json()["state"] == "done"
    again = fire(house, 1, version=2)
    assert (code_of(again, 409), [one["code"] for one in again.json()["reasons"]]) == ("refused", ["wrong_state"])
    assert findings(house.started) == []


def test_guards_fields_reach_and_versions_are_asked(house: Running) -> None:
    sunday = agree(house, MONDAY - timedelta(days=1))
    assert (code_of(sunday, 409), sunday.json()["reasons"][0]["code"]) == ("refused", "not_on_a_sunday")
    assert code_of(agree(house, date(2024, 6, 3)), 422) == "faulty_data"
    assert code_of(agree(house, ground="whim"), 422) == "unknown_ground"
    assert code_of(agree(house, staff_no="R2"), 404) == "unknown_case"
    number = agree(house).json()["id"]
    assert code_of(fire(house, number, version=7), 412) == "stale_version"
    assert code_of(fire(house, number, "fly"), 422) == "unknown_event"
    assert code_of(fire(house, number, staff_no="R2"), 404) == "unknown_errand"
    assert code_of(house.get(f"/errands/{number}", "R2"), 404) == "unknown_errand"
    assert numbers(house, "R2") == []
    assert code_of(fire(house, number, staff_no="AUD1"), 403) == "post_not_permitted"


def test_facts_and_notes_are_recorded_and_its_history_and_options_tell_of_them(house: Running) -> None:
    agree(house)
    fact = {"kind": "message", "on": "2026-01-10", "evidence": "rec:1", "data": {"minutes": 2}}
    assert code_of(house.post("/errands/1/facts", "P1", json={**fact, "kind": "whim"}), 422) == "unknown_fact"
    assert code_of(house.post("/errands/1/facts", "P1", json={**fact, "data": {}}), 422) == "faulty_data"
    early = house.post("/errands/1/facts", "P1", json={**fact, "on": "2026-01-09"})
    assert code_of(early, 422) == "faulty_data"  # a day before it was opened
    assert house.post("/errands/1/facts", "P1", json=fact).status_code == 200
    assert house.post("/errands/1/notes", "P1", json={"text": "下午再打"}).status_code == 200
    assert house.get("/errands/1", "P1").json()["calls"] == 1
    items = house.get("/errands/1/history", "P1").json()["items"]
    assert [(item["event"], item["zh"]) for item in items] == [
        ("errand.opened", "回电：登记"), ("errand.fact.message", "回电：留言"), ("errand.noted", "回电：备注"),
    ]  # fmt: skip
    assert items[-1]["texts"] == {"note": "下午再打"}
    assert len(house.get("/errands/1/history", "P1", params={"limit": 2, "newest_first": True}).json()["items"]) == 2
    offers = house.get("/errands/1/options", "P1").json()
    assert [(one["event"], one["allowed"]) for one in offers["events"]] == [
        ("called", True), ("miss", False), ("call_off", True),
    ]  # fmt: skip
    assert [(one["kind"], one["allowed"]) for one in offers["facts"]] == [("message", True)]
    assert [one["ground"] for one in house.get("/errands/openings", "P1").json()["items"]] == ["agreed"]
    assert findings(house.started) == []


def test_it_is_listed_by_filter_and_sort_page_by_page_and_as_a_file(house: Running) -> None:
    for days, of in ((7, 1), (0, 2), (14, 1)):
        agree(house, MONDAY + timedelta(days=days), of=of)
    assert (numbers(house), numbers(house, sort="-id"), numbers(house, sort="due_on")) == (
        [1, 2, 3], [3, 2, 1], [2, 1, 3],
    )  # fmt: skip
    assert (numbers(house, case_id=1), numbers(house, loan_id="L2"), numbers(house, state="done")) == ([1, 3], [2], [])
    assert numbers(house, due_by="2027-03-09", sort="-due_on") == [1, 2]
    page = house.get("/errands", "P1", params={"limit": 2, "sort": "due_on"}).json()
    rest = house.get("/errands", "P1", params={"limit": 2, "sort": "due_on", "cursor": page["next"]}).json()
    assert ([item["id"] for item in rest["items"]], rest["next"]) == ([3], None)
    fire(house, 1)
    assert (numbers(house), numbers(house, all=True), numbers(house, state="done")) == ([2, 3], [1, 2, 3], [1])
    assert numbers(house, all=True, sort="due_on") == [2, 3, 1]  # what has no day comes last
    file = house.get("/errands.csv", "P1", params={"all": True, "lang": "en"})
    *rows, made = csv.DictReader(io.StringIO(file.content.decode("utf-8-sig")))
    assert made["Number"].startswith("taken out by 员工P1 P1 "), "its last line says who took it out"
    assert [(row["Number"], row["State"], row["Day of the call"], row["Calls"]) for row in rows] == [
        ("1", "Done", "2027-03-08", "1"), ("2", "Wanted", "2027-03-01", "0"), ("3", "Wanted", "2027-03-15", "0"),
    ]  # fmt: skip
    taken = house.get("/audit/entries", "AUD1", params={"event": "list.exported"}).json()["items"]
    assert taken[0]["body"]["data"] == {
        "digest": hashlib.sha256(file.content).hexdigest(), "filter": {"every": True, "noun": "errand"},
        "format": "csv", "rows": 3,
    }  # fmt: skip


def test_an_event_is_fired_on_many_or_only_tried(house: Running) -> None:
    for of in (1, 2, 1):
        agree(house, of=of)
    ask = {"event": "called", "filter": {"case_id": 1}}
    tried = house.post("/errands/events", "P1", json={**ask, "dry_run": True}).json()
    assert (tried["items"], tried["by_outcome"], numbers(house, state="done")) == (2, {"done": 2}, [])
    done = house.post("/errands/events", "P1", json=ask).json()
    assert [(one["id"], one["outcome"], one["state"]) for one in done["results"]] == [
        (1, "done", "done"), (3, "done", "done"),
    ]  # fmt: skip
    some = {"event": "called", "items": [{"id": 1}, {"id": 2, "version": 9}, {"id": 99}], "atomic": True}
    told = house.post("/errands/events", "P1", json=some).json()
    assert told["by_reason"] == {"stale_version": 1, "unknown_errand": 1, "wrong_state": 1}
    assert code_of(house.post("/errands/events", "P1", json={"event": "called"}), 422) == "items_or_filter"
    assert findings(house.started) == []


def test_it_is_counted_by_state_and_described_with_examples(house: Running) -> None:
    agree(house)
    text = house.client.get("/metrics", headers=house.as_("ADM1")).text
    assert 'casework_subjects{noun="errand",state="wanted"} 1.0' in text
    assert 'casework_subjects{noun="errand",state="missed"} 0.0' in text
    document = house.client.get("/schema/openapi.json").json()
    body = document["paths"]["/errands"]["post"]["requestBody"]["content"]["application/json"]
    assert [one["data"].keys() for one in body["schema"]["examples"]] == [{"call_on"}]
    ours = [one for path, one in document["paths"].items() if path.startswith("/errands")]
    assert sum(len(methods) for methods in ours) == 12


# ── on pages ────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_has_its_list_its_page_its_forms_and_its_workbook(house: Running, browse: Callable[..., Browsing]) -> None:
    """From its chart alone, in both languages; what was typed wrong comes back beside its field."""
    someone = browse("P1")
    someone.get("/console/errands")
    assert 'href="/console/errands" aria-current="page">回电' in someone.page.text
    someone.get("/console/errands/new?of=1")
    wrong = someone.send("/console/errands", {"ground": "agreed"}, data__call_on="2027-02-28")
    assert (wrong.status_code, 'value="2027-02-28"' in wrong.text) == (409, True)
    made = someone.send("/console/errands", {"ground": "agreed"}, data__call_on=MONDAY.isoformat())
    assert made.status_code == 303, someone.text()
    place = made.headers["location"]
    someone.get(place)
    fact = someone.send(f"{place}/facts", {"kind": "message"}, on="2026-01-10", evidence="rec:1", data__minutes="2")
    assert fact.status_code == 303, someone.text()
    someone.get(place)
    assert someone.send(f"{place}/notes", text="下午再打").status_code == 303
    someone.get(place)
    for text in ("待回电", "下午再打", "2027-03-01 (周一)"):
        assert text in someone.text(), text
    assert someone.send(f"{place}/events", {"event": "called"}).status_code == 303, someone.text()
    someone.get("/console/errands?all=true")
    assert place in someone.page.text
    assert someone.get(f"{place}/chart.svg").status_code == 200
    assert "回电" in someone.get("/console/cases/1").text
    body = someone.get("/console/errands.xlsx?all=true&purpose=work").content
    rows = CalamineWorkbook.from_filelike(io.BytesIO(body)).get_sheet_by_index(0).to_python()
    assert "P1" in str(rows[1][0])
    someone.cookies["casework_lang"] = "en"
    someone.get(place)
    assert f"Errand {place.rpartition('/')[2]} Done" in someone.text()
    assert browse("R2").get(place).status_code == 404


# ── under four eyes ─────────────────────────────────────────────────────────────────────────────────────────


def ask(house: Running, subject: str = "errand:1", staff_no: str = "P1") -> Any:
    return house.post("/requests", staff_no, json={"kind": "event", "subject": subject, "what": "call_off"})


def test_an_event_under_four_eyes_is_asked_for_and_happens_when_another_approves(house: Running) -> None:
    """Under the topic that its chart names; nothing moves before, and nobody approves what they asked for."""
    agree(house)
    direct = fire(house, 1, "call_off")
    assert (code_of(direct, 409), [one["code"] for one in direct.json()["reasons"]]) == ("refused", ["request_needed"])
    asked = ask(house)
    assert (asked.status_code, numbers(house)) == (201, [1]), asked.text
    assert code_of(ask(house), 409) == "request_open_already"
    offer = house.get("/errands/1/options", "P1").json()["events"][-1]
    assert (offer["four_eyes"]["topic"], offer["request"]["missing"]) == ("cancel", ["approve"])
    (waiting,) = house.get("/requests", "V1").json()["items"]
    assert (waiting["subject"], waiting["what_en"], waiting["changed"]) == ("errand:1", "Called off", False)
    assert house.get("/requests", "R2", params={"subject": "errand:1"}).json()["items"] == []
    number = waiting["id"]
    assert code_of(house.post(f"/requests/{number}/approve", "P1", json={}), 403) == "post_not_permitted"
    shown = house.get(f"/requests/{number}", "V1").json()["options"]
    assert {one["event"]: one["allowed"] for one in shown}["approve"]
    approved = house.post(f"/requests/{number}/approve", "V1", json={}).json()
    assert (approved["state"], approved["carried_out"][:7], numbers(house, state="done")) == (
        "approved",
        "case:1:",
        [1],
    )
    events = [item["event"] for item in house.get("/errands/1/history", "P1").json()["items"]]
    assert events[-2:] == ["errand.asked.call_off", "errand.step.call_off"]
    with reading(house.started.engine) as conn:  # an erasure of the debtor reaches what was asked for
        (case,) = [one for one in conn.execute(sa.select(cases)) if one.id == 1]
        held = gather(conn, house.started.branch, Customer(case.institution, case.borrower_id), now())
    assert [one.id for one in held.requests] == [number]
    assert findings(house.started) == []


def test_what_was_asked_for_is_not_approved_once_it_has_gone_on(house: Running) -> None:
    agree(house)
    number = ask(house).json()["request_id"]
    fire(house, 1, version=1)
    late = house.post(f"/requests/{number}/approve", "V1", json={})
    assert (code_of(late, 409), late.json()["reasons"][0]["code"]) == ("refused", "subject_unchanged")
    for subject, staff_no in (("errand:7", "P1"), ("errand:1", "R2")):
        assert code_of(ask(house, subject, staff_no), 404) == "unknown_errand"
    assert code_of(ask(house, "whim:1"), 404) == "unknown_case"
    assert findings(house.started) == []


# ── beside it ───────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_due_is_fired_by_the_sweep_and_only_then(house: Running) -> None:
    agree(house)
    for days, fired in ((0, {}), (1, {"miss": 1}), (2, {})):
        with writing(house.started.engine) as conn:
            due = {"wuhan": MONDAY + timedelta(days=days)}
            assert fire_due(conn, house.started.branch, ERRANDS, due) == fired


def test_it_is_found_known_as_of_then_and_verified_live_and_deep(house: Running, tmp_path: Path) -> None:
    agree(house, MONDAY - timedelta(days=1))
    number = agree(house).json()["id"]
    house.do(Fire(actor=system("sweep"), noun="errand", id=number, event="called"))
    asked = ask(house, f"errand:{number}").json()["request_id"]
    assert house.post(f"/requests/{asked}/approve", "V1", json={}).status_code == 200
    started = house.started
    sealer = Sealer(started.engine, started.branch.mac_key, started.branch.vault, started.settings.keys_dir)
    sealer.round()
    state_heads(started.engine, started.branch, daily=False)
    sealer.round()
    found = house.get("/audit/entries", "AUD1", params={"event": "errand.*"}).json()["items"]
    assert [one["body"]["event"] for one in found] == [
        "errand.refused_opening", "errand.opened", "errand.refused.called", "errand.asked.call_off",
        "errand.step.call_off",
    ]  # fmt: skip
    of_case = house.get("/audit/entries", "AUD1", params={"subject": "case:1"}).json()["items"]
    assert "request.step.approve" in [one["body"]["event"] for one in of_case]
    as_of = house.get("/cases/1/as-of", "P1", params={"at": now().isoformat()})
    assert as_of.status_code == 200, as_of.text
    keys = signer.known_keys(started.settings.keys_dir)
    with fresh_folder(tmp_path / "bundle") as folder, reading(started.engine, snapshot=True) as conn:
        shown = make_dossier(conn, started.branch, 1, keys).shown
        export_log(conn, folder, keys, made_at=now())
    assert {"errand.opened", "errand.step.call_off"} <= {entry.event for entry in shown.complete}
    report = verify_bundle(tmp_path / "bundle", KeysHeld(), deep=replay, jobs=1)
    assert (report.findings, report.cases_not_replayed) == ([], 0)
    assert findings(started) == []


def test_every_field_that_people_see_has_a_label(house: Running) -> None:
    for noun in LIFECYCLES[1:]:
        columns = columns_of(noun, house.started.branch.rulebook.charts[noun.chart])
        for labels in ([column.zh for column in columns], [column.en for column in columns]):
            assert all(labels)
            assert len({*labels}) == len(labels), noun.word  # a list has no two columns of one name


def test_it_goes_along_when_its_case_changes_hands(house: Running) -> None:
    """Preview and sheet name what is open of it, by the words of its chart and the day its deadline counts from."""
    week = timedelta(days=7)
    for of, day in ((1, MONDAY + week), (2, MONDAY), (2, MONDAY + week)):
        agree(house, day, of=of)
    ended = agree(house, MONDAY).json()["id"]
    assert fire(house, ended).status_code == 200
    plan = house.post("/handovers", "B1", json={"staff_no": "R1"}).json()
    (receiver,) = plan["preview"]["receivers"]
    assert receiver["carried"] == [
        {"kind": "errand", "zh": "回电", "en": "Errand", "cases": 2, "earliest": "2027-03-01"}
    ]
    path = f"/handovers/{plan['id']}/sheets/{receiver['receiver']}.xlsx"
    body = house.get(path, "B1", params={"lang": "en"}).content
    rows = CalamineWorkbook.from_filelike(io.BytesIO(body)).get_sheet_by_index(0).to_python()
    (at,) = [number for number, row in enumerate(rows) if "Errand" in row]  # above it: title, who took it out
    cells = [str(line[rows[at].index("Errand")]) for line in rows[at + 1 :]]
    assert cells == ["2027-03-08", "2027-03-01, 2027-03-08"]


# ── at the shell ────────────────────────────────────────────────────────────────────────────────────────────


def test_at_the_shell_it_is_opened_shown_listed_and_moved(shell: Any, house: Running, tmp_path: Path) -> None:
    opened = ("open", "--case", "1", "--ground", "agreed", "--as", "P1", "--data")
    made = shell(*opened, "call_on=2027-03-01")
    assert (made.exit_code, made.output.partition(",")[0]) == (0, "errand 1 is in wanted 待回电")
    refused = shell(*opened, "call_on=2027-02-28")
    assert (refused.exit_code, refused.stderr[:25]) == (1, "refused: not_on_a_sunday ")
    message = (
        "record",
        "1",
        "message",
        "--on",
        "2026-01-10",
        "--evidence",
        "rec:1",
        "--data",
        "minutes=2",
        "--as",
        "P1",
    )
    assert shell(*message).exit_code == 0
    assert shell("note", "1", "下午再打", "--as", "P1").exit_code == 0
    listed = json.loads(shell("list", "--json").output)
    assert [(one["id"], one["calls"]) for one in listed["items"]] == [(1, 1)]
    assert "待回电" in shell("list", "--as", "P1").output
    assert "errand.noted" in shell("show", "1", "--as", "P1").output
    assert "may     called" in shell("options", "1", "--as", "P1").output
    assert shell("export", str(tmp_path / "c.csv")).exit_code == 0
    assert (tmp_path / "c.csv").read_text(encoding="utf-8-sig").startswith("编号,案件编号,")
    tried = json.loads(shell("bulk", "called", "--case", "1", "--dry-run", "--as", "P1", "--json").output)
    assert (tried["items"], tried["by_code"]) == (1, {"done": 1})
    assert shell("bulk", "called", "1", "--as", "P1").output == "done: 1\n"
    assert shell("fire", "1", "called", "--as", "P1").exit_code == 1
    assert shell("show", "9", "--as", "P1").stderr.startswith("unknown_errand: there is no such errand")
    assert shell("--help").output.count("errand") >= 1
    assert findings(house.started) == []
