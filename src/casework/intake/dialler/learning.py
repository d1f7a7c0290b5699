"""What cases learn of the contacts with their debtor: days, as facts; and that a debtor was reached (1.3.1a, c, d).

A day is told whole, and again when more becomes known of it. Whoever was connected is told at once, and takes back what
was lost; all other days are told when the sweep closes them.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.customer import Customer
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Record
from casework.people.staff.actor import system
from casework.storage import rows
from casework.storage.rare import rare
from casework.work.cases.branch import Branch
from casework.work.cases.case import ANSWERED_BY, AttemptDay, Case, from_row
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.tables import cases
from casework.work.contacts.contact import CALLS, DEBTOR, Contact
from casework.work.contacts.tables import contact_log

FACT: Final = "contact_day"
REACHED: Final = "reached"
_AT_ONCE: Final = 1_000
_BY_CUSTOMER: Final = ("borrower_id", "institution")
_log: Final = contact_log.c
# Words of SQL, not values: a select by keys takes the keys and nothing else.
_ATTEMPT: Final = f"channel IN ({', '.join(map(repr, sorted(CALLS)))}) AND party = '{DEBTOR}' AND NOT late"
SUMS: Final = sa.select(
    _log.borrower_id, _log.institution, _log.day,
    sa.literal_column(f"sum(CASE WHEN {_ATTEMPT} THEN 1 ELSE 0 END)", sa.BigInteger).label("attempts"),
    sa.literal_column(f"max(CASE WHEN outcome = '{DEBTOR}' THEN 1 ELSE 0 END)", sa.BigInteger).label("connected"),
    *(
        sa.literal_column(
            f"max(CASE WHEN outcome = 'third_party' AND party = '{party}' THEN 1 ELSE 0 END)", sa.BigInteger
        ).label(party)
        for party in ANSWERED_BY
    ),
    sa.func.max(_log.stream_seq).label("seq"),
).group_by(_log.borrower_id, _log.institution, _log.day)  # fmt: skip
"""What the log knows of days: what is typed in late proves no attempt."""


class _Day(NamedTuple):
    """A day as the log knows it; `seq`: the last entry about it in the debtor's stream."""

    told: AttemptDay
    seq: int


def learn_at_once(
    conn: Connection, branch: Branch, contacts: Iterable[Contact], *, via: str, clock: Clock = now
) -> dict[str, int]:
    """Tell the cases the days of these contacts; whom one of them connected takes back what was lost or visited.

    How many of each event were fired. Who was connected before the mark by another contact of the day is lost still.
    """
    days_of = {one: branch.today(one.started_at) for one in contacts}
    wanted = {(one.borrower_id, one.institution, day) for one, day in days_of.items()}
    connected = {(one.customer, day) for one, day in days_of.items() if one.connected}
    days = _by_customer(rows.select_by_keys(conn, SUMS, (*_BY_CUSTOMER, "day"), sorted(wanted)))
    commands: list[Record | Fire] = []
    for case in _live(conn, days):
        told = _to_tell(case, days[case.customer], branch, clock)
        commands += [_record(case, day, via) for day in told]
        first = next((day.told.on for day in told if (case.customer, day.told.on) in connected), None)
        if first is not None and case.state in branch.rulebook.chart.events[REACHED].arcs:
            dated = max(first, case.state_since)
            commands.append(Fire(actor=system(via), id=case.id, event=REACHED, dated=dated))
    outcomes = advance(conn, commands, branch, clock=clock) if commands else []
    fired = sum(isinstance(done, Done) for one, done in zip(commands, outcomes, strict=True) if isinstance(one, Fire))
    return {REACHED: fired} if fired else {}


def learn_days(
    conn: Connection, branch: Branch, institution: str, first: date, last: date, *, clock: Clock = now
) -> None:
    """Tell the live cases of an institution what the log knows of these days and they do not."""
    of_them = SUMS.where(_log.institution == institution, _log.day.between(first, last))
    days = _by_customer(conn.execute(of_them).all())
    customers = sorted(days)
    for at in range(0, len(customers), _AT_ONCE):
        part = {customer: days[customer] for customer in customers[at : at + _AT_ONCE]}
        commands = [
            _record(case, day, "sweep")
            for case in _live(conn, part)
            for day in _to_tell(case, part[case.customer], branch, clock)
            if day.told.on >= case.opened_on and day.told not in case.facts.attempt_days
        ]
        if commands:
            advance(conn, commands, branch, clock=clock)


def reach_again(conn: Connection, branch: Branch, institution: str, day: date, *, clock: Clock = now) -> dict[str, int]:
    """Take back what the close of an earlier day has just marked, though the debtor was connected since; events fired.

    Whoever closes days late finds first what was lost then, and only now that it was found again.
    """
    states = sorted(branch.rulebook.chart.events[REACHED].arcs)
    marked = CASE_ROWS.where(
        cases.c.institution == institution, rare(cases.c.state.in_(states)), cases.c.state_since == day
    )  # fmt: skip
    commands: list[Record | Fire] = []
    found = [from_row(row) for row in conn.execute(marked.order_by(cases.c.id)).all()]
    first = {
        case.id: since for case in found
        if (since := next((one for one in case.facts.attempt_days if one.connected and one.on > day), None)) is not None
    }  # fmt: skip
    wanted = {(*case.customer[::-1], first[case.id].on) for case in found if case.id in first}
    known = _by_customer(rows.select_by_keys(conn, SUMS, (*_BY_CUSTOMER, "day"), sorted(wanted)))
    for case in found:
        since = first.get(case.id)
        if since is not None:
            again = (one for one in known.get(case.customer, ()) if one.told.on == since.on and one.told.connected)
            commands.append(_record(case, next(again, _Day(since, 0)), "sweep"))
            commands.append(Fire(actor=system("sweep"), id=case.id, event=REACHED, dated=since.on))
    outcomes = advance(conn, commands, branch, clock=clock) if commands else []
    fired = sum(isinstance(done, Done) for one, done in zip(commands, outcomes, strict=True) if isinstance(one, Fire))
    return {REACHED: fired} if fired else {}


def _by_customer(found: Iterable[Any]) -> dict[Customer, list[_Day]]:
    days: dict[Customer, list[_Day]] = {}
    for row in found:
        answered = [party for party in ANSWERED_BY if getattr(row, party)]
        told = AttemptDay(row.day, int(row.attempts), bool(row.connected), answered)
        days.setdefault(Customer(row.institution, row.borrower_id), []).append(_Day(told, int(row.seq)))
    return {customer: sorted(of_them, key=lambda day: day.told.on) for customer, of_them in days.items()}


def _live(conn: Connection, days: Mapping[Customer, object]) -> list[Case]:
    borrowers = sorted({customer.borrower_id for customer in days})  # of one column: PostgreSQL reads in one go
    found = [from_row(row) for row in rows.select_by_keys(conn, CASE_ROWS, "borrower_id", borrowers)]
    return sorted((case for case in found if case.live and case.customer in days), key=lambda case: case.id)


def _to_tell(case: Case, days: Sequence[_Day], branch: Branch, clock: Clock) -> list[_Day]:
    """Not what lies before there was the loan."""
    today = branch.today(clock())
    policy = branch.rulebook.policies.at(today)
    return [day for day in days if not case.day_faults(day.told.on, max(today, day.told.on), policy)]


def _record(case: Case, day: _Day, via: str) -> Record:
    """The evidence is the entry in the debtor's stream; of a day that is told once more, what was told before."""
    given: dict[str, Any] = {"attempts": day.told.attempts, "connected": day.told.connected}
    given |= dict.fromkeys(day.told.answered, True)
    evidence = f"contact:{day.seq}" if day.seq else "contact:told"
    return Record(actor=system(via), id=case.id, kind=FACT, on=day.told.on, evidence=evidence, data=given)
