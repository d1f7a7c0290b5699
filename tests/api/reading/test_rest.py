"""Charts, policies, audit entries and feeds over HTTP."""

import csv
import hashlib
import io
import json
import re
from datetime import date
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from casework.clock import now
from casework.intake.feed.sealed_cells import of_aside
from casework.intake.feed.tables import feed_runs, set_aside
from casework.lifecycle.commands import Note
from casework.log.format.entry import decode_strict
from casework.people.staff.actor import Actor
from casework.storage.database import writing
from tests.api.conftest import Running
from tests.api.test_openapi import described

LOANS = ["loan_id", "客户号", "姓名", "身份证号", "贷款余额", "备注"]
NOT_ASKED = ("/metrics",)
"""What scrapes it may be set up to say more."""
PATHS = (
    "/cases", "/cases.csv", "/cases.xlsx", "/me/cases", "/cases/1", "/cases/1/history", "/cases/1/notes",
    "/cases/1/options", "/borrowers/B", "/loans/L/openings", "/charts", "/charts/overdue_loan",
    "/charts/overdue_loan.mmd", "/charts/overdue_loan.svg", "/policies", "/audit/entries", "/audit/entries/case:1:1",
    "/feeds", "/feeds/without-case", "/feeds/1", "/feeds/1/set-aside", "/feeds/1/set-aside.csv",
)  # fmt: skip


def test_nothing_is_read_without_a_token(running: Running) -> None:
    for path in PATHS:
        assert running.client.get(path).status_code == 401, path
    for path in ("/find", "/cases/options"):
        assert running.client.post(path, json={}).status_code == 401, path


def test_an_unknown_parameter_is_told_on_every_route(running: Running) -> None:
    for path in PATHS:
        answer = running.get(path, "AUD1", params={"nosuch": "1"})
        assert (answer.status_code, answer.json()["code"]) == (422, "filter_malformed"), path
        needs = answer.json()["needs"]
        assert needs.startswith("left out; known are ") or needs == "left out; no parameter is taken here", path


def test_no_route_that_is_read_passes_over_a_parameter_that_it_does_not_know(running: Running) -> None:
    """Asked by the first who may; it is told before anything is looked for."""
    passed = []
    for path, methods in described(running)["paths"].items():
        if "get" not in methods or path in NOT_ASKED or methods["get"].get("security") == [{}]:
            continue
        named = {one["name"]: one for one in methods["get"].get("parameters", ())}
        place = path
        for name in re.findall(r"{(\w+)}", path):
            place = place.replace(f"{{{name}}}", "1" if named[name]["schema"]["type"] == "integer" else "x1")
        needed = {name: "2026-01-10" for name, one in named.items() if one["in"] == "query" and one.get("required")}
        answers = (running.get(place, who, params={**needed, "nosuch": "1"}) for who in sorted(running.tokens))
        told = next((one for one in answers if one.status_code != 403), None)
        if told is None or told.status_code != 422:
            passed.append((path, told.status_code if told else 403))
    assert passed == [], passed


def test_the_chart_is_shown_whole_with_its_figures(running: Running) -> None:
    chart = running.started.branch.rulebook.chart
    requests = running.started.branch.rulebook.requests
    assert running.get("/charts").json()["items"] == [
        {"title": one.title, "digest": one.digest, "in_force": True}
        for one in sorted(running.started.branch.rulebook.charts.values(), key=lambda one: one.title)
    ]
    asked_for = running.get("/charts/request").json()
    assert [state["name"] for state in asked_for["states"]] == list(requests.states)
    body = running.get("/charts/overdue_loan").json()
    assert [event["name"] for event in body["events"]] == list(chart.events)
    place = next(event for event in body["events"] if event["name"] == "place")
    guard = next(g for g in place["arcs"][0]["guards"] if g["guard"] == "dpd_at_least")
    assert (guard["params"], guard["figures"]) == ({"days": "@placement.from_dpd"}, {"days": 31})
    deadlines = {state["name"]: state["deadline_en"] for state in body["states"]}
    assert deadlines["written_off"] == "limitation, warned 180/90/30 days ahead"
    assert not [text for text in deadlines.values() if "{" in text]
    assert running.get("/charts/nosuch").status_code == 404


def test_the_chart_is_drawn_in_both_languages(running: Running) -> None:
    for lang, word in (("zh", "失联"), ("en", "Lost contact")):
        mermaid = running.get("/charts/overdue_loan.mmd", params={"lang": lang})
        assert "stateDiagram-v2" in mermaid.text
        assert word in mermaid.text
        drawing = running.get("/charts/overdue_loan.svg", params={"lang": lang})
        assert drawing.headers["content-type"].startswith("image/svg+xml")
        assert ET.fromstring(drawing.text).tag.endswith("svg")
        assert word in drawing.text
        assert "180/90/30" in drawing.text
        assert "{@" not in drawing.text
    assert running.get("/charts/overdue_loan.svg", params={"lang": "fr"}).status_code == 422


def test_policies_show_each_figure_with_its_rule_or_why_it_is_empty(running: Running) -> None:
    (policy,) = running.get("/policies").json()["items"]
    figures = {figure["key"]: figure for figure in policy["figures"]}
    assert policy["in_force"] is True
    assert figures["placement.from_dpd"]["value"] == 31
    assert all(figure["zh"] and figure["en"] for figure in figures.values())
    assert figures["contact.messages_per_day"]["value"] is None
    assert figures["contact.messages_per_day"]["empty_because"]
    assert set(figures) == set(running.started.branch.rulebook.policies.all[0].figures)


# ── the log ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_entry_is_shown_with_the_very_bytes_that_were_hashed(running: Running) -> None:
    (case_id,) = running.open("L1")
    answer = running.get(f"/audit/entries/case:{case_id}:1", "AUD1")
    shown = msgspec.json.decode(answer.content, type=dict[str, msgspec.Raw])
    body = bytes(shown["body"])
    assert decode_strict(body).event == "case.opened"
    assert hashlib.sha256(b"\x00" + body).hexdigest() == json.loads(bytes(shown["leaf_hash"]))


@pytest.mark.parametrize(
    "entry_id", ["case:1:2", "case:1", "case", "case:1:-1", "case:1:１", "x" * 200, "case:1:9" * 9]
)
def test_an_entry_that_is_not_there_is_404(running: Running, entry_id: str) -> None:
    running.open("L1")
    answer = running.get(f"/audit/entries/{entry_id}", "AUD1")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_entry")


def test_entries_are_walked_by_stream_event_and_actor(running: Running) -> None:
    (case_id, other) = running.open("L1", "L2")
    telephonist = Actor("T1", "staff", "api", frozenset({"phone_collector"}), team="T1", region="R1")
    running.do(*[Note(actor=telephonist, id=case_id, text="一") for _ in range(5)])

    def walk(**query: Any) -> list[str]:
        seen: list[str] = []
        after = None
        while True:
            page = running.get(
                "/audit/entries", "AUD1", params={**query, "limit": 2} | ({"after": after} if after else {})
            )
            assert page.status_code == 200, page.text
            seen += [entry["entry_id"] for entry in page.json()["items"]]
            after = page.json()["next"]
            if after is None:
                return seen

    stream = f"case:{case_id}"
    assert walk(stream=stream) == [f"{stream}:{seq}" for seq in range(1, 7)]
    assert walk(event="case.noted") == [f"{stream}:{seq}" for seq in range(2, 7)]
    assert walk(event="case.*") == [f"{stream}:1", f"case:{other}:1", *[f"{stream}:{seq}" for seq in range(2, 7)]]
    assert walk(actor="T1", stream=stream) == walk(event="case.noted")
    assert walk(event="case_noted") == []
    assert walk(stream="case:999") == []
    everything = walk()
    assert len(everything) == len(set(everything)) > 7


@pytest.mark.parametrize("after", ["!", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "文"])
def test_a_cursor_of_no_list_is_told(running: Running, after: str) -> None:
    answer = running.get("/audit/entries", "AUD1", params={"after": after})
    assert (answer.status_code, answer.json()["code"]) == (422, "cursor_malformed")


def test_only_an_auditor_reads_the_log(running: Running) -> None:
    running.open("L1")
    for path in ("/audit/entries", "/audit/entries/case:1:1"):
        for staff_no in ("R1", "B1", "ADM1"):
            answer = running.get(path, staff_no)
            assert (answer.status_code, answer.json()["code"]) == (403, "post_not_permitted")
        assert running.get(path, "AUD1").status_code == 200


def test_an_auditor_reads_what_everybody_reads(running: Running) -> None:
    running.open("L1")
    for path in ("/cases", "/cases/1", "/cases/1/history", "/cases/1/options", "/policies", "/feeds"):
        assert running.get(path, "AUD1").status_code == 200, path


# ── feeds ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def with_runs(running: Running) -> Running:
    """Three runs; the second set aside two rows of loans with a name, and three of overdue."""
    vault = running.started.branch.vault
    asides = [
        (
            "loans",
            5,
            "id_number",
            "malformed_id_number",
            LOANS,
            ["L9", "B9", "张伟明", "42010219900101", "1.00", "表妹"],
        ),
        ("loans", 6, "", "wrong_cell_count", LOANS, ["L8", "张伟明", "42010219900101", "1.00"]),
        *[("overdue", line, "oldest_due_date", "due_after_as_of", ["loan_id"], [f"L{line}"]) for line in (2, 3, 4)],
    ]
    with writing(running.started.engine) as conn:
        for number, status in enumerate(("applied", "applied", "refused"), 1):
            conn.execute(
                feed_runs.insert().values(
                    institution="wuhan", as_of=date(2026, 1, number), status=status, correction=False, digest="ab",
                    actor_id="system", via="cli", started_at=now(), files=b"[]",
                    figures=b'{"overdue":3}' if status == "applied" else None,
                    refusal=None if status == "applied" else b'{"code":"loans_vanished"}',
                )
            )  # fmt: skip
        for kind, line, column, code, header, cells in asides:
            sealed = vault.seal(of_aside(2, kind, line), json.dumps({"header": header, "cells": cells}))
            conn.execute(
                set_aside.insert().values(run_id=2, kind=kind, line=line, column=column, code=code, row_sealed=sealed)
            )
    return running


def test_runs_are_listed_newest_first_and_found_by_number(with_runs: Running) -> None:
    first = with_runs.get("/feeds", "B1", params={"limit": 2}).json()
    assert [run["id"] for run in first["items"]] == [3, 2]
    rest = with_runs.get("/feeds", "B1", params={"limit": 2, "before": first["next"]}).json()
    assert ([run["id"] for run in rest["items"]], rest["next"]) == ([1], None)
    run = with_runs.get("/feeds/1", "B1").json()
    assert (run["status"], run["figures"]) == ("applied", {"overdue": 3})
    assert with_runs.get("/feeds/3", "B1").json()["refusal"] == {"code": "loans_vanished"}
    for path in ("/feeds/9", "/feeds/9/set-aside", "/feeds/9/set-aside.csv"):
        assert (with_runs.get(path, "B1").status_code, with_runs.get(path, "B1").json()["code"]) == (404, "unknown_run")


def test_rows_set_aside_are_listed_with_line_column_and_reason(with_runs: Running) -> None:
    page = with_runs.get("/feeds/2/set-aside", "B1", params={"kind": "overdue", "limit": 2}).json()
    assert [(row["line"], row["column"]) for row in page["items"]] == [(2, "oldest_due_date"), (3, "oldest_due_date")]
    rest = with_runs.get("/feeds/2/set-aside", "B1", params={"kind": "overdue", "after": page["next"]}).json()
    assert ([row["line"] for row in rest["items"]], rest["next"]) == ([4], None)
    assert len(with_runs.get("/feeds/2/set-aside", "B1").json()["items"]) == 5


def test_the_csv_of_rows_set_aside_masks_personal_cells(with_runs: Running) -> None:
    answer = with_runs.get("/feeds/2/set-aside.csv", "B1", params={"kind": "loans"})
    header, row, moved = csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert header[:6] == LOANS
    assert row[:6] == ["L9", "B9", "张**", "420*******0101", "1.00", "***"]
    assert row[6:9] == ["5", "id_number", "malformed_id_number"]
    assert moved[:6] == ["L8", "***", "***", "***", "", ""]
    assert "伟明" not in answer.text
    overdue = with_runs.get("/feeds/2/set-aside.csv", "B1").text.splitlines()
    assert len(overdue) == 4


@pytest.mark.parametrize(("params", "shown"), [({}, "'=L9"), ({"raw": True}, "=L9")])
def test_the_csv_of_rows_set_aside_is_defused_unless_the_raw_one_is_asked_for(
    with_runs: Running, params: dict[str, bool], shown: str
) -> None:
    vault = with_runs.started.branch.vault
    cells = json.dumps({"header": ["borrower_id", "role"], "cells": ["=L9", "debtor"]})
    sealed = vault.seal(of_aside(2, "contacts", 2), cells)
    with writing(with_runs.started.engine) as conn:
        row = {"run_id": 2, "kind": "contacts", "line": 2, "column": "", "code": "unknown_borrower"}
        conn.execute(set_aside.insert().values(**row, row_sealed=sealed))
    answer = with_runs.get("/feeds/2/set-aside.csv", "B1", params={"kind": "contacts", **params})
    header, row_ = csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert (row_[0], "set_aside_safe" in header) == (shown, not params)


# ── the description ──────────────────────────────────────────────────────────────────────────────────────────


def test_every_reading_route_shows_an_example_and_its_problems(running: Running) -> None:
    paths = running.client.get("/schema/openapi.json").json()["paths"]
    asked = [(path, "get") for path in paths if path in {p.replace("/1", "/{case_id}") for p in PATHS}]
    for path, method in [*asked, ("/find", "post"), ("/cases/options", "post")]:
        responses = paths[path][method]["responses"]
        (content,) = responses["200"]["content"].values()
        assert content["examples"], path
        assert "application/problem+json" in responses["401"]["content"], path
