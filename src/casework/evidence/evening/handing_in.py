"""Handing in (5.2): an act with a time. What somebody did is kept as it was then, and an entry has its digest.

The ledger has what began before the hour of handing in (policy `task.hand_in_by`), known by then; what is entered after
that hour is late. What comes later, and what happened later, goes into one supplement, due the next morning.
"""

import hashlib
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import Clock, now, utc_text
from casework.errors import CallerError
from casework.evidence.evening.tables import CLOSE, FIGURES, LEDGER, SUPPLEMENT, hand_ins
from casework.evidence.ledger.gathering import gather
from casework.evidence.ledger.line import LedgerLine
from casework.evidence.ledger.lines import Part, by_person, decode_part, encode_part, figures_of, part_of
from casework.instants import branch_text
from casework.intake.feed.tables import feed_runs
from casework.log.format.entry import entry_id_of
from casework.log.write.trail import Draft, StreamHead, Trail, locked_head, put_heads
from casework.people.shifts.answering import answers_on
from casework.people.staff.actor import Actor
from casework.people.staff.tables import absences
from casework.storage import rows
from casework.work.cases.branch import Branch
from casework.work.cases.gather import business_dates
from casework.work.tasks.tables import tasks

STREAM: Final = "evening:hand_ins"
HANDED_IN: Final = "day.handed_in"
KEPT: Final = "day.kept"
FOR_OTHERS: Final = "day.hand_in_for_others"
_COLUMNS: Final = tuple(hand_ins.c.keys())
_SHOWN: Final = tuple(column for column in hand_ins.c if column.name != "content")
_STOOD: Final = sa.select(hand_ins.c.content).where(
    hand_ins.c.day == sa.bindparam("on", type_=sa.Date), hand_ins.c.part == CLOSE
)
_FIRST_FED: Final = sa.select(sa.func.min(feed_runs.c.as_of)).where(feed_runs.c.status == "applied")
_DEPUTIES: Final = sa.select(absences.c.staff_no).where(
    absences.c.deputy == sa.bindparam("deputy"),
    sa.bindparam("on", type_=sa.Date).between(absences.c.from_on, absences.c.until_on),
)


class HandIn(NamedTuple):
    """What was handed in, by whom and when; the columns of `hand_ins` but the content."""

    day: date
    owed_by: str
    part: str
    handed_in_by: str
    handed_in_at: datetime
    is_late: bool
    due: int
    done: int
    late: int
    exempt: int
    open: int
    contacts: int
    digest: bytes
    stream_seq: int

    @property
    def entry_id(self) -> str:
        """Of the entry that says so."""
        return entry_id_of(STREAM, self.stream_seq)

    @property
    def figures(self) -> dict[str, int]:
        """How many duties, what became of them, how many contacts."""
        return {name: getattr(self, name) for name in FIGURES}


Outcome = HandIn | CallerError


def limit_of(branch: Branch, on: date, part: str) -> datetime:
    """Until when a part of a day is handed in: the hour of that day, or of the next morning."""
    figure = "task.supplement_by" if part == SUPPLEMENT else "task.hand_in_by"
    day = on + timedelta(days=1) if part == SUPPLEMENT else on
    at = time.fromisoformat(branch.rulebook.policies.at(on).figure(figure))
    return datetime.combine(day, at, ZoneInfo(branch.time_zone))


def hand_in(
    conn: Connection, branch: Branch, on: date, whose: Sequence[str], actor: Actor, part: str = LEDGER, *,
    clock: Clock = now,
) -> list[Outcome]:  # fmt: skip
    """Hand in what these people (or posts) did on a day, in the caller's transaction; of each what came of it.

    What one may not hand in keeps nobody else's back. Of each CallerErrors: `hand_in_not_yours`, `handed_in_already`,
    `ledger_not_handed_in` (for a supplement), `nothing_to_hand_in`. Raised: `day_to_come`, `day_without_feed`.
    """
    at = clock()
    check_day(conn, on, branch.today(at))
    names, until = list(dict.fromkeys(whose)), limit_of(branch, on, LEDGER)
    theirs, on_lists = may_hand_in(conn, branch, actor, on), _on_lists(conn, on, names)
    gathered = gather(conn, branch, on, names, stood_on(conn, on))
    standing, nothing = by_person(part_of(gathered, until, attempts_of(branch, on))), Part([], [], [])

    def judged() -> list[Part | CallerError]:
        before = {(one.owed_by, one.part): one for one in handed_in(conn, on, names)}
        kept = contents(conn, [one for one in before.values() if part == SUPPLEMENT and one.part == LEDGER])
        parts = [_cut(standing.get(who, nothing), part, until, kept.get((who, LEDGER))) for who in names]
        return [
            _fault(branch, on, who, part, theirs, before, mine, on_lists) or mine
            for who, mine in zip(names, parts, strict=True)
        ]

    faults = [one for one in judged() if isinstance(one, CallerError)]
    if len(faults) == len(names):
        return [*faults]
    head = locked_head(conn, STREAM)  # from here on nobody else hands anything in
    outcomes: list[Outcome] = []
    lines: list[tuple[Any, ...]] = []
    trail, late = branch.trail(at), at > limit_of(branch, on, part)
    for who, mine in zip(names, judged(), strict=True):
        if isinstance(mine, CallerError):
            outcomes.append(mine)
            continue
        told = What(on, who, part, figures_of(mine.duties, len(mine.contacts)), encode_part(mine), len(mine.cases))
        head, done, line = entered(trail, head, actor, told, is_late=late)
        outcomes.append(done)
        lines.append(line)
    write_hand_ins(conn, trail, head, lines)
    return outcomes


class What(NamedTuple):
    """What is kept of a day: whose, which part, its figures, the content, how many cases are in it."""

    day: date
    owed_by: str
    part: str
    figures: Mapping[str, int]
    content: bytes
    cases: int | None = None


def entered(
    trail: Trail, head: StreamHead, actor: Actor, what: What, *, is_late: bool = False, event: str = HANDED_IN,
    rule: str = "5.2", level: int = -1,
) -> tuple[StreamHead, HandIn, tuple[Any, ...]]:  # fmt: skip
    """Its entry in the stream that ends in `head`, the act, and its row. `level`: how hard zlib tries."""
    digest = hashlib.sha256(what.content).digest()
    said = {
        "on": what.day.isoformat(), "owed_by": what.owed_by, "part": what.part, "is_late": is_late,
        "digest": digest.hex(), **what.figures, **({} if what.cases is None else {"cases": what.cases}),
    }  # fmt: skip
    head = trail.add(STREAM, head, Draft(event, actor.signed, said, rules=(rule,)))
    done = HandIn(
        what.day, what.owed_by, what.part, actor.id, head.recorded_at, is_late, **what.figures, digest=digest,
        stream_seq=head.seq,
    )  # fmt: skip
    return head, done, (*done[:-1], zlib.compress(what.content, level), head.seq)


def write_hand_ins(conn: Connection, trail: Trail, head: StreamHead, lines: Sequence[tuple[Any, ...]]) -> None:
    """The entries and the rows of `entered`."""
    put_heads(conn, {STREAM: head} if lines else {})
    trail.write(conn)
    rows.insert_many(conn, hand_ins, lines, _COLUMNS)


def branch_time(branch: Branch, instant: datetime) -> str:
    """For people: day and minute, branch time with its offset."""
    return branch_text(instant, branch.time_zone, "minutes")


def check_day(conn: Connection, on: date, today: date) -> None:
    """CallerErrors `day_to_come`, `day_without_feed` (one before the branch's first feed)."""
    if on > today:
        raise CallerError("day_to_come", f"{on}晚于今天{today}", f"{on} is after today, {today}", day=str(on))
    if on < (first_fed(conn) or date.max):
        raise CallerError("day_without_feed", day=str(on))


def first_fed(conn: Connection) -> date | None:
    """The day of the branch's first feed; none: no feed has come."""
    known = [*filter(None, [conn.execute(_FIRST_FED).scalar()]), *business_dates(conn).values()]
    return min(known, default=None)


def attempts_of(branch: Branch, on: date) -> int:
    """Calls a day that make enough dialling."""
    attempts: int = branch.rulebook.policies.at(on).figure("lost_contact.attempts_per_day")
    return attempts


def may_hand_in(conn: Connection, branch: Branch, actor: Actor, on: date) -> frozenset[str] | None:
    """For whom: oneself, one's posts, those one deputises for or answers for, today or that day; none: everybody."""
    if actor.kind == "system" or branch.rulebook.permissions.may(actor, FOR_OTHERS):
        return None
    then = conn.execute(_DEPUTIES, {"deputy": actor.id, "on": on}).scalars()
    off = answers_on(conn, branch.rulebook.shifts, branch.rulebook.policies.at(on), on).who_of_all()
    posts = actor.posts.union(*(one.posts for one in actor.principals))
    answered = (who for who, by in off.items() if by.staff_no == actor.id)
    return frozenset({*actor.people, *posts, *then, *answered})


def handed_in(
    conn: Connection, on: date, whose: Collection[str] | None = None, parts: Sequence[str] = (LEDGER, SUPPLEMENT)
) -> list[HandIn]:  # fmt: skip
    """What was handed in of a day (`whose`: of these), by person and part."""
    of_day = (hand_ins.c.day == on, hand_ins.c.part.in_(parts))
    wanted = sa.select(*_SHOWN).where(*of_day).order_by(hand_ins.c.owed_by, hand_ins.c.part)
    if whose is not None:
        wanted = wanted.where(hand_ins.c.owed_by.in_(sorted(whose)))
    return [HandIn(*row) for row in conn.execute(wanted)]


def contents(conn: Connection, wanted: Sequence[HandIn]) -> dict[tuple[str, str], Part]:
    """What is in ledgers and supplements, as it was handed in, by person and part."""
    if not wanted:
        return {}
    keys = {(one.owed_by, one.part) for one in wanted}
    columns = (hand_ins.c.owed_by, hand_ins.c.part, hand_ins.c.content)
    found = conn.execute(
        sa.select(*columns).where(
            hand_ins.c.day == wanted[0].day, hand_ins.c.owed_by.in_(sorted({who for who, _ in keys}))
        )
    )
    return {
        (row.owed_by, row.part): decode_part(zlib.decompress(bytes(row.content)))
        for row in found if (row.owed_by, row.part) in keys
    }  # fmt: skip


def stood_on(conn: Connection, on: date) -> dict[int, LedgerLine]:
    """How cases stood at the close of a day, by case; empty where it is not closed."""
    found = conn.execute(_STOOD, {"on": on}).scalars().all()
    each = (one for content in found for one in decode_part(zlib.decompress(bytes(content))).cases)
    return {one.case_id: one for one in each}


def _cut(mine: Part, part: str, until: datetime, ledger: Part | None) -> Part:
    """What of somebody's day goes into this part."""
    if part != SUPPLEMENT:
        return Part(mine.cases, mine.duties, [one for one in mine.contacts if one.at < until])
    if ledger is None:
        return mine
    told = {(one.source, one.contact_ref) for one in ledger.contacts}
    contacts = [one for one in mine.contacts if (one.source, one.contact_ref) not in told]
    called = {(one.institution, one.borrower_id) for one in contacts}
    known = set(ledger.duties)
    duties = [one for one in mine.duties if one not in known]
    return Part([one for one in mine.cases if (one.institution, one.borrower_id) in called], duties, contacts)


def _fault(
    branch: Branch, on: date, who: str, part: str, theirs: Collection[str] | None,
    before: Mapping[tuple[str, str], HandIn], mine: Part, on_lists: Collection[str],
) -> CallerError | None:  # fmt: skip
    """Why this cannot be handed in."""
    if theirs is not None and who not in theirs:
        return CallerError("hand_in_not_yours", staff_no=who, day=str(on))
    if (done := before.get((who, part))) is not None:
        return CallerError(
            "handed_in_already", staff_no=who, day=str(on), part=part, by=done.handed_in_by,
            at=utc_text(done.handed_in_at), local_at=branch_time(branch, done.handed_in_at), entry_id=done.entry_id,
        )  # fmt: skip
    if part == SUPPLEMENT and (who, LEDGER) not in before:
        return CallerError("ledger_not_handed_in", staff_no=who, day=str(on))
    nothing = (
        not mine.contacts if part == SUPPLEMENT else not (mine.duties or mine.contacts or mine.cases or who in on_lists)
    )
    return CallerError("nothing_to_hand_in", staff_no=who, day=str(on)) if nothing else None


def _on_lists(conn: Connection, on: date, names: Sequence[str]) -> frozenset[str]:
    """Who of them had a list that morning."""
    asked = sa.select(tasks.c.owed_by).where(tasks.c.day == on, tasks.c.owed_by.in_(names)).distinct()
    return frozenset(conn.execute(asked).scalars())


def every(conn: Connection) -> Iterator[Any]:
    """All rows, for checking."""
    ordered = sa.select(hand_ins).order_by(hand_ins.c.stream_seq)
    with conn.execution_options(yield_per=1_000).execute(ordered) as found:
        yield from found
