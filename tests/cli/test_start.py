"""What a command imports: no more than it uses. Counted, for counts are the same on every machine."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest

from casework.cli.main import main
from casework.work.cases.lifecycles import LIFECYCLES
from tests.conftest import Published

_TELL = """
import json, sys
from casework.cli import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as ended:
        if ended.code:
            raise
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
NEVER = {
    "alembic", "api", "casework.demo", "casework.evidence.verifying", "casework.lifecycle.door", "casework.lifecycles",
    "casework.log.write", "casework.work.cases.lifecycles", "httpx", "jinja2",
    "litestar", "numpy", "obstore", "PIL", "phonenumbers", "prometheus_client", "psycopg", "python_calamine",
    "cryptography", "rich._emoji_codes", "sqlalchemy.dialects.postgresql", "sqlalchemy.orm",
    "structlog", "transitions", "uvicorn", "xlsxwriter",
}  # fmt: skip
"""What looking at cases has no use for; the driver of PostgreSQL on SQLite is among it."""
MOST = 172
"""Modules of our own that looking at cases may import; it was 387 of 660 when all that the house does came along."""
MOST_DATACLASSES = 25
"""They were 105."""
LIGHT = (
    "audit",
    "case",
    "task",
    "day",
    "promise",
    "hold",
    "disposal",
    "feed",
    "db",
    "keys",
    "roster",
    "sweep",
    "privacy",
)
"""Groups of every day whose help is told without a database's library."""


@pytest.fixture(scope="module")
def branch(published: Callable[[str], Published], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a branch on SQLite in which nothing has happened yet."""
    folder, source = tmp_path_factory.mktemp("shell"), published("sqlite")
    shutil.copyfile(source.source, folder / "casework.db")
    named = {"DATABASE_URL": f"sqlite:///{folder / 'casework.db'}", "KEYS_DIR": str(source.keys_dir)}
    return {**os.environ, **{f"CASEWORK_{name}": value for name, value in named.items()}}


def imported(environment: dict[str, str], *commands: list[str]) -> set[str]:
    """The modules of a process that has run these commands."""
    asked = [sys.executable, "-c", _TELL, json.dumps(commands)]
    told = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True).stderr
    return set(json.loads(told.splitlines()[-1]))


def test_looking_at_cases_imports_what_it_uses(branch: dict[str, str]) -> None:
    """A list imports neither what other commands need nor the other database's driver."""
    found = imported(branch, ["case", "list"])
    assert "sqlalchemy" in found  # it did look
    assert found & {*NEVER, "rich.progress"} == set()
    assert len([name for name in found if name.startswith("casework")]) <= MOST


def test_a_list_misses_a_guard_of_a_table_that_it_does_not_import(branch: dict[str, str], tmp_path: Path) -> None:
    """Whether tables to which rows are only added are guarded does not hang on what a command imports."""
    shutil.copyfile(branch["CASEWORK_DATABASE_URL"].removeprefix("sqlite:///"), tmp_path / "casework.db")
    with closing(sqlite3.connect(tmp_path / "casework.db")) as database:
        database.execute("DROP TRIGGER tasks_append_only_update")
        database.commit()
    of_copy = {**branch, "CASEWORK_DATABASE_URL": f"sqlite:///{tmp_path / 'casework.db'}"}
    asked = [sys.executable, "-c", "from casework.cli import run; run()", "case", "list"]
    done = subprocess.run(asked, env=of_copy, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.partition(":")[0]) == (1, "guards_missing")


def test_the_help_of_the_groups_of_every_day_asks_no_database(branch: dict[str, str]) -> None:
    found = imported(branch, *([name, "--help"] for name in LIGHT), ["case", "list", "--help"])
    assert found & {"sqlalchemy", "cryptography", "asyncio", *NEVER} == set()


def test_the_help_of_the_program_and_of_a_noun_without_a_file_of_its_own_asks_no_database(
    branch: dict[str, str],
) -> None:
    """Nouns are told of by what is pure of them."""
    found = imported(branch, ["--help"], ["risk", "--help"], ["consent", "open", "--help"])
    assert found & {"sqlalchemy", "cryptography", "asyncio", *NEVER} == set()


def test_looking_at_cases_makes_few_dataclasses(branch: dict[str, str]) -> None:
    """A class of one takes as long to make as forty structs."""
    counted = "import dataclasses\nmade = []\n_process = dataclasses._process_class\n"
    counted += (
        "dataclasses._process_class = lambda cls, *more: (made.append(cls.__module__), _process(cls, *more))[1]\n"
    )
    asked = [sys.executable, "-c", counted + _TELL.replace("sys.modules)", "made)"), json.dumps([["case", "list"]])]
    told = subprocess.run(asked, env=branch, capture_output=True, text=True, check=True).stderr
    made = [name for name in json.loads(told.splitlines()[-1]) if name.startswith("casework")]
    assert 0 < len(made) <= MOST_DATACLASSES


def test_verification_knows_every_table_whatever_a_command_imports() -> None:
    """It looks for mistyped values and foreign parts in all of them."""
    tables = (
        "import casework.evidence.rest_of_log, sys\n"
        "from casework.oversight.privacy.columns import ALL\n"
        "from casework.storage.database import metadata\n"
        "sys.exit(sorted(set(ALL) ^ set(metadata.tables)) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", tables], check=False).returncode == 0


@pytest.mark.parametrize("noun", LIFECYCLES[1:], ids=lambda noun: noun.word)
def test_the_commands_of_a_noun_are_what_the_noun_says(noun: Any) -> None:
    """They are declared by its word: whether it is of a case, and what its file is called, is as it says."""
    group = main.get_command(click.Context(main), noun.word)
    assert isinstance(group, click.Group)
    of_case = [option for option in group.commands["open"].params if option.name == "of"]
    assert bool(of_case) is noun.child
    assert f"export {noun.table.name}.csv" in (group.commands["export"].help or "")


def test_a_process_that_runs_one_command_never_looks_for_circles_among_what_it_imported(branch: dict[str, str]) -> None:
    """Not at its end either: what the collector is shown is little, though a list makes some 90,000 objects."""
    counted = (
        "import atexit, gc, sys\n"
        "seen = [0]\n"
        "from casework.cli import run\n"
        "gc.callbacks.append(lambda phase, _: seen.append(len(gc.get_objects())))\n"
        "atexit.register(lambda: print(max(seen), file=sys.stderr))\n"
        "run()"
    )
    asked = [sys.executable, "-c", counted, "case", "list"]
    told = subprocess.run(asked, env=branch, capture_output=True, text=True, check=True)
    assert "0 cases" in told.stdout
    assert int(told.stderr.splitlines()[-1]) < 5_000


def test_a_process_that_runs_one_command_is_what_the_package_installs() -> None:
    """`casework.cli:run`, which keeps the collector from looking through what stays until the end."""
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert 'casework = "casework.cli:run"' in project


def test_verifying_on_sqlite_imports_no_driver_of_postgresql_and_draws_nothing(branch: dict[str, str]) -> None:
    found = imported(branch, ["audit", "verify"])
    assert "casework.evidence.crew" in found
    assert found & {"psycopg", "rich.progress"} == set()


def test_what_one_process_of_a_verification_alone_looks_at_is_imported_once_the_others_walk() -> None:
    """What is imported before the processes begin is what two of them do one after the other."""
    alone = {"casework.evidence.rest_of_log", "casework.lifecycles", "casework.work.tasks.tables", "rich.progress"}
    code = f"import casework.evidence.crew, sys; sys.exit(sorted(set({alone}) & set(sys.modules)) or 0)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
