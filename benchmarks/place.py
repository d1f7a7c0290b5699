"""Where a benchmark runs: a fresh database of one kind, furnished, and the API on it as a process of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from casework.clock import now
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done
from casework.operation.startup import Started, start, upgrade
from casework.people.staff import register, tokens
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage import rows
from casework.storage.database import writing
from casework.work.cases.commands import Command, OpenCase
from casework.work.cases.lifecycles import VISITS
from casework.work.cases.tables import cases
from casework.work.visits.visit import Visit
from tests.fed import dated
from tests.postgres_server import APP, OWNER, Server, _die_with_parent, postgres_server

POSTGRESQL, SQLITE = "PostgreSQL", "SQLite"
BUSINESS_DATE = date(2026, 1, 10)
_LONG_AGO = datetime(2024, 1, 1, 1, tzinfo=UTC)
"""The staff joined then, so on every day of a benchmark they work here."""
STAFF = {"T1": "phone_collector business_rep", "K1": "basic_risk_manager", "A1": "asset_preservation", "V1": "approver"}
TEAMS = 40
_BUCKETS = ((1, "M1"), (31, "M2"), (61, "M3"), (91, "M3+"))


@dataclass
class Place:
    """A furnished database: `server` is its PostgreSQL, if it is one."""

    kind: str
    settings: Settings
    folder: Path
    server: Server | None
    started: Started
    tokens: dict[str, str] = field(default_factory=dict)

    def fill(self, count: int) -> None:
        """Open `count` more cases through the door, 20,000 to a transaction, of many teams, owners and due dates."""
        first = self._cases() + 1
        for begin in range(first, first + count, 20_000):
            numbers = range(begin, min(begin + 20_000, first + count))
            with writing(self.started.engine) as conn:
                for at in range(0, len(numbers), 5_000):
                    commands: list[Command] = [opening(number) for number in numbers[at : at + 5_000]]
                    outcomes = advance(conn, commands, self.started.branch)
                    assert all(isinstance(one, Done) for one in outcomes), outcomes[:1]
        self.settle()

    def spread(self) -> None:
        """Put a tenth of the cases into the rarer states, as a branch has them; for reading only: no entry says so."""
        with writing(self.started.engine) as conn:
            part = cases.c.id % 100
            rarer = sa.case((part < 5, "lost_contact"), (part < 8, "outsourced"), else_="litigation")
            conn.execute(cases.update().where(part < 10).values(state=rarer))
        self.settle()

    def plan_visits(self) -> None:
        """To every 17th case one, at most 600, in 20 areas; for reading only: no entry says so."""
        first = BUSINESS_DATE + timedelta(days=1)
        with writing(self.started.engine) as conn:
            wanted = cases.c["id", "institution", "borrower_id", "loan_id"]
            found = conn.execute(sa.select(*wanted).where(cases.c.id % 17 == 0).order_by(cases.c.id).limit(600)).all()
            planned = [
                Visit(
                    number, "visit@1", "planned", BUSINESS_DATE, live=True, version=1, opened_on=BUSINESS_DATE,
                    opened_for="ordered", opened_by="T1", parent_id=case_id, institution=institution,
                    borrower_id=borrower_id, loan_id=loan_id, address_kind="home", visit_on=first,
                    area=f"A{number % 20}", second_visitor="K1",
                )
                for number, (case_id, institution, borrower_id, loan_id) in enumerate(found, 1)
            ]  # fmt: skip
            rows.insert_many(conn, VISITS.table, [VISITS.rows.row(one) for one in planned], VISITS.rows.columns)
        self.settle()

    def settle(self) -> None:
        """Fresh statistics and a quiet disk, as a server has them after a night."""
        if self.server is not None:
            self.server.execute("VACUUM ANALYZE", "CHECKPOINT", database=self.started.engine.url.database or "")
        else:
            with self.started.engine.connect() as conn:
                raw: Any = conn.connection.dbapi_connection
                raw.execute("PRAGMA analysis_limit=0")
                raw.execute("ANALYZE")
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _cases(self) -> int:
        with self.started.engine.connect() as conn:
            return int(conn.exec_driver_sql("SELECT coalesce(max(id), 0) FROM cases").scalar_one())

    def environment(self) -> dict[str, str]:
        """What a process of the service needs to know."""
        return {
            **os.environ, "CASEWORK_DATABASE_URL": self.settings.database_url,
            "CASEWORK_KEYS_DIR": str(self.settings.keys_dir), "CASEWORK_LOG_LEVEL": "INFO",
            "CASEWORK_STATECHARTS": str(self.settings.statecharts), "CASEWORK_LOANS_DIR": str(self.settings.loans_dir),
        }  # fmt: skip


def opening(number: int) -> OpenCase:
    """A loan in arrears, every number another; teams, amounts and dates as spread as a branch's."""
    days = 1 + (number * 2_654_435_761 % 2**32 >> 8) % 400  # of no team or region in particular
    loan: dict[str, str | None] = {
        "loan_id": f"L{number:07d}", "institution": "wuhan", "borrower_id": f"B{number // 2:07d}",
        "product": "car" if number % 3 else "consumer", "channel_code": f"C{number % 9}",
        "team": f"team{number % TEAMS}", "region": f"R{number % 8}", "owner": "T1",
    }  # fmt: skip
    measure = {
        "oldest_due_date": (BUSINESS_DATE - timedelta(days=days)).isoformat(),
        "bucket": next(name for low, name in reversed(_BUCKETS) if days >= low),
        "overdue_principal_fen": 100_000 + number * 7_919 % 9_000_000, "overdue_interest_fen": 2_000 + number % 9_000,
        "overdue_penalty_fen": 500, "outstanding_principal_fen": 1_000_000 + number * 7_919 % 20_000_000,
        "risk_class": None, "npl_since": None,
    }  # fmt: skip
    return OpenCase(actor=system("feed"), ground="arrears", loan=loan, measure=measure)


@contextmanager
def server_of(kind: str) -> Iterator[Server | None]:
    """A durable PostgreSQL 17 with nothing on it; none for SQLite."""
    if kind == SQLITE:
        yield None
        return
    with postgres_server("17", durable=True) as server:
        yield server


_numbers = count(1)


@contextmanager
def place_on(server: Server | None, *, furnished: bool = True, daytime: bool = False) -> Iterator[Place]:
    """A fresh, migrated database, on the server or in a file, gone afterwards; with staff if it is `furnished`.

    `daytime`: it is about noon for the branch, whatever the hour: nobody would be let call at night.
    """
    folder, name = Path(tempfile.mkdtemp(prefix="casework-bench-")), f"bench_{next(_numbers)}"
    if server is None:
        url = owner_url = f"sqlite:///{folder / 'casework.db'}"
    else:
        server.create_database(name)
        url, owner_url = server.url(name, APP), server.url(name, OWNER)
    # Its own copy: the service would not start on charts that were edited while the database was filled.
    charts = shutil.copytree(Settings.from_environment({}).statecharts, folder / "statecharts")
    if daytime:
        _at_noon(charts)
    settings = Settings(
        database_url=url, database_owner_url=owner_url, keys_dir=folder / "keys", loans_dir=folder / "loans",
        statecharts=charts,
    )  # fmt: skip
    try:
        upgrade(settings, system("cli"))
        place = Place(POSTGRESQL if server else SQLITE, settings, folder, server, start(settings))
        if furnished:
            _furnish(place)
        try:
            yield place
        finally:
            place.started.engine.dispose()
        if server is not None:
            server.drop_database(name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _at_noon(charts: Path) -> None:
    west = now().hour - 12  # POSIX zones count the hours west of Greenwich
    zone = f"Etc/GMT{west:+d}" if west else "UTC"
    for policy in (charts / "policy").glob("*.toml"):
        policy.write_text(policy.read_text().replace('"Asia/Shanghai"', f'"{zone}"', 1))


def _furnish(place: Place) -> None:
    branch, actor = place.started.branch, system("cli")
    with writing(place.started.engine) as conn:
        dated(conn, branch, BUSINESS_DATE)
        joining, trail = branch.trail(_LONG_AGO), branch.trail(now())
        permissions = branch.rulebook.permissions
        for number, post in STAFF.items():
            register.add(conn, joining, actor, permissions, staff_no=number, name=f"员工{number}", posts=post.split())
        joining.write(conn)
        for number in STAFF:
            place.tokens[number] = tokens.issue(conn, trail, actor, staff_no=number)
        trail.write(conn)


@dataclass(frozen=True)
class Api:
    """A running API: its port and its first process."""

    port: int
    process_id: int


@contextmanager
def api(place: Place, *, workers: int = 1) -> Iterator[Api]:
    """`casework serve` on the place's database: metrics on, JSON logs into a file."""
    port, environment = _free_port(), place.environment()
    log_path = place.folder / f"api-{workers}.log"
    command = [str(Path(sys.executable).with_name("casework")), "serve", "--port", str(port), "--workers", str(workers)]
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, cwd=place.folder,
            preexec_fn=_die_with_parent,  # no thread has been started yet
        )  # fmt: skip
        try:
            _wait_until_live(process, port, log_path)
            yield Api(port, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _wait_until_live(process: "subprocess.Popen[bytes]", port: int, log_path: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
                connection.request("GET", "/health/live")
                live = connection.getresponse().status == 200
        except OSError:
            live = False
        if live:
            time.sleep(0.5)  # the other workers too
            return
        time.sleep(0.1)
    raise RuntimeError(f"the API did not start: {log_path.read_text()[-2_000:]}")
