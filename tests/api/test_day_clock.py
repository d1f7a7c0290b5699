"""The service closes its days by its own clock: in order, once, and somebody hears of what is missing."""

import time as waiting
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from api.day_clock import DayClock
from casework.lifecycle.tables import days_swept
from casework.operation.alone import alone
from casework.operation.closing import close, day_due
from casework.storage.database import reading
from tests.dialler.called import SHANGHAI
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import bank, sound_bank

__all__ = ["bank", "sound_bank"]
SIX = time(6)


@pytest.fixture
def fed(bank: Bank) -> Iterator[Bank]:
    """One case; the feed of DAY is in, and that of the day after."""
    for number in range(2):
        day = DAY + timedelta(days=number)
        bank.send(day, [arrears(1, 1, on=day)], **({"loans": [loan(1)]} if number == 0 else {}))  # type: ignore[arg-type]  # rows
    yield bank
    bank.assert_sound()


def local(days: int, clock: str) -> datetime:
    return datetime.combine(DAY + timedelta(days=days), time.fromisoformat(clock), SHANGHAI)


def closed(bank: Bank) -> date | None:
    with reading(bank.started.engine) as conn:
        return conn.execute(sa.select(days_swept.c.swept_on)).scalar()


def run(bank: Bank, *instants: datetime, at: time = SIX, clocks: int = 1) -> list[dict[str, Any]]:
    """Let clocks look at each of these instants, one instant after the other; what they logged."""
    current = [instants[0]]
    started = replace(bank.started, settings=replace(bank.started.settings, sweep_at=at))
    each = [DayClock(started, clock=lambda: current[0], look_every_s=0.02) for _ in range(clocks)]
    with capture_logs() as logged:
        for clock in each:
            clock.start()
        for instant in instants:
            current[0] = instant
            waiting.sleep(0.5)
        for clock in each:
            clock.stop()
    return [dict(one) for one in logged]


@pytest.mark.parametrize(
    ("at", "when", "due"),
    [
        ("06:00", "05:59", -2), ("06:00", "06:00", -1), ("06:00", "23:59", -1),
        ("22:30", "22:29", -1), ("22:30", "22:30", 0), ("00:00", "00:00", -1),
    ],
)  # fmt: skip
def test_a_time_before_noon_closes_the_day_before(at: str, when: str, due: int) -> None:
    assert day_due(time.fromisoformat(at), local(0, when)) == DAY + timedelta(days=due)


def test_a_day_is_closed_when_its_time_has_come_and_once(fed: Bank) -> None:
    run(fed, local(1, "05:59"))
    assert closed(fed) == DAY - timedelta(days=1)
    told = run(fed, local(1, "06:00"), clocks=3)
    assert [one["event"] for one in told] == ["day_closed"]
    assert (told[0]["days"], closed(fed)) == ([DAY.isoformat()], DAY)
    assert run(fed, local(1, "18:00")) == []


def test_days_that_were_missed_while_nobody_ran_are_closed_in_order_and_a_feed_that_did_not_come_is_told(
    fed: Bank,
) -> None:
    run(fed, local(1, "06:00"))
    told = run(fed, local(4, "07:00"))
    assert told[0]["days"] == [(DAY + timedelta(days=days)).isoformat() for days in (1, 2, 3)]
    last = (DAY + timedelta(days=1)).isoformat()
    assert [(one["event"], one["log_level"], one["last"]) for one in told[1:]] == [("feed_missing", "error", last)]


def test_who_finds_another_sweep_running_steps_aside(fed: Bank) -> None:
    engine, branch = fed.started.engine, fed.started.branch
    with alone(engine, "sweep") as mine:
        assert mine
        assert close(engine, branch, DAY, clock=lambda: local(1, "06:00")).stepped_aside
        assert run(fed, local(1, "06:00")) == []
        assert closed(fed) is None
    assert not close(engine, branch, DAY, clock=lambda: local(1, "06:00")).stepped_aside
    assert closed(fed) == DAY


def test_without_a_time_the_service_closes_nothing(fed: Bank) -> None:
    clock = DayClock(fed.started, clock=lambda: local(5, "12:00"), look_every_s=0.02)
    clock.start()
    clock.stop()
    assert closed(fed) is None


def test_a_year_whose_days_off_nobody_knows_is_told(fed: Bank) -> None:
    """The library's last is 2026: from its December on, whoever closes a day hears of it."""
    told = run(fed, datetime(2026, 12, 20, 7, tzinfo=SHANGHAI))
    assert [one["years"] for one in told if one["event"] == "calendar_unknown"] == [[2027]]
