"""A reach in SQL: as one condition, as ranges of indexes, and as the cases in it where those are few."""

from typing import Any, Final, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.people.staff.permissions import Reach
from casework.work.cases.tables import cases

SORTED_AT_MOST: Final = 4_000
"""So many are found first and sorted then; where there are more, a walk along the order soon meets a page of them."""


class Columns(Protocol):
    """Columns by name: owner, handler, team, region, product."""

    def __getitem__(self, name: str, /) -> Any: ...


_PLACES = (("team", "teams"), ("region", "regions"), ("product", "products"))


def ranges_of(reach: Reach, columns: Columns) -> list[sa.ColumnElement[bool]]:
    """The reach as equalities, each a range of an index; a case may lie in several. Not for `everything`."""
    found: list[sa.ColumnElement[bool]] = []
    for who in sorted(reach.people):
        found += [columns["owner"] == who, columns["handler"] == who]
    for column, places in _PLACES:
        found += [columns[column] == place for place in sorted(getattr(reach, places))]
    return found


def covered_by(reach: Reach, columns: Columns) -> sa.ColumnElement[bool]:
    """The reach as one condition beside others that already find few rows."""
    return sa.true() if reach.everything else sa.or_(sa.false(), *ranges_of(reach, columns))


def cases_within(conn: Connection, reach: Reach) -> list[int] | None:
    """The numbers of the cases of a reach, by its indexes alone; none: they are more than are sorted."""
    return at_most_sorted(conn, *(sa.select(cases.c.id).where(one) for one in ranges_of(reach, cases.c)))


def at_most_sorted(conn: Connection, *found: sa.Select[Any]) -> list[int] | None:
    """The numbers that any of these finds, read no further than `SORTED_AT_MOST`; none: they are more."""
    numbers = set[int]()
    for one in found:
        numbers.update(conn.execute(one.limit(SORTED_AT_MOST + 1)).scalars())
        if len(numbers) > SORTED_AT_MOST:
            return None
    return sorted(numbers)
