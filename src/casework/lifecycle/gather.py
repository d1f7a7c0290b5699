"""The only reads of the door: everything its decisions need, for the whole batch, one statement each."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import count
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer, stream_of
from casework.lifecycle.afterwards import ActName, is_followed
from casework.lifecycle.commands import Open
from casework.lifecycle.kept import Kept
from casework.lifecycle.tables import days_swept, institutions
from casework.log.write.trail import NOT_BEGUN, StreamHead, held_head
from casework.people.staff.tables import register_version
from casework.personal import Vault
from casework.storage import rows
from casework.storage.database import is_reading

_NEVER_GIVEN: Final = 2**52
_MANY: Final = 1_000  # customers: as of a first feed
_NO_DAY, _NO_NUMBER = sa.cast(sa.null(), sa.Date), sa.cast(sa.null(), sa.BigInteger)
PRESENT: Final = sa.union_all(
    sa.select(
        institutions.c.institution, institutions.c.business_date, _NO_DAY.label("swept_on"), _NO_NUMBER.label("version")
    ),
    sa.select(days_swept.c.institution, _NO_DAY, days_swept.c.swept_on, _NO_NUMBER),
    sa.select(sa.cast(sa.null(), institutions.c.institution.type), _NO_DAY, _NO_DAY, register_version.c.version),
)
"""Of every institution its business date and the last day that was closed, and the register's version: rows of one
kind each, which cost one statement."""


class Gathered(msgspec.Struct):
    """What was asked for (locked), the business date and the last closed day per institution, what is of a customer.

    `of_customers`: the living main subjects of customers whom something concerns; `in_force`: what concerns a customer
    of whom a main subject is being opened. `about`: what openings are about, by their place in the batch.
    `elsewhere`: customers of whom another transaction holds a main subject.
    """

    vault: Vault
    subjects: dict[tuple[str, int], Any]
    business_dates: dict[str, date]
    register_version: int = 0
    heads: dict[str, StreamHead] = msgspec.field(default_factory=dict)
    new_ids: dict[str, Iterator[int]] = msgspec.field(default_factory=dict)
    about: dict[int, dict[str, Any]] = msgspec.field(default_factory=dict)
    of_customers: dict[Customer, list[int]] = msgspec.field(default_factory=dict)
    in_force: dict[Customer, list[tuple[Kept, Any]]] = msgspec.field(default_factory=dict)
    elsewhere: set[Customer] = msgspec.field(default_factory=set)
    closed: dict[str, date] = msgspec.field(default_factory=dict)


@lru_cache(64)
def select_of(noun: Kept) -> sa.Select[Any]:
    """The rows of a noun, their columns in the order of its struct."""
    return sa.select(*(noun.table.c[name] for name in noun.rows.columns))


def nouns_by_chart(nouns: Sequence[Kept]) -> dict[str, Kept]:
    """As commands name them."""
    return {noun.chart: noun for noun in nouns}


def gather(
    conn: Connection, commands: Sequence[Any], nouns: Sequence[Kept], vault: Vault, *, lock: rows.Lock,
    followed: Collection[ActName] = (), asking: Callable[[], None] | None = None,
) -> Gathered:  # fmt: skip
    """Lock and read what `commands` are about. One that is missing was not found, or (`skip`) is held elsewhere.

    Of acts that something follows (`followed`) all of the customer is held. `asking` sends questions of the caller's
    own with those of the door.
    """
    main = nouns[0]
    wanted, openings, whole = _asked_for(commands, nouns, followed)
    gathered = Gathered(vault, {}, {})
    others = [noun for noun in wanted if noun is not main]
    if others or openings:
        _more(conn, gathered, nouns, wanted, openings, others, whole, lock=lock)
    with rows.together(conn):
        if asking is not None:
            asking()
        found_rows = rows.ask_by_keys(conn, select_of(main), "id", sorted(wanted[main]), lock=lock)
        present = rows.ask_all(conn, PRESENT)
    for row in found_rows():
        gathered.subjects[main.chart, row[0]] = main.rows.read(row)
    if main.headless:
        for stream in sorted(subject.stream for subject in gathered.subjects.values()):
            gathered.heads[stream] = held_head(conn, stream, locked=bool(lock)) or NOT_BEGUN
    _know_present(gathered, present())
    gathered.elsewhere = {
        customer for customer, numbers in gathered.of_customers.items()
        if any((main.chart, number) not in gathered.subjects for number in numbers)
    }  # fmt: skip
    for noun in others:  # held with their parent, or with their stream
        for row in rows.select_by_keys(conn, select_of(noun), "id", sorted(wanted[noun])):
            subject = noun.rows.read(row)
            if _is_held(gathered, main, noun, subject):
                gathered.subjects[noun.chart, subject.id] = subject
    for noun, opened in openings.items():
        gathered.new_ids[noun.chart] = _new_ids(conn, noun, len(opened))
    return gathered


def _know_present(gathered: Gathered, present: Sequence[Any]) -> None:
    """Days of institutions and the register's version, as `PRESENT` answers them."""
    for institution, business_date, swept_on, version in present:
        if business_date is not None:
            gathered.business_dates[institution] = business_date
        elif swept_on is not None:
            gathered.closed[institution] = swept_on
        else:
            gathered.register_version = version


def _asked_for(
    commands: Sequence[Any], nouns: Sequence[Kept], followed: Collection[ActName]
) -> tuple[dict[Kept, set[int]], dict[Kept, list[Open]], dict[Kept, set[int]]]:
    """By noun the subjects of the commands, the openings, and with whom all of their customer is wanted."""
    main, known = nouns[0], nouns_by_chart(nouns)
    wanted: dict[Kept, set[int]] = {main: set()}
    openings: dict[Kept, list[Open]] = {}
    whole: dict[Kept, set[int]] = {}
    for command in commands:
        noun = main if command.noun is None else known[command.noun]
        if isinstance(command, Open):
            openings.setdefault(noun, []).append(command)
            if noun.child and command.of is not None:
                wanted[main].add(command.of)
        else:
            wanted.setdefault(noun, set()).add(command.id)
            if is_followed(command, followed):
                whole.setdefault(noun, set()).add(command.id)
    return wanted, openings, whole


def _new_ids(conn: Connection, noun: Kept, n: int) -> Iterator[int]:
    """Where it is only looked at, numbers that nothing has."""
    if is_reading(conn):
        return count(_NEVER_GIVEN)
    return iter(rows.next_ids(conn, f"{noun.table.name}_id_seq", noun.table, n))


def _is_held(gathered: Gathered, main: Kept, noun: Kept, subject: Any) -> bool:
    """Whether the parent of a child is held, and the main subjects of whose customer something is."""
    if noun.child and (main.chart, subject.parent_id) not in gathered.subjects:
        return False
    of_customer = noun.child or noun.of_customer
    return not of_customer or Customer(subject.institution, subject.borrower_id) not in gathered.elsewhere


def _more(
    conn: Connection, gathered: Gathered, nouns: Sequence[Kept], wanted: dict[Kept, set[int]],
    openings: dict[Kept, list[Open]], others: Sequence[Kept], whole: dict[Kept, set[int]], *, lock: rows.Lock,
) -> None:  # fmt: skip
    """What else has to be held: the parents of children, and whom it concerns of what is a customer's."""
    concerned = set[Customer]()
    for noun in (noun for noun in others if noun.child):
        parents = sa.select(*noun.table.c["id", "parent_id", "institution", "borrower_id"])
        for row in rows.select_by_keys(conn, parents, "id", sorted(wanted[noun])):
            wanted[nouns[0]].add(row.parent_id)
            if row.id in whole.get(noun, ()):
                concerned.add(Customer(row.institution, row.borrower_id))
    for noun, opened in openings.items():
        abouts = noun.about(conn, opened) if noun.about is not None else [None] * len(opened)
        gathered.about |= {
            id(command): about for command, about in zip(opened, abouts, strict=True) if about is not None
        }
    of_customers = [noun for noun in nouns if noun.of_customer]
    if not of_customers:
        return
    concerned |= {one for noun in of_customers for one in _opened_for(gathered, openings.get(noun, ()))}
    for noun in of_customers:
        whose = sa.select(noun.table.c.id, noun.table.c.institution, noun.table.c.borrower_id)
        for row in rows.select_by_keys(conn, whose, "id", sorted(wanted.get(noun, ()))):
            concerned.add(Customer(row.institution, row.borrower_id))
    if concerned:
        _hold_customers(conn, gathered, nouns[0], wanted[nouns[0]], concerned, lock=lock)
    new = _opened_for(gathered, openings.get(nouns[0], ()))
    if new:
        _one_at_a_time(conn, alone=False, lock=lock)
        for noun in of_customers:
            for subject in in_force(conn, noun, new):
                customer = Customer(subject.institution, subject.borrower_id)
                gathered.in_force.setdefault(customer, []).append((noun, subject))


def _hold_customers(
    conn: Connection, gathered: Gathered, main: Kept, wanted: set[int], concerned: set[Customer], *, lock: rows.Lock
) -> None:
    """Their living main subjects are to be held too, and the end of their streams."""
    _one_at_a_time(conn, alone=True, lock=lock)
    living = sa.select(main.table.c.borrower_id, main.table.c.institution, main.table.c.id, main.table.c.live)
    for row in rows.select_by_keys(conn, living, "borrower_id", sorted({one.borrower_id for one in concerned})):
        customer = Customer(row.institution, row.borrower_id)
        if row.live and customer in concerned:
            gathered.of_customers.setdefault(customer, []).append(row.id)
            wanted.add(row.id)
    for stream in sorted(stream_of(gathered.vault, customer) for customer in concerned):
        gathered.heads[stream] = held_head(conn, stream, locked=bool(lock)) or NOT_BEGUN


def _has_any(conn: Connection, noun: Kept) -> bool:
    """Whether there is any at all: in a branch that begins there is none, and each of thousands would be asked for."""
    return conn.execute(sa.select(sa.true()).select_from(noun.table).limit(1)).first() is not None


def in_force(conn: Connection, noun: Kept, customers: Iterable[Customer]) -> list[Any]:
    """The living subjects of a noun that are of these customers."""
    wanted = set(customers)
    if len(wanted) >= _MANY and not _has_any(conn, noun):
        return []
    found = rows.select_by_keys(conn, select_of(noun), "borrower_id", sorted({one.borrower_id for one in wanted}))
    read = [noun.rows.read(row) for row in found]
    return [one for one in read if one.live and Customer(one.institution, one.borrower_id) in wanted]


def _opened_for(gathered: Gathered, openings: Iterable[Open]) -> set[Customer]:
    """Of whom these openings are, as far as it is known."""
    abouts = [gathered.about[id(command)] for command in openings if id(command) in gathered.about]
    return {Customer(one["institution"], one["borrower_id"]) for one in abouts}


def _one_at_a_time(conn: Connection, *, alone: bool, lock: rows.Lock) -> None:
    """What concerns a customer and what is opened of them meet: each is told of the other. SQLite has one writer."""
    if lock and conn.dialect.name == "postgresql":
        locking = sa.func.pg_advisory_xact_lock if alone else sa.func.pg_advisory_xact_lock_shared
        conn.execute(sa.select(locking(sa.func.hashtext("of a customer"))))
