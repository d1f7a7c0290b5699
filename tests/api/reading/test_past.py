"""The past over HTTP: a case for whoever sees it now, the portfolio for two posts, both bounded."""

from typing import Any

import pytest

from api.reading import past
from casework.clock import now
from casework.lifecycle.commands import Note
from casework.log.tables import entries
from casework.people.staff.actor import Actor
from casework.settings import Settings
from casework.storage.database import open_engine, writing
from casework.work.cases.tables import cases
from tests.api.conftest import Running
from tests.log.built_log import guards_down

PHONE = Actor("T1", "staff", "api", frozenset({"phone_collector"}), team="T1", region="R1")


def test_a_case_is_shown_as_it_was_to_whoever_sees_it_as_it_is(running: Running) -> None:
    before = now().isoformat()
    (case_id,) = running.open("L1", days_past_due=12)
    opened = now().isoformat()
    assert running.post(f"/cases/{case_id}/notes", "T1", json={"text": "x"}, headers={"If-Match": "*"}).is_success
    with writing(running.started.engine) as conn:
        conn.execute(cases.update().values(state="settled", bucket="M7"))

    then = running.get(f"/cases/{case_id}/as-of", params={"at": opened})
    assert then.status_code == 200, then.text
    body = then.json()
    assert (body["state"], body["bucket_recorded"], body["audit_seq"]) == ("phone_collection", "M1", 1)
    assert body["instant"]["read_as"] == "offset"
    assert running.get(f"/cases/{case_id}/as-of", params={"at": "now"}).json()["audit_seq"] == 2

    between = running.get(f"/cases/{case_id}/diff", "AUD1", params={"from": before, "to": "now"}).json()
    assert (between["before"], between["entries_in_all"]) == (None, 2)
    assert [(entry["event"], entry["actor"]) for entry in between["entries"]] == [
        ("case.opened", "system"), ("case.noted", "T1")
    ]  # fmt: skip

    for params, status, code in (
        ({"at": before}, 404, "case_not_opened_then"), ({"at": "2999-01-01"}, 422, "instant_in_future"),
        ({"at": "last week"}, 422, "instant_malformed"), ({}, 422, "invalid_request"),
        ({"at": "now", "when": "x"}, 422, "filter_malformed"),
    ):  # fmt: skip
        answer = running.get(f"/cases/{case_id}/as-of", params=params)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    reversed_ = running.get(f"/cases/{case_id}/diff", params={"from": "now", "to": opened})
    assert (reversed_.status_code, reversed_.json()["code"]) == (422, "instants_reversed")
    assert running.get(f"/cases/{case_id}/as-of", "ADM1", params={"at": "now"}).status_code == 403
    assert running.get("/cases/999/as-of", params={"at": "now"}).status_code == 404


def test_the_portfolio_is_for_two_posts_one_pass_at_a_time_and_bounded(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.open("L1", "L2", days_past_due=12)
    start = now().isoformat()
    running.open("L3", days_past_due=12, product="haihua")

    def ask(path: str, staff_no: str = "B1", **params: Any) -> tuple[int, Any]:
        answer = running.get(path, staff_no, params=params)
        return answer.status_code, answer.json()

    status, whole = ask("/portfolio", at="now")
    assert (status, whole["total"]["cases"], whole["total"]["overdue_fen"]) == (200, 3, 3 * 102_100)
    assert ask("/portfolio", "AUD1", at=start)[1]["total"]["cases"] == 2
    assert ask("/portfolio", at="now", product="haihua", state="phone_collection")[1]["total"]["cases"] == 1
    assert ask("/portfolio", at="now", state="lost_contract")[1]["code"] == "filter_malformed"
    status, moved = ask("/portfolio/diff", "AUD1", **{"from": start, "to": "now", "limit": "1"})
    assert (status, moved["opened"], moved["changed_in_all"], moved["next"]) == (200, 1, 1, None)
    assert [one["case_id"] for one in moved["changed"]] == [3]
    assert [ask("/portfolio", who, at="now")[0] for who in ("R1", "V1", "ADM1")] == [403] * 3

    with past._alone():
        status, busy = ask("/portfolio", at="now")
    assert (status, busy["code"]) == (503, "overloaded")
    monkeypatch.setattr(past, "MAX_ENTRIES", 3)
    status, large = ask("/portfolio/diff", **{"from": start, "to": "now"})
    assert (status, large["code"], large["commands"][1]) == (413, "portfolio_too_large", "casework audit diff")


def test_a_log_that_cannot_be_relied_on_is_an_alarm_and_no_answer(running: Running, settings: Settings) -> None:
    (case_id,) = running.open("L1", days_past_due=12)
    running.do(Note(actor=PHONE, id=case_id, text="x"))
    owner = open_engine(settings.database_owner_url or settings.database_url)
    with writing(owner) as conn, guards_down(conn):
        conn.execute(entries.update().where(entries.c.stream == f"case:{case_id}").values(mac=bytes(32)))
    owner.dispose()
    for path in (f"/cases/{case_id}/as-of", "/portfolio"):
        answer = running.get(path, "B1", params={"at": "now"})
        assert (answer.status_code, answer.json()["code"], answer.json()["fault"]) == (500, "log_broken", "mac_wrong")
        assert (answer.json()["stream"], answer.json()["stream_seq"]) == (f"case:{case_id}", 1)
