"""The real application on each database: a client, members of staff with tokens, and cases to work on."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from api.app import Assembled, assemble, on_branch
from casework.clock import now
from casework.evidence.verifying import verify
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Outcome
from casework.operation.startup import Started, start, upgrade
from casework.people.staff import register, tokens
from casework.people.staff.actor import system
from casework.settings import Settings, default_loans_dir, load_keys, shipped
from casework.storage.database import reading, writing
from casework.work.cases.commands import Command, OpenCase
from tests.conftest import Database
from tests.fed import dated
from tests.postgres_server import APP, OWNER, Server

BUSINESS_DATE = date(2026, 1, 10)
LONG_AGO = datetime(2024, 1, 1, 1, tzinfo=UTC)
POSTS_OF_EVERYBODY = {
    "R1": ("business_rep",), "T1": ("phone_collector",), "P1": ("post_loan_officer",), "B1": ("basic_risk_manager",),
    "G1": ("agency_post",), "A1": ("asset_preservation",), "V1": ("approver",), "V2": ("approver",),
    "AUD1": ("auditor",), "ADM1": ("administrator",),
}  # fmt: skip


@dataclass(frozen=True)
class Running:
    """The application behind a client, and the branch behind the application."""

    client: TestClient[Litestar]
    started: Started
    tokens: dict[str, str]

    def as_(self, staff_no: str, **headers: str) -> dict[str, str]:
        """Headers of a member of staff."""
        return {"Authorization": f"Bearer {self.tokens[staff_no]}", **headers}

    def get(self, path: str, staff_no: str = "R1", **kwargs: Any) -> Any:
        """GET as somebody."""
        return self.client.get(path, headers=self.as_(staff_no, **kwargs.pop("headers", {})), **kwargs)

    def post(self, path: str, staff_no: str = "R1", **kwargs: Any) -> Any:
        """POST as somebody."""
        return self.client.post(path, headers=self.as_(staff_no, **kwargs.pop("headers", {})), **kwargs)

    def do(self, *commands: Command) -> list[Outcome]:
        """Through the door itself, committed."""
        with writing(self.started.engine) as conn:
            return advance(conn, commands, self.started.branch)

    def open(self, *loans: str, days_past_due: int = 5, **changes: Any) -> list[int]:
        """Cases opened by the feed; their ids."""
        return open_cases(self.started, *loans, days_past_due=days_past_due, **changes)


def open_cases(started: Started, *loans: str, days_past_due: int = 5, **changes: Any) -> list[int]:
    """The same of a branch without the API."""
    with writing(started.engine) as conn:
        commands = [opening(loan_id, days_past_due, **changes) for loan_id in loans]
        return [done.id for done in advance(conn, commands, started.branch) if isinstance(done, Done)]


def measure(days_past_due: int = 5, **changes: Any) -> dict[str, Any]:
    """Figures of a loan on the business date."""
    due = (BUSINESS_DATE - timedelta(days=days_past_due)).isoformat() if days_past_due else None
    return {"oldest_due_date": due, "bucket": "M1", "overdue_principal_fen": 100_000, "overdue_interest_fen": 2_000,
            "overdue_penalty_fen": 100, "outstanding_principal_fen": 5_000_000, "risk_class": None, "npl_since": None,
            **changes}  # fmt: skip


def opening(loan_id: str, days_past_due: int = 5, **changes: Any) -> OpenCase:
    """As the feed opens a case. `changes` go to the loan."""
    loan: dict[str, str | None] = {
        "loan_id": loan_id, "institution": "wuhan", "borrower_id": f"B-{loan_id}", "product": "consumer",
        "channel_code": None, "team": "T1", "region": "R1", "owner": "R1", **changes,
    }  # fmt: skip
    return OpenCase(actor=system("feed"), ground="arrears", loan=loan, measure=measure(days_past_due))


def people(started: Started) -> dict[str, str]:
    """Everybody of `POSTS_OF_EVERYBODY`, where the cases that `opening` opens belong, with a token each."""
    issued = {}
    with writing(started.engine) as conn:
        trail = started.branch.trail(now())
        joining = started.branch.trail(LONG_AGO)  # on every day of these tests they work here
        actor = system("cli")
        for staff_no, posts in POSTS_OF_EVERYBODY.items():
            register.add(
                conn,
                joining,
                actor,
                started.branch.rulebook.permissions,
                staff_no=staff_no,
                name=f"员工{staff_no}",
                posts=posts,
                team="T1",
                region="R1",
            )
        joining.write(conn)
        for staff_no in POSTS_OF_EVERYBODY:
            issued[staff_no] = tokens.issue(conn, trail, actor, staff_no=staff_no)
        trail.write(conn)
    return issued


def furnish(settings: Settings) -> tuple[Started, dict[str, str]]:
    """A branch with its rulebook published, an institution with a business date, and people with tokens."""
    upgrade(settings, system("cli"))
    started = start(settings)
    with writing(started.engine) as conn:
        dated(conn, started.branch, BUSINESS_DATE)
    return started, people(started)


@dataclass(frozen=True)
class Furnished:
    """A furnished database that every test's own is copied from: a file, or the name of a template."""

    source: str
    keys_dir: Path
    tokens: dict[str, str]
    told: Any = None


Begins = Callable[[Started], Any]
"""What the branch of a file's tests begins with: called once in each process, the others have copies of it."""


class Furnishes(Protocol):
    """The furnished database of a kind, or one that begins with more."""

    def __call__(self, name: str, begins: Begins | None = None) -> Furnished: ...


_numbers = itertools.count(1)
_made: dict[tuple[str, Begins | None], Furnished] = {}
"""By kind of database: folders beside this one borrow the fixture, and share what it made."""


@pytest.fixture(scope="session")
def furnished(
    tmp_path_factory: pytest.TempPathFactory, postgres_servers: Callable[[str], Server], migrated_sqlite: Path
) -> Furnishes:
    """Makes the furnished database of a kind, and what begins with more, when it is first asked for."""

    def settings_of(name: str, source: str, keys_dir: Path) -> Settings:
        if name == "sqlite":
            url = owner_url = f"sqlite:///{source}"
        else:
            server = postgres_servers(name.removeprefix("pg"))
            url, owner_url = server.url(source, APP), server.url(source, OWNER)
        return Settings(
            database_url=url, database_owner_url=owner_url, keys_dir=keys_dir, statecharts=shipped("statecharts"),
            loans_dir=default_loans_dir(url, os.environ),
        )  # fmt: skip

    def copied(name: str, own: str, of: str) -> str:
        if name == "sqlite":
            return str(shutil.copyfile(of, tmp_path_factory.mktemp(own) / "casework.db"))
        postgres_servers(name.removeprefix("pg")).create_database(own, template=of)
        return own

    def of(name: str, begins: Begins | None = None) -> Furnished:
        if (name, begins) in _made:
            return _made[name, begins]
        if begins is None:
            keys_dir = tmp_path_factory.mktemp("keys") / "keys"
            source = copied(name, "furnished", str(migrated_sqlite) if name == "sqlite" else "migrated")
            started, issued = furnish(settings_of(name, source, keys_dir))
            told = None
        else:
            first = of(name)
            keys_dir, issued = first.keys_dir, first.tokens
            source = copied(name, f"begun_{next(_numbers)}", first.source)
            started = start(settings_of(name, source, keys_dir), check=False)
            told = begins(started)
        with started.engine.connect() as conn:
            if name == "sqlite":
                conn.exec_driver_sql("COMMIT")
                conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        started.engine.dispose()
        return _made.setdefault((name, begins), Furnished(source, keys_dir, issued, told))

    return of


@pytest.fixture
def database(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_servers: Callable[[str], Server],
    furnished: Furnishes,
) -> Iterator[Database]:  # fmt: skip
    """A fresh, furnished database of the test's own."""
    name: str = request.param
    source = furnished(name, request.getfixturevalue("begins") if "begins" in request.fixturenames else None).source
    if name == "sqlite":
        path = tmp_path / "casework.db"
        shutil.copyfile(source, path)
        yield Database(name, f"sqlite:///{path}", f"sqlite:///{path}")
        return
    server = postgres_servers(name.removeprefix("pg"))
    own = f"api_{next(_numbers)}"
    server.create_database(own, template=source)
    yield Database(name, server.url(own, APP), server.url(own, OWNER), server)
    server.drop_database(own)


@pytest.fixture
def begun(begins: Begins, database: Database, furnished: Furnishes) -> Any:
    """What the file's `begins` told; the branch is as it left it."""
    return furnished(database.name, begins).told


@pytest.fixture
def settings(database: Database, furnished: Furnishes, tmp_path: Path) -> Settings:
    """Settings naming the test's database, with the keys it was written with; what the signer remembers is its own."""
    return Settings(
        database_url=database.url, database_owner_url=database.owner_url, statecharts=shipped("statecharts"),
        keys_dir=shutil.copytree(furnished(database.name).keys_dir, tmp_path / "keys"),
        loans_dir=default_loans_dir(database.url, os.environ),
    )  # fmt: skip


def findings(started: Started) -> list[Any]:
    """What verifying the whole log finds, or doubts."""
    keys = load_keys(started.settings.keys_dir)
    with reading(started.engine, snapshot=True) as conn:
        report = verify(conn, keys.mac, started.branch.vault)
    return [*report.findings, *report.doubts]


@pytest.fixture
def branch(database: Database, settings: Settings, furnished: Furnishes) -> Iterator[tuple[Started, dict[str, str]]]:
    """A furnished branch, without the API."""
    started = start(settings, check=False)  # the copy of one that was ready
    yield started, dict(furnished(database.name).tokens)  # its own: a test may hire more people
    started.engine.dispose()


@cache
def assembled_once(feed_upload_mib: int) -> Assembled:
    """The routes, which serve one branch after the other: making them takes most of a start."""
    return assemble(feed_upload_mib)


@pytest.fixture(scope="session")
def assembled() -> Assembled:
    """Those of a usual branch."""
    return assembled_once(Settings.from_environment({}).feed_upload_mib)


@pytest.fixture
def running(settings: Settings, branch: tuple[Started, dict[str, str]], assembled: Assembled) -> Iterator[Running]:
    """The application, started, on a furnished branch."""
    started, issued = branch
    with TestClient(on_branch(start(settings, check=False), assembled)) as client:  # as `branch`
        yield Running(client, started, issued)
