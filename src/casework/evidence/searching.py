"""What somebody asks of the log, made a filter: the streams a subject has, instants of days; and exports on record."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework import ids
from casework.clock import Clock, now, utc_text
from casework.customer import Customer, named, stream_of
from casework.errors import CallerError
from casework.evidence.search.export import ENTRIES, EXPORTED, Words, entry_cells
from casework.evidence.search.wanted import (
    MAX_STREAMS,
    TermsWanted,
    check,
    malformed,
)
from casework.instants import ALLOWED, read_text
from casework.intake.feed.customers import institution_needed, institutions_of, of_customer
from casework.log.format.entry_line import EntryLine
from casework.log.tables import entries
from casework.people.staff.actor import Actor
from casework.table import Lang
from casework.work.cases.branch import Branch
from casework.work.cases.disclosure import record_export
from casework.work.cases.event_names import event_names
from casework.work.cases.filter import check_id
from casework.work.cases.tables import cases
from casework.work.cases.taking_out import BulkFile, FileKind, Taker, file_of_list
from casework.work.four_eyes.events import number_of
from casework.work.four_eyes.tables import requests

_SUBJECT = re.compile(r"([a-z_]{1,32}):(.{1,200})")
_STREAM = re.compile(r"[A-Za-z0-9._:/~-]{1,97}", re.ASCII)
_BY_ID = ("loan", "borrower")  # whose ids have characters that no stream's name has


class SearchAsked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What API and shell take.

    `subject` is `case:17`, `loan:<id>`, `borrower:<id>` (`borrower:<institution>~<id>` where several have the number),
    `staff:<no>` or any other stream, with the requests about it.
    `about` is `case:17` or `staff:<no>`: the case, or whose list, that acts on task lists and of the evening are about.
    `from_` and `to` are days of the branch, both included, or times (`instants`), the end not included.
    """

    subject: str | None = None
    stream: str | None = None
    event: str | None = None
    actor: str | None = None
    rule: str | None = None
    code: str | None = None
    post: str | None = None
    about: str | None = None
    from_: str | None = msgspec.field(name="from", default=None)
    to: str | None = None
    amount_fen_min: int | None = None
    amount_fen_max: int | None = None
    order: Literal["oldest", "newest"] = "oldest"


PARTS = tuple(field.encode_name for field in msgspec.structs.fields(SearchAsked))
"""Their names as callers write them."""


def wanted_of(conn: Connection, branch: Branch, asked: SearchAsked) -> TermsWanted:
    """The filter that is meant; CallerErrors `filter_malformed`, `unknown_subject`."""
    streams: tuple[str, ...] | None = None
    if asked.stream is not None:
        if asked.subject is not None:
            raise malformed("subject", "left out where stream is given")
        streams = (asked.stream,)
    elif asked.subject is not None:
        streams = streams_of(conn, branch, asked.subject)
    wanted = TermsWanted(
        streams=streams, event=asked.event, actor=asked.actor, rule=asked.rule, code=asked.code, post=asked.post,
        about=ids.fold(asked.about) if asked.about is not None else None,
        recorded_from=instant_asked("from", asked.from_, branch.time_zone),
        recorded_until=instant_asked("to", asked.to, branch.time_zone, days=1),
        amount_fen_min=asked.amount_fen_min, amount_fen_max=asked.amount_fen_max,
        newest_first=asked.order == "newest",
    )  # fmt: skip
    check(wanted)
    return wanted


def streams_of(conn: Connection, branch: Branch, subject: str) -> tuple[str, ...]:
    """The streams that tell of a subject; CallerErrors `filter_malformed`, `unknown_subject`, `institution_needed`."""
    found = _SUBJECT.fullmatch(ids.fold(subject))
    if found is None or (found[1] not in _BY_ID and _STREAM.fullmatch(found[2]) is None):
        raise malformed(
            "subject", "such as case:17, loan:L2024000917, borrower:B000731, borrower:wuhan~B000731 or staff:S0012"
        )
    kind, name = found.groups()
    streams = [f"{kind}:{name}"] if kind not in _BY_ID else []
    about_cases = cases.c.loan_id == check_id("subject", name) if kind == "loan" else None
    if kind == "borrower" and (customer := _customer(conn, name)) is not None:
        streams.append(stream_of(branch.vault, customer))
        about_cases = of_customer(cases, customer)
    if about_cases is not None:
        numbers = conn.execute(sa.select(cases.c.id).where(about_cases).order_by(cases.c.id).limit(MAX_STREAMS + 1))
        streams += [f"case:{number}" for number in numbers.scalars()]
    subjects = [*streams, *_within(conn, branch, streams)]
    about = sa.select(requests.c.id).where(requests.c.subject.in_(subjects)).order_by(requests.c.id)
    streams += [f"request:{number}" for number in conn.execute(about.limit(MAX_STREAMS + 1)).scalars()]
    there = sa.select(sa.literal(1)).where(entries.c.stream.in_(streams), entries.c.stream_seq == 1).limit(1)
    if not streams or conn.execute(there).scalar() is None:
        raise CallerError("unknown_subject")
    return tuple(streams)


def _within(conn: Connection, branch: Branch, streams: Sequence[str]) -> Iterator[str]:
    """What lives in the streams of these cases, of which something may have been asked for too."""
    numbers = [number_of(stream) for stream in streams if stream.startswith(f"{branch.nouns[0].word}:")]
    for noun in branch.nouns:
        if noun.child and numbers:
            found = sa.select(noun.table.c.id).where(noun.table.c.parent_id.in_(numbers)).limit(MAX_STREAMS)
            yield from (f"{noun.word}:{number}" for number in conn.execute(found).scalars())


def _customer(conn: Connection, name: str) -> Customer | None:
    institution, number = named(name)
    number = check_id("subject", number)
    known = [institution] if institution is not None else institutions_of(conn, number)
    if len(known) > 1:
        raise institution_needed(known)
    return Customer(known[0], number) if known else None


def record_entries_export(
    conn: Connection, branch: Branch, actor: Actor, asked: SearchAsked, wanted: TermsWanted, *, rows: int, kind: str,
    clock: Clock = now,
) -> None:  # fmt: skip
    """Append `audit.exported` to `exports:<who>`: what was asked for, how many entries, in which format."""
    record_export(
        conn, branch, actor, _said(asked, wanted, rows), rows=rows, kind=kind, event=EXPORTED, clock=clock
    )  # fmt: skip


def entries_taken(
    branch: Branch, lines: Sequence[EntryLine], kind: FileKind, lang: Lang, asked: SearchAsked, wanted: TermsWanted,
    taker: Taker, *, cut: bool,
) -> BulkFile:  # fmt: skip
    """Entries as a list that is taken out."""
    said = _said(asked, wanted, len(lines))
    return file_of_list(ENTRIES, entry_cells(lines, words_of(branch), lang), kind, lang, said, taker, cut=cut)


def words_of(branch: Branch) -> Words:
    """What a branch calls what its entries say."""
    rules = branch.rulebook
    return Words(rules.by_word, event_names(rules), ZoneInfo(branch.time_zone), rules.chart.posts)


def _said(asked: SearchAsked, wanted: TermsWanted, rows: int) -> dict[str, Any]:
    """The filter as the entry has it.

    Where nothing was found, its values are left out: they stand nowhere in the log, and may be anything.
    """
    said: dict[str, Any] = {name: value for name, value in msgspec.to_builtins(asked).items() if value is not None}
    for name, instant in (("from", wanted.recorded_from), ("to", wanted.recorded_until)):
        if instant is not None:
            said[name] = utc_text(instant)
    return said if rows else dict.fromkeys(said, True)


def instant_asked(name: str, text: str | None, zone: str, *, days: int = 0) -> datetime | None:
    """The beginning of a day of the branch, `days` later; or an instant as it is. CallerError `filter_malformed`."""
    if text is None:
        return None
    try:
        typed = read_text(text, zone)
        found = typed.at or datetime.combine(typed.day + timedelta(days=days), time.min, ZoneInfo(zone))
    except (ValueError, OverflowError):
        raise malformed(name, ALLOWED[1]) from None
    if not 1970 < found.year < 2100:
        raise malformed(name, ALLOWED[1])
    return found
