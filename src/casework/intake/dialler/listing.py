"""A debtor's contacts as somebody is shown them: the newest first, page by page, numbers as their posts see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import Customer, stream_of
from casework.errors import CallerError
from casework.intake.dialler.recording import RECORDED
from casework.log.tables import entries
from casework.log.write.trail import read_openings
from casework.people.staff.actor import Actor
from casework.personal import mask
from casework.work.cases.branch import Branch
from casework.work.cases.filter import filter_malformed
from casework.work.cases.history import shown_as
from casework.work.cases.paging import MAX_PAGE, Place, read_cursor, write_cursor
from casework.work.contacts.tables import contact_log
from casework.work.gate.subjects import lacking

COMMAND: Final = "contact.read"
_SORT: Final = "-id"  # a cursor holds the last row's number; when that contact began is looked up


class ContactLine(msgspec.Struct):
    """One contact; `zh` and `en` say its result. `phone` is masked unless the reader's posts see it in clear.

    No phone: there was none, or the reader's posts see none, or the debtor was erased. `late`: typed in late (补录).
    `to_review`: the first reason why it goes to review unasked (`contacts.registered`).
    """

    contact_ref: str
    source: str
    loan_id: str
    party: str
    channel: str
    purpose: str
    started_at: datetime
    ended_at: datetime | None
    result: str
    zh: str
    en: str
    outcome: str
    staff_no: str | None
    agency: str | None
    phone: str | None
    has_address: bool
    recording: bool
    late: bool
    permit_id: int | None
    recorded_at: datetime
    line: str | None
    seconds: int | None
    template: str | None
    next_action: str | None
    to_review: str | None


class ContactPage(msgspec.Struct):
    """One page; `next` is the cursor of the page after it, none at the end."""

    items: list[ContactLine]
    next: str | None

    @property
    def fields(self) -> list[str]:
        """What of the debtor's data it shows, for the entry of the read."""
        return ["phone"] if any(one.phone for one in self.items) else []


def contacts_page(
    conn: Connection, branch: Branch, actor: Actor, customer: Customer, loan_id: str | None, *, limit: int,
    cursor: str | None = None, since: datetime | None = None,
) -> ContactPage:  # fmt: skip
    """At most `limit` (1 to 200) contacts of a debtor over all loans, or for one; callers record `fields` as read.

    `since`: that began then or later.

    CallerErrors `filter_malformed`, `cursor_malformed`.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise filter_malformed("limit", f"1–{MAX_PAGE}")
    log, listed = contact_log.c, ("contact", *customer, loan_id, *([since.isoformat()] if since else []))
    theirs = [log.borrower_id == customer.borrower_id, log.institution == customer.institution]
    if loan_id is not None:
        theirs.append(log.loan_id == loan_id)
    if since is not None:
        theirs.append(log.started_at >= since)
    conditions, place = list(theirs), read_cursor(cursor, listed, _SORT)
    if place is not None:
        began = conn.execute(sa.select(log.started_at).where(*theirs, log.id == place.id)).scalar_one_or_none()
        if began is None:
            raise CallerError("cursor_malformed")
        conditions.append(sa.or_(log.started_at < began, sa.and_(log.started_at == began, log.id < place.id)))
    ordered = sa.select(contact_log).where(*conditions).order_by(log.started_at.desc(), log.id.desc())
    found = conn.execute(ordered.limit(limit + 1)).all()
    page = found[:limit]
    phones = _phones(conn, branch, actor, customer, page)
    lacks = lacking(branch)
    items = [
        _line(branch, lacks(row), row, None if row.number is None else phones.get(bytes(row.number))) for row in page
    ]
    return ContactPage(items, write_cursor(Place(None, page[-1].id), listed, _SORT) if len(found) > limit else None)


def _line(branch: Branch, lacks: Sequence[str], row: sa.Row[Any], phone: str | None) -> ContactLine:
    known = branch.rulebook.results.by_code.get(row.result)
    zh, en = (known.zh, known.en) if known else (row.result, row.result)
    return ContactLine(
        row.contact_ref, row.source, row.loan_id, row.party, row.channel, row.purpose, row.started_at, row.ended_at,
        row.result, zh, en, row.outcome, row.staff_no, row.agency, phone, row.has_address, row.recording, row.late,
        row.permit_id, row.recorded_at, row.line, row.seconds, row.template, row.next_action,
        lacks[0] if lacks else None,
    )  # fmt: skip


def _phones(
    conn: Connection, branch: Branch, actor: Actor, customer: Customer, page: Sequence[sa.Row[Any]]
) -> dict[bytes, str]:
    """The numbers of these contacts by fingerprint, as the actor is shown them.

    They are sealed with the entries that recorded the contacts, which are found by their instant: a corrected contact
    names its last entry only.
    """
    view, instants = shown_as(branch.rulebook.permissions, actor, "phone"), {one.recorded_at for one in page}
    if view is None or not instants:
        return {}
    stream = stream_of(branch.vault, customer)
    of_them = (entries.c.stream == stream, entries.c.event == RECORDED, entries.c.recorded_at.in_(sorted(instants)))
    numbers = list(conn.execute(sa.select(entries.c.stream_seq).where(*of_them)).scalars())
    texts = read_openings(conn, branch.vault, stream, numbers)
    found = {text for (_, field), text in texts.items() if field == "phone"}
    return {branch.vault.blind("phone", one): one if view == "clear" else mask("phone", one) for one in found}
