"""Lists of cases against a plain list of the same cases: filters, orders, pages, on both databases."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection, Engine

from casework.errors import CallerError
from casework.lifecycle.tables import institutions
from casework.people.staff.permissions import EVERYTHING, Reach
from casework.people.staff.tables import staff
from casework.personal import Vault
from casework.settings import shipped
from casework.storage import rows
from casework.storage.database import reading, writing
from casework.work.cases import bounded
from casework.work.cases.branch import Branch
from casework.work.cases.case import (
    COLUMNS,
    Case,
    Facts,
    to_row,
)
from casework.work.cases.filter import BusinessDates, CaseFilter
from casework.work.cases.line import CaseLine
from casework.work.cases.queries import (
    cases_of_loan,
    find_case,
    page_of_cases,
    walk_cases,
)
from casework.work.cases.rulebook import load_rulebook
from casework.work.cases.sorts import Sort
from casework.work.cases.tables import cases
from tests.conftest import LONGER

TODAY = {"wuhan": date(2026, 1, 10), "yichang": date(2026, 1, 8)}
SORTS: tuple[Sort, ...] = get_args(Sort)
BRANCH = Branch(load_rulebook(shipped("statecharts")), Vault(b"1" * 32, b"2" * 32), b"3" * 32)
STAFF = ("S1", "S2")


def case(case_id: int, **values: Any) -> Case:
    """A case with these values; only what lists show matters here."""
    overdue_fen = values.pop("overdue_fen", 100)
    fixed: dict[str, Any] = {
        "id": case_id, "institution": "wuhan", "loan_id": f"L{case_id}", "borrower_id": "B1", "product": None,
        "channel_code": None, "team": None, "region": None, "chart": "overdue_loan@1", "state": "phone_collection",
        "state_since": date(2026, 1, 1), "live": True, "version": 1, "owner": "S1", "handler": "S1",
        "opened_on": date(2026, 1, 1), "opened_for": "arrears", "opened_by": "system", "closed_as": None,
        "ended_as": None,
        "principal_at_opening_fen": 0, "oldest_due_date": date(2026, 1, 5), "bucket": "M1",
        "overdue_principal_fen": overdue_fen, "overdue_interest_fen": 0, "overdue_penalty_fen": 0,
        "overdue_fen": overdue_fen, "outstanding_principal_fen": 0, "visit_due_on": None, "facts": Facts(),
        "last_entry_at": datetime(2026, 1, 10, tzinfo=UTC), "audit_seq": 1, "audit_head": b"h",
    }  # fmt: skip
    return Case(**{**fixed, **values})


def store(engine: Engine, found: Sequence[Case]) -> None:
    with writing(engine) as conn:
        rows.insert_many(conn, cases, [to_row(one) for one in found], COLUMNS)


@pytest.fixture
def furnished(engine: Engine) -> Engine:
    """The people and the business dates that rows of cases refer to."""
    with writing(engine) as conn:
        for staff_no in STAFF:
            conn.execute(
                staff.insert().values(
                    staff_no=staff_no,
                    name=staff_no,
                    status="active",
                    added_at=datetime(2026, 1, 1, tzinfo=UTC),
                )
            )
        for institution, day in TODAY.items():
            conn.execute(institutions.insert().values(institution=institution, business_date=day))
    return engine


def days_past_due(one: Case) -> int:
    return one.days_past_due(TODAY[one.institution])


def reached(within: Reach, one: Case) -> bool:
    """The reach in plain words."""
    return (
        within.everything
        or bool(within.people & {one.owner, one.handler})
        or (one.team is not None and one.team in within.teams)
        or (one.region is not None and one.region in within.regions)
        or (one.product is not None and one.product in within.products)
    )


def holds(wanted: CaseFilter, one: Case) -> bool:
    """The filter in plain words."""
    for name in ("owner", "handler", "team", "institution"):
        value = getattr(wanted, name)
        if value is not None and getattr(one, name) != value:
            return False
    return (
        (not wanted.state or one.state in wanted.state)
        and (not wanted.bucket or one.bucket in wanted.bucket)
        and (wanted.worked_by is None or wanted.worked_by in (one.owner, one.handler))
        and (wanted.live is None or wanted.live == one.live)
        and (wanted.dpd_min is None or days_past_due(one) >= wanted.dpd_min)
        and (wanted.dpd_max is None or days_past_due(one) <= wanted.dpd_max)
        and (wanted.overdue_fen_min is None or one.overdue_fen >= wanted.overdue_fen_min)
        and (wanted.overdue_fen_max is None or one.overdue_fen <= wanted.overdue_fen_max)
    )


def in_order(found: Sequence[Case], sort: Sort) -> list[int]:
    """The ids as the list must show them; cases not in arrears come last, whichever way due dates run."""
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    dated = [one for one in found if getattr(one, name) is not None]
    undated = [one for one in found if getattr(one, name) is None]
    dated.sort(key=lambda one: (getattr(one, name), one.id), reverse=descending)
    undated.sort(key=lambda one: one.id, reverse=descending)
    return [one.id for one in dated + undated]


CASES: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.builds(
        dict,
        institution=st.sampled_from(sorted(TODAY)),
        state=st.sampled_from(["phone_collection", "lost_contact", "settled"]),
        bucket=st.sampled_from(["M0", "M1", "M2"]),
        owner=st.sampled_from(STAFF),
        handler=st.sampled_from(STAFF),
        team=st.sampled_from([None, "T1"]),
        region=st.sampled_from([None, "R1", "R2"]),
        product=st.sampled_from([None, "haihua", "consumer"]),
        live=st.booleans(),
        oldest_due_date=st.none() | st.dates(date(2025, 12, 30), date(2026, 1, 10)),
        overdue_fen=st.sampled_from([0, 100, 100, 2**40]),
    ),
    max_size=30,
)
FILTERS = st.builds(
    CaseFilter,
    state=st.sampled_from([(), ("phone_collection",), ("settled", "lost_contact")]),
    bucket=st.sampled_from([(), ("M1",)]),
    owner=st.none() | st.sampled_from(STAFF),
    worked_by=st.none() | st.sampled_from(STAFF),
    institution=st.none() | st.sampled_from(sorted(TODAY)),
    live=st.none() | st.booleans(),
    dpd_min=st.none() | st.integers(0, 5),
    dpd_max=st.none() | st.integers(0, 8),
    overdue_fen_min=st.none() | st.sampled_from([0, 100, 101]),
    overdue_fen_max=st.none() | st.sampled_from([99, 100]),
)
REACHES = st.just(EVERYTHING) | st.builds(
    Reach,
    everything=st.just(False),
    people=st.frozensets(st.sampled_from(STAFF)),
    teams=st.frozensets(st.sampled_from(["T1", "T2"])),
    regions=st.frozensets(st.sampled_from(["R1", "R2"])),
    products=st.frozensets(st.just("haihua")),
)


@settings(max_examples=60 * LONGER, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=CASES,
    later=CASES,
    wanted=FILTERS,
    within=REACHES,
    sort=st.sampled_from(SORTS),
    limit=st.integers(1, 7),
    few=st.sampled_from([(1,), (1, 2), (250,)]),
)
def test_all_pages_together_are_the_filtered_set_once_in_order_also_while_cases_are_opened(
    furnished: Engine,
    values: list[dict[str, Any]],
    later: list[dict[str, Any]],
    *,
    wanted: CaseFilter,
    within: Reach,
    sort: Sort,
    limit: int,
    few: tuple[int, ...],
) -> None:
    """Also where so few rows may be looked at for a page that pages are short, or empty."""
    first = [case(2 * number, **one) for number, one in enumerate(values, 1)]
    meanwhile = [case(2 * number - 1, **one) for number, one in enumerate(later, 1)]
    with writing(furnished) as conn:
        conn.execute(cases.delete())
    # A loan has one live case: the loans' ids differ, so any mixture of live ones is possible.
    store(furnished, first)
    seen: list[int] = []
    cursor, turn = None, 0
    while True:
        with reading(furnished) as conn, pytest.MonkeyPatch.context() as bounds:
            bounds.setattr(bounded, "FEW", few)
            dates = BusinessDates(conn, BRANCH)
            page = page_of_cases(conn, dates, wanted, within=within, sort=sort, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        seen += [line.id for line in page.items]
        cursor = page.next
        if cursor is None:
            break
        if turn < len(meanwhile):
            store(furnished, [meanwhile[turn]])
            turn += 1
    expected = in_order([one for one in first if holds(wanted, one) and reached(within, one)], sort)
    assert [number for number in seen if number % 2 == 0] == expected
    assert len(seen) == len(set(seen))
    known = {one.id: one for one in first + meanwhile}
    assert seen == in_order([known[number] for number in seen], sort)
    assert all(reached(within, known[number]) for number in seen)


def listed(conn: Connection, wanted: CaseFilter, sort: Sort = "id") -> list[CaseLine]:
    dates = BusinessDates(conn, BRANCH)
    walk = walk_cases(conn, dates, wanted, within=EVERYTHING, sort=sort, at_most=10**6)
    return [line for lines in walk for line in lines]


def test_a_walk_goes_on_beyond_one_chunk_and_stops_where_it_was_told(furnished: Engine) -> None:
    store(
        furnished,
        [case(number, oldest_due_date=None if number % 3 else date(2026, 1, 1)) for number in range(1, 2_501)],
    )
    with reading(furnished) as conn:
        for sort in SORTS:
            assert sorted(line.id for line in listed(conn, CaseFilter(), sort)) == list(range(1, 2_501))
        dates = BusinessDates(conn, BRANCH)
        walk = walk_cases(conn, dates, CaseFilter(), within=EVERYTHING, at_most=1_500)
        few = [line for lines in walk for line in lines]
    assert len(few) == 1_500


@pytest.mark.parametrize(("institution", "expected"), [("wuhan", 5), ("yichang", 3), ("elsewhere", None)])
def test_days_past_due_count_to_the_business_date_of_the_institution(
    furnished: Engine, institution: str, expected: int | None
) -> None:
    store(furnished, [case(1, institution=institution, oldest_due_date=date(2026, 1, 5))])
    with reading(furnished) as conn:
        (line,) = listed(conn, CaseFilter())
        today = BusinessDates(conn, BRANCH).otherwise
    assert line.days_past_due == ((today - date(2026, 1, 5)).days if expected is None else expected)


@pytest.mark.parametrize("cursor", ["!", "WzFd", "x" * 300, "W251bGxd", "eyJhIjoxfQ", "\u4e2d"])
def test_a_cursor_not_made_here_is_the_callers_mistake(furnished: Engine, cursor: str) -> None:
    with reading(furnished) as conn:
        dates = BusinessDates(conn, BRANCH)
        with pytest.raises(CallerError) as mistake:
            page_of_cases(conn, dates, CaseFilter(), within=EVERYTHING, cursor=cursor)
    assert mistake.value.code == "cursor_malformed"


def test_a_page_costs_two_statements_and_a_lookup_one_whatever_they_hold(furnished: Engine) -> None:
    store(furnished, [case(number) for number in range(1, 301)])
    with reading(furnished) as conn:
        dates = BusinessDates(conn, BRANCH)
        # The cases, and what their people are called: on PostgreSQL that goes by the driver and is not counted here.
        page = 2 if conn.dialect.name == "sqlite" else 1
        for limit in (1, 200):
            with Counted(conn) as statements:
                page_of_cases(conn, dates, CaseFilter(state=("phone_collection",)), within=EVERYTHING, limit=limit)
            assert len(statements) == page
        with Counted(conn) as statements:
            page_of_cases(conn, dates, CaseFilter(), within=EVERYTHING, sort="oldest_due_date", limit=200)
        assert len(statements) == page
        with Counted(conn) as statements:
            find_case(conn, 7)
        assert len(statements) == 1


def test_an_unknown_case_is_told(furnished: Engine) -> None:
    with reading(furnished) as conn:
        for case_id in (0, 1, 2**63):
            with pytest.raises(CallerError) as mistake:
                find_case(conn, case_id)
            assert mistake.value.code == "unknown_case"


def test_the_cases_of_a_loan_are_named_oldest_first(furnished: Engine) -> None:
    store(furnished, [case(1, loan_id="L9", live=False), case(2), case(3, loan_id="L9")])
    with reading(furnished) as conn:
        assert cases_of_loan(conn, "L9") == cases_of_loan(conn, " Ｌ９") == [1, 3]
        assert cases_of_loan(conn, "L8") == []


def test_a_line_holds_what_the_row_holds(furnished: Engine) -> None:
    one = case(1, team="T1", overdue_fen=7, oldest_due_date=date(2026, 1, 1) - timedelta(days=40))
    store(furnished, [one])
    with reading(furnished) as conn:
        (line,) = listed(conn, CaseFilter())
    shown = msgspec.structs.asdict(line)
    assert shown.pop("days_past_due") == 49
    assert (shown.pop("owner_name"), shown.pop("handler_name")) == (None, None), "nobody of that number is registered"
    assert shown == {name: getattr(one, name) for name in shown}


class Counted:
    """The statements that a block runs."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.statements: list[str] = []

    def _note(self, _c: Any, _cur: Any, statement: str, *_: Any) -> None:
        self.statements.append(statement)

    def __enter__(self) -> list[str]:
        sa.event.listen(self.conn.engine, "before_cursor_execute", self._note)
        return self.statements

    def __exit__(self, *_: object) -> None:
        sa.event.remove(self.conn.engine, "before_cursor_execute", self._note)


@pytest.mark.parametrize("reach", [Reach(), Reach(teams=frozenset({"T9"}))])
def test_whoever_reaches_nothing_is_shown_nothing(furnished: Engine, reach: Reach) -> None:
    store(furnished, [case(1, team="T1"), case(2)])
    with reading(furnished) as conn:
        dates = BusinessDates(conn, BRANCH)
        for wanted in (CaseFilter(), CaseFilter(owner="S1"), CaseFilter(worked_by="S1"), CaseFilter(loan_id="L1")):
            assert page_of_cases(conn, dates, wanted, within=reach).items == []
