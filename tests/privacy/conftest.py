"""A bank whose borrowers have a past: notes, a visit, a request, rows set aside, answers; their cases are over."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.audit.findings import Report
from casework.audit.tables import openings
from casework.cases.advance import advance
from casework.cases.commands import Command, Done, Fire, Note, Outcome
from casework.cases.tables import idempotency
from casework.clock import now
from casework.database import reading, writing
from casework.feed.run import Run
from casework.four_eyes import requests
from casework.privacy.erase import Erasure, Refused, erase
from casework.staff.actor import Actor, system
from casework.startup import Started
from tests.feed.bank import DAY, Bank, arrears, contact, loan
from tests.feed.conftest import bank

T = TypeVar("T")
RISK = Actor("R9", "staff", "cli", frozenset({"basic_risk_manager"}))
REP = Actor("S1", "staff", "api", frozenset({"business_rep"}))
ASSETS = Actor("A1", "staff", "api", frozenset({"asset_preservation"}))
NOTE = "客户称下周还款"
ADDRESS = "虚构路99号"
WRITE_OFF = {"criterion": "death", "evidence": "doc:1", "principal_fen": 500_000, "interest_fen": 20}
YEARS_LATER = timedelta(days=6 * 366)
PEOPLE = 10


@dataclass
class House:
    """The bank, with what a test of erasure does and asks again and again."""

    bank: Bank
    sent: date = DAY
    rest: dict[str, Any] = field(default_factory=dict)

    @property
    def started(self) -> Started:
        return self.bank.started

    @property
    def engine(self) -> Engine:
        return self.bank.started.engine

    def later(self) -> datetime:
        """When every retention period is over."""
        return now() + YEARS_LATER

    def in_one(self, work: Callable[[Connection], T]) -> T:
        with writing(self.engine) as conn:
            return work(conn)

    def read(self, statement: Any) -> list[Any]:
        with reading(self.engine) as conn:
            return list(conn.execute(statement))

    def do(self, *commands: Command) -> list[Outcome]:
        return self.in_one(lambda conn: advance(conn, commands, self.started.branch))

    def done(self, *commands: Command) -> None:
        outcomes = self.do(*commands)
        assert all(isinstance(one, Done) for one in outcomes), outcomes

    def case_id(self, number: int) -> int:
        return int(self.bank.case(number).id)

    # ── a past ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, *, without: tuple[int, ...] = (), **more: Any) -> Run:
        """The next day's whole feed; `without`: loans that are paid in full."""
        self.sent += timedelta(days=1)
        numbers = range(1, PEOPLE + 1)
        paid = {"outstanding_principal": "0.00"}
        given = {
            "loans": [loan(number, **(paid if number in without else {})) for number in numbers],
            "contacts": [contact(number) for number in numbers], **more,
        }  # fmt: skip
        rows = [arrears(number, on=self.sent) for number in numbers if number not in without]
        return self.bank.send(self.sent, given.pop("overdue", rows), **given)

    def past(self, number: int) -> None:
        """A note, a visit with its address, a request that was withdrawn."""
        case_id = self.case_id(number)
        visit = {"address_kind": "home", "address": ADDRESS, "visit_on": self.sent.isoformat()}
        self.done(
            Note(actor=REP, case_id=case_id, text=f"{NOTE}{number}"),
            Fire(actor=REP, case_id=case_id, event="start_visit", data=visit),
        )
        self.request(case_id)

    def request(self, case_id: int) -> int:
        asked = self.in_one(
            lambda conn: requests.ask(
                conn, self.started.branch, actor=ASSETS, kind="event", subject=f"case:{case_id}", what="write_off",
                data=WRITE_OFF,
            )
        )  # fmt: skip
        assert isinstance(asked, requests.Asked), asked
        moved = self.in_one(
            lambda conn: requests.withdraw(
                conn, self.started.branch, asked.request_id, actor=ASSETS, remark=f"撤回{case_id}"
            )
        )
        assert isinstance(moved, requests.Moved), moved
        return asked.request_id

    def answered(self, key: str, body: dict[str, Any]) -> None:
        """An answer that the API stored."""
        packed = msgspec.msgpack.encode(({}, "application/json", msgspec.json.encode(body)))
        row = {"actor_id": "S1", "key": key, "request_hash": b"h" * 32, "status": 200, "answer": packed,
               "created_at": now()}  # fmt: skip
        self.in_one(lambda conn: conn.execute(idempotency.insert().values(row)))

    # ── erasing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def erase(self, number: int, basis: str = "retention_over", at: Callable[[], datetime] | None = None) -> Erasure:
        told = self.try_to(number, basis, at or self.later)
        assert isinstance(told, Erasure), told
        return told

    def try_to(
        self, number: int, basis: str = "retention_over", at: Callable[[], datetime] = now
    ) -> Erasure | Refused:  # fmt: skip
        return self.in_one(
            lambda conn: erase(conn, self.started.branch, f"B{number}", basis=basis, actor=system("cli"), clock=at)
        )

    def texts(self, number: int) -> int:
        """How many openings his case has."""
        stream = f"case:{self.case_id(number)}"
        return len(self.read(sa.select(openings).where(openings.c.stream == stream)))

    def report(self) -> Report:
        return self.bank.verified()


@pytest.fixture
def house(bank: Bank) -> House:
    """Ten borrowers in arrears; B1 and B2 have a past, and no case any more; B3 has a past and a live case."""
    for who in (RISK, REP, ASSETS):
        bank.staff(who.id, *who.posts)
    made = House(bank, sent=DAY - timedelta(days=1))
    made.send()
    for number in (1, 2, 3):
        made.past(number)
    made.send(without=(1, 2))
    return made


__all__ = ["bank", "house"]
