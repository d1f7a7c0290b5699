"""A business date for tests that need no feed: the row, and the entry in which a feed would have stated it."""

from datetime import date

from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.intake.feed.left_rows import PREFIX, RESTATED, LeftRows
from casework.lifecycle.tables import institutions
from casework.log.write.trail import Draft
from casework.people.staff.actor import system
from casework.storage import rows
from casework.work.cases.branch import Branch


def dated(conn: Connection, branch: Branch, day: date, institution: str = "wuhan", *, clock: Clock = now) -> None:
    """The institution's business date is `day`."""
    left = LeftRows(conn, branch.mac_key, institution)
    left.to_date(day)
    row = [(institution, day)]
    rows.insert_many(conn, institutions, row, ("institution", "business_date"), skip_existing=True)
    rows.update_many(conn, institutions, "institution", row, ("business_date",))
    state(conn, branch, left, clock=clock)


def state(conn: Connection, branch: Branch, left: LeftRows, *, clock: Clock = now) -> None:
    """The entry that states the rows as they are left, as a feed's does."""
    trail = branch.trail(clock())
    data = {"because": "a test", **left.said()}
    trail.append(conn, f"{PREFIX}:{left.institution}", Draft(RESTATED, system("feed").signed, data))
    trail.write(conn)
