"""Promises and holds over HTTP: opened, shown, moved, and hidden from whoever may not see them."""

from typing import Any

import pytest

from casework.clock import now
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Fire, Mistaken, Open
from casework.people.staff import register, tokens
from casework.people.staff.actor import system
from casework.storage.database import writing
from tests.api.conftest import Running, findings
from tests.api.test_events import problem
from tests.contacted import typed
from tests.on_books import put_loan

MADE = {"amount_fen": 50_000, "made_on": "2026-01-10", "pay_by": "2026-01-20"}
SET = {"loan_id": "L1", "hold": "hardship", "begins_at": "2026-01-10T08:00:00+08:00", "review_by": "2026-12-20"}
WITHDRAW = {"event": "withdraw", "data": {"reason": "misheard"}}


@pytest.fixture
def case_id(running: Running) -> int:
    """A live case of L1 whose debtor was reached by phone today; L2 is another debtor's, R2 in another region."""
    with writing(running.started.engine) as conn:
        for loan_id in ("L1", "L2"):
            put_loan(
                conn, running.started.branch, loan_id=loan_id, institution="wuhan", borrower_id=f"B-{loan_id}",
                product="consumer", owner_staff_no="R1", team="T1", region="R1", outstanding_principal_fen=7_000_000,
            )  # fmt: skip
        trail, actor = running.started.branch.trail(now()), system("cli")
        register.add(
            conn, trail, actor, running.started.branch.rulebook.permissions, staff_no="R2", name="员工R2",
            posts=["business_rep"], team="T9", region="R9",
        )  # fmt: skip
        running.tokens["R2"] = tokens.issue(conn, trail, actor, staff_no="R2")
        trail.write(conn)
    case_id, _ = running.open("L1", "L2")
    answer = running.post("/contacts", "T1", json={"contacts": [typed("L1", "2026-01-10")]})
    assert answer.json()["by_outcome"] == {"done": 1}
    return case_id


def promise(running: Running, case_id: int, staff_no: str = "R1", **data: Any) -> Any:
    body = {"of": case_id, "ground": "made", "data": {**MADE, **data}}
    return running.post("/promises", staff_no, json=body)


def hold(running: Running, staff_no: str = "R1", **data: Any) -> Any:
    return running.post("/holds", staff_no, json={"ground": "set", "data": {**SET, **data}})


def fire(running: Running, place: str, body: Any, staff_no: str = "R1", version: str | None = '"1"') -> Any:
    headers = {} if version is None else {"If-Match": version}
    return running.post(f"{place}/events", staff_no, json=body, headers=headers)


def numbers(running: Running, path: str, staff_no: str = "R1", **params: Any) -> list[int]:
    answer = running.get(path, staff_no, params=params)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_a_promise_is_made_after_a_contact_and_withdrawn_and_its_case_is_told(running: Running, case_id: int) -> None:
    made = promise(running, case_id)
    assert made.status_code == 201, made.text
    done = made.json()
    assert (made.headers["location"], made.headers["etag"]) == (f"/promises/{done['id']}", '"1"')
    assert (done["from_state"], done["state"], done["version"]) == (None, "open", 1)
    assert done["entry_id"].startswith(f"case:{case_id}:")
    shown = running.get(made.headers["location"])
    assert shown.headers["etag"].startswith('"1-')
    line = shown.json()
    assert (line["case_id"], line["amount_fen"], line["pay_by"], line["state_zh"], line["state_en"]) == (
        case_id, 50_000, "2026-01-20", "待兑现", "Open",
    )  # fmt: skip
    answer = fire(running, made.headers["location"], WITHDRAW)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"'), answer.text
    assert answer.json()["state"] == "withdrawn"
    told = running.get(f"/cases/{case_id}").json()["facts"]
    assert told["promises_made"] == 1
    assert (numbers(running, "/promises"), numbers(running, "/promises", all=True)) == ([], [done["id"]])
    assert findings(running.started) == []


def test_a_hold_is_set_confirmed_and_lifted_and_the_cases_of_the_debtor_are_told(
    running: Running, case_id: int
) -> None:
    made = hold(running)
    assert made.status_code == 201, made.text
    place = made.headers["location"]
    assert place == f"/holds/{made.json()['id']}"
    assert running.get(place).json()["state_zh"] == "停催中"
    assert running.get(f"/cases/{case_id}").json()["version"] == 3
    confirmed = fire(running, place, {"event": "confirm", "data": {}}, "B1")
    assert (confirmed.status_code, confirmed.json()["state"]) == (200, "in_force"), confirmed.text
    lifted = fire(running, place, {"event": "lift", "data": {"reason": "resolved"}}, "B1", '"2"')
    assert (lifted.status_code, lifted.json()["state"], lifted.json()["version"]) == (200, "lifted", 3), lifted.text
    events = [item["event"] for item in running.get(f"/cases/{case_id}/history").json()["items"]]
    assert events[-2:] == ["case.fact.hold", "case.fact.hold_lifted"]
    assert findings(running.started) == []


def test_whoever_may_not_see_the_case_gets_the_answer_of_a_number_that_nobody_has(
    running: Running, case_id: int
) -> None:
    """Of a promise and a hold alike; the list does not show them, and nothing is written of the attempt."""
    places = [promise(running, case_id).headers["location"], hold(running).headers["location"]]
    for place, word in zip(places, ("promise", "hold"), strict=True):
        for way in (place, f"{place}/options"):
            problem(running.get(way, "R2"), 404, f"unknown_{word}")
        body = problem(fire(running, place, WITHDRAW, "R2"), 404, f"unknown_{word}")
        nowhere = problem(fire(running, f"/{word}s/999999", WITHDRAW, "R2"), 404, f"unknown_{word}")
        assert {**body, "instance": "", "id": ""} == {**nowhere, "instance": "", "id": ""}
        assert running.get(place, "B1").status_code == 200
    problem(promise(running, case_id, "R2"), 404, "unknown_case")
    problem(hold(running, "R2"), 404, "unknown_loan")
    problem(hold(running, loan_id="L9"), 404, "unknown_loan")
    problem(promise(running, 999_999), 404, "unknown_case")
    problem(running.get("/promises/0"), 404, "unknown_promise")
    problem(fire(running, f"/holds/{2**60}", WITHDRAW), 404, "unknown_hold")
    for path in ("/promises", "/holds"):
        assert (len(numbers(running, path)), numbers(running, path, "R2")) == (1, [])


def test_what_binds_one_loan_is_shown_to_those_of_that_loan_alone(running: Running, case_id: int) -> None:
    """Both loans are one debtor's; a dispute is of one of them, hardship of the debtor."""
    del case_id
    running.open("L3", borrower_id="B-L1", owner="R2", team="T9", region="R9")
    dispute, hardship = hold(running, hold="dispute").json()["id"], hold(running).json()["id"]
    assert numbers(running, "/holds") == numbers(running, "/holds", "B1") == [dispute, hardship]
    assert numbers(running, "/holds", "R2") == [hardship]
    problem(running.get(f"/holds/{dispute}", "R2"), 404, "unknown_hold")
    assert running.get(f"/holds/{hardship}", "R2").status_code == 200


@pytest.mark.parametrize("staff_no", ["AUD1", "ADM1", "G1"])
def test_a_post_that_the_charts_do_not_name_opens_and_moves_nothing(
    running: Running, case_id: int, staff_no: str
) -> None:
    place = promise(running, case_id).headers["location"]
    problem(promise(running, case_id, staff_no), 403, "post_not_permitted")
    problem(hold(running, staff_no), 403, "post_not_permitted")
    problem(fire(running, place, WITHDRAW, staff_no), 403, "post_not_permitted")


def test_only_the_post_that_the_chart_names_fires_an_event_and_the_refusal_stands_in_the_log(
    running: Running, case_id: int
) -> None:
    del case_id
    place = hold(running).headers["location"]
    body = problem(fire(running, place, {"event": "confirm", "data": {}}), 403, "post_not_permitted")
    assert body["reasons"][0]["needs"] == {"any_of_posts": ["basic_risk_manager"]}
    assert body["entry_id"].startswith("borrower:")
    problem(running.post("/holds", json={"ground": "imported", "data": {}}), 404, "unknown_loan")
    assert findings(running.started) == []


def test_an_event_names_the_version_it_saw(running: Running, case_id: int) -> None:
    place = promise(running, case_id).headers["location"]
    problem(fire(running, place, WITHDRAW, version=None), 428, "version_required")
    assert problem(fire(running, place, WITHDRAW, version='"7"'), 412, "stale_version")["version"] == 1
    problem(fire(running, place, {"event": "vanish", "data": {}}), 422, "unknown_event")


def test_faulty_data_and_unmet_guards_are_told_whole(running: Running, case_id: int) -> None:
    faults = problem(promise(running, case_id, amount_fen=-1, pay_by="soon"), 422, "faulty_data")["faults"]
    assert {fault["field"] for fault in faults} == {"amount_fen", "pay_by"}
    assert problem(hold(running, hold="whim"), 422, "faulty_data")["faults"][0]["field"] == "hold"
    problem(running.post("/holds", json={"of": case_id, "ground": "set", "data": SET}), 422, "invalid_request")
    problem(running.post("/promises", json={"ground": "made", "data": MADE}), 422, "invalid_request")
    whim = {"of": case_id, "ground": "whim", "data": {}}
    assert problem(running.post("/promises", json=whim), 422, "unknown_ground")["faults"][0]["en"].startswith(
        "must be one of made, "
    )
    refused = problem(promise(running, case_id, amount_fen=1, made_on="2026-01-09"), 409, "refused")
    assert [reason["code"] for reason in refused["reasons"]] == ["debtor_connected_that_day", "promises_enough"]
    assert refused["entry_id"].startswith(f"case:{case_id}:")
    assert findings(running.started) == []


def test_a_repeat_under_the_same_key_opens_nothing_more(running: Running, case_id: int) -> None:
    body = {"of": case_id, "ground": "made", "data": MADE}
    first, again = (running.post("/promises", json=body, headers={"Idempotency-Key": "k1"}) for _ in range(2))
    assert (first.status_code, first.json(), first.headers["location"]) == (
        201, again.json(), again.headers["location"],
    )  # fmt: skip
    assert len(numbers(running, "/promises")) == 1


def test_lists_are_paged_and_filtered(running: Running, case_id: int) -> None:
    made = [promise(running, case_id).json()["id"] for _ in range(3)]
    page = running.get("/promises", params={"limit": 2}).json()
    assert [item["id"] for item in page["items"]] == made[:2]
    rest = running.get("/promises", params={"limit": 2, "cursor": page["next"]}).json()
    assert ([item["id"] for item in rest["items"]], rest["next"]) == (made[2:], None)
    held = hold(running).json()["id"]
    for path, found in (("/promises", made), ("/holds", [held])):
        assert numbers(running, path, case_id=case_id) == numbers(running, path, loan_id="L1") == found
        assert numbers(running, path, case_id=case_id + 1) == numbers(running, path, loan_id="L2") == []
        assert numbers(running, path, "R2", case_id=case_id) == []
    assert numbers(running, "/promises", state="kept") == []
    problem(running.get("/promises", params={"state": "lost"}), 422, "filter_malformed")
    problem(running.get("/promises", params={"stat": "open"}), 422, "filter_malformed")
    problem(running.get("/holds", params={"cursor": page["next"]}), 422, "cursor_malformed")


def test_options_say_what_may_be_done_and_by_whom(running: Running, case_id: int) -> None:
    place = promise(running, case_id).headers["location"]
    events = {offer["event"]: offer for offer in running.get(f"{place}/options").json()["events"]}
    assert (events["withdraw"]["allowed"], [field["name"] for field in events["withdraw"]["data"]]) == (
        True, ["reason", "remark"],
    )  # fmt: skip
    assert [reason["code"] for reason in events["judge"]["reasons"]] == ["post_not_permitted", "grace_over"]
    grounds = {offer["ground"]: offer["allowed"] for offer in running.get("/promises/openings").json()["items"]}
    assert grounds == {"made": True, "made_after_broken": False, "imported": False}
    assert running.get("/holds/openings", "AUD1").json()["items"][0]["reasons"][0]["code"] == "post_not_permitted"


@pytest.mark.only("postgresql")
def test_what_another_transaction_holds_is_busy_until_it_lets_go(running: Running, case_id: int) -> None:
    """A promise with its case, a hold with every case of the debtor: none is decided on rows that may change."""
    numbers_ = promise(running, case_id).json()["id"], hold(running).json()["id"]
    actor, started = system("cli"), running.started
    asked = [
        Fire(actor=actor, noun="promise", id=numbers_[0], event="withdraw", data={"reason": "other"}),
        Open(actor=actor, noun="promise", of=case_id, ground="made", data=MADE),
        Fire(actor=actor, noun="hold", id=numbers_[1], event="expire"),
        Open(actor=actor, noun="hold", ground="set", data={**SET, "hold": "legal"}),
    ]
    with writing(started.engine) as other:
        other.exec_driver_sql(f"SELECT 1 FROM cases WHERE id = {case_id} FOR UPDATE")
        for command, code in zip(asked, ("promise_busy", "case_busy", "hold_busy", "hold_busy"), strict=True):
            with writing(started.engine) as conn:
                (outcome,) = advance(conn, [command], started.branch, lock="skip")
            assert isinstance(outcome, Mistaken), outcome
            assert outcome.code == code
