"""What a day's ledger is made of: its duties as they were taken, the cases, the contacts, names masked."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.customer import Customer
from casework.intake.feed.past_arrears import past_arrears
from casework.intake.feed.sealed_cells import of_borrower
from casework.intake.feed.tables import borrowers, repayments
from casework.people.staff.listing import names_of
from casework.people.staff.roster import Roster
from casework.people.staff.tables import register_version, teams
from casework.personal import mask
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case, from_row
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.holds import HOLDS
from casework.work.cases.lifecycles import PROMISES
from casework.work.contacts.contact import Contact
from casework.work.contacts.tables import CONTACTS, contact_log, contact_of
from casework.work.duties.listing import Listed, duties_on
from casework.work.gate.found import found

_NAMES: Final = sa.select(borrowers.c.borrower_id, borrowers.c.institution, borrowers.c.name_sealed)
_PAID: Final = (
    sa.select(repayments.c.loan_id, sa.func.sum(repayments.c.amount_fen))
    .where(repayments.c.paid_on == sa.bindparam("on", type_=sa.Date), repayments.c.reverses.is_(None))
    .group_by(repayments.c.loan_id)
)
_promises, _holds = PROMISES.table.c, HOLDS.table.c
_PROMISED: Final = sa.select(_promises.parent_id, _promises.pay_by, _promises.amount_fen, _promises.state)
_HELD: Final = sa.select(_holds.borrower_id, _holds.institution, _holds.hold, _holds.review_by, _holds.live)


class Day(NamedTuple):
    """Everything of one day, of the whole branch or of one team."""

    on: date
    cases: Sequence[Case]
    duties: Mapping[int, Sequence[Listed]]
    contacts: Mapping[Customer, Sequence[Contact]]
    breaches: Mapping[tuple[str, str], Sequence[str]]
    masked: Mapping[Customer, str]
    paid_fen: Mapping[str, int]
    promised: Mapping[int, Any]
    held: Mapping[Customer, Sequence[Any]]
    people: Mapping[str, str]

    def who(self, staff_no: str | None) -> str:
        """By name and number."""
        if staff_no is None:
            return ""
        name = self.people.get(staff_no)
        return f"{name} {staff_no}" if name else staff_no


def gather(
    conn: Connection, branch: Branch, on: date, team: str | None, made_by: str, *, clock: Clock = now
) -> Day:  # fmt: skip
    """The day as it was taken at its close, or as it stands; `team` (code or name): of cases that its members handle.

    A member is who belonged to it on that day; who belonged nowhere then, belongs where they do today.
    """
    duties: dict[int, list[Listed]] = {}
    for one in duties_on(conn, branch, on):
        duties.setdefault(one.case_id, []).append(one)
    known = [contact_of(row) for row in conn.execute(CONTACTS.where(contact_log.c.day == on))]
    cases = [from_row(row) for row in rows.select_by_keys(conn, CASE_ROWS, "id", sorted(duties))]
    if team is not None:
        version, codes = conn.execute(sa.select(register_version.c.version)).scalar_one(), _codes(conn, team)
        rosters = [branch.roster(conn, version, when) for when in (on, branch.today(clock()))]
        cases = [case for case in cases if _team_of(rosters, case.handler) in codes]
    customers = {case.customer for case in cases}
    contacts: dict[Customer, list[Contact]] = {}
    for contact in sorted(known, key=lambda one: (one.started_at, one.contact_ref)):
        if contact.customer in customers or team is None:
            contacts.setdefault(contact.customer, []).append(contact)
    customers |= contacts.keys()
    told = {
        (one.contact.source, one.contact.contact_ref): one.rules for one in found(conn, branch, past_arrears, on, on)
    }
    keys = sorted((one.borrower_id, one.institution) for one in customers)
    staff = {made_by} | {case.owner for case in cases} | {case.handler for case in cases}
    staff |= {one.staff_no for of_them in contacts.values() for one in of_them if one.staff_no is not None}
    return Day(
        on, cases, duties, contacts, told, _masked(conn, branch, keys),
        {row[0]: int(row[1]) for row in conn.execute(_PAID, {"on": on})}, _promised(conn, cases), _held(conn, keys),
        names_of(conn, staff),
    )  # fmt: skip


def _team_of(rosters: Sequence[Roster], staff_no: str) -> str | None:
    known = (roster.colleagues.get(staff_no) for roster in rosters)
    return next((one.team for one in known if one is not None and one.team is not None), None)


def _codes(conn: Connection, team: str) -> set[str]:
    named = conn.execute(sa.select(teams.c.code).where(teams.c.name == team)).scalars()
    return {team, *named}


def _masked(conn: Connection, branch: Branch, keys: Sequence[tuple[str, str]]) -> dict[Customer, str]:
    masked = {}
    for row in rows.select_by_keys(conn, _NAMES, ("borrower_id", "institution"), keys):
        customer = Customer(row.institution, row.borrower_id)
        if row.name_sealed is not None:
            masked[customer] = mask("name", branch.vault.open(of_borrower(customer, "name"), bytes(row.name_sealed)))
    return masked


def _promised(conn: Connection, cases: Sequence[Case]) -> dict[int, Any]:
    """By case the promise that is open, the earliest first."""
    found = rows.select_by_keys(conn, _PROMISED, "parent_id", sorted(case.id for case in cases))
    still_open = sorted((row for row in found if row.state == "open"), key=lambda row: row.pay_by, reverse=True)
    return {row.parent_id: row for row in still_open}


def _held(conn: Connection, keys: Sequence[tuple[str, str]]) -> dict[Customer, list[Any]]:
    held: dict[Customer, list[Any]] = {}
    for row in rows.select_by_keys(conn, _HELD, ("borrower_id", "institution"), keys):
        if row.live:
            held.setdefault(Customer(row.institution, row.borrower_id), []).append(row)
    return held
