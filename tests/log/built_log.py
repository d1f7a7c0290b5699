"""A log of about 300 entries built through the real door, and the operator's hands to attack it with.

Attacks run in one transaction with the owner's rights, guards taken down and put up again, and are rolled
back: many can be tried on one database.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.evidence.verifying import verify
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Fire, Note, Outcome, Record
from casework.log.check.findings import Report
from casework.log.tables import entries
from casework.operation.startup import branch_of, upgrade
from casework.people.staff import register
from casework.people.staff.actor import Actor, system
from casework.settings import Settings, default_loans_dir, ensure_keys, load_keys
from casework.storage.append_only import APPEND_ONLY, append_only_ddl, drop_append_only_ddl
from casework.storage.database import open_engine, writing
from casework.work.cases.branch import Branch
from casework.work.cases.commands import Command, Measure, OpenCase
from casework.work.four_eyes import requests
from tests.contacted import REPAIRED, contact_day
from tests.fed import dated
from tests.postgres_server import APP, OWNER, Server

PHONE = Actor("T1", "staff", "api", frozenset({"phone_collector"}), team="T1", region="R1")
BUSINESS = Actor("S1", "staff", "api", frozenset({"business_rep"}))
RISK = Actor("R1", "staff", "api", frozenset({"basic_risk_manager"}))
ASSETS = Actor("A1", "staff", "api", frozenset({"asset_preservation"}))
APPROVERS = [Actor(f"P{n}", "staff", "api", frozenset({"approver"})) for n in (1, 2, 3)]
FEED, SWEEP = system("feed"), system("sweep")
TODAY = date(2026, 1, 10)
NOTE = "客户称下周还款"
WRITE_OFF = {"criterion": "death", "evidence": "doc:1", "principal_fen": 500_000, "interest_fen": 20}
CASES, REQUESTS, PEOPLE = 50, 10, 7
STREAMS = CASES + REQUESTS + PEOPLE + 3  # and the published rulebook, the refused opening, the business date


def clock() -> datetime:
    """The morning after the close that the feed reported."""
    return datetime(2026, 1, 11, 1, 30, tzinfo=UTC)


def measure(due: str | None = "2026-01-05", principal_fen: int = 500_000) -> dict[str, Any]:
    """The figures of a loan as the feed reports them."""
    return {
        "oldest_due_date": due, "bucket": "M1" if due else "M0", "overdue_principal_fen": 1_000 if due else 0,
        "overdue_interest_fen": 20 if due else 0, "overdue_penalty_fen": 1 if due else 0,
        "outstanding_principal_fen": principal_fen, "risk_class": None, "npl_since": None,
    }  # fmt: skip


def opening(number: int, ground: str = "arrears", actor: Actor = FEED, **data: str) -> OpenCase:
    """A case of loan `L<number>`."""
    loan = {
        "loan_id": f"L{number}", "institution": "wuhan", "borrower_id": f"B{number}", "product": "consumer",
        "channel_code": None, "team": "T1", "region": "R1", "owner": "S1",
    }  # fmt: skip
    return OpenCase(actor=actor, ground=ground, loan=loan, measure=measure(), data=data)


def repaired(case_id: int, day: date) -> Record:
    """Information repaired on `day`, to no avail."""
    return Record(actor=PHONE, id=case_id, kind="information_repair", on=day, evidence="rec:1", data=REPAIRED)


def visit_ordered(case_id: int) -> Fire:
    """A home visit ordered; its address is committed, not written."""
    data = {"address_kind": "home", "address": "某路1号", "visit_on": "2026-01-12"}
    return Fire(actor=BUSINESS, id=case_id, event="start_visit", data=data)


def written_off(conn: Connection, branch: Branch, case_id: int) -> None:
    """Asked for, reviewed and approved by three people."""
    asked = requests.ask(
        conn, branch, actor=ASSETS, kind="event", subject=f"case:{case_id}", what="write_off", data=WRITE_OFF,
        clock=clock,
    )  # fmt: skip
    assert isinstance(asked, requests.Asked), asked
    for step, actor in ((requests.review, RISK), (requests.approve, APPROVERS[0])):
        moved = step(conn, branch, asked.request_id, actor=actor, clock=clock)
        assert isinstance(moved, requests.Moved), moved


def life(case_id: int) -> list[Command]:
    """What happens to one case: a different life for each remainder of its number."""
    days = [TODAY - timedelta(days=n) for n in (2, 1, 0)]
    kind = case_id % 5
    if kind == 0:
        return [
            Measure(actor=FEED, id=case_id, measure=measure(None), run=1),
            Fire(actor=FEED, id=case_id, event="arrears_cleared", data={"previous_as_of": "2026-01-09"}),
            Fire(actor=SWEEP, id=case_id, event="archive"),
        ]
    if kind == 1:  # refused: it must be asked for; `fill` has it asked for
        return [Fire(actor=ASSETS, id=case_id, event="write_off", data=WRITE_OFF)]
    if kind == 2:
        repairs: list[Command] = [repaired(case_id, day) for day in days for _ in (1, 2)]
        return [
            *repairs,
            Fire(actor=SWEEP, id=case_id, event="mark_lost"),
            Note(actor=PHONE, id=case_id, text=NOTE),
        ]
    if kind == 3:
        return [
            visit_ordered(case_id),
            contact_day(case_id, TODAY, connected=True),
            Fire(actor=PHONE, id=case_id, event="reached"),
        ]
    return [
        Fire(actor=PHONE, id=case_id, event="mark_lost"),  # forbidden: only the service may
        Record(actor=BUSINESS, id=case_id, kind="agency_file", on=TODAY, evidence="x:1"),  # forbidden too
        Note(actor=PHONE, id=case_id, text=NOTE),
        Fire(actor=RISK, id=case_id, event="cancel", data={"reason": "opened_in_error"}),
    ]


def fill(engine: Engine, branch: Branch, cases: int = CASES) -> list[Outcome]:
    """Staff, an institution, `cases` cases, their lives, and an opening that is refused."""
    with writing(engine) as conn:
        trail = branch.trail(clock())
        for one in (PHONE, BUSINESS, RISK, ASSETS, *APPROVERS):
            register.add(
                conn, trail, system("cli"), branch.rulebook.permissions, staff_no=one.id, name=one.id,
                posts=one.posts, team=one.team, region=one.region,
            )  # fmt: skip
        trail.write(conn)
        dated(conn, branch, TODAY, clock=clock)
        opened = advance(conn, [opening(number) for number in range(cases)], branch, clock=clock)
    ids = [outcome.id for outcome in opened if outcome.id is not None]
    with writing(engine) as conn:
        commands = [command for case_id in ids for command in life(case_id)]
        outcomes = advance(conn, commands, branch, clock=clock)
        for case_id in ids:
            if case_id % 5 == 1:
                written_off(conn, branch, case_id)
        return outcomes + advance(conn, [opening(0)], branch, clock=clock)


@dataclass(frozen=True)
class BuiltLog:
    """A filled database, seen with the owner's rights."""

    settings: Settings
    engine: Engine
    branch: Branch
    outcomes: list[Outcome]

    @contextmanager
    def attacked(self) -> Iterator[Connection]:
        """A transaction that is rolled back at the end."""
        with self.engine.connect() as conn, conn.begin() as transaction:
            yield conn
            transaction.rollback()

    def verify(self, conn: Connection) -> Report:
        """The whole verification, on what `conn` sees."""
        return verify(conn, self.branch.mac_key, self.branch.vault)

    def after(self, attack: Callable[[Connection], Any]) -> Report:
        """What verification says after `attack`, guards put up again behind it."""
        with self.attacked() as conn:
            with guards_down(conn):
                attack(conn)
            return self.verify(conn)


@contextmanager
def guards_down(conn: Connection) -> Iterator[None]:
    """Without the append-only guards, as an operator could have it, who then covers his tracks."""
    dialect = conn.dialect.name
    for table in APPEND_ONLY:
        for statement in drop_append_only_ddl(dialect, table):
            conn.exec_driver_sql(statement)
    yield
    for table, keys in APPEND_ONLY.items():
        for statement in append_only_ddl(dialect, table, keys):
            conn.exec_driver_sql(statement)


@contextmanager
def own_database(kind: str, folder: Path, template: Path, servers: Callable[[str], Server]) -> Iterator[Settings]:
    """A migrated database for the tests of a file, with keys of its own; `kind` is sqlite or pg17."""
    server = None if kind == "sqlite" else servers(kind.removeprefix("pg"))
    name = f"log_{folder.name}".replace("-", "_")
    if server is None:
        path = folder / "casework.db"
        shutil.copyfile(template, path)
        url = owner = f"sqlite:///{path}"
    else:
        server.create_database(name, template="migrated")
        url, owner = server.url(name, APP), server.url(name, OWNER)
    keys_dir = folder / "keys"
    ensure_keys(keys_dir)
    try:
        yield Settings(
            database_url=url, database_owner_url=owner, keys_dir=keys_dir,
            loans_dir=default_loans_dir(url, os.environ),
            statecharts=Settings.from_environment({}).statecharts,
        )  # fmt: skip
    finally:
        if server is not None:
            server.drop_database(name)


@contextmanager
def built_log(kind: str, folder: Path, template: Path, servers: Callable[[str], Server]) -> Iterator[BuiltLog]:
    """A log in a database of its own; `kind` is sqlite or pg17."""
    with own_database(kind, folder, template, servers) as settings:
        upgrade(settings, system("cli"), clock=clock)
        branch = branch_of(settings, load_keys(settings.keys_dir))
        engine = open_engine(str(settings.database_owner_url))
        try:
            yield BuiltLog(settings, engine, branch, fill(engine, branch))
        finally:
            engine.dispose()


def log_fixture(scope: Literal["module", "package"]) -> Any:
    """The fixture `log`: one log per database for a whole file or folder; what is added or attacked is rolled back."""

    @pytest.fixture(scope=scope, params=["sqlite", "pg17"])
    def log(
        request: pytest.FixtureRequest,
        tmp_path_factory: pytest.TempPathFactory,
        migrated_sqlite: Path,
        postgres_servers: Callable[[str], Server],
    ) -> Iterator[BuiltLog]:
        with built_log(request.param, tmp_path_factory.mktemp("log"), migrated_sqlite, postgres_servers) as built:
            yield built

    return log


def entry_at(conn: Connection, stream: str, seq: int) -> Any:
    """The row of one entry."""
    return conn.execute(sa.select(entries).where(entries.c.stream == stream, entries.c.stream_seq == seq)).one()


def change_entry(conn: Connection, stream: str, seq: int, /, **values: Any) -> None:
    """Overwrite columns of one entry; it must be there."""
    at = (entries.c.stream == stream) & (entries.c.stream_seq == seq)
    assert conn.execute(entries.update().where(at).values(values)).rowcount == 1
