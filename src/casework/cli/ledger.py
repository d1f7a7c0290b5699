"""`casework ledger`: the collection ledger of a day as a workbook that a branch sends on."""

from datetime import datetime
from pathlib import Path

import click

from casework.cli.changing import day
from casework.cli.shell import as_staff, console, permitted, started
from casework.clock import now
from casework.errors import CallerError
from casework.evidence.ledger.gathering import gather
from casework.evidence.ledger.sheets import ledger
from casework.storage.database import writing
from casework.work.cases.disclosure import record_export


@click.command()
@click.option("--on", type=day, required=True, metavar="DAY", help="The day, YYYY-MM-DD.")
@click.option("--team", metavar="TEAM", help="Only what members of this team handle, by its code or name.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The XLSX file to write.")
@as_staff
def cli(on: datetime, team: str | None, out: Path, staff_no: str | None) -> None:
    """Write the ledger of DAY (催收台账): cases, who could not be repaired, what was not done and why, every contact.

    Customers are masked, staff are named, times are the branch's; each sheet has a title, totals and lines to sign. An
    entry says who took it out.

    \b
    Examples:
      casework ledger --on 2026-03-09 --out 催收台账-2026-03-09.xlsx --as S0012
      casework ledger --on 2026-03-09 --team 电催一组 --out 催收台账-2026-03-09-电催一组.xlsx
    """
    with started() as open_, writing(open_.engine) as conn:
        actor = permitted(conn, open_.branch, staff_no, "ledger.export")
        found = gather(conn, open_.branch, on.date(), team, actor.id)
        content = ledger(open_.branch, found, found.who(actor.id), now(), team)
        wanted = {"on": on.date().isoformat(), "team": team}
        record_export(conn, open_.branch, actor, wanted, rows=len(found.cases), kind="xlsx", event="ledger.exported")
        try:
            out.write_bytes(content)
        except OSError as error:
            raise CallerError("file_unwritable", f"无法写入{out.name}", f"{out.name}: {error.strerror}") from None
    console.print(f"{out.name}: {len(found.cases):,} cases 案件", markup=False)
