"""Breaches into the log: the sweep says of each in its debtor's stream which rules it broke, and what changes later.

A breach is judged from what is on record when it is asked for (`found`), and not all of that is in the log: the number
that was called is not. So what was found stands there too, for whoever has nothing but the log.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock
from casework.customer import stream_of
from casework.log.write.trail import Draft, locked_heads, put_heads
from casework.people.staff.actor import system
from casework.storage import rows
from casework.storage.database import UtcDateTime
from casework.work.cases.branch import Branch
from casework.work.cases.holds import HOLDS
from casework.work.contacts.contact import Contact
from casework.work.contacts.tables import CONTACTS, FIELDS, contact_log, contact_of
from casework.work.gate.breaches import Breach
from casework.work.gate.found import PastArrears, judged
from casework.work.gate.suspects import suspects
from casework.work.gate.tables import ANNOUNCED, breach_reviews

ANNOUNCED_IN_LOG: Final = "contact.breach_found"
LOOKED_BACK: Final = timedelta(days=6)
"""Rows and holds that come later than that are in lists and reports all the same, and not announced."""
_COLUMNS: Final = tuple(column.name for column in breach_reviews.columns if column.name != "id")
_SAID: Final = (
    CONTACTS.add_columns(breach_reviews.c.rules)
    .join(
        breach_reviews,
        sa.and_(
            breach_reviews.c.contact_ref == contact_log.c.contact_ref, breach_reviews.c.source == contact_log.c.source
        ),
    )
    .where(
        breach_reviews.c.verdict == ANNOUNCED,
        contact_log.c.day.between(sa.bindparam("first", type_=sa.Date), sa.bindparam("last", type_=sa.Date)),
    )
    .order_by(breach_reviews.c.id)
)

_LATE: Final = sa.select(sa.func.min(contact_log.c.day)).where(
    contact_log.c.day.between(sa.bindparam("first", type_=sa.Date), sa.bindparam("last", type_=sa.Date)),
    contact_log.c.recorded_at >= sa.bindparam("midnight", type_=UtcDateTime),
)
_HELD: Final = sa.select(sa.func.min(HOLDS.table.c.begins_on)).where(
    HOLDS.table.c.opened_on >= sa.bindparam("last", type_=sa.Date),
    HOLDS.table.c.begins_on >= sa.bindparam("first", type_=sa.Date),
)


def announce(conn: Connection, branch: Branch, arrears: PastArrears, on: date, *, clock: Clock) -> int:
    """Say what was found of the days up to `on` that was not said yet, in the caller's transaction; of how many."""
    news = list(_news(conn, branch, arrears, on))
    if not news:
        return 0
    streams = {one.contact.customer: stream_of(branch.vault, one.contact.customer) for one in news}
    heads = locked_heads(conn, streams.values())
    trail, actor, policies = branch.trail(clock()), system("sweep"), branch.rulebook.policies
    stored = []
    for contact, broken in news:
        stream, day = streams[contact.customer], branch.today(contact.started_at)
        said = {"contact_ref": contact.contact_ref, "source": contact.source, "rules": list(broken)}
        cited = tuple(rule for rule in broken if rule.startswith("X"))
        draft = Draft(ANNOUNCED_IN_LOG, actor.signed, said, rules=cited, policy=policies.at(day).ref, subject=stream)
        heads[stream] = head = trail.add(stream, heads[stream], draft)
        stored.append(
            (
                contact.institution, contact.borrower_id, contact.source, contact.contact_ref, ANNOUNCED,
                " ".join(broken), actor.id, head.recorded_at, head.seq,
            )
        )  # fmt: skip
    trail.write(conn)
    rows.insert_many(conn, breach_reviews, stored, _COLUMNS)
    put_heads(conn, heads)
    return len(news)


def _news(conn: Connection, branch: Branch, arrears: PastArrears, on: date) -> Iterator[Breach]:
    """What changed: contacts with the rules that they break now; none any more, if they once did."""
    said: dict[tuple[str, str], Any] = {}
    for row in conn.execute(_SAID, {"first": on - LOOKED_BACK, "last": on}):
        said[row.source, row.contact_ref] = row
    wanted = {key: contact_of(row[: len(FIELDS)]) for key, row in said.items()}
    for one in suspects(conn, branch, _since(conn, branch, on), on):
        wanted[one.source, one.contact_ref] = one
    for contact, broken in judged(conn, branch, arrears, list(wanted.values())):
        before = said.pop((contact.source, contact.contact_ref), None)
        if before is None or (tuple(before.rules.split()) != broken and not _is_erased(contact)):
            yield Breach(contact, broken)
    for row in said.values():
        contact = contact_of(row[: len(FIELDS)])
        if row.rules and not _is_erased(contact):
            yield Breach(contact, ())


def _since(conn: Connection, branch: Branch, on: date) -> date:
    """The first day that something new bears on: a row that came since that day began, a hold that was entered since.

    Judging a week anew each day would take as long as the rest of the sweep.
    """
    asked = {
        "first": on - LOOKED_BACK, "last": on,
        "midnight": datetime.combine(on, time(), ZoneInfo(branch.time_zone)),
    }  # fmt: skip
    late = conn.execute(_LATE, asked).scalar_one()
    held = conn.execute(_HELD, asked).scalar_one()
    return max(min(day for day in (on - timedelta(days=1), late, held) if day is not None), on - LOOKED_BACK)


def _is_erased(contact: Contact) -> bool:
    """Whether the number went with the debtor: what was called is not known any more, so nothing is said anew."""
    return contact.is_call and contact.number is None
