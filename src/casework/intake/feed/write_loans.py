"""Writing a loans file into the books: loans and borrowers that are new or changed, and staff named with them.

What is written is made ready of rows and of what the books hold, and asks nothing: where much of it is new, a second
process does that while this one writes.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.customer import Customer
from casework.errors import CallerError
from casework.intake.feed import sealed_cells
from casework.intake.feed.left_rows import Fresh, LeftRows, fresh_rows
from casework.intake.feed.row import LoanRow
from casework.intake.feed.row_mac import COVERED, MakeMac
from casework.intake.feed.tables import borrowers, loans
from casework.intake.feed.write import name_staff
from casework.people.staff.actor import Actor
from casework.personal import Vault
from casework.storage import rows
from casework.storage.forked import AHEAD_FROM, made_ahead
from casework.work.cases.branch import Branch

_OF_THE_CASE: Final = ("risk_class", "npl_since", "disbursed_on")
"""What a case keeps of its loan beside the amounts."""
_HELD = sa.select(*(loans.c[name] for name in (*_OF_THE_CASE, "loan_id", "institution", "row_hash", "omitted_on")))
_MACS = sa.select(loans.c.loan_id, loans.c.mac)  # of the few that change: of all of them it would be felt
_LOAN: Final = (*COVERED["loans"], "row_hash", "mac")
_BORROWER: Final = (*COVERED["borrowers"], "mac")
_PEOPLE = sa.select(*(borrowers.c[name] for name in _BORROWER))
_AT_ONCE: Final = 10_000  # rows that are made ready to be written before they are
_HANDED_OVER: Final = 1_000  # the same where another process makes them
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class LoansWritten:
    """What writing a loans file did.

    `reclassified` are loans whose class, non-performing date or disbursement differs now; `unverified` staff nobody
    registered.
    """

    inserted: int
    updated: int
    reclassified: frozenset[str]
    unverified: int = 0


Named = tuple[str, tuple[str | None, str | None]]
"""A borrower, and their name and number."""


class _Making(NamedTuple):
    """What rows are made with."""

    institution: str
    vault: Vault
    mac_of: MakeMac


class _Ready(NamedTuple):
    """Rows to be written: new ones, and known ones as they are now.

    Of loans also: the places in the sheet of those that are written, and those of another class.
    """

    fresh: Fresh
    changed: list[tuple[Any, ...]]
    written: Sequence[int] = ()
    reclassified: Sequence[str] = ()


def write_loans(
    conn: Connection, branch: Branch, left: LeftRows, sheet: Sequence[LoanRow], actor: Actor, *, only_new: bool = False,
    clock: Clock = now, ahead: bool = False,
) -> LoansWritten:  # fmt: skip
    """Insert new loans, update changed ones, leave the others alone; borrowers and staff named with them.

    `only_new`: the books have a later word on the loans they know; only those they do not are entered.
    `ahead`: a second process may make ready what this one writes.
    `CallerError` loan_elsewhere if a loan is on the books of another institution: no feed may take it over.
    """
    none_yet = ahead and _is_empty(conn, loans)
    writing = _LoansBeingWritten(conn, branch.vault, left, only_new=only_new, ahead=ahead, none_yet=none_yet)
    at_once = _at_once(len(sheet), none_yet=none_yet)
    for start in range(0, len(sheet), at_once):
        writing.take(sheet, range(start, min(start + at_once, len(sheet))))
    if writing.elsewhere:
        raise CallerError("loan_elsewhere", loans=writing.elsewhere)
    _write_borrowers(conn, branch.vault, left, writing.touched, ahead=ahead)
    unknown = name_staff(conn, branch, {row.owner_staff_no for row in writing.touched}, actor, clock=clock)
    return LoansWritten(writing.inserted, writing.updated, frozenset(writing.reclassified), len(unknown))


class _LoansBeingWritten:
    """What writing a loans file did so far: thousands of rows at once, so that what is kept beside them stays small."""

    def __init__(
        self, conn: Connection, vault: Vault, left: LeftRows, *, only_new: bool, ahead: bool, none_yet: bool
    ) -> None:  # fmt: skip
        self._conn, self._left, self._only_new, self._ahead = conn, left, only_new, ahead
        self._none_yet = none_yet  # then nothing is asked of them
        self._making = _Making(left.institution, vault, left.mac_of(loans))
        self.touched: list[LoanRow] = []
        self.reclassified: set[str] = set()
        self.inserted = self.updated = self.elsewhere = 0

    def take(self, sheet: Sequence[LoanRow], places: range) -> None:
        """Write these rows; once one is on the books of another institution, none is, and those are counted."""
        wanted = [] if self._none_yet else [sheet[place].loan_id for place in places]
        held = {row.loan_id: row for row in rows.select_by_keys(self._conn, _HELD, "loan_id", wanted)}
        self.elsewhere += sum(1 for row in held.values() if row.institution != self._left.institution)
        if self.elsewhere:
            return
        ahead = self._ahead and len(places) - len(held) >= AHEAD_FROM
        at_once = _HANDED_OVER if ahead else len(places)
        slices = (places[at : at + at_once] for at in range(0, len(places), at_once))
        made = (_loans_ready(sheet, some, held, self._making, only_new=self._only_new) for some in slices)
        with made_ahead(made) if ahead else nullcontext(made) as parts:
            for part in parts:
                self._put(sheet, part)

    def _put(self, sheet: Sequence[LoanRow], part: _Ready) -> None:
        macs = dict(rows.select_by_keys(self._conn, _MACS, "loan_id", [row[0] for row in part.changed]))
        self._left.put(loans, "loan_id", _LOAN, part.fresh, [(macs[row[0]], row) for row in part.changed])
        self.touched += [sheet[place] for place in part.written]
        self.reclassified.update(part.reclassified)
        self.inserted += len(part.written) - len(part.changed)
        self.updated += len(part.changed)


def _loans_ready(
    sheet: Sequence[LoanRow], places: range, held: Mapping[str, Any], making: _Making, *, only_new: bool
) -> _Ready:
    fresh: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    written: list[int] = []
    reclassified: list[str] = []
    institution, vault, mac_of = making
    for place in places:
        row = sheet[place]
        row_hash = vault.fingerprint(_encode(row))
        before = held.get(row.loan_id)
        unchanged = before is not None and bytes(before.row_hash) == row_hash and before.omitted_on is None
        if before is not None and (only_new or unchanged):
            continue
        written.append(place)
        said = (row.loan_id, institution, row.borrower_id, *row[4:], None)
        (fresh if before is None else changed).append((*said, row_hash, mac_of(said)))
        if before is not None and before[:3] != (row.risk_class, row.npl_since, row.disbursed_on):
            reclassified.append(row.loan_id)
    return _Ready(fresh_rows(fresh), changed, written, reclassified)


def _write_borrowers(
    conn: Connection, vault: Vault, left: LeftRows, touched: Sequence[LoanRow], *, ahead: bool
) -> None:  # fmt: skip
    """A borrower's name and number are as the last of their loans says; an empty cell does not erase what is known."""
    people: dict[str, tuple[str | None, str | None]] = {}
    for row in touched:
        name, id_number = people.get(row.borrower_id, (None, None))
        people[row.borrower_id] = (row.borrower_name or name, row.id_number or id_number)
    none_yet = ahead and _is_empty(conn, borrowers)
    everybody, at_once = iter(people.items()), _at_once(len(people), none_yet=none_yet)
    while some := [*islice(everybody, at_once)]:
        _write_people(conn, vault, left, some, ahead=ahead, none_yet=none_yet)


def _is_empty(conn: Connection, table: sa.Table) -> bool:
    return bool(conn.execute(sa.select(~sa.exists().select_from(table))).scalar_one())


def _at_once(many: int, *, none_yet: bool) -> int:
    """Rows of which the books are asked together: all where they hold none, and one second process makes them all."""
    return max(many, 1) if none_yet else _AT_ONCE


def _write_people(
    conn: Connection, vault: Vault, left: LeftRows, people: Sequence[Named], *, ahead: bool, none_yet: bool
) -> None:  # fmt: skip
    making = _Making(left.institution, vault, left.mac_of(borrowers))
    wanted = [] if none_yet else [Customer(left.institution, borrower_id) for borrower_id, _ in people]
    held = {row.borrower_id: row for row in rows.select_by_keys(conn, _PEOPLE, Customer._fields, wanted)}
    ahead = ahead and len(people) - len(held) >= AHEAD_FROM
    at_once = _HANDED_OVER if ahead else len(people)
    slices = (people[at : at + at_once] for at in range(0, len(people), at_once))
    made = (_people_ready(some, held, making) for some in slices)
    with made_ahead(made) if ahead else nullcontext(made) as parts:
        for fresh, changed, *_ in parts:
            known = [(held[row[1]], row) for row in changed]
            for before, _ in known:
                left.check(borrowers, before[:-1], before.mac)
            left.put(borrowers, Customer._fields, _BORROWER, fresh, [(before.mac, row) for before, row in known])


def _people_ready(people: Sequence[Named], held: Mapping[str, Any], making: _Making) -> _Ready:
    fresh: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    institution, vault, mac_of = making
    for borrower_id, (name, id_number) in people:
        before = held.get(borrower_id)
        said: tuple[Any, ...] = (institution, borrower_id)
        for at, field, value in ((2, "name", name), (4, "id_number", id_number)):
            place = sealed_cells.of_borrower(Customer(institution, borrower_id), field)
            if before is not None and (not value or _holds(vault, place, before[at], value)):
                said += before[at : at + 2]
            else:
                said += (vault.seal(place, value), vault.blind(field, value)) if value else (None, None)
        if before is None:
            fresh.append((*said, mac_of(said)))
        elif said != before[:-1]:
            changed.append((*said, mac_of(said)))
    return _Ready(fresh_rows(fresh), changed)


def _holds(vault: Vault, place: str, sealed: bytes | None, value: str) -> bool:
    """Whether a sealed cell says that already; one that does not open is sealed anew."""
    try:
        return sealed is not None and vault.open(place, bytes(sealed)) == value
    except (ValueError, TypeError):
        return False
