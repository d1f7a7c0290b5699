"""Every command explains itself."""

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from casework.cli.main import main


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", list(commands(main)), ids=" ".join)
def test_every_command_has_help_with_an_example_on_lines_of_its_own(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    assert "\\b" not in result.output
    examples = result.output.partition("Example")[2].splitlines()
    assert any(" ".join(("casework", *path)) in line or "/me/cases" in line for line in examples[1:]), result.output


def test_a_command_of_every_day_does_not_load_what_changes_schemas() -> None:
    """It would take a quarter of the command's time."""
    loads = "import sys, casework.cli.case, casework.cli.feed; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loads], check=False).returncode == 0
