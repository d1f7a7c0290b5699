"""`casework staff orphans`: cases without somebody who is there; the list must be empty."""

import click

from casework.cli.shell import as_json, console, print_json, started
from casework.cli.tables import Table
from casework.clock import now

_WHY = {
    "missing": "is not on the register / 不在册",
    "left": "has left / 已离职",
    "merged": "was merged into somebody / 已并入他人",
    "past_last_day": "their last day has passed / 已过离职日",
}


@click.command("orphans")
@as_json
def cli(*, json_: bool) -> None:
    """List open cases whose owner or handler is missing, has left, or whose last day has passed. None is good.

    The database itself refuses an open case of somebody who has left; this looks all the same. Exit code 1 if there
    are any.

    \b
    Examples:
      casework staff orphans
      casework staff orphans --json
    """
    import msgspec

    from casework.storage.database import reading
    from casework.work.handover.orphans import orphans

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        found = orphans(conn, open_.branch.today(now()))
    if json_:
        print_json([msgspec.to_builtins(orphan) for orphan in found])
    elif not found:
        console.print("no orphans: every open case has an owner and a handler who are there")
    else:
        table = Table("case", "role", "staff no", "why", title=f"{len(found):,} orphans")
        for orphan in found:
            table.add_row(str(orphan.case_id), orphan.role, orphan.staff_no, _WHY[orphan.why])
        console.print(table)
    if found:
        raise SystemExit(1)
