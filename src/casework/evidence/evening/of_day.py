"""A day's ledger: of whoever handed in what they handed in, of everybody else how it stands."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from casework.clock import Clock, now
from casework.customer import Customer
from casework.evidence.evening.handing_in import (
    HandIn,
    attempts_of,
    contents,
    handed_in,
    limit_of,
    stood_on,
)
from casework.evidence.evening.standing import evening_of, not_handed_in
from casework.evidence.evening.tables import LEDGER, SUPPLEMENT
from casework.evidence.ledger.gathering import gather, names_in_clear
from casework.evidence.ledger.lines import Part, by_person, part_of, put_together
from casework.evidence.ledger.people import Called, called, members_of
from casework.evidence.ledger.sheets import SIGNED, NotHandedIn, sheets
from casework.evidence.ledger.wording import Words
from casework.file_names import FileName, file_name
from casework.instants import branch_text
from casework.intake.dialler.notes import noted
from casework.people.staff.actor import Actor
from casework.personal import mask, mask_within
from casework.storage.garbage import seldom_collected
from casework.table import Lang, Sheet, printed
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates
from casework.work.cases.history import shown_as
from casework.work.duties.listing import Counted


class DayLedger(NamedTuple):
    """Everybody's parts by person, what was handed in, and what is missing or came late, as of `at`.

    `closed`: cases are shown as they stood when the day was closed.
    """

    on: date
    team: str | None
    at: datetime
    parts: dict[str, Part]
    hand_ins: Sequence[HandIn]
    missing: Sequence[NotHandedIn]
    closed: bool

    def whole(self) -> Part:
        """All of them as one."""
        return put_together(self.parts.items())


@seldom_collected()
def ledger_of(
    conn: Connection, branch: Branch, on: date, team: str | None = None, *, clock: Clock = now
) -> DayLedger:  # fmt: skip
    """Of the whole branch, or of a team (code or name): what its members of that day owe, and their contacts.

    CallerErrors `unknown_team`, `day_to_come`, `day_without_feed`.
    """
    at = clock()
    today = branch.today(at)
    members = None if team is None else members_of(conn, team, on, today)
    done = handed_in(conn, on, members)
    kept = contents(conn, done)
    until = limit_of(branch, on, LEDGER)
    stood = stood_on(conn, on)
    gathered = gather(conn, branch, on, members, stood)
    now_ = part_of(gathered, until, attempts_of(branch, on))
    standing = by_person(now_, {who for who, part in kept if part == LEDGER})
    people = sorted({*standing, *(who for who, _ in kept)} if members is None else members)
    parts: dict[str, Part] = {}
    for who in people:
        if (who, LEDGER) in kept:
            supplement = kept.get((who, SUPPLEMENT), Part([], [], []))
            parts[who] = put_together([(who, kept[who, LEDGER]), (who, supplement)])
        elif who in standing:
            parts[who] = standing[who]
    told = Counter((one.owed_by, one.duty, one.status) for of_case in gathered.duties.values() for one in of_case)
    listed = (Counted(*what, number) for what, number in told.items())
    late = not_handed_in(branch, evening_of(conn, branch, on, team, listed=listed, clock=lambda: at))
    missing = [NotHandedIn(who, part, due, came) for who, part, due, came in late if who in parts]
    return DayLedger(on, team, at, parts, done, missing, bool(stood))


def words_of(
    conn: Connection, branch: Branch, part: Part, *more: str, reader: Actor | None = None, lang: Lang = "zh"
) -> Words:  # fmt: skip
    """People and customers that stand in a part, and `more` people; what was noted of contacts as `reader` sees it."""
    whose = {one.owner for one in part.cases} | {one.handler for one in part.cases}
    whose |= {one.collector for one in part.cases} | {one.owed_by for one in part.duties} | set(more)
    whose |= {one.staff_no for one in part.contacts if one.staff_no is not None}
    keys = {(one.borrower_id, one.institution) for one in part.cases}
    keys |= {(one.borrower_id, one.institution) for one in part.duties}
    keys |= {(one.borrower_id, one.institution) for one in part.contacts}
    names = names_in_clear(conn, branch, sorted(keys))
    masked = {customer: mask("name", name) for customer, name in names.items()}
    notes = {} if reader is None else _notes(conn, branch, part, names, reader)
    return Words(branch, people_called(conn, branch, whose, lang), masked, notes, lang)


def _notes(
    conn: Connection, branch: Branch, part: Part, names: Mapping[Customer, str], reader: Actor
) -> dict[tuple[str, str], str]:
    """Of the contacts in a part, for a file that is sent on: numbers and the customer's name masked for everybody."""
    view = shown_as(branch.rulebook.permissions, reader, "note")
    if view is None:
        return {}
    whose = {(one.contact_ref, one.source): Words.whose(one) for one in part.contacts}
    notes = noted(conn, branch, whose.keys(), "note")
    if view == "masked":
        return {known: mask("note", text) for known, text in notes.items()}
    return {known: mask_within(text, names.get(whose[known])) for known, text in notes.items()}


def people_called(conn: Connection, branch: Branch, whose: set[str], lang: Lang = "zh") -> Called:
    """By name, and posts by what the charts call them."""
    posts = {code: str(labels[lang]) for code, labels in branch.rulebook.chart.posts.items()}
    return called(conn, whose, posts)


@seldom_collected()
def sheets_of(
    conn: Connection, branch: Branch, day: DayLedger, made_by: Actor, lang: Lang = "zh"
) -> list[Sheet]:  # fmt: skip
    """The four sheets; under every title: who made them and when (branch time), and which feed has not come."""
    part = day.whole()
    missing = (one.owed_by for one in day.missing)
    words = words_of(conn, branch, part, made_by.id, *missing, reader=made_by, lang=lang)
    at, zone = day.at.astimezone(ZoneInfo(branch.time_zone)), branch.time_zone
    who, when = words.called.who(made_by.id), branch_text(day.at, zone, "minutes")
    came, everybody = len({one.owed_by for one in day.hand_ins}), len(day.parts)
    about = [
        str(day.on), words.of(f"范围：{day.team or '全部'}", f"of: {day.team or 'everybody'}"),
        words.of(f"制表：{who} {when}（时间为{zone}）", f"made by {who}, {when} (times in {zone})"),
        words.of(f"已上交{came}人，共{everybody}人", f"{came} of {everybody} people have handed in"),
    ]  # fmt: skip
    fed = sorted(business_dates(conn).items())
    about += [words.of(f"{name}数据截至{last}", f"{name}: data as of {last}") for name, last in fed if last < day.on]
    if not day.closed and day.on < at.date():
        about.append(words.of("当日未日终，未上交的案件按制表时情况", "the day is not closed: all else as it is now"))
    return sheets(words, day.on, part, day.missing, " · ".join(about))


def ledger_name(on: date, team: str | None, kind: str = "xlsx", lang: Lang = "zh") -> FileName:
    """As the branch sends it on."""
    title = {"zh": "催收台账", "en": "Collection-ledger"}[lang]
    return file_name(title, "ledger" if lang == "zh" else title, on, team, kind=kind)


def workbook_of(conn: Connection, branch: Branch, day: DayLedger, made_by: Actor, lang: Lang = "zh") -> bytes:
    """The workbook, ready to print."""
    return printed(sheets_of(conn, branch, day, made_by, lang), lang, SIGNED[lang])
