"""Files that the shell writes where there is no room, no folder, or no leave: one line with place and cause."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from casework.cli import main
from casework.settings import Settings
from tests.conftest import Database
from tests.variables import variables_of

NO_ROOM = "No space left on device"


@pytest.fixture(scope="module")
def full() -> Iterator[Path]:
    """A folder on a disk that is full."""
    place = Path("/dev/shm") / f"casework-full-{os.getpid()}"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=16k,mode=0777", "casework-test", str(place)]
    if os.getuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode:
        place.rmdir()
        pytest.skip("a small disk cannot be mounted here")
    try:
        with (place / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match=NO_ROOM):
            while True:
                filler.write(bytes(4096))
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
        place.rmdir()


@pytest.fixture
def shell(settings: Settings, rulebook_published: None) -> Any:
    """A branch with some entries and its command line."""
    given = variables_of(settings)

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, list(words), env=given)

    assert run("staff", "team", "T1", "一组").exit_code == 0
    assert run("audit", "seal").exit_code == 0
    return run


WRITING = {
    "a chart's drawing": ("chart", "draw", "-o"),
    "a comparison's drawing": ("chart", "diff", "overdue_loan", "overdue_loan", "--svg"),
    "a log for process mining as XES": ("audit", "mine", "--format", "xes", "--out"),
    "one as JSON": ("audit", "mine", "--format", "ocel-json", "--out"),
    "one as a database": ("audit", "mine", "--format", "ocel-sqlite", "--out"),
    "a bundle": ("audit", "export"),
    "entries": ("audit", "search", "--from", "2020-01-01", "--format", "jsonl", "--out"),
    "a backup": ("db", "backup"),
}


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("what", WRITING)
def test_what_does_not_fit_is_told_in_one_line_with_its_place_and_nothing_else_is_blamed(
    shell: Any, full: Path, what: str
) -> None:
    place = full / what.replace(" ", "-")
    answer = shell(*WRITING[what], str(place))
    assert answer.exit_code == 1, answer.output
    (line,) = answer.stderr.splitlines()
    assert line.split(": ")[0] in ("file_unwritable", "export_unwritable", "backup_unwritable"), line
    assert f"cannot write {place}: " in line
    assert NO_ROOM in line or "database or disk is full" in line
    assert [left.name for left in full.iterdir()] == ["filler"], "no empty file, and nothing beside it"


@pytest.mark.only("sqlite")
def test_keys_that_do_not_fit_are_told_with_their_folder(full: Path, tmp_path: Path) -> None:
    keys = full / "keys"
    given = {"CASEWORK_DATABASE_URL": f"sqlite:///{tmp_path / 'a.db'}", "CASEWORK_KEYS_DIR": str(keys)}
    answer = CliRunner().invoke(main, ["db", "upgrade"], env=given)
    assert answer.exit_code == 1
    assert answer.stderr.startswith(f"keys_folder_unwritable: cannot write {keys}: {NO_ROOM}")
    assert len(answer.stderr.splitlines()) == 1
    assert not (tmp_path / "a.db").exists()


@pytest.mark.only("postgresql")
def test_a_dump_that_does_not_fit_says_so_and_does_not_blame_the_server(
    shell: Any, full: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert database.server is not None
    monkeypatch.setenv("PATH", str(database.server.bin_dir), prepend=":")
    answer = shell("db", "backup", str(full / "out"))
    assert answer.exit_code == 1
    (line,) = answer.stderr.splitlines()
    assert line.startswith(("backup_unwritable: ", "pg_tool_failed: "))
    assert NO_ROOM in line


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("what", [name for name in WRITING if name != "a bundle"])  # it makes its folders
def test_a_folder_that_is_not_there_is_named(shell: Any, tmp_path: Path, what: str) -> None:
    answer = shell(*WRITING[what], str(tmp_path / "nowhere" / "out"))
    assert answer.exit_code == 1, answer.output
    (line,) = answer.stderr.splitlines()
    assert f"cannot write {tmp_path / 'nowhere' / 'out'}: No such file or directory" in line


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    ("words", "code"), [(("chart", "show"), 1), (("--help",), 1), (("audit", "verify", "--json"), 2)]
)
def test_output_that_is_led_to_a_full_disk_is_told_and_accuses_nobody(
    settings: Settings, words: tuple[str, ...], code: int
) -> None:
    """Exit code 1 of `audit verify` would say that the log was changed."""
    environment = os.environ | {
        "CASEWORK_DATABASE_URL": settings.database_url, "CASEWORK_KEYS_DIR": str(settings.keys_dir)
    }  # fmt: skip
    assert CliRunner().invoke(main, ["db", "upgrade"], env=environment).exit_code == 0
    with Path("/dev/full").open("wb") as nowhere:
        done = subprocess.run(
            [sys.executable, "-c", "from casework.cli import main; main()", *words], env=environment, stdout=nowhere,
            stderr=subprocess.PIPE, check=False, text=True,
        )  # fmt: skip
    assert done.returncode == code
    (line,) = done.stderr.splitlines()
    assert "file_failed: " in line
    assert NO_ROOM in line


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("place", ["nowhere/a.db", ""])
def test_a_database_file_that_cannot_be_opened_is_named_with_the_cause(tmp_path: Path, place: str) -> None:
    file = tmp_path / place
    answer = CliRunner().invoke(main, ["db", "status"], env={"CASEWORK_DATABASE_URL": f"sqlite:///{file}"})
    assert answer.exit_code == 1
    cause = "No such file or directory" if place else "Is a directory"
    assert answer.stderr.startswith(f"database_gone: the database is not reachable: {file}: {cause}")


@pytest.mark.only("sqlite")
def test_a_server_that_cannot_be_reached_is_named_with_the_cause_and_without_the_password(tmp_path: Path) -> None:
    url = "postgresql://app:geheim@127.0.0.1:1/branch"
    answer = CliRunner().invoke(main, ["db", "status"], env={"CASEWORK_DATABASE_URL": url})
    assert answer.exit_code == 1
    (line,) = answer.stderr.splitlines()
    assert line.startswith('database_gone: the database is not reachable: connection to server at "127.0.0.1", port 1')
    assert "geheim" not in line
