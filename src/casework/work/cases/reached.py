"""A reach in SQL: as one condition, and as ranges of indexes."""

from typing import Any, Protocol

import sqlalchemy as sa

from casework.people.staff.permissions import Reach


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
