"""What changed between two snapshots: the laws that always hold, the edges, and the branch's real feeds."""

import json
import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.intake.feed.folder import read_folder
from casework.intake.feed.reconcile import (
    Reconciliation,
    Snapshot,
    pack,
    reconcile,
    unknown_loans,
    unpack,
)
from casework.intake.feed.row import OverdueRow

DAY = date(2024, 6, 1)
REAL_FEEDS = Path(os.environ.get("CASEWORK_REAL_FEEDS", Path(__file__).parents[3] / "shared" / "data"))


def bucket(days_past_due: int) -> str:
    return f"M{min(7, (days_past_due + 29) // 30)}"


def row(loan: str, days_past_due: int, fen: int = 1_000, on: date = DAY) -> OverdueRow:
    return OverdueRow(loan, on - timedelta(days=days_past_due), fen, 20, 3, 100_000)


def run(before: list[OverdueRow] | None, rows: list[OverdueRow], on: date = DAY, **aside: Any) -> Reconciliation:
    previous = None if before is None else Snapshot(on - timedelta(days=1), {r.loan_id: r for r in before}, {})
    return reconcile(previous, on, rows, bucket=bucket, **aside)


def test_without_a_snapshot_before_everything_is_opened_and_no_share_is_gone() -> None:
    first = run(None, [row("A", 1), row("B", 31)])
    assert [r.loan_id for r in first.opened] == ["A", "B"]
    assert first.figures["gone_share"] is None
    assert first.figures["roll"] == {"M0->M1": 1, "M0->M2": 1}
    assert first.figures["overdue_fen"] == 2_046


def test_ageing_within_a_bucket_changes_nothing_and_into_the_next_one_does() -> None:
    aged = run([row("A", 29), row("B", 30)], [row("A", 29), row("B", 30)])
    assert (len(aged.changed), aged.unchanged) == (0, 2)
    before = [row("A", 28, on=DAY - timedelta(days=1)), row("B", 30, on=DAY - timedelta(days=1))]
    aged = run(before, list(before))
    assert ([r.loan_id for r in aged.changed], aged.unchanged) == (["B"], 1)
    assert aged.figures["roll"] == {"M1->M1": 1, "M1->M2": 1}


@pytest.mark.parametrize("field", OverdueRow._fields[1:])
def test_any_other_figure_of_a_loan_is_a_change(field: str) -> None:
    old = row("A", 40)
    value = getattr(old, field)
    new = old._replace(**{field: value + (timedelta(days=1) if isinstance(value, date) else 1)})
    assert run([old], [new]).changed == [new]


def test_loans_that_left_are_counted_as_cured_by_their_bucket_before() -> None:
    left = run([row("A", 10), row("B", 40), row("C", 70), row("D", 100), row("E", 10)], [row("E", 10)])
    assert [r.loan_id for r in left.gone] == ["A", "B", "C", "D"]
    assert (left.figures["m1_cured"], left.figures["m2_m3_cured"]) == ([1, 2], [2, 2])
    assert left.figures["gone_share"] == 0.8


def test_m2_to_m1_is_no_cure() -> None:
    moved = run([row("A", 40)], [row("A", 10)])
    assert (moved.figures["m2_m3_cured"], moved.figures["roll"]) == ([0, 1], {"M2->M1": 1})


def test_a_loan_whose_row_is_set_aside_is_present_and_unchanged() -> None:
    old = row("A", 40)
    held = run([old, row("B", 5)], [row("B", 5)], set_aside=1, set_aside_loans={"A"})
    assert (held.gone, held.held, held.changed, held.unchanged) == ([], ["A"], [], 1)
    assert held.snapshot.rows["A"] == old
    assert held.figures["overdue"] == 2


def test_a_loan_unknown_before_whose_row_is_set_aside_is_not_opened() -> None:
    assert run([], [], set_aside=1, set_aside_loans={"A"}).figures["overdue"] == 0


def test_nothing_is_settled_while_a_row_names_no_loan() -> None:
    held = run([row("A", 40), row("B", 5)], [row("B", 5)], set_aside=1, unnamed=1)
    assert (held.gone, held.held) == ([], ["A"])


def test_a_bucket_that_changed_while_the_row_was_aside_is_reported_when_it_comes_back() -> None:
    old = row("A", 30, on=DAY - timedelta(days=1))
    first = run([old], [], set_aside=1, set_aside_loans={"A"})
    assert first.figures["roll"] == {"M1->M2": 1}
    again = reconcile(first.snapshot, DAY + timedelta(days=1), [old], bucket=bucket)
    assert (again.changed, again.figures["roll"]) == ([old], {"M2->M2": 1})
    assert reconcile(again.snapshot, DAY + timedelta(days=2), [old], bucket=bucket).changed == []


def test_rows_of_loans_not_on_the_books_are_found() -> None:
    assert {i: n.code for i, n in unknown_loans([row("A", 1), row("X", 1)], {"A"}).items()} == {1: "unknown_loan"}


_rows = st.dictionaries(
    st.sampled_from("ABCDEFGHIJ"), st.tuples(st.integers(2, 300), st.integers(0, 3)), max_size=10
).map(lambda loans: [row(loan, dpd, fen) for loan, (dpd, fen) in loans.items()])


@given(st.none() | _rows, _rows, st.sets(st.sampled_from("ABCDEFGHIJ")), st.integers(0, 1))
def test_the_counts_add_up(
    before: list[OverdueRow] | None, rows: list[OverdueRow], aside: set[str], unnamed: int
) -> None:
    good = [r for r in rows if r.loan_id not in aside]
    result = run(before, good, set_aside=len(rows) - len(good), set_aside_loans=aside, unnamed=unnamed)
    figures = result.figures
    assert figures["opened"] + figures["changed"] + figures["unchanged"] + figures["set_aside"] == len(rows)
    assert len(before or []) - figures["gone"] + figures["opened"] == figures["overdue"] == len(result.snapshot.rows)
    assert sum(figures["buckets"].values()) == figures["overdue"]
    assert sum(figures["buckets_fen"].values()) == figures["overdue_fen"]
    assert sum(figures["roll"].values()) == figures["overdue"] + figures["gone"]
    assert figures["overdue_fen"] == sum(r.overdue_fen for r in result.snapshot.rows.values())
    assert not aside & {r.loan_id for r in result.gone}
    again = reconcile(result.snapshot, DAY, list(result.snapshot.rows.values()), bucket=bucket)
    assert (again.opened, again.gone) == ([], [])
    assert unpack(pack(result.snapshot)) == result.snapshot


@pytest.mark.parametrize("feeds", ["monthly", "daily"])
def test_the_real_feeds_give_exactly_the_expected_figures(feeds: str) -> None:
    expected_path = REAL_FEEDS / f"expected-{feeds}.json"
    if not expected_path.exists():
        pytest.skip(f"no real feeds at {REAL_FEEDS} (CASEWORK_REAL_FEEDS)")
    previous: Snapshot | None = None
    found = []
    expected = json.loads(expected_path.read_bytes())
    for figures in expected:
        delivery = read_folder(REAL_FEEDS / feeds / figures["as_of"])
        assert [sheet.set_aside + sheet.notices for sheet in delivery.sheets] == [[]] * len(delivery.sheets)
        result = reconcile(previous, delivery.as_of, delivery.overdue.rows, bucket=bucket)
        found.append({key: figure for key, figure in result.figures.items() if key in figures})
        previous = result.snapshot
    assert found == expected
