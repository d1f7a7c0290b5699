"""What it costs to ask whether a request may pass: our question against the least that any could be, in one run.

The floor is one that looks its route up and lets everybody pass. Both are called as the framework calls them, on a
scope like a real one; no database is at hand, so a query would be an error. `python -m benchmarks.permissions`.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from api.permitted import Permitted, permitted
from casework.people.staff.actor import Actor, Principal
from casework.people.staff.permissions import ACTS, SEES
from casework.settings import shipped
from casework.work.cases.rulebook import load_rulebook

CALLS = 20_000
REPEATS = 7
BOUND_US = 50.0
_ROUTE = ("GET", "/cases/{case_id}/options")


class _Connection:
    """As much of a request as is looked at."""

    def __init__(self, actor: Actor, table: Permitted) -> None:
        self.app = SimpleNamespace(state={"permitted": table})
        self.method = _ROUTE[0]
        self.scope: dict[str, Any] = {
            "method": _ROUTE[0], "path_template": _ROUTE[1], "path_params": {"case_id": 17},
            "path": "/cases/17/options", "query_string": b"", "user": actor, "state": {},
        }  # fmt: skip


def actors() -> dict[str, Actor]:
    """The cheapest and the dearest askers: one post; many posts and ten principals; a key for one command."""
    posts = frozenset({"post_loan_officer", "phone_collector", "asset_preservation"})
    away = tuple(Principal(f"S{number}", posts, "T1", f"R{number}") for number in range(10))
    return {
        "one post": Actor("S1", "staff", "api", frozenset({"phone_collector"}), "T1", "R1"),
        "deputy of ten": Actor("S1", "staff", "api", frozenset({"administrator"}), "T1", "R1", principals=away),
        "key": Actor("S1", "staff", "api", posts, "T1", "R1", commands=frozenset({"case.read"})),
    }


async def _timed(asked: Callable[[Any], Awaitable[None]], connection: _Connection, calls: int) -> float:
    """Microseconds per call, the best of a few runs."""
    found = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        for _ in range(calls):
            await asked(connection)
        found.append((time.perf_counter() - began) / calls * 1e6)
    return min(found)


def measure(calls: int = CALLS) -> list[tuple[str, float, float]]:
    """Who asks, microseconds of the question, microseconds of the floor."""
    rulebook = load_rulebook(shipped("statecharts"))
    table = Permitted(rulebook.permissions)
    known = {f"{_ROUTE[0]} {_ROUTE[1]}"}

    async def floor(connection: Any) -> None:
        scope = connection.scope
        if f"{scope['method']} {scope['path_template']}" not in known:
            raise LookupError

    rows = []
    for who, actor in actors().items():
        connection = _Connection(actor, table)
        spent = asyncio.run(_timed(permitted, connection, calls))
        rows.append((who, spent, asyncio.run(_timed(floor, connection, calls))))
    return rows


def reach_us(calls: int = CALLS // 10) -> float:
    """Microseconds to work out what the dearest asker reaches, to see and to act (once per request that needs it)."""
    rulebook = load_rulebook(shipped("statecharts"))
    actor, policy = actors()["deputy of ten"], rulebook.policies.all[-1]
    posts, found = frozenset(rulebook.permissions.posts), []
    for _ in range(REPEATS):
        began = time.perf_counter()
        for _ in range(calls):
            rulebook.permissions.reach(actor, posts, SEES, policy)
            rulebook.permissions.reach(actor, posts, ACTS, policy)
        found.append((time.perf_counter() - began) / calls / 2 * 1e6)
    return statistics.median(found)


def main() -> None:
    """Print the table; the bound of the issue is 50 µs a request."""
    for who, spent, least in measure():
        print(f"{who:<15} {spent:6.2f} µs   floor {least:5.2f} µs   {spent / least:4.1f} ×")
        assert spent < BOUND_US, who
    print(f"reach           {reach_us():6.2f} µs")


if __name__ == "__main__":
    main()
