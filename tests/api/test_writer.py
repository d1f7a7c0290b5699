"""The writer: what arrives together shares a transaction, and nobody pays for a stranger's mistake."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import sqlalchemy as sa
from psycopg.generators import send

from api import idempotency
from api import writer as writer_module
from api.idempotency import IdempotencyKey, StoredAnswer
from api.jobs import Job
from api.logs import FailedRequest
from api.metrics import Metrics
from api.outcomes import answer_of
from api.writer import Writer
from casework.clock import now
from casework.errors import TryAgain
from casework.lifecycle.commands import Fire, Note, Outcome
from casework.operation.startup import Started
from casework.storage import sent_together
from casework.storage.database import writing
from tests.api.conftest import Running, findings
from tests.api.test_every_event import GIVEN, repaired, someone
from tests.round_trips import RoundTrips

Branch = tuple[Started, dict[str, str]]


@pytest.fixture
def started(branch: Branch) -> Started:
    """The branch, without the API."""
    return branch[0]


def cases_of(started: Started, number: int) -> list[int]:
    return Running(None, started, {}).open(*[f"L{n}" for n in range(number)])  # type: ignore[arg-type]


def answer(outcomes: list[Outcome]) -> StoredAnswer:
    return answer_of(outcomes[0], "req")


def visit(case_id: int, make: Callable[[list[Outcome]], StoredAnswer] = answer) -> Job:
    command = Fire(actor=someone("R1"), id=case_id, event="start_visit", data=GIVEN["start_visit"])
    return Job([command], make)


def written(writer: Writer, jobs: list[Job], *, start_early: bool = False) -> list[Any]:
    """The answers of jobs that all wait before the writer begins; unless it is to begin before they come."""

    async def write() -> list[Any]:
        if start_early:
            writer.start()
            await asyncio.sleep(0.1)
        waiting = [asyncio.ensure_future(writer.write(job)) for job in jobs]
        await asyncio.sleep(0)
        if not start_early:
            writer.start()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.to_thread(writer.stop)
        return found

    found: list[Any] = run(write())
    return found


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def commits(started: Started) -> list[int]:
    counted: list[int] = []
    sa.event.listen(started.engine, "commit", lambda _: counted.append(1))
    return counted


def test_what_waits_together_shares_one_transaction(started: Started) -> None:
    ids = cases_of(started, 40)
    counted = commits(started)
    answers = written(Writer(started, Metrics()), [visit(case_id) for case_id in ids])
    assert [one.status for one in answers] == [200] * 40
    assert len(counted) == 1
    assert findings(started) == []


def test_what_comes_up_in_one_turn_of_the_event_loop_travels_together(started: Started) -> None:
    """Though the writer waits for work when the first of them comes."""
    ids = cases_of(started, 12)
    counted = commits(started)
    answers = written(Writer(started, Metrics()), [visit(case_id) for case_id in ids], start_early=True)
    assert [one.status for one in answers] == [200] * 12
    assert len(counted) == 1


def told_in_turns(started: Started, turns: list[int], rounds: int = 1) -> int:
    """Commits, when a client for each of `turns` changes a case so often, so many turns after each answer."""
    ids, counted, writer = cases_of(started, len(turns)), commits(started), Writer(started, Metrics())

    async def client(case_id: int, late: int) -> None:
        for _ in range(rounds):
            for _ in range(late):
                await asyncio.sleep(0)
            told = await writer.write(Job([repaired(case_id)], answer))
            assert told.status == 200

    async def all_of_them() -> None:
        writer.start()
        await asyncio.gather(*map(client, ids, turns))
        await asyncio.to_thread(writer.stop)

    run(all_of_them())
    return len(counted)


def test_what_comes_turn_after_turn_travels_together(started: Started) -> None:
    """A request is read in one turn and parsed in the next; the next one may be read meanwhile."""
    assert told_in_turns(started, [0, 1, 2, 3, 4]) == 1


def test_who_is_answered_and_asks_again_at_once_travels_with_those_who_waited(started: Started) -> None:
    """Though the writer could have begun with those: two groups that take turns would be twice the transactions."""
    assert told_in_turns(started, [0, 0, 0, 2, 2, 2], rounds=4) == 4


def test_who_comes_after_quiet_turns_is_not_waited_for(started: Started) -> None:
    assert told_in_turns(started, [0, 9]) == 2


def test_requests_that_do_not_end_keep_nobody_waiting(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "MAX_BATCH", 3)
    assert told_in_turns(started, list(range(6))) == 2


@pytest.mark.only("postgresql")
def test_a_transaction_asks_once_before_it_decides_and_writes_and_commits_in_one_round_trip(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = list[int]()

    def counted(pgconn: Any) -> Any:
        sent.append(1)
        return send(pgconn)

    ids = cases_of(started, 5)
    jobs = [Job([repaired(case_id)], answer, IdempotencyKey("R1", f"k{case_id}", b"h")) for case_id in ids]
    monkeypatch.setattr(sent_together, "send", counted)
    monkeypatch.setattr(writer_module, "monotonic", lambda: 0.0)  # old keys are not due to be forgotten
    with RoundTrips() as statements:
        answers = written(Writer(started, Metrics()), jobs)
    assert [one.status for one in answers] == [200] * 5
    assert len(sent) == 2
    assert sum(statement == "COMMIT" for statement in statements) == 1
    assert len(statements) == 7, statements


@pytest.mark.only("postgresql")  # SQLite's writer holds the database
def test_a_key_that_another_process_answers_in_between_gets_that_answer(started: Started) -> None:
    (case_id,) = cases_of(started, 1)
    key = IdempotencyKey("R1", "k", b"h")
    first = StoredAnswer(200, b"first", {})

    def late(outcomes: list[Outcome]) -> StoredAnswer:
        with writing(started.engine) as conn:
            idempotency.store(conn, [(key, first)], now(), started.branch.mac_key)
        return answer(outcomes)

    (told,) = written(Writer(started, Metrics()), [Job([repaired(case_id)], late, key)])
    assert (told.body, told.replayed) == (b"first", True)
    assert findings(started) == []


def test_of_what_waits_together_a_repeated_key_is_answered_and_the_rest_is_written(started: Started) -> None:
    one, other = cases_of(started, 2)
    jobs = [Job([repaired(case_id)], answer, IdempotencyKey("R1", f"k{case_id}", b"h")) for case_id in (one, other)]
    (first,) = written(Writer(started, Metrics()), jobs[:1])
    again = Job([repaired(one)], answer, jobs[0].key)
    counted = commits(started)
    repeated, fresh = written(Writer(started, Metrics()), [again, jobs[1]])
    assert (repeated.body, repeated.replayed) == (first.body, True)
    assert (fresh.status, fresh.replayed) == (200, False)
    assert len(counted) == 1
    assert findings(started) == []


def test_jobs_on_the_same_case_are_taken_in_order(started: Started) -> None:
    (case_id,) = cases_of(started, 1)
    jobs = [visit(case_id), visit(case_id), Job([Note(actor=someone("R1"), id=case_id, text="x")], answer)]
    assert [one.status for one in written(Writer(started, Metrics()), jobs)] == [200, 409, 200]


def test_a_bug_in_one_job_costs_the_others_nothing(started: Started) -> None:
    ids = cases_of(started, 5)

    def broken(_: list[Outcome]) -> StoredAnswer:
        raise ZeroDivisionError

    jobs = [visit(case_id, broken if case_id == ids[2] else answer) for case_id in ids]
    answers = written(Writer(started, Metrics()), jobs)
    assert [getattr(one, "status", None) for one in answers] == [200, 200, None, 200, 200]
    assert isinstance(answers[2], FailedRequest)
    assert findings(started) == []
    again = written(Writer(started, Metrics()), [visit(ids[2])])
    assert [one.status for one in again] == [200], "nothing of the failed job was kept"


def test_more_than_may_wait_is_turned_away_and_the_rest_is_served(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_WAITING", 3)
    ids = cases_of(started, 5)
    answers = written(Writer(started, Metrics()), [visit(case_id) for case_id in ids])
    assert [getattr(one, "status", None) or one.code for one in answers] == [200, 200, 200, "overloaded", "overloaded"]


def test_a_stopped_writer_takes_nothing_but_finishes_what_waits(started: Started) -> None:
    ids = cases_of(started, 3)
    writer = Writer(started, Metrics())

    async def work() -> tuple[list[StoredAnswer], Any]:
        waiting = [asyncio.ensure_future(writer.write(visit(case_id))) for case_id in ids[:2]]
        await asyncio.sleep(0)
        writer.start()
        stopping = asyncio.ensure_future(asyncio.to_thread(writer.stop))
        done = await asyncio.gather(*waiting)
        await stopping
        try:
            return done, await writer.write(visit(ids[2]))
        except TryAgain as late:
            return done, late

    done, late = run(work())
    assert [one.status for one in done] == [200, 200]
    assert late.code == "shutting_down"
    assert not writer.is_alive
