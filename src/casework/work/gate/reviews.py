"""What the basic-risk post makes of a breach: confirmed, explained, or cleared by a correction; each an entry.

A breach itself is never stored (`found`): a review says of which rules it was, so a breach whose rules have changed
since waits for its review again.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import stream_of
from casework.errors import CallerError
from casework.log.write.trail import Draft, Trail
from casework.people.staff.actor import Actor
from casework.work.cases.branch import Branch
from casework.work.contacts.contact import Contact
from casework.work.contacts.tables import CONTACTS, contact_log, contact_of
from casework.work.gate.breaches import Breach
from casework.work.gate.found import PastArrears, found
from casework.work.gate.tables import breach_reviews

COMMAND: Final = "breach.review"
REVIEWED: Final = "contact.breach_reviewed"
CONFIRMED, EXPLAINED, CLEARED = "confirmed", "explained", "cleared"
VERDICTS: Final = (CONFIRMED, EXPLAINED, CLEARED)
RULES: Final = ("X1", "X2", "X3", "X4", "X5", "X6")


class Review(NamedTuple):
    """The latest of a contact: what was found then, and by whom."""

    verdict: str
    rules: tuple[str, ...]
    actor_id: str
    reviewed_at: datetime

    def answers(self, rules: Iterable[str]) -> bool:
        """Whether it was of these very rules."""
        return self.rules == tuple(rules)


def review(
    conn: Connection, trail: Trail, branch: Branch, actor: Actor, arrears: PastArrears, contact_ref: str, verdict: str,
    remark: str | None = None, source: str | None = None,
) -> Breach:  # fmt: skip
    """Record it, in the caller's transaction. `source` is needed where several have a contact of that reference.

    CallerErrors: `unknown_verdict`, `unknown_contact_ref`, `source_needed`, `no_breach` (nothing to confirm or
    explain), `still_a_breach` (nothing has cleared it).
    """
    if verdict not in VERDICTS:
        raise CallerError("unknown_verdict", "没有此复核结论", "unknown verdict", known=list(VERDICTS))
    contact = _contact(conn, contact_ref, source)
    day = branch.today(contact.started_at)
    now = [one for one in found(conn, branch, arrears, day, day) if one.contact == contact]
    if verdict == CLEARED and now:
        raise CallerError(
            "still_a_breach", "该联系现仍属违规，不能记为已更正", "it is a breach still: no correction has cleared it",
            rules=list(now[0].rules),
        )  # fmt: skip
    if verdict != CLEARED and not now:
        raise CallerError("no_breach", "该联系现不属违规", "it is no breach now", contact_ref=contact_ref)
    breach = now[0] if now else Breach(contact, ())
    stream = stream_of(branch.vault, contact.customer)
    data = {
        "contact_ref": contact.contact_ref,
        "source": contact.source,
        "rules": list(breach.rules),
        "verdict": verdict,
    }
    texts = {"remark": remark} if remark else {}
    draft = Draft(REVIEWED, actor.signed, data, rules=RULES, texts=texts, subject=stream)
    head = trail.append(conn, stream, draft)
    conn.execute(
        breach_reviews.insert().values(
            institution=contact.institution, borrower_id=contact.borrower_id, source=contact.source,
            contact_ref=contact.contact_ref, verdict=verdict, rules=" ".join(breach.rules), actor_id=actor.id,
            reviewed_at=head.recorded_at, stream_seq=head.seq,
        )
    )  # fmt: skip
    return breach


def reviews(conn: Connection) -> Mapping[tuple[str, str], Review]:
    """The latest of each contact, by source and reference."""
    ordered = conn.execute(sa.select(breach_reviews).order_by(breach_reviews.c.id))
    return {
        (row.source, row.contact_ref): Review(row.verdict, tuple(row.rules.split()), row.actor_id, row.reviewed_at)
        for row in ordered
    }


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
