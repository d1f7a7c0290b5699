"""What may be done with any noun but cases at the shell, made once from its chart; looking at it is `looking`."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from casework.cli import case_tables
from casework.cli.changing import day
from casework.cli.given import data_json_option, data_option, given
from casework.cli.looking import chart_of, filtered, help_text, list_of, looking, noun_named
from casework.cli.opening_many import openings
from casework.cli.shell import ALL, acting, as_json, as_staff, console, permitted, print_json, started
from casework.clock import now

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.lifecycle.commands import Outcome
    from casework.lifecycle.kept import Kept
    from casework.lifecycle.noun import Noun
    from casework.operation.startup import Started
    from casework.rules.statechart.chart import Chart
    from casework.work.cases import shown


_USAGE = frozenset({"unknown_event", "unknown_fact", "unknown_ground", "faulty_data"})
_EXIT_CODES = "Exit code 0: done; 1: refused, with every reason on stderr; 2: usage."


def group(noun: "Noun") -> click.Group:
    """All that a noun has from its chart alone."""
    about = str(noun.subject.__doc__).splitlines()[0].partition(";")[0]  # behind it are fields
    made = click.Group(noun.word, help=help_text(noun.word, about, "list"))
    for command in (*looking(noun.word), list_of(noun.word), *doing(noun.word, child=noun.child)):
        made.add_command(command)
    return made


def doing(
    word: str, *, child: bool, opening: str = "--ground GROUND --as S0012", event: str = "31 EVENT --as S0012"
) -> list[click.Command]:
    """The commands that change one or many; `child`: of a case; `opening` and `event` end their examples."""
    columns = "case_id, ground" if child else "ground"
    many = f"Open many: a row of FILE (CSV or XLSX) each, its columns {columns} and the fields of the chart."
    many += " An amount under its Chinese name is in yuan, under its own in fen."
    codes = "Exit code 0: all done; 1: some are not; 2: usage."
    opened = openings(word, help_text(word, f"{many} {codes}", "openings many.csv --atomic --as S0012"))
    return [_open(word, opening, child=child), opened, *changing_one(word, event=event), _bulk(word)]


def changing_one(
    word: str, *, event: str, fire: str = "fire", fact: str = "31 KIND --on 2026-03-09 --evidence rec:1"
) -> list[click.Command]:
    """The commands that change one by an event (called `fire`), a fact or a note; with what their examples end in."""
    return [
        _fire(word, fire, event),
        _record(word, fact),
        _note(word, f'{event.split(maxsplit=1)[0]} "客户称月底还款"'),
    ]


def _open(word: str, example: str, *, child: bool) -> click.Command:
    @click.command(
        "open", help=help_text(word, f"Open a {word} on a ground of its chart. {_EXIT_CODES}", f"open {example}")
    )
    @click.option("--ground", required=True, help="A ground of the chart on which it may be opened.")
    @data_option
    @data_json_option
    @as_json
    @as_staff
    def open_(
        *, ground: str, pairs: tuple[str, ...], data_json: str | None, json_: bool, staff_no: str | None,
        of: int | None = None,
    ) -> None:  # fmt: skip
        from casework.lifecycle.commands import Open
        from casework.storage.database import writing

        noun = noun_named(word)
        with started() as open_, writing(open_.engine) as conn:
            spec = chart_of(open_, noun).openings.get(ground)
            data = given(spec.fields if spec else {}, pairs, data_json)
            actor = acting(conn, open_.branch, staff_no)
            command = Open(actor=actor, noun=noun.chart, ground=ground, of=of, data=data)
            code = _do(conn, open_, command, noun=noun, json_=json_)
        raise SystemExit(code)

    if child:
        click.option("--case", "of", type=int, required=True, metavar="CASE_ID", help="The case it is of.")(open_)
    return open_


def _version(word: str) -> Callable[[Any], Any]:
    return click.option("--version", type=int, help=f"Refuse unless the {word} still is at this version.")


def _number(word: str) -> Callable[[Any], Any]:
    return click.argument("number", type=int, metavar="CASE_ID" if word == "case" else "NUMBER")


def _fire(word: str, name: str, example: str) -> click.Command:
    text = f"Fire EVENT on the {word} with this number. {_EXIT_CODES}"

    @click.command(name, help=help_text(word, text, f"{name} {example}"))
    @_number(word)
    @click.argument("event")
    @data_option
    @data_json_option
    @_version(word)
    @as_json
    @as_staff
    def fire(
        *, number: int, event: str, pairs: tuple[str, ...], data_json: str | None, version: int | None, json_: bool,
        staff_no: str | None,
    ) -> None:  # fmt: skip
        from casework.lifecycle.commands import Fire
        from casework.storage.database import writing

        noun = noun_named(word)
        with started() as open_, writing(open_.engine) as conn:
            spec = chart_of(open_, noun).events.get(event)
            data = given(spec.fields if spec else {}, pairs, data_json)
            actor = acting(conn, open_.branch, staff_no)
            command = Fire(actor=actor, noun=noun.chart, id=number, event=event, data=data, version=version)
            code = _do(conn, open_, command, noun=noun, json_=json_)
        raise SystemExit(code)

    return fire


def _record(word: str, example: str) -> click.Command:
    text = f"Record a fact of KIND on the {word} with this number. {_EXIT_CODES}"

    @click.command("record", help=help_text(word, text, f"record {example}"))
    @_number(word)
    @click.argument("kind")
    @click.option("--on", type=day, required=True, help="When it happened.")
    @click.option("--evidence", required=True, metavar="REF", help="A reference such as rec:2026-0001.")
    @data_option
    @data_json_option
    @_version(word)
    @as_json
    @as_staff
    def record(
        *, number: int, kind: str, on: datetime, evidence: str, pairs: tuple[str, ...], data_json: str | None,
        version: int | None, json_: bool, staff_no: str | None,
    ) -> None:  # fmt: skip
        from casework.lifecycle.commands import Record
        from casework.storage.database import writing

        noun = noun_named(word)
        with started() as open_, writing(open_.engine) as conn:
            spec = chart_of(open_, noun).facts.get(kind)
            data = given(spec.fields if spec else {}, pairs, data_json)
            command = Record(
                actor=acting(conn, open_.branch, staff_no), noun=noun.chart, id=number, kind=kind, on=on.date(),
                evidence=evidence, data=data, version=version,
            )  # fmt: skip
            code = _do(conn, open_, command, noun=noun, json_=json_)
        raise SystemExit(code)

    return record


def _note(word: str, example: str) -> click.Command:
    text = f"Write a note on the {word}; its text is kept sealed, outside the log. {_EXIT_CODES}"

    @click.command("note", help=help_text(word, text, f"note {example} --as S0012"))
    @_number(word)
    @click.argument("text")
    @as_json
    @as_staff
    def note(*, number: int, text: str, json_: bool, staff_no: str | None) -> None:
        from casework.lifecycle.commands import Note
        from casework.storage.database import writing

        noun = noun_named(word)
        with started() as open_, writing(open_.engine) as conn:
            command = Note(actor=acting(conn, open_.branch, staff_no), noun=noun.chart, id=number, text=text)
            code = _do(conn, open_, command, noun=noun, json_=json_)
        raise SystemExit(code)

    return note


def _bulk(word: str) -> click.Command:
    text = "Fire EVENT on all NUMBERS, or on those of a filter. Exit code 0: all done; 1: some are not; 2: usage."

    @click.command("bulk", help=help_text(word, text, "bulk EVENT --due-by 2026-03-09 --dry-run"))
    @click.argument("event")
    @click.argument("numbers", type=int, nargs=-1)
    @filtered
    @data_option
    @data_json_option
    @click.option("--atomic", is_flag=True, help="If it may not happen to one, it happens to none.")
    @click.option("--dry-run", is_flag=True, help="Decide, change nothing.")
    @as_json
    @as_staff
    def bulk(
        *, event: str, numbers: tuple[int, ...], wanted: "shown.ShownWanted", pairs: tuple[str, ...],
    data_json: str | None,
        atomic: bool, dry_run: bool, json_: bool, staff_no: str | None,
    ) -> None:  # fmt: skip
        from casework.lifecycle.advance import advance
        from casework.lifecycle.commands import Done, Fire
        from casework.storage.database import reading, writing
        from casework.work.cases import shown
        from casework.work.cases.sight import reach_of

        noun = noun_named(word)
        if numbers and wanted != shown.ShownWanted():
            raise click.UsageError("give NUMBERS or a filter")
        with started() as open_, (reading if dry_run else writing)(open_.engine) as conn:
            spec = chart_of(open_, noun).events.get(event)
            data = given(spec.fields if spec else {}, pairs, data_json)
            actor = permitted(conn, open_.branch, staff_no, f"{word}.event")
            within = reach_of(open_.branch, actor, f"{word}.event", open_.branch.today(now()))
            found = {} if numbers else _found(conn, open_, noun, within, wanted)
            commands = [
                Fire(actor=actor, noun=noun.chart, id=number, event=event, data=data, version=found.get(number))
                for number in (numbers or found)
            ]
            more: dict[str, Any] = {"lock": False, "dry_run": True} if dry_run else {"atomic": atomic}
            outcomes = advance(conn, commands, open_.branch, **more)
            _tell_many(outcomes, dry_run=dry_run, json_=json_)
        raise SystemExit(0 if all(isinstance(one, Done) for one in outcomes) else 1)

    return bulk


def _found(
    conn: "Connection", open_: "Started", noun: "Kept", within: Any, wanted: "shown.ShownWanted"
) -> dict[int, int]:
    from casework.work.cases import shown

    subjects, _ = shown.all_of(conn, open_.branch, noun, within, wanted, at_most=ALL)
    return {one.id: one.version for one in subjects}


def _tell_many(outcomes: "list[Outcome]", *, dry_run: bool, json_: bool) -> None:
    import msgspec

    from casework.lifecycle.commands import Refused

    codes = Counter(
        code for one in outcomes
        for code in ([reason.code for reason in one.reasons] if isinstance(one, Refused) else [one.code])
    )  # fmt: skip
    if json_:
        results = [{"outcome": type(one).__name__.lower(), **msgspec.to_builtins(one)} for one in outcomes]
        print_json({"dry_run": dry_run, "items": len(outcomes), "by_code": codes, "results": results})
        return
    for code, number in sorted(codes.items()):
        console.print(f"{code}: {number}")


def _do(conn: "Connection", open_: "Started", command: Any, *, noun: "Kept", json_: bool) -> int:
    """Through the door; the exit code. A refusal is committed: its entry must survive."""
    from casework.lifecycle.advance import advance

    (outcome,) = advance(conn, [command], open_.branch)
    return tell(outcome, noun, chart_of(open_, noun), json_=json_)


def tell(outcome: "Outcome", noun: "Kept", chart: "Chart", *, json_: bool) -> int:
    """Print what the door answered; the exit code."""
    import msgspec

    from casework.lifecycle.commands import Done, Mistaken
    from casework.work.cases.lifecycles import CASES

    if json_:
        print_json({"outcome": type(outcome).__name__.lower(), **msgspec.to_builtins(outcome)})
    if isinstance(outcome, Done):
        if not json_:
            case_tables.done(outcome, chart, noun.word)
        return 0
    case_tables.why_not(outcome, None if noun is CASES else chart)
    return 2 if isinstance(outcome, Mistaken) and outcome.code in _USAGE else 1
