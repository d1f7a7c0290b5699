"""A database that is in use gets no new keys: what is missing is named, and nothing is changed."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from litestar.testing import TestClient

from api.app import create_app
from casework.cli import main
from casework.errors import CallerError
from casework.log.tables import entries
from casework.log.tables import keys as key_rows
from casework.operation.sealing import sealer_of
from casework.operation.startup import start, upgrade
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage import migrate, schema
from casework.storage.database import open_engine, reading, writing
from tests.api.conftest import assembled_once
from tests.variables import variables_of

THREE = ("mac", "personal", "blind")
OF_LOG = ("signing", "log-keys", "last-signed", "receipts", "receipt-keys")


@pytest.fixture
def used(settings: Settings) -> Settings:
    """A branch that has sealed and signed."""
    upgrade(settings, system("cli"))
    started = start(settings)
    assert sealer_of(started).round().checkpoint is not None
    started.engine.dispose()
    return settings


def run(settings: Settings, *words: str) -> Result:
    return CliRunner().invoke(main, words, env=variables_of(settings))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def content(settings: Settings) -> tuple[list[object], int]:
    engine = open_engine(settings.database_url, read_only=True)
    with reading(engine) as conn:
        rows: list[object] = list(conn.execute(sa.select(key_rows).order_by(key_rows.c.purpose)))
        number = conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one()
    engine.dispose()
    return rows, number


LACKING = {
    "the folder is lost": (*THREE, *OF_LOG),
    "a second host with the three alone": OF_LOG,
    "a second host with what signs alone": THREE,
    "one of the three is lost": ("personal",),
    "the first two of the three": ("mac", "personal"),
    "what signs is lost, its memory is not": ("signing", "log-keys"),
}
STARTING = (
    ("case", "list"), ("sweep",), ("morning",), ("serve", "--port", "0"), ("keys", "rotate"), ("staff", "token", "A1"),
    ("audit", "verify"), ("audit", "seal"), ("db", "backup"),
)  # fmt: skip
"""What begins with the keys, of every group."""


@pytest.mark.parametrize("case", LACKING)
def test_what_is_missing_is_named_and_neither_made_anew_nor_anything_changed(
    used: Settings, case: str, tmp_path: Path
) -> None:
    lacking = LACKING[case]
    there = replace(used, keys_dir=tmp_path / "second")
    if set(lacking) != {*THREE, *OF_LOG}:
        shutil.copytree(used.keys_dir, there.keys_dir, ignore=shutil.ignore_patterns(*lacking))
    before = files(there.keys_dir), content(used)
    for words in (("db", "upgrade"), ("keys", "init")):
        refused = run(there, *words)
        assert refused.exit_code == 1
        (line,) = refused.stderr.splitlines()
        assert line.startswith("key_missing: ")
        assert f": bring back {', '.join(lacking)} from their copy" in line
        assert f"缺少 {'、'.join(lacking)}；请从备份取回" in line
        assert str(there.keys_dir) in line
        assert "db upgrade" not in line
    if set(lacking) & set(THREE):
        for started_by in STARTING:
            words = (*started_by, *([str(tmp_path / "copy.db")] if started_by == ("db", "backup") else []))
            refused = run(there, *words)
            (line,) = refused.stderr.splitlines()
            assert (refused.exit_code, "key_missing: " in line) == (2 if words == ("audit", "verify") else 1, True)
            assert f": bring back {', '.join(lacking)} from their copy" in line, words
    assert (files(there.keys_dir), content(used)) == before
    assert msgspec.json.decode(run(there, "db", "status", "--json").stdout)["keys_missing"] == list(lacking)
    shutil.rmtree(there.keys_dir, ignore_errors=True)
    shutil.copytree(used.keys_dir, there.keys_dir)  # what it said
    assert run(there, "db", "upgrade").exit_code == 0
    assert run(there, "audit", "verify").exit_code == 0


def test_it_goes_by_what_is_there_not_by_the_rows_that_name_the_keys(used: Settings, tmp_path: Path) -> None:
    """Who deletes those rows does not have new keys made, and registered as the right ones."""
    engine = open_engine(str(used.database_owner_url))
    with writing(engine) as conn:
        conn.execute(key_rows.delete())
    engine.dispose()
    refused = run(replace(used, keys_dir=tmp_path / "second"), "db", "upgrade")
    assert refused.stderr.startswith("key_missing: ")
    assert not (tmp_path / "second").exists()


def test_a_folder_that_goes_while_the_service_runs_is_not_made_anew_and_comes_back_into_its_place(
    used: Settings,
) -> None:
    started = start(used)
    away = used.keys_dir.with_name("away")
    used.keys_dir.rename(away)
    assert run(replace(used, keys_dir=away), "staff", "team", "T1", "一组").exit_code == 0
    refused = sealer_of(started).round().refused
    assert refused is not None
    assert refused.code == "signing_key_missing"
    assert not used.keys_dir.exists()
    away.rename(used.keys_dir)
    assert sealer_of(started).round().checkpoint is not None
    started.engine.dispose()


@pytest.mark.only("sqlite")
def test_where_the_databases_file_is_missing_too_that_is_told_first(used: Settings) -> None:
    """As `db status` does, with what to do: whoever reads of keys would look for them."""
    gone = replace(used, database_url=used.database_url.replace(".db", "-of-nobody.db"), keys_dir=Path("/nowhere/keys"))
    for words in (("serve",), ("staff", "list")):
        answer = run(gone, *words)
        assert answer.exit_code != 0
        assert answer.stderr.startswith("database_gone: "), answer.stderr
        assert "casework db upgrade" in answer.stderr


def test_readiness_names_all_keys_that_are_missing(used: Settings) -> None:
    with TestClient(create_app(used, assembled_once(used.feed_upload_mib))) as client:
        used.keys_dir.rename(used.keys_dir.with_name("away"))
        told = client.get("/health/ready").json()
        used.keys_dir.with_name("away").rename(used.keys_dir)
    assert all(name in str(told) for name in ("key_missing", *THREE, *OF_LOG)), told


def test_a_signing_key_that_is_lost_alone_stops_no_upgrade_and_no_other_is_made(used: Settings) -> None:
    (used.keys_dir / "signing").unlink()
    assert run(used, "db", "upgrade").exit_code == 0
    assert not (used.keys_dir / "signing").exists()
    assert run(used, "keys", "rotate", "--new-origin", "bank.example/2", "--reason", "key_lost").exit_code == 0


def test_a_key_for_receipts_that_is_lost_alone_is_made_anew_as_decided(used: Settings) -> None:
    (used.keys_dir / "receipts").unlink()
    assert run(used, "db", "upgrade").exit_code == 0
    assert (used.keys_dir / "receipts").exists()


def test_a_second_host_with_an_older_memory_signs_on_where_the_log_goes_on_from_it(
    used: Settings, tmp_path: Path
) -> None:
    there = replace(used, keys_dir=tmp_path / "second")
    shutil.copytree(used.keys_dir, there.keys_dir)
    for settings in (used, there):
        assert run(settings, "staff", "team", f"T{settings.keys_dir.name}", "一组").exit_code == 0
        assert run(settings, "audit", "seal").exit_code == 0
        assert run(settings, "audit", "verify").exit_code == 0
    assert run(used, "audit", "seal").exit_code == 0  # and the first again, should it come back


def test_wrong_keys_are_told_by_name_and_which_to_bring(used: Settings, tmp_path: Path) -> None:
    there = replace(used, keys_dir=tmp_path / "second")
    shutil.copytree(used.keys_dir, there.keys_dir)
    (there.keys_dir / "blind").write_bytes(bytes(32))
    for words in (("db", "upgrade"), ("case", "list")):
        refused = run(there, *words)
        assert refused.stderr.startswith("key_wrong: the keys blind are not the ones")


def test_a_new_database_gets_its_keys_as_before(settings: Settings, tmp_path: Path) -> None:
    there = replace(settings, keys_dir=tmp_path / "new")
    assert run(there, "db", "upgrade").exit_code == 0
    assert {*THREE, "signing", "log-keys", "receipts", "receipt-keys"} <= set(files(there.keys_dir))


def _altered(settings: Settings, folder: Path) -> tuple[Settings, set[str]]:
    shutil.copytree(settings.statecharts, folder)
    places = folder / "overdue_loan.toml", next(iter(sorted((folder / "policy").glob("*.toml"))))
    for place in places:
        place.write_bytes(place.read_bytes() + b"\n# as another version of the service has it\n")
    return replace(settings, statecharts=folder), {"chart", "policy"}


def _other_keys(settings: Settings, folder: Path) -> tuple[Settings, set[str]]:
    shutil.copytree(settings.keys_dir, folder)
    (folder / "mac").write_bytes(bytes(32))
    return replace(settings, keys_dir=folder), {"mac"}


@pytest.mark.parametrize("at", ["0001", schema.NEWEST])
@pytest.mark.parametrize(("other", "code"), [(_altered, "text_changed"), (_other_keys, "key_wrong")])
def test_what_the_database_was_not_written_with_is_told_before_its_schema_moves(
    used: Settings, tmp_path: Path, at: str, other: Callable[[Settings, Path], tuple[Settings, set[str]]], code: str
) -> None:
    """Of an older schema too: all that differs at once, and with the former files the same database goes up."""
    migrate.downgrade(used, at)
    before, kept = content(used), files(used.keys_dir)
    brought, named = other(used, tmp_path / "brought")
    with pytest.raises(CallerError) as told:
        upgrade(brought, system("cli"))
    assert told.value.code == code
    assert {str(one).partition(" ")[0] for one in told.value.facts.get("texts") or told.value.facts["keys"]} == named
    engine = open_engine(used.database_url, read_only=True)
    with reading(engine) as conn:
        assert schema.revision(conn) == at
    engine.dispose()
    assert (content(used), files(used.keys_dir)) == (before, kept)
    assert upgrade(used, system("cli")) == []
    assert run(used, "db", "status", "--json").exit_code == 0
