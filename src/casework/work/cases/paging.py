"""Keyset pages of any list: where a page ended, as a cursor says it, and the statement of the page after it.

A page costs what it holds, however deep it lies, and a walk over all pages meets every row that was there from the
start once, whatever is inserted meanwhile.
"""

import base64
import binascii
import hashlib
from datetime import date
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from casework.errors import CallerError
from casework.work.cases.filter import MAX_ID

MAX_PAGE = 200


class Place(NamedTuple):
    """Where a page ended: the value sorted by (none: by id alone, or past the last due date) and the id."""

    key: int | date | None
    id: int


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    print_: str
    key: int | str | None
    id: int


def place_of(line: Any, sort: str) -> Place:
    """Where a page that ends in `line` ended."""
    name = sort.removeprefix("-")
    return Place(None if name == "id" else getattr(line, name), line.id)


class Listing(msgspec.Struct, frozen=True):
    """A filter and a sort of a table as statements: `wanted` selects what is read, in the order of one of `columns`.

    `ranges`: a row must lie in one of them; none where all do.
    """

    wanted: sa.Select[Any]
    columns: Any  # of the table
    conditions: list[sa.ColumnElement[bool]]
    sort: str
    ranges: list[sa.ColumnElement[bool]] = msgspec.field(default_factory=list)
    only_dated: bool = False  # none of those without what is sorted by
    lines: sa.Select[Any] | None = None  # what is read of those of the page, where `wanted` only finds which they are

    def fetch(self, conn: Connection, place: Place | None, limit: int) -> list[Row[Any]]:
        """At most `limit` rows after `place`."""
        column = self.columns[self.sort.removeprefix("-")]
        if self.lines is not None:
            page = self._statement(column, [], place, limit, conn.dialect.name).subquery()
            found_there = self.lines.where(self.columns.id.in_(sa.select(page.c.id)))
            return list(conn.execute(found_there.order_by(self._order(column), self._order(self.columns.id))))
        if not column.nullable or self.only_dated:
            return list(conn.execute(self._statement(column, [], place, limit, conn.dialect.name)))
        # The databases sort NULL differently; two ranges of the same index give one order on both.
        found: list[Row[Any]] = []
        if place is None or place.key is not None:
            found += conn.execute(self._statement(column, [column.is_not(None)], place, limit, conn.dialect.name))
            place = None
        if len(found) < limit:
            undated = self._statement(self.columns.id, [column.is_(None)], place, limit - len(found), conn.dialect.name)
            found += conn.execute(undated)
        return found

    def _statement(
        self,
        column: sa.Column[Any],
        more: list[sa.ColumnElement[bool]],
        place: Place | None,
        limit: int,
        dialect: str,
    ) -> sa.Select[Any]:
        keys = [column] if column is self.columns.id else [column, self.columns.id]
        conditions = [*self.conditions, *more]
        afters: list[list[sa.ColumnElement[bool]]] = [[]] if place is None else self._after(keys, place, dialect)

        def ordered(*whose: sa.ColumnElement[bool]) -> sa.Select[Any]:
            return self.wanted.where(*conditions, *whose).order_by(*map(self._order, keys)).limit(limit)

        ranges = [[one] for one in self.ranges] or [[]]
        parts = [ordered(*one, *after) for one in ranges for after in afters]
        if len(parts) == 1:
            return parts[0]
        # Index ranges merged: an OR of several columns could use no index in order.
        merged = sa.union(*(sa.select(part.subquery()) for part in parts)).subquery()
        return sa.select(merged).order_by(*(self._order(merged.c[key.name]) for key in keys)).limit(limit)

    def _order(self, key: sa.ColumnElement[Any]) -> sa.UnaryExpression[Any]:
        return key.desc() if self.sort.startswith("-") else key.asc()

    def _after(
        self, keys: list[sa.Column[Any]], place: Place, dialect: str
    ) -> list[list[sa.ColumnElement[bool]]]:  # fmt: skip
        """What lies after a place, as ranges of an index.

        SQLite compares rows by an index's first column alone: of one date it would walk past all that lie before.
        """
        is_down, key = self.sort.startswith("-"), keys[0]
        here = [sa.literal(value, one.type) for one, value in zip(keys, place[-len(keys) :], strict=True)]
        if len(keys) == 1:
            return [[key < here[0] if is_down else key > here[0]]]
        if dialect == "sqlite":
            tied = keys[1] < here[1] if is_down else keys[1] > here[1]
            return [[key == here[0], tied], [key < here[0] if is_down else key > here[0]]]
        left, right = sa.tuple_(*keys), sa.tuple_(*here)
        return [[left < right if is_down else left > right]]


def _print_of(wanted: Any, sort: str) -> str:
    """A cursor belongs to its filter and sort: with another, its pages would silently skip what is between."""
    return hashlib.sha256(msgspec.json.encode([sort, wanted])).hexdigest()[:16]


def write_cursor(place: Place, wanted: Any, sort: str) -> str:
    """The cursor after this place of a list; `wanted` is all that it was asked for."""
    body = msgspec.json.encode([_print_of(wanted, sort), place.key, place.id])
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def read_cursor(cursor: str | None, wanted: Any, sort: str) -> Place | None:
    """The place after which that list goes on, none at its beginning; CallerError `cursor_malformed`."""
    if not cursor:
        return None
    place = None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        read = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=_Cursor)
        if read.print_ == _print_of(wanted, sort) and 0 <= read.id <= MAX_ID:
            place = Place(_key_of(read.key, sort), read.id)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        pass  # answered below, as a cursor of another list
    if place is None:
        raise CallerError(
            "cursor_malformed",
            "分页游标无效，或不属于当前的筛选和排序",
            "the cursor is not one of this list with this filter and sort",
        )
    return place


def _key_of(raw: int | str | None, sort: str) -> int | date | None:
    name = sort.removeprefix("-")
    if name == "overdue_fen" and isinstance(raw, int) and abs(raw) <= MAX_ID:
        return raw
    if name in ("oldest_due_date", "due_on", "visit_due_on") and isinstance(raw, str):
        return date.fromisoformat(raw)
    if raw is None and name != "overdue_fen":
        return None
    raise ValueError("a key of another sort")
