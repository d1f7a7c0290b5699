"""`casework sweep`: for cron, once a day after the feed."""

import click
import msgspec
from rich.progress import Progress, SpinnerColumn, TextColumn

from casework.cli.shell import as_json, console, errors, print_json, progress_wanted, started
from casework.operation.sweeping import sweep
from casework.storage.database import writing
from casework.work.four_eyes.requests import expire_due
from casework.work.handover.sweep import Swept, sweep_departures


@click.command()
@as_json
def cli(json_: bool) -> None:
    """Fire what the passing of days alone has made due: lost contact, archiving, requests over, departures approved.

    Run it daily, after the feed. Which events of cases these are is read off the chart. What is not due is left alone
    and leaves no trace. Who leaves within days without an approved plan is told.

    \b
    Examples:
      casework sweep
      casework sweep --json
    """
    columns = SpinnerColumn(), TextColumn("{task.completed} cases looked at")
    with started() as branch, Progress(*columns, console=errors, transient=True, disable=not progress_wanted()) as bar:
        task = bar.add_task("", total=None)
        fired = sweep(branch.engine, branch.branch, progress=lambda done: bar.update(task, completed=done))
        with writing(branch.engine) as conn:
            expired = expire_due(conn, branch.branch)
        departures = sweep_departures(branch.engine, branch.branch)
        charts = branch.branch.rulebook.charts
        main = branch.branch.rulebook.chart.name
    if json_:
        print_json({"fired": fired, "expired_requests": expired, "departures": msgspec.to_builtins(departures)})
        return
    for event, number in fired.items():
        word, _, name = event.rpartition(".")
        console.print(f"{event} {charts[word or main].events[name].zh}: {number}")
    console.print(f"requests expired 申请失效: {expired}")
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
