"""Which cases: the filter of every list, export, dry run and bulk request, and what it means in SQL."""

from datetime import date, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

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


class unindexed(FunctionElement[str]):  # noqa: N801 - it reads as SQL
    """A column that SQLite is not to look up in an index: it would, and then sort all it found."""

    type = sa.String()
    inherit_cache = True


@compiles(unindexed)
def _as_it_is(element: unindexed, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


@compiles(unindexed, "sqlite")
def _with_a_plus(element: unindexed, compiler: SQLCompiler, **kw: Any) -> str:
    return f"+{compiler.process(element.clauses, **kw)}"


def conditions_of(
    wanted: CaseFilter, dates: BusinessDates, *, by_due_date: bool = False
) -> list[sa.ColumnElement[bool]]:
    """The filter but for `worked_by`, which is two ranges; CallerError `filter_malformed` names the part.

    `by_due_date`: the list is in that order, for which one index serves bucket and order together.
    """
    conditions: list[sa.ColumnElement[bool]] = []
    for name in ("owner", "handler", "team", "region", "product", "institution", "borrower_id", "loan_id"):
        value = getattr(wanted, name)
        if value is not None:
            (check_id if name in IDS else check_text)(name, value)
            conditions.append(cases.c[name] == value)
    for name in ("state", "bucket"):
        values = getattr(wanted, name)
        for value in values:
            if value not in dates.codes[name]:
                raise filter_malformed(name, f"one of {', '.join(sorted(dates.codes[name]))}")
        if len(values) == 1:  # an equality can be walked in the order of an index, IN cannot
            walked = name == "bucket" and not by_due_date
            conditions.append((unindexed(cases.c[name]) if walked else cases.c[name]) == values[0])
        elif values:
            conditions.append(cases.c[name].in_(values))
    if wanted.worked_by is not None:
        check_id("worked_by", wanted.worked_by)
    if wanted.live is not None:
        conditions.append(cases.c.live == sa.literal(wanted.live, sa.Boolean))
    conditions += _amounts(wanted)
    if wanted.dpd_min is not None or wanted.dpd_max is not None:
        conditions.append(_days_past_due(wanted, dates))
    return conditions


def _amounts(wanted: CaseFilter) -> list[sa.ColumnElement[bool]]:
    low, high = wanted.overdue_fen_min, wanted.overdue_fen_max
    for name, bound in (("overdue_fen_min", low), ("overdue_fen_max", high)):
        if bound is not None and abs(bound) > MAX_ID:
            raise filter_malformed(name, "a number of fen")
    conditions: list[sa.ColumnElement[bool]] = []
    if low is not None:
        conditions.append(cases.c.overdue_fen >= low)
    if high is not None:
        conditions.append(cases.c.overdue_fen <= high)
    return conditions


def _days_past_due(wanted: CaseFilter, dates: BusinessDates) -> sa.ColumnElement[bool]:
    """Days past due as due dates; one range where all institutions have the same day, as they mostly do."""
    if wanted.institution is not None:
        return _due_range(wanted, dates.of(wanted.institution))
    days = set(dates.known.values()) or {dates.otherwise}
    if len(days) == 1:
        return _due_range(wanted, next(iter(days)))
    by_day: dict[date, list[str]] = {}
    for institution, day in dates.known.items():
        by_day.setdefault(day, []).append(institution)
    return sa.or_(
        *(
            sa.and_(cases.c.institution.in_(sorted(names)), _due_range(wanted, day))
            for day, names in sorted(by_day.items())
        )
    )


def _due_range(wanted: CaseFilter, business_date: date) -> sa.ColumnElement[bool]:
    due = cases.c.oldest_due_date
    at_least, at_most = wanted.dpd_min or 0, wanted.dpd_max
    conditions: list[sa.ColumnElement[bool]] = []
    if at_most is not None:
        first = _days_before(business_date, at_most, "dpd_max")
        conditions.append(due >= first if at_least > 0 else sa.or_(due >= first, due.is_(None)))
    if at_least > 0:
        conditions.append(due <= _days_before(business_date, at_least, "dpd_min"))
    return sa.and_(sa.true(), *conditions)


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
