"""Many rows at once, column by column, as long as each of their cells looks as nearly all cells do. Pure.

What is plain here is read as `row` reads it, without a note. Anything else (blanks around a cell, an amount with
commas, a day after the feed's …) makes the block no plain one, and each of its rows is read by itself.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final, TypeVar

from casework import ids
from casework.intake.feed.cell import (
    CUT,
    LOAN_STATUSES,
    PRODUCTS,
    RISK_CLASSES,
    BadCell,
    Codes,
    Dates,
    DatesUntil,
    flag_cell,
    owner_fault,
)
from casework.intake.feed.headers import COLUMNS, Kind
from casework.intake.feed.row import LONGEST_NAME, LoanRow, OverdueRow, class_fault, due_judge, rows_of, status_fault
from casework.people.staff.person import LONGEST_CODE

BLOCK: Final = 500
"""Rows: enough that a call for each column is nothing, few enough that one odd cell costs little."""
# Each matches a column whose cells end in a line end each; what holds one itself is not plain.
_KEYS: Final = re.compile(r"(?:[A-Za-z]*+[0-9][A-Za-z0-9]*+\n)*+", re.ASCII)
_AMOUNTS: Final = re.compile(r"(?:[0-9]{1,13}+\.[0-9]{2}\n)*+", re.ASCII)
_AMOUNTS_OR_NONE: Final = re.compile(r"(?:(?:[0-9]{1,13}+(?:\.[0-9]{1,2})?+)?+\n)*+", re.ASCII)
_ID_NUMBERS: Final = re.compile(r"(?:(?:[0-9A-Za-z()\-]{5,32}+)?+\n)*+", re.ASCII)

Value = TypeVar("Value")
Cells = Sequence[str]
BlockParser = Callable[[Sequence[Cells]], list[Any] | None]
"""The rows of columns; none where one of their cells is not plain."""


class _NotPlain(Exception):
    """A cell of the column is to be looked at by itself."""


def block_parser(kind: Kind, positions: Mapping[str, int], as_of: date) -> BlockParser | None:
    """Build the parser of blocks, by columns, of a file of `kind`; none for kinds of which few rows come."""
    read: Callable[[Sequence[Cells]], list[Any]]
    if kind == "overdue":
        read = _overdue(positions, as_of)
    elif kind == "loans":
        read = _loans(positions, as_of)
    else:
        return None

    def parse(columns: Sequence[Cells]) -> list[Any] | None:
        try:
            return read(columns)
        except (_NotPlain, BadCell):
            return None

    return parse


def _overdue(positions: Mapping[str, int], as_of: date) -> Callable[[Sequence[Cells]], list[OverdueRow]]:
    key, due, *amounts = (positions[column.name] for column in COLUMNS["overdue"] if column.compulsory)
    reported = positions.get("days_past_due")
    dates = DatesUntil("oldest_due_date", due_judge(as_of))

    def read(columns: Sequence[Cells]) -> list[OverdueRow]:
        due_on = [*map(dates.__getitem__, columns[due])]
        if reported is not None:
            days = {day: str((as_of - day).days) for day in set(due_on)}
            _must(all(cell in ("", days[day]) for day, cell in zip(due_on, columns[reported], strict=True)))
        amounts_fen = (_amounts(columns[at]) for at in amounts)
        return rows_of(OverdueRow, (_keys(columns[key]), due_on, *amounts_fen))

    return read


def _loans(positions: Mapping[str, int], as_of: date) -> Callable[[Sequence[Cells]], list[LoanRow]]:
    disbursed, npl = Dates("disbursed_on"), Dates("npl_since")
    readers: tuple[tuple[str, Callable[[Cells], Sequence[Any]]], ...] = (
        ("loan_id", _keys),
        ("borrower_id", _keys),
        ("borrower_name", _names),
        ("id_number", _id_numbers),
        ("product", _codes("product", lambda name: PRODUCTS.get(name, name))),
        ("channel_code", _codes("channel_code")),
        ("owner_staff_no", _codes("owner_staff_no", fault=owner_fault)),
        ("team", _codes("team", longest=LONGEST_CODE)),
        ("region", _codes("region", longest=LONGEST_CODE)),
        ("disbursed_on", lambda cells: _until(as_of, disbursed, cells)),
        ("self_payment", lambda cells: _few(flag_cell, cells)),
        ("principal", _amounts_if_any),
        ("outstanding_principal", _amounts_if_any),
        ("risk_class", _codes("risk_class", lambda name: RISK_CLASSES[name.lower()], fault=class_fault)),
        ("npl_since", lambda cells: _until(as_of, npl, cells)),
        ("status", _codes("status", lambda name: LOAN_STATUSES[name.lower()], fault=status_fault)),
    )
    disbursed_at, npl_at = (LoanRow._fields.index(name) for name in ("disbursed_on", "npl_since"))

    def read(columns: Sequence[Cells]) -> list[LoanRow]:
        absent = ("",) * len(columns[0])
        values = [
            of(columns[positions[column]] if column in positions else absent) for column, of in readers
        ]  # fmt: skip
        if any(values[npl_at]):
            days = zip(values[npl_at], values[disbursed_at], strict=True)
            _must(not any(since is not None and paid_on is not None and since < paid_on for since, paid_on in days))
        return rows_of(LoanRow, values)

    return read


# ── one column ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _must(plain: object) -> None:
    if not plain:
        raise _NotPlain


def _matching(pattern: re.Pattern[str], cells: Cells) -> str:
    """The column as one text."""
    text = "\n".join((*cells, ""))
    _must(pattern.fullmatch(text) and text.count("\n") == len(cells))
    return text


def _keys(cells: Cells) -> Cells:
    """Letters and at least one digit are no date and no number that a spreadsheet made of something (`ids`)."""
    _matching(_KEYS, cells)
    _must(max(map(len, cells)) <= ids.LONGEST)
    return cells


def _amounts(cells: Cells) -> list[int | None]:
    _must("" not in cells)
    return _amounts_if_any(cells)


def _amounts_if_any(cells: Cells) -> list[int | None]:
    """Fen, none for an empty cell."""
    text = "\n".join((*cells, ""))
    if _AMOUNTS.fullmatch(text) and text.count("\n") == len(cells):
        return [*map(int, text.replace(".", "").split())]
    _matching(_AMOUNTS_OR_NONE, cells)
    return [_fen(cell) if cell else None for cell in cells]


def _fen(cell: str) -> int:
    whole, _, part = cell.partition(".")
    return int(whole + part.ljust(2, "0"))


def _names(cells: Cells) -> list[str | None]:
    text = "".join(cells)
    _must(text.isprintable() and CUT not in text and max(map(len, cells)) <= LONGEST_NAME)
    return [cell.strip() or None for cell in cells]


def _id_numbers(cells: Cells) -> list[str | None]:
    _matching(_ID_NUMBERS, cells)
    return [cell or None for cell in cells]


def _until(as_of: date, dates: Dates, cells: Cells) -> list[date | None]:
    days = [*map(dates.__getitem__, cells)]
    _must(not any(day is not None and day > as_of for day in set(days)))
    return days


def _few(read: Callable[[str], Value], cells: Cells) -> list[Value]:
    """Of a column with few different cells each is read once."""
    values = {cell: read(cell) for cell in set(cells)}
    return [*values.values()] * len(cells) if len(values) == 1 else [*map(values.__getitem__, cells)]


def _codes(
    column: str, name_of: Callable[[str], str] = str, *, longest: int = 32,
    fault: Callable[[str], str | None] = lambda _: None,
) -> Callable[[Cells], list[str | None]]:  # fmt: skip
    known = Codes(column, longest, {}, fault)

    def read(cell: str) -> str | None:
        name = known[cell]
        _must((column, cell) not in known.odd)
        return name_of(name) if name else None

    return lambda cells: _few(read, cells)
