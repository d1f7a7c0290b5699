"""A log with much in it to be found, spread over several segments of the index; and the simplest filter there is."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st

from casework.evidence.search.find import page_of_entries
from casework.evidence.search.index import Indexer
from casework.evidence.search.wanted import TermsWanted
from casework.log.format.entry import SignedActor
from casework.log.tables import entries, streams
from casework.log.write.trail import Draft, StreamHead
from casework.storage import rows
from casework.storage.database import reading, writing
from tests.log.branch_log import START, BranchLog

EVENTS = (
    "case.opened", "case.step.place", "case.step.reached", "case.refused.place", "case.noted", "feed.applied",
    "tasks.moved",
)  # fmt: skip
ACTORS = ("S1", "S2", "S3", "system")
RULES = ("1.3.1a", "1.3.1b", "5.4", "1.1.1")
CODES = ("too_early", "no_owner", "post_not_permitted", "agency_unfit")
POSTS = ("approver", "phone_collector")
AMOUNTS = (0, 1, 99, 100, 1_023, 1_024, 99_999, 100_000, 500_000, 500_001, 123_456_789, 2**53 - 1)


class World(BranchLog):
    """Streams `test:<n>` with events of every kind that search tells apart."""

    def fill(self, count: int, seed: int = 1, *, jumps: bool = True) -> None:
        """`count` entries in small transactions; ids `jump` now and then, so that there are several segments."""
        chance = random.Random(seed)
        left = count
        while left > 0:
            few = min(left, chance.randrange(1, 30))
            jump = chance.randrange(3_000) if jumps and chance.random() < 0.4 else 0
            with self._jumping(jump), writing(self.engine) as conn:
                trail, touched = self.trail(), set[str]()
                for _ in range(few):
                    stream = f"test:{chance.randrange(1, 9)}"
                    head = self.rest.get(stream, StreamHead(0, b"", datetime(1, 1, 1, tzinfo=UTC)))
                    self.rest[stream] = trail.add(stream, head, _draft(chance))
                    touched.add(stream)
                trail.write(conn)
                heads = [(name, *msgspec.structs.astuple(self.rest[name])) for name in sorted(touched)]
                columns = ("audit_seq", "audit_head", "last_entry_at")
                rows.insert_many(conn, streams, heads, ("stream", *columns), skip_existing=True)
                rows.update_many(conn, streams, "stream", heads, columns)
            left -= few

    @contextmanager
    def _jumping(self, by: int) -> Iterator[None]:
        """The next ids begin that much later, as after transactions that were rolled back."""
        if not by:
            yield
            return
        if self.engine.dialect.name != "sqlite":
            with writing(self.owner) as conn:
                conn.exec_driver_sql(f"SELECT setval('entries_id_seq', nextval('entries_id_seq') + {by})")
            yield
            return
        plain = rows.next_ids
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rows, "next_ids", lambda *given: [number + by for number in plain(*given)])
            yield

    def indexer(self, **options: Any) -> Indexer:
        """One that does not wait."""
        return Indexer(self.engine, **{"least": 1, **options})

    def settle(self) -> None:
        """Seal and index all there is."""
        self.seal()
        self.indexer().catch_up()

    def everything(self) -> list[tuple[str, dict[str, Any], Any]]:
        """Id, decoded body and time of every entry, oldest first."""
        with reading(self.engine) as conn:
            found = conn.execute(sa.select(entries).order_by(entries.c.id)).all()
        return [(f"{row.stream}:{row.stream_seq}", msgspec.json.decode(row.body), row.recorded_at) for row in found]

    def walk(self, wanted: TermsWanted, limit: int = 50) -> list[str]:
        """All pages of a search."""
        found: list[str] = []
        after = None
        while True:
            with reading(self.engine, snapshot=True) as conn:
                page = page_of_entries(conn, self.mac_key, wanted, after=after, limit=limit)
            assert len(page.items) <= limit
            found += [line.entry_id for line in page.items]
            after = page.next
            if after is None:
                return found


def _draft(chance: random.Random) -> Draft:
    event = chance.choices(EVENTS, (1, 3, 8, 5, 20, 1, 5))[0]
    actor = SignedActor(chance.choice(ACTORS), "staff", "api")
    data: dict[str, Any] = {"number": chance.randrange(99)}
    if chance.random() < 0.5:
        data["given"] = {"amount_fen": chance.choice(AMOUNTS), "days": 5}
    if chance.random() < 0.2:
        data["measure"] = {"overdue_principal_fen": chance.choice(AMOUNTS), "bucket": "M1"}
    if chance.random() < 0.4:
        data["post"] = chance.choice(POSTS)
    if chance.random() < 0.4:
        data |= {"case": chance.randrange(1, 4), "to": chance.choice(ACTORS)}
    reason = None
    if event.startswith("case.refused"):
        codes = chance.sample(CODES, chance.randrange(1, 4))
        data["reasons"] = [{"code": code, "saw": {"principal_fen": chance.choice(AMOUNTS)},
                            "needs": {"up_to_fen": 77}} for code in codes]  # fmt: skip
        reason = codes[0]
    rules = tuple(sorted(chance.sample(RULES, chance.randrange(0, 3))))
    return Draft(event, actor, data, rules=rules, reason_code=reason)


def amounts_in(value: Any) -> list[int]:
    """Every `*_fen` number of a decoded value, but for what rules need."""
    if isinstance(value, list):
        return [amount for one in value for amount in amounts_in(one)]
    if not isinstance(value, dict):
        return []
    own = [one for key, one in value.items() if key.endswith("_fen") and isinstance(one, int)]
    return own + [amount for key, one in value.items() if key != "needs" for amount in amounts_in(one)]


def naive(all_entries: list[tuple[str, dict[str, Any], Any]], wanted: TermsWanted) -> list[str]:
    """The ids of the entries that match, by the plainest reading of the filter."""

    def like(value: str, pattern: str) -> bool:
        return value.startswith(pattern.removesuffix("*")) if pattern.endswith("*") else value == pattern

    found = []
    for entry_id, body, recorded_at in all_entries:
        data = body["data"]
        codes = {body["reason_code"], *(reason["code"] for reason in data.get("reasons", ()))}
        low = 0 if wanted.amount_fen_min is None else wanted.amount_fen_min
        high = 2**53 if wanted.amount_fen_max is None else wanted.amount_fen_max
        asks_amount = wanted.amount_fen_min is not None or wanted.amount_fen_max is not None
        fits = [
            wanted.streams is None or body["stream"] in wanted.streams,
            wanted.event is None or like(body["event"], wanted.event),
            wanted.actor is None or body["actor"]["id"] == wanted.actor,
            wanted.rule is None or any(like(rule, wanted.rule) for rule in body["rules"]),
            wanted.code is None or wanted.code in codes,
            wanted.post is None or data.get("post") == wanted.post,
            wanted.about is None
            or (
                body["event"] == "tasks.moved"
                and wanted.about in (f"case:{data.get('case')}", f"staff:{data.get('to')}")
            ),
            wanted.recorded_from is None or recorded_at >= wanted.recorded_from,
            wanted.recorded_until is None or recorded_at < wanted.recorded_until,
            not asks_amount or any(low <= amount <= high for amount in amounts_in(data)),
        ]
        if all(fits):
            found.append(entry_id)
    return found[::-1] if wanted.newest_first else found


@st.composite
def filters(draw: st.DrawFn) -> TermsWanted:
    """Any combination of parts, each rarely enough that something is found."""

    def perhaps(*values: Any) -> Any:
        return draw(st.one_of(st.none(), st.none(), st.sampled_from(values)))

    low, high = sorted(draw(st.tuples(st.sampled_from(AMOUNTS), st.sampled_from(AMOUNTS))))
    begin = START + timedelta(seconds=draw(st.integers(0, 150)))
    end = begin + timedelta(seconds=draw(st.integers(1, 100)))
    of = perhaps(("test:1",), ("test:2", "test:5", "test:77"), ("log:1",), ())
    return TermsWanted(
        event=perhaps(*EVENTS, "case.*", "case.step.*", "case.st*", "*", "nothing.here", "nothing.*"),
        actor=perhaps(*ACTORS, "S9"), rule=perhaps(*RULES, "1.3.*", "9*"), code=perhaps(*CODES, "nosuch"),
        post=perhaps(*POSTS), about=perhaps("case:1", "case:2", "case:9", "staff:S1", "staff:S9"),
        amount_fen_min=perhaps(low, 500_000), amount_fen_max=perhaps(max(high, 500_000)),
        recorded_from=perhaps(begin), recorded_until=perhaps(end), streams=of,
        newest_first=draw(st.booleans()),
    )  # fmt: skip
