"""`casework distribute`: each morning, who works on which case."""

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

import click

from casework.cli.changing import day
from casework.cli.shell import as_json, as_staff, console, errors, permitted, print_json, started
from casework.cli.tables import Table

if TYPE_CHECKING:
    from casework.operation.distributing import Distributed


@click.command()
@click.option("--on", type=day, required=True, metavar="DAY", help="Whose morning, YYYY-MM-DD.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@as_json
@as_staff
def cli(on: datetime, staff_no: str | None, *, dry_run: bool, json_: bool) -> None:
    """Give the cases in house to who works on them, by the rules for handlers in owners.toml; owners stay.

    One debtor has one caller; whoever calls a debtor goes on doing so while the rule names their post, and what a
    manager moved by hand stays. Run again it moves nothing. Exit code 1 if a case could not be given.

    \b
    Examples:
      casework distribute --on 2026-03-10 --dry-run
      casework distribute --on 2026-03-10 --json
    """
    from casework.operation.distributing import distribute
    from casework.storage.database import reading
    from casework.work.cases.distribution import COMMAND

    with started() as open_:
        with reading(open_.engine) as conn:
            actor = permitted(conn, open_.branch, staff_no, COMMAND)
        made = distribute(open_.engine, open_.branch, on.date(), actor=actor, dry_run=dry_run)
    if json_:
        print_json(made)
    else:
        _tell(made)
    for case_id in made.refused:
        errors.print(f"case {case_id}: not given 未能分案", markup=False)
    raise SystemExit(1 if made.refused else 0)


def _tell(made: "Distributed") -> None:
    from casework.people.shifts.answering import WHYS

    said = "would be given 将分派" if made.dry_run else "given 已分派"
    console.print(
        f"{len(made.moves):,} of {made.cases:,} cases {said}; kept by hand 保留人工调整: {made.kept_by_hand:,}"
    )
    for (post, code), number in sorted(Counter((one.post, one.code) for one in made.unplaced).items()):
        errors.print(f"{post}: {number:,} cases stay with their owners 仍由管户人办理 ({code})", markup=False)
    table = Table("handler", "cases before", "cases after", "of at most")
    for one in made.handlers:
        if one.after != one.before:
            most = "no limit 不限" if one.capacity is None else f"{one.capacity:,}"
            table.add_row(one.staff_no, f"{one.before:,}", f"{one.after:,}", most)
    console.print(table)
    for off in made.answers:
        zh, en = WHYS[off.why]
        errors.print(f"{off.staff_no} is off 休: {off.answers} answers 承担 ({en} {zh})", markup=False)
