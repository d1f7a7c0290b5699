"""The data of an event, a fact or a request as they are given at the shell: NAME=VALUE, one JSON object, or rows."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from casework.rules.statechart.fields import Field

institution_option = click.option(
    "--institution", metavar="CODE", help="Whose customer; needed where several institutions have the number."
)
data_option = click.option("--data", "pairs", multiple=True, metavar="NAME=VALUE", help="A field; may be repeated.")
data_json_option = click.option("--data-json", metavar="JSON", help="All fields as one JSON object.")


def rows_of(file: Path, columns: Sequence[str], needed: Sequence[str], most: int) -> list[dict[str, str]]:
    """The rows of a small CSV in UTF-8, 1 to `most`: the cells that say something, by column. UsageError otherwise."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            header = set(reader.fieldnames or ())
            if header - set(columns) or set(needed) - header:
                raise click.UsageError(f"{file.name}: columns are {', '.join(columns)}; needed {', '.join(needed)}")
            rows = [{name: cell for name in columns if (cell := (row.get(name) or "").strip())} for row in reader]
    except (UnicodeDecodeError, csv.Error):
        raise click.UsageError(f"{file.name} is no CSV in UTF-8") from None
    if not 1 <= len(rows) <= most:
        raise click.UsageError(f"{file.name}: 1 to {most} rows at a time, not {len(rows)}")
    return rows


def from_option(columns: Sequence[str], most: int) -> Callable[[Any], Any]:
    """`--from FILE`: many at once, in place of the arguments."""
    text = f"A CSV of up to {most} rows with these columns ({', '.join(columns)}), in place of the arguments."
    return click.option("--from", "file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help=text)


atomic_option = click.option("--atomic", is_flag=True, help="If one row may not be taken, none is.")


def given(fields: Mapping[str, Field], pairs: tuple[str, ...], data_json: str | None) -> dict[str, Any]:
    """The data as the door takes it: numbers and flags are read by the field's type, all else stays text."""
    data: dict[str, Any] = {}
    if data_json is not None:
        try:
            data = json.loads(data_json)
        except ValueError:
            data = []  # type: ignore[assignment]  # told below
        if not isinstance(data, dict):
            raise click.UsageError("--data-json must be a JSON object")
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--data takes NAME=VALUE, not {pair[:64]!r}")
        data[name] = _typed(fields.get(name), value)
    return data


def _typed(field: Field | None, value: str) -> Any:
    kind = field.type if field else "text"
    if kind in ("int", "fen") and value.isascii() and value.isdecimal():
        return int(value)
    if kind == "bool" and value in ("true", "false"):
        return value == "true"
    return value
