"""Loans in arrears that nobody works on, and loans held back, are on lists, in the health and in the metrics."""

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from casework.clock import now
from casework.intake.feed.held_back import of_file
from casework.intake.feed.reconcile import Snapshot, pack
from casework.intake.feed.row import OverdueRow
from casework.intake.feed.tables import feed_runs, snapshots
from casework.lifecycle.tables import institutions
from casework.storage.database import writing
from tests.api.conftest import Running
from tests.api.test_events import problem

DAY = date(2026, 1, 31)
HELD = msgspec.to_builtins(of_file("overdue", 3, [(42, "missing_value")]))


@pytest.fixture
def after_feed(running: Running) -> Running:
    """Three loans in arrears by the last feed, of which L1 has a case; a row without a number holds three others."""
    running.open("L1")
    due = DAY - timedelta(days=20)
    rows = {name: OverdueRow(name, due, 100_000, 2_000, 100, 3_000_000) for name in ("L1", "L2", "L3")}
    figures = {"without_case": 2, "held_back": [HELD]}
    with writing(running.started.engine) as conn:
        (institution,) = conn.execute(institutions.select().with_only_columns(institutions.c.institution)).scalars()
        run_id = conn.execute(
            feed_runs.insert().values(
                institution=institution, as_of=DAY, status="applied", correction=False, digest="ab", actor_id="system",
                via="cli", started_at=now(), files=b"[]", figures=msgspec.json.encode(figures),
            ).returning(feed_runs.c.id)
        ).scalar_one()  # fmt: skip
        conn.execute(snapshots.insert().values(run_id=run_id, rows=pack(Snapshot(DAY, rows, {}))))
    return running


def test_the_list_names_each_loan_with_its_figures_page_by_page(after_feed: Running) -> None:
    first: Any = after_feed.get("/feeds/without-case", "B1", params={"limit": 1}).json()
    (loan,) = first["items"]
    assert (loan["loan_id"], loan["days_past_due"], loan["overdue_fen"], loan["last_case"]) == ("L2", 20, 102_100, None)
    rest = after_feed.get("/feeds/without-case", "AUD1", params={"after": first["next"]}).json()
    assert ([one["loan_id"] for one in rest["items"]], rest["next"]) == (["L3"], None)


@pytest.mark.parametrize("who", ["R1", "T1", "P1", "ADM1"])
def test_the_list_is_for_those_who_answer_for_it(after_feed: Running, who: str) -> None:
    problem(after_feed.get("/feeds/without-case", who), 403, "post_not_permitted")


def test_health_and_metrics_show_what_the_last_feed_leaves_to_be_done(after_feed: Running) -> None:
    (feed,) = after_feed.get("/health/branch", "B1").json()["feeds"]
    assert (feed["as_of"], feed["without_case"], feed["held_back"]) == ("2026-01-31", 2, [HELD])
    metrics = after_feed.get("/metrics", "B1").text
    assert f'casework_loans_without_case{{institution="{feed["institution"]}"}} 2.0' in metrics
    assert f'casework_loans_held_back{{institution="{feed["institution"]}"}} 3.0' in metrics
    assert after_feed.client.get("/health/ready").status_code == 200  # the service itself is well
