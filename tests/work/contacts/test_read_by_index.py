"""What a day asks of all contacts there ever were is answered by an index alone, or by one of those few."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.evidence.ledger.gathering import ASKED_OF_CUSTOMERS
from casework.storage import rows
from casework.storage.database import reading
from casework.work.gate.suspects import suspects
from tests.cases.test_queries import BRANCH

pytestmark = pytest.mark.only("sqlite")  # PostgreSQL weighs sizes: what it reads of many is counted in benchmarks
DAY = date(2026, 1, 10)


def _plans(conn: Connection, ask: Any) -> str:
    """How the database answers what `ask` asks."""
    said = list[tuple[str, Any]]()

    def heard(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        said.append((statement, parameters))

    sa.event.listen(conn, "before_cursor_execute", heard)
    ask()
    sa.event.remove(conn, "before_cursor_execute", heard)
    plans = (conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given).all() for sql, given in said)
    return "\n".join(row[3] for plan in plans for row in plan)


def test_whether_a_number_was_ever_found_wrong_is_in_the_index_of_numbers(engine: Engine) -> None:
    """Of each number that was called on a day, without its other contacts being read."""
    with reading(engine) as conn:
        plan = _plans(conn, lambda: suspects(conn, BRANCH, DAY, DAY))
    assert "SEARCH other USING COVERING INDEX ix_contact_log_number (number=?)" in plan
    assert "SEARCH contact_log USING INDEX ix_contact_log_day (day>?" in plan


def test_visits_of_debtors_are_looked_for_among_the_visits(engine: Engine) -> None:
    """Of the thousands of debtors of a day, of whom few were ever visited."""
    with reading(engine) as conn:
        visits = ASKED_OF_CUSTOMERS[-1]
        keys = [("B1", "wuhan"), ("B2", "wuhan")]
        plan = _plans(conn, lambda: rows.select_by_keys(conn, visits, ("borrower_id", "institution"), keys))
    assert "USING INDEX ix_contact_log_visits" in plan
