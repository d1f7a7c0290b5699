"""A case that was told nothing of a hold that is in force is found, even where its row says nothing of it either."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done
from casework.log.format.entry import Entry
from casework.storage.database import writing
from casework.work.cases.case import Facts, facts_json
from casework.work.cases.tables import cases
from tests.lifecycle.lived import CASE, STREAM_OF_CASE, hold
from tests.log.built_log import built_log, clock, guards_down
from tests.log.resealed import reseal
from tests.on_books import put_loan
from tests.postgres_server import Server


def as_a_note(entry: Entry) -> dict[str, Any]:
    """What was a fact becomes an entry that changes nothing."""
    data = {"post": "system", "business_date": entry.data["business_date"]}
    return {"event": "case.noted", "data": data}


@pytest.mark.parametrize("kind", ["sqlite", "pg17"])
@pytest.mark.parametrize("told", ["complaint", "dispute"])
def test_a_case_that_was_not_told_of_a_hold_in_force_is_found(
    kind: str, told: str, tmp_path: Path, migrated_sqlite: Path, postgres_servers: Callable[[str], Server]
) -> None:
    with built_log(kind, tmp_path, migrated_sqlite, postgres_servers) as log:
        with writing(log.engine) as conn:
            put_loan(conn, log.branch, loan_id="L2", institution="wuhan", borrower_id="B2")
            (done,) = advance(conn, [hold(2, told)], log.branch, clock=clock)
            assert isinstance(done, Done), done
        with log.attacked() as conn:
            assert log.verify(conn).findings == []
            with guards_down(conn):
                reseal(conn, log.branch.mac_key, STREAM_OF_CASE, "case.fact.hold", as_a_note)
            row = cases.c.id == CASE
            facts = msgspec.json.decode(conn.execute(sa.select(cases.c.facts).where(row)).scalar_one(), type=Facts)
            facts.holds, facts.spoilt = [], []
            facts.material_version -= 1
            version = cases.c.version - 1
            conn.execute(cases.update().where(row).values(facts=facts_json(facts), version=version))
            findings = log.verify(conn).findings
        (one,) = [finding for finding in findings if finding.code == "not_told"]
        assert (one.stream, one.detail) == (STREAM_OF_CASE, {"facts": ["hold"], "hold": done.id})
