"""Databases for tests: SQLite and a real PostgreSQL, fresh and migrated for every test that asks.

`database_url` (with `settings`, `engine`) runs a test once per database: SQLite, PostgreSQL 17 from a wheel, and the
minimum version 15 for tests marked `every_postgres` (in `make check-long` for all), where the machine has it (else
they show the skip); `only("sqlite")` or `only("postgresql")` where the other has no such thing. On PostgreSQL the app
role is used; `owner_url` is its owner's.
"""

import gc
import itertools
import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx
import hypothesis
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy.engine import Engine

import casework.evidence.rest_of_log  # noqa: F401 - every table is known from the first test on that compares them all
from casework.address import parse_url
from casework.operation.startup import Started, start, upgrade
from casework.people.identity import passwords
from casework.people.staff.actor import system
from casework.settings import Settings, default_loans_dir, ensure_keys, shipped
from casework.storage import migrate
from casework.storage.database import open_engine
from tests import postgres_server
from tests.copies import Copies
from tests.postgres_server import APP, OWNER, Server

T = TypeVar("T")
DATABASES = ("sqlite", "pg17")
MINIMUM = "pg15"


_state = tempfile.TemporaryDirectory(prefix="casework-state-")
LONGER = 20 if os.environ.get("CASEWORK_LONG") else 1
"""By how much a property with examples of its own number searches longer in `make check-long`."""

_LONGEST = (
    "tests/test_documents.py",
    "tests/net/test_approved.py",
    "tests/test_benchmarks.py",
    "tests/console/test_walk.py",
    "tests/console/test_browser.py",
    "tests/console/test_downloads.py",
    "tests/console/test_chart_moves_in_browser.py",
    "tests/console/test_debtor_in_browser.py",
    "tests/console/test_uploads_in_browser.py",
    "tests/console/test_visits_in_browser.py",
    "tests/api/test_crowded.py",
    "tests/api/test_failover.py",
    "tests/api/test_generated_requests.py",
    "tests/api/test_server.py",
    "tests/demo/test_day.py",
    "tests/demo/test_story.py",
    "tests/handover/test_killed.py",
    "tests/ledger/test_mini.py",
    "tests/deploy/test_wheel.py",
    "tests/deploy/test_prometheus.py",
)

hypothesis.settings.register_profile("quick", max_examples=30, deadline=None, derandomize=True)
hypothesis.settings.register_profile("long", max_examples=1_000, deadline=None, print_blob=True)


def pytest_configure(config: pytest.Config) -> None:
    # Quick runs take the same examples every time, so that a red build is red for its change; the long one searches.
    hypothesis.settings.load_profile("long" if os.environ.get("CASEWORK_LONG") else "quick")
    # Who ends a run from outside has everything taken away too, as with Ctrl-C: a server's data lies in memory.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not hasattr(config, "workerinput"):  # the processes of xdist have theirs below its own
        _files_in_memory()
    # What has a place by default lies nowhere in anybody's home.
    os.environ["XDG_STATE_HOME"] = _state.name
    config.addinivalue_line("markers", "every_postgres: run on the minimum PostgreSQL version too")
    config.addinivalue_line("markers", "only(kind): what is tested exists on sqlite, or on postgresql, alone")

    httpx.Client.send = _send  # type: ignore[method-assign]  # every answer of the API is held against its description


_sent = httpx.Client.send


@wraps(_sent)
def _send(self: httpx.Client, request: httpx.Request, **how: Any) -> httpx.Response:
    from tests import declared  # noqa: PLC0415  # what asks nothing need not wait for the API to be imported

    answer = _sent(self, request, **how)
    declared.hold(answer)
    return answer


def _files_in_memory() -> None:
    """Tests' files, and so SQLite's, lie in memory where the machine has the room and lets programs be run there.

    On a disk every commit waits for it, and a copied database for every test makes gigabytes that it has to write.
    """
    if "PYTEST_DEBUG_TEMPROOT" in os.environ:
        return
    disk = Path(tempfile.gettempdir())
    root = postgres_server.in_memory(otherwise=disk)
    if root != disk:
        _in_memory.append(root)
        if not os.statvfs(root).f_flag & os.ST_NOEXEC:
            os.environ["PYTEST_DEBUG_TEMPROOT"] = str(root)


_in_memory: list[Path] = []


def pytest_sessionfinish(exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.TESTS_FAILED:
        _in_memory.clear()  # the files of what failed can be looked at until the next run


def pytest_unconfigure() -> None:
    _state.cleanup()
    for root in _in_memory:
        shutil.rmtree(root, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The longest begin first, so that no process is left alone with one of them at the end, nor do two of them make
    # what a file has in common.
    items.sort(key=lambda item: not item.nodeid.startswith(_LONGEST))


def pytest_collection_finish() -> None:
    # What was imported and collected stays to the end: the collector need not walk through all of it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames:
        everywhere = metafunc.definition.get_closest_marker("every_postgres")
        only = metafunc.definition.get_closest_marker("only")
        # The whole suite on the minimum version too takes a third more: in the long run, where the machine has it.
        # Without its binaries it is skipped visibly, but not once for every test.
        long_run = LONGER > 1 and postgres_server.binaries(MINIMUM.removeprefix("pg")) is not None
        names: tuple[str, ...] = (*DATABASES, MINIMUM) if everywhere or long_run else DATABASES
        if only is not None:
            names = tuple(name for name in names if (name == "sqlite") == (only.args[0] == "sqlite"))
        metafunc.parametrize("database", names, indirect=True)


@dataclass(frozen=True)
class Database:
    """One test's own database: `name` is sqlite, pg17 or pg15; both URLs are the same file on SQLite."""

    name: str
    url: str
    owner_url: str
    server: Server | None = None
    source: str = ""

    @property
    def is_sqlite(self) -> bool:
        """Whether it is the embedded one."""
        return self.name == "sqlite"

    @property
    def own(self) -> str:
        """The path of the file, or the name on the server."""
        return str(parse_url(self.url).database)

    def begin(self, source: str | None = None) -> None:
        """Make it: a copy of `source`, of what it has to begin with if none is named."""
        if self.server is None:
            shutil.copyfile(source or self.source, self.own)
        else:
            self.server.create_database(self.own, template=source or self.source)


@pytest.fixture(scope="session")
def postgres_servers() -> Iterator[Callable[[str], Server]]:
    """Starts a server of a version when it is first asked for; each xdist worker has its own (0.6 s)."""
    with ExitStack() as stack:
        running: dict[str, Server] = {}

        def server(version: str) -> Server:
            if version not in running:
                if postgres_server.binaries(version) is None:
                    pytest.skip(f"no PostgreSQL {version} on this machine")
                started = stack.enter_context(postgres_server.postgres_server(version))
                started.create_database("migrated")
                migrate.upgrade(
                    Settings(
                        database_url=started.url("migrated", APP),
                        database_owner_url=started.url("migrated", OWNER),
                    )
                )
                running[version] = started
            return running[version]

        yield server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQLite file that every test's own is copied from."""
    path = tmp_path_factory.mktemp("migrated") / "casework.db"
    migrate.upgrade(Settings(database_url=f"sqlite:///{path}"))
    return path


@dataclass(frozen=True)
class Published:
    """What tests' own databases are copied from: a file, or the name of a database; and the keys it is for."""

    source: str
    keys_dir: Path


@pytest.fixture(scope="session")
def published(
    tmp_path_factory: pytest.TempPathFactory, postgres_servers: Callable[[str], Server], migrated_sqlite: Path
) -> Callable[[str], Published]:
    """Makes the database of a kind after `casework db upgrade` when it is first asked for: rulebook published, keys."""
    made: dict[str, Published] = {}

    def of(name: str) -> Published:
        if name not in made:
            keys_dir = tmp_path_factory.mktemp("published") / "keys"
            if name == "sqlite":
                source = str(keys_dir.with_name("casework.db"))
                shutil.copyfile(migrated_sqlite, source)
                url = owner_url = f"sqlite:///{source}"
            else:
                server, source = postgres_servers(name.removeprefix("pg")), "published"
                server.create_database(source, template="migrated")
                url, owner_url = server.url(source, APP), server.url(source, OWNER)
            upgrade(
                Settings(
                    database_url=url,
                    database_owner_url=owner_url,
                    keys_dir=keys_dir,
                    statecharts=shipped("statecharts"),
                ),
                system("cli"),
            )
            if name == "sqlite":  # all of it in the one file that is copied
                with closing(sqlite3.connect(source)) as raw:
                    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            made[name] = Published(source, keys_dir)
        return made[name]

    return of


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> Argon2Hasher:
    """Argon2id with little memory: a log-in costs a tenth of a second on purpose, and many tests begin with some.

    That it does, and who has no password costs the same, is asked in `tests/identity/test_passwords.py`.
    """
    quick = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", quick)
    return quick


@pytest.fixture
def rulebook_published() -> None:
    """Asked for by fixtures whose branch begins after `casework db upgrade`: `database` is copied with that done.

    The keys of `settings` are then those that it was done with.
    """


def _begins_published(request: pytest.FixtureRequest) -> bool:
    return "rulebook_published" in request.fixturenames


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all processes of a run share: for what is made once (`tests/once.py`)."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture
def database(
    request: pytest.FixtureRequest, published: Callable[[str], Published], tmp_path: Path,
    postgres_servers: Callable[[str], Server],
) -> Iterator[Database]:  # fmt: skip
    """A fresh, migrated database."""
    name: str = request.param
    source = published(name).source if _begins_published(request) else None
    if name == "sqlite":
        url = f"sqlite:///{tmp_path / 'casework.db'}"
        made = Database(name, url, url, None, source or str(request.getfixturevalue("migrated_sqlite")))
    else:
        server, own = postgres_servers(name.removeprefix("pg")), f"test_{next(_numbers)}"
        made = Database(name, server.url(own, APP), server.url(own, OWNER), server, source or "migrated")
    if "copies" not in request.fixturenames:  # those make it
        made.begin()
    yield made
    if made.server is not None:
        made.server.drop_database(made.own)


@pytest.fixture
def empty_database(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    database: Database,
    postgres_servers: Callable[[str], Server],
) -> Iterator[Database]:
    """A database nothing was ever migrated into (on SQLite: no file yet), of the same kind as `database`."""
    if database.server is None:
        url = f"sqlite:///{tmp_path / 'empty.db'}"
        yield Database(database.name, url, url)
        return
    own = f"empty_{next(_numbers)}"
    database.server.create_database(own)
    yield Database(database.name, database.server.url(own, APP), database.server.url(own, OWNER), database.server)
    database.server.drop_database(own)


@pytest.fixture
def database_url(database: Database) -> str:
    """The service's URL of the test's database (app role)."""
    return database.url


@pytest.fixture
def owner_url(database: Database) -> str:
    """The owner's URL of the test's database, for attacks and migrations."""
    return database.owner_url


@pytest.fixture
def settings(
    database: Database, request: pytest.FixtureRequest, published: Callable[[str], Published], tmp_path: Path
) -> Settings:
    """Settings naming the test's database, with keys of its own or those it was published with."""
    keys_dir = tmp_path / "keys"
    if _begins_published(request):
        shutil.copytree(published(database.name).keys_dir, keys_dir)
    else:
        ensure_keys(keys_dir)
    return Settings(database_url=database.url, database_owner_url=database.owner_url, keys_dir=keys_dir,
                    loans_dir=default_loans_dir(database.url, os.environ),
                    statecharts=Settings.from_environment({}).statecharts)  # fmt: skip


@pytest.fixture(scope="session")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """What files of tests begin with, made once and copied."""
    return Copies(tmp_path_factory.mktemp("copies"))


class StartedAfter(Protocol):
    """Starts the test's branch as a function leaves it, and gives what the function told."""

    def __call__(self, furnish: Callable[[Started], T], named: object = None) -> tuple[Started, T]: ...


@pytest.fixture
def started_after(
    settings: Settings, rulebook_published: None, database: Database, copies: Copies
) -> Iterator[StartedAfter]:
    """The function is called once in each process (under a name, or its own): the others have a copy of that branch."""
    with ExitStack() as opened:

        def after(furnish: Callable[[Started], T], named: object = None) -> tuple[Started, T]:
            def furnished() -> T:
                first = start(settings)
                try:
                    return furnish(first)
                finally:
                    first.engine.dispose()

            told = copies(named or furnish, furnished, database, settings)
            started = start(settings, check=False)  # the copy of one that was ready
            opened.callback(started.engine.dispose)
            return started, told

        yield after


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An open engine on the test's database."""
    opened = open_engine(database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def owner_engine(owner_url: str) -> Iterator[Engine]:
    """An open engine with the owner's rights."""
    opened = open_engine(owner_url)
    yield opened
    opened.dispose()
