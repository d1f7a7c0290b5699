"""Rounds in which 64 callers want the last permitted call: debtors of their own each time, so that no round is longer.

In turns it is the last connected call to a debtor, and the last unanswered one to a number that two debtors share.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from casework.clock import now
from casework.intake.dialler.recording import New, put
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage.database import writing
from casework.work.contacts.contact import Contact
from tests.api.conftest import Running, furnish
from tests.conftest import LONGER
from tests.ordered import charts_at_noon

CALLERS = 64
ROUNDS = 1_000 if LONGER > 1 else 6
_AT_ONCE = 50
"""Rounds whose cases and calls are put there together, shortly before they are played."""


def at_noon(settings: Settings, place: Path) -> Running:
    """A branch for which it is about noon, whatever the hour: at night nobody would be let call."""
    started, tokens = furnish(replace(settings, statecharts=charts_at_noon(place)))
    return Running(None, started, tokens)  # type: ignore[arg-type]  # no client: the service runs elsewhere, or nowhere


def rounds(running: Running) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The rule that stops all callers but one, and what each of them asks for."""
    for first in range(0, ROUNDS, _AT_ONCE):
        for turn, wanted in _called(running, range(first, min(first + _AT_ONCE, ROUNDS))).items():
            yield "X3" if turn % 2 else "X2", (wanted * CALLERS)[:CALLERS]


def _called(running: Running, turns: range) -> dict[int, list[dict[str, Any]]]:
    """What is to be asked for in each round, after the calls that leave one more."""
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
