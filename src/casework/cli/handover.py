"""`casework handover`: departures and transfers, from the plan to the receipts."""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from casework.cli import handover_tables
from casework.cli.changing import day
from casework.cli.ledger import write_out
from casework.cli.shell import FOLDED, acting, as_json, as_option, console, print_json, started
from casework.table import Lang
from casework.work.handover import queries
from casework.written_file import written_to

if TYPE_CHECKING:
    from casework.operation.startup import Started
    from casework.work.four_eyes.recording import Refused
    from casework.work.handover.applying import Applied
    from casework.work.handover.approving import Approved
    from casework.work.handover.replanning import Replanned

_id = click.argument("handover_id", type=click.IntRange(1, 2**53 - 1), metavar="ID")
_as = as_option("by")


@click.group()
def cli() -> None:
    """Departures and transfers: plan, look, have it approved by somebody else, apply; a receipt per case.

    A plan whose cases or receivers have changed is never applied: a new one is made and has to be approved anew
    (`plan_changed`, exit code 1).

    \b
    Examples:
      casework handover plan S0012 --on 2026-03-31 --as S0001
      casework handover show 3
      casework handover approve 3 --as S0007
      casework handover apply 3 --as S0001
      casework handover sheets 3 sheets/
    """


@cli.command("plan")
@click.argument("staff_no", type=FOLDED)
@click.option("--on", type=day, help="Their last day, or the first one in the new team.")
@click.option("--transfer", is_flag=True, help="They move; otherwise they leave.")
@click.option("--team", help="With --transfer: the team they move to.")
@click.option("--region", help="With --transfer: the region they move to (default: the team's).")
@click.option(
    "--to",
    "receivers",
    multiple=True,
    type=FOLDED,
    metavar="STAFF_NO",
    help="Receiver instead of the rules; repeatable.",
)
@as_json
@_as
def plan_(
    staff_no: str, on: datetime | None, *, transfer: bool, team: str | None, region: str | None,
    receivers: tuple[str, ...], json_: bool, by: str | None,
) -> None:  # fmt: skip
    """Say where each of their cases is to go, and ask for approval. Nothing moves yet; an older open plan is replaced.

    \b
    Examples:
      casework handover plan S0012                             (the last day if it is known, else today)
      casework handover plan S0012 --to S0020 --to S0021 --as S0001
      casework handover plan S0012 --transfer --team T3 --on 2026-04-01 --json
    """
    from casework.storage.database import writing
    from casework.work.handover import planning
    from casework.work.handovers import DEPARTURE, TRANSFER

    with started() as open_:
        with writing(open_.engine) as conn:
            actor = acting(conn, open_.branch, by)
            handover_id = planning.plan(
                conn, open_.branch, actor=actor, staff_no=staff_no, kind=TRANSFER if transfer else DEPARTURE,
                on=_day(on), options=planning.PlanOptions(receivers, team, region),
            )  # fmt: skip
        _show(open_, handover_id, json_=json_, moves=False)


@cli.command("show")
@_id
@as_json
def show(handover_id: int, json_: bool) -> None:
    """Show a plan: what each receiver gets, what cannot be placed and why, what else ends; in JSON every move too.

    \b
    Examples:
      casework handover show 3
      casework handover show 3 --json
    """
    with started() as open_:
        _show(open_, handover_id, json_=json_, moves=True)


@cli.command("list")
@click.option("--of", "staff_no", type=FOLDED, metavar="STAFF_NO", help="Hand-overs of this person only.")
@click.option("--status", type=click.Choice(["planned", "approved", "applied", "replaced", "withdrawn"]))
@click.option("--limit", type=click.IntRange(1, queries.MAX_PAGE), default=50, show_default=True)
@click.option("--before", type=int, help="`next` of the page before.")
@as_json
def list_(staff_no: str | None, status: str | None, limit: int, before: int | None, json_: bool) -> None:
    """List hand-overs, the newest first.

    \b
    Examples:
      casework handover list --status approved
      casework handover list --of S0012 --json
    """
    from casework.storage.database import reading

    with started() as open_, reading(open_.engine) as conn:
        page = queries.page(conn, staff_no=staff_no, status=status, limit=limit, before=before)
    if json_:
        print_json(page)
    else:
        handover_tables.lines(page)


@cli.command("approve")
@_id
@click.option("--remark", help="Why; kept sealed.")
@as_json
@_as
def approve_(handover_id: int, *, remark: str | None, json_: bool, by: str | None) -> None:
    """Approve a plan as it was shown. Neither who planned it, nor who goes, nor a deputy of either.

    \b
    Example:
      casework handover approve 3 --as S0007
    """
    from casework.storage.database import writing
    from casework.work.handover.approving import approve

    with started() as open_:
        with writing(open_.engine) as conn:
            outcome = approve(conn, open_.branch, handover_id, actor=acting(conn, open_.branch, by), remark=remark)
        _tell(outcome, json_=json_)


@cli.command("apply")
@_id
@as_json
@_as
def apply_(handover_id: int, *, json_: bool, by: str | None) -> None:
    """Carry out an approved plan: all cases at once, then they have left (or moved) and their access ends.

    \b
    Examples:
      casework handover apply 3 --as S0001
      casework handover apply 3 --json
    """
    from casework.storage.database import writing
    from casework.work.handover.applying import apply

    with started() as open_:
        with writing(open_.engine) as conn:
            outcome = apply(conn, open_.branch, handover_id, actor=acting(conn, open_.branch, by))
        _tell(outcome, json_=json_)


@cli.command("withdraw")
@_id
@as_json
@_as
def withdraw_(handover_id: int, *, json_: bool, by: str | None) -> None:
    """Take back a plan that was not applied yet.

    \b
    Example:
      casework handover withdraw 3 --as S0001
    """
    from casework.storage.database import writing
    from casework.work.handover.approving import withdraw

    with started() as open_, writing(open_.engine) as conn:
        entry_id = withdraw(conn, open_.branch, handover_id, actor=acting(conn, open_.branch, by))
    if json_:
        print_json({"handover": handover_id, "status": "withdrawn", "entry_id": entry_id})
    else:
        console.print(f"hand-over {handover_id} is withdrawn ({entry_id})")


@cli.command("sheets")
@_id
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True)
@as_json
@_as
def sheets(handover_id: int, folder: Path, *, lang: Lang, json_: bool, by: str | None) -> None:
    """Write a workbook per receiver: the cases, what they carry, from whom, by which rule, and the receipt.

    \b
    Example:
      casework handover sheets 3 sheets/ --lang en
    """
    from casework.storage.database import writing
    from casework.work.handover.sheets import sheet_of

    made = []
    with started() as open_:
        with written_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with writing(open_.engine) as conn:
            actor = acting(conn, open_.branch, by)
            for receiving in queries.find(conn, handover_id).preview.receivers:
                sheet = sheet_of(conn, open_.branch, handover_id, receiving.receiver, actor=actor, lang=lang)
                path = folder / sheet.name.name
                write_out(path, sheet.body)
                made.append({"receiver": receiving.receiver, "cases": receiving.cases, "file": str(path)})
    if json_:
        print_json(made)
        return
    for one in made:
        console.print(f"{one['file']}: {one['cases']} cases")


def _show(open_: "Started", handover_id: int, *, json_: bool, moves: bool) -> None:
    import msgspec

    from casework.storage.database import reading

    with reading(open_.engine, snapshot=True) as conn:
        found = queries.find(conn, handover_id)
        receipts = list(queries.every_receipt(conn, handover_id)) if moves and json_ else None
    if not json_:
        handover_tables.plan(found, open_.branch)
        return
    shown = msgspec.to_builtins(found)
    print_json(shown if receipts is None else shown | {"moves": receipts})


def _tell(outcome: "Approved | Applied | Replanned | Refused", *, json_: bool) -> None:
    """What came of it; exit code 1 when it was refused, or planned anew instead."""
    import msgspec

    from casework.work.handover.applying import Applied
    from casework.work.handover.approving import Approved
    from casework.work.handover.replanning import Replanned

    if isinstance(outcome, Approved | Applied):
        if json_:
            print_json(outcome)
        else:
            handover_tables.done(outcome)
        return
    if isinstance(outcome, Replanned):
        body = {"code": "plan_changed", **msgspec.to_builtins(outcome)}
        line = (
            f"plan_changed: cases or receivers have changed since hand-over {outcome.handover} was planned; nothing was"
            f" done; plan {outcome.by} replaces it and waits for approval"
            f" / 案件或接收人已变化，未作任何更改；新计划{outcome.by}待审批"
        )
        lines = [line]
    else:
        body = {"code": "refused", "reasons": [msgspec.to_builtins(reason) for reason in outcome.reasons]}
        lines = [f"{reason.code}: {reason.en} / {reason.zh}" for reason in outcome.reasons]
    if json_:
        print_json(body)
    for line in lines:
        click.echo(line, err=True)
    sys.exit(1)


def _day(on: datetime | None) -> date | None:
    return None if on is None else on.date()
