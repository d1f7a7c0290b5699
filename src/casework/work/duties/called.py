"""What the contacts of all debtors of an institution came to on a day: sums in the database, the rest for few.

Whether contact persons were to be called is judged one by one, and only for debtors whose gate can be open (X5): who
failed to answer often enough, whose numbers were found dead, who died or is incapable.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.storage import rows
from casework.storage.rare import rare
from casework.work.cases.duty_rules import Bound, HeldTo
from casework.work.cases.holds import HOLDS
from casework.work.cases.tables import cases
from casework.work.contacts.contact import CALLS, DEBTOR, Contact
from casework.work.contacts.results import Results
from casework.work.contacts.tables import CONTACTS, IS_VISIT, contact_log, contact_of, contacts
from casework.work.duties.debtor import DebtorDay, contacts_duty, counted, forbidden
from casework.work.gate.gather import book_of, holds_of, refusals
from casework.work.gate.judge import Asked, Wish
from casework.work.gate.limits import Limits
from casework.work.gate.seen import Course, Line, hear, key_of
from casework.work.gate.standing import Arrears, OnRecord, Span, Standing

_AT_ONCE: Final = 1_000
_DAY: Final = timedelta(days=1)
_LONGEST: Final = 40_000  # days past due
_log: Final = contact_log.c
_holds: Final = HOLDS.table.c
_institution: Final = sa.bindparam("institution", type_=sa.String)
_on: Final = sa.bindparam("on", type_=sa.Date)
_is_attempt: Final = sa.and_(_log.channel.in_(sorted(CALLS)), _log.party == DEBTOR)
_is_connected: Final = _log.outcome == DEBTOR
_WHOSE: Final = (_log.institution, _log.borrower_id)
_proves: Final = sa.not_(_log.late)


def _sum(condition: sa.ColumnElement[bool]) -> sa.Function[Any]:
    return sa.func.sum(sa.case((condition, 1), else_=0))


_borrowers: Final[sa.BindParameter[str]] = sa.bindparam("borrowers", expanding=True)
_Statements = Mapping[str, sa.Select[Any]]


def _statements(*, of_some: bool) -> _Statements:
    """What is asked of a day: of every debtor of the institution, or of those that are named (`:borrowers`).

    Every part of a statement about some is about them alone: no part grows with the branch.
    """
    return {**_of_debtors(of_some), **_of_persons(of_some)}


def _named(of_some: bool, column: sa.ColumnElement[Any]) -> list[sa.ColumnElement[bool]]:
    return [column.in_(_borrowers)] if of_some else []


def _of_debtors(of_some: bool) -> _Statements:
    """How debtors were called that day, and when those who are lost were visited last."""
    lost = sa.select(cases.c.borrower_id).where(
        cases.c.institution == _institution, cases.c.live, cases.c.state.in_(sa.bindparam("lost", expanding=True)),
        *_named(of_some, cases.c.borrower_id),
    )  # fmt: skip
    of_day = rare(_log.day == _on)
    return {
        "today": sa.select(
            _log.borrower_id,
            _sum(sa.and_(_is_attempt, _proves)).label("attempts"),
            _sum(sa.and_(_is_connected, _proves)).label("connected"),
            _sum(_is_connected).label("reached"),
        )
        .where(_log.institution == _institution, of_day, *_named(of_some, _log.borrower_id))
        .group_by(_log.borrower_id),
        "attempts": sa.select(_log.borrower_id, _log.started_at)
        .where(_log.institution == _institution, of_day, _is_attempt, _proves, *_named(of_some, _log.borrower_id))
        .order_by(_log.borrower_id, _log.started_at),
        "visited": sa.select(_log.borrower_id, sa.func.max(_log.day))
        .where(
            _log.institution == _institution, _log.day <= _on, IS_VISIT, _log.borrower_id.in_(lost)
        )
        .group_by(_log.borrower_id),
    }  # fmt: skip


def _of_persons(of_some: bool) -> _Statements:
    """By what contact persons may be called: debtors who failed to answer, numbers found dead, grounds of holds."""
    window = sa.select(cases.c.borrower_id).where(
        cases.c.institution == _institution, cases.c.live, cases.c.state.in_(sa.bindparam("states", expanding=True)),
        cases.c.oldest_due_date.between(
            sa.bindparam("first_due", type_=sa.Date), sa.bindparam("last_due", type_=sa.Date)
        ),
        *_named(of_some, cases.c.borrower_id),
    )  # fmt: skip
    last = (
        sa.select(_log.borrower_id, sa.func.max(_log.started_at).label("at"))
        .where(_log.institution == _institution, _log.day < _on, _is_connected, _log.borrower_id.in_(window))
        .group_by(_log.borrower_id)
        .subquery()
    )
    is_dead = (_log.result.in_(sa.bindparam("dead", expanding=True)), _log.day < _on)
    number = contacts.c.phone_index
    return {
        "failing": sa.select(_log.borrower_id)
        .select_from(contact_log.outerjoin(last, last.c.borrower_id == _log.borrower_id))
        .where(
            _log.institution == _institution, _log.day <= sa.bindparam("by", type_=sa.Date), _is_attempt,
            sa.not_(_is_connected),
            sa.or_(last.c.at.is_(None), _log.started_at > last.c.at), _log.borrower_id.in_(window),
        )
        .group_by(_log.borrower_id)
        .having(sa.func.count() >= sa.bindparam("failures", type_=sa.Integer)),
        "found_dead": sa.select(contacts.c.borrower_id).where(
            contacts.c.institution == _institution, contacts.c.role == DEBTOR,
            sa.exists(sa.literal_column("1")).where(_log.number == number, *is_dead),
            rare(contacts.c.borrower_id.in_(window)),
        ),
        "held": sa.select(_holds.borrower_id).where(
            _holds.institution == _institution, _holds.hold.in_(sa.bindparam("grounds", expanding=True)),
            _holds.begins_on < _on,
            sa.or_(_holds.last_on.is_(None), _holds.last_on >= _on), _holds.borrower_id.in_(window),
        ),
    }  # fmt: skip


_OF_ALL: Final = _statements(of_some=False)
_OF_SOME: Final = _statements(of_some=True)
TODAY: Final = _OF_ALL["today"]
_LIVE: Final = (
    sa.select(
        cases.c.borrower_id,
        cases.c.institution,
        sa.func.min(cases.c.opened_on).label("opened_on"),
        sa.func.min(cases.c.oldest_due_date).label("due_on"),
    )
    .where(cases.c.live)
    .group_by(cases.c.borrower_id, cases.c.institution)
)
_WITH_OTHERS: Final = CONTACTS.where(
    sa.or_(_log.party == sa.literal_column("'contact'"), _log.outcome == sa.literal_column("'debtor'"))
)
_people: Final[sa.BindParameter[str]] = sa.bindparam("people", expanding=True)
THEIRS: Final = sa.or_(cases.c.owner.in_(_people), cases.c.handler.in_(_people))
"""Cases that somebody of `:people` owns or works on."""
_THEIR_DEBTORS: Final = sa.select(cases.c.borrower_id).where(cases.c.institution == _institution, cases.c.live, THEIRS)
ITS: Final = cases.c.id == sa.bindparam("case_id", type_=sa.BigInteger)
"""The case `:case_id`."""
_ITS_DEBTOR: Final = sa.select(cases.c.borrower_id).where(cases.c.institution == _institution, ITS)


@lru_cache(4)
def _told(results: tuple[str, ...]) -> sa.Select[Any]:
    """Contacts that said something of a number, by its result; a select by keys takes no parameters but the keys."""
    columns = (_log.number, _log.started_at, _log.contact_ref, _log.source, _log.result, *_WHOSE, _log.day)
    said = sa.or_(*(_log.result == sa.literal_column(f"'{code}'") for code in results))  # names, checked when loaded
    return sa.select(*columns).where(said)


class Reader(msgspec.Struct, frozen=True):
    """Reads the days of one institution's debtors, by what holds on the day `on`.

    `people`: of their cases alone; `case_id`: of the debtor of one case.
    """

    conn: Connection
    institution: str
    on: date
    held_to: HeldTo
    limits: Limits
    results: Results
    people: tuple[str, ...] | None = None
    case_id: int | None = None
    theirs: list[str] = []

    def read(self) -> dict[str, DebtorDay]:
        """By the debtor's number; of whom nothing is to be said is not in it."""
        whose: dict[str, Any] = {"institution": self.institution, "on": self.on}
        shut, found = forbidden(self.limits), dict[str, DebtorDay]()
        for row in self._ask("today", whose):
            found[row.borrower_id] = DebtorDay(row.attempts, bool(row.connected), bool(row.reached), shut)
        if self.held_to.attempts_apart:
            for borrower, of_debtor in groupby(self._ask("attempts", whose), key=lambda row: row.borrower_id):
                number = counted((row.started_at for row in of_debtor), self.held_to.attempts_apart)
                found[borrower] = msgspec.structs.replace(found[borrower], attempts=number)
        lost = whose | {"lost": sorted(self.held_to.lost)}
        told = {borrower: {"visited_on": on} for borrower, on in self._ask("visited", lost)}
        for borrower, called in self._contacts():
            told.setdefault(borrower, {}).update(contacts_owed=True, contacts_called=called)
        for borrower, fields in told.items():
            found[borrower] = msgspec.structs.replace(found.get(borrower, DebtorDay(forbidden=shut)), **fields)
        return found

    def _ask(self, what: str, asked: Mapping[str, Any]) -> Any:
        if self.people is None and self.case_id is None:
            return self.conn.execute(_OF_ALL[what], asked)
        return self.conn.execute(_OF_SOME[what], {**asked, "borrowers": self._borrowers()})

    def _borrowers(self) -> list[str]:
        """The debtors of these people's cases, or of the one case."""
        if not self.theirs:
            asked: dict[str, Any] = {"institution": self.institution}
            if self.case_id is not None:
                found = self.conn.execute(_ITS_DEBTOR, asked | {"case_id": self.case_id})
            else:
                found = self.conn.execute(_THEIR_DEBTORS, asked | {"people": self.people})
            self.theirs.extend(set(found.scalars()))
        return self.theirs

    def _contacts(self) -> Iterator[tuple[str, bool]]:
        """Whose contact persons were to be called, and whether one was."""
        bounds = self._bounds()
        if not bounds:
            return
        asked: dict[str, Any] = {
            "institution": self.institution, "on": self.on, "states": sorted(bounds[0].rule.states),
            "last_due": self.on - bounds[0].from_dpd * _DAY,
            "first_due": self.on - min(bounds[0].until_dpd, _LONGEST) * _DAY,
        }  # fmt: skip
        dead = sorted(code for code, one in self.results.by_code.items() if one.number in {"invalid", "wrong"})
        proved = {"failures": self.limits.contacts_after_failures, "by": self._proved_by}
        failing = set(self._ask("failing", asked | proved).scalars())
        others = {*self._ask("found_dead", asked | {"dead": dead}).scalars()}
        others.update(self._ask("held", asked | {"grounds": sorted(self.limits.contacts_by_holds)}).scalars())
        wanted = sorted(failing | others)
        for at in range(0, len(wanted), _AT_ONCE):
            yield from self._judged(wanted[at : at + _AT_ONCE], failing)

    def _bounds(self) -> list[Bound]:
        return [
            one for of_state in self.held_to.by_state.values() for one in of_state if one.rule.name == "dial_contacts"
        ]

    def _judged(self, borrowers: Sequence[str], failing: set[str]) -> Iterator[tuple[str, bool]]:
        book, holds = book_of(self.conn, borrowers), holds_of(self.conn, borrowers, self.limits.zone)
        courses = {borrower: Course() for borrower in borrowers}
        for borrower in failing.intersection(borrowers):  # all of them by then, whichever day it was
            courses[borrower].failed_on = [self._proved_by] * self.limits.contacts_after_failures
        lines = self._lines(book, courses)
        asked_not_to = refusals(self.conn, lines.keys())
        with_others = self._with_others(borrowers)
        live = {row.borrower_id: row for row in self._of(_LIVE, borrowers)}
        midnight = datetime.combine(self.on, time(), self.limits.zone)
        wish = Wish("", "contact", "call", "locate", None, midnight)
        for borrower in borrowers:
            whose, of_live = Customer(self.institution, borrower), live[borrower]
            standing = Standing(
                book.get(whose, ()), self._of_the_person(holds.get(whose, ())),
                arrears=Arrears((self.on,), {self.on: (self.on - of_live.due_on).days}), refusals=asked_not_to,
            )  # fmt: skip
            asked = Asked(wish, courses[borrower], lines, standing, self.limits)
            owed, called = contacts_duty(
                self.on, with_others.get(borrower, ()), asked, of_live.opened_on, self.held_to.contacts_rest_days
            )
            if owed:
                yield borrower, called

    def _of(self, source: sa.Select[Any], borrowers: Sequence[str]) -> Iterator[Any]:
        """Rows of these debtors of the institution; by one column, which PostgreSQL reads in one go."""
        found = rows.select_by_keys(self.conn, source, "borrower_id", borrowers)
        return (row for row in found if row.institution == self.institution)

    def _with_others(self, borrowers: Sequence[str]) -> dict[str, list[Contact]]:
        """By debtor the connections and the contacts with contact persons, up to the close of the day, in order."""
        found: dict[str, list[Contact]] = {}
        end = datetime.combine(self.on + _DAY, time(), self.limits.zone)
        for row in self._of(_WITH_OTHERS, borrowers):
            contact = contact_of(row)
            if contact.started_at < end:
                found.setdefault(contact.borrower_id, []).append(contact)
        return {borrower: sorted(of_them, key=key_of) for borrower, of_them in found.items()}

    def _lines(self, book: Mapping[Customer, Sequence[OnRecord]], courses: Mapping[str, Course]) -> dict[bytes, Line]:
        """What was said before the day of the numbers on record, whoever was called there."""
        numbers = sorted({one.number for of_debtor in book.values() for one in of_debtor if one.number is not None})
        said = {code: one.number for code, one in self.results.by_code.items() if one.number is not None}
        lines: dict[bytes, Line] = {number: Line() for number in numbers}
        found = rows.select_by_keys(self.conn, _told(tuple(sorted(said))), "number", numbers)
        for row in sorted(found, key=lambda row: (row.started_at, row.contact_ref, row.source)):
            if row.day < self.on:
                course = courses.get(row.borrower_id) if row.institution == self.institution else None
                key, number = (row.started_at, row.contact_ref, row.source), bytes(row.number)
                hear(key, course or Course(), number, lines[number], said[row.result])
        return lines

    def _of_the_person(self, holds: Sequence[Span]) -> tuple[Span, ...]:
        return tuple(one for one in holds if one.name in self.limits.contacts_by_holds)

    @property
    def _proved_by(self) -> date:
        """The last day on which a debtor had to prove out of reach, for contact persons to be called on `on`."""
        return self.on - self.limits.contacts_after_days * _DAY
