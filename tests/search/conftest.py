"""A filled log of each database, shared by the tests of a module; and one of the test's own."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from casework.settings import Settings, default_loans_dir, ensure_keys, shipped
from casework.storage.database import open_engine
from tests.postgres_server import APP, OWNER, Server
from tests.search.world import World


@pytest.fixture
def world(settings: Settings, engine: Engine, owner_engine: Engine) -> World:
    """An empty log of the test's own."""
    return World(settings, engine, owner_engine)


@pytest.fixture(scope="module", params=["sqlite", "pg17"])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path,
    postgres_servers: Callable[[str], Server],
) -> Iterator[World]:  # fmt: skip
    """About 450 entries in several segments, none of them sealed; a test says how far the index has come."""
    folder = tmp_path_factory.mktemp("search")
    ensure_keys(folder / "keys")
    server = None if request.param == "sqlite" else postgres_servers("17")
    name = f"search_{folder.name}".replace("-", "_")
    if server is None:
        shutil.copyfile(migrated_sqlite, folder / "casework.db")
        url = owner = f"sqlite:///{folder / 'casework.db'}"
    else:
        server.create_database(name, template="migrated")
        url, owner = server.url(name, APP), server.url(name, OWNER)
    settings = Settings(
        database_url=url,
        database_owner_url=owner,
        keys_dir=folder / "keys",
        statecharts=shipped("statecharts"),
        loans_dir=default_loans_dir(url, os.environ),
    )
    engines = open_engine(url), open_engine(owner)
    world = World(settings, *engines)
    world.fill(450)
    yield world
    for engine in engines:
        engine.dispose()
    if server is not None:
        server.drop_database(name)
