"""Several processes verify a log as one does: the same report byte for byte, whatever was done to the log."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.log.built_log import built_log
from tests.net import kept
from tests.postgres_server import Server

_COMMAND = """
import sys
from casework.log.check import parts
from casework.cli import main
parts.AT_ONCE = 60  # the log is small
main(["audit", "verify", "--json", "--jobs", sys.argv[1]])
"""
_TAMPERED = (
    "UPDATE entries SET reason_code = 'other' WHERE stream = 'case:3' AND stream_seq = 2",
    "UPDATE entries SET mac = zeroblob(32) WHERE stream LIKE 'borrower:%' AND stream_seq = 1",
    "DELETE FROM entries WHERE stream = 'case:7' AND stream_seq = 2",
    "DELETE FROM owner_history WHERE case_id = 9",
    "DELETE FROM promises WHERE id = (SELECT min(id) FROM promises)",
    "UPDATE cases SET owner = 'X9' WHERE id % 4 = 0",
    "UPDATE contact_log SET outcome = 'debtor' WHERE id = (SELECT max(id) FROM contact_log)",
)


def _verified(url: str, keys: Path, jobs: int) -> tuple[int, dict[str, Any]]:
    environment = {**os.environ, "CASEWORK_DATABASE_URL": url, "CASEWORK_KEYS_DIR": str(keys)}
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, str(jobs)], env=environment, capture_output=True, text=True, check=False
    )
    report = json.loads(done.stdout)
    for name in ("seconds", "entries_per_second"):
        del report["checked"][name]
    return done.returncode, report


def _agreed(url: str, keys: Path) -> tuple[int, dict[str, Any]]:
    alone = _verified(url, keys, 1)
    assert _verified(url, keys, 3) == alone
    return alone


def test_three_processes_find_in_a_log_of_every_noun_what_one_finds(tmp_path: Path) -> None:
    folder = kept.unpacked(tmp_path)
    url = f"sqlite:///{folder / 'casework.db'}"
    with closing(sqlite3.connect(folder / "casework.db")) as conn, conn:
        for (name,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            conn.execute(f'DROP TRIGGER "{name}"')
        assert all(conn.execute(attack).rowcount for attack in _TAMPERED)
    code, report = _agreed(url, folder / "keys")
    assert (code, report["verdict"]) == (1, "tampered")
    found = {one["code"] for one in report["findings"]}
    assert found >= {
        "guard_missing", "column_differs", "mac_wrong", "stream_hole", "owner_history_differs", "row_missing",
        "row_differs",
    }  # fmt: skip


def test_one_process_verifies_what_a_writer_holds_who_does_not_end(tmp_path: Path) -> None:
    """No moment can be agreed on then; to read one's own needs nobody's leave."""
    folder = kept.unpacked(tmp_path)
    with closing(sqlite3.connect(folder / "casework.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        url = f"sqlite:///{folder / 'casework.db'}?busy_timeout_ms=20"
        code, report = _verified(url, folder / "keys", 3)
    assert (code, report["verdict"]) == (0, "sound")


def test_a_server_shows_all_processes_one_snapshot(
    tmp_path: Path, migrated_sqlite: Path, postgres_servers: Callable[[str], Server]
) -> None:
    with built_log("pg17", tmp_path, migrated_sqlite, postgres_servers) as log:
        code, report = _agreed(log.settings.database_url, log.settings.keys_dir)
        assert (code, report["verdict"]) == (0, "sound"), report["findings"][:3]
