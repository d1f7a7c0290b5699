"""Tokens that died: what they may still read for two seconds, they change no more."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from api import auth
from api.idempotency import StoredAnswer
from api.metrics import Metrics
from api.writer import Writer
from casework.clock import now
from casework.errors import CallerError
from casework.operation.startup import Started
from casework.people.identity import ending
from casework.people.identity.holding import holder_of
from casework.people.staff import register
from casework.people.staff.actor import system
from casework.people.staff.tokens import hash_of
from casework.storage.database import reading, writing
from casework.work.cases.tables import cases
from tests.api.conftest import Running
from tests.api.test_writer import cases_of, visit, written

CLI = system("cli")


@pytest.fixture(autouse=True)
def held_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, what was found is still held."""
    monkeypatch.setattr(auth, "HELD_S", 60.0)


def revoke(started: Started, staff_no: str = "R1") -> None:
    with writing(started.engine) as conn:
        trail = started.branch.trail(now())
        ending.revoke_tokens(conn, trail, CLI, staff_no=staff_no)
        trail.write(conn)


def note(running: Running, case_id: int, staff_no: str = "R1") -> Any:
    return running.post(f"/cases/{case_id}/notes", staff_no, json={"text": "said nothing"}, headers={"If-Match": "*"})


def versions(started: Started) -> list[int]:
    with reading(started.engine) as conn:
        return list(conn.execute(sa.select(cases.c.version).order_by(cases.c.id)).scalars())


def test_a_token_revoked_a_moment_ago_still_reads_but_changes_nothing(running: Running) -> None:
    (case_id,) = running.open("L1")
    assert note(running, case_id).status_code == 200
    before = versions(running.started)
    revoke(running.started)
    assert running.get(f"/cases/{case_id}").status_code == 200  # held for two seconds
    refused = note(running, case_id)
    assert (refused.status_code, refused.json()["code"]) == (401, "not_authenticated")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert versions(running.started) == before


def test_what_goes_past_the_writer_is_refused_just_so(running: Running) -> None:
    assert running.get("/me/keys").status_code == 200
    revoke(running.started)
    answer = running.client.delete("/me/keys/1", headers=running.as_("R1"))
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_an_administrator_who_is_one_no_more_issues_no_code(running: Running) -> None:
    assert running.post("/staff/R1/reset-code", "ADM1", json={}).status_code == 201
    with writing(running.started.engine) as conn:
        trail = running.started.branch.trail(now())
        yesterday = running.started.branch.today(now()) - timedelta(days=1)
        register.end_post(conn, trail, CLI, staff_no="ADM1", post="administrator", on=yesterday)
        trail.write(conn)
    refused = running.post("/staff/R1/reset-code", "ADM1", json={})
    assert (refused.status_code, refused.json()["code"]) == (403, "post_not_permitted")


def test_somebody_whose_post_ended_a_moment_ago_does_no_more_by_it(running: Running) -> None:
    (case_id,) = running.open("L1")
    assert note(running, case_id, "P1").status_code == 200
    before = versions(running.started)
    with writing(running.started.engine) as conn:
        trail = running.started.branch.trail(now())
        today = running.started.branch.today(now())
        register.end_post(conn, trail, CLI, staff_no="P1", post="post_loan_officer", on=today - timedelta(days=1))
        trail.write(conn)
    assert note(running, case_id, "P1").status_code == 404  # without a post nobody sees any case
    assert [new - old for new, old in zip(versions(running.started), before, strict=True)] == [0]


def test_a_change_of_the_register_costs_others_a_look_and_nothing_else(running: Running) -> None:
    (case_id,) = running.open("L1")
    assert note(running, case_id).status_code == 200
    revoke(running.started, "T1")
    assert note(running, case_id).status_code == 200


def test_while_nobody_changes_the_register_a_write_asks_for_no_token(running: Running) -> None:
    (case_id,) = running.open("L1")
    assert note(running, case_id).status_code == 200
    asked: list[str] = []
    engine = running.client.app.state["serving"].engine
    sa.event.listen(engine, "before_cursor_execute", lambda _c, _k, statement, *_: asked.append(statement))
    assert note(running, case_id).status_code == 200
    assert not [statement for statement in asked if "FROM tokens" in statement or "JOIN tokens" in statement]


def test_one_dead_token_in_a_batch_costs_the_others_nothing(branch: tuple[Started, dict[str, str]]) -> None:
    """Three jobs wait together; the one whose token died meanwhile gets 401, the two others are done."""
    started, issued = branch
    ids = cases_of(started, 3)
    jobs = [visit(case_id) for case_id in ids]
    with reading(started.engine) as conn:
        today, mac_key = started.branch.today(now()), started.branch.mac_key
        policy = started.branch.rulebook.policies.at(today)
        for job, staff_no in zip(jobs, ("R1", "R1", "R1"), strict=True):
            job.holder = holder_of(conn, hash_of(issued[staff_no]), now(), mac_key, today=today, policy=policy)
        jobs[1].holder = holder_of(conn, hash_of(issued["T1"]), now(), mac_key, today=today, policy=policy)
    revoke(started, "T1")
    answers = written(Writer(started, Metrics()), jobs)
    assert isinstance(answers[1], CallerError)
    assert answers[1].code == "not_authenticated"
    assert [one.status for one in answers if isinstance(one, StoredAnswer)] == [200, 200]
    assert versions(started)[1] == 1


@pytest.mark.only("postgresql")
def test_a_revocation_that_commits_while_a_write_waits_for_its_case_is_seen(running: Running) -> None:
    """The writer holds a job that waits for a row; the revocation is in by the time it gets it."""
    (case_id,) = running.open("L1")
    assert note(running, case_id).status_code == 200
    before = versions(running.started)

    async def race() -> Any:
        with writing(running.started.engine) as conn:
            conn.execute(sa.select(cases.c.id).where(cases.c.id == case_id).with_for_update())
            waiting = asyncio.create_task(asyncio.to_thread(note, running, case_id))
            await asyncio.sleep(0.5)
            await asyncio.to_thread(revoke, running.started)
        return await waiting

    refused = asyncio.run(race())
    assert refused.status_code == 401
    assert versions(running.started) == before
