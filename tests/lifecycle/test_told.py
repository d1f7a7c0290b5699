"""Across streams: a case that was told nothing of a hold in force is found, and who acted on a hold without reach."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Open
from casework.log.format.entry import Entry
from casework.storage.database import writing
from casework.work.cases.case import Facts
from casework.work.cases.tables import cases
from tests.lifecycle.lived import BEGINS, BORROWER, CASE, STREAM_OF_CASE, hold
from tests.lifecycle.test_replay import deep_report
from tests.log.built_log import BUSINESS, built_log, clock, guards_down
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
        with log.attacked() as conn:
            with guards_down(conn):
                reseal(conn, log.branch.mac_key, STREAM_OF_CASE, "case.fact.hold", as_a_note)
            row = cases.c.id == CASE
            facts = msgspec.json.decode(conn.execute(sa.select(cases.c.facts).where(row)).scalar_one(), type=Facts)
            facts.holds, facts.spoilt = [], []
            facts.material_version -= 1
            version = cases.c.version - 1
            conn.execute(
                cases.update()
                .where(row)
                .values(facts=msgspec.json.encode(facts, order="deterministic"), version=version)
            )
            findings = log.verify(conn).findings
        (one,) = [finding for finding in findings if finding.code == "not_told"]
        assert (one.stream, one.detail) == (STREAM_OF_CASE, {"facts": ["hold"], "hold": done.id})


def by(staff_no: str) -> Callable[[Entry], dict[str, Any]]:
    """Somebody else of the same post."""
    return lambda entry: {"actor": msgspec.structs.replace(entry.actor, id=staff_no)}


@pytest.mark.parametrize("kind", ["sqlite", "pg17"])
def test_who_set_a_hold_without_reaching_any_case_that_it_binds_is_found_live_and_deep(
    kind: str, tmp_path: Path, migrated_sqlite: Path, postgres_servers: Callable[[str], Server]
) -> None:
    """A business representative acts on their own cases: the one whose case it is may, a colleague may not."""
    with built_log(kind, tmp_path, migrated_sqlite, postgres_servers) as log:
        data = {"loan_id": "L2", "hold": "complaint", "begins_at": BEGINS, "review_by": "2026-01-20"}
        with writing(log.engine) as conn:
            put_loan(conn, log.branch, loan_id="L2", institution="wuhan", borrower_id="B2")
            command = Open(actor=BUSINESS, noun="hold", ground="set", data=data)
            (done,) = advance(conn, [command], log.branch, clock=clock)
            assert isinstance(done, Done), done
        with log.attacked() as conn:
            assert (log.verify(conn).findings, deep_report(conn).findings) == ([], [])
        with log.attacked() as conn:
            with guards_down(conn):
                reseal(conn, log.branch.mac_key, BORROWER, "hold.opened", by("S9"))
            found = [{one.code: one.stream for one in each.findings} for each in (log.verify(conn), deep_report(conn))]
        assert [each.get("out_of_reach") for each in found] == [BORROWER, BORROWER]
