"""`casework sweep`: for cron, once a day after the feed."""

from datetime import datetime, timedelta
from typing import Final

import click
import msgspec
from rich.progress import Progress, SpinnerColumn, TextColumn

from casework.cli.calendar import warn_of
from casework.cli.shell import as_json, console, errors, print_json, progress_wanted, started
from casework.operation.sweeping import sweep
from casework.people.days.loading import read_calendar, unknown_years
from casework.storage.database import reading, writing
from casework.work.four_eyes.requests import expire_due
from casework.work.handover.sweep import Swept, sweep_departures

_AHEAD: Final = timedelta(days=31)
"""How long before a year without a calendar begins it is told."""


@click.command()
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="The day to close (default: the business date).")
@as_json
def cli(day: datetime | None, json_: bool) -> None:
    """Close a day: fire what has become due by it. Promises, holds, lost contact, archiving, requests, departures.

    Run it daily, after the feed and the contact files. Days that were missed are closed first, in order; a day closed
    again changes nothing, and a day before the last is refused. Which events of cases these are is read off the chart.
    What is not due is left alone and leaves no trace. Who leaves within days without an approved plan is told.

    \b
    Examples:
      casework sweep
      casework sweep --date 2026-03-09 --json
    """
    columns = SpinnerColumn(), TextColumn("{task.completed} cases looked at")
    with started() as branch, Progress(*columns, console=errors, transient=True, disable=not progress_wanted()) as bar:
        task = bar.add_task("", total=None)
        swept = sweep(
            branch.engine, branch.branch, day.date() if day else None,
            progress=lambda done: bar.update(task, completed=done),
        )  # fmt: skip
        with writing(branch.engine) as conn:
            expired = expire_due(conn, branch.branch)
        departures = sweep_departures(branch.engine, branch.branch)
        with reading(branch.engine) as conn:
            ahead = [day + _AHEAD for day in swept.days[-1:]]
            unknown = unknown_years(read_calendar(conn), [*swept.days, *ahead])
        charts = branch.branch.rulebook.charts
        main = branch.branch.rulebook.chart.name
    if json_:
        told = {"fired": swept.fired, "expired_requests": expired, "departures": msgspec.to_builtins(departures)}
        print_json(told | {"days": swept.days, "without_feed": swept.without_feed, "unknown_years": unknown})
        warn_of(unknown)
        return
    for event, number in swept.fired.items():
        word, _, name = event.rpartition(".")
        console.print(f"{event} {charts[word or main].events[name].zh}: {number}")
    console.print(f"requests expired 申请失效: {expired}")
    for institution, last in swept.without_feed.items():
        errors.print(f"{institution}: the last feed is of {last} 最近一次数据为{last}", markup=False)
    warn_of(unknown)
    _tell(departures)


def _tell(departures: Swept) -> None:
    for done in departures.applied:
        console.print(f"hand-over {done.handover} applied 移交已执行: {done.cases:,} cases")
    for replanned in departures.replanned:
        console.print(f"hand-over {replanned.handover} planned anew as {replanned.by}: approve it 须重新审批")
    for failed in departures.failed:
        errors.print(f"hand-over {failed.handover} could not be applied: {failed.code}", markup=False)
    for one in departures.ahead:
        when = f"leaves on {one.leaves_on}" if one.days_left >= 0 else f"should have left on {one.leaves_on}"
        plan = f"plan {one.handover} is not approved" if one.handover else "no plan"
        errors.print(f"{one.staff_no} {when}, {one.cases:,} cases, {plan} 尚无已审批的移交计划", markup=False)
