"""The shell as a person or a timer would run it: in this process where that is the same, else in one of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from casework.cli import main
from casework.settings import Settings


def environment(settings: Settings) -> dict[str, str]:
    """The variables that name the test's branch."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CASEWORK_")}
    return own | {
        "CASEWORK_DATABASE_URL": settings.database_url, "CASEWORK_KEYS_DIR": str(settings.keys_dir),
        "CASEWORK_LOANS_DIR": str(settings.loans_dir), "TERM": "dumb",
    }  # fmt: skip


COMMAND = [sys.executable, "-c", "from casework.cli import main; main()"]


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


def casework(settings: Settings, *arguments: str | Path) -> Said:
    """Run `casework ARGUMENTS` in a pipe; a bug is raised, not turned into an exit code."""
    variables = {name: None for name in os.environ if name.startswith("CASEWORK_")} | environment(settings)
    done = CliRunner(env=variables).invoke(
        main, list(map(str, arguments)), catch_exceptions=False, prog_name="casework"
    )
    return Said(done.exit_code, done.stdout, done.stderr)


def begin(settings: Settings, *arguments: str | Path) -> "subprocess.Popen[bytes]":
    """Start `casework ARGUMENTS` and do not wait."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env=environment(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
