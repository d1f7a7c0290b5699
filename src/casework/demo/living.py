"""What makes the invented branch one that works today: the day after its last feed has just begun.

Yesterday's calls with two breaches among them, the close of that day, the lists of this morning; somebody is on leave,
promises are due, holds are to be reviewed, requests wait. Days off of a year that the library lacks are brought along.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from casework.clock import Clock
from casework.demo.steps import (
    APPROVER,
    ASSETS,
    CALLER,
    OFFICER,
    RISK,
    Day,
    Journey,
    called,
    cleared,
    drawn_up,
    fact,
    held,
    promised,
    repairing,
)
from casework.demo.story import owes
from casework.intake.dialler.importing import import_contacts
from casework.intake.dialler.recording import DIALLER
from casework.intake.feed.folder import read_folder
from casework.operation.distributing import distribute
from casework.operation.morning import make_lists
from casework.operation.startup import Started
from casework.operation.sweeping import sweep
from casework.people.days.loading import load_calendar, read_calendar, unknown_years
from casework.people.staff import absence
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.work.cases.case import Case, from_row
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.tables import cases

_AHEAD: Final = timedelta(days=120)
_OFF: Final = ((1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3))
"""Holidays that fall on the same days every year; the moving ones are for a branch to load."""
_CALLED: Final = 60
_RESULTS: Final = (
    "no_answer",
    "debtor",
    "busy",
    "no_answer",
    "powered_off",
    "debtor_hung_up",
    "no_answer",
    "suspended",
)
_COLUMNS: Final = (
    "contact_ref", "staff_no", "loan_id", "party", "phone", "channel", "started_at", "ended_at", "result", "recording",
)  # fmt: skip
_AWAY_DAYS: Final = 4


def after_act(days_left: int) -> tuple[Journey, ...]:
    """What happens beside the story so many days before the last feed, and is seen today."""
    if days_left == 0:
        return _LAST_DAY
    return () if days_left < 2 or days_left > 14 else (_promising("a promise broken yesterday", days_left - 1, 4),)


def of_collector(staff_no: str) -> tuple[Journey, ...]:
    """What the collector who is shown finds due among their own cases."""
    return tuple(
        replace(_promising(f"{name} to the collector who is shown", pay_in, many), lowest_dpd=1, highest_dpd=10_000,
                also=lambda case: case.owner == staff_no)
        for name, pay_in, many in (("a promise due today", 1, 2), ("a promise due tomorrow", 2, 1))
    )  # fmt: skip


def _promising(name: str, pay_in: int, many: int) -> Journey:
    """Reached by a call, they promise to pay so many days later."""
    steps = (called(0, CALLER, "debtor"), promised(CALLER, Day(pay_in)))
    return Journey(name, steps, "phone_collection", lowest_dpd=5, highest_dpd=30, many=many)


_WAITING: Final[dict[str, Any]] = {
    "criterion": "long_overdue",
    "evidence": "doc:write-off",
    "principal_fen": lambda case: case.outstanding_principal_fen,
    "interest_fen": lambda case: case.overdue_interest_fen + case.overdue_penalty_fen,
}
_LAST_DAY: Final = (
    _promising("a promise due today", 1, 3),
    _promising("a promise due tomorrow", 2, 3),
    Journey("a hold to review", (held("dispute", CALLER, Day(1)),), "phone_collection", 1, 30),
    Journey(
        "a write-off that waits for its approval",
        (cleared("write_off", ASSETS, RISK, None, **_WAITING),),
        "phone_collection", 181, many=1, also=owes,
    ),
    Journey(
        "a write-off that waits for its review",
        (cleared("write_off", ASSETS, None, None, **_WAITING),),
        "phone_collection", 181, many=1, also=owes,
    ),
    Journey("a repair under way", repairing(CALLER, "lender_records"), "phone_collection", 1, 30, many=1),
    Journey("a form that waits for its review", (drawn_up(OFFICER),), "phone_collection", 91, many=1, also=owes),
    Journey(
        "a cancellation that waits",
        (fact("opening_error", OFFICER), cleared("cancel", RISK, None, None, reason="opened_in_error")),
        "phone_collection", 1, 30, many=1,
    ),
)  # fmt: skip


def bring_days_off(started: Started, today: date, clock: Clock) -> list[int]:
    """The days off of the years that deadlines reach and the library does not know; which years that were."""
    with writing(started.engine) as conn:
        years = unknown_years(read_calendar(conn), [today, today + _AHEAD])
        if years:
            trail = started.branch.trail(clock())
            table = {day: False for year in years for day in _days_off(year)}
            load_calendar(conn, trail, system("cli"), table)
            trail.write(conn)
    return years


def _days_off(year: int) -> Iterator[date]:
    day, end = date(year, 1, 1), date(year, 12, 31)
    while day <= end:
        if day.weekday() >= 5 or (day.month, day.day) in _OFF:  # Saturday and Sunday
            yield day
        day += timedelta(days=1)


def begin_day(
    started: Started, cast: Mapping[str, Sequence[Actor]], folders: Sequence[Path], today: date, clock: Clock
) -> None:  # fmt: skip
    """Yesterday was worked and is closed; today somebody is on leave, the cases are given out, then the lists."""
    yesterday = today - timedelta(days=1)
    _away(started, cast, today, clock)
    _call(started, folders, yesterday, clock)
    sweep(started.engine, started.branch, yesterday, clock=clock)
    distribute(
        started.engine, started.branch, today, actor=system("sweep"), clock=clock
    )  # a day that is over makes no `Morning`
    with writing(started.engine) as conn:
        make_lists(conn, started.branch, today, system("sweep"), clock=clock)


def _away(started: Started, cast: Mapping[str, Sequence[Actor]], today: date, clock: Clock) -> None:
    """The second of the collectors, deputised for by the first, who has the same post."""
    first, second, *_ = cast[CALLER.post]
    with writing(started.engine) as conn:
        trail = started.branch.trail(clock())
        absence.absent(
            conn, trail, system("cli"), started.branch.rulebook.permissions, staff_no=second.id, from_on=today,
            until_on=today + timedelta(days=_AWAY_DAYS), reason="leave", deputy=first.id,
        )  # fmt: skip
        trail.write(conn)


def _call(started: Started, folders: Sequence[Path], day: date, clock: Clock) -> None:
    """What the dialler exports of yesterday: a call or two a debtor, one call too many, one too late."""
    book = {
        row.borrower_id: row.phone
        for folder in folders if (contacts := read_folder(folder).contacts)
        for row in contacts.rows if row.role == "debtor" and row.phone
    }  # fmt: skip
    fresh = CASE_ROWS.where(cases.c.state == "phone_collection", cases.c.live).order_by(
        cases.c.oldest_due_date.desc(), cases.c.id
    )
    with reading(started.engine) as conn:
        found = [one for one in map(from_row, conn.execute(fresh.limit(_CALLED * 3))) if one.borrower_id in book]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    writer.writerows(_rows(found[:_CALLED], book, day, ZoneInfo(started.branch.time_zone)))
    with writing(started.engine) as conn:
        import_contacts(
            conn, started.branch, out.getvalue().encode(), f"calls-{day}.csv", DIALLER, system("cli"),
            clock=clock,
        )  # fmt: skip


def _rows(found: Sequence[Case], book: Mapping[str, str], day: date, zone: tzinfo) -> Iterator[list[str]]:
    for number, case in enumerate(found):
        minutes = [(9, 5), (15, 20)][: 1 + number % 2]
        results = [_RESULTS[(number + turn) % len(_RESULTS)] for turn in range(len(minutes))]
        if number == 0:  # more connected calls than a day allows
            minutes, results = [(9, 5), (10, 40), (14, 15), (16, 30)], ["debtor"] * 4
        elif number == 1:  # after the hour from which nobody is called
            minutes, results = [(22, 25)], ["no_answer"]
        for turn, ((hour, minute), result) in enumerate(zip(minutes, results, strict=True)):
            at = datetime.combine(day, time(hour, minute), zone) + timedelta(seconds=number * 7)
            yield [
                f"{day:%Y%m%d}-{case.id}-{turn + 1}", case.handler, case.loan_id, "debtor", book[case.borrower_id],
                "call", at.isoformat(), (at + timedelta(seconds=40)).isoformat(), result,
                f"rec:{day:%Y%m%d}-{case.id}-{turn + 1}",
            ]  # fmt: skip


PERSONAS: Final = (
    CALLER.post, RISK.post, APPROVER.post, ASSETS.post, "agency_post", "business_rep", "auditor", "administrator",
)  # fmt: skip
"""Whom to log in as: the first of each post."""
