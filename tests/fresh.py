"""Empty branches as many as a test asks for, each in a database of its own: for generated examples."""

import itertools
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from casework.operation.startup import Started, start
from casework.settings import Settings
from tests.conftest import Database, Published
from tests.postgres_server import APP, OWNER

_numbers = itertools.count(1)


@dataclass
class Fresh:
    """Makes empty branches of the same kind of database as `database`, with the keys of `settings`; `close` ends them.

    `settings` are of a published branch (`rulebook_published`).
    """

    database: Database
    settings: Settings
    published: Published
    folder: Path
    opened: list[tuple[str, Started]] = field(default_factory=list)

    def __call__(self) -> Started:
        """An empty branch, its rulebook published; the one before is closed."""
        self.close()
        own = f"fresh_{next(_numbers)}"
        server = self.database.server
        if server is None:
            path = self.folder / f"{own}.db"
            shutil.copyfile(self.published.source, path)
            settings = replace(self.settings, database_url=f"sqlite:///{path}", database_owner_url=None)
        else:
            server.create_database(own, template=self.published.source)
            settings = replace(
                self.settings, database_url=server.url(own, APP), database_owner_url=server.url(own, OWNER)
            )
        started = start(settings)
        self.opened.append((own, started))
        return started

    def close(self) -> None:
        """Close and drop what was made."""
        while self.opened:
            own, started = self.opened.pop()
            started.engine.dispose()
            if self.database.server is not None:
                self.database.server.drop_database(own)
