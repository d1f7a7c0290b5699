"""What people note of an entry of the contact book: whoever is there refused, or it is no longer used.

Whether a number is valid, wrong or invalid is what calls tell, never what somebody notes: that would open the gate to
contact persons by hand. A number taken out of the book opens nothing either.
"""

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
from casework.log.write.trail import Draft, Trail
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch
from casework.work.cases.sight import reach_of
from casework.work.cases.unseen import unseen

COMMAND: Final = "contact.mark"
REFUSED, ENDED = "refused", "ended"
MARKS: Final = (REFUSED, ENDED)
_COLUMNS: Final = COVERED[contacts.name]


class Marked(NamedTuple):
    """The entry of the book and its mark; `entry_id` none: it had the mark already, nothing was changed."""

    contact_id: int
    mark: str
    entry_id: str | None


def mark(
    conn: Connection, branch: Branch, contact_id: int, what: str, remark: str, actor: Actor, at: datetime
) -> Marked:  # fmt: skip
    """Note it, in the caller's transaction; `remark` says how it became known and is sealed.

    CallerErrors `unknown_mark`; `unknown_contact`, the same where it is beyond reach.
    """
    if what not in MARKS:
        raise CallerError("unknown_mark", known=list(MARKS))
    hold_feeds(conn, _whose(conn, branch, contact_id, actor, at).institution)
    row = conn.execute(sa.select(contacts).where(contacts.c.id == contact_id)).one_or_none()
    if row is None:  # erased while we waited
        raise unseen("unknown_contact")
    column = f"{what}_at"
    if getattr(row, column) is not None:
        return Marked(contact_id, what, None)
    customer = Customer(row.institution, row.borrower_id)
    stream, trail = stream_of(branch.vault, customer), branch.trail(at)
    said = {"contact_id": contact_id, "role": row.role}
    draft = Draft(f"contact.{what}", actor.signed, said, texts={"remark": remark}, subject=stream)
    head = trail.append(conn, stream, draft)
    _write(conn, branch, row, {column: head.recorded_at}, trail, actor, f"{stream}:{head.seq}")
    trail.write(conn)
    return Marked(contact_id, what, f"{stream}:{head.seq}")


def _whose(conn: Connection, branch: Branch, contact_id: int, actor: Actor, at: datetime) -> Customer:
    row = conn.execute(
        sa.select(contacts.c.institution, contacts.c.borrower_id).where(contacts.c.id == contact_id)
    ).one_or_none()
    if row is None:
        raise unseen("unknown_contact")
    customer = Customer(row.institution, row.borrower_id)
    within = reach_of(branch, actor, COMMAND, branch.today(at))
    of_them = (sa.literal(row.institution), sa.literal(row.borrower_id))
    if not within.everything and not conn.execute(sa.select(is_within(of_them, within))).scalar():
        raise unseen("unknown_contact")
    return customer


def _write(
    conn: Connection, branch: Branch, row: Any, changed: dict[str, datetime], trail: Trail, actor: Actor, because: str
) -> None:
    left = LeftRows(conn, branch.mac_key, row.institution)
    before = {name: getattr(row, name) for name in _COLUMNS}
    left.check(contacts, tuple(before.values()), row.mac)
    mac = left.mac_of(contacts)(tuple((before | changed).values()))
    left.swap(contacts, gone=row.mac, new=mac)
    conn.execute(contacts.update().where(contacts.c.id == row.id).values(**changed, mac=mac))
    left.restate(trail, actor, because)
