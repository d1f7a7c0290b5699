"""The data of an event, a fact or a request as they are given at the shell: NAME=VALUE, or one JSON object."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from casework.rules.statechart.fields import Field


institution_option = click.option(
    "--institution", metavar="CODE", help="Whose customer; needed where several institutions have the number."
)
data_option = click.option("--data", "pairs", multiple=True, metavar="NAME=VALUE", help="A field; may be repeated.")
data_json_option = click.option("--data-json", metavar="JSON", help="All fields as one JSON object.")


def given(fields: "Mapping[str, Field]", pairs: tuple[str, ...], data_json: str | None) -> dict[str, Any]:
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
        data[name] = typed(fields.get(name), value)
    return data


def typed(field: "Field | None", value: str) -> Any:
    """A value as its field takes it; what cannot be read so stays text, of which the door says what is wrong."""
    kind = field.type if field else "text"
    if kind in ("int", "fen") and value.isascii() and value.isdecimal():
        return int(value)
    if kind == "bool" and value in ("true", "false"):
        return value == "true"
    return value
