"""A stored answer that a writer of rows changed is neither told nor receipted, and its request does not run again."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from casework.storage.database import writing
from casework.work.cases.tables import idempotency as kept
from tests.api.conftest import Running
from tests.api.test_events import problem
from tests.api.test_idempotency import entries_of, fire

Packed = list[Any]
"""headers, media type, body, and the change that is receipted."""


def headers_with_a_cookie(packed: Packed) -> None:
    packed[0]["Set-Cookie"] = "session=stolen"


def another_body(packed: Packed) -> None:
    packed[2] = b'{"state":"settled"}'


def a_change_that_never_was(packed: Packed) -> None:
    packed[3] = [packed[3][0], [["case:1:99", b"\x01" * 32]]]


def another_kind_of_body(packed: Packed) -> None:
    packed[1] = "text/html"


def repacked(change: Callable[[Packed], None]) -> Callable[[Any], dict[str, Any]]:
    def made(row: Any) -> dict[str, Any]:
        packed = msgspec.msgpack.decode(bytes(row.answer))
        change(packed)
        return {"answer": msgspec.msgpack.encode(packed)}

    return made


CHANGES: list[Callable[[Any], dict[str, Any]]] = [
    *(repacked(one) for one in (headers_with_a_cookie, another_body, a_change_that_never_was, another_kind_of_body)),
    lambda _: {"status": 201},
    lambda _: {"request_hash": b"\x02" * 32},
    lambda _: {"answer": b"", "request_hash": b"", "status": 410},  # as an erasure leaves it
    lambda _: {"mac": b"\x03" * 32},
    lambda _: {"mac": b""},
    lambda _: {"answer": b"no msgpack"},
    lambda row: {"created_at": row.created_at.replace(year=2020)},  # so that it would run again as forgotten
]


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_answer_is_refused_by_name_and_nothing_runs_or_is_receipted(
    running: Running, change: Callable[[Any], dict[str, Any]]
) -> None:
    case_id = running.open("L1")[0]
    assert fire(running, case_id).status_code == 200
    before = entries_of(running, case_id)
    with writing(running.started.engine) as conn:
        row = conn.execute(sa.select(kept)).one()
        genuine = dict(row._mapping)
        conn.execute(kept.update().values(change(row)))
    answer = fire(running, case_id)
    problem(answer, 409, "answer_changed")
    assert not {"receipt", "set-cookie", "idempotent-replay"} & set(answer.headers)
    assert entries_of(running, case_id) == before
    with writing(running.started.engine) as conn:
        conn.execute(kept.update().values(genuine))
    assert fire(running, case_id).headers["idempotent-replay"] == "true"  # its twin, as it was stored


def test_an_answer_moved_to_another_person_or_key_is_refused(running: Running) -> None:
    case_id = running.open("L1")[0]
    first = fire(running, case_id)
    moves: list[dict[str, Any]] = [{"key": "k-2"}, {"actor_id": "P1"}]
    for place, move in enumerate(moves):
        with writing(running.started.engine) as conn:
            conn.execute(kept.update().values({"key": "k-1", "actor_id": "R1"} | move))
        whose, under = str(move.get("actor_id", "R1")), str(move.get("key", "k-1"))
        answer = fire(running, case_id, staff_no=whose, **{"Idempotency-Key": under})
        problem(answer, 409, "answer_changed")
        assert "receipt" not in answer.headers, place
    with writing(running.started.engine) as conn:
        conn.execute(kept.update().values(key="k-1", actor_id="R1"))
    assert fire(running, case_id).headers["receipt"] == first.headers["receipt"]
