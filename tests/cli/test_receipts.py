"""Receipts and witnesses at the shell: exit codes, files carried by hand, what the branch knows."""

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from casework.clock import now
from casework.log.format import checkpoint, note
from casework.log.format.checkpoint import Cosigner
from casework.log.format.receipt import open_receipt
from casework.log.tables import entries, unsealed
from casework.log.write import receipt_keys
from casework.settings import Settings
from casework.storage.database import writing
from tests.cli.test_sealing import Shell
from tests.log.built_log import guards_down

WITNESS = Cosigner("witness.example", b"\x05" * 32)
ENTRY = "rulebook:published:1"


@pytest.fixture
def shell(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(settings, monkeypatch)


def test_a_receipt_is_checked_by_its_exit_code(shell: Shell, owner_engine: Engine, tmp_path: Path) -> None:
    """2 before it is sealed, 0 after, 1 when the entry has gone, 2 for what is no receipt of this service."""
    file = tmp_path / "receipt"
    file.write_bytes(shell.out("audit", "receipt", ENTRY))
    keys = receipt_keys.known_keys(shell.settings.keys_dir)
    assert [one.entry_id for one in open_receipt(file.read_bytes(), keys).receipt.entries] == [ENTRY]

    def told() -> tuple[int, str]:
        result = shell.run("audit", "receipt", "--check", str(file), "--json")
        answer = json.loads(result.stdout)
        return result.exit_code, answer.get("code") or answer["verdict"]

    assert told() == (2, "not_sealed_yet")
    shell.out("audit", "seal")
    assert told() == (0, "included")
    kept = file.read_bytes()
    file.write_bytes(base64.b64encode(kept) + b"\n")  # as the header carries it
    assert told() == (0, "included")
    for other in (b"", b"nothing", kept.replace(ENTRY.encode(), b"rulebook:published:2"), kept[:-2]):
        file.write_bytes(other)
        assert told() == (2, "receipt_not_trusted")
    file.unlink()
    assert told() == (2, "receipt_unreadable")
    file.write_bytes(kept)
    with writing(owner_engine) as conn, guards_down(conn):
        row = conn.execute(sa.select(entries.c.id).where(entries.c.stream == "rulebook:published").limit(1)).scalar()
        conn.execute(unsealed.delete().where(unsealed.c.entry == row))
        conn.execute(entries.delete().where(entries.c.stream == "rulebook:published", entries.c.stream_seq == 1))
    assert told() == (1, "receipt_not_honoured")
    assert "receipt_not_honoured" in shell.run("audit", "receipt", "--check", str(file)).stdout


@pytest.mark.only("sqlite")
def test_a_receipt_needs_an_entry_and_a_key(shell: Shell) -> None:
    assert shell.run("audit", "receipt").exit_code == 2
    assert shell.run("audit", "receipt", "case:1:1").stderr.startswith("unknown_entry")
    (shell.settings.keys_dir / receipt_keys.KEY_FILE).unlink()
    assert shell.run("audit", "receipt", ENTRY).stderr.startswith("receipt_key_missing")


def test_a_cosigned_checkpoint_carried_by_hand_is_taken_in_and_given_out(shell: Shell, tmp_path: Path) -> None:
    shell.out("audit", "seal")
    assert shell.run("audit", "checkpoint", "--cosigned").stderr.startswith("no_cosigned_checkpoint")
    assert shell.out("keys", "witness", "add", WITNESS.key.text).decode() == f"{WITNESS.key.text}\n"
    assert json.loads(shell.out("keys", "witness", "list", "--json")) == [WITNESS.key.text]
    read = note.parse(shell.out("audit", "checkpoint"))
    tip = checkpoint.parse(read.text)
    data = read.signed_also(WITNESS.cosign(tip, int((now() + timedelta(seconds=1)).timestamp()))).encode()
    (tmp_path / "note").write_bytes(data)
    taken = json.loads(shell.out("audit", "take-cosignature", str(tmp_path / "note"), "--json"))
    assert [(one["size"], one["new"]) for one in taken] == [(tip.size, True)]
    assert shell.out("audit", "checkpoint") == shell.out("audit", "checkpoint", "--cosigned") == data
    assert shell.run("audit", "verify").exit_code == 0
    shell.out("keys", "witness", "remove", WITNESS.name)
    assert shell.run("audit", "take-cosignature", str(tmp_path / "note")).stderr.startswith("witness_unknown")
    assert shell.run("keys", "witness", "remove", WITNESS.name).stderr.startswith("unknown_witness")
    assert shell.run("keys", "witness", "add", "nonsense").stderr.startswith("witness_key_malformed")


@pytest.mark.only("sqlite")
def test_a_new_log_has_a_new_key_for_receipts_and_says_so(shell: Shell) -> None:
    shell.out("audit", "seal")
    shell.out("keys", "rotate", "--new-origin", "bank.example/2", "--reason", "memory_lost")
    shell.out("audit", "seal")
    keys = receipt_keys.known_keys(shell.settings.keys_dir)
    assert [key.name for key in keys][-1] == "bank.example/2/receipts"
    assert keys[-1].text in shell.run("audit", "show", "log:2", "--json").stdout
    assert shell.run("audit", "verify").exit_code == 0
