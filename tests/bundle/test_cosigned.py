"""Cosignatures go with a bundle as the database has them, and a witness who is missing is never passed over."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.engine import Connection

from casework.cli import main
from casework.evidence.bundle import published
from casework.evidence.bundle.export import Period
from casework.evidence.bundle.trust import KeysHeld
from casework.evidence.bundle.verify import verify_bundle
from casework.log.check.findings import EXIT_CODES
from casework.log.format import note
from casework.log.format.checkpoint import Cosigner
from casework.log.tables import cosignatures
from casework.log.write import witnesses
from tests.bundle.forged import codes, doubts, note_of
from tests.bundle.written import WITNESS, branch_log, cosign, cosigned, exported, grow
from tests.log.branch_log import START, BranchLog

STRANGER = Cosigner("stranger.example", bytes(range(7, 39)))


@pytest.fixture
def log(tmp_path: Path, migrated_sqlite: Path) -> Iterator[BranchLog]:
    """Three checkpoints, the first two of them cosigned, an hour apart each."""
    with branch_log(tmp_path, migrated_sqlite) as built:
        for size in (100, 300, 700):
            grow(built, size)
            if size < 700:
                cosign(built)
            built.at += timedelta(hours=1)
        yield built


def names(folder: Path, path: str) -> list[str]:
    return [one.name for one in note.parse((folder / path).read_bytes()).signatures]


def test_a_bundle_carries_every_cosignature_that_the_database_has(log: BranchLog, tmp_path: Path) -> None:
    folder = exported(log, tmp_path / "bundle")
    assert [path.name for path in sorted((folder / "checkpoints").iterdir())] == ["100", "300"]
    assert [len(names(folder, path)) for path in ("checkpoints/100", "checkpoints/300", "checkpoint")] == [2, 2, 1]
    report = verify_bundle(folder, KeysHeld(witnesses=[WITNESS.key]))
    assert (report.verdict, report.trust, report.cosignatures) == ("sound", "witnessed", 2)
    assert [seen["size"] for seen in report.witnessed] == [100, 300]
    cosign(log)
    assert names(exported(log, tmp_path / "newer"), "checkpoint") == ["log.example/branch", WITNESS.name]


def test_a_witness_of_whom_a_bundle_holds_nothing_cannot_be_told(log: BranchLog, tmp_path: Path) -> None:
    folder = exported(log, tmp_path / "bundle")
    report = verify_bundle(folder, KeysHeld(witnesses=[WITNESS.key, STRANGER.key]))
    assert (EXIT_CODES[report.verdict], codes(report), doubts(report)) == (2, set(), {"witness_not_seen"})
    assert report.doubts[0].detail["witness"] == STRANGER.key.text
    for key, code in ((STRANGER.key.text, 2), (WITNESS.key.text, 0)):
        run = CliRunner().invoke(main, ["audit", "verify", str(folder), "--witness", key])
        assert run.exit_code == code, run.output
    held = KeysHeld(witnesses=[STRANGER.key], trusted=note_of(cosigned(log, STRANGER)))
    assert verify_bundle(folder, held).verdict == "sound"  # what the reader kept has it


def test_cosignatures_taken_out_of_a_bundle_leave_it_unsound(log: BranchLog, tmp_path: Path) -> None:
    folder = exported(log, tmp_path / "bundle")
    for path in ("checkpoints/100", "checkpoints/300"):
        read = note.parse((folder / path).read_bytes())
        (folder / path).write_bytes(read._replace(signatures=read.signatures[:1]).encode())
    report = verify_bundle(folder, KeysHeld(witnesses=[WITNESS.key]))
    assert (report.verdict, doubts(report)) == ("cannot_tell", {"file_changed", "witness_not_seen"})


def test_a_witness_that_the_branch_has_forgotten_is_carried_and_forged_rows_are_not(
    log: BranchLog, tmp_path: Path
) -> None:
    """Its reader may trust it still; what anybody wrote into the table is nobody's signature."""
    witnesses.remove(log.folder, WITNESS.name)

    def forge(conn: Connection) -> None:
        row = conn.execute(sa.select(cosignatures).order_by(cosignatures.c.size).limit(1)).one()._asdict()
        conn.execute(cosignatures.insert().values({**row, "size": 700}))  # right for another size
        conn.execute(cosignatures.insert().values({**row, "witness": "nobody", "line": b"nothing"}))
        conn.execute(cosignatures.insert().values({**row, "witness": STRANGER.key.text}))

    log.attack(forge)
    folder = exported(log, tmp_path / "bundle")
    assert [len(names(folder, path)) for path in ("checkpoints/100", "checkpoints/300", "checkpoint")] == [2, 2, 1]
    assert verify_bundle(folder, KeysHeld(witnesses=[WITNESS.key])).verdict == "sound"


def test_a_period_takes_the_cosigned_checkpoints_around_it(log: BranchLog, tmp_path: Path) -> None:
    """They bound its entries as they do in the whole log: one before, one behind."""
    grow(log, 1300)
    cosign(log)
    grow(log, 1400)
    log.at += timedelta(hours=1)
    whole = exported(log, tmp_path / "whole")
    assert verify_bundle(whole, KeysHeld(witnesses=[WITNESS.key])).verdict == "sound"
    period = Period(START + timedelta(hours=2), START + timedelta(hours=3))
    folder = exported(log, tmp_path / "period", period=period)
    report = verify_bundle(folder, KeysHeld(witnesses=[WITNESS.key]))
    assert report.scope is not None
    assert (report.verdict, report.scope["begin"], report.scope["end"]) == ("sound", 256, 768)
    assert [seen["size"] for seen in report.witnessed] == [100, 300, 1300]


def test_where_cosigned_checkpoints_are_too_many_the_last_of_each_stretch_is_taken(
    log: BranchLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in (701, 702, 703):
        grow(log, size)
        cosign(log)
    grow(log, 704)
    everything = exported(log, tmp_path / "all")
    assert {path.name for path in (everything / "checkpoints").iterdir()} == {"100", "300", "700", "701", "702", "703"}
    monkeypatch.setattr(published, "MOST", 4)
    some = exported(log, tmp_path / "some")
    assert {path.name for path in (some / "checkpoints").iterdir()} == {"100", "300", "700", "703"}
    assert verify_bundle(some, KeysHeld(witnesses=[WITNESS.key])).verdict == "sound"
