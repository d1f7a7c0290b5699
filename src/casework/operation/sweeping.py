"""The sweep closes a day: promises judged, holds that end, cases, duties, breaches (docs/day.md §1: in this order).

A day is closed after its feed and its contact files. Days that were missed are closed first, in order; a day closed
again finds what became known since, and nothing else. The day of work and that of the last snapshot are two: a feed
that does not come holds up no sweep.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from sqlalchemy.engine import Connection, Engine

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.evidence.evening.closing import keep
from casework.intake.dialler.learning import learn_days, reach_again
from casework.intake.feed.past_arrears import past_arrears
from casework.intake.feed.promised import judge
from casework.lifecycle.sweep import fire_due
from casework.lifecycle.tables import days_swept
from casework.people.days.loading import is_outage
from casework.storage import rows
from casework.storage.database import reading, writing
from casework.storage.garbage import seldom_collected
from casework.work.cases import sweep as of_cases
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates, days_closed
from casework.work.cases.lifecycles import PROMISES
from casework.work.duties.debtor import forbidden
from casework.work.duties.taking import take
from casework.work.gate.announcing import announce
from casework.work.gate.limits import limits_of

MARK_LOST: Final = "mark_lost"


@dataclass(slots=True)
class Swept:
    """How many of each event of cases, and as `<noun>.<event>` of what else has a chart; which days were closed.

    `without_feed`: institutions whose last feed is of a day before the one that was closed, and that day.
    """

    fired: dict[str, int] = field(default_factory=dict)
    days: list[date] = field(default_factory=list)
    without_feed: dict[str, date] = field(default_factory=dict)


@seldom_collected()
def sweep(
    engine: Engine, branch: Branch, day: date | None = None, *, clock: Clock = now,
    progress: Callable[[int], None] = lambda _: None,
) -> Swept:  # fmt: skip
    """Close `day` for every institution (none: its business date) and the days before it that nobody closed.

    CallerErrors `day_swept` for a day before the last, `day_to_come`.
    """
    swept = Swept(dict.fromkeys((event.name for event in of_cases.swept_events(branch)), 0))
    if day is not None and day > branch.today(clock()):
        raise CallerError("day_to_come", day=str(day))
    with reading(engine) as conn:
        dates = business_dates(conn)
        todo = _todo(dates, days_closed(conn), day)
    for days in _in_order(todo):
        _close(engine, branch, days, swept.fired, clock, progress)
        swept.days.append(next(iter(days.values())))
    swept.without_feed = {name: dates[name] for name, (_, last) in todo.items() if dates[name] < last}
    return swept


def _todo(
    dates: Mapping[str, date], closed: Mapping[str, date], day: date | None
) -> dict[str, tuple[date, date]]:  # fmt: skip
    """By institution the first and the last day to close."""
    todo = {}
    for name, business_date in dates.items():
        before = closed.get(name)
        last = day or max(business_date, before or business_date)
        if before is not None and last < before:
            raise CallerError("day_swept", day=str(last), last=str(before))
        todo[name] = (last if before is None or before == last else before + timedelta(days=1), last)
    return todo


def _in_order(todo: Mapping[str, tuple[date, date]]) -> Iterator[dict[str, date]]:
    """Day by day, each with the institutions that it is to be closed for."""
    on = min((first for first, _ in todo.values()), default=date.max)
    end = max((last for _, last in todo.values()), default=date.min)
    while on <= end:
        days = {name: on for name, (first, last) in todo.items() if first <= on <= last}
        if days:
            yield days
        on += timedelta(days=1)


def _close(
    engine: Engine, branch: Branch, days: Mapping[str, date], fired: dict[str, int], clock: Clock,
    progress: Callable[[int], None],
) -> None:  # fmt: skip
    with writing(engine) as conn:
        for institution in sorted(days):
            _add(fired, judge(conn, branch, institution, via="sweep", clock=clock), PROMISES.word)
    for noun in branch.nouns[1:]:
        with writing(engine) as conn:
            _add(fired, fire_due(conn, branch, noun, dict(days), clock=clock), noun.word)
    for institution, day in sorted(days.items()):
        _learn(engine, branch, institution, day, clock)
    without = _without(engine, branch, next(iter(days.values())))
    _add(fired, of_cases.sweep(engine, branch, days, without=without, clock=clock, progress=progress))
    for institution, day in sorted(days.items()):
        with writing(engine) as conn:
            if (taken := take(conn, branch, institution, day, clock=clock)) is not None:
                keep(conn, branch, institution, day, taken, clock=clock)
            _add(fired, reach_again(conn, branch, institution, day, clock=clock))
    with writing(engine) as conn:
        announce(conn, branch, past_arrears, next(iter(days.values())), clock=clock)
    with writing(engine) as conn:
        _closed(conn, days)


def _learn(engine: Engine, branch: Branch, institution: str, day: date, clock: Clock) -> None:
    """What cases learn of the days that can make them lost today."""
    looked_at: int = branch.rulebook.policies.at(day).figure("lost_contact.qualifying_days")
    with writing(engine) as conn:
        learn_days(conn, branch, institution, day - timedelta(days=looked_at - 1), day, clock=clock)


def _without(engine: Engine, branch: Branch, day: date) -> frozenset[str]:
    """Nobody is marked lost where one of the days that would have to be silent is excused (1.3.1c).

    By an outage, or because the policy had no hour in which anybody may be called.
    """
    policies = branch.rulebook.policies
    looked_at: int = policies.at(day).figure("lost_contact.qualifying_days")
    days = [day - timedelta(days=back) for back in range(looked_at)]
    with reading(engine) as conn:
        excused = any(forbidden(limits_of(policies.at(one))) is not None or is_outage(conn, one) for one in days)
    return frozenset({MARK_LOST} if excused else ())


def _closed(conn: Connection, days: Mapping[str, date]) -> None:
    held = sorted(days.items())
    rows.insert_many(conn, days_swept, held, ("institution", "swept_on"), skip_existing=True)
    rows.update_many(conn, days_swept, "institution", held, ("swept_on",))


def _add(fired: dict[str, int], more: Mapping[str, int], word: str = "") -> None:
    for event, number in more.items():
        name = f"{word}.{event}" if word else event
        fired[name] = fired.get(name, 0) + number
