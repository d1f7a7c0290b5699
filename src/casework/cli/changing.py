"""One change of the register from the shell: who acts, one transaction, one trail; and how its days are given."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

import click
import msgspec

from casework.cli.shell import as_option, permitted, started
from casework.clock import now
from casework.instants import read_text

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.log.write.trail import Trail
    from casework.people.staff.actor import Actor
    from casework.work.cases.branch import Branch


as_ = as_option("by")


class Day(click.ParamType[datetime]):
    """A day as it is printed, or a time as it is printed, which is branch time: its day as it is written."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Its midnight, without a zone; BadParameter for a time in UTC, which may be of the branch's next day."""
        if isinstance(value, datetime):
            return value
        try:
            typed = read_text(value, "UTC")
            if value.endswith("Z"):
                raise ValueError(value)
        except ValueError:
            self.fail(f"{value} is no day of the branch 不是机构的日期: such as 2026-03-01, 如2026-03-01", param, ctx)
        return datetime.combine(typed.day, time.min)


day = Day()


class Change(msgspec.Struct, frozen=True):
    """What a change needs."""

    branch: "Branch"
    conn: "Connection"
    trail: "Trail"
    actor: "Actor"


@contextmanager
def changing(by: str | None, command: str) -> Iterator[Change]:
    """Committed at the end; mistakes are shown. `command` of permissions.toml is what `--as` must be permitted."""
    from casework.storage.database import writing

    with started() as branch, writing(branch.engine) as conn:
        trail = branch.branch.trail(now())
        yield Change(branch.branch, conn, trail, permitted(conn, branch.branch, by, command))
        trail.write(conn)


def date_of(given: datetime | None) -> date | None:
    """The day that an option names."""
    return None if given is None else given.date()
