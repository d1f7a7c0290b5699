"""What tests of a file begin with is made once in each process, by the first that asks; the others have copies."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar

from casework.settings import Settings
from tests.postgres_server import Server

T = TypeVar("T")
_numbers = count(1)


class Place(Protocol):
    """A test's database: `own` is the path of a file, or the name of a database of the server."""

    @property
    def name(self) -> str: ...
    @property
    def own(self) -> str: ...
    @property
    def server(self) -> Server | None: ...
    def begin(self, source: str | None = None) -> None: ...


@dataclass(frozen=True)
class _Kept:
    """A branch as it was left: a file or the name of a database, and the folders that belong to it."""

    database: str
    folders: Path
    told: Any


class Copies:
    """The branches that were made so far in this process, kept below `place`."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._kept: dict[tuple[object, str], _Kept] = {}

    def __call__(self, named: object, furnish: Callable[[], T], database: Place, settings: Settings) -> T:
        """What `furnish` told when it was first called under this name; the branch is then as it left it.

        The database is made here: a test that has `copies` has none before. When `furnish` returns, nobody may be
        connected; what it tells is everybody's.
        """
        kept = self._kept.get((named, database.name))
        if kept is not None:
            _bring(kept, database, settings)
            told: T = kept.told
            return told
        database.begin()
        told = furnish()
        self._kept[named, database.name] = self._keep(database, settings, told)
        return told

    def _keep(self, database: Place, settings: Settings, told: object) -> _Kept:
        folders = self._place / str(next(_numbers))
        folders.mkdir()
        for name, folder in _folders(settings):
            if folder.exists():
                shutil.copytree(folder, folders / name)
        if database.server is None:
            source = str(folders / "casework.db")
            with closing(sqlite3.connect(database.own)) as raw:  # all of it in the one file that is copied
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copyfile(database.own, source)
        else:
            source = f"kept_{folders.name}"
            database.server.create_database(source, template=database.own)
        return _Kept(source, folders, told)


def _bring(kept: _Kept, database: Place, settings: Settings) -> None:
    for name, folder in _folders(settings):
        shutil.rmtree(folder, ignore_errors=True)
        if (kept.folders / name).exists():
            shutil.copytree(kept.folders / name, folder)
    database.begin(kept.database)


def _folders(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Keys with what the signer remembers, the loans of past days, and files: the folders of a branch."""
    yield "keys", settings.keys_dir
    yield "loans", settings.loans_dir
    yield "files", settings.loans_dir.with_suffix(".files")
