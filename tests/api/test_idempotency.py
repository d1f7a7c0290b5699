"""A repeated request gets its first answer, and happens once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from api import idempotency
from api.idempotency import IdempotencyKey, StoredAnswer
from casework.clock import now
from casework.errors import CallerError
from casework.log.tables import entries
from casework.operation.startup import Started
from casework.storage.database import reading, writing
from casework.work.cases.tables import idempotency as kept
from tests.api.conftest import Running
from tests.api.test_events import FACT, VISIT, problem

K = {"Idempotency-Key": "k-1"}


@pytest.fixture
def case_id(running: Running) -> int:
    """A live case at version 1."""
    return running.open("L1")[0]


def fire(running: Running, case_id: int, body: Any = VISIT, staff_no: str = "R1", **headers: str) -> Any:
    given = {"If-Match": '"1"', **K, **headers}
    return running.post(f"/cases/{case_id}/events", staff_no, json=body, headers=given)


def entries_of(running: Running, case_id: int) -> int:
    with reading(running.started.engine) as conn:
        counted = sa.select(sa.func.count()).select_from(entries).where(entries.c.stream == f"case:{case_id}")
        return int(conn.execute(counted).scalar_one())


def test_a_repeat_gets_the_first_answer_and_happens_once(running: Running, case_id: int) -> None:
    first, again = fire(running, case_id), fire(running, case_id)
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert first.headers["etag"] == again.headers["etag"] == '"2"'
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert entries_of(running, case_id) == 2


@pytest.mark.parametrize(
    ("body", "staff_no", "status"),
    [({"event": "found"}, "R1", 409), (VISIT, "T1", 403), ({"event": "vanish"}, "R1", 422),
     ({"event": "start_visit"}, "R1", 422)],
)  # fmt: skip
def test_a_refusal_is_repeated_too_and_recorded_once(
    running: Running, case_id: int, body: Any, staff_no: str, status: int
) -> None:
    first = fire(running, case_id, body, staff_no)
    before = entries_of(running, case_id)
    again = fire(running, case_id, body, staff_no)
    assert (first.status_code, again.status_code) == (status, status)
    assert first.content == again.content
    assert entries_of(running, case_id) == before


def test_another_request_under_the_same_key_is_told(running: Running, case_id: int) -> None:
    other = running.open("L2")[0]
    fire(running, case_id)
    problem(fire(running, case_id, {"event": "found"}), 422, "idempotency_mismatch")
    problem(fire(running, other), 422, "idempotency_mismatch")
    problem(fire(running, case_id, **{"If-Match": '"2"'}), 422, "idempotency_mismatch")
    facts = running.post(f"/cases/{case_id}/facts", json=FACT, headers=K)
    problem(facts, 422, "idempotency_mismatch")


def test_keys_are_per_actor(running: Running, case_id: int) -> None:
    assert fire(running, case_id, staff_no="R1").status_code == 200
    assert fire(running, case_id, staff_no="P1").status_code == 412  # his own request, and a stale one


@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 129])
def test_a_malformed_key_is_told(running: Running, case_id: int, key: str) -> None:
    headers = {"If-Match": '"1"', "Idempotency-Key": key.encode("utf-8").decode("latin-1")}
    answer = running.client.post(
        f"/cases/{case_id}/events", json=VISIT,
        headers=[(name.encode(), value.encode("latin-1")) for name, value in running.as_("R1", **headers).items()],
    )  # fmt: skip
    problem(answer, 400, "malformed_header")


def test_a_key_of_128_characters_is_taken(running: Running, case_id: int) -> None:
    assert fire(running, case_id, **{"Idempotency-Key": "~" * 128}).status_code == 200


def test_of_many_at_once_with_one_key_one_happens_and_nobody_is_told_anything_else(
    running: Running, case_id: int
) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: fire(running, case_id), range(16)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    done = [answer for answer in answers if answer.status_code == 200]
    assert done
    assert len({answer.content for answer in done}) == 1
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"idempotency_running"}
    assert entries_of(running, case_id) == 2


def key(name: str = "k", digest: bytes = b"1") -> IdempotencyKey:
    return IdempotencyKey("R1", name, digest)


ANSWER = StoredAnswer(200, b"{}", {"ETag": '"1"'})


@pytest.mark.every_postgres
def test_an_answer_is_kept_24_hours_and_then_the_key_may_be_used_anew(branch: tuple[Started, dict[str, str]]) -> None:
    engine, mac_key, then = branch[0].engine, branch[0].branch.mac_key, now() - timedelta(hours=30)
    with writing(engine) as conn:
        assert idempotency.claim(conn, [key()], then, mac_key) == {}
        idempotency.store(conn, [(key(), ANSWER)], then, mac_key)
    with writing(engine) as conn:
        known = idempotency.claim(conn, [key()], then + timedelta(hours=23, minutes=59), mac_key)
        found = known[key().name]
        assert isinstance(found, StoredAnswer)
        assert (found.body, found.replayed) == (b"{}", True)
    with writing(engine) as conn:
        assert idempotency.claim(conn, [key(digest=b"2")], then + timedelta(hours=24), mac_key) == {}
        idempotency.store(conn, [(key(digest=b"2"), ANSWER)], now(), mac_key)
        assert isinstance(idempotency.claim(conn, [key()], now(), mac_key)[key().name], CallerError)


def test_what_is_older_than_24_hours_goes_a_bounded_number_at_a_time(branch: tuple[Started, dict[str, str]]) -> None:
    engine, mac_key, then = branch[0].engine, branch[0].branch.mac_key, now() - timedelta(hours=25)
    with writing(engine) as conn:
        idempotency.store(conn, [(key(f"k{number}"), ANSWER) for number in range(600)], then, mac_key)
        idempotency.store(conn, [(key("fresh"), ANSWER)], now(), mac_key)
    with writing(engine) as conn:
        assert idempotency.purge(conn, now()) == idempotency.PURGED_AT_ONCE
        assert idempotency.purge(conn, now()) == 100
        assert idempotency.purge(conn, now()) == 0
        assert conn.execute(sa.select(kept.c.key)).scalars().all() == ["fresh"]


@pytest.mark.only("postgresql")
def test_a_key_that_another_process_is_working_on_is_told_as_running(branch: tuple[Started, dict[str, str]]) -> None:
    engine, mac_key = branch[0].engine, branch[0].branch.mac_key
    with writing(engine) as elsewhere:
        assert idempotency.claim(elsewhere, [key("a"), key("b")], now(), mac_key) == {}
        with writing(engine) as here:
            known = idempotency.claim(here, [key("b"), key("c")], now(), mac_key)
        assert list(known) == [key("b").name]
        assert isinstance(known[key("b").name], CallerError)
        assert known[key("b").name].code == "idempotency_running"  # type: ignore[union-attr]
    with writing(engine) as here:
        assert idempotency.claim(here, [key("b")], now(), mac_key) == {}
