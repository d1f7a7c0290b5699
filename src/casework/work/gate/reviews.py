"""What the basic-risk post makes of a contact that goes to review: confirmed, explained, cleared; each an entry.

Why it does so is never stored (`subjects`): a review says of which reasons it was, so a contact whose reasons have
changed since waits for its review again.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import stream_of
from casework.errors import CallerError
from casework.log.write.trail import Draft, Trail
from casework.people.staff.actor import Actor
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.contacts.contact import Contact
from casework.work.contacts.tables import CONTACTS, contact_log, contact_of
from casework.work.gate.found import PastArrears
from casework.work.gate.subjects import Subject, subject_of
from casework.work.gate.tables import breach_reviews

COMMAND: Final = "breach.review"
REVIEWED: Final = "contact.breach_reviewed"
CONFIRMED, EXPLAINED, CLEARED = "confirmed", "explained", "cleared"
VERDICTS: Final = (CONFIRMED, EXPLAINED, CLEARED)
RULES: Final = ("X1", "X2", "X3", "X4", "X5", "X6", "X7")
_KEY: Final = ("contact_ref", "source")


class Review(NamedTuple):
    """The latest of a contact: of which reasons it was, and by whom."""

    verdict: str
    reasons: tuple[str, ...]
    actor_id: str
    reviewed_at: datetime

    def answers(self, reasons: Iterable[str]) -> bool:
        """Whether it was of these very reasons."""
        return self.reasons == tuple(reasons)


def review(
    conn: Connection, trail: Trail, branch: Branch, actor: Actor, arrears: PastArrears, contact_ref: str, verdict: str,
    remark: str | None = None, source: str | None = None,
) -> Subject:  # fmt: skip
    """Record it, in the caller's transaction. `source` is needed where several have a contact of that reference.

    CallerErrors: `unknown_verdict`, `unknown_contact_ref`, `source_needed`, `no_breach` (nothing to confirm
    or explain), `still_a_breach` (nothing has cleared it).
    """
    if verdict not in VERDICTS:
        raise CallerError("unknown_verdict", "没有此复核结论", "unknown verdict", known=list(VERDICTS))
    contact = _contact(conn, contact_ref, source)
    subject = subject_of(conn, branch, arrears, contact)
    if verdict == CLEARED and subject.reasons:
        raise CallerError("still_a_breach", contact_ref=contact_ref, rules=list(subject.reasons))
    if verdict != CLEARED and not subject.reasons:
        raise CallerError("no_breach", contact_ref=contact_ref)
    stream = stream_of(branch.vault, contact.customer)
    data = {
        "contact_ref": contact.contact_ref,
        "source": contact.source,
        "rules": list(subject.rules),
        "verdict": verdict,
    } | ({"lacks": list(subject.lacks)} if subject.lacks else {})
    texts = {"remark": remark} if remark else {}
    draft = Draft(REVIEWED, actor.signed, data, rules=RULES, texts=texts, subject=stream)
    head = trail.append(conn, stream, draft)
    conn.execute(
        breach_reviews.insert().values(
            institution=contact.institution, borrower_id=contact.borrower_id, source=contact.source,
            contact_ref=contact.contact_ref, verdict=verdict, rules=" ".join(subject.reasons), actor_id=actor.id,
            reviewed_at=head.recorded_at, stream_seq=head.seq,
        )
    )  # fmt: skip
    return subject


_LATEST: Final = sa.select(breach_reviews)


def reviews(conn: Connection, contacts: Iterable[Contact]) -> Mapping[tuple[str, str], Review]:
    """The latest of each of these contacts, by source and reference."""
    keys = {(one.contact_ref, one.source) for one in contacts}
    found = rows.select_by_keys(conn, _LATEST, _KEY, sorted(keys))
    return {
        (row.source, row.contact_ref): Review(row.verdict, tuple(row.rules.split()), row.actor_id, row.reviewed_at)
        for row in sorted(found, key=_number)
    }


def _number(row: Any) -> int:
    return int(row.id)


def waiting(conn: Connection, subjects: Collection[Subject]) -> list[Subject]:
    """Those of which nobody has said yet what they are, for the reasons that they have."""
    known = reviews(conn, [one.contact for one in subjects])
    return [one for one in subjects if verdict_on(known, one) is None]


def verdict_on(known: Mapping[tuple[str, str], Review], subject: Subject) -> Review | None:
    """The review of it for these very reasons, if there is one."""
    one = known.get((subject.contact.source, subject.contact.contact_ref))
    return one if one is not None and one.answers(subject.reasons) else None


def _contact(conn: Connection, contact_ref: str, source: str | None) -> Contact:
    asked = CONTACTS.where(contact_log.c.contact_ref == contact_ref)
    if source is not None:
        asked = asked.where(contact_log.c.source == source)
    of_it = [contact_of(row) for row in conn.execute(asked)]
    if not of_it:
        raise CallerError(
            "unknown_contact_ref", "没有此联系记录", "no such contact is on record", contact_ref=contact_ref
        )
    if len(of_it) > 1:
        raise CallerError(
            "source_needed", "多个来源有此编号，须指明来源", "several sources have a contact of that reference",
            sources=sorted(one.source for one in of_it),
        )  # fmt: skip
    return of_it[0]
