"""A stored answer that went with a borrower's data: its repeat is told so, and runs nothing."""

import sqlalchemy as sa

from casework.customer import Customer
from casework.oversight.privacy.answers import erase_answers
from casework.storage.database import reading, writing
from casework.work.cases.tables import idempotency
from tests.api.conftest import Running
from tests.api.test_idempotency import entries_of, fire


def test_a_repeat_of_an_erased_answer_is_told_so_and_runs_nothing(running: Running) -> None:
    case_id = running.open("L1")[0]
    assert fire(running, case_id).status_code == 200
    before = entries_of(running, case_id)
    with writing(running.started.engine) as conn:
        assert (
            erase_answers(conn, {case_id}, set(), set(), Customer("wuhan", "B-L1"), running.started.branch.mac_key) == 1
        )
    again = fire(running, case_id)
    assert (again.status_code, again.json()["code"]) == (410, "answer_erased")
    assert entries_of(running, case_id) == before
    with reading(running.started.engine) as conn:
        assert conn.execute(sa.select(idempotency.c.answer)).scalar_one() == b""
