"""The folder of the demo: made anew only where nobody works with it, and told where it is missing."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from casework.cli.main import main
from casework.cli.shell import as_typed
from casework.demo.place import fresh, holder
from casework.errors import CallerError

KEEPS = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1]); db.execute("SELECT * FROM t").fetchall(); print("open", flush=True); sys.stdin.read()
"""


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A folder as a demo leaves it: the mark, and a database in WAL mode."""
    folder = tmp_path / "demo"
    fresh(folder)
    db = sqlite3.connect(folder / "casework.db")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE t (x)")
    db.close()
    return folder


@pytest.fixture
def in_use(demo: Path) -> Iterator[int]:
    """Another process that has the database open, as `casework serve` does; its number."""
    command = [sys.executable, "-c", KEEPS, str(demo / "casework.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process.pid
        process.communicate()


def test_a_demo_in_use_stays_as_it_is_and_who_holds_it_is_told(demo: Path, in_use: int) -> None:
    before = sorted(demo.iterdir())
    assert holder(demo / "casework.db") == in_use
    with pytest.raises(CallerError) as refused:
        fresh(demo)
    assert refused.value.code == "demo_in_use"
    assert f"kill {in_use}" in str(refused.value)
    assert sys.executable in str(refused.value)
    assert sorted(demo.iterdir()) == before


def test_the_command_refuses_in_one_line(demo: Path, in_use: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CASEWORK_DATABASE_URL", raising=False)
    monkeypatch.setattr(os, "environ", os.environ.copy())  # the command sets the database for what it calls
    done = CliRunner().invoke(main, ["demo", "--folder", str(demo)])
    assert done.exit_code == 1
    assert done.stderr.startswith("demo_in_use: ")
    assert done.stderr.count("\n") == 1
    assert (demo / "casework.db").exists()


def test_a_demo_that_nobody_holds_is_made_anew(demo: Path) -> None:
    assert holder(demo / "casework.db") is None
    fresh(demo)
    assert [path.name for path in demo.iterdir()] == [".casework-demo"]


def test_who_serves_a_demo_before_there_is_one_is_told_to_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CASEWORK_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["serve", "--demo"])
    assert done.exit_code == 1
    assert done.stderr.startswith("demo_missing: there is no demo in demo yet: make it first, with make demo")


@pytest.mark.parametrize(
    ("called", "path", "typed"),
    [
        (".venv/bin/casework", "", ".venv/bin/casework"),
        (".venv/bin/casework", ".venv/bin", "casework"),
        (".venv/bin/casework", "elsewhere", ".venv/bin/casework"),
        ("pytest", "", "casework"),
    ],
)
def test_what_is_printed_can_be_typed_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: str, path: str, typed: str
) -> None:
    """By its name where the PATH finds this very program, else by the way to it."""
    for folder in (".venv/bin", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "casework").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / path) if path else "/nowhere")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / called)])
    assert as_typed() == typed


def test_from_another_folder_the_whole_way_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "bin" / "casework")])
    assert as_typed() == str(tmp_path / "bin" / "casework")
