"""The report of contacts that go to review over some days: a line each, with its reasons and what came of them."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy.engine import Connection

from casework.clock import now
from casework.evidence.evening.of_day import people_called
from casework.evidence.evening.report_sheets import verdict_words
from casework.evidence.ledger.wording import Words
from casework.intake.feed.past_arrears import past_arrears
from casework.people.staff.actor import Actor
from casework.spreadsheet import Column
from casework.table import BulkList, Lang
from casework.work.cases.branch import Branch
from casework.work.cases.taking_out import BulkFile, FileKind, file_of_list, taker_of
from casework.work.contacts.contact import CHANNEL_WORDS, PARTY_WORDS
from casework.work.contacts.registered import WHY
from casework.work.gate.reviews import Review, reviews, verdict_on
from casework.work.gate.subjects import Subject, subjects

EXPORTED: Final = "contact.reviews_exported"
COLUMNS: Final = (
    Column("at", "时间", "time", 16), Column("loan_id", "借据号", "loan", 16),
    Column("who", "催收人", "collector", 18), Column("party", "对象", "party", 12),
    Column("channel", "渠道", "channel", 10), Column("rules", "违规", "breach of", 16),
    Column("lacks", "其他待复核原因", "goes to review for", 18), Column("verdict", "复核", "review", 12),
    Column("reviewed_by", "复核人", "reviewed by", 16), Column("reviewed_at", "复核时间", "reviewed at", 16),
    Column("source", "来源", "source", 12), Column("contact_ref", "编号", "reference", 20),
)  # fmt: skip


REVIEWS: Final = BulkList("reviews", "违规及待复核联系", "Contacts to review", COLUMNS, EXPORTED)


def review_file(
    conn: Connection, branch: Branch, first: date, last: date, made_by: Actor, kind: FileKind, lang: Lang = "zh"
) -> BulkFile:  # fmt: skip
    """The report as a file; breaches first."""
    listed = subjects(conn, branch, past_arrears, first, last).items
    known = reviews(conn, [one.contact for one in listed])
    reviewed = [(one, verdict_on(known, one)) for one in listed]
    whose = {one.contact.staff_no or "" for one in listed} | {seen.actor_id for _, seen in reviewed if seen}
    words = Words(branch, people_called(conn, branch, whose - {""}), {}, lang=lang)
    asked, taker = {"from": first.isoformat(), "to": last.isoformat()}, taker_of(conn, branch, made_by, now())
    return file_of_list(REVIEWS, _lines(reviewed, words), kind, lang, asked, taker, scope=str(first), on=last)


def _lines(reviewed: Sequence[tuple[Subject, Review | None]], words: Words) -> Iterator[Sequence[Any]]:
    who, zone = words.called.who, words.zone
    for subject, seen in reviewed:
        one = subject.contact
        yield (
            one.started_at.astimezone(zone), one.loan_id, who(one.staff_no) or one.agency,
            words.word(PARTY_WORDS, one.party), words.word(CHANNEL_WORDS, one.channel), words.listed(subject.rules),
            words.listed(words.of(*WHY[why]) for why in subject.lacks),
            words.of(*verdict_words(seen.verdict if seen else None)), who(seen.actor_id) if seen else None,
            seen.reviewed_at.astimezone(zone) if seen else None, one.source, one.contact_ref,
        )  # fmt: skip
