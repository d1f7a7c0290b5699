"""`casework distribute`: each morning, who works on which case."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

import click

from casework.cli.changing import day
from casework.cli.shell import as_json, as_staff, console, errors, permitted, print_json, started
from casework.cli.tables import Table
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Outcome
from casework.operation.startup import Started
from casework.people.shifts.answering import WHYS
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from casework.work.cases.commands import Assign
from casework.work.cases.distribution import COMMAND, Distribution, Move, plan

_AT_ONCE: Final = 1_000


@click.command()
@click.option("--on", type=day, required=True, metavar="DAY", help="Whose morning, YYYY-MM-DD.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@as_json
@as_staff
def cli(on: datetime, staff_no: str | None, *, dry_run: bool, json_: bool) -> None:
    """Give the cases in house to who works on them, by the rules for handlers in owners.toml; owners stay.

    One debtor has one caller; whoever calls a debtor goes on doing so while the rule names his post, and what a
    manager moved by hand stays. Run again it moves nothing. Exit code 1 if a case could not be given.

    \b
    Examples:
      casework distribute --on 2026-03-10 --dry-run
      casework distribute --on 2026-03-10 --json
    """
    with started() as open_:
        with reading(open_.engine, snapshot=True) as conn:
            actor = permitted(conn, open_.branch, staff_no, COMMAND)
            made = plan(conn, open_.branch, on.date())
        done = [] if dry_run else list(_carry_out(open_, made, actor))
    refused = [(move, one) for move, one in zip(made.moves, done, strict=False) if not isinstance(one, Done)]
    if json_:
        print_json(_as_json(made, refused, dry_run=dry_run))
    else:
        _tell(made, dry_run=dry_run)
    for move, _ in refused:
        errors.print(f"case {move.case.id}: not given 未能分案", markup=False)
    raise SystemExit(1 if refused else 0)


def _carry_out(open_: Started, made: Distribution, actor: Actor) -> Iterator[Outcome]:
    """A thousand cases to a transaction."""
    commands: Iterator[Assign] = made.commands(actor)
    while part := list(islice(commands, _AT_ONCE)):
        with writing(open_.engine) as conn:
            yield from advance(conn, part, open_.branch)


def _as_json(made: Distribution, refused: Sequence[tuple[Move, Outcome]], *, dry_run: bool) -> dict[str, Any]:
    return {
        "on": made.on, "dry_run": dry_run, "cases": made.cases, "kept_by_hand": len(made.by_hand),
        "moves": [
            {
                "case_id": move.case.id, "loan_id": move.case.loan_id, "owner": move.case.owner,
                "from_handler": move.case.handler, "handler": move.handler, "rule": move.rule.name, "post": move.post,
            }
            for move in made.moves
        ],
        "unplaced": [
            {"case_id": one.case.id, "loan_id": one.case.loan_id, "post": one.post, "code": one.code}
            for one in made.unplaced
        ],
        "handlers": [
            {
                "staff_no": who, "before": made.before.get(who, 0), "after": number,
                "capacity": made.capacity.get(who),
            }
            for who, number in sorted(made.after.items())
        ],
        "answers": [
            {"staff_no": who, "answers": one.staff_no, "why": one.why} for who, one in made.answers.items()
        ],
        "refused": [move.case.id for move, _ in refused],
    }  # fmt: skip


def _tell(made: Distribution, *, dry_run: bool) -> None:
    said = "would be given 将分派" if dry_run else "given 已分派"
    console.print(
        f"{len(made.moves):,} of {made.cases:,} cases {said}; kept by hand 保留人工调整: {len(made.by_hand):,}"
    )
    for (post, code), number in sorted(Counter((one.post, one.code) for one in made.unplaced).items()):
        errors.print(f"{post}: {number:,} cases stay with their owners 仍由管户人办理 ({code})", markup=False)
    table = Table("handler", "cases before", "cases after", "of at most")
    for who, number in sorted(made.after.items()):
        if number != made.before.get(who, 0):
            capacity = made.capacity.get(who)
            most = "no limit 不限" if capacity is None else f"{capacity:,}"
            table.add_row(who, f"{made.before.get(who, 0):,}", f"{number:,}", most)
    console.print(table)
    for who, one in made.answers.items():
        zh, en = WHYS[one.why]
        errors.print(f"{who} is off 休: {one.staff_no} answers 承担 ({en} {zh})", markup=False)
