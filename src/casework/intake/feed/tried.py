"""What a feed that is tried would have become: its run as it would have ended, with the first rows it sets aside."""

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.intake.feed import run as runs
from casework.intake.feed.aside import faults_of
from casework.intake.feed.tables import set_aside
from casework.intake.sheets.fault import Fault
from casework.intake.sheets.mending import without_values
from casework.work.cases.branch import Branch

_ROWS = 200


class Tried(msgspec.Struct, frozen=True):
    """The run, of number 0 since it has none: applied, repeated, or refused with its reason.

    `set_aside`: the faults of the first 200 of `set_aside_rows`, without values, which are in the sender's file.
    """

    run: runs.Run
    set_aside_rows: int
    set_aside: list[Fault]


class Undone(Exception):
    """Raised at the end of an import that was tried, in its transaction, so that nothing of it stays."""

    def __init__(self, tried: Tried) -> None:
        super().__init__("tried")
        self.tried = tried


def undone(conn: Connection, branch: Branch, run_id: int) -> Undone:
    """What the transaction has made of the run, to be raised."""
    run = runs.one_run(conn, run_id)
    if run is None:
        raise RuntimeError("a run that was just finished is gone")
    rows = conn.execute(sa.select(sa.func.count()).where(set_aside.c.run_id == run_id)).scalar_one()
    told = [fault for _, some in faults_of(conn, branch.vault, run_id, limit=_ROWS, personal=False) for fault in some]
    return Undone(Tried(msgspec.structs.replace(run, id=0), rows, without_values(told)))
