"""(d) What requests read at two sizes: counted, so that it does not depend on what else the machine is doing.

On PostgreSQL the pages of its buffers that the database touched for a request, and rows read (its own statistics of
the database); on SQLite steps of its virtual machine. The requests are served in this process, all of them in turn.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import count, product
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
import sqlalchemy as sa
from litestar.testing import TestClient

from api.app import create_app
from benchmarks.crowd import BASE, WHOLE, crowd, rest
from benchmarks.machine import clocked, table, write_section
from benchmarks.place import BUSINESS_DATE, POSTGRESQL, SQLITE, Place, place_on, server_of
from casework.errors import CallerError
from casework.lifecycle.kept import Kept
from casework.operation.morning import make_lists
from casework.operation.sweeping import sweep
from casework.people.staff.actor import Actor, system
from casework.storage.database import writing
from casework.work.cases.lifecycles import LIFECYCLES
from casework.work.tasks.pulling import take_next
from tests.postgres_server import Server

SMALL, LARGE = 10_000, 500_000
EACH: Final = 3
DAYS: Final = 3  # closed one after the other where as much is due; the least of them is told
ALLOWED: Final = 1.2
PAGES_DEEP: Final = 5
SHOWN: Final = 12
MUCH: Final = {POSTGRESQL: 1_000, SQLITE: 50_000}
"""Pages, or steps, of a request that nobody would call small: some ten milliseconds."""
SORTS: Final = ("id", "-id", "overdue_fen", "-overdue_fen", "oldest_due_date", "-oldest_due_date")
FILTERS: Final = (
    "", "state=phone_collection", "state=litigation", "state=written_off", "state=litigation&state=outsourced",
    "bucket=M2", "owner=T1", "owner=C0007", "owner=F1", "handler=T1", "worked_by=T1", "worked_by=F1", "team=team7",
    "team=few", "region=R3", "region=few", "product=consumer", "product=few", "institution=wuhan", "live=true",
    "live=false", "dpd_min=31&dpd_max=60", "dpd_min=399", "dpd_min=3000", "dpd_max=1",
    "overdue_fen_min=1000000&overdue_fen_max=2000000", "overdue_fen_min=90000000", "borrower_id=B0002000",
    "loan_id=L0004000", "state=phone_collection&team=team7&dpd_min=31", "state=litigation&team=team7",
    "bucket=M2&dpd_min=200", "team=few&bucket=M2", "owner=F1&live=true", "region=R3&team=team7",
    "product=consumer&overdue_fen_min=9000000", "owner=C0007&state=litigation",
)  # fmt: skip
_DUE: Final = ("", "team=team7", "team=few", "owner=C0007", "region=R3", "planned=false", "planned=true", "area=x")
_NOUN_FILTERS: Final = ("", "all=true", "due_by=2026-01-15", "loan_id=L0004000", "case_id=4000")
_ZONE: Final = ZoneInfo("Asia/Shanghai")
_MORNING: Final = BUSINESS_DATE + timedelta(days=1)
_AT: Final = datetime.combine(_MORNING, time(9), _ZONE)
_keys = count(1)


# ── counting ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Read(NamedTuple):
    """What was read: `pages` on PostgreSQL, steps on SQLite; `rows` as PostgreSQL counts those that it returned.

    `seconds` is time on the clock, of the close of a day and of the next lists alone: they are long enough for it.
    """

    pages: int
    rows: int
    seconds: float = 0.0


class Counter:
    """Counts what all connections of this process read, of one kind of database at a time."""

    def __init__(self, server: Server | None) -> None:
        self.steps = 0
        self._told = None if server is None else psycopg.connect(server.url("postgres"), autocommit=True)
        self._every = 10

    def checked_out(self, raw: Any, *_: Any) -> None:
        """A connection of SQLite tells every tenth step."""
        if self._told is None and raw is not None:
            raw.set_progress_handler(self._step, self._every)

    def checked_in(self, raw: Any, *_: Any) -> None:
        """A session of PostgreSQL tells what it read at once, not a second later."""
        if self._told is not None and raw is not None and not raw.closed:
            raw.execute("SELECT pg_stat_force_next_flush()")
            if not raw.autocommit:
                raw.rollback()

    def _step(self) -> int:
        self.steps += self._every
        return 0

    def so_far(self, place: Place) -> Read:
        """Since the database was made."""
        if self._told is None:
            return Read(self.steps, 0)
        row = self._told.execute(
            "SELECT blks_hit + blks_read, tup_returned + tup_fetched FROM pg_stat_database WHERE datname = %s",
            [place.started.engine.url.database],
        ).fetchone()
        assert row is not None
        return Read(*map(int, row))

    def close(self) -> None:
        """Nothing is counted any more."""
        if self._told is not None:
            self._told.close()


@contextmanager
def counting(server: Server | None) -> Iterator[Counter]:
    """Every pool of this process is listened to."""
    counter = Counter(server)
    sa.event.listen(sa.pool.Pool, "checkout", counter.checked_out)
    sa.event.listen(sa.pool.Pool, "checkin", counter.checked_in)
    try:
        yield counter
    finally:
        sa.event.remove(sa.pool.Pool, "checkout", counter.checked_out)
        sa.event.remove(sa.pool.Pool, "checkin", counter.checked_in)
        counter.close()


# ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Side:
    """One branch and its API in this process."""

    size: int
    place: Place
    client: TestClient[Any]
    random: Random = field(default_factory=lambda: Random(7))  # which case is asked for
    cursors: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str, who: str = "K1", method: str = "GET", **more: Any) -> Any:
        """One request; its answer, which must be good."""
        head = {"Authorization": f"Bearer {self.place.tokens[who]}", **more.pop("headers", {})}
        answer = self.client.request(method, path, headers=head, **more)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    def case_id(self) -> int:
        """One of T1's of those that were opened through the door."""
        hundred = self.random.randrange(1, max(2, min(self.size, BASE) // 100)) * 100 * (self.size > 100)
        return hundred + self.random.randint(4, 9) * 10


Question = Callable[[Side], object]


def _event(side: Side) -> object:
    body = {"kind": "information_repair", "on": "2026-01-10", "evidence": "rec:1",
            "data": {"outcome": "new_number", "source": "debtor", "legal_basis": "contract"}}  # fmt: skip
    head = {"If-Match": "*", "Idempotency-Key": f"growth-{next(_keys)}"}
    return side.ask(f"/cases/{side.case_id()}/facts", "T1", "POST", json=body, headers=head)


def _get(path: str, who: str = "K1") -> Question:
    return lambda side: side.ask(path, who)


def _later(path: str, pages: int) -> Question:
    """A page so many pages behind the first; the way there is walked once."""

    def ask(side: Side) -> object:
        if path not in side.cursors:
            following = ""
            for _ in range(pages):
                page = side.ask(f"{path}{following}")
                if page["next"] is None:
                    break
                following = f"&cursor={page['next']}"
            side.cursors[path] = following
        return side.ask(f"{path}{side.cursors[path]}")

    return ask


def _next_task(side: Side) -> object:
    """Of a collector's own list; whoever takes it is rolled back, so that all find the same."""
    branch, actor = side.place.started.branch, Actor("C0007", "staff", "api", frozenset({"phone_collector"}))
    with writing(side.place.started.engine) as conn:
        try:
            return take_next(conn, branch, actor, _AT)
        except CallerError:
            return None
        finally:
            conn.rollback()


def questions(
    pages_deep: int, filters: Sequence[str], nouns: Sequence[Kept], *, closed: bool
) -> Iterator[tuple[str, Question]]:
    """Everything that is asked, by name; `closed`: a day is, and the next morning has its lists."""
    yield "POST a fact", _event
    yield "GET a case", lambda side: side.ask(f"/cases/{side.case_id()}")
    yield "GET its options", lambda side: side.ask(f"/cases/{side.case_id()}/options")
    yield "GET its history", lambda side: side.ask(f"/cases/{side.case_id()}/history")
    yield "GET its duties", lambda side: side.ask(f"/cases/{side.case_id()}/duties?on={BUSINESS_DATE}")
    for chosen, sort in product(filters, SORTS):
        path = f"/cases?limit=50&{chosen}&sort={sort}".replace("&&", "&")
        yield f"list, {chosen or 'all'}, {sort}", _get(path)
        yield f"list, {chosen or 'all'}, {sort}, a later page", _later(path, pages_deep)
    for (who, sees), sort in product((("T1", "their own"), ("P1", "a region"), ("O1", "two products")), SORTS):
        yield f"list, all, {sort}, by who sees {sees}", _get(f"/cases?limit=50&sort={sort}", who)
        yield f"list, bucket=M2, {sort}, by who sees {sees}", _get(f"/cases?limit=50&bucket=M2&sort={sort}", who)
    for sort in SORTS:
        yield f"own cases, {sort}", _get(f"/me/cases?limit=50&sort={sort}", "T1")
    since = "updated_since=2026-01-11T00:00:00Z"
    yield "list, changed since", _get(f"/cases?limit=50&{since}")
    yield "list, changed since, team=few", _get(f"/cases?limit=50&team=few&{since}")
    for chosen in _DUE:
        yield f"visits due, {chosen or 'all'}", _get(f"/visits/due?limit=50&{chosen}".rstrip("&"))
    for noun in nouns:
        name = noun.table.name
        for chosen in _NOUN_FILTERS:
            if "due_by" in chosen and "due_on" not in noun.table.c:
                continue
            for sort in ("id", "-id", *(("due_on", "-due_on") if "due_on" in noun.table.c else ())):
                yield f"{name}, {chosen or 'live'}, {sort}", _get(f"/{name}?limit=50&{chosen}&sort={sort}")
        yield f"{name}, live, id, by T1", _get(f"/{name}?limit=50", "T1")
    for name in ("phone", "agency", "legal", "visit"):
        yield f"work list {name}", _get(f"/work-lists/{name}")
    yield "work lists, counted", _get("/work-lists")
    if not closed:
        return
    yield "duties, a page", _get(f"/duties?on={BUSINESS_DATE}&limit=50")
    yield "duties of a person", _get(f"/duties?on={BUSINESS_DATE}&owed_by=F1&limit=50")
    yield "duties late", _get(f"/duties?on={BUSINESS_DATE}&status=late&limit=50")
    yield "how a day stands", _get(f"/day?on={BUSINESS_DATE}")
    yield "own list of the morning", _get(f"/tasks?on={_MORNING}", "T1")
    yield "lists of the morning", _get(f"/task-lists?on={_MORNING}")
    yield "next task", _next_task


def _counted(question: Question, side: Side, counter: Counter, each: int) -> Read:
    """The least of some: what is warm reads no catalogue."""
    found = []
    question(side)
    for _ in range(each):
        before = counter.so_far(side.place)
        question(side)
        after = counter.so_far(side.place)
        found.append(Read(after.pages - before.pages, after.rows - before.rows))
    return min(found)


# ── per case ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_the_day(side: Side, counter: Counter, day: date) -> Iterator[tuple[str, Read]]:
    """The close of a day and the next morning's lists, as they happen once; the day before is closed."""
    engine, branch = side.place.started.engine, side.place.started.branch

    def made() -> None:
        with writing(engine) as conn:
            assert make_lists(conn, branch, day + timedelta(days=1), system("cli"))

    sweep(engine, branch, day - timedelta(days=1))
    side.place.settle()
    for name, work in (("sweep", lambda: sweep(engine, branch, day)), ("morning lists", made)):
        before = counter.so_far(side.place)
        seconds = clocked(work)
        after = counter.so_far(side.place)
        yield name, Read(after.pages - before.pages, after.rows - before.rows, seconds)
        side.place.settle()


# ── the run ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Compared(NamedTuple):
    """One question at both sizes."""

    name: str
    small: Read
    large: Read

    @property
    def ratio(self) -> float:
        """Of pages or steps. A tree is a level or two deeper, which is no growth: that much is let pass."""
        return self.large.pages / max(self.small.pages, 1)


def run(
    small: int = SMALL, large: int = LARGE, kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, each: int = EACH,
    pages_deep: int = PAGES_DEEP, filters: Sequence[str] = FILTERS, nouns: Sequence[Kept] = LIFECYCLES[1:],
    whole_day: bool = True, to: Path | None = None,
) -> None:  # fmt: skip
    """Count, and write the section `growth`."""
    sections = []
    logging.disable(logging.INFO)
    for kind in kinds:
        with ExitStack() as stack:
            server = stack.enter_context(server_of(kind))
            counter = stack.enter_context(counting(server))
            sides = [_side(stack, server, size) for size in (small, large)]
            by_case = list[tuple[str, float, float]]()
            whole_day = whole_day and large < WHOLE
            if whole_day:
                both = zip(*(_of_the_day(side, counter, BUSINESS_DATE) for side in sides), strict=True)
                by_case = [(a[0], a[1].pages / small, b[1].pages / large) for a, b in both]
            found = []
            for name, question in questions(pages_deep, filters, nouns, closed=whole_day):
                one = Compared(name, *(_counted(question, side, counter, each) for side in sides))
                found.append(one)
                if to is not None:
                    with to.open("a") as out:
                        print(kind, *one.small, *one.large, f"{one.ratio:.2f}", name, sep="\t", file=out)
            if whole_day:
                found += _at_rest(sides, counter)
            sections.append(_section(kind, small, large, found, by_case))
            print(sections[-1], flush=True)
    write_section("growth", "\n\n".join(sections))


def _at_rest(sides: Sequence[Side], counter: Counter) -> Iterator[Compared]:
    """The days after, where no more is due on the large side than on the small one: the others are over."""
    for side in sides:
        rest(side.place)
    closes = [
        [dict(_of_the_day(side, counter, BUSINESS_DATE + timedelta(days=later))) for later in range(1, DAYS + 1)]
        for side in sides
    ]
    for name in closes[0][0]:
        of_small, of_large = ([close[name] for close in of_side] for of_side in closes)
        least = [min(reads)._replace(seconds=min(one.seconds for one in reads)) for reads in (of_small, of_large)]
        yield Compared(f"{name}, as much due", *least)


def _side(stack: ExitStack, server: Server | None, size: int) -> Side:
    place = stack.enter_context(place_on(server))
    crowd(place, size)
    client = stack.enter_context(TestClient(create_app(place.settings)))
    print(size, "ready", flush=True)
    return Side(size, place, client)


def _section(
    kind: str, small: int, large: int, found: Sequence[Compared], by_case: Sequence[tuple[str, float, float]]
) -> str:  # fmt: skip
    what = "pages" if kind == POSTGRESQL else "steps"
    much = MUCH[kind]
    grown = [one for one in found if one.ratio > ALLOWED]
    more = [one for one in grown if one.large.pages > much]
    named = [one for one in found if "list" not in one.name][:4]
    named += [one for one in found if one.name.endswith("as much due")]
    shown = [*named, *sorted(more, key=lambda one: -one.large.pages)[:SHOWN]]
    lines = [(one.name, f"{one.small.pages:,}", f"{one.large.pages:,}", f"{one.ratio:.2f}") for one in shown]
    lines += [
        (f"{one.name}, ms", f"{one.small.seconds * 1e3:,.0f}", f"{one.large.seconds * 1e3:,.0f}",
         f"{one.large.seconds / one.small.seconds:.2f}")
        for one in found if one.small.seconds
    ]  # fmt: skip
    cases_ = [(f"{name}, a case", f"{a:.1f}", f"{b:.1f}", f"{b / a:.2f}") for name, a, b in by_case]
    header = (f"{what} read", f"{small:,} cases", f"{large:,} cases", "ratio")
    head = (
        f"**{kind}**: of {len(found)} requests {len(grown)} read more than {ALLOWED} times as much, {len(more)} of them"
        f" more than {much:,} {what}; those that read most:"
    )
    return f"{head}\n\n{table(header, [*cases_, *lines])}"


if __name__ == "__main__":
    run()
