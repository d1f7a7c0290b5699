"""The register over the API: who may look, who may change what, and that a change is whole or not at all."""

from datetime import date, timedelta
from typing import Any

import pytest

from casework.clock import now
from casework.people.staff import register
from casework.people.staff.actor import system
from casework.storage.database import writing
from tests.api.conftest import Running, findings
from tests.api.reading.test_sight import newcomer

DAY = timedelta(days=1)


def today(running: Running) -> date:
    return running.started.branch.today(now())


def problem(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def unverified(running: Running, *numbers: str) -> None:
    with writing(running.started.engine) as conn:
        trail = running.started.branch.trail(now())
        register.named_by_feed(conn, trail, system("feed"), numbers)
        trail.write(conn)


def test_everybody_may_look_at_the_register(running: Running) -> None:
    page = running.get("/staff", "R1", params={"post": "approver"}).json()
    assert [one["staff_no"] for one in page["items"]] == ["V1", "V2"]
    assert page["items"][0]["shell_posts"] == ["approver"]
    first = running.get("/staff", "AUD1", params={"limit": 3}).json()
    rest = running.get("/staff", "AUD1", params={"limit": 100, "after": first["next"]}).json()
    numbers = [one["staff_no"] for one in first["items"] + rest["items"]]
    assert numbers == sorted(running.tokens)
    assert rest["next"] is None
    assert running.get("/staff/B1", "R1").json()["posts"] == ["basic_risk_manager"]
    assert problem(running.get("/staff/NOBODY", "R1")) == (404, "unknown_staff")
    assert problem(running.get("/staff", "R1", params={"posts": "approver"})) == (422, "filter_malformed")
    assert running.client.get("/staff").status_code == 401


def test_who_one_is_and_for_whom_one_deputises(running: Running) -> None:
    before = running.get("/me", "T1").json()
    assert (before["staff_no"], before["posts"], before["team"]) == ("T1", ["phone_collector"], "T1")
    assert before["deputises_for"] == []
    assert "case.read" in before["commands"]
    assert "staff.change" not in before["commands"]
    on = today(running)
    leave = {"from_on": on.isoformat(), "until_on": (on + DAY).isoformat(), "deputy": "P1"}
    assert running.post("/staff/R1/absences", "B1", json=leave).status_code == 201
    deputy = running.get("/me", "P1").json()
    assert deputy["deputises_for"] == [{"staff_no": "R1", "posts": ["business_rep"]}]
    assert running.get("/staff/R1", "T1").json()["deputy"] == "P1"


def test_an_administrator_registers_somebody_whose_posts_wait_for_approval(running: Running) -> None:
    body = {"staff_no": "N1", "name": "甄不存", "posts": ["business_rep", "approver"], "team": "T1", "capacity": 20}
    made = running.post("/staff", "ADM1", json=body)
    assert made.status_code == 201
    assert [(one["post"], one["reasons"]) for one in made.json()["posts"]] == [("approver", []), ("business_rep", [])]
    assert all(one["request"] for one in made.json()["posts"])
    assert running.get("/staff/N1", "R1").json()["posts"] == []
    assert problem(running.post("/staff", "ADM1", json=body)) == (409, "staff_exists")
    assert findings(running.started) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"posts": ["emperor"]}, (422, "unknown_post")), ({"posts": ["auditor", "approver"]}, (422, "posts_conflict")),
     ({"staff_no": "N 1"}, (422, "invalid_request")), ({"staff_no": "system"}, (422, "staff_no_malformed")),
     ({"name": ""}, (422, "invalid_request")), ({"name": "a\nb"}, (422, "staff_malformed")),
     ({"capacity": -1}, (422, "invalid_request")), ({"capacity": True}, (422, "invalid_request")),
     ({"leaves_on": "2020-01-01"}, (422, "day_in_past")), ({"joined_on": "2222-01-01"}, (422, "day_in_future")),
     ({"joined": "2020-01-01"}, (422, "invalid_request"))],
)  # fmt: skip
def test_who_cannot_be_registered_is_told_why(
    running: Running, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    body = {"staff_no": "N1", "name": "甄不存", "posts": []}
    assert problem(running.post("/staff", "ADM1", json={**body, **changes})) == expected
    assert running.post("/staff", "ADM1", json=body).status_code == 201


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("/staff", {"staff_no": "N1", "name": "甄不存"}), ("/staff/R1/changes", {"capacity": 5}),
    ("/staff/U1/confirm", {"name": "李强"}), ("/staff/U1/merge", {"into": "R1"}), ("/staff/U1/return", {}),
    ("/teams", {"code": "T1", "name": "一组"}), ("/regions", {"code": "R1", "name": "武汉"}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body"), CHANGES)
@pytest.mark.parametrize("staff_no", ["R1", "B1", "V1", "AUD1"])
def test_only_an_administrator_changes_the_register(
    running: Running, path: str, body: dict[str, Any], staff_no: str
) -> None:
    unverified(running, "U1")
    assert problem(running.post(path, staff_no, json=body)) == (403, "post_not_permitted")
    assert running.post(path, "ADM1", json=body).status_code != 403


def test_changes_are_whole_or_not_at_all(running: Running) -> None:
    on = today(running)
    good = {
        "name": "新名", "capacity": 7, "leaves_on": (on + 30 * DAY).isoformat(),
        "move": {"team": "T2", "region": "R2", "from_on": (on + DAY).isoformat()},
        "certificate": {"kind": "collector_training", "issued_on": "2026-01-15", "expires_on": "2027-01-14"},
        "end_post": {"post": "business_rep", "on": (on + 9 * DAY).isoformat()},
    }  # fmt: skip
    bad = {**good, "end_post": {"post": "auditor"}}
    assert problem(running.post("/staff/R1/changes", "ADM1", json=bad)) == (422, "post_not_held")
    assert running.get("/staff/R1", "R1").json()["name"] == "员工R1"
    done = running.post("/staff/R1/changes", "ADM1", json=good)
    assert done.status_code == 200
    shown = done.json()
    assert (shown["member"]["name"], shown["member"]["capacity"], shown["member"]["team"]) == ("新名", 7, "T1")
    assert [one["team"] for one in shown["dated"]["homes"]] == ["T1", "T2"]
    assert shown["dated"]["posts"][0]["until_on"] == (on + 9 * DAY).isoformat()
    later = running.get("/staff/R1/history", "R1", params={"on": (on + 20 * DAY).isoformat()}).json()
    assert (later["dated"]["posts"], later["member"]["team"]) == ([], "T2")
    assert running.post("/staff/R1/changes", "ADM1", json={"leaves_on": None, "capacity": None}).status_code == 200
    assert problem(running.post("/staff/R1/changes", "ADM1", json={})) == (422, "nothing_changes")
    assert findings(running.started) == []


def test_one_records_ones_own_leave_but_lends_no_post_to_somebody_without_it(running: Running) -> None:
    on = today(running)
    leave = {"from_on": on.isoformat(), "until_on": (on + 3 * DAY).isoformat()}
    assert problem(running.post("/staff/V2/absences", "V1", json=leave)) == (403, "post_not_permitted")
    assert problem(running.post("/staff/V1/absences", "V1", json={**leave, "deputy": "R1"})) == (
        403, "post_not_permitted",
    )  # fmt: skip
    assert running.post("/staff/V1/absences", "V1", json={**leave, "deputy": "V2"}).status_code == 201
    assert running.post("/staff/R1/absences", "R1", json=leave).status_code == 201
    assert problem(running.post("/staff/R1/absences", "R1", json=leave)) == (409, "leave_overlaps")
    assert problem(running.post("/staff/R1/absences/end", "T1", json={"from_on": leave["from_on"]})) == (
        403, "post_not_permitted",
    )  # fmt: skip
    assert running.post("/staff/R1/absences/end", "R1", json={"from_on": leave["from_on"]}).status_code == 200
    assert running.get("/staff/R1", "R1").json()["away_until"] is None
    assert findings(running.started) == []


OFFICER, REP = "post_loan_officer", "business_rep"
REP_ALWAYS = ("T1", REP, 0, None)


@pytest.mark.parametrize(
    ("grants", "status"),
    [([REP_ALWAYS], 201), ([REP_ALWAYS, ("R1", OFFICER, 2, None)], 403), ([REP_ALWAYS, ("R1", OFFICER, 9, None)], 201),
     ([REP_ALWAYS, ("R1", OFFICER, 0, 0)], 201), ([("T1", REP, 1, 2)], 403), ([("T1", REP, 1, 3)], 201),
     ([("T1", REP, 2, None)], 403), ([("T1", REP, 0, 1), ("T1", REP, 2, None)], 201),
     ([("T1", REP, 0, 1), ("T1", REP, 3, None)], 403)],
)  # fmt: skip
def test_ones_own_leave_lends_no_post_on_any_of_its_days(
    running: Running, grants: list[tuple[str, str, int, int | None]], status: int
) -> None:
    """R1, a rep, is away from tomorrow for three days; T1 deputises. Days of `grants` are counted from today."""
    on, branch = today(running), running.started.branch
    with writing(running.started.engine) as conn:
        trail = branch.trail(now())
        for staff_no, post, first, last in grants:
            register.grant_post(
                conn, trail, system("cli"), branch.rulebook.permissions, {REP, OFFICER}, staff_no=staff_no, post=post,
                from_on=on + first * DAY, until_on=None if last is None else on + last * DAY,
            )  # fmt: skip
        trail.write(conn)
    leave = {"from_on": (on + DAY).isoformat(), "until_on": (on + 3 * DAY).isoformat(), "deputy": "T1"}
    assert running.post("/staff/R1/absences", "R1", json=leave).status_code == status


def test_nobody_names_himself_a_deputy(running: Running) -> None:
    on = today(running) + DAY
    leave = {"from_on": on.isoformat(), "until_on": on.isoformat()}
    assert problem(running.post("/staff/V1/absences", "B1", json={**leave, "deputy": "B1"})) == (
        403, "deputy_by_himself",
    )  # fmt: skip
    assert problem(running.post("/staff/A1/absences", "B1", json={**leave, "deputy": "V1"})) == (422, "posts_conflict")
    assert running.post("/staff/T1/absences", "B1", json={**leave, "deputy": "P1"}).status_code == 201


@pytest.mark.parametrize(
    ("principal", "deputy", "by", "status"),
    [("V1", "R1", "ADM1", 403), ("V1", "P1", "B1", 403), ("V1", "V2", "B1", 201), ("B1", "P1", "ADM1", 403),
     ("ADM1", "R1", "B1", 403), ("P1", "R1", "ADM1", 201)],
)  # fmt: skip
def test_a_post_that_decides_is_lent_only_to_somebody_who_holds_it(
    running: Running, principal: str, deputy: str, by: str, status: int
) -> None:
    """Anything else would be a post without four eyes, whoever records the leave (1.1.4)."""
    on = (today(running) + DAY).isoformat()
    leave = {"from_on": on, "until_on": on, "deputy": deputy}
    answer = running.post(f"/staff/{principal}/absences", by, json=leave)
    assert answer.status_code == status, answer.text
    assert status == 201 or problem(answer) == (403, "deputy_lacks_post")


@pytest.mark.parametrize(
    ("principal", "deputy", "by", "first", "days", "wanted"),
    [
        ("P1", "R1", "B1", 0, 1, "lent_from_tomorrow"), ("P1", "R1", "ADM1", 0, 9, "lent_from_tomorrow"),
        ("P1", "R1", "B1", 1, 31, None), ("P1", "R1", "B1", 1, 32, "lent_too_long"),
        ("A1", "R1", "B1", 0, 1, "lent_from_tomorrow"), ("T1", "P1", "B1", 0, 1, "lent_from_tomorrow"),
        ("P9", "P1", "P9", 0, 1, "lent_from_tomorrow"), ("P9", "P1", "B1", 0, 1, "lent_from_tomorrow"),
        ("P9", "P1", "P9", 1, 31, None), ("P8", "P1", "P8", 0, 300, None),
        ("R1", "P1", "B1", 0, 300, None), ("V1", "V2", "V1", 0, 300, None),
    ],
)  # fmt: skip
def test_a_post_that_reaches_cases_of_others_is_lent_from_tomorrow_and_for_a_month(
    running: Running, principal: str, deputy: str, by: str, first: int, days: int, wanted: str | None
) -> None:
    """By whomever. A rep's own cases, and what the deputy reaches anyway, are lent at once. P9 is of another region."""
    newcomer(running, "P9", OFFICER, team="T9", region="R9")
    newcomer(running, "P8", OFFICER, team="T1", region="R1")
    from_on = today(running) + first * DAY
    leave = {"from_on": from_on.isoformat(), "until_on": (from_on + (days - 1) * DAY).isoformat(), "deputy": deputy}
    answer = running.post(f"/staff/{principal}/absences", by, json=leave)
    assert (answer.status_code == 201) if wanted is None else (problem(answer) == (422, wanted)), answer.text
    assert running.get("/me", deputy).json()["deputises_for"] == [] or wanted is None
    alone = {**leave, "deputy": None}
    assert wanted is None or running.post(f"/staff/{principal}/absences", "B1", json=alone).status_code == 201


def test_back_on_the_same_day_a_deputy_stays_one_until_the_day_is_over(running: Running) -> None:
    on = today(running)
    leave = {"from_on": on.isoformat(), "until_on": (on + 5 * DAY).isoformat(), "deputy": "P1"}
    assert running.post("/staff/R1/absences", "B1", json=leave).status_code == 201
    undone = {"from_on": on.isoformat(), "on": (on - DAY).isoformat()}
    assert problem(running.post("/staff/R1/absences/end", "R1", json=undone)) == (422, "day_in_past")
    assert running.post("/staff/R1/absences/end", "R1", json={"from_on": on.isoformat()}).status_code == 200
    assert [one["staff_no"] for one in running.get("/me", "P1").json()["deputises_for"]] == ["R1"]
    assert running.get("/staff/R1", "R1").json()["away_until"] == on.isoformat()


def test_whom_a_feed_named_is_confirmed_or_merged_with_his_cases(running: Running) -> None:
    unverified(running, "U1", "U2")
    cases = running.open("L1", "L2", owner="U1")
    listed = running.get("/staff", "R1", params={"status": "unverified"}).json()["items"]
    assert [one["staff_no"] for one in listed] == ["U1", "U2"]
    merged = running.post("/staff/U1/merge", "ADM1", json={"into": "R1"})
    assert merged.json() == {"staff_no": "U1", "into": "R1", "cases": 2}
    assert {running.get(f"/cases/{case_id}", "B1").json()["owner"] for case_id in cases} == {"R1"}
    assert problem(running.post("/staff/U1/merge", "ADM1", json={"into": "R1"})) == (409, "wrong_status")
    assert running.post("/staff/U2/confirm", "ADM1", json={"name": "李强", "team": "T1"}).status_code == 200
    assert running.get("/staff/U2", "R1").json()["status"] == "active"
    assert problem(running.post("/staff/U2/confirm", "ADM1", json={"name": "李强"})) == (409, "wrong_status")
    assert findings(running.started) == []


def test_nobody_is_merged_into_somebody_who_could_not_own_the_cases(running: Running) -> None:
    unverified(running, "U1")
    running.open("L1", owner="U1")
    refused = running.post("/staff/U1/merge", "ADM1", json={"into": "AUD1"})
    assert problem(refused) == (409, "cases_not_moved")
    assert [reason["code"] for reason in refused.json()["reasons"]] == ["receiver_without_post"]
    assert running.get("/staff/U1", "R1").json()["status"] == "unverified"
    assert findings(running.started) == []


def test_somebody_who_left_comes_back_without_anything(running: Running) -> None:
    with writing(running.started.engine) as conn:
        trail = running.started.branch.trail(now())
        register.leave(conn, trail, system("cli"), staff_no="T1", on=today(running), cause={})
        trail.write(conn)
    assert problem(running.post("/staff/T1/changes", "ADM1", json={"capacity": 4})) == (409, "wrong_status")
    back = running.post("/staff/T1/return", "ADM1", json={"team": "T1"})
    assert back.status_code == 200
    assert (back.json()["member"]["status"], back.json()["member"]["team"]) == ("active", "T1")
    assert back.json()["left_on"] == back.json()["returned_on"] == today(running).isoformat()
    assert findings(running.started) == []


def test_teams_and_regions_are_registered(running: Running) -> None:
    assert running.get("/teams", "R1").json()["items"] == []
    assert problem(running.post("/teams", "ADM1", json={"code": "T1", "name": "一组", "region": "R1"})) == (
        422, "unknown_region",
    )  # fmt: skip
    region = {"code": "R1", "name": "武汉"}
    assert running.post("/regions", "ADM1", json=region).json() == region
    team = {"code": "一组", "name": "江岸一组", "region": "R1"}
    assert running.post("/teams", "ADM1", json=team).json() == team
    assert running.post("/teams", "ADM1", json={**team, "name": "江岸"}).json()["name"] == "江岸"
    assert [one["name"] for one in running.get("/teams", "R1").json()["items"]] == ["江岸"]
    assert running.get("/regions", "R1").json()["items"] == [region]
    assert problem(running.post("/staff/R1/changes", "ADM1", json={"move": {"team": "T9"}})) == (422, "unknown_team")
    assert findings(running.started) == []
