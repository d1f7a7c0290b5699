"""`casework chart moves`: the living go over to the next version of their chart."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from casework.cli.shell import as_json, as_staff, console, errors, permitted, print_json, started
from casework.cli.tables import Table
from casework.instants import branch_text
from casework.work.cases.noun import CASE_CHART

if TYPE_CHECKING:
    from casework.lifecycle import moves
    from casework.work.four_eyes.chart_moves import Progress


_name = click.argument("name", default=CASE_CHART)
_to = click.option("--to", "version", type=click.IntRange(1, 999_999), help="To this version (default: in force).")


@click.group("moves")
def cli() -> None:
    """Move the living to the next version of their chart: look at the plan, ask, have it approved by another, run.

    Until then what has another state in the new version waits; all else goes on. A run that was broken off goes on
    where it was: run it again.

    \b
    Examples:
      casework chart moves plan overdue_loan
      casework chart moves ask overdue_loan --as S0001
      casework request approve 7 --as S0007
      casework chart moves run overdue_loan
      casework chart moves report overdue_loan --json
    """


@cli.command("plan")
@_name
@_to
@click.option("--each", is_flag=True, help="Every subject that would move or cannot, one by one.")
@as_json
@as_staff
def plan(name: str, version: int | None, *, each: bool, json_: bool, staff_no: str | None) -> None:
    """Show who would go where, who stays, and who cannot go and why.

    \b
    Examples:
      casework chart moves plan promise
      casework chart moves plan overdue_loan --each --json
    """
    import msgspec

    from casework.lifecycle import moves
    from casework.storage.database import reading
    from casework.work.four_eyes import chart_moves

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        permitted(conn, open_.branch, staff_no, "chart.move.read")
        noun, chart, before = chart_moves.named(conn, open_.branch, name, version)
        shown = moves.plan(conn, noun, chart, before)
        lines = moves.lines(conn, noun, chart, before) if each else None
    if json_:
        print_json(msgspec.to_builtins(shown) | ({"each": lines} if each else {}))
        return
    _show_plan(shown)
    if lines:
        table = Table(noun.word, "version", "state", "goes to")
        for line in lines:
            table.add_row(str(line.id), line.chart, line.state, line.to or f"cannot: {line.why}")
        console.print(table)


@cli.command("ask")
@_name
@_to
@as_json
@as_staff
def ask(name: str, version: int | None, *, json_: bool, staff_no: str | None) -> None:
    """Ask that it be approved, as the plan shows it now; whoever asks does not approve.

    \b
    Example:
      casework chart moves ask overdue_loan --as S0001
    """
    import msgspec

    from casework.storage.database import writing
    from casework.work.four_eyes import chart_moves
    from casework.work.four_eyes.recording import Refused

    with started() as open_, writing(open_.engine) as conn:
        actor = permitted(conn, open_.branch, staff_no, "chart.move.ask")
        told = chart_moves.ask(conn, open_.branch, name, actor=actor, version=version)
    if json_:
        print_json({"outcome": type(told).__name__.lower(), **msgspec.to_builtins(told)})
    if isinstance(told, Refused):
        for reason in told.reasons:
            errors.print(f"refused: {reason.code}: {reason.en} / {reason.zh}", markup=False, soft_wrap=True)
        raise SystemExit(1)
    if not json_:
        console.print(
            f"request {told.request_id} is {told.state}, open through {told.expires_on}: somebody else approves"
        )


@cli.command("run")
@_name
@_to
@as_json
@as_staff
def run(name: str, version: int | None, *, json_: bool, staff_no: str | None) -> None:
    """Move all that was approved, batch by batch, and report; run it again after an interruption.

    \b
    Example:
      casework chart moves run overdue_loan
    """
    from casework.storage.database import reading
    from casework.work.four_eyes import chart_moves

    with started() as open_:
        with reading(open_.engine) as conn:
            actor = permitted(conn, open_.branch, staff_no, "chart.move.run")
        chart_moves.run(open_.engine, open_.branch, name, actor=actor, version=version)
        with reading(open_.engine, snapshot=True) as conn:
            told = chart_moves.look(conn, open_.branch, name, version)
    print_json(told) if json_ else _show_report(told, open_.branch.time_zone)


@cli.command("report")
@_name
@_to
@as_json
@as_staff
def report(name: str, version: int | None, *, json_: bool, staff_no: str | None) -> None:
    """Show what was moved, when and by which approval, and what is left.

    \b
    Example:
      casework chart moves report overdue_loan --to 2
    """
    from casework.storage.database import reading
    from casework.work.four_eyes import chart_moves

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        permitted(conn, open_.branch, staff_no, "chart.move.read")
        told = chart_moves.look(conn, open_.branch, name, version)
    print_json(told) if json_ else _show_report(told, open_.branch.time_zone)


def _show_plan(shown: "moves.Plan") -> None:
    console.print(f"[bold]{shown.chart}[/bold]: {shown.moving} move, {shown.staying} stay, {shown.cannot} cannot go")
    table = Table("version", "state", "how many", "goes to", "why not")
    for group in shown.groups:
        table.add_row(group.chart, group.state, str(group.count), group.to or "", _why(group))
    console.print(table)


def _why(group: "moves.Group") -> str:
    return "" if group.why is None else f"{group.why_en} / {group.why_zh}"


def _show_report(told: "Progress", zone: str) -> None:
    if told.request is None:
        console.print("nobody has asked for it yet")
    else:
        console.print(f"request {told.request} is {told.request_state}")
    if told.moved:
        first, last = (branch_text(datetime.fromisoformat(at), zone) for at in (told.first_at, told.last_at) if at)
        console.print(f"{told.moved} moved in {told.batches} batches, {first} to {last}")
        for way in told.ways:
            console.print(f"  {way.state} → {way.to}: {way.count}")
    _show_plan(told.plan)
