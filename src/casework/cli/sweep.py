"""`casework sweep`: for cron, once a day after the feed."""

import click
from rich.progress import Progress, SpinnerColumn, TextColumn

from casework.cases.sweep import sweep
from casework.cli.shell import as_json, console, errors, print_json, progress_wanted, started


@click.command()
@as_json
def cli(json_: bool) -> None:
    """Fire what the passing of days alone has made due: lost contact, archiving. Run it daily, after the feed.

    Which events these are is read off the chart. What is not due is left alone and leaves no trace.

    \b
    Examples:
      casework sweep
      casework sweep --json
    """
    columns = SpinnerColumn(), TextColumn("{task.completed} cases looked at")
    with started() as branch, Progress(*columns, console=errors, transient=True, disable=not progress_wanted()) as bar:
        task = bar.add_task("", total=None)
        fired = sweep(branch.engine, branch.branch, progress=lambda done: bar.update(task, completed=done))
        chart = branch.branch.rulebook.chart
    if json_:
        print_json({"fired": fired})
        return
    for event, number in fired.items():
        console.print(f"{event} {chart.events[event].zh}: {number}")
