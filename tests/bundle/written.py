"""Bundles as the product writes them: a log in a database, a witness whose signatures it took in, an export."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from casework.evidence.bundle.export import export_log, fresh_folder
from casework.log.format import checkpoint, note
from casework.log.format.checkpoint import Cosigner
from casework.log.proving import published_note
from casework.log.write import signer, witnesses
from casework.log.write.cosignatures import take_in
from casework.storage.database import open_engine, reading, writing
from tests.log.branch_log import BranchLog
from tests.log.built_log import own_database

WITNESS = Cosigner("witness.example", bytes(range(2, 34)))


@contextmanager
def branch_log(folder: Path, migrated_sqlite: Path) -> Iterator[BranchLog]:
    """An empty log on SQLite, of which the branch knows a witness."""
    with own_database("sqlite", folder, migrated_sqlite, lambda _kind: None) as settings:  # type: ignore[arg-type,return-value]  # no server is asked for
        engine = open_engine(settings.database_url)
        log = BranchLog(settings, engine, engine)
        witnesses.add(log.folder, WITNESS.key.text)
        yield log
        engine.dispose()


def grow(log: BranchLog, to: int) -> None:
    """Entries of seven streams a second apart, sealed: a checkpoint of `to` leaves."""
    with writing(log.engine) as conn:
        begun = signer.read_memory(log.folder)
        for number in range(to - (begun.size if begun else 1)):
            trail = log.trail()
            log.add(conn, trail, f"test:{number % 7}", number)
            trail.write(conn)
    done = log.seal()
    assert done.checkpoint is not None
    assert done.checkpoint.size == to


def cosign(log: BranchLog, by: Cosigner = WITNESS, *, after_s: float = 1) -> None:
    """The newest checkpoint signed by a witness so long after now, and taken in by the branch."""
    with writing(log.engine) as conn:
        take_in(conn, cosigned(log, by, after_s=after_s), witnesses.known_witnesses(log.folder), log.clock())


def cosigned(log: BranchLog, by: Cosigner = WITNESS, *, after_s: float = 1) -> bytes:
    """The newest checkpoint as a witness signs it."""
    with reading(log.engine) as conn:
        read = note.parse(published_note(conn))
    at = int((log.at + timedelta(seconds=after_s)).timestamp())
    return read.signed_also(by.cosign(checkpoint.parse(read.text), at)).encode()


def exported(log: BranchLog, folder: Path, **options: Any) -> Path:
    """The log as a bundle, as `casework audit export` makes it."""
    known = witnesses.known_witnesses(log.folder)
    with fresh_folder(folder) as place, reading(log.engine, snapshot=True) as conn:
        keys = signer.known_keys(log.folder)
        export_log(conn, place, keys, made_at=log.at, witnesses=known, **options)
    return folder
