"""64 callers with clients of their own ask a running service for the last permitted call: one gets it, every round."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier
from typing import Any, Self

import httpx

from casework.settings import Settings
from tests.api.server import ServerProcess, serving
from tests.conftest import Database
from tests.work.gate.last_permitted import CALLERS, at_noon, rounds


def test_of_64_callers_over_http_one_gets_the_last_permitted_call(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    """On PostgreSQL two processes answer."""
    charts = tmp_path / "statecharts"
    running = at_noon(settings, charts)
    workers = "1" if database.is_sqlite else "2"
    with (
        serving(settings, tmp_path, "--workers", workers, CASEWORK_STATECHARTS=str(charts)) as server,
        Callers(server, running.tokens["R1"]) as callers,
    ):
        for rule, wanted in rounds(running):
            answers = callers.ask(wanted)
            assert [one["allowed"] for one in answers].count(True) == 1, answers
            assert {why["rule"] for one in answers for why in one["reasons"]} == {rule}
    running.started.engine.dispose()


class Callers:
    """As many clients as callers, each with a connection of its own, who ask in the same moment."""

    def __init__(self, server: ServerProcess, token: str) -> None:
        self.opened, self.together = ExitStack(), Barrier(CALLERS)
        self.clients = [self.opened.enter_context(server.client(token)) for _ in range(CALLERS)]
        self.threads = self.opened.enter_context(ThreadPoolExecutor(CALLERS))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.close()

    def ask(self, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What each is answered."""
        return list(self.threads.map(self._ask, self.clients, wanted))

    def _ask(self, client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
        self.together.wait()
        answer = client.post("/contact-permits", json=body)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said
