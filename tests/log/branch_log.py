"""A log of plain streams, without cases: writers that append through the trail, and the sealer beside them."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.evidence.verifying import verify
from casework.log.check.findings import Report
from casework.log.check.sealed import BroughtAlong
from casework.log.format.entry import SignedActor
from casework.log.tables import entries, leaves, unsealed
from casework.log.write import signer
from casework.log.write.grown import Log, present_log
from casework.log.write.seal import Round, Sealer
from casework.log.write.trail import Draft, Trail
from casework.personal import Vault
from casework.settings import Settings, load_keys
from casework.storage.database import open_engine, reading, writing
from tests.log.built_log import guards_down

ORIGIN = "log.example/branch"
WRITER = SignedActor("S1", "staff", "api")
START = datetime(2026, 1, 11, 1, 30, tzinfo=UTC)


@dataclass
class BranchLog:
    """The database of a branch that writes entries of streams `test:<n>`; `owner` may do anything to it."""

    settings: Settings
    engine: Engine
    owner: Engine
    at: datetime = START
    rest: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        signer.make_keys_once(self.folder, ORIGIN)
        keys = load_keys(self.folder)
        self.mac_key, self.vault = keys.mac, Vault(keys.personal, keys.blind)

    @property
    def folder(self) -> Path:
        """Where the keys lie."""
        return self.settings.keys_dir

    def clock(self) -> datetime:
        """A second later each time."""
        self.at += timedelta(seconds=1)
        return self.at

    def sealer(self, **options: Any) -> Sealer:
        """A sealer as another process has it: nothing in memory."""
        return Sealer(self.engine, self.mac_key, self.vault, self.folder, clock=self.clock, **options)

    def seal(self, **options: Any) -> Round:
        """One round of a fresh sealer."""
        return self.sealer(**options).round()

    def trail(self) -> Trail:
        """For one transaction."""
        return Trail(self.mac_key, self.vault, self.clock())

    def write(self, count: int, streams: int = 7, seed: int = 1) -> None:
        """`count` more entries in one transaction, of streams as they come."""
        chance = random.Random(seed)
        with writing(self.engine) as conn:
            trail = self.trail()
            for number in range(count):
                self.add(conn, trail, f"test:{chance.randrange(streams)}", number)
            trail.write(conn)

    def add(self, conn: Connection, trail: Trail, stream: str, number: int = 0) -> None:
        """One entry."""
        trail.append(conn, stream, Draft("test.done", WRITER, {"number": number}))

    def log(self) -> Log:
        """The present log."""
        with reading(self.engine) as conn:
            log = present_log(conn)
        assert log is not None
        return log

    def leaves(self) -> list[tuple[int, int]]:
        """Index and entry row of the leaves of the present log, in order."""
        with reading(self.engine) as conn:
            wanted = sa.select(leaves.c.leaf_index, leaves.c.entry).where(leaves.c.log == self.log().number)
            return [(row[0], row[1]) for row in conn.execute(wanted.order_by(leaves.c.leaf_index))]

    def rows(self) -> list[int]:
        """Every entry's row."""
        with reading(self.engine) as conn:
            return list(conn.execute(sa.select(entries.c.id).order_by(entries.c.id)).scalars())

    def queue(self) -> list[int]:
        """What waits."""
        with reading(self.engine) as conn:
            return list(conn.execute(sa.select(unsealed.c.entry).order_by(unsealed.c.entry)).scalars())

    def outside(self) -> BroughtAlong:
        """What the keys folder knows."""
        return BroughtAlong.of(self.folder)

    def verify(self, **kept: Any) -> Report:
        """The whole verification with what the keys folder knows."""
        known = replace(self.outside(), **kept)
        with reading(self.engine, snapshot=True) as conn:
            return verify(conn, self.mac_key, self.vault, outside=known)

    def attack(self, do: Callable[[Connection], Any]) -> None:
        """With the owner's rights, guards down meanwhile, committed."""
        with writing(self.owner) as conn, guards_down(conn):
            do(conn)

    def codes(self, **kept: Any) -> set[str]:
        """The findings of the verification."""
        return {finding.code for finding in self.verify(**kept).findings}


def another(log: BranchLog, url: str) -> BranchLog:
    """The same branch on another database (a restored copy), with the same keys folder."""
    engine = open_engine(url)
    return BranchLog(log.settings, engine, engine, at=log.at)
