"""(g) Finding entries: a page of each filter in a log of millions and in one of 10,000; building the index.

The logs are invented and written set-wise, straight into the tables: only what a search reads has to be there.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median, quantiles
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from benchmarks.machine import Others, table, write_section
from benchmarks.place import POSTGRESQL, SQLITE, Place, place_on, server_of
from casework.clock import now, utc_text
from casework.evidence.search.find import page_of_entries
from casework.evidence.search.index import Indexer, begin_anew, read_behind
from casework.evidence.search.tables import search_postings
from casework.evidence.search.wanted import TermsWanted
from casework.log.format.chain import leaf_hash
from casework.log.format.entry import Entry, SignedActor
from casework.log.tables import entries, leaves, unsealed
from casework.log.write.grown import present_log
from casework.log.write.logs import LEAF_COLUMNS
from casework.log.write.trail import ENTRY_COLUMNS, Draft
from casework.operation.sealing import sealer_of
from casework.settings import Settings
from casework.storage import rows
from casework.storage.database import open_engine, reading, writing

SMALL, LARGE = 10_000, 1_000_000
PAGE, DEEP, EACH = 50, 100, 25
ALONE_S = 5.0
YEAR = timedelta(days=365)
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
_CHUNK = 20_000
_ACTORS = [f"S{number:04d}" for number in range(200)]
_STEPS = [f"case.step.event_{number}" for number in range(25)]
_REFUSED = [f"case.refused.event_{number}" for number in range(15)]
_FACTS = [f"case.fact.fact_{number}" for number in range(12)]
_OTHERS = ["case.noted", "case.assigned", "personal.read", "staff.logged_in", "staff.session_ended", "request.opened"]
_CODES = [f"code_{number}" for number in range(30)]
_RULES = [f"1.{a}.{b}{c}" for a in (1, 2, 3) for b in (1, 2, 3, 4) for c in "abc"]
_CHART, _POLICY = "overdue_loan@1#" + "5f" * 16, "2025-01-01#" + "7a" * 16


def run(
    large: int = LARGE, kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, small: int = SMALL, each: int = EACH,
    alone_s: float = ALONE_S,
) -> None:  # fmt: skip
    """Measure, and write the section `search`."""
    others, sections, built = Others(), list[str](), list[tuple[str, ...]]()
    for kind in kinds:
        with ExitStack() as stack:
            server = stack.enter_context(server_of(kind))
            sides, facts = list[Place](), tuple[str, ...]()
            for size in (small, large):
                place = stack.enter_context(place_on(server))
                began = time.perf_counter()
                written = fill(place, size)
                print(f"{kind} {size:,} written in {time.perf_counter() - began:.0f} s", flush=True)
                sides.append(place)
                facts = build(place, written, alone_s)
                print(kind, size, facts, flush=True)
            built.append((kind, *facts))
            lines = [_line(name, wanted, sides, each) for name, wanted in questions()]
            sections.append(f"**{kind}**\n\n" + table(_header(small, large), lines))
    building = table(
        (
            "building it",
            "entries/s",
            "bytes an entry",
            "log, bytes an entry",
            "writers' p99 alone, ms",
            "beside it, ms",
        ),
        built,
    )
    head = (
        f"A page of {PAGE}, called in the process, median (worst) of {each}; the floor reads the same rows by their"
        f" keys, in the same run; {others}. Writers: transactions of 10 entries, 50 a second, the indexer a process of"
        " its own."
    )
    write_section("search", f"{head}\n\n{building}\n\n" + "\n\n".join(sections))


def _header(small: int, large: int) -> tuple[str, ...]:
    return (
        "filter", f"{small:,}: ms", f"{large:,}: ms", "ratio", f"page {DEEP + 1}: ms", "floor, ms", "÷ floor",
        "entries",
    )  # fmt: skip


# ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────────


def questions() -> Iterator[tuple[str, TermsWanted]]:
    """Filters that find much, little and nothing, alone and together."""
    day = BEGIN + timedelta(days=200)
    one_day = {"recorded_from": day, "recorded_until": day + timedelta(days=1)}
    yield "none", TermsWanted(newest_first=True)
    yield "actor, 0.3 %", TermsWanted(actor=_ACTORS[100], newest_first=True)
    yield "actor, half of all", TermsWanted(actor="system", newest_first=True)
    yield "event, 45 %", TermsWanted(event="case.measured", newest_first=True)
    yield "event, 0.1 %", TermsWanted(event=_REFUSED[7], newest_first=True)
    yield "event, 0.1 %, oldest first", TermsWanted(event=_REFUSED[7])
    yield "events case.step.*", TermsWanted(event="case.step.*", newest_first=True)
    yield "events case.step.event_1*", TermsWanted(event="case.step.event_1*", newest_first=True)
    yield "rule, 1 %", TermsWanted(rule=_RULES[5], newest_first=True)
    yield "rules 1.1.*", TermsWanted(rule="1.1.*", newest_first=True)
    yield "refusal code, 0.1 %", TermsWanted(code=_CODES[3], newest_first=True)
    yield "refusal code, three in all", TermsWanted(code="code_rare", newest_first=True)
    yield "refusal code, none", TermsWanted(code="code_never", newest_first=True)
    yield "subject, one case", TermsWanted(streams=("case:17",), newest_first=True)
    yield (
        "subject, ten cases",
        TermsWanted(streams=tuple(f"case:{number}" for number in range(10, 20)), newest_first=True),
    )
    yield (
        "one hour of the year",
        TermsWanted(recorded_from=day, recorded_until=day + timedelta(hours=1), newest_first=True),
    )
    yield "one day of the year", TermsWanted(**one_day, newest_first=True)  # type: ignore[arg-type]  # the instants above
    yield "one amount", TermsWanted(amount_fen_min=4_321_099, amount_fen_max=4_321_099, newest_first=True)
    yield "amounts, 1 % wide", TermsWanted(amount_fen_min=4_000_000, amount_fen_max=4_040_000, newest_first=True)
    yield "amounts above 10,000 yuan", TermsWanted(amount_fen_min=1_000_000, newest_first=True)
    yield "actor and day", TermsWanted(actor=_ACTORS[100], newest_first=True, **one_day)  # type: ignore[arg-type]
    yield "actor and refusal code", TermsWanted(actor=_ACTORS[3], code=_CODES[3], newest_first=True)
    yield "rare code and half of all", TermsWanted(actor="system", code="code_rare", newest_first=True)
    yield "two that never meet", TermsWanted(actor=_ACTORS[100], event="case.measured", newest_first=True)
    yield "event, rule, amount, half a year", TermsWanted(
        event="case.step.*", rule="1.1.*", amount_fen_min=5_000_000, recorded_from=BEGIN,
        recorded_until=BEGIN + YEAR / 2,
    )  # fmt: skip


def _line(name: str, wanted: TermsWanted, sides: list[Place], each: int) -> tuple[str, ...]:
    """First pages on both sides in turns, a deep page and its floor on the large one."""
    times: tuple[list[float], list[float]] = ([], [])
    pages = [0, 0]
    for number in range(each + 2):
        for side, place in enumerate(sides):
            with reading(place.started.engine, snapshot=True) as conn:
                mac_key = place.started.branch.mac_key
                ask = partial(page_of_entries, conn, mac_key, wanted, limit=PAGE)
                at, page = _clocked(ask)
                pages[side] = len(page.items)
                if number >= 2:
                    times[side].append(at * 1e3)
    with reading(sides[1].started.engine, snapshot=True) as conn:
        deep, ids = _deep(conn, sides[1].started.branch.mac_key, wanted)
        floor = median(_floor(conn, ids) for _ in range(each)) * 1e3
    small_ms, large_ms = median(times[0]), median(times[1])
    shown = (
        name, f"{small_ms:.1f}", f"{large_ms:.1f} ({max(times[1]):.1f})", f"{large_ms / small_ms:.2f}",
        "–" if deep is None else f"{deep:.1f}", f"{floor:.1f}", f"{large_ms / floor:.1f}", str(pages[1]),
    )  # fmt: skip
    print(shown, flush=True)
    return shown


def _clocked(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done


def _deep(conn: Connection, mac_key: bytes, wanted: TermsWanted) -> tuple[float | None, list[int]]:
    """Milliseconds of the page behind the first `DEEP`, if there are so many; and the row ids of the first page."""
    after, ids, times = None, list[int](), list[float]()
    for number in range(DEEP + 1):
        took, page = _clocked(lambda after=after: page_of_entries(conn, mac_key, wanted, after=after, limit=PAGE))  # type: ignore[misc]
        times.append(took * 1e3)
        if number == 0:
            names = [line.entry_id.rpartition(":") for line in page.items]
            keys = sa.tuple_(entries.c.stream, entries.c.stream_seq).in_([(one, int(seq)) for one, _, seq in names])
            ids = list(conn.execute(sa.select(entries.c.id).where(keys)).scalars()) if names else []
        after = page.next
        if after is None:
            return None, ids
    return times[-1], ids


_WHOLE = sa.select(
    *(
        entries.c[name]
        for name in ("id", "stream", "stream_seq", "event", "actor_id", "recorded_at", "body", "leaf_hash")
    )
)


def _floor(conn: Connection, ids: list[int]) -> float:
    return _clocked(lambda: rows.select_by_keys(conn, _WHOLE, "id", ids or [1]))[0]


# ── the log ─────────────────────────────────────────────────────────────────────────────────────────────────────


def fill(place: Place, count: int) -> int:
    """`count` entries of a year, sealed as far as a search can tell; bytes of their bodies."""
    chance = random.Random(11)
    engine = place.started.engine
    sealer_of(place.started).round()
    with reading(engine) as conn:
        log = present_log(conn)
        assert log is not None
        first = int(conn.execute(sa.select(sa.func.max(entries.c.id))).scalar_one()) + 1
        leaf = int(conn.execute(sa.select(sa.func.max(leaves.c.leaf_index))).scalar_one()) + 1
    numbers: dict[str, int] = {}
    written = 0
    for begin in range(0, count, _CHUNK):
        made, taken = [], []
        for number in range(begin, min(begin + _CHUNK, count)):
            jitter = timedelta(seconds=chance.random() * 20)
            row = _entry(chance, numbers, BEGIN + YEAR * (number / count) + jitter, count)
            written += len(row[6])
            made.append((first + number, *row))
            taken.append((log.number, leaf + number, first + number, row[7]))
        with writing(engine) as conn:
            rows.insert_many(conn, entries, made, ENTRY_COLUMNS)
            rows.insert_many(conn, leaves, taken, LEAF_COLUMNS)
    if place.server is not None:
        name = engine.url.database or ""
        place.server.execute(f"SELECT setval('entries_id_seq', {first + count})", database=name)
    place.settle()
    return written


def _entry(chance: random.Random, numbers: dict[str, int], at: datetime, count: int) -> tuple[Any, ...]:
    turn, data, reason = chance.random(), dict[str, Any](), None
    actor = chance.choice(_ACTORS)
    rules: tuple[str, ...] = (chance.choice(_RULES),) if turn > 0.45 else ()
    if turn < 0.45:
        event, actor = "case.measured", "system"
        data = {"measure": {
            "oldest_due_date": "2026-01-05", "bucket": "M1", "overdue_principal_fen": chance.randrange(9_000_000),
            "overdue_interest_fen": chance.randrange(90_000), "overdue_penalty_fen": chance.randrange(5_000),
            "outstanding_principal_fen": chance.randrange(20_000_000), "risk_class": None, "npl_since": None,
        }, "run": 17}  # fmt: skip
    elif turn < 0.70:
        event = chance.choice(_FACTS)
        data = {"given": {"amount_fen": chance.randrange(9_000_000), "payment": "pay:17"}, "evidence": "rec:2026-0001",
                "on": "2026-01-10", "post": "phone_collector"}  # fmt: skip
    elif turn < 0.80:
        event = chance.choice(_STEPS)
        data = {"given": {"claim_fen": chance.randrange(20_000_000)}, "post": "business_rep"}
    elif turn < 0.82:
        event = chance.choice(_REFUSED)
        codes = chance.sample(_CODES, 2)
        if numbers.setdefault("rare", 0) < 3 and chance.random() < 300 / count:
            numbers["rare"] += 1
            codes[1] = "code_rare"
        reason = codes[0]
        data = {"reasons": [{"code": code, "saw": {"days": 5}, "needs": {"days": 31}} for code in codes]}
    else:
        event, actor = chance.choice(_OTHERS), "system" if turn < 0.87 else actor
        data = {"fields": ["name", "phone"], "purpose": "collection"}
    data["business_date"] = "2026-01-10"
    stream = f"case:{chance.randrange(1, max(count // 12, 2))}"
    seq = numbers[stream] = numbers.get(stream, 0) + 1
    text = utc_text(at)
    body = _encode(Entry(
        actor=SignedActor(actor, "staff", "api"), chart=_CHART, data=data, entry_id=f"{stream}:{seq}", event=event,
        from_="phone_collection", occurred_at=text, personal={}, policy=_POLICY, prev="ab" * 32 if seq > 1 else None,
        reason_code=reason, recorded_at=text, rules=rules, stream=stream, stream_seq=seq, to="phone_collection",
    ))  # fmt: skip
    return stream, seq, event, actor, reason, at, body, leaf_hash(body), b"m" * 32


_encode = msgspec.json.Encoder(order="deterministic").encode


# ── the index ───────────────────────────────────────────────────────────────────────────────────────────────────


def build(place: Place, written: int, alone_s: float) -> tuple[str, ...]:
    """Build it in a process of its own, writers beside it: rate, sizes, what writers wait."""
    alone = _writers(place, lambda spent: spent > alone_s)
    before = _bytes(place)
    command = [sys.executable, "-m", "benchmarks.search"]
    with subprocess.Popen(command, env=place.environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        beside = _writers(place, lambda _: process.poll() is not None)
        told = json.loads(process.stdout.read())
    _seal_roughly(place)
    Indexer(place.started.engine).catch_up()
    place.settle()
    with reading(place.started.engine) as conn:
        held = conn.execute(sa.select(sa.func.count()).select_from(search_postings)).scalar_one()
        covered = read_behind(conn).begin
    per_entry = (_bytes(place) - before) / told["leaves"]
    print(f"{held:,} postings; {covered:,} leaves covered", flush=True)
    return (
        f"{told['leaves'] / told['seconds']:,.0f}", f"{per_entry:.0f}", f"{written / told['leaves']:.0f}",
        f"{alone:.1f}", f"{beside:.1f}",
    )  # fmt: skip


def _seal_roughly(place: Place) -> None:
    """What the writers wrote becomes leaves without tiles, as the invented log has them."""
    with writing(place.started.engine) as conn:
        log = present_log(conn)
        assert log is not None
        first = int(conn.execute(sa.select(sa.func.max(leaves.c.leaf_index))).scalar_one()) + 1
        waiting = conn.execute(sa.select(unsealed.c.entry).order_by(unsealed.c.entry)).scalars().all()
        taken = [(log.number, first + place_no, row, b"h" * 32) for place_no, row in enumerate(waiting)]
        rows.insert_many(conn, leaves, taken, LEAF_COLUMNS)
        conn.execute(unsealed.delete())


def _writers(place: Place, ended: Callable[[float], bool]) -> float:
    """Transactions of ten entries, 50 a second; the 99th percentile of their milliseconds."""
    took, began, number = list[float](), time.monotonic(), 0
    while not ended(time.monotonic() - began) or len(took) < 2:
        number += 1
        at = time.perf_counter()
        with writing(place.started.engine) as conn:
            trail = place.started.branch.trail(now())
            for one in range(10):
                data = {"amount_fen": number}
                trail.append(conn, f"bench:{one}", Draft("bench.done", SignedActor("S1", "staff", "api"), data))
            trail.write(conn)
        took.append((time.perf_counter() - at) * 1e3)
        time.sleep(max(0.0, began + number / 50 - time.monotonic()))
    return quantiles(took, n=100)[98]


def _bytes(place: Place) -> int:
    """The size of the index's tables with theirs; on SQLite of the whole file."""
    with place.started.engine.connect() as conn:
        if place.server is not None:
            names = ("search_terms", "search_postings", "search_segments")
            return sum(conn.exec_driver_sql(f"SELECT pg_total_relation_size('{name}')").scalar_one() for name in names)
        pages = (
            conn.exec_driver_sql("PRAGMA page_count").scalar_one()
            - conn.exec_driver_sql("PRAGMA freelist_count").scalar_one()
        )
        return int(pages * conn.exec_driver_sql("PRAGMA page_size").scalar_one())


def _index() -> None:
    """The indexer's process: builds the index of the database that the environment names."""
    engine = open_engine(Settings.from_environment().database_url)
    with writing(engine) as conn:
        begin_anew(conn)
    began = time.perf_counter()
    covered = Indexer(engine).catch_up()
    print(json.dumps({"leaves": covered, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    _index()
