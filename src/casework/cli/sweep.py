"""`casework sweep`: for cron, once a day after the feed."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from casework.cli.calendar import warn_of
from casework.cli.changing import day
from casework.cli.shell import as_json, console, errors, print_json, progress_wanted, started

if TYPE_CHECKING:
    from casework.operation.closing import Closed
    from casework.work.handover.sweep import Swept


@click.command()
@click.option("--on", "--date", "day", type=day, help="The day to close (default: the business date).")
@as_json
def cli(day: datetime | None, json_: bool) -> None:
    """Close a day: fire what has become due by it. Promises, holds, lost contact, archiving, requests, departures.

    Run it daily, after the feed and the contact files. Days that were missed are closed first, in order; a day closed
    again changes nothing, and a day before the last is refused. Which events of cases these are is read off the chart.
    What is not due is left alone and leaves no trace. Of several at once one runs, the others
    step aside. Who leaves within days without an approved plan is reported.

    \b
    Examples:
      casework sweep
      casework sweep --on 2026-03-09 --json
    """
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from casework.operation.closing import close

    columns = SpinnerColumn(), TextColumn("{task.completed} cases looked at")
    with started() as branch, Progress(*columns, console=errors, transient=True, disable=not progress_wanted()) as bar:
        task = bar.add_task("", total=None)
        done = close(
            branch.engine, branch.branch, day.date() if day else None,
            progress=lambda done: bar.update(task, completed=done),
        )  # fmt: skip
        charts = branch.branch.rulebook.charts
        main = branch.branch.rulebook.chart.name
    swept = done.swept
    if json_:
        print_json(_as_json(done))
        _tell_trouble(done)
        warn_of(done.unknown_years)
        return
    if done.stepped_aside:
        errors.print("another sweep is running, this one steps aside 另有日终处理正在进行，本次不再执行", markup=False)
        return
    for event, number in swept.fired.items():
        word, _, name = event.rpartition(".")
        console.print(f"{event} {charts[word or main].events[name].zh}: {number}")
    console.print(f"requests expired 申请失效: {done.expired}")
    for institution, last in swept.without_feed.items():
        errors.print(
            f"{institution}: the last feed is of {last}: nothing is placed until one comes (policy), calls go on "
            f"最近一次数据为{last}；数据到达前按策略停止委外，拨打不受影响", markup=False,
        )  # fmt: skip
    _tell_trouble(done)
    warn_of(done.unknown_years)
    _tell(done.departures)


def _as_json(done: "Closed") -> dict[str, Any]:
    import msgspec

    return {
        "fired": done.swept.fired, "expired_requests": done.expired,
        "departures": msgspec.to_builtins(done.departures), "days": done.swept.days,
        "without_feed": done.swept.without_feed, "unknown_years": done.unknown_years,
        "stepped_aside": done.stepped_aside,
    }  # fmt: skip


def _tell_trouble(done: "Closed") -> None:
    if done.file_trouble is not None:
        errors.print(f"files that are to go are still there 待删除的文件仍在文件库: {done.file_trouble}", markup=False)


def _tell(departures: "Swept") -> None:
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
