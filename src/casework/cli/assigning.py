"""`casework case assign` and `casework case owners`: giving cases to other owners, and who answered for one when."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from casework.cli import case_tables
from casework.cli.changing import day
from casework.cli.shell import FOLDED, as_json, as_staff, console, permitted, print_json, started
from casework.cli.tables import Table
from casework.clock import now
from casework.money import yuan_text

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.lifecycle.commands import Outcome
    from casework.work.cases.branch import Branch
    from casework.work.cases.reassign import MoveWanted, Plan, ReceiverLoad
    from casework.work.cases.responsible import OwnersOfCase


@click.command()
@click.argument("case_ids", type=click.IntRange(1), nargs=-1, required=True, metavar="ID...")
@click.option("--to", "owner", type=FOLDED, metavar="STAFF_NO", help="Who is to own them.")
@click.option("--by-rule", is_flag=True, help="Whoever owns them by rule; nobody gets more than their capacity.")
@click.option("--handler", type=FOLDED, metavar="STAFF_NO", help="Who works on them; the owner unless told otherwise.")
@click.option("--reason", metavar="CODE", help="Why, such as workload; needed with --to.")
@click.option("--preview", is_flag=True, help="Only say what would happen.")
@as_json
@as_staff
def assign(
    *, case_ids: tuple[int, ...], owner: str | None, by_rule: bool, handler: str | None, reason: str | None,
    preview: bool, json_: bool, staff_no: str | None,
) -> None:  # fmt: skip
    """Give cases to another owner. Exit code 0: all done; 1: some not, with every reason on stderr; 2: usage.

    \b
    Examples:
      casework case assign 1207 1208 --to S0103 --reason workload --as S0200
      casework case assign 1207 1208 1311 --by-rule --preview --as S0200
    """
    from casework.lifecycle.commands import Done
    from casework.storage.database import reading, writing
    from casework.work.cases.ownership import BY_RULE
    from casework.work.cases.reassign import MAX_CASES, MoveWanted

    if (owner is None) != by_rule:
        raise click.UsageError("give either --to STAFF_NO or --by-rule")
    if owner is not None and reason is None:
        raise click.UsageError("--to needs --reason CODE")
    if len(case_ids) > MAX_CASES:
        raise click.UsageError(f"at most {MAX_CASES} cases at a time")
    wanted = MoveWanted(owner=owner, handler=handler, reason=reason or BY_RULE)
    with started() as open_:
        way = reading(open_.engine, snapshot=True) if preview else writing(open_.engine)
        with way as conn:
            made, of_the_door = _carry_out(conn, open_.branch, staff_no, case_ids, wanted, preview=preview)
        outcomes = made.outcomes(of_the_door)
        receivers = made.receivers(of_the_door)
        if json_:
            print_json(_as_json(made, outcomes, receivers, preview=preview))
        else:
            _tell(made, outcomes, receivers, preview=preview)
    raise SystemExit(0 if all(isinstance(outcome, Done) for outcome in outcomes) else 1)


def _carry_out(
    conn: "Connection",
    branch: "Branch",
    staff_no: str | None,
    case_ids: tuple[int, ...],
    wanted: "MoveWanted",
    *,
    preview: bool,
) -> "tuple[Plan, list[Outcome]]":
    from casework.lifecycle.advance import advance
    from casework.work.cases.reassign import COMMAND, plan

    actor = permitted(conn, branch, staff_no, COMMAND)
    made = plan(conn, branch, actor, [(case_id, None) for case_id in case_ids], wanted)
    options = {"lock": False, "dry_run": True} if preview else {}
    return made, advance(conn, made.commands, branch, **options)  # type: ignore[arg-type]  # a dict has one value type


def _as_json(made: "Plan", outcomes: "list[Outcome]", receivers: "list[ReceiverLoad]", *, preview: bool) -> object:
    results = []
    for step, outcome in zip(made.steps, outcomes, strict=True):
        case = made.seen.get(step.id or 0)
        results.append(
            {
                "case_id": step.id, "outcome": type(outcome).__name__.lower(),
                "from_owner": case.owner if case else None, "owner": getattr(step, "owner", None),
                "post": getattr(step, "post", None), "rule": getattr(step, "rule", None),
                "entry_id": None if preview else getattr(outcome, "entry_id", None), "reasons": _reasons(outcome),
            }
        )  # fmt: skip
    return {"preview": preview, "cases": len(results), "receivers": receivers, "results": results}


def _reasons(outcome: "Outcome") -> list[dict[str, object]]:
    from casework.lifecycle.commands import Done, Mistaken, NotDone, Refused

    match outcome:
        case Refused():
            return [{"code": one.code, "saw": one.saw, "zh": one.zh, "en": one.en} for one in outcome.reasons]
        case Mistaken():
            return [{"code": outcome.code}]
        case NotDone() | Done():
            return []


def _tell(made: "Plan", outcomes: "list[Outcome]", receivers: "list[ReceiverLoad]", *, preview: bool) -> None:
    from casework.lifecycle.commands import Done

    for step, outcome in zip(made.steps, outcomes, strict=True):
        if not isinstance(outcome, Done):
            click.echo(f"case {step.id}:", err=True)
            case_tables.why_not(outcome)
    done = sum(isinstance(outcome, Done) for outcome in outcomes)
    console.print(f"{done} of {len(outcomes)} cases {'would be given' if preview else 'given'}")
    if not receivers:
        return
    table = Table("Person", "Receives", "Overdue", "Open before", "after", "of at most", box=None)
    for place in range(1, 6):
        table.columns[place].justify = "right"
    for one in receivers:
        table.add_row(
            one.staff_no, str(one.cases), yuan_text(one.overdue_fen), str(one.before), str(one.after),
            "no limit 不限" if one.capacity is None else str(one.capacity),
        )  # fmt: skip
    console.print(table)


@click.command()
@click.argument("case_id", type=click.IntRange(1))
@click.option("--on", type=day, help="Who was responsible on this business date?")
@as_json
@as_staff
def owners(*, case_id: int, on: datetime | None, json_: bool, staff_no: str | None) -> None:
    """Who answered for a case from when on, by which rule or reason; with --on, on that day.

    \b
    Examples:
      casework case owners 1207
      casework case owners 1207 --on 2026-03-05 --json
    """
    from casework.storage.database import reading
    from casework.work.cases.responsible import owners_of_case
    from casework.work.cases.sight import seen_case

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        actor = permitted(conn, open_.branch, staff_no, "case.read")
        seen_case(conn, open_.branch, actor, case_id, open_.branch.today(now()))
        found = owners_of_case(conn, open_.branch, case_id, on=on.date() if on else None)
    if json_:
        print_json(found)
    else:
        _table(found)


def _table(found: "OwnersOfCase") -> None:
    from rich.markup import escape

    table = Table("Since", "Owner", "Handler", "Post", "Why", "Entry", box=None)
    for one in found.owners:
        why = f"{one.reason_en} {one.reason_zh}" if one.rule is None else f"{one.rule_en} {one.rule_zh}"
        table.add_row(str(one.since_on), one.owner, one.handler, one.post or "", escape(why), one.entry_id)
    console.print(table)
    if found.on is not None:
        console.print(f"on {found.on}: {found.responsible or 'not opened yet 尚未入催'}")
