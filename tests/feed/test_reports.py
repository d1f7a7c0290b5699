"""Feeds that went wrong elsewhere, each with its right outcome: read where they lie, never copied into the project.

`REPORTS` has one check per folder of `reports/`; the feeds of a folder are imported in the order that its check says.
"""

import os
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pytest

from casework.database import reading
from casework.feed.aside import aside_of
from casework.feed.run import Run
from tests.feed.bank import Bank

FOLDER = Path(os.environ.get("CASEWORK_REAL_FEEDS", Path(__file__).parents[3] / "shared" / "data")) / "reports"
Check = Callable[[Bank, Path], None]


def aside(bank: Bank, run: Run) -> list[tuple[str, int, str, str]]:
    """What a run set aside: kind, line, column, code."""
    with reading(bank.started.engine) as conn:
        return [(row.kind, row.line, row.column, row.code) for row in aside_of(conn, run.id)]


def payment_number_reused(bank: Bank, folder: Path) -> None:
    """A number that comes again with another loan or amount is set aside, and the snapshot goes in."""
    runs = [bank.take(folder / day) for day in ("d1", "d2", "d3")]
    assert [aside(bank, run) for run in runs] == [
        [], [("repayments", 2, "payment_id", "payment_differs")], [("repayments", 2, "payment_id", "payment_differs")],
    ]  # fmt: skip
    assert [run.figures["overdue"] for run in runs] == [40, 40, 40]


def reversal_unchecked(bank: Bank, folder: Path) -> None:
    """Nothing that undoes nothing re-opens the settled case; what undoes the payment rightly is taken."""
    runs = [bank.take(folder / day) for day in ("d1", "d2", "d3", "d4", "d5")]
    assert [[code for *_, code in aside(bank, run)] for run in runs] == [
        [], [], ["reversal_of_itself"], ["reversal_amount_differs"], ["reversal_of_reversal"],
    ]  # fmt: skip
    assert [case.state for case in bank.cases("L0001")] == ["settled", "phone_collection"]


REPORTS: Mapping[str, Check] = {
    "payment-number-reused": payment_number_reused,
    "reversal-unchecked": reversal_unchecked,
}


@pytest.mark.parametrize("report", sorted(REPORTS))
def test_a_feed_that_went_wrong_elsewhere_comes_out_right(
    bank: Bank, report: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = FOLDER / report
    if not folder.is_dir():
        pytest.skip(f"no reports at {FOLDER} (CASEWORK_REAL_FEEDS)")
    monkeypatch.setattr("casework.feed.load.branch_date", lambda *_: date(2026, 12, 31))  # they are dated November
    REPORTS[report](bank, folder)
    bank.assert_sound()
