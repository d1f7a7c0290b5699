"""What the tests of the past share: a clock that ticks, rows as they are now, instants."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from casework.evidence.past.instant import Instant, read_instant
from casework.evidence.past.one_case import follow
from casework.evidence.past.texts import TextsThen
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Outcome
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case, from_row
from casework.work.cases.commands import Command
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.tables import cases
from tests.log import built_log as logs

ZONE = "Asia/Shanghai"
BUILT = logs.clock()
"""When everything in the built log was recorded."""


def instant(at: datetime) -> Instant:
    """As somebody would name it."""
    return read_instant(at.isoformat(), ZONE, at)


def rows_now(conn: Connection, up_to: int = 2**31) -> dict[int, Case]:
    """Every case's row, or those of the first cases."""
    return {row[0]: from_row(row) for row in conn.execute(CASE_ROWS.where(cases.c.id <= up_to).order_by(cases.c.id))}


def rows_then(conn: Connection, branch: Branch, case_id: int, times: Sequence[datetime]) -> list[Case | None]:
    """A case's row at each time, as the log says it was."""
    found = follow(conn, branch, TextsThen(conn, branch), case_id, [instant(at) for at in times]).at
    return [at.case if at else None for at in found]


@dataclass
class Lived:
    """Batches through the door, each at an instant of its own; the rows after each are kept."""

    conn: Connection
    branch: Branch
    at: datetime = BUILT
    up_to: int = 5  # cases whose rows are kept
    rows: dict[datetime, dict[int, Case]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows[self.at] = rows_now(self.conn, self.up_to)

    def step(self, *commands: Command, seconds: float = 1) -> Sequence[Outcome]:
        """Some time later."""
        self.at += timedelta(seconds=seconds)
        outcomes = advance(self.conn, list(commands), self.branch, clock=lambda: self.at)
        self.rows[self.at] = rows_now(self.conn, self.up_to)
        return outcomes
