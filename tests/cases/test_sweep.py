"""The sweep fires what days alone have made due, and leaves no refusals behind."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.engine import Connection, Engine

from casework.cli import main
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire
from casework.lifecycle.tables import institutions
from casework.log.tables import entries
from casework.operation import startup
from casework.people.staff.actor import Actor, system
from casework.people.staff.tables import staff
from casework.settings import Settings, load_keys
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch
from casework.work.cases.commands import Command, Measure, OpenCase
from casework.work.cases.sweep import sweep, swept_events
from casework.work.cases.tables import cases
from tests.contacted import contact_day

DUE = date(2026, 1, 1)
COLLECTOR = Actor("T1", "staff", "api", frozenset({"phone_collector"}))


@pytest.fixture
def branch(settings: Settings) -> Branch:
    return startup.branch_of(settings, load_keys(settings.keys_dir))


def business_date(conn: Connection, day: date) -> None:
    conn.execute(institutions.delete())
    conn.execute(institutions.insert().values(institution="wuhan", business_date=day))


def opening(loan_id: str) -> OpenCase:
    loan = dict.fromkeys(("product", "channel_code", "team", "region"))
    measure = {
        "oldest_due_date": DUE.isoformat(), "bucket": "M1", "overdue_principal_fen": 100_00,
        "overdue_interest_fen": 0, "overdue_penalty_fen": 0, "outstanding_principal_fen": 60_000_00,
        "risk_class": None, "npl_since": None,
    }  # fmt: skip
    named = {"loan_id": loan_id, "institution": "wuhan", "borrower_id": f"B{loan_id}", "owner": "T1"}
    return OpenCase(actor=system("feed"), ground="arrears", loan=loan | named, measure=measure)


def unanswered_days(case_id: int, first: date, days: int) -> list[Command]:
    return [contact_day(case_id, first + timedelta(days=day)) for day in range(days)]


def states(engine: Engine) -> list[str]:
    with reading(engine) as conn:
        return [row.state for row in conn.execute(sa.select(cases.c.state).order_by(cases.c.id))]


def test_events_that_wait_for_days_alone_are_read_off_the_chart(branch: Branch) -> None:
    """Only what the service alone may fire, without data, is swept."""
    assert [event.name for event in swept_events(branch)] == ["mark_lost", "archive"]


@pytest.mark.every_postgres
def test_a_sweep_marks_lost_whom_five_days_did_not_reach_and_nobody_else(engine: Engine, branch: Branch) -> None:
    """The case with five qualifying days is marked lost, the one with four is left alone, no refusal is written."""
    with writing(engine) as conn:
        added = datetime.now(UTC)
        conn.execute(staff.insert().values(staff_no="T1", name="T1", status="active", added_at=added))
        business_date(conn, DUE + timedelta(days=1))
        opened = advance(conn, [opening("L1"), opening("L2")], branch)
        business_date(conn, DUE + timedelta(days=8))
        assert all(isinstance(outcome, Done) for outcome in opened)
        first = DUE + timedelta(days=4)
        calls = [*unanswered_days(1, first, 5), *unanswered_days(2, first, 4)]
        assert all(isinstance(outcome, Done) for outcome in advance(conn, calls, branch))
    assert sweep(engine, branch, {"wuhan": DUE + timedelta(days=8)}) == {"mark_lost": 1, "archive": 0}
    assert states(engine) == ["lost_contact", "phone_collection"]
    with reading(engine) as conn:
        refusals = sa.select(sa.func.count()).where(entries.c.reason_code.is_not(None))
        assert conn.execute(refusals).scalar_one() == 0


def test_a_sweep_archives_when_the_reversal_window_is_over(engine: Engine, branch: Branch) -> None:
    """On the last day of the window nothing happens; on the day after it the case is closed as archived."""
    settled_on = DUE + timedelta(days=10)
    with writing(engine) as conn:
        added = datetime.now(UTC)
        conn.execute(staff.insert().values(staff_no="T1", name="T1", status="active", added_at=added))
        business_date(conn, settled_on)
        advance(conn, [opening("L1")], branch)
        settle = Fire(actor=system("feed"), id=1, event="arrears_cleared", data={"previous_as_of": DUE.isoformat()})
        cleared = dict(opening("L1").measure) | {
            "oldest_due_date": None,
            "bucket": "M0",
            "overdue_principal_fen": 0,
        }
        outcomes = advance(conn, [Measure(actor=system("feed"), id=1, measure=cleared, run=1), settle], branch)
        assert all(isinstance(outcome, Done) for outcome in outcomes)
    for days, expected in ((180, "settled"), (181, "closed")):
        with writing(engine) as conn:
            business_date(conn, settled_on + timedelta(days=days))
        sweep(engine, branch, {"wuhan": settled_on + timedelta(days=days)})
        assert states(engine) == [expected]


def test_the_sweep_tells_what_it_fired(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command names each swept event with its number, and as JSON too."""
    startup.upgrade(settings, system("cli"))
    monkeypatch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))
    told = CliRunner().invoke(main, ["sweep"])
    assert told.exit_code == 0
    assert told.output.startswith("mark_lost 标记失联: 0\narchive 归档: 0\n")
    machine = CliRunner().invoke(main, ["sweep", "--json"])
    assert msgspec.json.decode(machine.output)["fired"] == {"mark_lost": 0, "archive": 0}
