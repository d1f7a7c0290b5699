"""`casework <noun> openings FILE`: many opened at once from a sheet, a row each, atomic or not."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from casework.cli.given import typed
from casework.cli.several import atomic_option, column_of
from casework.cli.shell import acting, as_json, as_staff, console, print_json, started

if TYPE_CHECKING:
    from casework.intake.sheets.fault import Places
    from casework.lifecycle.commands import Open, Outcome
    from casework.lifecycle.kept import Kept
    from casework.people.staff.actor import Actor
    from casework.rules.statechart.chart import Chart
    from casework.rules.statechart.fields import Field


MOST: Final = 1_000
_OF: Final = "case_id"
_GROUND: Final = "ground"


class _Column(NamedTuple):
    name: str  # of the field; empty: the column has no header
    in_yuan: bool = False


_OWN: Final = {"案件编号": _Column(_OF), "事由": _Column(_GROUND)}


def openings(word: str, help_text: str) -> click.Command:
    """The command `openings` of a noun."""

    @click.command("openings", help=help_text)
    @click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
    @atomic_option
    @click.option("--dry-run", is_flag=True, help="Decide, change nothing.")
    @as_json
    @as_staff
    def openings_(*, file: Path, atomic: bool, dry_run: bool, json_: bool, staff_no: str | None) -> None:
        from casework.intake.dialler.importing import read_bounded
        from casework.lifecycle.advance import advance
        from casework.lifecycle.commands import Done
        from casework.storage.database import reading, writing
        from casework.work.cases.lifecycles import LIFECYCLES

        noun = next(one for one in LIFECYCLES if one.word == word)
        content = read_bounded(file)
        with started() as open_, (reading if dry_run else writing)(open_.engine) as conn:
            actor = acting(conn, open_.branch, staff_no)
            read = _commands(noun, open_.branch.rulebook.charts[noun.chart], actor, content, file.name)
            more: dict[str, Any] = {"lock": False, "dry_run": True} if dry_run else {"atomic": atomic}
            outcomes = advance(conn, read.commands, open_.branch, **more)
        told = [
            read.with_cells(at, _told(line, outcome, dry_run=dry_run))
            for at, (line, outcome) in enumerate(zip(read.lines, outcomes, strict=True))
        ]
        if json_:
            print_json({"atomic": atomic, "dry_run": dry_run, "items": len(told), "results": told})
        else:
            for one in told:
                console.print(_said(one), markup=False)
        raise SystemExit(0 if all(isinstance(one, Done) for one in outcomes) else 1)

    return openings_


class _ReadRows(NamedTuple):
    """A command for each row, the lines that they stand on with their cells by column, and where the columns are."""

    commands: "list[Open]"
    lines: list[int]
    rows: list[Mapping[str, str]]
    places: "Places"

    def with_cells(self, at: int, told: dict[str, Any]) -> dict[str, Any]:
        """What is told of a row, each fault with its file, cell and value."""
        return told if "faults" not in told else told | {"faults": [self._placed(at, one) for one in told["faults"]]}

    def _placed(self, at: int, one: dict[str, Any]) -> dict[str, Any]:
        from casework.intake.sheets.fault import Fault

        name = one["field"] or ""
        placed = self.places.placed(Fault(self.lines[at], name, "", "", ""), None)
        value = column_of(name).shown(self.rows[at].get(name, ""))
        return one | {"file": placed.file, "cell": placed.cell, "value": value}


def _commands(noun: "Kept", chart: "Chart", actor: "Actor", content: bytes, name: str) -> _ReadRows:
    """An empty cell is a field that is not given. CallerErrors of `read_rows` and `places_of`."""
    from casework.intake.feed.sheet import read_rows
    from casework.intake.sheets.fault import Places
    from casework.lifecycle.commands import Open

    read = read_rows(content, name, MOST)
    numbered = iter(read)
    header = next(numbered, (1, [""]))[1]
    columns = _columns(noun, chart, header)
    positions = {column.name: at for at, column in enumerate(columns) if column.name}
    found = _ReadRows([], [], [], Places(name, header, positions, [], workbook=read.workbook))
    for line, cells in numbered:
        pairs = zip(columns, map(str.strip, cells), strict=False)
        row = {column: cell for column, cell in pairs if column.name and cell}
        found.rows.append({column.name: cell for column, cell in row.items()})
        case_id, ground = row.pop(_Column(_OF), "") if noun.child else "", row.pop(_Column(_GROUND), "")
        spec = chart.openings.get(ground)
        data = {column.name: _read(column, spec.fields if spec else {}, cell) for column, cell in row.items()}
        of = int(case_id) if case_id.isascii() and case_id.isdecimal() and len(case_id) < 16 else None
        found.lines.append(line)
        found.commands.append(Open(actor=actor, noun=noun.chart, ground=ground, of=of, data=data))
    return found


def _columns(noun: "Kept", chart: "Chart", cells: Sequence[str]) -> list[_Column]:
    """By their names, amounts in fen, or their Chinese ones, amounts in yuan as in every file that people write.

    What is no column of the chart is told as its rows' fault.
    """
    from casework.intake.feed.headers import places_of
    from casework.intake.sheets.column import normal

    fields = {name: field for ground in chart.openings.values() for name, field in ground.fields.items()}
    known = _OWN | {normal(field.zh): _Column(name, field.type == "fen") for name, field in fields.items()}
    known |= {normal(name): _Column(name) for name in fields}
    found = [known.get(normal(cell), _Column(cell.strip())) for cell in cells]
    named = [one.name for one in found if one.name]
    places_of(named, {normal(name): name for name in named}, (_OF, _GROUND) if noun.child else (_GROUND,))
    return found


def _read(column: _Column, fields: "Mapping[str, Field]", cell: str) -> Any:
    from casework.intake.feed.cell import BadCell, amount_cell

    with suppress(BadCell):
        if column.in_yuan:
            return amount_cell(cell, column.name)
    return typed(None if column.in_yuan else fields.get(column.name), cell)


def _told(line: int, outcome: "Outcome", *, dry_run: bool) -> dict[str, Any]:
    from casework.lifecycle.commands import Done, Mistaken, Refused

    told: dict[str, Any] = {"line": line, "outcome": outcome.code}
    if isinstance(outcome, Done):
        return told if dry_run else told | {"id": outcome.id, "version": outcome.version, "state": outcome.state,
                       "entry_id": outcome.entry_id}  # fmt: skip
    if isinstance(outcome, Refused):
        reasons = [{"code": one.code, "zh": one.zh, "en": one.en, "rules": one.rules} for one in outcome.reasons]
        return told | {"reasons": reasons} | ({} if dry_run else {"entry_id": outcome.entry_id})
    if isinstance(outcome, Mistaken):
        faults = [{"field": one.field, "code": one.code, "zh": one.zh, "en": one.en} for one in outcome.faults]
        return told | ({"faults": faults} if faults else {})
    return told


def _value(which: Mapping[str, Any]) -> str:
    return f" ({which['value']})" if which.get("value") else ""


def _said(one: dict[str, Any]) -> str:
    why = [
        f"{which.get('cell') or which.get('field') or which['code']}: {which['zh']} / {which['en']}{_value(which)}"
        for which in (*one.get("reasons", ()), *one.get("faults", ()))
    ]
    number = f" {one['id']}, {one['state']}" if "id" in one else ""
    return f"line {one['line']}: {one['outcome']}{number}{'; '.join(('', *why))}"
