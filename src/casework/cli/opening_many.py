"""`casework <noun> openings FILE`: many opened at once from a sheet, a row each, atomic or not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from casework.cli.given import given
from casework.cli.shell import acting, as_json, as_staff, console, print_json, started
from casework.intake.dialler.importing import read_bounded
from casework.intake.feed.headers import normal, places_of
from casework.intake.feed.sheet import read_rows
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Mistaken, Open, Outcome, Refused
from casework.lifecycle.kept import Kept
from casework.people.staff.actor import Actor
from casework.rules.statechart.chart import Chart
from casework.storage.database import reading, writing

MOST: Final = 1_000
_OF: Final = "case_id"
_GROUND: Final = "ground"


def openings(noun: Kept, help_text: str) -> click.Command:
    """The command `openings` of a noun."""

    @click.command("openings", help=help_text)
    @click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
    @click.option("--atomic", is_flag=True, help="If one may not be opened, none is.")
    @click.option("--dry-run", is_flag=True, help="Decide, change nothing.")
    @as_json
    @as_staff
    def openings_(*, file: Path, atomic: bool, dry_run: bool, json_: bool, staff_no: str | None) -> None:
        content = read_bounded(file)
        with started() as open_, (reading if dry_run else writing)(open_.engine) as conn:
            actor = acting(conn, open_.branch, staff_no)
            lines, commands = _commands(noun, open_.branch.rulebook.charts[noun.chart], actor, content, file.name)
            more: dict[str, Any] = {"lock": False, "dry_run": True} if dry_run else {"atomic": atomic}
            outcomes = advance(conn, commands, open_.branch, **more)
        told = [_told(line, outcome, dry_run=dry_run) for line, outcome in zip(lines, outcomes, strict=True)]
        if json_:
            print_json({"atomic": atomic, "dry_run": dry_run, "items": len(told), "results": told})
        else:
            for one in told:
                console.print(_said(one), markup=False)
        raise SystemExit(0 if all(isinstance(one, Done) for one in outcomes) else 1)

    return openings_


def _commands(noun: Kept, chart: Chart, actor: Actor, content: bytes, name: str) -> tuple[list[int], list[Open]]:
    """A command for each row, and the lines that they stand on; an empty cell is a field that is not given.

    CallerErrors of `read_rows` and `places_of`.
    """
    numbered = iter(read_rows(content, name, MOST))
    header = _header(noun, chart, next(numbered, (1, [""]))[1])
    lines, commands = list[int](), list[Open]()
    for line, cells in numbered:
        row = {column: cell.strip() for column, cell in zip(header, cells, strict=False) if cell.strip()}
        case_id, ground = row.pop(_OF, "") if noun.child else "", row.pop(_GROUND, "")
        spec = chart.openings.get(ground)
        data = given(spec.fields if spec else {}, tuple(f"{column}={cell}" for column, cell in row.items()), None)
        of = int(case_id) if case_id.isascii() and case_id.isdecimal() and len(case_id) < 16 else None
        lines.append(line)
        commands.append(Open(actor=actor, noun=noun.chart, ground=ground, of=of, data=data))
    return lines, commands


def _header(noun: Kept, chart: Chart, cells: Sequence[str]) -> list[str]:
    """The columns by their names or their Chinese ones; what is no column of the chart is told as its rows' fault."""
    fields = {name: field for ground in chart.openings.values() for name, field in ground.fields.items()}
    known = {normal(text): name for name, field in fields.items() for text in (name, field.zh)}
    header = [known.get(normal(cell), cell.strip()) for cell in cells]
    places_of(header, {normal(name): name for name in header}, (_OF, _GROUND) if noun.child else (_GROUND,))
    return header


def _told(line: int, outcome: Outcome, *, dry_run: bool) -> dict[str, Any]:
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


def _said(one: dict[str, Any]) -> str:
    why = [
        f"{which.get('field') or which['code']}: {which['zh']} / {which['en']}"
        for which in (*one.get("reasons", ()), *one.get("faults", ()))
    ]
    number = f" {one['id']}, {one['state']}" if "id" in one else ""
    return f"line {one['line']}: {one['outcome']}{number}{'; '.join(('', *why))}"
