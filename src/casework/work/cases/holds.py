"""What a hold needs of the books and of other holds: whose loan it names, and whether another of its kind overlaps."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.lifecycle.advance import House
from casework.lifecycle.commands import Open
from casework.lifecycle.door import Door
from casework.lifecycle.gather import Gathered, select_of
from casework.lifecycle.kept import Kept
from casework.lifecycle.tables import table_of
from casework.storage import rows
from casework.storage.database import partial_index
from casework.work.cases.loans import loans
from casework.work.holds import HOLD, SET, Hold

_LOANS: Final = sa.select(loans.c.loan_id, loans.c.institution, loans.c.borrower_id)


def about(conn: Connection, openings: Sequence[Open]) -> list[dict[str, Any] | None]:
    """Whose loan each names; none where no such loan is on the books."""
    named = [str(one.data.get("loan_id", ""))[:64] for one in openings]
    found = {row.loan_id: row for row in rows.select_by_keys(conn, _LOANS, "loan_id", sorted(set(named)))}
    return [
        {"institution": found[name].institution, "borrower_id": found[name].borrower_id} if name in found else None
        for name in named
    ]


def to_confirm(conn: Connection, at_most: int) -> list[Hold]:
    """Those that a collector set and nobody has confirmed, the oldest first, those past their day too."""
    kept = HOLDS.table.c
    waiting = select_of(HOLDS).where(kept.live == sa.true(), kept.opened_for == SET, kept.confirmed_on.is_(None))
    return [HOLDS.rows.read(row) for row in conn.execute(waiting.order_by(kept.id).limit(at_most))]


class Known:
    """The holds of the customers whom the batch opens holds for."""

    def __init__(self, found: Sequence[Hold]) -> None:
        self._found = found

    def ask_all(self) -> None:
        """Everything was asked already."""

    def overlapping(self, new: Hold) -> int | None:
        """Another hold of the same kind that is in force at some time of the new one, for the same."""
        for one in self._found:
            same = (one.institution, one.borrower_id, one.hold, one.subject_of) == (
                new.institution, new.borrower_id, new.hold, new.subject_of,
            )  # fmt: skip
            apart = (one.ends_at is not None and one.ends_at <= new.begins_at) or (
                new.ends_at is not None and new.ends_at <= one.begins_at
            )
            if same and not apart and one.id != new.id and not _lifted_before(one, new):
                return one.id
        return None


def _lifted_before(one: Hold, new: Hold) -> bool:
    begins = new.begins_on or date.max
    return not one.live and one.ends_at is None and one.last_on is not None and one.last_on <= begins


def prepare(conn: Connection, _house: House, commands: Sequence[Any], gathered: Gathered, _today: date) -> Known:
    """Read them, where any is opened."""
    wanted = {
        Customer(about_["institution"], about_["borrower_id"])
        for one in commands
        if isinstance(one, Open) and one.noun == HOLD.chart and (about_ := gathered.about.get(id(one)))
    }
    found = rows.select_by_keys(conn, select_of(HOLDS), "borrower_id", sorted({one.borrower_id for one in wanted}))
    return Known([HOLDS.rows.read(row) for row in found])


def beside(door: Door, hold: Hold, _given: Mapping[str, Any]) -> dict[str, Any]:
    """Which other hold overlaps it, counting those opened before it in the batch."""
    known: Known = door.prepared[HOLD.chart]
    other = known.overlapping(hold) or Known(
        [one for (chart, _), one in door.gathered.subjects.items() if chart == HOLD.chart]
    ).overlapping(hold)
    return {} if other is None else {"overlapping": other}


HOLDS: Final[Kept] = Kept.of(
    HOLD, table=table_of("holds", HOLD.rows), about=about, prepare=prepare, beside=beside
)  # fmt: skip
partial_index("ix_holds_live", HOLDS.table.c.id, where="live = 1", on_postgresql="live")
sa.Index("ix_holds_opened", HOLDS.table.c.opened_on)
