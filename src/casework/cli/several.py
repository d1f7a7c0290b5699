"""Some at a time at the shell: rows of a file in place of arguments, all or each by itself, a result for each."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from casework.cli.shell import console, print_json
from casework.errors import CallerError

if TYPE_CHECKING:
    from casework.intake.sheets.column import FileColumn
    from casework.intake.sheets.fault import Places


_CUT_TOLD: Final = 20
_DESCRIBING: Final = frozenset({"note", "remark", "reason", "relation", "recording"})
ResultTold = Mapping[str, Any]
"""What became of one, as JSON has it: its `outcome`, and `zh` and `en` where something is wrong."""
atomic_option = click.option("--atomic", is_flag=True, help="If one may not be taken, none is.")
look_option = click.option("--dry-run", is_flag=True, help="Only say what would become of the rows.")
LOOKED = "only looked at, nothing was changed 仅查看，未作更改:"


def from_option(columns: Sequence[str], most: int) -> Callable[[Any], Any]:
    """`--from FILE`: many at once, in place of the arguments."""
    text = f"A CSV or XLSX of up to {most} rows with these columns ({', '.join(columns)}), in place of the arguments."
    return click.option("--from", "file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help=text)


class GivenRows(list[dict[str, str]]):
    """The rows of a file, cells that say something by column, and where they stand in it."""

    def __init__(self, rows: Sequence[tuple[int, dict[str, str]]], places: "Places") -> None:
        super().__init__(row for _, row in rows)
        self._lines, self._places = [line for line, _ in rows], places

    def line(self, at: int) -> int:
        """On which line the row at this place stands."""
        return self._lines[at]

    def with_place(self, at: int, one: ResultTold) -> ResultTold:
        """What became of the row at this place, with file, line, and the cell that is wrong with its value masked."""
        from casework.intake.sheets.fault import Fault

        column = str(one.get("column") or one.get("field") or "")
        fault = self._places.placed(Fault(self._lines[at], column, "", "", ""), None)
        told = {"file": fault.file, "line": fault.line, "cell": fault.cell if one.get("en") is not None else None}
        value = column_of(column).shown(self[at].get(column, "")) if told["cell"] else None
        return {**one, **told, "value": value}


def column_of(name: str) -> "FileColumn":
    """A column of which the name alone is known: what names or describes somebody is masked."""
    from casework.intake.sheets.column import FileColumn
    from casework.intake.sheets.kinds import CODE, TEXT
    from casework.personal import kind_of

    return FileColumn(name, TEXT if name in _DESCRIBING else CODE, personal=kind_of(name) != "text")


def rows_of(
    file: Path, columns: Sequence[str], needed: Sequence[str], most: int, aliases: Mapping[str, str] | None = None
) -> GivenRows:
    """The rows of a small file (CSV in UTF-8 or GB18030, or XLSX), 1 to `most`: cells that say something, by column.

    `aliases`: by `normal` of what else a header may be, the column. UsageError where it is no such file: it names every
    column that is unknown or missing, and every line whose cells may have moved.
    """
    from casework.intake.dialler.importing import read_bounded
    from casework.intake.feed.headers import places_of
    from casework.intake.feed.sheet import read_rows
    from casework.intake.sheets.column import is_ours, normal
    from casework.intake.sheets.fault import Places

    known = {normal(name): name for name in columns} | dict(aliases or {})
    try:
        lines = read_rows(read_bounded(file), file.name, most)
        numbered = list(lines)
        header = numbered[0][1] if numbered else []
        places = places_of(header, known, needed)
    except CallerError as mistake:
        raise click.UsageError(f"{mistake.code}: {mistake} / {mistake.zh}") from None
    if unknown := [name for name in header if name.strip() and normal(name) not in known and not is_ours(name)]:
        named = f"{file.name}: unknown columns 无法识别的列 {', '.join(name.strip()[:64] for name in unknown)}"
        raise click.UsageError(f"{named}; columns are {', '.join(columns)}; needed {', '.join(needed)}")
    if not numbered[1:]:
        raise click.UsageError(f"{file.name}: no rows 没有数据行")
    width = len(header)
    cut = [str(line) for line, cells in numbered if len(cells) < width or any(map(str.strip, cells[width:]))]
    if cut:
        which = ", ".join(cut[:_CUT_TOLD])
        raise click.UsageError(f"{file.name}: line {which} has not the cells of the header 第{which}行与表头列数不符")
    rows = [
        (line, {name: cell for name, place in places.items() if (cell := cells[place].strip())})
        for line, cells in numbered[1:]
    ]
    return GivenRows(rows, Places(file.name, header, places, [], workbook=lines.workbook))


def result_of(fault: CallerError | None) -> dict[str, Any]:
    """What every result says: done, or what is wrong."""
    return {"outcome": "done"} if fault is None else {"outcome": fault.code, "zh": fault.zh, "en": str(fault)}


def right(one: ResultTold) -> ResultTold:
    """What became of one that was asked for by arguments; a CallerError where something is wrong with it."""
    if one.get("en") is not None:
        raise CallerError(one["outcome"], one["zh"], one["en"])
    return one


def tell_each(
    named: str, told: Sequence[ResultTold], said: Callable[[ResultTold], str], *, by: str, json_: bool,
    rows: object = None,
) -> None:  # fmt: skip
    """A result for each, and exit code 1 if something is wrong with one.

    `said` is told of one that is right; `by`: by what each is called, its line where it has none. `named`: what they
    are, beside the results in JSON; the results alone, where it is empty. `rows`: of the file that they came from.
    """
    if isinstance(rows, GivenRows):
        told = [rows.with_place(at, one) for at, one in enumerate(told)]
    if json_:
        print_json({named: len(told), "results": told} if named else told)
    else:
        for line, one in enumerate(told, 1):
            text = said(one) if one.get("en") is None else f"{one['outcome']}: {one['en']} / {one['zh']}"
            place = f" ({one['file']}, {one['cell']}: {one['value'] or ''})" if one.get("cell") else ""
            console.print(f"{one.get(by) or f'line {line}'}: {text}{place}", markup=False, soft_wrap=True)
    if any(one.get("en") is not None for one in told):
        raise SystemExit(1)
