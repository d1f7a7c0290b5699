"""Which cases: the filter of every list, export, dry run and bulk request, and what it means in SQL."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework import ids
from casework.clock import Clock, branch_date, now
from casework.errors import CallerError
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates
from casework.work.cases.tables import cases

MAX_ID = 2**63 - 1
IDS = ("owner", "handler", "worked_by", "borrower_id", "loan_id")
"""The parts of a filter that name a loan or somebody."""


class CaseFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which cases: every part given must hold. `state` and `bucket` mean any of; ranges include both ends.

    Ids are compared folded (`casework.ids`). `worked_by` is owner or handler; days past due count to the business
    date of the case's institution; amounts are the overdue total in fen; `live` is open or written off.
    """

    state: tuple[str, ...] = ()
    bucket: tuple[str, ...] = ()
    owner: str | None = None
    handler: str | None = None
    worked_by: str | None = None
    team: str | None = None
    region: str | None = None
    product: str | None = None
    institution: str | None = None
    borrower_id: str | None = None
    loan_id: str | None = None
    live: bool | None = None
    dpd_min: int | None = None
    dpd_max: int | None = None
    overdue_fen_min: int | None = None
    overdue_fen_max: int | None = None

    def __post_init__(self) -> None:
        for name in IDS:
            if (given := getattr(self, name)) is not None:
                msgspec.structs.force_setattr(self, name, ids.fold(given))


class BusinessDates:
    """The business date by institution: `as_of` of its last applied feed, else the branch's day.

    `codes` are the states and buckets that a filter may name: a mistyped one would quietly find nothing.
    """

    def __init__(self, conn: Connection, branch: Branch, clock: Clock = now) -> None:
        self.codes = {"state": frozenset(branch.rulebook.chart.states), "bucket": branch.rulebook.policies.bucket_names}
        self.known: dict[str, date] = business_dates(conn)
        self.otherwise = branch_date(clock(), branch.time_zone)

    def of(self, institution: str) -> date:
        """The business date that counts for the cases of `institution`."""
        return self.known.get(institution, self.otherwise)


class Lookup(NamedTuple):
    """Rows that an index finds: what is asked of its columns, and those in its order.

    Where that order is asked for too, nobody has to guess how many there are to prefer the index.
    """

    asks: Callable[[Any], sa.ColumnElement[bool]]
    order: tuple[str, ...]


class Part(NamedTuple):
    """What one part of a filter asks of `columns`: the table's, or those of a window onto it.

    `lookups`: together they find its rows. `equals`: it is one value of one column. `undated`: of `oldest_due_date`,
    whether those without one are meant too.
    """

    columns: tuple[str, ...]
    asks: Callable[[Any], sa.ColumnElement[bool]]
    lookups: tuple[Lookup, ...] = ()
    equals: bool = False
    undated: bool = False

    def holds(self, columns: Any) -> sa.ColumnElement[bool]:
        """As a condition."""
        asked = self.asks(columns)
        return sa.or_(asked, columns.oldest_due_date.is_(None)) if self.undated else asked


_ORDER: Final = {
    "owner": ("owner", "live", "id"), "handler": ("handler", "live", "id"), "borrower_id": ("borrower_id",),
    "loan_id": ("loan_id",), "bucket": ("bucket", "oldest_due_date", "id"), "live": ("live", "id"),
    "overdue_fen": ("overdue_fen", "id"), "oldest_due_date": ("oldest_due_date", "id"),
    **{name: (name, "id") for name in ("state", "team", "region", "product")},
}  # fmt: skip
"""By column, the index that finds its rows."""
_EQUAL: Final = ("owner", "handler", "team", "region", "product", "institution", "borrower_id", "loan_id")


def conditions_of(wanted: CaseFilter, dates: BusinessDates) -> list[sa.ColumnElement[bool]]:
    """The filter in SQL; CallerError `filter_malformed` names the part."""
    return [one.holds(cases.c) for one in parts_of(wanted, dates)]


def parts_of(wanted: CaseFilter, dates: BusinessDates) -> list[Part]:
    """The filter part by part; CallerError `filter_malformed` names one."""
    parts = list[Part]()
    for name in _EQUAL:
        value = getattr(wanted, name)
        if value is not None:
            (check_id if name in IDS else check_text)(name, value)
            parts.append(equal(name, value))
    for name in ("state", "bucket"):
        values = getattr(wanted, name)
        for value in values:
            if value not in dates.codes[name]:
                raise filter_malformed(name, f"one of {', '.join(sorted(dates.codes[name]))}")
        if len(values) == 1:  # an equality can be walked in the order of an index, IN cannot
            parts.append(equal(name, values[0]))
        elif values:
            parts.append(Part((name,), partial(_among, name, values), tuple(_lookup(name, one) for one in values)))
    if wanted.worked_by is not None:
        check_id("worked_by", wanted.worked_by)
        parts.append(worked_by(wanted.worked_by))
    if wanted.live is not None:  # those that are over have an index of their own
        asked = partial(_is_live, wanted.live)
        parts.append(Part(("live",), asked, () if wanted.live else (Lookup(asked, _ORDER["live"]),)))
    if (amounts := _amounts(wanted)) is not None:
        parts.append(Part(("overdue_fen",), amounts, (Lookup(amounts, _ORDER["overdue_fen"]),)))
    if wanted.dpd_min is not None or wanted.dpd_max is not None:
        parts.append(_days_past_due(wanted, dates))
    return parts


def equal(name: str, value: Any) -> Part:
    """One value of one column."""
    is_indexed = name in _ORDER
    return Part((name,), partial(_is, name, value), (_lookup(name, value),) if is_indexed else (), equals=is_indexed)


def worked_by(*people: str) -> Part:
    """Owned or worked on by one of them."""
    names = ("owner", "handler")
    return Part(names, partial(_worked_by, people), tuple(_lookup(name, who) for name in names for who in people))


def _lookup(name: str, value: Any) -> Lookup:
    return Lookup(partial(_is, name, value), _ORDER[name])


def _is(name: str, value: Any, columns: Any) -> sa.ColumnElement[bool]:
    found: sa.ColumnElement[bool] = columns[name] == sa.literal(value, cases.c[name].type)
    return found


def _among(name: str, values: tuple[str, ...], columns: Any) -> sa.ColumnElement[bool]:
    found: sa.ColumnElement[bool] = columns[name].in_(values)
    return found


def _is_live(live: bool, columns: Any) -> sa.ColumnElement[bool]:
    found: sa.ColumnElement[bool] = columns.live == (sa.true() if live else sa.false())
    return found


def _worked_by(people: tuple[str, ...], columns: Any) -> sa.ColumnElement[bool]:
    return sa.or_(columns.owner.in_(people), columns.handler.in_(people))


def _amounts(wanted: CaseFilter) -> Callable[[Any], sa.ColumnElement[bool]] | None:
    low, high = wanted.overdue_fen_min, wanted.overdue_fen_max
    for name, bound in (("overdue_fen_min", low), ("overdue_fen_max", high)):
        if bound is not None and abs(bound) > MAX_ID:
            raise filter_malformed(name, "a number of fen")
    if low is None and high is None:
        return None

    def between(columns: Any) -> sa.ColumnElement[bool]:
        least = [] if low is None else [columns.overdue_fen >= low]
        return sa.and_(*least, *([] if high is None else [columns.overdue_fen <= high]))

    return between


def _days_past_due(wanted: CaseFilter, dates: BusinessDates) -> Part:
    """Days past due as due dates; one range where all institutions have the same day, as they mostly do."""
    days = set(dates.known.values()) or {dates.otherwise}
    if wanted.institution is not None:
        days = {dates.of(wanted.institution)}
    if len(days) == 1:
        first, last = _due_range(wanted, next(iter(days)))
        asked, order, is_undated = partial(_due_between, first, last), _ORDER["oldest_due_date"], not wanted.dpd_min
        lookups = (Lookup(asked, order), *([Lookup(_is_undated, order)] if is_undated else ()))
        return Part(("oldest_due_date",), asked, lookups, undated=is_undated)
    by_day: dict[date, list[str]] = {}
    for institution, day in dates.known.items():
        by_day.setdefault(day, []).append(institution)
    ranges = [(sorted(names), _due_range(wanted, day)) for day, names in sorted(by_day.items())]

    def due(columns: Any) -> sa.ColumnElement[bool]:
        undated = [] if wanted.dpd_min else [columns.oldest_due_date.is_(None)]
        return sa.or_(
            *(
                sa.and_(columns.institution.in_(names), sa.or_(_due_between(first, last, columns), *undated))
                for names, (first, last) in ranges
            )
        )

    return Part(("institution", "oldest_due_date"), due)


def _due_range(wanted: CaseFilter, business_date: date) -> tuple[date | None, date | None]:
    """The first and the last due date."""
    at_least, at_most = wanted.dpd_min or 0, wanted.dpd_max
    first = None if at_most is None else _days_before(business_date, at_most, "dpd_max")
    return first, _days_before(business_date, at_least, "dpd_min") if at_least > 0 else None


def _due_between(first: date | None, last: date | None, columns: Any) -> sa.ColumnElement[bool]:
    due = columns.oldest_due_date
    return sa.and_(
        *([] if first is None else [due >= first]), *([] if last is None else [due <= last]), due.is_not(None)
    )


def _is_undated(columns: Any) -> sa.ColumnElement[bool]:
    found: sa.ColumnElement[bool] = columns.oldest_due_date.is_(None)
    return found


def _days_before(day: date, days: int, name: str) -> date:
    if not 0 <= days <= 36_500:
        raise filter_malformed(name, "0–36500")
    return day - timedelta(days=days)


def check_text(name: str, value: str) -> None:
    """What no column can hold would be a driver's error: told here instead."""
    if len(value) > 64 or "\x00" in value or not value.isprintable():
        raise filter_malformed(name, "a code of at most 64 characters")


def check_id(name: str, value: str) -> str:
    """The id that is looked for, folded; CallerError `filter_malformed` for what no id is (`casework.ids`)."""
    return ids.checked(name, value, code="filter_malformed")


def filter_malformed(field: str, needs: str) -> CallerError:
    """The mistake, by the name of the filter's part."""
    return CallerError("filter_malformed", field=field, needs=needs)
