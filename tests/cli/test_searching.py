"""Searching at the shell: a table, JSON, files, and the index made anew or compared."""

import hashlib
import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from casework.evidence.search.tables import search_postings
from casework.log.tables import entries
from casework.settings import Settings
from casework.storage.database import reading, writing
from tests.cli.test_sealing import Shell


@pytest.fixture
def shell(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(settings, monkeypatch)


def test_search_shows_a_table_or_json_and_goes_on_at_a_cursor(shell: Shell) -> None:
    shown = shell.out("audit", "search", "--event", "chart.*", "--order", "oldest").decode()
    assert "rulebook:published:" in shown
    assert "chart.published" in shown
    first = json.loads(shell.out("audit", "search", "--actor", "system", "--limit", "2", "--json"))
    assert len(first["items"]) == 2
    after = json.loads(shell.out("audit", "search", "--actor", "system", "--cursor", first["next"], "--json"))
    numbers = [int(item["entry_id"].rpartition(":")[2]) for item in (*first["items"], *after["items"])]
    assert numbers == sorted(numbers, reverse=True)
    assert "no entries" in shell.out("audit", "search", "--actor", "nobody").decode()


def test_what_is_wrong_is_told_in_one_line(shell: Shell) -> None:
    for words, code in (
        (["--actor", "张伟"], "filter_malformed"), (["--amount-min", "1.005"], "filter_malformed"),
        (["--from", "gestern"], "filter_malformed"), (["--subject", "loan:L1"], "unknown_subject"),
        (["--cursor", "AAAA"], "cursor_malformed"),
    ):  # fmt: skip
        refused = shell.run("audit", "search", *words)
        assert (refused.exit_code, refused.stdout, refused.stderr.split(":")[0]) == (1, "", code)
    assert shell.run("audit", "search", "--format", "csv").exit_code == 2


def test_files_are_written_whole_and_on_record(shell: Shell, engine: Engine, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    shell.out("audit", "search", "--order", "oldest", "--format", "jsonl", "--out", str(out / "all.jsonl"))
    lines = (out / "all.jsonl").read_bytes().splitlines()
    with reading(engine) as conn:
        held = list(map(bytes, conn.execute(sa.select(entries.c.leaf_hash).order_by(entries.c.id)).scalars()))
    assert [hashlib.sha256(b"\x00" + line).digest() for line in lines] == held[: len(lines)]
    assert len(held) == len(lines) + 1  # and the export itself
    for kind in ("csv", "xlsx"):
        shell.out("audit", "search", "--event", "*", "--format", kind, "--out", str(out / f"all.{kind}"))
    told = json.loads(shell.out("audit", "search", "--stream", "exports:system", "--order", "oldest", "--json"))[
        "items"
    ]
    assert [item["body"]["data"]["rows"] for item in told] == [len(lines), len(lines) + 1, len(lines) + 2]
    refused = shell.run("audit", "search", "--actor", "张伟", "--format", "csv", "--out", str(out / "none.csv"))
    assert refused.exit_code == 1
    assert sorted(path.name for path in out.iterdir()) == ["all.csv", "all.jsonl", "all.xlsx"]


def test_the_index_is_made_anew_and_compared(shell: Shell, engine: Engine) -> None:
    shell.out("audit", "seal")
    indexed = json.loads(shell.out("audit", "reindex", "--json"))["indexed"]
    assert indexed > 3
    assert "0 differences" in shell.out("audit", "reindex", "--check").decode()
    with writing(engine) as conn:
        conn.execute(search_postings.delete())
    compared = shell.run("audit", "reindex", "--check", "--json")
    assert (compared.exit_code, json.loads(compared.stdout)["in_all"] > 3) == (1, True)
    assert shell.run("audit", "reindex", "--check").exit_code == 1
    shell.out("audit", "reindex")
    assert shell.run("audit", "reindex", "--check").exit_code == 0
