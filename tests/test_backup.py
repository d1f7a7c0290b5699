"""Backup and restore on both databases: what comes back is what was there, and nothing damaged ever comes back."""

import hashlib
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from casework.cli import main
from casework.clock import now
from casework.errors import CallerError
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Note
from casework.log.tables import entries
from casework.operation.backup import (
    BackupManifest,
    backup,
    contents_of,
    mac_of,
    manifest_path,
)
from casework.operation.restore import restore
from casework.operation.startup import Started, start, upgrade
from casework.people.staff import register
from casework.people.staff.actor import system
from casework.settings import Settings, ensure_keys, load_keys
from casework.storage.append_only import missing_guards
from casework.storage.database import open_engine, reading, writing
from casework.work.cases.commands import OpenCase
from casework.work.cases.tables import cases
from tests.conftest import Database
from tests.fed import dated
from tests.feed.bank import DAY, Bank, loan
from tests.variables import variables_of

MEASURE = {
    "oldest_due_date": "2026-01-05", "bucket": "M1", "overdue_principal_fen": 1_000, "overdue_interest_fen": 20,
    "overdue_penalty_fen": 1, "outstanding_principal_fen": 500_000, "risk_class": None, "npl_since": None,
}  # fmt: skip


def opening(number: int) -> OpenCase:
    loan = {
        "loan_id": f"L{number}", "institution": "wuhan", "borrower_id": f"B{number}", "product": "consumer",
        "channel_code": None, "team": "T1", "region": "R1", "owner": "S1",
    }  # fmt: skip
    return OpenCase(actor=system("feed"), ground="arrears", loan=loan, measure=MEASURE)


@pytest.fixture
def tools(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_dump and pg_restore of the server's own version."""
    if database.server is not None:
        monkeypatch.setenv("PATH", str(database.server.bin_dir), prepend=":")


@pytest.fixture
def started(settings: Settings, tools: None) -> Iterator[Started]:
    """A branch with three cases, a note and a refusal."""
    upgrade(settings, system("cli"))
    branch = start(settings)
    with writing(branch.engine) as conn:
        trail = branch.branch.trail(now())
        permissions = branch.branch.rulebook.permissions
        register.add(conn, trail, system("cli"), permissions, staff_no="S1", name="王伟", posts=["business_rep"])
        trail.write(conn)
        dated(conn, branch.branch, date(2026, 1, 10))
        done = advance(conn, [opening(number) for number in range(3)], branch.branch)
        assert all(isinstance(outcome, Done) for outcome in done)
        ids = list(conn.execute(sa.select(cases.c.id).order_by(cases.c.id)).scalars())
        note = Note(actor=system("cli"), id=ids[0], text="客户来电")
        advance(conn, [note, Fire(actor=system("cli"), id=ids[1], event="mark_lost")], branch.branch)
    yield branch
    branch.engine.dispose()


@pytest.fixture
def target(settings: Settings, empty_database: Database) -> Settings:
    """Settings of an empty database with the keys of the first."""
    return replace(settings, database_url=empty_database.url, database_owner_url=empty_database.owner_url)


def is_empty(settings: Settings) -> bool:
    if settings.database_url.startswith("sqlite"):
        return not Path(settings.database_url.removeprefix("sqlite:///")).exists()
    engine = open_engine(str(settings.database_owner_url))
    with reading(engine) as conn:
        tables = sa.inspect(conn).get_table_names()
    engine.dispose()
    return not tables


def entries_of(started: Started) -> int:
    """How many entries the log holds: texts, a member of staff, a business date, openings, a note, a refusal."""
    with reading(started.engine) as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one())


@pytest.mark.every_postgres
def test_what_is_restored_is_what_was_backed_up(started: Started, target: Settings, tmp_path: Path) -> None:
    file = tmp_path / "day.backup"
    made = backup(started.settings, file)

    restored = restore(target, file)

    assert restored.report.verdict == "sound"
    assert restored.report.cases == 3
    with reading(started.engine, snapshot=True) as conn:
        before = conn.execute(sa.select(cases).order_by(cases.c.id)).all()
        assert contents_of(conn).entries == made.contents.entries + 1  # that it was backed up is an entry
    with reading((copied := open_engine(target.database_url, read_only=True)), snapshot=True) as conn:
        assert contents_of(conn) == made.contents
    copied.dispose()
    again = start(target)  # schema, keys, guards, rulebook
    with reading(again.engine) as conn:
        assert conn.execute(sa.select(cases).order_by(cases.c.id)).all() == before
        assert missing_guards(conn) == []
    with writing(again.engine) as conn:  # as the app role: it may go on where the other stopped
        outcomes = advance(conn, [opening(7)], again.branch)
    again.engine.dispose()
    assert isinstance(outcomes[0], Done)
    assert outcomes[0].id not in {row.id for row in before}


def test_a_backup_is_private_whole_and_without_the_keys(started: Started, tmp_path: Path) -> None:
    file = tmp_path / "day.backup"
    there = entries_of(started)
    made = backup(started.settings, file)

    keys = load_keys(started.settings.keys_dir)
    held = file.read_bytes() + manifest_path(file).read_bytes()
    for key in (keys.mac, keys.personal, keys.blind):
        assert key not in held
        assert key.hex().encode() not in held
    assert {stat.S_IMODE(path.stat().st_mode) for path in (file, manifest_path(file))} == {0o600}
    assert made.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert made.contents.entries == there > 0
    assert sorted(path.name for path in tmp_path.glob("*backup*")) == ["day.backup", "day.backup.manifest.json"]


def test_a_backup_never_overwrites(started: Started, tmp_path: Path) -> None:
    file = tmp_path / "day.backup"
    file.write_bytes(b"precious")
    with pytest.raises(CallerError) as caught:
        backup(started.settings, file)
    assert caught.value.code == "backup_exists"
    assert file.read_bytes() == b"precious"


def test_a_backup_that_cannot_be_written_leaves_nothing(started: Started, tmp_path: Path) -> None:
    with pytest.raises(CallerError) as caught:
        backup(started.settings, tmp_path / "nowhere" / "day.backup")
    assert caught.value.code == "backup_unwritable"
    assert not (tmp_path / "nowhere").exists()


def test_a_backup_is_one_moment_while_others_write(started: Started, target: Settings, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 100
        while not stop.is_set():
            with writing(started.engine) as conn:
                advance(conn, [opening(number)], started.branch)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = backup(started.settings, tmp_path / "busy.backup")
    finally:
        stop.set()
        writer.join()
    restored = restore(target, tmp_path / "busy.backup")
    assert restored.report.verdict == "sound"
    assert restored.report.entries == made.contents.entries


def _flip(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def _edit(file: Path, **changes: object) -> None:
    place = manifest_path(file)
    held = msgspec.json.decode(place.read_bytes())
    place.write_bytes(msgspec.json.encode(held | changes))


def _flip_and_hide(file: Path) -> None:
    _flip(file)
    _edit(file, sha256=hashlib.sha256(file.read_bytes()).hexdigest())


TWINS: dict[str, tuple[Callable[[Path], object], str]] = {
    "one byte flipped": (_flip, "backup_damaged"),
    "cut at the end": (_cut, "backup_damaged"),
    "emptied": (lambda file: file.write_bytes(b""), "backup_damaged"),
    "gone": (lambda file: file.unlink(), "backup_missing"),
    "flipped, and the manifest made to fit": (_flip_and_hide, "manifest_forged"),
    "manifest of another day": (lambda file: _edit(file, made_at="2020-01-01T00:00:00Z"), "manifest_forged"),
    "manifest without its code": (lambda file: _edit(file, mac=""), "manifest_forged"),
    "manifest of another format": (lambda file: _edit(file, format="casework/backup/v9"), "manifest_malformed"),
    "manifest not JSON": (lambda file: manifest_path(file).write_bytes(b"{"), "manifest_malformed"),
    "manifest with a key too many": (lambda file: _edit(file, extra=1), "manifest_malformed"),
    "manifest gone": (lambda file: manifest_path(file).unlink(), "manifest_missing"),
}


def test_every_damaged_backup_is_refused_and_leaves_the_database_empty(
    started: Started, target: Settings, tmp_path: Path
) -> None:
    good = tmp_path / "good" / "day.backup"
    good.parent.mkdir()
    backup(started.settings, good)
    refused = {}
    for number, (name, (mangle, _)) in enumerate(TWINS.items()):
        file = tmp_path / f"twin{number}" / "day.backup"
        shutil.copytree(good.parent, file.parent)
        mangle(file)
        with pytest.raises(CallerError) as caught:
            restore(target, file)
        refused[name] = caught.value.code
        assert is_empty(target), name
    assert refused == {name: code for name, (_, code) in TWINS.items()}
    assert restore(target, good).report.verdict == "sound"


def test_a_backup_with_other_keys_is_refused(started: Started, target: Settings, tmp_path: Path) -> None:
    file = tmp_path / "day.backup"
    backup(started.settings, file)
    ensure_keys(tmp_path / "other")
    with pytest.raises(CallerError) as caught:
        restore(replace(target, keys_dir=tmp_path / "other"), file)
    assert caught.value.code == "key_wrong"
    with pytest.raises(CallerError) as caught:
        restore(replace(target, keys_dir=tmp_path / "none"), file)
    assert caught.value.code == "key_missing"
    assert is_empty(target)


def test_a_backup_that_holds_less_than_its_manifest_says_is_told(
    started: Started, target: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "day.backup"
    made = backup(started.settings, file)
    made.contents.entries += 1
    made.mac = mac_of(load_keys(started.settings.keys_dir), made)  # by somebody who holds the key
    manifest_path(file).write_bytes(msgspec.json.encode(made))
    with pytest.raises(CallerError) as caught:
        restore(target, file)
    assert (caught.value.code, caught.value.facts) == ("contents_differ", {"differing": ["entries"]})


def test_a_log_tampered_with_before_the_backup_does_not_count_as_restored(
    started: Started, target: Settings, tmp_path: Path
) -> None:
    with writing(started.engine) as conn:
        conn.execute(cases.update().where(cases.c.loan_id == "L2").values(state="written_off"))
    file = tmp_path / "day.backup"
    backup(started.settings, file)
    with pytest.raises(CallerError) as caught:
        restore(target, file)
    assert (caught.value.code, caught.value.facts) == ("restored_unsound", {"findings": ["row_differs"]})
    if target.database_url.startswith("sqlite"):
        assert is_empty(target)


def test_a_database_without_its_guards_is_not_backed_up_as_if_sound(
    started: Started, owner_url: str, tmp_path: Path
) -> None:
    engine = open_engine(owner_url)
    with writing(engine) as conn:
        if engine.dialect.name == "sqlite":
            conn.exec_driver_sql("DROP TRIGGER entries_append_only_delete")
        else:
            conn.exec_driver_sql("DROP TRIGGER entries_append_only_change ON entries")
    engine.dispose()
    with pytest.raises(CallerError) as caught:
        backup(started.settings, tmp_path / "day.backup")
    assert caught.value.code == "guards_missing"
    assert list(tmp_path.glob("*.backup*")) == []


def test_nothing_is_restored_over_a_database_in_use(started: Started, tmp_path: Path) -> None:
    file = tmp_path / "day.backup"
    backup(started.settings, file)
    with pytest.raises(CallerError) as caught:
        restore(started.settings, file)
    assert caught.value.code == "database_not_empty"
    with reading(started.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(cases)).scalar_one() == 3


@pytest.mark.only("sqlite")
def test_replacing_moves_the_old_database_away_whole(started: Started, tmp_path: Path) -> None:
    file = tmp_path / "day.backup"
    backup(started.settings, file)
    with writing(started.engine) as conn:
        advance(conn, [opening(50)], started.branch)
    started.engine.dispose()

    restored = restore(started.settings, file, replace_old=True)

    counts = []
    for url in (started.settings.database_url, f"sqlite:///{restored.moved_away}"):
        engine = open_engine(url)
        with reading(engine) as conn:
            counts.append(conn.execute(sa.select(sa.func.count()).select_from(cases)).scalar_one())
        engine.dispose()
    assert counts == [3, 4]


@pytest.mark.only("postgresql")
def test_without_the_tools_of_postgresql_it_says_what_is_missing(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CallerError) as caught:
        backup(started.settings, tmp_path / "day.backup")
    assert (caught.value.code, caught.value.facts) == ("pg_tool_missing", {"tool": "pg_dump"})
    assert list(tmp_path.glob("*backup*")) == []


@pytest.mark.only("postgresql")
def test_a_backup_of_one_kind_does_not_go_into_the_other(started: Started, tmp_path: Path) -> None:
    file = tmp_path / "day.backup"
    backup(started.settings, file)
    other = replace(started.settings, database_url=f"sqlite:///{tmp_path / 'other.db'}", database_owner_url=None)
    with pytest.raises(CallerError) as caught:
        restore(other, file)
    assert caught.value.code == "backup_of_other_kind"


def _environment(settings: Settings) -> dict[str, str]:
    return variables_of(settings) | {"CASEWORK_LOANS_DIR": str(settings.loans_dir)}


def test_the_shell_tells_status_backs_up_and_restores(started: Started, target: Settings, tmp_path: Path) -> None:
    shell, file = CliRunner(), str(tmp_path / "day.backup")

    status = shell.invoke(main, ["db", "status", "--json"], env=_environment(started.settings))
    assert status.exit_code == 0, status.output
    told = msgspec.json.decode(status.stdout)
    assert (told["ready"], told["entries"], told["cases"]) == (True, entries_of(started), 3)
    assert told["business_dates"] == {"wuhan": "2026-01-10"}

    made = shell.invoke(main, ["db", "backup", file], env=_environment(started.settings))
    assert made.exit_code == 0, made.output
    assert "NOT in the backup: the keys" in made.stdout

    restored = shell.invoke(main, ["db", "restore", file, "--json"], env=_environment(target))
    assert restored.exit_code == 0, restored.output
    answer = msgspec.json.decode(restored.stdout)
    assert answer["verified"]["verdict"] == "sound"
    assert msgspec.convert(answer["manifest"], BackupManifest).contents.cases == 3

    again = shell.invoke(main, ["db", "restore", file], env=_environment(target))
    assert again.exit_code == 1
    assert again.stderr.startswith("database_not_empty: ")


def test_upgrading_says_what_it_published_and_may_be_repeated(settings: Settings) -> None:
    shell = CliRunner()
    first = shell.invoke(main, ["db", "upgrade"], env=_environment(settings))
    assert first.exit_code == 0, first.output
    assert {"published chart overdue_loan@1", "published owners owners@1"} <= set(first.stdout.splitlines())
    second = shell.invoke(main, ["db", "upgrade", "--json"], env=_environment(settings))
    assert msgspec.json.decode(second.stdout)["published"] == []


def test_a_downgrade_wants_to_be_asked_for_twice(settings: Settings) -> None:
    shell = CliRunner()
    shell.invoke(main, ["db", "upgrade"], env=_environment(settings))
    assert shell.invoke(main, ["db", "downgrade", "base"], env=_environment(settings)).exit_code == 2
    wrong = shell.invoke(main, ["db", "downgrade", "9999", "--yes"], env=_environment(settings))
    assert (wrong.exit_code, wrong.stderr.split(":")[0]) == (1, "unknown_revision")
    assert shell.invoke(main, ["db", "downgrade", "base", "--yes"], env=_environment(settings)).exit_code == 0
    status = shell.invoke(main, ["db", "status", "--json"], env=_environment(settings))
    assert status.exit_code == 1
    assert msgspec.json.decode(status.stdout)["why_not"] == ["schema_not_current"]
    upwards = shell.invoke(main, ["db", "downgrade", "0001", "--yes"], env=_environment(settings))
    assert (upwards.exit_code, upwards.stderr.split(":")[0]) == (1, "unknown_revision")


# ── the loans of past days ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def fed(started: Started, tmp_path: Path) -> Bank:
    """A bank that has sent two days of loans."""
    bank = Bank(started, tmp_path / "feeds")
    for day in (DAY, DAY + timedelta(days=1)):
        bank.send(day, [], loans=[loan(1, outstanding_principal=f"{day.day}.00")])
    return bank


def kept_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.zip")}


def test_the_loans_of_past_days_go_with_a_backup_and_come_back_with_it(
    fed: Bank, target: Settings, tmp_path: Path
) -> None:
    file, elsewhere = tmp_path / "day.backup", replace(target, loans_dir=tmp_path / "elsewhere")
    made = backup(fed.started.settings, file)
    assert made.loans is not None
    assert (made.loans.file, made.loans.files, made.loans.lacking) == ("day.backup.loans.zip", 2, 0)
    assert stat.S_IMODE((tmp_path / made.loans.file).stat().st_mode) == 0o600

    restored = restore(elsewhere, file)

    assert (restored.report.verdict, restored.report.kept_files) == ("sound", 2)
    assert kept_below(elsewhere.loans_dir) == kept_below(fed.started.settings.loans_dir) != {}


def test_a_day_that_is_lost_is_told_by_backup_and_restore_and_holds_up_neither(
    fed: Bank, target: Settings, tmp_path: Path
) -> None:
    lost, changed = sorted(fed.started.settings.loans_dir.rglob("*.zip"))
    lost.unlink()
    changed.write_bytes(b"x")
    file, elsewhere = tmp_path / "day.backup", replace(target, loans_dir=tmp_path / "elsewhere")
    shell = CliRunner()
    said = shell.invoke(main, ["db", "backup", str(file)], env=_environment(fed.started.settings))
    assert (said.exit_code, "2 files that are missing or changed" in said.output) == (0, True)
    back = shell.invoke(main, ["db", "restore", str(file)], env=_environment(elsewhere))
    assert (back.exit_code, back.output.count("kept_loans_missing")) == (0, 2)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes() + b"\0")])
def test_a_backup_whose_loans_are_damaged_is_refused(
    fed: Bank, target: Settings, tmp_path: Path, damage: Callable[[Path], Any]
) -> None:
    file = tmp_path / "day.backup"
    backup(fed.started.settings, file)
    damage(tmp_path / "day.backup.loans.zip")
    with pytest.raises(CallerError) as caught:
        restore(target, file)
    assert caught.value.code in ("backup_missing", "backup_damaged")
    assert is_empty(target)
