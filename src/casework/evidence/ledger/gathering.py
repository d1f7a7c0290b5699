"""What a day's ledger is made of: its duties as they were taken, the cases, the contacts, names masked."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.evidence.ledger.line import LedgerLine
from casework.intake.feed.past_arrears import past_arrears
from casework.intake.feed.sealed_cells import of_borrower
from casework.intake.feed.tables import borrowers, repayments
from casework.log.tables import entries
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.case import Case, from_row
from casework.work.cases.gather import CASE_ROWS
from casework.work.cases.holds import HOLDS
from casework.work.cases.lifecycles import CALL_BACKS, CASES, DISPOSALS, PROMISES, VISITS
from casework.work.cases.noun import CASE
from casework.work.contacts.contact import Contact
from casework.work.contacts.tables import CONTACTS, IS_VISIT, contact_log, contact_of
from casework.work.duties.listing import Listed, duties_on
from casework.work.duties.taking import Taken
from casework.work.gate.found import found, judged
from casework.work.tasks.strategies import strategies_of

_NAMES: Final = sa.select(borrowers.c.borrower_id, borrowers.c.institution, borrowers.c.name_sealed)
_PAID: Final = (
    sa.select(repayments.c.loan_id, sa.func.sum(repayments.c.amount_fen))
    .where(repayments.c.paid_on == sa.bindparam("on", type_=sa.Date), repayments.c.reverses.is_(None))
    .group_by(repayments.c.loan_id)
)
_MANY: Final = 5_000  # loans in one statement
_REPAIRED: Final = f"{CASE.says.fact}information_repair"
_REPAIRS: Final = sa.select(entries.c.stream, entries.c.stream_seq, entries.c.body).where(
    entries.c.event == sa.literal_column(f"'{_REPAIRED}'")  # a select by keys takes no parameters but the keys
)
_promises, _holds, _call_backs = PROMISES.table.c, HOLDS.table.c, CALL_BACKS.table.c
_orders: Final = VISITS.table.c
_MADE: Final = sa.select(
    _orders.parent_id, _orders.visit_on, _orders.checked_in_at, _orders.outcome, _orders.photos
).where(_orders.checked_in_at.is_not(None))
_photos: Final = msgspec.json.Decoder(list[Any]).decode
_TO_CALL: Final = sa.select(_call_backs.parent_id, _call_backs.due_at, _call_backs.live)
_PROMISED: Final = sa.select(_promises.parent_id, _promises.pay_by, _promises.amount_fen, _promises.state)
_HELD: Final = sa.select(
    _holds.borrower_id, _holds.institution, _holds.hold, _holds.review_by, _holds.wish, _holds.live
)
LEGAL: Final = "legal"
"""The list of cases in court (`statecharts/rules/tasks.toml`)."""
_cases, _forms = CASES.table.c, DISPOSALS.table.c
_OF_PAPERS: Final = CASE_ROWS.where(_cases.live, _cases.state.in_(sa.bindparam("states", expanding=True)))
_MOVED: Final = sa.select(_forms.parent_id).where(_forms.state_since == sa.bindparam("on", type_=sa.Date))
_log: Final = contact_log.c
_OF_DEBTORS: Final = CONTACTS.add_columns(_log.day)
_VISITS: Final = sa.select(_log.borrower_id, _log.institution, _log.day, _log.started_at, _log.result).where(IS_VISIT)


ASKED_OF_CASES: Final[tuple[sa.Select[Any], ...]] = (_PROMISED, _TO_CALL, _MADE)
"""What is asked of all cases of a day, by `parent_id`."""
ASKED_OF_CUSTOMERS: Final[tuple[sa.Select[Any], ...]] = (_HELD, _VISITS)
"""And of their customers."""


class Visit(NamedTuple):
    """A visit to a debtor for whichever of their loans, or one that was ordered for a case and made; its photos."""

    on: date
    result: str | None
    photos: int = 0


class _Given(msgspec.Struct):
    outcome: str = ""


class _Data(msgspec.Struct):
    given: _Given


class _Repair(msgspec.Struct):
    """What is read of the entry of a repair."""

    data: _Data


_repair: Final = msgspec.json.Decoder(_Repair).decode


class Day(NamedTuple):
    """Everything of one day, of the whole branch or of some people. `lost`: the states in which a case is lost."""

    on: date
    cases: Sequence[Case]
    duties: Mapping[int, Sequence[Listed]]
    contacts: Mapping[Customer, Sequence[Contact]]
    breaches: Mapping[tuple[str, str], Sequence[str]]
    paid_fen: Mapping[str, int]
    promised: Mapping[int, Any]
    held: Mapping[Customer, Sequence[Any]]
    repairs: Mapping[int, str]
    to_call: Mapping[int, datetime]
    visits: Mapping[Customer, Sequence[Visit]]
    made: Mapping[int, Sequence[Visit]]
    strategies: Mapping[int, str]
    papers: Collection[int]
    lost: frozenset[str]
    kept: Sequence[LedgerLine] = ()


def gather(
    conn: Connection, branch: Branch, on: date, people: Collection[str] | None = None,
    kept: Mapping[int, LedgerLine] = MappingProxyType({}),
) -> Day:  # fmt: skip
    """The day as it was taken at its close, or as it stands.

    `people`: what these owe and whom they called that day (none: everything), with all contacts of those debtors. What
    it takes then grows with their cases, not with those of the branch. `kept`: how cases stood at the close of the day,
    where it is closed: nothing is asked of these cases then, whatever has become of them since.
    """
    duties = _by_case(duties_on(conn, branch, on, people))
    of_day = CONTACTS.where(contact_log.c.day == on)
    if people is not None:
        of_day = of_day.where(contact_log.c.staff_no.in_(sorted(people)))
    known = [contact_of(row) for row in conn.execute(of_day)]
    called = {one.customer for one in known}
    stood = [
        one for one in kept.values() if one.case_id in duties or one.customer in called or _in_papers_of(one, people)
    ]
    there = {one.case_id for one in stood}
    cases = [from_row(row) for row in rows.select_by_keys(conn, CASE_ROWS, "id", sorted(duties.keys() - there))]
    closed = {one.institution for one in kept.values()}
    cases += _called(conn, on, {one for one in called if one.institution not in closed}, there | duties.keys())
    papers = [one for one in _in_papers(conn, branch, on, people) if one.institution not in closed]
    cases = _with(cases, papers)
    if people is not None:
        theirs = {one.borrower_id for one in cases} | {one.borrower_id for one in stood}
        theirs |= {one.borrower_id for one in known}
        wanted = [(one, on) for one in sorted(theirs)]
        of_theirs = rows.select_by_keys(conn, _OF_DEBTORS, ("borrower_id", "day"), wanted)
        known = [contact_of(row[:-1]) for row in of_theirs]
    contacts = _by_customer(known)
    broken = found(conn, branch, past_arrears, on, on) if people is None else judged(conn, branch, past_arrears, known)
    told = {(one.contact.source, one.contact.contact_ref): one.rules for one in broken}
    day = _day(conn, branch, on, cases, duties, contacts, papers)
    return day._replace(breaches=told, kept=stood)


def at_close(conn: Connection, branch: Branch, on: date, institution: str, taken: Taken) -> Day:
    """An institution's day as it is closed; without breaches, which are found anew whenever somebody asks."""
    duties = _by_case(Listed(*row) for row in taken.duties)
    of_day = CONTACTS.where(contact_log.c.day == on, contact_log.c.institution == institution)
    contacts = _by_customer([contact_of(row) for row in conn.execute(of_day)])
    papers = [one for one in _in_papers(conn, branch, on, None) if one.institution == institution]
    cases = _with([*taken.cases, *_called(conn, on, contacts.keys(), duties.keys())], papers)
    return _day(conn, branch, on, cases, duties, contacts, papers)


def _by_case(listed: Iterable[Listed]) -> dict[int, list[Listed]]:
    duties: dict[int, list[Listed]] = {}
    for one in listed:
        duties.setdefault(one.case_id, []).append(one)
    return duties


def _by_customer(known: Iterable[Contact]) -> dict[Customer, list[Contact]]:
    contacts: dict[Customer, list[Contact]] = {}
    for contact in sorted(known, key=lambda one: (one.started_at, one.contact_ref)):
        contacts.setdefault(contact.customer, []).append(contact)
    return contacts


def _day(
    conn: Connection, branch: Branch, on: date, cases: Sequence[Case], duties: Mapping[int, Sequence[Listed]],
    contacts: Mapping[Customer, Sequence[Contact]], papers: Iterable[Case],
) -> Day:  # fmt: skip
    keys = sorted({(one.borrower_id, one.institution) for one in {case.customer for case in cases}})
    lost = branch.rulebook.duties.states["lost"]
    return Day(
        on, cases, duties, contacts, {}, _paid(conn, on, cases), _promised(conn, cases), _held(conn, keys),
        _repairs(conn, cases, lost), _to_call(conn, cases), _visits(conn, keys, on),
        _made(conn, cases, on),
        strategies_of(conn, on, [case.id for case in cases]), frozenset(case.id for case in papers), lost,
    )  # fmt: skip


def _called(conn: Connection, on: date, customers: Iterable[Customer], known: Collection[int]) -> list[Case]:
    """The live cases that debtors who were called had by then, but those that are known."""
    whose = {*customers}
    found = rows.select_by_keys(conn, CASE_ROWS, "borrower_id", sorted({one.borrower_id for one in whose}))
    each = (from_row(row) for row in found)
    return [
        case for case in each
        if case.live and case.customer in whose and case.opened_on <= on and case.id not in known
    ]  # fmt: skip


def _in_papers(conn: Connection, branch: Branch, on: date, people: Collection[str] | None) -> list[Case]:
    """Live cases with a disposal form that are in court, or whose form was filed or moved that day (5.2); by owner."""
    numbers = list(conn.execute(_MOVED, {"on": on}).scalars())
    in_court = sorted(branch.rulebook.tasks.lists[LEGAL].states)
    asked = _OF_PAPERS if people is None else _OF_PAPERS.where(_cases.owner.in_(sorted(people)))
    found = {row.id: from_row(row) for row in conn.execute(asked, {"states": in_court})}
    found |= {row.id: from_row(row) for row in rows.select_by_keys(conn, CASE_ROWS, "id", sorted(numbers))}
    return [
        case for case in found.values()
        if case.live and case.facts.disposal_form_on is not None and (people is None or case.owner in people)
    ]  # fmt: skip


def _in_papers_of(line: LedgerLine, people: Collection[str] | None) -> bool:
    return line.in_papers and (people is None or line.owner in people)


def _with(cases: Sequence[Case], papers: Iterable[Case]) -> list[Case]:
    known = {one.id for one in cases}
    return [*cases, *(one for one in papers if one.id not in known)]


def _paid(conn: Connection, on: date, cases: Sequence[Case]) -> dict[str, int]:
    loans = {case.loan_id for case in cases}
    asked = _PAID if len(loans) > _MANY else _PAID.where(repayments.c.loan_id.in_(sorted(loans)))
    return {row[0]: int(row[1]) for row in conn.execute(asked, {"on": on}) if row[0] in loans}


def _repairs(conn: Connection, cases: Sequence[Case], lost: frozenset[str]) -> dict[int, str]:
    """What the last repair of each case that was lost before it came to, by the entry that records it."""
    streams = {
        case.stream: case.id for case in cases
        if case.state in lost and case.facts.repaired_on and case.facts.repaired_on >= case.state_since
    }  # fmt: skip
    told = rows.select_by_keys(conn, _REPAIRS, "stream", sorted(streams))
    ordered = sorted(told, key=lambda row: row.stream_seq)
    return {streams[row.stream]: _repair(bytes(row.body)).data.given.outcome for row in ordered}


def names_in_clear(
    conn: Connection, branch: Branch, keys: Sequence[tuple[str, str]]
) -> dict[Customer, str]:  # fmt: skip
    """The customers' names, to be masked; `keys`: number and institution. Whoever was erased has none."""
    names = {}
    for row in rows.select_by_keys(conn, _NAMES, ("borrower_id", "institution"), keys):
        customer = Customer(row.institution, row.borrower_id)
        if row.name_sealed is not None:
            names[customer] = branch.vault.open(of_borrower(customer, "name"), bytes(row.name_sealed))
    return names


def _promised(conn: Connection, cases: Sequence[Case]) -> dict[int, Any]:
    """By case the promise that is open, the earliest first."""
    found = rows.select_by_keys(conn, _PROMISED, "parent_id", sorted(case.id for case in cases))
    still_open = sorted((row for row in found if row.state == "open"), key=lambda row: row.pay_by, reverse=True)
    return {row.parent_id: row for row in still_open}


def _to_call(conn: Connection, cases: Sequence[Case]) -> dict[int, datetime]:
    """By case the call-back that is still to come, the earliest."""
    found = rows.select_by_keys(conn, _TO_CALL, "parent_id", sorted(case.id for case in cases))
    still = sorted((row for row in found if row.live), key=lambda row: row.due_at, reverse=True)
    return {row.parent_id: row.due_at for row in still}


def _visits(conn: Connection, keys: Sequence[tuple[str, str]], on: date) -> dict[Customer, list[Visit]]:
    """All visits to these debtors up to the close of the day, in order."""
    visits: dict[Customer, list[Visit]] = {}
    found = rows.select_by_keys(conn, _VISITS, ("borrower_id", "institution"), keys)
    for row in sorted(found, key=lambda row: row.started_at):
        if row.day <= on:
            visits.setdefault(Customer(row.institution, row.borrower_id), []).append(Visit(row.day, row.result))
    return visits


def _made(conn: Connection, cases: Sequence[Case], on: date) -> dict[int, list[Visit]]:
    """By case the visits that were ordered and made up to the close of the day, in order."""
    visits: dict[int, list[Visit]] = {}
    found = rows.select_by_keys(conn, _MADE, "parent_id", sorted(case.id for case in cases))
    for row in sorted(found, key=lambda row: (row.visit_on, row.checked_in_at)):
        if row.visit_on <= on:
            photos = len(_photos(bytes(row.photos))) if row.photos is not None else 0
            visits.setdefault(row.parent_id, []).append(Visit(row.visit_on, row.outcome, photos))
    return visits


def _held(conn: Connection, keys: Sequence[tuple[str, str]]) -> dict[Customer, list[Any]]:
    held: dict[Customer, list[Any]] = {}
    for row in rows.select_by_keys(conn, _HELD, ("borrower_id", "institution"), keys):
        if row.live:
            held.setdefault(Customer(row.institution, row.borrower_id), []).append(row)
    return held
