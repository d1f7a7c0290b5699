"""64 callers with clients of their own ask a running service for the last permitted call: one gets it, every round."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any, Self

import httpx

from casework.clock import now
from casework.intake.dialler.recording import New, put
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage.database import writing
from casework.work.contacts.contact import Contact
from tests.api.conftest import Running, furnish
from tests.api.server import ServerProcess, serving
from tests.conftest import LONGER, Database

CALLERS = 64
ROUNDS = 1_000 if LONGER > 1 else 6
AT_ONCE = 50
"""Rounds whose cases and calls are put there together, shortly before they are played."""


def test_of_64_callers_over_http_one_gets_the_last_permitted_call(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    """In turns the last connected call to a debtor, and the last unanswered one to a number that two debtors share.

    On PostgreSQL two processes answer.
    """
    charts = at_noon(settings.statecharts, tmp_path / "statecharts")
    started, tokens = furnish(replace(settings, statecharts=charts))
    running = Running(None, started, tokens)  # type: ignore[arg-type]  # the service runs elsewhere
    workers = "1" if database.is_sqlite else "2"
    with (
        serving(settings, tmp_path, "--workers", workers, CASEWORK_STATECHARTS=str(charts)) as server,
        Callers(server, tokens["R1"]) as callers,
    ):
        for first in range(0, ROUNDS, AT_ONCE):
            for turn, wanted in called(running, range(first, min(first + AT_ONCE, ROUNDS))).items():
                answers = callers.ask(wanted)
                assert [one["allowed"] for one in answers].count(True) == 1, (turn, answers)
                said = {why["rule"] for one in answers for why in one["reasons"]}
                assert said == {"X3" if turn % 2 else "X2"}, turn
    started.engine.dispose()


def at_noon(charts: Path, place: Path) -> Path:
    """Charts of a branch for which it is about noon, whatever the hour: at night nobody would be let call."""
    west = now().hour - 12  # POSIX zones count the hours west of Greenwich
    zone = f"Etc/GMT{west:+d}" if west else "UTC"
    shutil.copytree(charts, place)
    for policy in (place / "policy").glob("*.toml"):
        policy.write_text(policy.read_text().replace('"Asia/Shanghai"', f'"{zone}"', 1))
    return place


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
        """What each is answered; they ask in turns for what is wanted."""
        return list(self.threads.map(self._ask, self.clients, (wanted * CALLERS)[:CALLERS]))

    def _ask(self, client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
        self.together.wait()
        answer = client.post("/contact-permits", json=body)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said


def called(running: Running, turns: range) -> dict[int, list[dict[str, Any]]]:
    """What is to be asked for in each round, after the calls that leave one more: debtors of their own every time."""
    loans = {turn: [f"L{turn}a", f"L{turn}b"][: 1 + turn % 2] for turn in turns}
    ids = iter(running.open(*(loan for of_turn in loans.values() for loan in of_turn)))
    at, new = now(), list[New]()
    wanted: dict[int, list[dict[str, Any]]] = {}
    for turn, of_turn in loans.items():
        phone = f"120{turn:08}"
        wanted[turn] = [
            {"case_id": next(ids), "party": "debtor", "phone": phone, "channel": "call"} for _ in of_turn
        ]  # fmt: skip
        for number in range(5 if turn % 2 else 2):
            loan = of_turn[number % len(of_turn)]
            new.append(_call(running, loan, phone, at - timedelta(minutes=number + 1), number, answered=not turn % 2))
    with writing(running.started.engine) as conn:
        put(conn, running.started.branch, new, system("cli"), at)
    return wanted


def _call(running: Running, loan: str, phone: str, at: datetime, number: int, *, answered: bool) -> New:
    contact = Contact(
        institution="wuhan", source="dialler", contact_ref=f"{loan}-{number}", loan_id=loan, borrower_id=f"B-{loan}",
        party="debtor", channel="call", started_at=at, result="debtor" if answered else "no_answer",
        outcome="debtor" if answered else "unanswered", recorded_at=at,
        number=running.started.branch.vault.blind("phone", phone),
    )  # fmt: skip
    return New(contact, {"phone": phone}, b"-")
