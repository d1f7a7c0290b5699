"""What a page of cases reads: a bounded number of rows, whatever is asked for and however many cases there are.

Every part of a filter, and some together, by every order, the first page and a later one, within every kind of reach:
the rows are counted on a branch so large that who walks through all of it is caught. How many are looked at is bounded
by `bounded.FEW`, which is set low here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import product
from typing import Any, Final

import pytest
from sqlalchemy.engine import Connection, Engine

from casework.people.staff.permissions import EVERYTHING, Reach
from casework.storage.database import reading
from casework.work.cases import bounded
from casework.work.cases.filter import BusinessDates, CaseFilter
from casework.work.cases.queries import page_of_cases
from casework.work.cases.sorts import Sort
from tests.cases.test_queries import BRANCH, SORTS, Counted, case, furnished, store

__all__ = ["furnished"]
FILTERS: Final = (
    CaseFilter(), CaseFilter(state=("phone_collection",)), CaseFilter(state=("closed",)),
    CaseFilter(state=("closed", "litigation")), CaseFilter(bucket=("M1",)), CaseFilter(bucket=("M7",)),
    CaseFilter(owner="S1"), CaseFilter(owner="S9"), CaseFilter(handler="S2"), CaseFilter(worked_by="S1"),
    CaseFilter(worked_by="S9"), CaseFilter(team="T1"), CaseFilter(team="T9"), CaseFilter(region="R1"),
    CaseFilter(region="R9"), CaseFilter(product="haihua"), CaseFilter(product="x"), CaseFilter(institution="wuhan"),
    CaseFilter(borrower_id="B101"), CaseFilter(borrower_id="B9"), CaseFilter(loan_id="L7"), CaseFilter(live=True),
    CaseFilter(live=False), CaseFilter(dpd_min=3, dpd_max=6), CaseFilter(dpd_min=900), CaseFilter(dpd_max=1),
    CaseFilter(overdue_fen_min=2_000), CaseFilter(overdue_fen_min=10**9), CaseFilter(bucket=("M2",), team="T1"),
    CaseFilter(state=("phone_collection",), team="T1", bucket=("M1",), dpd_min=2, overdue_fen_max=4_000, live=True),
)  # fmt: skip
REACHES: Final = (
    Reach(people=frozenset({"S2"})), Reach(people=frozenset({"S9"})),
    Reach(people=frozenset({"S9"}), regions=frozenset({"R1"})),
    Reach(people=frozenset({"S9"}), products=frozenset({"haihua", "x"})),
    Reach(people=frozenset({"S9"}), teams=frozenset({"T9"})),
)  # fmt: skip
CASES: Final = 4_000
MOST: Final = {"sqlite": 4_000, "postgresql": 250}
"""Steps of SQLite's machine, and rows that PostgreSQL fetched: a walk through all is past both."""


@pytest.fixture
def many(furnished: Engine, owner_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """So many cases: two are of a small team and last in most orders, a tenth is in no arrears."""
    monkeypatch.setattr(bounded, "FEW", (2, 4, 8))
    store(furnished, [_case(number) for number in range(1, CASES + 1)])
    with owner_engine.begin() as conn:
        conn.exec_driver_sql("ANALYZE cases")
    return furnished


def _case(number: int) -> Any:
    due = None if number % 10 == 0 else date(2026, 1, 8) - timedelta(days=number % 20)
    team = "T9" if number > CASES - 2 else "T1" if number % 3 else None
    return case(
        number, borrower_id=f"B{100 + number // 2}", bucket="M1" if number % 3 else "M2", handler="S2", team=team,
        region="R1", product="haihua", overdue_fen=number * 37 % 5_000, oldest_due_date=due,
    )  # fmt: skip


@contextmanager
def counting(engine: Engine) -> Iterator[tuple[Connection, Callable[[], int]]]:
    """A connection, and what was read over it so far."""
    if engine.dialect.name == "sqlite":
        steps = [0]

        def step() -> int:
            steps[0] += 10
            return 0

        with reading(engine) as conn:
            raw: Any = conn.connection.dbapi_connection
            raw.set_progress_handler(step, 10)
            yield conn, lambda: steps[0]
            raw.set_progress_handler(None, 10)
        return
    with engine.connect() as conn, conn.begin():
        # So few rows it would rather read all: what it can read by an index is asked.
        conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
        told = (
            "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
            " WHERE relname = 'cases'"
        )
        yield conn, lambda: int(conn.exec_driver_sql(told).scalar() or 0)


def test_a_page_reads_a_bounded_number_of_rows_whatever_is_asked(many: Engine) -> None:
    found = dict[str, int]()
    everything = ((wanted, EVERYTHING) for wanted in FILTERS)
    reached = product((CaseFilter(), CaseFilter(bucket=("M2",))), REACHES)
    with counting(many) as (conn, so_far):
        dates = BusinessDates(conn, BRANCH)
        for (wanted, within), sort in product((*everything, *reached), SORTS):
            cursor = None
            for page_no in (1, 2):
                before = so_far()
                page = page_of_cases(conn, dates, wanted, within=within, sort=sort, limit=5, cursor=cursor)
                found[f"{wanted} {within} {sort} {page_no}"] = so_far() - before
                cursor = page.next
                if cursor is None:
                    break
        most = MOST[conn.dialect.name]
    assert {name: read for name, read in found.items() if read > most} == {}


def test_who_walks_through_all_cases_is_caught(many: Engine) -> None:
    """The corrupt twin: without bounds the table's own count is past what is let pass."""
    with counting(many) as (conn, so_far):
        before = so_far()
        conn.exec_driver_sql("SELECT count(facts) FROM cases WHERE team = 'none' OR facts IS NULL").scalar()
        assert so_far() - before > MOST[conn.dialect.name]


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("sort", SORTS)
def test_what_one_index_serves_is_never_sorted(furnished: Engine, sort: Sort) -> None:
    """The order, and a state with it; a region's few cases are sorted (decision 0077)."""
    for wanted in (CaseFilter(), CaseFilter(state=("closed",))):
        plans = planned(furnished, wanted, sort)
        assert plans
        assert not [plan for plan in plans if "TEMP B-TREE" in plan], plans


def planned(engine: Engine, wanted: CaseFilter, sort: Sort) -> list[str]:
    """SQLite's plan of every statement of a page."""
    plans: list[str] = []
    with reading(engine) as conn:
        dates = BusinessDates(conn, BRANCH)
        with Counted(conn) as statements:
            page_of_cases(conn, dates, wanted, within=EVERYTHING, sort=sort)
        for statement in statements:
            values = tuple("1" for _ in range(statement.count("?")))
            plans += [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    return plans
