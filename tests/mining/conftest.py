"""One log of cases, requests and people per database, and files made of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.log.built_log import BuiltLog, built_log
from tests.postgres_server import Server


@pytest.fixture(scope="package", params=["sqlite", "pg17"])
def log(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    migrated_sqlite: Path,
    postgres_servers: Callable[[str], Server],
) -> Iterator[BuiltLog]:
    """Files made of it add entries to `exports:system`, and nothing else."""
    folder = tmp_path_factory.mktemp("mining")
    with built_log(request.param, folder, migrated_sqlite, postgres_servers) as built:
        yield built
