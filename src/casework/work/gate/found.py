"""The breaches on record: found anew from the contact log whenever somebody asks, so nothing has to be kept in step.

A row or a hold that comes late, a number that turns out wrong, a correction: each is in the answer from then on. Only
contacts that may be one are judged (`suspects`), with all that began before them.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer
from casework.people.staff.tables import posts_held
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.loans import loans
from casework.work.cases.tables import cases
from casework.work.contacts.contact import Contact
from casework.work.contacts.tables import CONTACTS, contact_log, contact_of
from casework.work.gate.breaches import Breach, breaches
from casework.work.gate.consents import consents_of
from casework.work.gate.gather import book_of, holds_of, refusals
from casework.work.gate.limits import Limits, limits_of
from casework.work.gate.paid import paid_of
from casework.work.gate.standing import Arrears, Span, Standing
from casework.work.gate.suspects import suspects

PastArrears = Callable[[Connection, Collection[tuple[Customer, date]]], Mapping[Customer, Arrears]]
"""How far past due debtors were on past days; only whoever keeps the feeds can say."""
_PRODUCTS: Final = sa.select(loans.c.loan_id, loans.c.product)
_POSTS: Final = sa.select(posts_held.c.staff_no, posts_held.c.post, posts_held.c.from_on, posts_held.c.until_on)
_ON_NUMBERS: Final = sa.select(
    contact_log.c.number, sa.func.count(sa.literal_column("*")).label("contacts")
).group_by(contact_log.c.number)  # fmt: skip
_STATES: Final = sa.select(
    cases.c.institution, cases.c.borrower_id, cases.c.loan_id, cases.c.state, cases.c.state_since
)  # fmt: skip


def found(
    conn: Connection, branch: Branch, arrears: PastArrears, first: date | None = None, last: date | None = None
) -> Iterator[Breach]:
    """Those of contacts that began from `first` to `last` (both included; none: without end), as they began."""
    yield from judged(conn, branch, arrears, suspects(conn, branch, first, last))


def judged(conn: Connection, branch: Branch, arrears: PastArrears, wanted: Sequence[Contact]) -> Iterator[Breach]:
    """Those of `wanted`, judged against everything that bears on their debtors and numbers, as they began."""
    if not wanted:
        return
    asked = {(one.source, one.contact_ref) for one in wanted}
    borrowers = sorted({one.borrower_id for one in wanted})
    zone = ZoneInfo(branch.time_zone)
    book, held, paid = book_of(conn, borrowers), holds_of(conn, borrowers, zone), paid_of(conn, borrowers, zone)
    numbers = {one.number for one in wanted if one.number is not None}
    numbers |= {one.number for ways in book.values() for one in ways if one.number is not None}
    before = _before(conn, borrowers, sorted(numbers))
    past = arrears(conn, {(one.customer, branch.today(one.started_at)) for one in wanted if one.party == "contact"})
    consents, states = consents_of(conn, borrowers), _states(conn, branch, borrowers)
    asked_not_to = refusals(conn, {one.number for one in wanted if one.number is not None})
    standings = {
        who: Standing(
            book.get(who, ()),
            held.get(who, ()),
            consents.get(who, ()),
            past.get(who, Arrears()),
            states.get(who, ()),
            paid.get(who, ()),
            asked_not_to,
        )
        for who in {one.customer for one in wanted}
    }
    said = {code: one.number for code, one in branch.rulebook.results.by_code.items()}.get
    posts = _posts(conn, branch, wanted) if states else _nobodys
    limits = _limits(conn, branch, before)
    yield from breaches(before, standings, limits, said, posts, lambda one: (one.source, one.contact_ref) in asked)


def _before(conn: Connection, borrowers: list[str], numbers: list[bytes]) -> list[Contact]:
    """Everything that bears on these debtors: their own contacts, and all on their numbers, whoever was called.

    Few numbers are known to other debtors: the index alone says of which there is more than the debtors' own contacts.
    """
    of_debtors = rows.select_by_keys(conn, CONTACTS, "borrower_id", borrowers)
    own = Counter(bytes(row.number) for row in of_debtors if row.number is not None)
    counted = rows.select_by_keys(conn, _ON_NUMBERS, "number", numbers)
    shared = [number for row in counted if row.contacts > own[number := bytes(row.number)]]
    on_numbers = rows.select_by_keys(conn, CONTACTS, "number", shared)
    each = {(row.source, row.contact_ref): row for row in (*of_debtors, *on_numbers)}
    return [contact_of(row) for row in each.values()]


def _states(conn: Connection, branch: Branch, borrowers: list[str]) -> dict[Customer, list[Span]]:
    """Since when a case has been in a state in which only some posts may act; one that left it is not in it."""
    own = {state for policy in branch.rulebook.policies.all for state in limits_of(policy).own_posts}
    zone = ZoneInfo(branch.time_zone)
    spans: dict[Customer, list[Span]] = defaultdict(list)
    for row in rows.select_by_keys(conn, _STATES, "borrower_id", borrowers):
        if row.state in own:
            since = datetime.combine(row.state_since, time(), zone)
            spans[Customer(row.institution, row.borrower_id)].append(Span(row.state, since, None, row.loan_id))
    return spans


def _nobodys(_contact: Contact) -> frozenset[str]:
    return frozenset()


def _posts(conn: Connection, branch: Branch, wanted: Collection[Contact]) -> Callable[[Contact], frozenset[str]]:
    """The posts that whoever acted held on that day."""
    held = defaultdict(list)
    for row in rows.select_by_keys(conn, _POSTS, "staff_no", sorted({one.staff_no for one in wanted if one.staff_no})):
        held[row.staff_no].append(row)

    def posts(contact: Contact) -> frozenset[str]:
        day = branch.today(contact.started_at)
        of_them = held.get(contact.staff_no or "", ())
        return frozenset(
            one.post for one in of_them if one.from_on <= day and (one.until_on is None or day <= one.until_on)
        )

    return posts


def _limits(conn: Connection, branch: Branch, contacts: Collection[Contact]) -> Callable[[Contact], Limits]:
    """The figures of each contact's day and product."""
    loan_ids = sorted({one.loan_id for one in contacts})
    product = {row.loan_id: row.product for row in rows.select_by_keys(conn, _PRODUCTS, "loan_id", loan_ids)}
    policies = branch.rulebook.policies
    only = policies.all[0] if len(policies.all) == 1 else None  # then no contact's day has to be worked out
    known: dict[tuple[str, str | None], Limits] = {}

    def limits(contact: Contact) -> Limits:
        policy = only or policies.at(branch.today(contact.started_at))
        of = policy.name, product.get(contact.loan_id)
        found = known.get(of)
        if found is None:
            found = known[of] = limits_of(policy, of[1])
        return found

    return limits
