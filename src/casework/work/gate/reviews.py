"""What the basic-risk post makes of a contact that goes to review: confirmed, explained, cleared; each an entry.

Why it does so is judged whenever it is asked for (`subjects`): a review says of which reasons it was, so a contact
whose reasons have changed since waits for its review again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.customer import stream_of
from casework.errors import CallerError
from casework.log.write.trail import Draft, Trail, locked_heads, put_heads
from casework.people.staff.actor import Actor
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.contacts.contact import Contact
from casework.work.contacts.tables import CONTACTS, contact_of
from casework.work.gate.found import PastArrears
from casework.work.gate.subjects import Subject, subjects_of
from casework.work.gate.tables import ANNOUNCED, breach_reviews

COMMAND: Final = "breach.review"
READ: Final = "breach.read"
REVIEWED: Final = "contact.breach_reviewed"
CONFIRMED, EXPLAINED, CLEARED = "confirmed", "explained", "cleared"
VERDICT_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    CONFIRMED: ("确认违规", "confirmed"), EXPLAINED: ("已说明", "explained"), CLEARED: ("已更正", "cleared"),
}  # fmt: skip
"""Code → zh, en."""
VERDICTS: Final = tuple(VERDICT_WORDS)
RULES: Final = ("X1", "X2", "X3", "X4", "X5", "X6", "X7", "X8")
_KEY: Final = ("contact_ref", "source")
_COLUMNS: Final = (
    "institution", "borrower_id", "source", "contact_ref", "verdict", "rules", "actor_id", "reviewed_at", "stream_seq",
)  # fmt: skip


class Review(NamedTuple):
    """The latest of a contact: of which reasons it was, and by whom."""

    verdict: str
    reasons: tuple[str, ...]
    actor_id: str
    reviewed_at: datetime

    def answers(self, reasons: Iterable[str]) -> bool:
        """Whether it was of these very reasons."""
        return self.reasons == tuple(reasons)


class ReviewAsked(NamedTuple):
    """Which contact and the verdict on it; `source` is needed where several have a contact of that reference."""

    contact_ref: str
    verdict: str
    remark: str | None = None
    source: str | None = None


class ReviewDone(NamedTuple):
    """A review that is recorded, and the entry that says so."""

    subject: Subject
    entry_id: str


def review_many(
    conn: Connection, trail: Trail, branch: Branch, actor: Actor, arrears: PastArrears, asked: Sequence[ReviewAsked], *,
    atomic: bool,
) -> list[ReviewDone | CallerError]:  # fmt: skip
    """Record them, in the caller's transaction; what became of each, in order. `atomic`: one at fault, and none is.

    CallerErrors: `unknown_verdict`, `unknown_contact_ref`, `source_needed`, `no_breach` (nothing to confirm
    or explain), `still_a_breach` (nothing has cleared it), `not_done`.
    """
    named = _named(conn, {one.contact_ref for one in asked})
    chosen = [_chosen(named.get(one.contact_ref, ()), one) for one in asked]
    meant = {(one.source, one.contact_ref): one for one in chosen if isinstance(one, Contact)}
    subjects = subjects_of(conn, branch, arrears, list(meant.values()))
    judged = [
        one if isinstance(one, CallerError) else _judged(subjects[one.source, one.contact_ref], of.verdict)
        for one, of in zip(chosen, asked, strict=True)
    ]
    if atomic and any(isinstance(one, CallerError) for one in judged):
        return [one if isinstance(one, CallerError) else CallerError("not_done") for one in judged]
    return _recorded(conn, trail, branch, actor, list(zip(asked, judged, strict=True)))


def review(
    conn: Connection, trail: Trail, branch: Branch, actor: Actor, arrears: PastArrears, contact_ref: str, verdict: str,
    remark: str | None = None, source: str | None = None,
) -> Subject:  # fmt: skip
    """One alone; CallerErrors as of `review_many`."""
    asked = ReviewAsked(contact_ref, verdict, remark, source)
    (done,) = review_many(conn, trail, branch, actor, arrears, [asked], atomic=True)
    if isinstance(done, CallerError):
        raise done
    return done.subject


def _judged(subject: Subject, verdict: str) -> Subject | CallerError:
    if verdict == CLEARED and subject.reasons:
        return CallerError(
            "still_a_breach", f"该联系仍有待复核事项（{'、'.join(subject.reasons)}），不能记为已更正",
            f"it is still to be reviewed for {', '.join(subject.reasons)}: no correction has cleared it",
            contact_ref=subject.contact.contact_ref, rules=list(subject.reasons),
        )  # fmt: skip
    if verdict != CLEARED and not subject.reasons:
        return CallerError("no_breach", contact_ref=subject.contact.contact_ref)
    return subject


def _recorded(
    conn: Connection, trail: Trail, branch: Branch, actor: Actor,
    judged: Sequence[tuple[ReviewAsked, Subject | CallerError]],
) -> list[ReviewDone | CallerError]:  # fmt: skip
    whose = {one.contact.customer for _, one in judged if isinstance(one, Subject)}
    streams = {customer: stream_of(branch.vault, customer) for customer in whose}
    heads, told, stored = locked_heads(conn, streams.values()), list[ReviewDone | CallerError](), []
    for asked, one in judged:
        if isinstance(one, CallerError):
            told.append(one)
            continue
        contact, stream = one.contact, streams[one.contact.customer]
        texts = {"remark": asked.remark} if asked.remark else {}
        draft = Draft(REVIEWED, actor.signed, _said(one, asked.verdict), rules=RULES, texts=texts, subject=stream)
        head = heads[stream] = trail.add(stream, heads[stream], draft)
        stored.append(
            (
                *contact.customer, contact.source, contact.contact_ref, asked.verdict, " ".join(one.reasons), actor.id,
                head.recorded_at, head.seq,
            )
        )  # fmt: skip
        told.append(ReviewDone(one, f"{stream}:{head.seq}"))
    rows.insert_many(conn, breach_reviews, stored, _COLUMNS)
    put_heads(conn, heads)
    return told


def _said(subject: Subject, verdict: str) -> dict[str, Any]:
    contact = subject.contact
    said = {
        "contact_ref": contact.contact_ref, "source": contact.source, "rules": list(subject.rules), "verdict": verdict,
    }  # fmt: skip
    return said | ({"lacks": list(subject.lacks)} if subject.lacks else {})


# Words of SQL, not a value: a select by keys takes the keys and nothing else.
_LATEST: Final = sa.select(breach_reviews).where(sa.literal_column(f"verdict <> '{ANNOUNCED}'", sa.Boolean))


def reviews(conn: Connection, contacts: Iterable[Contact]) -> Mapping[tuple[str, str], Review]:
    """The latest of each of these contacts, by source and reference."""
    keys = {(one.contact_ref, one.source) for one in contacts}
    found = rows.select_by_keys(conn, _LATEST, _KEY, sorted(keys))
    return {
        (row.source, row.contact_ref): Review(row.verdict, tuple(row.rules.split()), row.actor_id, row.reviewed_at)
        for row in sorted(found, key=attrgetter("id"))
    }


def waiting(conn: Connection, subjects: Collection[Subject]) -> list[Subject]:
    """Those of which nobody has said yet what they are, for the reasons that they have."""
    known = reviews(conn, [one.contact for one in subjects])
    return [one for one in subjects if verdict_on(known, one) is None]


def verdict_on(known: Mapping[tuple[str, str], Review], subject: Subject) -> Review | None:
    """The review of it for these very reasons, if there is one."""
    one = known.get((subject.contact.source, subject.contact.contact_ref))
    return one if one is not None and one.answers(subject.reasons) else None


def _named(conn: Connection, contact_refs: Collection[str]) -> Mapping[str, list[Contact]]:
    found: dict[str, list[Contact]] = {}
    for row in rows.select_by_keys(conn, CONTACTS, "contact_ref", sorted(contact_refs)):
        found.setdefault(row.contact_ref, []).append(contact_of(row))
    return found


def _chosen(named: Sequence[Contact], asked: ReviewAsked) -> Contact | CallerError:
    if asked.verdict not in VERDICTS:
        return CallerError("unknown_verdict", "没有此复核结论", "unknown verdict", known=list(VERDICTS))
    meant = [one for one in named if asked.source in (None, one.source)]
    if not meant:
        return CallerError(
            "unknown_contact_ref",
            f"没有编号为 {asked.contact_ref} 的联系记录",
            f"no contact {asked.contact_ref} is on record",
            contact_ref=asked.contact_ref,
        )
    if len(meant) > 1:
        return CallerError(
            "source_needed", "多个来源有此编号，须指明来源", "several sources have a contact of that reference",
            sources=sorted(one.source for one in meant),
        )  # fmt: skip
    return meant[0]
