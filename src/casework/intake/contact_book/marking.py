"""What people note of an entry of the contact book: whoever is there refused, or it is no longer used.

Whether a number is valid, wrong or invalid is what calls tell, never what somebody notes: that would open the gate to
contact persons by hand. A number taken out of the book opens nothing either.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer, stream_of
from casework.errors import CallerError
from casework.intake.feed.course import hold_feeds
from casework.intake.feed.customers import is_within
from casework.intake.feed.left_rows import LeftRows
from casework.intake.feed.row_mac import COVERED
from casework.intake.feed.tables import contacts
from casework.log.write.trail import Draft, locked_heads, put_heads, wait_for_heads
from casework.people.staff.actor import Actor
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.filter import MAX_ID
from casework.work.cases.sight import reach_of
from casework.work.cases.unseen import unseen

COMMAND: Final = "contact.mark"
REFUSED, ENDED = "refused", "ended"
MARKS: Final = (REFUSED, ENDED)
_COLUMNS: Final = COVERED[contacts.name]
_CHANGED: Final = ("refused_at", "ended_at", "mac")
_BOOK: Final = sa.select(contacts)


class Mark(NamedTuple):
    """What is noted of an entry of the book; `remark` says how it became known and is sealed."""

    contact_id: int
    mark: str
    remark: str


class Marked(NamedTuple):
    """The entry of the book and its mark; `entry_id` none: it had the mark already, nothing was changed."""

    contact_id: int
    mark: str
    entry_id: str | None


def mark_many(
    conn: Connection, branch: Branch, asked: Sequence[Mark], actor: Actor, at: datetime, *, atomic: bool
) -> list[Marked | CallerError]:  # fmt: skip
    """Note them, in the caller's transaction; what became of each, in order. `atomic`: one at fault, and none is.

    CallerErrors `unknown_mark`; `unknown_contact`, the same where it is beyond reach; `not_done`.
    """
    seen = _within_reach(conn, branch, [one.contact_id for one in asked], actor, at)
    wait_for_heads(conn, {stream_of(branch.vault, one) for one in seen.values()})  # a file may bring contacts of them
    for institution in sorted({one.institution for one in seen.values()}):
        hold_feeds(conn, institution)
    held = {row.id: row for row in rows.select_by_keys(conn, _BOOK, "id", sorted(seen))}  # one may be erased meanwhile
    faults = [_fault(one, held) for one in asked]
    if atomic and any(faults):
        return [fault or CallerError("not_done") for fault in faults]
    sound = [one for one, fault in zip(asked, faults, strict=True) if fault is None]
    told = iter(_noted(conn, branch, sound, held, actor, at))
    return [fault or next(told) for fault in faults]


def mark(
    conn: Connection, branch: Branch, contact_id: int, what: str, remark: str, actor: Actor, at: datetime
) -> Marked:  # fmt: skip
    """One alone; CallerErrors as of `mark_many`."""
    (told,) = mark_many(conn, branch, [Mark(contact_id, what, remark)], actor, at, atomic=True)
    if isinstance(told, CallerError):
        raise told
    return told


def _within_reach(
    conn: Connection, branch: Branch, contact_ids: Iterable[int], actor: Actor, at: datetime
) -> dict[int, Customer]:
    """Whose they are, by number."""
    within = reach_of(branch, actor, COMMAND, branch.today(at))
    wanted = sorted({one for one in contact_ids if 0 < one <= MAX_ID})
    asked = sa.select(*contacts.c["id", "institution", "borrower_id"]).where(contacts.c.id.in_(wanted))
    if not within.everything:
        asked = asked.where(is_within((contacts.c.institution, contacts.c.borrower_id), within))
    return {row.id: _whose(row) for row in conn.execute(asked)}


def _fault(one: Mark, held: Mapping[int, Any]) -> CallerError | None:
    if one.mark not in MARKS:
        return CallerError("unknown_mark", known=list(MARKS))
    return unseen("unknown_contact") if one.contact_id not in held else None


def _noted(
    conn: Connection, branch: Branch, asked: Sequence[Mark], held: Mapping[int, Any], actor: Actor, at: datetime
) -> list[Marked]:
    whose = {one.contact_id: _whose(held[one.contact_id]) for one in asked}
    streams = {customer: stream_of(branch.vault, customer) for customer in set(whose.values())}
    heads, trail = locked_heads(conn, streams.values()), branch.trail(at)
    now = {number: {name: getattr(held[number], name) for name in (*_COLUMNS, "mac")} for number in whose}
    left: dict[str, tuple[LeftRows, str]] = {}
    told, changed = list[Marked](), set[int]()
    for one in asked:
        row, customer, column = now[one.contact_id], whose[one.contact_id], f"{one.mark}_at"
        if row[column] is not None:
            told.append(Marked(one.contact_id, one.mark, None))
            continue
        stream = streams[customer]
        said = {"contact_id": one.contact_id, "role": row["role"]}
        draft = Draft(f"contact.{one.mark}", actor.signed, said, texts={"remark": one.remark}, subject=stream)
        head = heads[stream] = trail.add(stream, heads[stream], draft)
        entry_id = f"{stream}:{head.seq}"
        books, _ = left.setdefault(
            customer.institution, (LeftRows(conn, branch.mac_key, customer.institution), entry_id)
        )  # fmt: skip
        _change(books, row, column, head.recorded_at)
        changed.add(one.contact_id)
        told.append(Marked(one.contact_id, one.mark, entry_id))
    stored = [(number, *(now[number][name] for name in _CHANGED)) for number in sorted(changed)]
    rows.update_many(conn, contacts, "id", stored, _CHANGED)
    put_heads(conn, heads)
    for _, (books, because) in sorted(left.items()):
        books.restate(trail, actor, because)
    trail.write(conn)
    return told


def _whose(row: Any) -> Customer:
    return Customer(row.institution, row.borrower_id)


def _change(books: LeftRows, row: dict[str, Any], column: str, at: datetime) -> None:
    before = row["mac"]
    books.check(contacts, tuple(row[name] for name in _COLUMNS), before)
    row[column] = at
    row["mac"] = books.mac_of(contacts)(tuple(row[name] for name in _COLUMNS))
    books.swap(contacts, gone=before, new=row["mac"])
