"""Pages of cases that cost so much at most, whatever is asked for and however many cases there are.

What one index serves, filter and order together, is read from it. All else is looked for from two sides in turn, each
time further: among the few that one part of the filter finds by its own index, which are then sorted; and along the
order, leaving out what the filter does not want. Whichever comes to an end first gives the page. Where neither does,
the page is short, and the next one goes on where the looking ended.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from casework.storage.rare import rare
from casework.work.cases.filter import Lookup, Part
from casework.work.cases.paging import Place, place_of
from casework.work.cases.tables import cases

FEW: Final = (250, 1_000, 4_000)
"""Rows that are sorted at most, found by one part of a filter; that many are counted first."""
_STEPS: Final = 2
"""For each of those, so many are walked past along the order."""
_IN_ORDER: Final = {
    "id": ("state", "region", "product", "team"), "overdue_fen": ("state",), "oldest_due_date": ("state", "bucket"),
}  # fmt: skip
"""By order, columns whose equality an index serves together with it."""


class Found(NamedTuple):
    """Rows in order; `edge`: fewer than were asked for, and the looking ended there. None: there are no more."""

    rows: list[Row[Any]]
    edge: Place | None


class Search(msgspec.Struct, frozen=True):
    """A filter of cases and an order: `lines` selects what is read of those that are found."""

    lines: sa.Select[Any]
    parts: Sequence[Part]
    sort: str

    def fetch(self, conn: Connection, place: Place | None, limit: int) -> Found:
        """At most `limit` rows after `place`; what is not dated comes last, whichever way the dates run."""
        if self.sort.removeprefix("-") != "oldest_due_date":
            return _Walk(conn, self, None).fetch(place, limit)
        found = Found([], None)
        if place is None or place.key is not None:
            found = _Walk(conn, self, False).fetch(place, limit)
            place = None
        if len(found.rows) < limit and found.edge is None:
            rest = _Walk(conn, self, True).fetch(place, limit - len(found.rows))
            found = Found([*found.rows, *rest.rows], rest.edge)
        return found


def fetch_any(conn: Connection, searches: Sequence[Search], place: Place | None, limit: int) -> Found:
    """What any of several searches in one order finds, each row once; none finds nothing."""
    if len(searches) == 1:
        return searches[0].fetch(conn, place, limit)
    if not searches:
        return Found([], None)
    sort = searches[0].sort
    found = [one.fetch(conn, place, limit) for one in searches]
    edges = [one.edge for one in found if one.edge is not None]
    edge = min(edges, key=lambda one: _rank(one, sort), default=None)
    by_id = {row.id: (_rank(place_of(row, sort), sort), row) for one in found for row in one.rows}
    ordered = sorted(by_id.values(), key=lambda one: one[0])
    rows = [row for rank, row in ordered if edge is None or rank <= _rank(edge, sort)][:limit]
    return Found(rows, edge if len(rows) < limit else None)


def _rank(place: Place, sort: str) -> tuple[bool, int, int]:
    """By which places lie in their order."""
    sign = -1 if sort.startswith("-") else 1
    key = place.key.toordinal() if isinstance(place.key, date) else place.key
    return key is None and not sort.endswith("id"), sign * (key or 0), sign * place.id


class _Walk(msgspec.Struct, frozen=True):
    """Along one stretch of an order: all of it, or of due dates what has one, or what has none (`undated`)."""

    conn: Connection
    search: Search
    undated: bool | None

    def fetch(self, place: Place | None, limit: int) -> Found:
        """At most `limit` of the stretch after `place`."""
        stretch = self._stretch()
        if stretch is None:
            return Found([], None)
        served, rest = stretch
        if not rest:
            return Found(self._plain(served, place, limit), None)
        rows: list[Row[Any]] = []
        counted = walked = 0
        for few in FEW:
            # By what was met so far: where going on would not fill the page, all are counted that may be sorted.
            fills = not walked or (limit - len(rows)) * walked <= len(rows) * few * _STEPS
            most = few if fills else FEW[-1]
            part = self._few(rest, most) if most > counted else None
            if part is not None:
                others = [*served, *(one for one in rest if one is not part)]
                rows += self._read(self._sorted(part, others, most, place, limit - len(rows)))
                return Found(rows, None)
            counted, walked = max(counted, most), walked + few * _STEPS
            names = tuple({"id": None, self._key: None} | {name: None for one in rest for name in one.columns})
            window = self._window(served, place, names, few * _STEPS).subquery("passed")
            wanted = sa.select(window.c.id).where(*(one.holds(window.c) for one in rest))
            rows += self._read(wanted.limit(limit - len(rows)))
            if len(rows) >= limit:
                break
            place = self._edge(served, place, few * _STEPS)
            if place is None:
                return Found(rows, None)
        return Found(rows, None if len(rows) >= limit else place)

    @property
    def _key(self) -> str:
        return "id" if self.undated else self.search.sort.removeprefix("-")

    @property
    def _is_down(self) -> bool:
        return self.search.sort.startswith("-")

    def _stretch(self) -> tuple[list[Part], list[Part]] | None:
        """The parts that the order's index serves, and the others; none where nothing of the stretch is wanted."""
        served: list[Part] = []
        rest = list(self.search.parts)
        if self.undated is not None:
            of_dates = [one for one in rest if one.columns == ("oldest_due_date",)]
            rest = [one for one in rest if one.columns != ("oldest_due_date",)]
            if not self.undated:
                served = [Part(("oldest_due_date",), lambda c: c.oldest_due_date.is_not(None))]
                served += [one._replace(undated=False) for one in of_dates]
            elif all(one.undated for one in of_dates):
                served = [Part(("oldest_due_date",), lambda c: c.oldest_due_date.is_(None))]
            else:
                return None
        elif self._key == "overdue_fen":
            served = [one for one in rest if one.columns == ("overdue_fen",)]
            rest = [one for one in rest if one.columns != ("overdue_fen",)]
        in_order = _IN_ORDER[self.search.sort.removeprefix("-")]
        first = next((one for one in rest if one.equals and one.columns[0] in in_order), None)
        if first is not None:
            rest.remove(first)
            served.append(first._replace(asks=lambda columns: rare(first.asks(columns))))
        return served, rest

    # ── statements ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _few(self, rest: Sequence[Part], most: int) -> Part | None:
        """The part that finds the fewest, if it finds at most so many; counted no further."""
        indexed = [one for one in rest if one.lookups]
        if not indexed:
            return None
        counts = [_count(one, most) for one in indexed]
        number, place = min((count, place) for place, count in enumerate(self.conn.execute(sa.select(*counts)).one()))
        return indexed[place] if number <= most else None

    def _sorted(
        self, part: Part, others: Sequence[Part], most: int, place: Place | None, limit: int
    ) -> sa.Select[Any]:  # fmt: skip
        names = {"id": None, self._key: None} | {name: None for one in others for name in one.columns}
        columns = [cases.c[name] for name in names]  # read where the index finds them: by number is a tree's way more
        found = [_looked_up(one, most).with_only_columns(*columns) for one in part.lookups]
        once = found[0] if len(found) == 1 else sa.union(*(sa.select(one.subquery()) for one in found))
        few = once.subquery("few")
        wanted = sa.select(few.c.id).where(*(one.holds(few.c) for one in others))
        if place is not None:
            wanted = wanted.where(self._after(few.c, place))
        return wanted.order_by(*self._order(few.c)).limit(limit)

    def _window(self, served: Sequence[Part], place: Place | None, names: Sequence[str], most: int) -> sa.Select[Any]:
        """The next so many in order, of the parts that its index serves; `names` has what they are ordered by."""
        plain = sa.select(*(cases.c[name] for name in names)).where(*(one.holds(cases.c) for one in served))
        if place is None:
            return plain.order_by(*self._order(cases.c)).limit(most)
        if self._key == "id" or self.conn.dialect.name != "sqlite":
            return plain.where(self._after(cases.c, place)).order_by(*self._order(cases.c)).limit(most)
        # SQLite compares rows by an index's first column alone: of one date it would walk past all that lie before.
        key, number = cases.c[self._key], cases.c.id
        tied = plain.where(key == place.key, number < place.id if self._is_down else number > place.id)
        beyond = plain.where(key < place.key if self._is_down else key > place.key)
        both = sa.union_all(tied, beyond).subquery()
        return sa.select(*(both.c[name] for name in names)).order_by(*self._order(both.c)).limit(most)

    def _plain(self, served: Sequence[Part], place: Place | None, limit: int) -> list[Row[Any]]:
        """The next so many, where nothing else is asked."""
        if place is None or self._key == "id" or self.conn.dialect.name != "sqlite":
            wanted = self.search.lines.where(*(one.holds(cases.c) for one in served))
            if place is not None:
                wanted = wanted.where(self._after(cases.c, place))
            return list(self.conn.execute(wanted.order_by(*self._order(cases.c)).limit(limit)))
        return self._read(self._window(served, place, ("id", self._key), limit))

    def _edge(self, served: Sequence[Part], place: Place | None, passed: int) -> Place | None:
        """Where so many were passed; none where there are no more."""
        window = self._window(served, place, tuple({"id": None, self._key: None}), passed).subquery()
        row = self.conn.execute(sa.select(window).offset(passed - 1).limit(1)).one_or_none()
        return None if row is None else Place(None if self._key == "id" else row[1], row[0])

    def _read(self, wanted: sa.Select[Any]) -> list[Row[Any]]:
        found = self.search.lines.where(cases.c.id.in_(sa.select(wanted.subquery().c.id)))
        return list(self.conn.execute(found.order_by(*self._order(cases.c))))

    def _order(self, columns: Any) -> Iterator[sa.ColumnElement[Any]]:
        for name in dict.fromkeys((self._key, "id")):
            yield columns[name].desc() if self._is_down else columns[name].asc()

    def _after(self, columns: Any, place: Place) -> sa.ColumnElement[bool]:
        names = list(dict.fromkeys((self._key, "id")))
        here = [sa.literal(value, cases.c[name].type) for name, value in zip(names, place[-len(names) :], strict=True)]
        left: Any = sa.tuple_(*(columns[name] for name in names)) if len(names) > 1 else columns.id
        right: Any = sa.tuple_(*here) if len(names) > 1 else here[0]
        after: sa.ColumnElement[bool] = left < right if self._is_down else left > right
        return after


def _looked_up(one: Lookup, most: int) -> sa.Select[Any]:
    return sa.select(cases.c.id).where(one.asks(cases.c)).order_by(*(cases.c[name] for name in one.order)).limit(most)


def _count(part: Part, most: int) -> sa.ColumnElement[int]:
    """How many rows a part finds, more than `most` by any of its lookups counted no further."""
    counted: sa.ColumnElement[int] = sa.literal(0)
    for one in part.lookups:
        found = _looked_up(one, most + 1).subquery()
        counted = counted + sa.select(sa.func.count()).select_from(found).scalar_subquery()
    return counted
