"""The demo's morning and evening, lived through over HTTP by five people: at five all is handed in."""

from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from litestar import Litestar
from litestar.testing import TestClient

from api.app import create_app
from casework.clock import now
from casework.demo.stage import perform
from casework.evidence.verifying import verify
from casework.operation.startup import Started, start, upgrade
from casework.people.staff import tokens
from casework.people.staff.actor import system
from casework.people.staff.listing import StaffWanted, members
from casework.people.staff.tables import absences
from casework.settings import Settings
from casework.storage.database import reading, writing
from casework.work.tasks.own import states
from tests.api.conftest import assembled_once


class Five:
    """A client that asks as one of them."""

    def __init__(self, client: TestClient[Litestar], started: Started, on: date) -> None:
        self.client, self.on, self.started = client, on.isoformat(), started
        self._tokens: dict[str, str] = {}

    def __call__(self, who: str, method: str, path: str, **given: Any) -> Any:
        if who not in self._tokens:
            with writing(self.started.engine) as conn:
                trail = self.started.branch.trail(now())
                self._tokens[who] = tokens.issue(conn, trail, system("cli"), staff_no=who)
                trail.write(conn)
        headers = {"Authorization": f"Bearer {self._tokens[who]}"}
        answer = self.client.request(method, path, headers=headers, **given)
        assert answer.status_code < 300, (who, path, answer.text)
        return answer

    def hand_in(self, who: str, **body: Any) -> dict[str, str | None]:
        """By person the code of why not, none: it is in."""
        answer = self(who, "POST", "/day/hand-ins", json={"on": self.on, **body})
        return {one["owed_by"]: one["code"] for one in answer.json()["results"]}


def test_five_people_live_through_the_demos_day(settings: Settings, tmp_path: Path) -> None:
    """A phone collector, a rep, the deputy of who is on leave, the basic-risk post, a manager."""
    upgrade(settings, system("cli"))
    started = start(settings)
    on = started.branch.today(now())
    told = perform(
        started, tmp_path / "feeds", seed=3, loans_number=400, days=13, today=on, progress=lambda *_: None
    )  # fmt: skip
    with reading(started.engine) as conn:
        away, deputy = conn.execute(
            sa.select(absences.c.staff_no, absences.c.deputy).where(absences.c.deputy.is_not(None))
        ).one()  # fmt: skip
        callers, reps = (
            {one.staff_no for one in members(conn, on, StaffWanted(post=post))}
            for post in ("phone_collector", "business_rep")
        )
        lists = {one.list_of: one.tasks for one in states(conn, on)}
    others = {away, *told.personas.values(), *started.branch.rulebook.permissions.posts}
    first, second = (next(who for who in sorted(post - others) if lists.get(who)) for post in (callers, reps))
    assert deputy == told.personas["phone_collector"]
    risk, manager = told.personas["basic_risk_manager"], told.personas["approver"]
    with TestClient(create_app(settings, assembled_once(settings.feed_upload_mib))) as client:
        ask = Five(client, started, on)
        called = [_morning(ask, who, on) for who in (first, second)]
        _evening(ask, first, second, away, deputy)
        _overseen(ask, risk, manager, {first, second, deputy}, sum(called))
    with reading(started.engine, snapshot=True) as conn:
        report = verify(conn, started.branch.mac_key, started.branch.vault)
    started.engine.dispose()
    assert report.verdict == "sound", report.as_json()


def _morning(ask: Five, who: str, on: date) -> int:
    """They take their list and call whom its first task names."""
    listed = ask(who, "GET", "/tasks", params={"on": ask.on}).json()["items"]
    assert listed
    assert ask(who, "POST", "/tasks/take", json={}).json()["tasks"] == len(listed)
    begun = ask(who, "POST", "/tasks/next").json()
    at = min(now(), datetime.combine(on, time(0, 1), ZoneInfo(ask.started.branch.time_zone)))
    row = {
        "contact_ref": f"five-{who}", "loan_id": begun["loan_id"], "party": "debtor", "phone": "12000000001",
        "channel": "call", "started_at": at.isoformat(), "result": "no_answer",
    }  # fmt: skip
    (result,) = ask(who, "POST", "/contacts", json={"contacts": [row]}).json()["results"]
    assert result["outcome"] == "done", result
    return 1


def _evening(ask: Five, first: str, second: str, away: str, deputy: str) -> None:
    """Each hands in their own once; the deputy for themselves and for who is away, whose duties are the deputy's."""
    assert ask.hand_in(first) == {first: None}
    assert ask.hand_in(first) == {first: "handed_in_already"}
    assert ask.hand_in(second, whose=[second, first]) == {second: None, first: "hand_in_not_yours"}
    handed = ask.hand_in(deputy, whose=[deputy, away])
    assert handed[deputy] is None
    assert handed[away] in {None, "nothing_to_hand_in"}


def _overseen(ask: Five, risk: str, manager: str, in_: set[str], called: int) -> None:
    """The basic-risk post sees who is missing, hands in a team, takes the ledger out and issues the report."""
    people = {one["owed_by"]: one for one in ask(risk, "GET", "/day", params={"on": ask.on}).json()["people"]}
    assert {who for who, one in people.items() if one["ledger"]} >= in_
    missing = [one for one in people.values() if one["team"] and not one["ledger"]]
    team = missing[0]["team"]
    results = ask.hand_in(risk, team=team)
    assert {one["owed_by"] for one in missing if one["team"] == team} == {
        who for who, code in results.items() if code is None
    }
    csv = ask(risk, "GET", "/day/ledger.csv", params={"on": ask.on, "sheet": "contacts"})
    assert sum(",无人接听," in line for line in csv.text.splitlines()) == called
    assert ask(risk, "GET", "/day/ledger.xlsx", params={"on": ask.on, "team": team}).content[:2] == b"PK"
    issued = ask(risk, "POST", "/day/report", json={"on": ask.on}).json()
    read = ask(manager, "GET", "/day/report", params={"on": ask.on}).json()
    assert read == issued
    assert read["issued"]["by"] == risk
    assert sum(one["handed_in"] for one in read["report"]["teams"]) >= len(in_)
    assert ask(manager, "GET", "/day/report.xlsx", params={"on": ask.on}).content[:2] == b"PK"
