"""What an at-risk flag needs of the books and of other flags: whose loan it names, and whether there is one already."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.lifecycle.advance import House
from casework.lifecycle.commands import Open
from casework.lifecycle.door import Door
from casework.lifecycle.gather import Gathered, in_force
from casework.lifecycle.kept import Kept
from casework.lifecycle.tables import table_of
from casework.work.cases.holds import about
from casework.work.risks import RISK, RiskFlag


class FlagsInForce:
    """The flags in force of the customers whom the batch flags."""

    def __init__(self, found: Sequence[RiskFlag]) -> None:
        self._found = found

    def ask_all(self) -> None:
        """Everything was asked already."""

    def beside(self, new: RiskFlag) -> int | None:
        """Another flag of the same customer."""
        whose = (new.institution, new.borrower_id)
        return next(
            (one.id for one in self._found if (one.institution, one.borrower_id) == whose and one.id != new.id), None
        )


def prepare(
    conn: Connection, _house: House, commands: Sequence[Any], gathered: Gathered, _today: date
) -> FlagsInForce:  # fmt: skip
    """Read them, where any customer is flagged."""
    wanted = {
        Customer(whose["institution"], whose["borrower_id"])
        for one in commands
        if isinstance(one, Open) and one.noun == RISK.chart and (whose := gathered.about.get(id(one)))
    }
    return FlagsInForce(in_force(conn, RISKS, wanted) if wanted else [])


def beside(door: Door, flag: RiskFlag, _given: Mapping[str, Any]) -> dict[str, Any]:
    """Which other flag is in force, counting those of the batch."""
    known: FlagsInForce = door.prepared[RISK.chart]
    of_batch = [one for (chart, _), one in door.gathered.subjects.items() if chart == RISK.chart and one.live]
    other = known.beside(flag) or FlagsInForce(of_batch).beside(flag)
    return {} if other is None else {"flag": other}


RISKS: Final[Kept] = Kept.of(RISK, table=table_of("risks", RISK.rows), about=about, prepare=prepare, beside=beside)
