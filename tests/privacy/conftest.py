"""A bank whose borrowers have a past: notes, a visit, a request, rows set aside, answers; their cases are over."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.clock import now
from casework.customer import Customer
from casework.evidence.verifying import verify
from casework.intake.feed.run import Run
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Note, Outcome
from casework.log.check.findings import Report
from casework.log.tables import openings
from casework.operation.startup import Started, start, upgrade
from casework.oversight.privacy.erase import Erasure, ErasureRefused, erase
from casework.people.staff.actor import Actor, system
from casework.settings import Settings, default_loans_dir, ensure_keys
from casework.storage.database import open_engine, reading, writing
from casework.work.cases.answer_mac import answer_mac
from casework.work.cases.commands import Command
from casework.work.cases.tables import idempotency
from casework.work.four_eyes import requests
from tests.feed.bank import DAY, INSTITUTION, Bank, arrears, contact, loan
from tests.feed.conftest import BankAfter, bank, bank_after
from tests.postgres_server import APP, OWNER, Server

T = TypeVar("T")
RISK = Actor("R9", "staff", "cli", frozenset({"basic_risk_manager"}))
REP = Actor("S1", "staff", "api", frozenset({"business_rep"}))
ASSETS = Actor("A1", "staff", "api", frozenset({"asset_preservation"}))
NOTE = "客户称下周还款"
ADDRESS = "虚构路99号"
WRITE_OFF = {"criterion": "death", "evidence": "doc:1", "principal_fen": 5_000_000, "interest_fen": 20}
YEARS_LATER = timedelta(days=6 * 366)
PEOPLE = 10


@dataclass
class House:
    """The bank, with what a test of erasure does and asks again and again."""

    bank: Bank
    sent: date = DAY
    owner: Engine | None = None

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
            Note(actor=REP, id=case_id, text=f"{NOTE}{number}"),
            Fire(actor=REP, id=case_id, event="start_visit", data=visit),
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
        parts = ("S1", key, b"h" * 32, 200, packed, now())
        row = (*parts, answer_mac(self.started.branch.mac_key, *parts))
        self.in_one(lambda conn: conn.execute(idempotency.insert().values(row)))

    # ── erasing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def erase(self, number: int, basis: str = "retention_over", at: Callable[[], datetime] | None = None) -> Erasure:
        told = self.try_to(number, basis, at or self.later)
        assert isinstance(told, Erasure), told
        return told

    def try_to(
        self, number: int, basis: str = "retention_over", at: Callable[[], datetime] = now
    ) -> Erasure | ErasureRefused:  # fmt: skip
        return self.in_one(
            lambda conn: erase(conn, self.started.branch, customer(number), basis=basis, actor=system("cli"), clock=at)
        )

    def erase_him(self, borrower_id: str) -> Erasure:
        """By any id."""
        told = self.in_one(
            lambda conn: erase(
                conn,
                self.started.branch,
                Customer(INSTITUTION, borrower_id),
                basis="ordered",
                actor=system("cli"),
                clock=self.later,
            )
        )
        assert isinstance(told, Erasure), told
        return told

    # ── undone ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def undone(self) -> Iterator[Connection]:
        """A transaction with the owner's rights that is rolled back."""
        with (self.owner or self.engine).connect() as conn, conn.begin() as transaction:
            yield conn
            transaction.rollback()

    def erase_in(
        self, conn: Connection, number: int, basis: str = "retention_over", *, later: bool = True
    ) -> Erasure | ErasureRefused:  # fmt: skip
        clock = self.later if later else now
        return erase(conn, self.started.branch, customer(number), basis=basis, actor=system("cli"), clock=clock)

    def erased_in(self, conn: Connection, number: int) -> Erasure:
        told = self.erase_in(conn, number)
        assert isinstance(told, Erasure), told
        return told

    def checked(self, conn: Connection) -> Report:
        """The whole verification of what `conn` sees."""
        branch = self.started.branch
        return verify(conn, branch.mac_key, branch.vault)

    def found(self, conn: Connection) -> set[str]:
        """The codes of its findings."""
        return {finding.code for finding in self.checked(conn).findings}

    def texts(self, number: int) -> int:
        """How many openings his case has."""
        stream = f"case:{self.case_id(number)}"
        return len(self.read(sa.select(openings).where(openings.c.stream == stream)))

    def report(self) -> Report:
        return self.bank.verified()


def customer(number: int) -> Customer:
    """Borrower B<number> of the bank."""
    return Customer(INSTITUTION, f"B{number}")


def furnish(bank: Bank) -> House:
    """Ten borrowers in arrears; B1 and B2 have a past, and no case any more; B3 has a past and a live case."""
    for who in (RISK, REP, ASSETS):
        bank.staff(who.id, *who.posts)
    made = House(bank, sent=DAY - timedelta(days=1))
    made.send()
    for number in (1, 2, 3):
        made.past(number)
    made.send(without=(1, 2))
    return made


@pytest.fixture
def house(bank_after: BankAfter) -> House:
    """One of its own, for what commits."""
    return House(bank_after(furnish), sent=DAY + timedelta(days=1))


@pytest.fixture(scope="session", params=["sqlite", "pg17"])
def shared(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    migrated_sqlite: Path,
    postgres_servers: Callable[[str], Server],
) -> Iterator[House]:
    """One per database for everything that is rolled back; `undone` gives its owner's connection."""
    folder = tmp_path_factory.mktemp("privacy")
    server = None if request.param == "sqlite" else postgres_servers("17")
    name = f"privacy_{folder.name}".replace("-", "_")
    url = owner = f"sqlite:///{folder / 'casework.db'}"
    if server is None:
        shutil.copyfile(migrated_sqlite, folder / "casework.db")
    else:
        server.create_database(name, template="migrated")
        url, owner = server.url(name, APP), server.url(name, OWNER)
    ensure_keys(folder / "keys")
    settings = Settings(
        database_url=url, database_owner_url=owner, keys_dir=folder / "keys",
        loans_dir=default_loans_dir(url, os.environ),
        statecharts=Settings.from_environment({}).statecharts,
    )  # fmt: skip
    upgrade(settings, system("cli"))
    started, owners = start(settings), open_engine(owner)
    try:
        made = furnish(Bank(started, folder / "feeds"))
        made.owner = owners
        yield made
    finally:
        started.engine.dispose()
        owners.dispose()
        if server is not None:
            server.drop_database(name)


__all__ = ["bank", "bank_after", "house", "shared"]
