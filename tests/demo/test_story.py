"""The demo's story: every state is reached through the real doors, and the log verifies after it."""

import shutil
from collections import Counter
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.engine import Connection

from casework.cli import main
from casework.clock import branch_date, now
from casework.demo.place import environment, fresh
from casework.demo.stage import before, perform
from casework.demo.story import JOURNEYS
from casework.errors import CallerError
from casework.evidence.evening.of_day import ledger_of
from casework.evidence.past.instant import read_instant
from casework.evidence.past.one_case import case_as_of
from casework.evidence.past.portfolio import PortfolioFilter
from casework.evidence.past.whole import portfolio_as_of
from casework.evidence.verifying import verify
from casework.intake.feed.past_arrears import past_arrears
from casework.log.tables import entries
from casework.operation.alarms import visits_not_ended
from casework.operation.distributing import distribute
from casework.operation.startup import start, upgrade
from casework.people.days.loading import read_calendar, unknown_years
from casework.people.identity.holding import holder_of
from casework.people.staff.actor import system
from casework.people.staff.listing import members
from casework.people.staff.permissions import Reach
from casework.people.staff.tokens import hash_of
from casework.settings import Settings
from casework.storage.database import reading
from casework.work.cases.branch import Branch
from casework.work.cases.case import from_row
from casework.work.cases.filter import BusinessDates, CaseFilter
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.lifecycles import DISPOSALS, PROMISES, VISITS
from casework.work.cases.queries import walk_cases
from casework.work.cases.repairing import REPAIRS
from casework.work.cases.route import route_of
from casework.work.cases.tables import cases
from casework.work.four_eyes.tables import requests
from casework.work.gate.found import found
from casework.work.photos.drawing import CHECK
from casework.work.photos.tables import photos
from casework.work.tasks.tables import tasks
from tests.conftest import Database
from tests.console.browser import months_copy, performed
from tests.test_documents import papers_demo


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Nobody watches."""


def _the_log_alone_tells_what_the_lists_show(conn: Connection, branch: Branch) -> None:
    instant = read_instant("now", branch.time_zone, now())
    dates = BusinessDates(conn, branch)
    walk = walk_cases(conn, dates, CaseFilter(), within=Reach(everything=True), sort="id", at_most=10_000)
    listed: Counter[tuple[str, str]] = Counter()
    for line in (line for lines in walk for line in lines):
        listed[line.state, line.bucket] += 1
        then = case_as_of(conn, branch, line.id, instant)
        for name in ("state", "owner", "handler", "overdue_fen", "days_past_due", "version", "last_entry_at"):
            assert getattr(then, name) == getattr(line, name), (line.id, name)
    told: Counter[tuple[str, str]] = Counter()
    for cell in portfolio_as_of(conn, branch, instant, PortfolioFilter()).by_state_and_bucket:
        told[cell.state, cell.bucket_recorded] += cell.cases
    assert told == listed


def test_the_story_reaches_every_state_and_leaves_a_sound_log(settings: Settings, tmp_path: Path) -> None:
    upgrade(settings, system("cli"))
    started = start(settings)
    told = perform(started, tmp_path / "feeds", seed=3, loans_number=400, days=13, progress=_silent)

    chart = started.branch.rulebook.chart
    with reading(started.engine) as conn:
        assert set(conn.scalars(sa.select(cases.c.state))) == set(chart.states)
    assert {journey.name for journey in JOURNEYS} < set(told.cases)
    assert all(told.cases[journey.name] for journey in JOURNEYS), "a journey nobody went on shows nothing"
    with reading(started.engine, snapshot=True) as conn:
        report = verify(conn, started.branch.mac_key, started.branch.vault)
        ended = [from_row(row) for row in conn.execute(CASE_ROWS.where(cases.c.state.in_(("settled", "closed"))))]
        ways = {case.ended_as for case in ended}
        noted = conn.execute(sa.select(entries.c.id).where(entries.c.event == "case.noted")).all()
        refused = conn.execute(sa.select(entries.c.event).where(entries.c.event.like("case.refused.%"))).all()
        _the_log_alone_tells_what_the_lists_show(conn, started.branch)
        today = started.branch.today(now())
        held = {post for member in members(conn, today) for post in member.posts}
        policy = started.branch.rulebook.policies.at(today)
        holders = {
            post: holder_of(conn, hash_of(token), now(), started.branch.mac_key, today=today, policy=policy)
            for post, (_, token) in told.tokens.items()
        }
    started.engine.dispose()
    assert report.verdict == "sound", report.findings
    assert {"arrears_cleared", "paid_in_full", "compromise", "transferred", "cancelled"} <= ways
    assert noted
    assert len({event for (event,) in refused}) >= 8
    assert held == (set(chart.posts) - {"system"}) | {"auditor", "administrator", "customer_service", "channel_post"}
    assert {post: holder.actor.posts for post, holder in holders.items() if holder} == {
        "phone_collector": {"phone_collector"}, "auditor": {"auditor"},
    }  # fmt: skip


def test_the_command_makes_a_branch_shows_it_and_may_be_repeated(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = papers_demo(run_folder, "2024-07-01") / "demo"  # by the same command
    earlier = shutil.copytree(made, tmp_path / "branch")
    database = (earlier / "casework.db").read_bytes()
    monkeypatch.setenv("CASEWORK_DATABASE_URL", "")
    shown = CliRunner().invoke(main, ["demo", "--folder", str(earlier), "--loans", "1000"])
    assert shown.exit_code == 0, shown.output
    for heading in ("The portfolio", "The last feed", "The story of case", "Refused, and on record"):
        assert heading in shown.stdout
    assert "The log verifies:" in shown.stdout
    assert shown.stdout.count("cw_") == 2
    assert (earlier / "casework.db").read_bytes() != database


def test_a_demo_never_goes_into_a_database_that_holds_something(settings: Settings, tmp_path: Path) -> None:
    earlier = tmp_path / "branch" / "feeds"
    fresh(earlier.parent)
    earlier.mkdir()
    given = {"CASEWORK_DATABASE_URL": settings.database_url, "CASEWORK_KEYS_DIR": str(settings.keys_dir)}
    refused = CliRunner().invoke(main, ["demo", "--folder", str(tmp_path / "branch")], env=given)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("database_not_empty: ")
    assert earlier.exists(), "a refusal takes nothing away"


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CallerError) as caught:
        fresh(tmp_path)
    assert caught.value.code == "folder_not_empty"
    assert (tmp_path / "thesis.txt").exists()


def test_serving_the_demo_means_the_database_in_its_folder_unless_another_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CASEWORK_DATABASE_URL", raising=False)
    assert environment(Path("demo")) == {"CASEWORK_DATABASE_URL": "sqlite:///demo/casework.db"}
    monkeypatch.setenv("CASEWORK_DATABASE_URL", "sqlite:///other.db")
    assert environment(Path("demo")) == {}


def test_the_day_after_the_month_is_one_to_be_worked(
    settings: Settings, database: Database, run_folder: Path, tmp_path: Path
) -> None:
    """Cases given out, lists out, promises due, somebody on leave; requests, breaches, holds wait for a review.

    Repairs found something, nothing, or are under way; forms wait or were accepted.
    """
    told = months_copy(run_folder, tmp_path) if database.is_sqlite else performed(settings, tmp_path)
    started = start(settings)
    today = started.branch.today(now())
    left = distribute(started.engine, started.branch, today, actor=system("cli"), dry_run=True)
    assert (left.moves, left.cases > 0) == ([], True)
    with reading(started.engine, snapshot=True) as conn:
        listed = set(conn.execute(sa.select(tasks.c.task).where(tasks.c.day == today)).scalars())
        due = conn.execute(
            sa.select(PROMISES.table.c.id).where(PROMISES.table.c.live, PROMISES.table.c.pay_by == today)
        )
        away = {one.staff_no: one.deputy for one in members(conn, today) if one.away_until}
        waiting = Counter(conn.execute(sa.select(requests.c.state).where(requests.c.what == "write_off")).scalars())
        broken = list(found(conn, started.branch, past_arrears, today - timedelta(days=1), today - timedelta(days=1)))
        assert {
            "broken_promise",
            "promise_due",
            "hold_review",
            "hold_confirm",
            "breach_review",
            "dial",
        } <= listed
        assert due.first() is not None
        assert set(away.values()) == {told.personas["phone_collector"]}
        assert (waiting["asked"], waiting["reviewed"]) == (1, 1)
        assert {rule for one in broken for rule in one.rules} >= {"X1", "X2"}
        assert unknown_years(read_calendar(conn), [today + timedelta(days=120)]) == []
        assert verify(conn, started.branch.mac_key, started.branch.vault).verdict == "sound"
        assert told.next_feed.name == today.isoformat()
        states = [set(conn.execute(sa.select(noun.table.c.state)).scalars()) for noun in (REPAIRS, DISPOSALS)]
        assert states == [{"found", "nothing", "under_way"}, {"filed", "accepted"}]
        of_sources = sa.select(entries.c.reason_code).where(entries.c.event == "repair.refused.try_source")
        assert set(conn.execute(of_sources).scalars()) == {"source_lawful"}
        assert [one for one in ledger_of(conn, started.branch, today).whole().cases if one.is_unrepaired]
        _visits_are_there_to_be_gone_on_with(conn, started.branch, told.personas["business_rep"])
        _nothing_is_written_later_than_what_follows_it(conn, started.branch)
    started.engine.dispose()


def _visits_are_there_to_be_gone_on_with(conn: Connection, branch: Branch, rep: str) -> None:
    """Today's route with a visit under way by day and ended at night, and one where a risk is known; each review."""
    at = now().astimezone(ZoneInfo(branch.time_zone))
    visit, today = VISITS.table.c, at.date()
    taken = sa.select(sa.func.count()).where(photos.c.visit_id == visit.id).scalar_subquery()
    told = sa.select(visit.visit_on, visit.state, visit.risk_acknowledged, visit.recheck_since.is_not(None), taken)
    found = sorted((str(row[0]), *row[1:]) for row in conn.execute(told))
    at_night = (str(today), "ended", False, False, 2)  # the last begins at 20:00 and takes 35 minutes
    by_day = at_night if at_night in found else (str(today), "under_way", False, False, 2)
    assert at.time() < time(9) or by_day in found
    assert at.time() >= time(20, 35) or at_night not in found
    assert at.time() < time(21) or at_night in found
    assert visits_not_ended(conn, branch, at) == []
    assert found == sorted([
        (str(today - timedelta(days=2)), "accepted", False, True, 2),
        (str(today - timedelta(days=2)), "returned", False, False, 2),
        (str(today - timedelta(days=1)), "reported", False, False, 2),
        by_day if by_day in found else (str(today), "planned", False, False, 0),
        (str(today), "planned", True, False, 0),
    ])  # fmt: skip
    route = route_of(conn, today, rep, within=Reach(everything=True))
    assert [one.stop for one in route.stops] == [1, 2]
    checks = set(conn.execute(sa.select(tasks.c.list_of).where(tasks.c.ref == CHECK)).scalars())
    assert checks == {"basic_risk_manager"}


def _nothing_is_written_later_than_what_follows_it(conn: Connection, branch: Branch) -> None:
    """Entries in the order of their times, each on its business date or the day after; a form before its review."""
    written = [
        msgspec.json.decode(body) for body in conn.execute(sa.select(entries.c.body).order_by(entries.c.id)).scalars()
    ]
    times = [one["recorded_at"][:16] for one in written]  # to the minute: an act and what follows it take their turns
    assert times == sorted(times)
    days = {
        (branch_date(datetime.fromisoformat(one["recorded_at"]), branch.time_zone) - date.fromisoformat(on)).days
        for one in written if (on := one["data"].get("business_date"))
    }  # fmt: skip
    assert days == {0, 1}
    form = DISPOSALS.table.c
    for filed_at, reviewed_on in conn.execute(
        sa.select(form.filed_at, form.reviewed_on).where(form.state == "accepted")
    ):
        assert branch_date(filed_at, branch.time_zone) == reviewed_on


def test_a_day_to_come_is_none_that_a_demo_can_begin(settings: Settings, tmp_path: Path) -> None:
    upgrade(settings, system("cli"))
    started = start(settings)
    with pytest.raises(CallerError) as caught:
        perform(
            started, tmp_path, seed=1, loans_number=1_000, progress=_silent,
            today=started.branch.today(now()) + timedelta(days=1),
        )  # fmt: skip
    started.engine.dispose()
    assert caught.value.code == "day_to_come"


def test_of_a_day_that_has_passed_nobody_is_still_on_a_visit(settings: Settings, tmp_path: Path) -> None:
    """The visit that would be under way has ended, and nothing raises the alarm of X9 since."""
    on = now().date() - timedelta(days=2)
    upgrade(settings, system("cli"), clock=lambda: before(on))
    started = start(settings)
    perform(started, tmp_path / "feeds", seed=3, loans_number=400, days=13, today=on, progress=_silent)
    with reading(started.engine, snapshot=True) as conn:
        visit = VISITS.table.c
        of_day = sa.select(visit.state).where(visit.visit_on == on)
        assert conn.execute(of_day.order_by(visit.id)).scalars().first() == "ended"
        assert visits_not_ended(conn, started.branch, now()) == []
        assert verify(conn, started.branch.mac_key, started.branch.vault).verdict == "sound"
    started.engine.dispose()
