"""(d) Does a request cost the same at 10,000 cases and at 500,000? Both served at once, asked in turns."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import count
from random import Random
from statistics import median

from benchmarks.machine import Others, children, proportional_mib, table, write_section
from benchmarks.place import POSTGRESQL, SQLITE, Api, Place, api, place_on, server_of

SMALL, LARGE = 10_000, 500_000
EACH = 40
_BEFORE = 3  # first ones that are not counted
PAGES_DEEP = 100
SORTS = ("id", "-id", "overdue_fen", "-overdue_fen", "oldest_due_date", "-oldest_due_date")
FILTERS = (
    "", "state=phone_collection", "state=litigation", "bucket=M2", "owner=T1", "worked_by=T1", "team=team7",
    "region=R3", "product=consumer", "live=true", "dpd_min=31&dpd_max=60",
    "overdue_fen_min=1000000&overdue_fen_max=2000000", "borrower_id=B0002000", "loan_id=L0004000",
    "state=phone_collection&team=team7&dpd_min=31",
)  # fmt: skip
_keys = count(time.time_ns())


@dataclass
class Asked:
    """One branch behind one API, and a keep-alive connection to it."""

    size: int
    served: Api
    tokens: dict[str, str]
    random: Random = field(default_factory=lambda: Random(7))  # which case is asked for

    def __post_init__(self) -> None:
        self.connection = HTTPConnection("127.0.0.1", self.served.port, timeout=60)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> dict[str, object]:
        """One request; its answer, which must be 200. Whoever reads sees all; T1 owns every case, as nobody does."""
        who = "T1" if method == "POST" else "V1"
        head = {"Authorization": f"Bearer {self.tokens[who]}", "Content-Type": "application/json", **headers}
        self.connection.request(method, path, json.dumps(body) if body else None, head)
        answer = self.connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        found: dict[str, object] = json.loads(content)
        return found

    def case_id(self) -> int:
        """Any case."""
        return self.random.randint(1, self.size)


Question = Callable[[Asked], object]


def _event(asked: Asked) -> object:
    body = {"kind": "information_repair", "on": "2026-01-10", "evidence": "rec:1",
            "data": {"outcome": "new_number", "source": "debtor", "legal_basis": "contract"}}  # fmt: skip
    headers = {"If-Match": "*", "Idempotency-Key": f"{next(_keys):x}"}
    return asked.ask("POST", f"/cases/{asked.case_id()}/facts", body, **headers)


def _listed(query: str) -> Question:
    return lambda asked: asked.ask("GET", f"/cases?limit=50&{query}".rstrip("&"))


def _deep(sort: str, pages_deep: int) -> Question:
    """The page that lies so many pages behind the first; the way there is walked once."""
    cursors: dict[int, str] = {}

    def ask(asked: Asked) -> object:
        if asked.size not in cursors:
            cursor = ""
            for _ in range(pages_deep):
                page = asked.ask("GET", f"/cases?limit=50&sort={sort}{cursor}")
                cursor = f"&cursor={page['next']}"
            cursors[asked.size] = cursor
        return asked.ask("GET", f"/cases?limit=50&sort={sort}{cursors[asked.size]}")

    return ask


def questions(pages_deep: int, filters: Sequence[str]) -> Iterator[tuple[str, Question]]:
    """Everything that is asked, by name."""
    yield "POST a fact", _event
    yield "GET a case", lambda asked: asked.ask("GET", f"/cases/{asked.case_id()}")
    yield "GET its options", lambda asked: asked.ask("GET", f"/cases/{asked.case_id()}/options")
    yield "visits due, the first page", lambda asked: asked.ask("GET", "/visits/due?limit=50")
    yield "visits due, of a team", lambda asked: asked.ask("GET", "/visits/due?limit=50&team=team7")
    yield "visits due, not planned", lambda asked: asked.ask("GET", "/visits/due?limit=50&planned=false")
    yield "visits due, planned", lambda asked: asked.ask("GET", "/visits/due?limit=50&planned=true")
    yield "visits due, planned in an area", lambda asked: asked.ask("GET", "/visits/due?limit=50&area=A3")
    for sort in SORTS:
        yield f"list, page {pages_deep + 1}, sort {sort}", _deep(sort, pages_deep)
    for chosen in filters:
        for sort in SORTS:
            yield f"list, {chosen or 'all'}, sort {sort}", _listed(f"{chosen}&sort={sort}".lstrip("&"))


def _times(question: Question, sides: tuple[Asked, ...], each: int) -> tuple[float, ...]:
    """The median of milliseconds on each side, asked in turns so that both see the same machine."""
    taken: tuple[list[float], ...] = tuple([] for _ in sides)
    for number in range(_BEFORE + each):
        for side, times in zip(sides, taken, strict=True):
            began = time.perf_counter()
            question(side)
            if number >= _BEFORE:
                times.append((time.perf_counter() - began) * 1e3)
            if sum(times) > 3_000 and len(times) >= 5:
                return tuple(median(one) if one else float("nan") for one in taken)
    return tuple(median(times) for times in taken)


def run(
    small: int = SMALL, large: int = LARGE, kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, each: int = EACH,
    pages_deep: int = PAGES_DEEP, filters: Sequence[str] = FILTERS,
) -> None:  # fmt: skip
    """Measure, and write the section `scale`."""
    others, sections = Others(), list[str]()
    for kind in kinds:
        with ExitStack() as stack:
            server = stack.enter_context(server_of(kind))
            sides = list[Asked]()
            for size in (small, large):
                place: Place = stack.enter_context(place_on(server))
                place.fill(size)
                place.spread()
                place.plan_visits()
                served = stack.enter_context(api(place))
                sides.append(Asked(size, served, place.tokens))
                stack.callback(sides[-1].connection.close)
                print(kind, size, "ready", flush=True)
            pair = (sides[0], sides[1])
            all_times = list[tuple[str, float, float]]()
            for name, question in questions(pages_deep, filters):
                at_small, at_large = _times(question, pair, each)
                all_times.append((name, at_small, at_large))
                print(f"{kind} {name}: {at_small:.2f} {at_large:.2f} ms, {at_large / at_small:.2f}", flush=True)
            memory = [proportional_mib(children(side.served.process_id)) for side in pair]
        filtered = {one[0] for chosen in filters if chosen for one in _of(all_times, chosen)}
        plain = [one for one in all_times if one[0] not in filtered]
        worst_of = [max(_of(all_times, chosen), key=_ratio) for chosen in filters if chosen]
        lines = [(name, f"{a:.2f}", f"{b:.2f}", f"{b / a:.2f}") for name, a, b in (*plain, *worst_of)]
        lines.append(
            (
                "memory of the API and its sealer, MiB",
                f"{memory[0]:.0f}",
                f"{memory[1]:.0f}",
                f"{memory[1] / memory[0]:.2f}",
            )
        )
        worst = max(all_times, key=_ratio)
        sections.append(
            f"**{kind}** (worst of {len(all_times)}: {worst[0]}, {worst[2] / worst[1]:.2f})\n\n"
            + table(("median ms of one request", f"{small:,} cases", f"{large:,} cases", "ratio"), lines)
        )
    head = f"Both sizes served at once and asked in turns, {each} times each; of each filter the sort with the worst"
    write_section("scale", f"{head} ratio; {others}.\n\n" + "\n\n".join(sections))


def _of(times: list[tuple[str, float, float]], chosen: str) -> list[tuple[str, float, float]]:
    return [one for one in times if one[0].startswith(f"list, {chosen}, sort")]


def _ratio(one: tuple[str, float, float]) -> float:
    return one[2] / one[1]
