"""Sealing, proofs and keys at the shell: what other people's programs read is on stdout, byte for byte."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.engine import Engine

from casework.cli import main
from casework.log.format import proof
from casework.log.format.chain import leaf_hash
from casework.log.format.checkpoint import Trust
from casework.log.format.note import LogKey
from casework.log.queries import find_entry
from casework.operation.startup import upgrade
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage.database import reading


class Shell:
    """Runs commands on the test's database."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        upgrade(settings, system("cli"))
        self.settings = settings
        monkeypatch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
        monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))

    def run(self, *words: str) -> Result:
        """What came of it."""
        return CliRunner().invoke(main, words, catch_exceptions=False)

    def out(self, *words: str) -> bytes:
        """Stdout of a command that succeeds."""
        result = self.run(*words)
        assert result.exit_code == 0, result.output
        return result.stdout_bytes


@pytest.fixture
def shell(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(settings, monkeypatch)


def trust(shell: Shell) -> Trust:
    """As an auditor has it: the line that `keys show` prints, and nothing else."""
    key = LogKey.parse(shell.out("keys", "show").decode().removesuffix("\n"))
    return Trust(key.name, [key])


def test_checkpoint_and_proof_convince_somebody_with_the_verifier_key_alone(shell: Shell, engine: Engine) -> None:
    shell.out("audit", "seal")
    signed = trust(shell).open(shell.out("audit", "checkpoint")).checkpoint
    assert signed.size > 1
    shown = proof.parse_inclusion(shell.out("audit", "proof", "rulebook:published:1"))
    with reading(engine) as conn:
        body = bytes(find_entry(conn, b"\x00" * 32, "rulebook:published:1").body)
    assert shown.verify(leaf_hash(body), trust(shell)).checkpoint == signed


def test_consistency_is_lines_of_base64_that_lead_from_one_checkpoint_to_the_next(shell: Shell) -> None:
    shell.out("audit", "seal")
    old = trust(shell).open(shell.out("audit", "checkpoint")).checkpoint
    shell.out("keys", "rotate")  # one more entry
    shell.out("audit", "seal")
    key = LogKey.parse(shell.out("keys", "show").decode().splitlines()[0])
    new = Trust(key.name, [key]).open(shell.out("audit", "checkpoint")).checkpoint
    hashes = proof.parse_hashes(shell.out("audit", "consistency", str(old.size), str(new.size)))
    proof.verify_consistency(old, new, hashes)
    assert shell.out("audit", "consistency", str(old.size), str(old.size)) == b""


def test_seal_says_what_it_did_for_machines(shell: Shell) -> None:
    done = json.loads(shell.out("audit", "seal", "--json"))
    assert done["left"] == []
    assert done["checkpoint"] == done["sealed"] + 1
    again = json.loads(shell.out("audit", "seal", "--json"))
    assert again == {"sealed": 0, "left": [], "elsewhere": False, "checkpoint": None, "refused": None, "troubled": []}


def test_a_signer_that_refuses_is_exit_code_1_and_seals_all_the_same(shell: Shell) -> None:
    (shell.settings.keys_dir / "signing").rename(shell.settings.keys_dir / "away")
    assert shell.run("audit", "seal").exit_code == 1  # no log can begin
    (shell.settings.keys_dir / "away").rename(shell.settings.keys_dir / "signing")
    shell.out("audit", "seal")
    (shell.settings.keys_dir / "last-signed").unlink()
    result = shell.run("audit", "seal", "--json")
    assert (result.exit_code, json.loads(result.stdout)["refused"]) == (1, "signer_memory_missing")


def test_what_is_not_there_is_told_in_one_line(shell: Shell) -> None:
    def told(*words: str) -> tuple[int, str, str]:
        result = shell.run("audit", *words)
        return result.exit_code, result.stdout, result.stderr.split(":")[0]

    assert told("checkpoint") == (1, "", "log_not_begun")
    assert told("proof", "case:1:1") == (1, "", "log_not_begun")
    shell.out("audit", "seal")
    assert told("proof", "case:1:1") == (1, "", "unknown_entry")
    assert told("consistency", "1", "9999") == (1, "", "size_unknown")


def test_verify_says_which_trust_it_had(shell: Shell, tmp_path: Path) -> None:
    def verdict(*words: str) -> tuple[int, str]:
        result = shell.run("audit", "verify", "--json", *words)
        answer = json.loads(result.stdout)
        return result.exit_code, answer.get("trust", answer.get("code"))

    assert verdict() == (0, "self_consistent_only")
    shell.out("audit", "seal")
    assert verdict() == (0, "signer_memory")
    kept = tmp_path / "kept.checkpoint"
    kept.write_bytes(shell.out("audit", "checkpoint"))
    assert verdict("--trusted", str(kept)) == (0, "trusted_checkpoint")
    kept.write_bytes(kept.read_bytes().replace(b"\n", b"\n\n", 1))
    assert verdict("--trusted", str(kept)) == (2, "checkpoint_not_trusted")


def test_the_origin_is_the_settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEWORK_LOG_ORIGIN", "bank.example/loans/wuhan")
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))
    result = CliRunner().invoke(main, ["keys", "init"])
    assert result.stdout.startswith("bank.example/loans/wuhan+")
    assert CliRunner().invoke(main, ["keys", "show"]).stdout == result.stdout
    assert CliRunner().invoke(main, ["keys", "init"]).stdout == result.stdout  # made once


def test_an_origin_that_no_note_can_carry_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEWORK_LOG_ORIGIN", "two words")
    monkeypatch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))
    result = CliRunner().invoke(main, ["keys", "init"])
    assert (result.exit_code, result.stderr.split(":")[0]) == (1, "origin_malformed")


def test_a_new_origin_needs_its_reason_and_begins_the_log_anew(shell: Shell) -> None:
    shell.out("audit", "seal")
    assert shell.run("keys", "rotate", "--new-origin", "bank.example/2").exit_code == 2
    shell.out("keys", "rotate", "--new-origin", "bank.example/2", "--reason", "memory_lost")
    shell.out("audit", "seal")
    assert trust(shell).open(shell.out("audit", "checkpoint")).checkpoint.origin == "bank.example/2"
    assert shell.run("audit", "verify").exit_code == 0
    assert len(shell.out("keys", "show", "--all").splitlines()) == 2


def test_the_signer_is_given_its_memory_back_and_not_a_stale_one(shell: Shell, tmp_path: Path) -> None:
    shell.out("audit", "seal")
    (tmp_path / "old").write_bytes(shell.out("audit", "checkpoint"))
    shell.out("keys", "rotate")
    shell.out("audit", "seal")
    (tmp_path / "new").write_bytes(shell.out("audit", "checkpoint"))

    def remember(name: str) -> str:
        result = shell.run("keys", "remember", str(tmp_path / name))
        return "" if result.exit_code == 0 else result.stderr.split(":")[0]

    assert remember("new") == "memory_there"
    (shell.settings.keys_dir / "last-signed").unlink()
    assert remember("old") == "checkpoint_too_old"
    assert remember("absent") == "checkpoint_not_trusted"
    assert remember("new") == ""
    assert shell.run("audit", "verify").exit_code == 0
