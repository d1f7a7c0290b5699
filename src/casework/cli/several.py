"""Some at a time at the shell: rows of a file in place of arguments, all or each by itself, a result for each."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from casework.cli.shell import console, print_json
from casework.errors import CallerError
from casework.intake.dialler.importing import read_bounded
from casework.intake.feed.headers import places_of
from casework.intake.feed.sheet import read_rows
from casework.intake.sheets.column import normal

ResultTold = Mapping[str, Any]
"""What became of one, as JSON has it: its `outcome`, and `zh` and `en` where something is wrong."""
atomic_option = click.option("--atomic", is_flag=True, help="If one may not be taken, none is.")


def from_option(columns: Sequence[str], most: int) -> Callable[[Any], Any]:
    """`--from FILE`: many at once, in place of the arguments."""
    text = f"A CSV or XLSX of up to {most} rows with these columns ({', '.join(columns)}), in place of the arguments."
    return click.option("--from", "file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help=text)


def rows_of(
    file: Path, columns: Sequence[str], needed: Sequence[str], most: int, aliases: Mapping[str, str] | None = None
) -> list[dict[str, str]]:
    """The rows of a small file (CSV in UTF-8 or GB18030, or XLSX), 1 to `most`: cells that say something, by column.

    `aliases`: by `normal` of what else a header may be, the column. UsageError where it is no such file.
    """
    known = {normal(name): name for name in columns} | dict(aliases or {})
    try:
        numbered = list(read_rows(read_bounded(file), file.name, most))
        header = numbered[0][1] if numbered else []
        places = places_of(header, known, needed)
    except CallerError as mistake:
        raise click.UsageError(f"{mistake.code}: {mistake} / {mistake.zh}") from None
    if any(name not in known and not name.startswith("set_aside_") for name in map(normal, header) if name):
        raise click.UsageError(f"{file.name}: columns are {', '.join(columns)}; needed {', '.join(needed)}")
    if not numbered[1:]:
        raise click.UsageError(f"{file.name}: no rows 没有数据行")
    width = len(header)
    cut = [line for line, cells in numbered if len(cells) < width or any(map(str.strip, cells[width:]))]
    if cut:
        raise click.UsageError(f"{file.name}: line {cut[0]} has not the cells of the header 第{cut[0]}行与表头列数不符")
    return [
        {name: cell for name, place in places.items() if (cell := cells[place].strip())} for _, cells in numbered[1:]
    ]


def result_of(fault: CallerError | None) -> dict[str, Any]:
    """What every result says: done, or what is wrong."""
    return {"outcome": "done"} if fault is None else {"outcome": fault.code, "zh": fault.zh, "en": str(fault)}


def right(one: ResultTold) -> ResultTold:
    """What became of one that was asked for by arguments; a CallerError where something is wrong with it."""
    if one.get("en") is not None:
        raise CallerError(one["outcome"], one["zh"], one["en"])
    return one


def tell_each(
    named: str, told: Sequence[ResultTold], said: Callable[[ResultTold], str], *, by: str, json_: bool
) -> None:
    """A result for each, and exit code 1 if something is wrong with one.

    `said` is told of one that is right; `by`: by what each is called, its line where it has none. `named`: what they
    are, beside the results in JSON; the results alone, where it is empty.
    """
    if json_:
        print_json({named: len(told), "results": told} if named else told)
    else:
        for line, one in enumerate(told, 1):
            text = said(one) if one.get("en") is None else f"{one['outcome']}: {one['en']} / {one['zh']}"
            console.print(f"{one.get(by) or f'line {line}'}: {text}", markup=False, soft_wrap=True)
    if any(one.get("en") is not None for one in told):
        raise SystemExit(1)
