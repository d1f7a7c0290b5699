"""The service closes its days and makes its mornings by its own clock: in order, once, and what is missing is told."""

import threading
import time as waiting
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from api.day_clock import DayClock
from casework.errors import CallerError
from casework.lifecycle.tables import days_swept
from casework.operation.alone import alone
from casework.operation.closing import close, day_due
from casework.operation.morning import make_lists, make_morning
from casework.people.staff.actor import system
from casework.storage.database import reading, writing
from casework.work.tasks.making import edition_of
from casework.work.tasks.tables import mornings, tasks
from tests.dialler.called import SHANGHAI
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import bank, sound_bank

__all__ = ["bank", "sound_bank"]
SIX = time(6)
LOOKS = 4


@pytest.fixture
def fed(bank: Bank) -> Iterator[Bank]:
    """One case of the rep S1, to be called by T1, the branch's one phone collector; the feeds of two days are in."""
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


class Rounds(threading.Event):
    """What a clock waits on between two looks: it counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.ended += 1
        return super().wait(timeout)


def run(bank: Bank, *instants: datetime, at: time = SIX, clocks: int = 1) -> list[dict[str, Any]]:
    """Let clocks look some times at each of these instants, one instant after the other; what they logged."""
    current = [instants[0]]
    started = replace(bank.started, settings=replace(bank.started.settings, sweep_at=at))
    each = [DayClock(started, clock=lambda: current[0], look_every_s=0.02) for _ in range(clocks)]
    rounds = [Rounds() for _ in each]
    for clock, counted in zip(each, rounds, strict=True):
        clock._stop = counted
    with capture_logs() as logged:
        for clock in each:
            clock.start()
        for instant in instants:
            current[0] = instant
            enough = [counted.ended + 1 + LOOKS for counted in rounds]  # one may have begun before
            until = waiting.monotonic() + 60
            while any(counted.ended < wanted for counted, wanted in zip(rounds, enough, strict=True)):
                assert waiting.monotonic() < until, "a clock looks no more"
                waiting.sleep(0.005)
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
    assert [one["event"] for one in run(fed, local(1, "18:00"))] == ["morning_made"]
    assert run(fed, local(1, "18:01")) == []


def test_a_morning_is_made_after_its_close_at_the_policys_hour_and_once(fed: Bank) -> None:
    """At half past seven; three processes look, one makes it: cases given out, then the lists."""
    run(fed, local(1, "06:00"))
    assert run(fed, local(1, "07:29")) == []
    told = run(fed, local(1, "07:30"), local(1, "12:00"), clocks=3)
    assert [(one["event"], one["on"], one["moves"]) for one in told] == [("morning_made", day_text(1), 1)]
    assert told[0]["tasks"] == 2, "to call, and to visit"
    assert made(fed) == [(DAY + timedelta(days=1), 1)]
    assert {one.list_of for one in on_list(fed)} == {"T1"}, "the list is made after the cases were given out"


def test_a_morning_that_was_missed_while_nobody_ran_is_made_as_soon_as_somebody_does(fed: Bank) -> None:
    """Its day before is closed first; mornings of days that are over are nobody's any more."""
    told = run(fed, local(3, "11:00"))
    assert [one["event"] for one in told if one["log_level"] == "info"] == ["day_closed", "morning_made"]
    assert made(fed) == [(DAY + timedelta(days=3), 1)]


def test_a_morning_waits_until_the_day_before_is_closed(fed: Bank) -> None:
    """Told once: a clock that closes days later than mornings begin is set wrong."""
    told = run(fed, local(1, "07:30"), local(1, "07:31"), at=time(11))
    assert [one["code"] for one in told if one["event"] == "day_clock"] == ["day_not_closed"]
    assert made(fed) == []
    told = run(fed, local(1, "11:00"), at=time(11))
    assert [one["event"] for one in told] == ["day_closed", "morning_made"]


def test_whoever_asked_for_their_list_before_gets_the_one_after_the_cases_were_given_out(fed: Bank) -> None:
    """A further edition of the same morning."""
    run(fed, local(1, "06:00"))
    on, early = DAY + timedelta(days=1), local(1, "06:30")
    with writing(fed.started.engine) as conn:
        make_lists(conn, fed.started.branch, on, system("api"), clock=lambda: early)
    assert {one.list_of for one in on_list(fed)} == {"S1"}
    run(fed, local(1, "07:30"))
    assert {one.list_of for one in on_list(fed)} == {"T1"}
    with reading(fed.started.engine) as conn:
        assert edition_of(conn, on) == 2


def test_who_finds_another_at_the_morning_steps_aside_and_an_open_day_or_one_that_is_over_is_refused(
    fed: Bank,
) -> None:
    engine, branch, on = fed.started.engine, fed.started.branch, DAY + timedelta(days=1)

    def morning(day: date, at: datetime) -> Any:
        return make_morning(engine, branch, day, system("cli"), clock=lambda: at)

    for day, at, code in ((on, local(1, "08:00"), "day_not_closed"), (on, local(2, "08:00"), "day_over")):
        with pytest.raises(CallerError) as refused:
            morning(day, at)
        assert refused.value.code == code
    run(fed, local(1, "06:00"))
    with alone(engine, "morning") as mine:
        assert mine
        assert morning(on, local(1, "08:00")).stepped_aside
        assert run(fed, local(1, "08:00")) == []
    assert not morning(on, local(1, "08:00")).stepped_aside
    assert morning(on, local(1, "08:01")).stepped_aside
    assert len(made(fed)) == 1


def day_text(days: int) -> str:
    return (DAY + timedelta(days=days)).isoformat()


def made(bank: Bank) -> list[tuple[date, int]]:
    with reading(bank.started.engine) as conn:
        return [(row.day, row.moves) for row in conn.execute(sa.select(mornings).order_by(mornings.c.day))]


def on_list(bank: Bank) -> list[Any]:
    """Whom to call by the newest edition of the morning after DAY."""
    on = DAY + timedelta(days=1)
    with reading(bank.started.engine) as conn:
        newest = sa.select(tasks).where(
            tasks.c.day == on, tasks.c.edition == edition_of(conn, on), tasks.c.task == "dial"
        )
        return list(conn.execute(newest))


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
