"""Children of which a case has one at a time: another that is under way, counting those of the batch."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from casework.lifecycle.advance import House
from casework.lifecycle.commands import Open
from casework.lifecycle.door import Door
from casework.lifecycle.gather import Gathered, nouns_by_chart, select_of
from casework.lifecycle.kept import Kept
from casework.storage import rows


class UnderWay(NamedTuple):
    """Those under way of the cases of which the batch opens one."""

    chart: str
    living: Sequence[Any]

    def ask_all(self) -> None:
        """Everything was asked already."""

    def beside(self, door: Door, child: Any, stands_in_its_way: Callable[[Any], bool] = lambda _: True) -> int | None:
        """Another of the same case, as the commands before left it; of those in its way, where not all are."""
        of_batch = {number: one for (chart, number), one in door.gathered.subjects.items() if chart == self.chart}
        others = {one.id: one for one in self.living} | of_batch
        found = (
            number
            for number, one in others.items()
            if number != child.id and one.live and one.parent_id == child.parent_id and stands_in_its_way(one)
        )
        return next(found, None)


def under_way(conn: Connection, noun: Kept, commands: Sequence[Any]) -> UnderWay:
    """Read them, where the batch opens any."""
    wanted = {one.of for one in commands if one.noun == noun.chart and isinstance(one, Open) and one.of is not None}
    found = [noun.rows.read(row) for row in rows.select_by_keys(conn, select_of(noun), "parent_id", sorted(wanted))]
    return UnderWay(noun.chart, [one for one in found if one.live])


def prepare_for(chart: str) -> Any:
    """The hook `prepare` of a noun that needs nothing else."""

    def prepare(
        conn: Connection, house: House, commands: Sequence[Any], _gathered: Gathered, _today: date
    ) -> UnderWay:  # fmt: skip
        return under_way(conn, nouns_by_chart(house.nouns)[chart], commands)

    return prepare


def beside_with(since: str) -> Any:
    """The hook `beside` of a noun whose field `since` says when it was opened, to the second."""

    def beside_and_since(door: Door, child: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        when = {} if getattr(child, since) is not None else {since: door.trail.recorded_at.isoformat()}
        return beside(door, child, given) | when

    return beside_and_since


def beside(door: Door, child: Any, _given: Mapping[str, Any]) -> dict[str, Any]:
    """Its number, if there is another; told when one is opened."""
    known: UnderWay = door.prepared[child.chart.partition("@")[0]]
    other = known.beside(door, child)
    return {} if other is None else {"another": other}
