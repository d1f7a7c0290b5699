"""One log per database, shared by the whole folder; what a test adds or attacks is rolled back."""

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
    """Fifty cases and their lives, all recorded in the same microsecond."""
    folder = tmp_path_factory.mktemp("past")
    with built_log(request.param, folder, migrated_sqlite, postgres_servers) as built:
        yield built
