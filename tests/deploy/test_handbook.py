"""Every command of the papers is one that there is, with the options and as many arguments as it takes."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from casework.cli.main import main
from tests.deploy.blocks import DEPLOY, ROOT

PAPERS = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "statecharts/README.md")),
    *sorted((ROOT / "docs").glob("*.md")), DEPLOY / "README.md",
)  # fmt: skip
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ENDS = {"|", ">", "&&", ";", "||"}


def commands() -> Iterator[str]:
    """Lines that call the program, in blocks and in the text; what has a gap in it (`…`, `|`, `[`, `<`) is none."""
    for paper in PAPERS:
        text = paper.read_text(encoding="utf-8")
        for block in _BLOCK.findall(text):
            yield from (line for line in block.splitlines() if line.startswith("casework "))
        yield from re.findall(r"`(casework [^`…|<[]+)`", _BLOCK.sub("", text).replace("\n", " "))


def parsed(words: list[str]) -> None:
    """UsageError for an unknown command or option; nothing is run, no file is looked for."""
    context = click.Context(main, info_name="casework")
    command: click.Command = main
    while isinstance(command, click.Group):
        _, words, _ = command.make_parser(context).parse_args(words)  # a group may have options of its own
        if not words:
            return
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        context = click.Context(found, parent=context, info_name=name)
        command = found
    try:
        _, left, _ = command.make_parser(context).parse_args(words)
    except click.BadOptionUsage:  # the text names an option without its value
        return
    if left:
        raise click.UsageError(f"{left} is too much")


def words_of(line: str) -> list[str]:
    """As a shell would split it, as far as the program sees it."""
    words = shlex.split(re.sub(r"\$\([^)]*\)", "X", line).replace(";", " ;"), comments=True)[1:]
    end = next((number for number, word in enumerate(words) if word in _ENDS or word.startswith(">")), len(words))
    return words[:end]


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_each_command_of_a_paper_is_one_that_there_is(line: str) -> None:
    parsed(words_of(line))


@pytest.mark.parametrize(
    "line", ["casework db upgrde", "casework sweep --day 2026-03-02", "casework morning 2026-03-02"]
)
def test_one_that_there_is_not_is_told(line: str) -> None:
    with pytest.raises(click.UsageError):
        parsed(words_of(line))
