"""A branch with fifty cases, sealed and their heads stated, on each database; attacks on it are rolled back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from casework.evidence.dossier.heads import state_heads
from casework.evidence.dossier.make import Made, make_dossier
from casework.evidence.verifying import verify
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Note
from casework.log.check.findings import Report
from casework.log.check.sealed import BroughtAlong
from casework.log.write import signer
from casework.log.write.seal import Sealer
from casework.storage.database import reading, writing
from tests.log.built_log import NOTE, PHONE, BuiltLog, built_log, clock, guards_down
from tests.postgres_server import Server

CASE = 2
"""Six calls, a refusal, a note; and another note after its head was stated."""


@dataclass
class Stated:
    """The branch."""

    log: BuiltLog
    at: datetime

    def clock(self) -> datetime:
        """A second later each time."""
        self.at += timedelta(seconds=1)
        return self.at

    def seal(self) -> None:
        """One round."""
        log = self.log
        folder = log.settings.keys_dir
        done = Sealer(log.engine, log.branch.mac_key, log.branch.vault, folder, clock=self.clock).round()
        assert (done.left, done.refused) == ([], None)

    def note(self, *cases: int) -> None:
        """One more entry of each."""
        with writing(self.log.engine) as conn:
            commands = [Note(actor=PHONE, id=case, text=NOTE) for case in cases]
            advance(conn, commands, self.log.branch, clock=self.clock)

    def state(self, *, daily: bool = False) -> Any:
        """A statement, committed."""
        return state_heads(self.log.engine, self.log.branch, daily=daily, clock=self.clock)

    def keys(self) -> list[Any]:
        """The log's verifier keys."""
        return signer.known_keys(self.log.settings.keys_dir)

    def made(self, conn: Connection, case: int = CASE, **options: Any) -> Made:
        """A dossier."""
        return make_dossier(conn, self.log.branch, case, self.keys(), clock=self.clock, **options)

    def after(self, attack: Callable[[Connection], Any], look: Callable[[Connection], Any]) -> Any:
        """What `look` gives after the owner did `attack`; all of it is rolled back."""
        with self.log.attacked() as conn:
            with guards_down(conn):
                attack(conn)
            return look(conn)

    def verify(self, conn: Connection) -> Report:
        """The live verification, with what the keys folder knows."""
        return verify(conn, self.log.branch.mac_key, self.log.branch.vault,
                      outside=BroughtAlong.of(self.log.settings.keys_dir))  # fmt: skip

    def codes(self, attack: Callable[[Connection], Any]) -> set[str]:
        """What it finds after an attack."""
        report: Report = self.after(attack, self.verify)
        return {one.code for one in report.findings}

    def reading(self) -> Any:
        """One snapshot."""
        return reading(self.log.engine, snapshot=True)


def furnish(log: BuiltLog) -> Stated:
    """Sealed, stated, one more entry of `CASE`, all under one checkpoint."""
    stated = Stated(log, clock())
    stated.seal()
    assert stated.state() is not None
    stated.note(CASE)
    stated.seal()
    return stated


@pytest.fixture(scope="module", params=["sqlite", "pg17"])
def stated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path,
    postgres_servers: Callable[[str], Server],
) -> Iterator[Stated]:  # fmt: skip
    """One branch per database for a whole file: what a test commits, it adds at the end."""
    folder = tmp_path_factory.mktemp("dossier")
    with built_log(request.param, folder, migrated_sqlite, postgres_servers) as log:
        yield furnish(log)
