"""`GET /cases/{case_id}/dossier`: for those who may prove a case, on record before it is handed out."""

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from casework.evidence.dossier.heads import state_heads
from casework.lifecycle.commands import Note
from casework.log.check.dossier import read_dossier
from casework.log.tables import entries
from casework.log.write import signer
from casework.people.staff.actor import Actor
from casework.storage.database import reading
from tests.api.conftest import Running, findings
from tests.api.test_log import seal

NOTE = "客户称下周还款"


@pytest.fixture
def proven(running: Running) -> Running:
    """Two cases, the first with a note; sealed and stated."""
    first, _ = running.open("L1", "L2")
    running.do(Note(actor=Actor("R1", "staff", "api", frozenset({"business_rep"})), id=first, text=NOTE))
    seal(running)
    assert state_heads(running.started.engine, running.started.branch, daily=True) is not None
    seal(running)
    return running


def on_record(running: Running, stream: str) -> list[Any]:
    wanted = sa.select(entries.c.body).where(entries.c.stream == stream).order_by(entries.c.stream_seq)
    with reading(running.started.engine) as conn:
        return [msgspec.json.decode(bytes(body)) for body in conn.execute(wanted).scalars()]


def test_a_dossier_is_handed_out_whole_and_that_is_an_entry(proven: Running) -> None:
    answer = proven.get("/cases/1/dossier", "A1")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers.get_list("cache-control") == ["no-store"]
    shown = read_dossier(answer.content, signer.known_keys(proven.started.settings.keys_dir))
    assert (shown.report.verdict, len(shown.complete), len(shown.later), shown.opened) == ("sound", 2, 0, {})
    assert NOTE not in answer.text
    (entry,) = on_record(proven, "exports:A1")
    assert shown.checkpoint is not None
    assert shown.statement is not None
    assert (entry["event"], entry["actor"]["id"]) == ("case.dossier_made", "A1")
    assert entry["data"] == {
        "case": 1, "complete": 2, "later": 0, "list_acts": 0, "opened": 0, "size": shown.checkpoint.size,
        "day": shown.statement.day,
    }  # fmt: skip
    assert findings(proven.started) == []


def test_openings_are_for_a_purpose_that_the_post_has_and_each_is_a_read_of_personal_data(proven: Running) -> None:
    answer = proven.get("/cases/1/dossier", "A1", params={"openings": "true", "purpose": "judicial"})
    shown = read_dossier(answer.content, signer.known_keys(proven.started.settings.keys_dir))
    assert list(shown.opened.values()) == [NOTE]
    (read,) = on_record(proven, "borrower:wuhan~B-L1")
    assert (read["event"], read["data"]["fields"], read["data"]["purpose"]) == (
        "personal.revealed", ["note"], "judicial",
    )  # fmt: skip
    for params, status, code in (
        ({"openings": "true"}, 422, "filter_malformed"), ({"purpose": "judicial"}, 422, "filter_malformed"),
        ({"openings": "true", "purpose": "follow_up"}, 403, "purpose_not_permitted"),
        ({"openings": "true", "purpose": "fun"}, 422, "purpose_unknown"),
        ({"opening": "true"}, 422, "filter_malformed"),
    ):  # fmt: skip
        refused = proven.get("/cases/1/dossier", "A1", params=params)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert len(on_record(proven, "exports:A1")) == 1
    assert len(on_record(proven, "borrower:wuhan~B-L1")) == 1


def test_others_and_other_cases_are_refused_and_nothing_is_on_record(proven: Running) -> None:
    for staff_no in ("R1", "T1", "P1", "G1", "V1", "ADM1"):
        assert proven.get("/cases/1/dossier", staff_no).json()["code"] == "post_not_permitted"
        assert on_record(proven, f"exports:{staff_no}") == []
    assert proven.get("/cases/99/dossier", "AUD1").status_code == 404
    assert proven.get("/cases/1/dossier", "AUD1", params={"since": 10**6}).json()["code"] == "size_unknown"
    proven.open("L3")
    assert proven.get("/cases/3/dossier", "AUD1").json()["code"] == "not_sealed_yet"
    seal(proven)
    assert proven.get("/cases/3/dossier", "AUD1").json()["code"] == "case_not_in_heads"
    assert on_record(proven, "exports:AUD1") == []


def test_before_anything_is_sealed_or_stated_there_is_no_dossier(running: Running) -> None:
    running.open("L1")
    assert running.get("/cases/1/dossier", "B1").json()["code"] == "log_not_begun"
    seal(running)
    assert running.get("/cases/1/dossier", "B1").json()["code"] == "heads_not_stated"
