"""`casework chart diff`: what differs between two versions of a chart, in words and in a drawing."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from casework.cli.shell import as_json, console, print_json, started, told
from casework.errors import CallerError
from casework.rules.statechart.draw import LANGUAGES

if TYPE_CHECKING:
    from casework.rules.statechart.chart import Chart
    from casework.rules.statechart.differences import Differences
    from casework.rules.statechart.policy import Policies


_LOOKS = {"added": "green", "gone": "red", "changed": "yellow", "renamed": "yellow"}


@click.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--svg", "drawing", type=click.Path(dir_okay=False, path_type=Path), help="Draw both into this file.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="zh", show_default=True, help="Words and labels.")
@as_json
def diff(before: str, after: str, drawing: Path | None, lang: str, json_: bool) -> None:
    """Show what B has that A has not, and the other way round: states, events, arcs, guards, facts, posts, rules.

    A and B are a file, a chart by name (as it is in force), or a published version such as overdue_loan@1. A state
    that the [moves] of the next version call by another name is shown as renamed. In the drawing: ＋ added, － gone,
    ± changed.

    \b
    Examples:
      casework chart diff overdue_loan@1 overdue_loan
      casework chart diff overdue_loan drafts/overdue_loan.toml --lang en
      casework chart diff overdue_loan@1 overdue_loan@2 --svg diff.svg --json
    """
    from casework.rules.statechart.differences import differences
    from casework.rules.statechart.draw_differences import svg_of_differences
    from casework.rules.statechart.policy import load_policies
    from casework.settings import Settings

    with told():
        policies = load_policies(Settings.from_environment().statecharts)
        old, new = _chart(before, policies), _chart(after, policies)
        found = differences(old, new)
        if drawing is not None:
            figures = policies.all[-1]
            from casework.cli.ledger import write_out  # most who compare write no file

            write_out(drawing, svg_of_differences(old.told_with(figures), new.told_with(figures), lang).encode())
    print_json(found) if json_ else _show(found, lang)


def _chart(named: str, policies: "Policies") -> "Chart":
    """A file, the chart in force, or a published version; checked as a whole where it is not of the past."""
    from casework.rules.statechart.parse import parse_chart
    from casework.settings import Settings
    from casework.storage.database import reading
    from casework.work.cases.publish import version_published
    from casework.work.cases.rulebook import registry_of

    folder = Settings.from_environment().statecharts
    name, at, _ = named.partition("@")
    file = Path(named) if "/" in named or named.endswith(".toml") else folder / f"{name}.toml"
    if at and file.parent == folder:
        with started(check=False) as open_, reading(open_.engine) as conn:
            found = version_published(conn, named)
        if found is None:
            raise CallerError("unknown_version", f"未发布过 {named}", f"{named} was never published in this database")
        return found
    try:
        text = file.read_bytes()
    except OSError as error:
        reason = str(error.strerror)
        raise CallerError("unknown_chart", f"无法读取 {file}：{reason}", f"cannot read {file}: {reason}") from None
    return parse_chart(text, registry_of(_name_in(text) or file.stem), policies, file=file.name)


def _name_in(text: bytes) -> str | None:
    """The chart's own name: a draft may lie under another one. What is no chart is reported when it is parsed."""
    lines = text.decode(errors="replace").splitlines()
    named = next((line for line in lines if line.partition("=")[0].strip() == "name"), None)
    return None if named is None else named.partition("=")[2].strip().strip('"')


def _show(found: "Differences", lang: str) -> None:
    from rich.markup import escape

    from casework.rules.statechart.differences import PARTS

    console.print(f"[bold]{escape(f'{found.before} → {found.after}')}[/bold]", soft_wrap=True)
    if not found.changes:
        console.print("没有差别" if lang == "zh" else "nothing differs")
    part = None
    for one in found.changes:
        if one.part != part:
            part = one.part
            console.print(f"\n[bold]{PARTS[part][0 if lang == 'zh' else 1]}[/bold]")
        said = one.zh if lang == "zh" else one.en
        console.print(f"  [{_LOOKS[one.how]}]{escape(said)}[/]", soft_wrap=True)
