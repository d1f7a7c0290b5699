"""Heads and dossiers at the shell: made here, verified elsewhere, with exit codes that programs can go by."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from casework.cli import main
from casework.log.tables import entries
from casework.operation.startup import branch_of, upgrade
from casework.people.staff.actor import system
from casework.settings import Settings, load_keys
from casework.storage.database import open_engine, writing
from tests.log.built_log import NOTE, clock, fill


@pytest.fixture
def shell(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run on a branch of five cases, nothing sealed."""
    upgrade(settings, system("cli"), clock=clock)
    engine = open_engine(settings.database_url)
    fill(engine, branch_of(settings, load_keys(settings.keys_dir)), cases=5)
    engine.dispose()
    monkeypatch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words, catch_exceptions=False)


def test_what_is_made_here_is_verified_where_there_is_no_database(shell: None, tmp_path: Path) -> None:
    """In a process that knows no settings, with the key alone; a changed byte convicts, a missing key tells nothing."""
    assert run("case", "dossier", "2").stderr.startswith("log_not_begun: ")
    stated = json.loads(run("audit", "heads", "--json").stdout)
    assert (stated["cases"], stated["refused"]) == (5, None)
    assert "nothing new to state" in run("audit", "heads").stdout
    file, key = tmp_path / "case-2.json", run("keys", "show").stdout.strip()
    told = run("case", "dossier", "2", "--out", str(file))
    assert told.exit_code == 0, told.output
    assert "these 9 entries are in the log" in told.stdout
    assert file.stat().st_mode & 0o777 == 0o600

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CASEWORK_")}
    command = [
        str(Path(sys.executable).parent / "casework"),
        "case",
        "verify-dossier",
        str(file),
        "--key",
        key,
        "--json",
    ]
    done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert (answer["verdict"], answer["case"], answer["complete"]) == ("sound", 2, 9)
    assert answer["complete_as_of"]["size"] == stated["size"]
    assert list(elsewhere.iterdir()) == []

    assert run("case", "verify-dossier", str(file)).exit_code == 2
    assert run("case", "verify-dossier", str(file), "--key", "nonsense").exit_code == 2
    human = run("case", "verify-dossier", str(file), "--key", key)
    assert human.exit_code == 0
    for words in (
        "case.noted",
        "sound 完好",
        "not shown 未证明",
        "self-consistent only",
        "仅自身一致",
        "该案件的全部分录",
    ):
        assert words in human.stdout
    file.write_bytes(file.read_bytes().replace(b"case.noted", b"case.novel"))
    changed = run("case", "verify-dossier", str(file), "--key", key)
    assert changed.exit_code == 1
    assert "proof_refused" in changed.stdout
    assert "case.novel" not in changed.stdout  # what is not proven is not shown as if it were


def test_a_checkpoint_kept_from_before_is_compared(shell: None, tmp_path: Path) -> None:
    run("audit", "seal")
    kept, file, key = tmp_path / "kept", tmp_path / "case-2.json", run("keys", "show").stdout.strip()
    kept.write_bytes(run("audit", "checkpoint").stdout_bytes)
    size = kept.read_text().splitlines()[1]
    run("audit", "heads")
    verify = ("case", "verify-dossier", str(file), "--key", key, "--trusted", str(kept), "--json")
    file.write_bytes(run("case", "dossier", "2", "--json").stdout_bytes)
    assert (run(*verify).exit_code, json.loads(run(*verify).stdout)["verdict"]) == (2, "cannot_tell")
    file.write_bytes(run("case", "dossier", "2", "--since", size, "--json").stdout_bytes)
    assert (run(*verify).exit_code, json.loads(run(*verify).stdout)["trust"]) == (0, "trusted_checkpoint")
    kept.write_text("nothing")
    assert run(*verify).exit_code == 2


@pytest.mark.only("sqlite")
def test_texts_are_opened_for_a_purpose_only(shell: None, tmp_path: Path) -> None:
    run("audit", "heads")
    assert NOTE not in run("case", "dossier", "2").stdout
    assert NOTE in run("case", "dossier", "2", "--openings", "--purpose", "judicial").stdout
    assert run("case", "dossier", "2", "--openings").exit_code == 2
    assert "purpose_unknown" in run("case", "dossier", "2", "--openings", "--purpose", "fun").stderr
    assert "personal.revealed" in run("audit", "show", "borrower:wuhan~B1").stdout
    refused = run("case", "dossier", "2", "--as", "T1")
    assert (refused.exit_code, refused.stderr.partition(":")[0]) == (1, "post_not_permitted")


@pytest.mark.only("sqlite")
def test_a_log_that_was_changed_hands_out_nothing(shell: None, settings: Settings, tmp_path: Path) -> None:
    run("audit", "heads")
    engine = open_engine(settings.database_owner_url or settings.database_url)
    with writing(engine) as conn:
        conn.exec_driver_sql("DROP TRIGGER entries_append_only_delete")
        conn.execute(entries.delete().where(entries.c.stream == "case:2", entries.c.stream_seq == 3))
        conn.exec_driver_sql(
            "CREATE TRIGGER entries_append_only_delete BEFORE DELETE ON entries"
            " BEGIN SELECT RAISE(ABORT, 'append_only: entries'); END"
        )
    engine.dispose()
    file = tmp_path / "case-2.json"
    done = run("case", "dossier", "2", "--out", str(file))
    assert (done.exit_code, done.stderr.partition(":")[0], file.exists()) == (1, "dossier_unsound", False)
    assert "sealed_entry_missing" in run("audit", "verify").stdout
