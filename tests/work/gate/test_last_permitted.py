"""64 callers at once want the last permitted call: one of them gets it, in every round."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

from casework.clock import now
from casework.people.staff.actor import Actor
from casework.settings import Settings
from casework.storage.database import writing
from casework.work.gate.asking import Wanted, decide
from casework.work.gate.permits import Permit
from tests.work.gate.last_permitted import CALLERS, at_noon, rounds

CALLER = Actor("R1", "staff", "api", frozenset({"business_rep"}), team="T1", region="R1")


def test_of_64_callers_for_the_last_permitted_call_one_gets_it(settings: Settings, tmp_path: Path) -> None:
    """Each in a transaction of their own; the others are told the rule."""
    running = at_noon(settings, tmp_path / "statecharts")
    started, together = running.started, Barrier(CALLERS)

    def call(body: dict[str, Any]) -> Permit:
        together.wait()
        with writing(started.engine) as conn:
            return decide(conn, started.branch, CALLER, Wanted(**body), now())

    with ThreadPoolExecutor(CALLERS) as callers:
        for rule, wanted in rounds(running):
            permits = list(callers.map(call, wanted))
            assert [one.allowed for one in permits].count(True) == 1, permits
            assert {why.rule for one in permits for why in one.reasons} == {rule}
    started.engine.dispose()
