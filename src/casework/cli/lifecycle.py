"""What may be done with any noun but cases at the shell, made once: opening one and firing its events."""

from typing import Any

import click
import msgspec
from sqlalchemy.engine import Connection

from casework.cli import case_tables
from casework.cli.given import data_json_option, data_option, given
from casework.cli.shell import acting, as_json, as_staff, print_json, started
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Open, Refused
from casework.lifecycle.kept import Kept
from casework.operation.startup import Started
from casework.storage.database import writing

_USAGE = frozenset({"unknown_event", "unknown_ground", "faulty_data"})
_EXIT_CODES = "Exit code 0: done; 1: refused, with every reason on stderr; 2: usage."


def doing(noun: Kept, *, opening: str, event: str) -> list[click.Command]:
    """The commands `open` and `fire` of a noun; `opening` and `event` are what their examples end in."""
    return [_open(noun, opening), _fire(noun, event)]


def _open(noun: Kept, example: str) -> click.Command:
    word = noun.word

    @click.command("open", help=f"Open a {word} on a ground of its chart. {_EXIT_CODES}\n\n\b\nExample:\n  "
                   f"casework {word} open {example}")  # fmt: skip
    @click.option("--ground", required=True, help="A ground of the chart on which it may be opened.")
    @data_option
    @data_json_option
    @as_json
    @as_staff
    def open_(
        *, ground: str, pairs: tuple[str, ...], data_json: str | None, json_: bool, staff_no: str | None,
        of: int | None = None,
    ) -> None:  # fmt: skip
        with started() as open_, writing(open_.engine) as conn:
            spec = open_.branch.rulebook.charts[noun.chart].openings.get(ground)
            data = given(spec.fields if spec else {}, pairs, data_json)
            actor = acting(conn, open_.branch, staff_no)
            command = Open(actor=actor, noun=noun.chart, ground=ground, of=of, data=data)
            code = _do(conn, open_, noun, command, json_=json_)
        raise SystemExit(code)

    if noun.child:
        click.option("--case", "of", type=int, required=True, metavar="CASE_ID", help="The case it is of.")(open_)
    return open_


def _fire(noun: Kept, example: str) -> click.Command:
    word = noun.word

    @click.command("fire", help=f"Fire EVENT on the {word} with NUMBER. {_EXIT_CODES}\n\n\b\nExample:\n  "
                   f"casework {word} fire {example}")  # fmt: skip
    @click.argument("number", type=int)
    @click.argument("event")
    @data_option
    @data_json_option
    @click.option("--version", type=int, help=f"Refuse unless the {word} still is at this version.")
    @as_json
    @as_staff
    def fire(
        *, number: int, event: str, pairs: tuple[str, ...], data_json: str | None, version: int | None, json_: bool,
        staff_no: str | None,
    ) -> None:  # fmt: skip
        with started() as open_, writing(open_.engine) as conn:
            spec = open_.branch.rulebook.charts[noun.chart].events.get(event)
            data = given(spec.fields if spec else {}, pairs, data_json)
            actor = acting(conn, open_.branch, staff_no)
            command = Fire(actor=actor, noun=noun.chart, id=number, event=event, data=data, version=version)
            code = _do(conn, open_, noun, command, json_=json_)
        raise SystemExit(code)

    return fire


def _do(conn: Connection, open_: Started, noun: Kept, command: Any, *, json_: bool) -> int:
    """Through the door; the exit code. A refusal is committed: its entry must survive."""
    chart = open_.branch.rulebook.charts[noun.chart]
    (outcome,) = advance(conn, [command], open_.branch)
    if json_:
        print_json({"outcome": type(outcome).__name__.lower(), **msgspec.to_builtins(outcome)})
    if isinstance(outcome, Done):
        if not json_:
            case_tables.done(outcome, chart, noun.word)
        return 0
    case_tables.why_not(outcome, noun.word, chart)
    if isinstance(outcome, Refused):
        return 1
    return 2 if getattr(outcome, "code", "") in _USAGE else 1
