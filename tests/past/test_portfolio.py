"""The portfolio as it was: what its rows added up to then, and how one became the other."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from casework.errors import CallerError
from casework.evidence.past.instant import Instant
from casework.evidence.past.portfolio import (
    ChangedCase,
    Movement,
    PortfolioDifference,
    PortfolioFilter,
    SeenThen,
    View,
)
from casework.evidence.past.whole import portfolio_as_of, portfolio_difference
from casework.lifecycle.advance import advance
from casework.log.tables import entries
from casework.log.write.trail import Draft
from casework.work.cases.case import Case
from casework.work.cases.commands import Command
from tests.cases.anything import commands_on
from tests.conftest import LONGER
from tests.log import built_log as logs
from tests.log.built_log import BuiltLog
from tests.past.then import BUILT, Lived, instant

EVERY = PortfolioFilter()
FILTERS = [
    EVERY, PortfolioFilter(state="phone_collection"), PortfolioFilter(owner="S1", institution="wuhan"),
    PortfolioFilter(product="haihua"), PortfolioFilter(state="settled", owner="A1"),
]  # fmt: skip
BATCHES = st.lists(st.lists(st.integers(1, 5).flatmap(commands_on), min_size=2, max_size=8), min_size=1, max_size=5)


def fits(row: Case | None, wanted: PortfolioFilter) -> bool:
    return row is not None and all(
        getattr(wanted, name) in (None, getattr(row, name)) for name in wanted.__struct_fields__
    )


def sums_of(rows: list[Case]) -> tuple[int, int, int, int]:
    return (
        len(rows), sum(row.live for row in rows), sum(row.overdue_fen for row in rows),
        sum(row.outstanding_principal_fen for row in rows),
    )  # fmt: skip


def shown(sums: Any) -> tuple[int, int, int, int]:
    return sums.cases, sums.live, sums.overdue_fen, sums.outstanding_principal_fen


@examples(max_examples=8 * LONGER, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches=BATCHES, wanted=st.sampled_from(FILTERS))
def test_at_every_instant_the_portfolio_is_what_the_rows_of_then_add_up_to(
    log: BuiltLog, batches: list[list[Command]], wanted: PortfolioFilter
) -> None:
    with log.attacked() as conn:
        lived = Lived(conn, log.branch, up_to=logs.CASES)
        for batch in batches:
            lived.step(*batch)
        for at, then in list(lived.rows.items())[-3:]:
            found = portfolio_as_of(conn, log.branch, instant(at), wanted)
            rows = [row for row in then.values() if fits(row, wanted)]
            assert shown(found.total) == sums_of(rows)
            for name, groups, key in (
                ("states", found.by_state_and_bucket, lambda row: (row.state, row.bucket)),
                ("owners", found.by_owner, lambda row: row.owner),
                ("teams", found.by_team, lambda row: (row.region, row.team)),
            ):
                counted: Counter[Any] = Counter()
                for group in groups:
                    counted[_key_of(name, group)] += group.overdue_fen * 1_000 + group.cases
                expected: Counter[Any] = Counter()
                for row in rows:
                    expected[key(row)] += row.overdue_fen * 1_000 + 1
                assert counted == expected
        times = list(lived.rows)
        _moved_as_rows_did(
            portfolio_difference(conn, log.branch, instant(times[0]), instant(times[-1]), wanted, limit=1_000),
            lived.rows[times[0]], lived.rows[times[-1]], wanted,
        )  # fmt: skip


def _key_of(name: str, group: Any) -> Any:
    if name == "states":
        return group.state, group.bucket_recorded
    return group.owner if name == "owners" else (group.region, group.team)


def _moved_as_rows_did(
    found: PortfolioDifference, before: dict[int, Case], after: dict[int, Case], wanted: PortfolioFilter
) -> None:
    numbers = [number for number in after if fits(before.get(number), wanted) or fits(after[number], wanted)]
    assert shown(found.before) == sums_of([before[number] for number in numbers if number in before])
    assert shown(found.after) == sums_of([after[number] for number in numbers])
    moves = Counter((before[n].state if n in before else None, after[n].state) for n in numbers)
    assert {(move.from_state, move.to_state): move.cases for move in found.moves} == moves
    watched = ("state", "owner", "handler", "closed_as", "bucket", "overdue_fen", "outstanding_principal_fen")
    changed = [
        n for n in numbers if n not in before or any(getattr(before[n], w) != getattr(after[n], w) for w in watched)
    ]
    assert [one.case_id for one in found.changed] == changed
    assert found.changed_in_all == len(changed)
    assert found.owner_changed == sum(n in before and before[n].owner != after[n].owner for n in numbers)
    assert found.closed == sum(n in before and before[n].live and not after[n].live for n in numbers)
    assert sum(owner.cases_after for owner in found.owners) == len(numbers)
    assert all(o.cases_before + o.given - o.taken == o.cases_after for o in found.owners)


def test_what_was_opened_between_is_told_with_its_first_state(log: BuiltLog) -> None:
    with log.attacked() as conn:
        at = BUILT + timedelta(seconds=1)
        advance(conn, [logs.opening(900), logs.opening(901)], log.branch, clock=lambda: at)
        found = portfolio_difference(conn, log.branch, instant(BUILT), instant(at), EVERY)
        before_all = portfolio_difference(conn, log.branch, instant(BUILT - timedelta(days=1)), instant(at), EVERY)
    assert (found.opened, found.changed_in_all, found.untouched) == (2, 2, logs.CASES)
    assert (found.moves[0].from_state, found.moves[0].to_state, found.moves[0].cases) == (None, "phone_collection", 2)
    assert [(one.before, one.last_event) for one in found.changed] == [(None, "case.opened")] * 2
    assert (before_all.before.cases, before_all.opened) == (0, logs.CASES + 2)


def test_before_the_first_entry_there_is_nothing_and_the_dates_are_still_told(log: BuiltLog) -> None:
    with log.attacked() as conn:
        found = portfolio_as_of(conn, log.branch, instant(BUILT - timedelta(microseconds=1)), EVERY)
    assert (shown(found.total), found.by_owner, found.business_dates) == ((0, 0, 0, 0), [], [])
    assert found.entries > logs.CASES


def test_pages_of_changed_cases_are_in_order_of_their_numbers_and_leave_none_out(log: BuiltLog) -> None:
    """Streams come in the order of their texts (case:10 before case:9); the page does not."""
    with log.attacked() as conn:
        start, end = instant(BUILT - timedelta(days=1)), instant(BUILT)
        after, found = 0, list[ChangedCase]()
        while True:
            page = portfolio_difference(conn, log.branch, start, end, EVERY, after=after, limit=7)
            assert page.changed_in_all == logs.CASES
            found += page.changed
            if page.next is None:
                break
            after = page.next
        none = portfolio_difference(conn, log.branch, start, end, EVERY, limit=0)
    assert [one.case_id for one in found] == list(range(1, logs.CASES + 1))
    assert (none.changed, none.changed_in_all) == ([], logs.CASES)


@given(numbers=st.lists(st.integers(1, 500), unique=True), after=st.integers(0, 500), limit=st.integers(0, 20))
def test_a_page_holds_the_smallest_numbers_however_they_come(numbers: list[int], after: int, limit: int) -> None:
    movement = Movement(EVERY, after=after, limit=limit)
    view = View("w", None, None, None, "s", True, "S1", "S1", None, "M1", "M1", 1, 1)
    for number in numbers:
        movement.take(SeenThen(number, (None, view), 1, None, None, None))
    at = Instant(BUILT, "", "", "now")
    page = movement.difference(at, at, 0)
    expected = sorted(number for number in numbers if number > after)
    assert [one.case_id for one in page.changed] == expected[:limit]
    more = len(expected) > limit > 0
    assert page.next == (expected[limit - 1] if more else None)
    assert page.changed_in_all == len(numbers)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (PortfolioFilter(state="lost_contract"), "state"), (PortfolioFilter(state="x\x00"), "state"),
        (PortfolioFilter(owner="x" * 65), "owner"), (PortfolioFilter(institution="a\nb"), "institution"),
    ],
)  # fmt: skip
def test_a_filter_that_no_case_can_fit_is_told_instead_of_finding_nothing(
    log: BuiltLog, wanted: PortfolioFilter, field: str
) -> None:
    with log.attacked() as conn, pytest.raises(CallerError) as refused:
        portfolio_as_of(conn, log.branch, instant(BUILT), wanted)
    assert (refused.value.code, refused.value.facts["field"]) == ("filter_malformed", field)


def test_a_log_beyond_the_bound_is_refused_before_it_is_read(log: BuiltLog) -> None:
    with log.attacked() as conn:
        size = conn.execute(sa.select(sa.func.max(entries.c.id))).scalar_one()
        assert portfolio_as_of(conn, log.branch, instant(BUILT), EVERY, at_most=size).entries < size
        heard: list[int] = []
        with pytest.raises(CallerError) as refused:
            portfolio_as_of(conn, log.branch, instant(BUILT), EVERY, at_most=size - 1, progress=heard.append)
    assert (refused.value.code, heard) == ("portfolio_too_large", [])
    assert "casework audit as-of" in str(refused.value)


def test_a_stream_that_only_looks_like_a_cases_is_not_passed_over(log: BuiltLog) -> None:
    with log.attacked() as conn:
        trail = log.branch.trail(BUILT)
        trail.append(conn, "case:007", Draft("case.noted", logs.PHONE.signed, {}))
        trail.write(conn)
        with pytest.raises(CallerError) as refused:
            portfolio_as_of(conn, log.branch, instant(BUILT), EVERY)
    assert (refused.value.code, refused.value.facts["stream"]) == ("log_broken", "case:007")


def test_progress_hears_every_entry_of_a_case_once(log: BuiltLog) -> None:
    with log.attacked() as conn:
        heard: list[int] = []
        found = portfolio_as_of(conn, log.branch, instant(BUILT), EVERY, progress=heard.append)
        counted = sa.select(sa.func.count()).where(entries.c.stream.like("case:%"))
        assert heard[-1] == found.entries == conn.execute(counted).scalar_one()
