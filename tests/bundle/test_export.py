"""Bundles written from a database: whole, a period, what a held checkpoint needs; and verified deeply."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from casework.cli import main
from casework.errors import CallerError
from casework.evidence.bundle.deep import replay
from casework.evidence.bundle.export import (
    Period,
    export_case,
    export_log,
    fresh_folder,
)
from casework.evidence.bundle.trust import KeysHeld
from casework.evidence.bundle.verify import verify_bundle
from casework.evidence.dossier.heads import state_heads
from casework.evidence.dossier.make import make_dossier
from casework.log.check.findings import EXIT_CODES, Report
from casework.log.format import checkpoint
from casework.log.format.note import LogKey, parse
from casework.log.proving import published_note
from casework.log.tables import checkpoints, entries
from casework.log.write import signer, witnesses
from casework.log.write.cosignatures import take_in
from casework.log.write.seal import Sealer
from casework.log.write.trail import Draft
from casework.storage.database import reading, writing
from tests.bundle.forged import Case, codes, doubts
from tests.bundle.rewritten import bodies_of, rewrite
from tests.bundle.written import WITNESS
from tests.log.branch_log import WRITER
from tests.log.built_log import CASES, STREAMS, BuiltLog, built_log, clock
from tests.postgres_server import Server

HOUR = timedelta(hours=1)


@dataclass
class Sealed:
    """A branch's log of cases, requests and people, and two times 400 entries more, sealed an hour apart each."""

    built: BuiltLog
    sealed_at: datetime = field(default_factory=clock)

    @property
    def keys(self) -> list[LogKey]:
        """Those it ever signed with."""
        return signer.known_keys(self.built.settings.keys_dir)

    def write(self, count: int, at: datetime) -> None:
        """Entries of seven streams in one transaction."""
        with writing(self.built.engine) as conn:
            trail = self.built.branch.trail(at)
            for number in range(count):
                trail.append(conn, f"test:{number % 7}", Draft("test.done", WRITER, {"number": number}))
            trail.write(conn)

    def seal(self, at: datetime) -> None:
        """One round."""
        branch = self.built.branch
        sealer = Sealer(self.built.engine, branch.mac_key, branch.vault, self.built.settings.keys_dir, clock=lambda: at)
        done, self.sealed_at = sealer.round(), at
        assert (done.left, done.refused) == ([], None)

    def checkpoints(self) -> list[bytes]:
        """As they were published."""
        with reading(self.built.engine) as conn:
            return list(map(bytes, conn.execute(sa.select(checkpoints.c.note).order_by(checkpoints.c.size)).scalars()))


@pytest.fixture(scope="module", params=["sqlite", "pg17"])
def log(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path,
    postgres_servers: Callable[[str], Server],
) -> Iterator[Sealed]:  # fmt: skip
    """One per database for the whole file: bundles are written from it, and it goes on."""
    with built_log(request.param, tmp_path_factory.mktemp("export"), migrated_sqlite, postgres_servers) as built:
        sealed = Sealed(built)
        sealed.seal(clock())
        assert state_heads(built.engine, built.branch, daily=False) is not None
        for hours in (1, 2):
            sealed.write(400, clock() + hours * HOUR)
            sealed.seal(clock() + hours * HOUR)
        yield sealed


def exported(log: Sealed, folder: Path, **options: Any) -> Path:
    """The log as a bundle."""
    with fresh_folder(folder) as place, reading(log.built.engine, snapshot=True) as conn:
        export_log(conn, place, log.keys, made_at=clock(), **options)
    return folder


def test_the_whole_log_is_exported_as_it_was_sealed(log: Sealed, tmp_path: Path) -> None:
    """What is written afterwards, and not signed yet, is not in it."""
    folder = exported(log, tmp_path / "whole")
    size = checkpoint.parse(parse(log.checkpoints()[-1]).text).size
    log.write(1, clock() + 3 * HOUR)
    report = verify_bundle(exported(log, tmp_path / "again"), KeysHeld(keys=log.keys))
    assert (report.verdict, report.entries, report.checkpoints) == ("sound", size, 3)
    assert (tmp_path / "again/checkpoint").read_bytes() == (folder / "checkpoint").read_bytes()
    with reading(log.built.engine) as conn:
        stored = [bytes(body) for body in conn.execute(sa.select(entries.c.body)).scalars()]
    written = bodies_of(folder)
    assert len(written) == size == len(stored) - 1
    assert set(written) < set(stored)


def test_a_period_holds_its_entries_shows_the_tree_and_says_what_it_leaves_out(log: Sealed, tmp_path: Path) -> None:
    """The entries of one hour, widened to tiles of 256."""
    period = Period(clock() + HOUR, clock() + 2 * HOUR)
    folder = exported(log, tmp_path / "period", period=period)
    report = verify_bundle(folder, KeysHeld())
    assert report.scope is not None
    begin, end, size = (report.scope[name] for name in ("begin", "end", "size"))
    assert (report.verdict, report.entries, report.scope["kind"]) == ("sound", end - begin, "period")
    assert (begin, end, end < size) == (256, 768, True)
    assert report.streams_continued > 0
    assert not (folder / "tile/entries/000").exists()
    deep = verify_bundle(folder, KeysHeld(), deep=replay)
    assert deep.verdict == "sound"
    Case(folder, []).edit("tile/entries/002", lambda data: data[2 + int.from_bytes(data[:2], "big") :])
    assert codes(verify_bundle(folder, KeysHeld())) >= {"bundle_malformed"}


def test_a_period_without_entries_is_refused_and_leaves_no_folder(log: Sealed, tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="nothing that is sealed was recorded then"):
        exported(log, tmp_path / "never", period=Period(clock() + timedelta(days=900), None))
    assert list(tmp_path.glob("*never*")) == []


def test_a_period_shows_a_held_checkpoint_only_where_it_was_asked_to(log: Sealed, tmp_path: Path) -> None:
    kept = parse(log.checkpoints()[0])
    period = Period(clock() + 2 * HOUR, clock() + 3 * HOUR)
    bare = verify_bundle(exported(log, tmp_path / "bare", period=period), KeysHeld(trusted=kept))
    assert (bare.verdict, doubts(bare)) == ("cannot_tell", {"point_not_shown"})
    held = checkpoint.parse(kept.text)
    shown = verify_bundle(exported(log, tmp_path / "shown", period=period, held=held), KeysHeld(trusted=kept))
    assert (shown.verdict, shown.trust) == ("sound", "trusted_checkpoint")


def test_a_folder_with_something_in_it_is_left_alone(log: Sealed, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(CallerError, match="not empty"):
        exported(log, tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"


# --- deep


@pytest.fixture
def bundle(log: Sealed, tmp_path: Path) -> Path:
    """Its bundle."""
    return exported(log, tmp_path / "bundle")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_deep_verification_replays_what_live_verification_replays(log: Sealed, bundle: Path, jobs: int) -> None:
    deep = verify_bundle(bundle, KeysHeld(), deep=replay, jobs=jobs)
    assert (deep.verdict, deep.cases, deep.cases_not_replayed, deep.streams) == ("sound", CASES, 0, STREAMS + 8)
    with log.built.engine.connect() as conn:
        live = log.built.verify(conn)
    for name in ("replayed_steps", "replayed_refusals", "replayed_facts", "people", "texts"):
        assert getattr(deep, name) == getattr(live, name) > 0, name


def forged(bundle: Path, last: str, **fields: object) -> None:
    """The last entry of an event says something else, and everything is made to fit: the operator's own hand."""
    rewrite(bundle, last, lambda entry: msgspec.structs.replace(entry, **fields))


@pytest.mark.parametrize(
    ("event", "fields", "code"),
    [
        ("case.step.reached", {"to": "litigation"}, "step_elsewhere"),
        ("case.step.arrears_cleared", {"from_": "home_visit"}, "state_differs"),
        ("case.step.start_visit", {"chart": f"overdue_loan@9#{'0' * 64}"}, "text_missing"),
        ("log.heads", {"data": {"day": "2026-01-11", "size": 300, "cases": 49, "root": "0" * 64}}, "case_heads_differ"),
        ("request.step.approve", {"event": "request.step.review"}, "four_eyes_missing"),
    ],
)
def test_what_the_rules_did_not_allow_is_found_under_a_real_signature(
    bundle: Path, event: str, fields: dict[str, object], code: str
) -> None:
    forged(bundle, event, **fields)
    report = verify_bundle(bundle, KeysHeld(), deep=replay)
    assert verify_bundle(bundle, KeysHeld()).verdict == "sound"
    assert code in codes(report) | doubts(report)
    assert report.verdict != "sound"


def test_a_case_as_a_bundle_proves_its_entries_and_holds_no_others(log: Sealed, tmp_path: Path) -> None:
    with fresh_folder(tmp_path / "case") as place, reading(log.built.engine, snapshot=True) as conn:
        made = make_dossier(conn, log.built.branch, 3, log.keys)
        export_case(place, 3, made.data, published_note(conn), log.keys, made_at=clock())
    report = verify_bundle(tmp_path / "case", KeysHeld(keys=log.keys))
    assert (report.verdict, report.entries) == ("sound", len(made.shown.complete))
    assert sorted(path.name for path in (tmp_path / "case").iterdir()) == [
        "MANIFEST.json", "checkpoint", "dossier.json", "log-keys"
    ]  # fmt: skip
    Case(tmp_path / "case", []).edit("dossier.json", lambda data: data.replace(b"case.step", b"case.stop", 1))
    assert verify_bundle(tmp_path / "case", KeysHeld(keys=log.keys)).verdict == "tampered"


def test_a_published_text_that_was_changed_is_found(bundle: Path) -> None:
    name = max((bundle / "texts").iterdir(), key=lambda path: path.stat().st_size).name
    Case(bundle, []).edit(f"texts/{name}", lambda data: data.replace(b"phone", b"fax", 1))
    assert "text_changed" in codes(verify_bundle(bundle, KeysHeld(), deep=replay))


# --- at the shell


def test_an_auditor_exports_and_another_machine_verifies(
    log: Sealed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second process has neither settings nor keys nor a database."""
    monkeypatch.setenv("CASEWORK_DATABASE_URL", log.built.settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(log.built.settings.keys_dir))
    run = CliRunner().invoke(main, ["audit", "export", str(tmp_path / "out")], catch_exceptions=False)
    assert run.exit_code == 0, run.output
    key = log.keys[0].text
    command = [str(Path(sys.executable).with_name("casework")), "audit", "verify", str(tmp_path / "out"), "--key", key]
    elsewhere = {name: value for name, value in os.environ.items() if not name.startswith("CASEWORK_")}
    done = subprocess.run([*command, "--deep", "--json"], env=elsewhere, capture_output=True, cwd=tmp_path, check=False)
    told = json.loads(done.stdout)
    assert (done.returncode, told["verdict"], told["checked"]["entries"]) == (0, "sound", told["scope"]["size"])
    with reading(log.built.engine) as conn:
        last = conn.execute(sa.select(entries.c.event).where(entries.c.stream == "exports:system")).scalars().all()
    assert last == ["log.exported"]
    Case(tmp_path / "out", []).edit("tile/entries/000", lambda data: data.replace(b"case:", b"cash:", 1))
    assert subprocess.run(command, env=elsewhere, capture_output=True, check=False).returncode == 1
    assert (
        subprocess.run([*command[:3], str(tmp_path)], env=elsewhere, capture_output=True, check=False).returncode == 2
    )


def test_a_case_goes_on_from_what_a_witness_signed_and_its_entries_have_its_times(
    log: Sealed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its dossier is under the newest checkpoint, which a witness has seldom signed yet."""
    settings = log.built.settings
    monkeypatch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))

    def verified(name: str, *words: str) -> tuple[Report, int]:
        run = CliRunner().invoke(main, ["audit", "export", str(tmp_path / name), "--case", "3", *words])
        assert run.exit_code == 0, run.output
        held = KeysHeld(keys=log.keys, witnesses=[WITNESS.key])
        report = verify_bundle(tmp_path / name, held)
        return report, EXIT_CODES[report.verdict]

    assert "witness_not_seen" in doubts(verified("never")[0])
    witnesses.add(settings.keys_dir, WITNESS.key.text)
    try:
        signed = parse(log.checkpoints()[-1])
        at = int((log.sealed_at + timedelta(seconds=1)).timestamp())
        data = signed.signed_also(WITNESS.cosign(checkpoint.parse(signed.text), at)).encode()
        with writing(log.built.engine) as conn:
            take_in(conn, data, [WITNESS.key], log.sealed_at)
        for name in ("under", "behind"):
            report, code = verified(name)
            assert (code, report.trust, len(report.witnessed)) == (0, "witnessed", 1)
            log.write(1, log.sealed_at)
            log.seal(log.sealed_at)
        (tmp_path / "behind/checkpoints").exists() or pytest.fail("the cosigned one does not lie beside")
    finally:
        witnesses.remove(settings.keys_dir, WITNESS.name)
