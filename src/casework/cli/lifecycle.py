"""What may be done with any noun but cases at the shell, made once from its chart: looking at it, and doing it."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, get_args

import click
import msgspec
from rich.markup import escape
from sqlalchemy.engine import Connection

from casework.cli import case_tables
from casework.cli.changing import date_of, day
from casework.cli.given import data_json_option, data_option, given
from casework.cli.opening_many import openings
from casework.cli.shell import acting, as_json, as_staff, console, permitted, print_json, started
from casework.cli.tables import Table
from casework.cli.taking_out import OutFile, kind_of, told_of, write_taken
from casework.clock import now
from casework.customer import Customer
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Mistaken, Note, Open, Outcome, Record, Refused
from casework.lifecycle.kept import Kept
from casework.operation.startup import Started
from casework.people.staff.actor import Actor
from casework.rules.statechart.chart import Chart
from casework.storage.database import reading, writing
from casework.table import MAX_ROWS
from casework.work.cases import shown
from casework.work.cases.disclosure import record_read
from casework.work.cases.export import columns_of, noun_cells, noun_list, noun_texts
from casework.work.cases.filter import BusinessDates
from casework.work.cases.lifecycles import CASES
from casework.work.cases.sight import reach_of
from casework.work.cases.taking_out import file_of_list, taker_of
from casework.work.four_eyes.listing import show_pending

_USAGE = frozenset({"unknown_event", "unknown_fact", "unknown_ground", "faulty_data"})
_EXIT_CODES = "Exit code 0: done; 1: refused, with every reason on stderr; 2: usage."
_ALL = 2**53


def group(noun: Kept) -> click.Group:
    """All that a noun has from its chart alone."""
    about = str(noun.subject.__doc__).splitlines()[0].partition(";")[0]  # behind it are fields
    made = click.Group(noun.word, help=_help(noun, about, "list"))
    for command in (*looking(noun), list_of(noun), *doing(noun)):
        made.add_command(command)
    return made


def _help(noun: Kept, text: str, example: str) -> str:
    return f"{text}\n\n\b\nExample:\n  casework {noun.word} {example}"


def _chart(open_: Started, noun: Kept) -> Chart:
    return open_.branch.rulebook.charts[noun.chart]


# ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────


def _filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a list's filter, as one argument `wanted`."""

    @wraps(command)
    def with_filter(
        *, state: str | None, loan_id: str | None, case_id: int | None, due_by: datetime | None, every: bool,
        **more: Any,
    ) -> Any:  # fmt: skip
        wanted = shown.ShownWanted(state=state, loan_id=loan_id, case_id=case_id, due_by=date_of(due_by), every=every)
        return command(wanted=wanted, **more)

    for option in (
        click.option("--state", help="In this state."),
        click.option("--loan", "loan_id", metavar="LOAN_ID"),
        click.option("--case", "case_id", type=int, metavar="CASE_ID", help="Of this case, or binding it."),
        click.option("--due-by", type=day, help="Due on this day or before."),
        click.option("--all", "every", is_flag=True, help="Those that are over too."),
    ):
        option(with_filter)
    return with_filter


_sorted = click.option("--sort", type=click.Choice(get_args(shown.Sort)), default="id", show_default=True)


def list_of(noun: Kept) -> click.Command:
    """The command `list`."""

    @click.command("list", help=_help(noun, "List by filter and sort, page by page.", "list --due-by 2026-03-09"))
    @_filtered
    @_sorted
    @click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Lines on a page.")
    @click.option("--cursor", help="`next` of the page before.")
    @as_json
    @as_staff
    def list_(
        *,
        wanted: shown.ShownWanted,
        sort: shown.Sort,
        limit: int,
        cursor: str | None,
        json_: bool,
        staff_no: str | None,
    ) -> None:
        with started() as open_, reading(open_.engine, snapshot=True) as conn:
            actor = permitted(conn, open_.branch, staff_no, f"{noun.word}.read")
            within = reach_of(open_.branch, actor, f"{noun.word}.read", open_.branch.today(now()))
            found, following = shown.page_of(
                conn, open_.branch, noun, within, wanted, sort=sort, limit=limit, cursor=cursor
            )
        chart = _chart(open_, noun)
        if json_:
            print_json({"items": found, "next": following})
            return
        table = Table(*(f"{column.en}\n{column.zh}" for column in columns_of(noun, chart)), box=None)
        for one in found:
            table.add_row(*map(escape, noun_texts(one, noun, chart, "zh", open_.branch.time_zone)))
        console.print(table)
        console.print(f"{len(found)} lines" + (f"; more with --cursor {following}" if following else ""))

    return list_


def looking(noun: Kept) -> list[click.Command]:
    """The commands `show`, `options` and `export`."""
    return [_show(noun), _options(noun), _export(noun)]


def _export(noun: Kept) -> click.Command:
    @click.command("export", help=_help(noun, "Write those of a filter to FILE (.csv, .xlsx); that is an entry itself.",
                                        f"export {noun.table.name}.csv --all"))  # fmt: skip
    @click.argument("file", type=OutFile())
    @_filtered
    @_sorted
    @click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True)
    @as_staff
    def export(*, file: Path, wanted: shown.ShownWanted, sort: shown.Sort, lang: Any, staff_no: str | None) -> None:
        with started() as open_:
            with reading(open_.engine, snapshot=True) as conn:
                actor = permitted(conn, open_.branch, staff_no, f"{noun.word}.read")
                within = reach_of(open_.branch, actor, f"{noun.word}.read", open_.branch.today(now()))
                found, cut = shown.all_of(conn, open_.branch, noun, within, wanted, sort=sort, at_most=MAX_ROWS)
                taker = taker_of(conn, open_.branch, actor, now())
            asked, chart = {"noun": noun.word, **msgspec.to_builtins(wanted)}, _chart(open_, noun)
            cells, listed = noun_cells(noun, chart, lang, taker.time_zone), noun_list(noun, chart, noun.table.name)
            taken = file_of_list(listed, map(cells, found), kind_of(file), lang, asked, taker, cut=cut)
            with writing(open_.engine) as conn:
                told = told_of(taken, write_taken(conn, open_.branch, actor, taken, file), "lines 行")
        console.print(told, markup=False)

    return export


def _show(noun: Kept) -> click.Command:
    @click.command("show", help=_help(noun, f"Show the {noun.word} with NUMBER and its history.", "show 31"))
    @click.argument("number", type=int)
    @click.option("--entries", type=click.IntRange(1, 200), default=50, show_default=True, help="Newest entries shown.")
    @as_json
    @as_staff
    def show(*, number: int, entries: int, json_: bool, staff_no: str | None) -> None:
        with started() as open_:
            with reading(open_.engine, snapshot=True) as conn:
                actor, subject, whose = _seen(conn, open_, noun, number, staff_no)
                page = shown.history_of_noun(
                    conn, open_.branch, noun, subject, whose, actor, limit=entries, newest_first=True
                )
            history, fields = page.items[::-1], {name for item in page.items for name in item.texts}
            if fields:
                holder = whose[0] if noun.child else subject
                with writing(open_.engine) as conn:
                    customer = Customer(holder.institution, holder.borrower_id)
                    record_read(conn, open_.branch, actor, [customer], fields)
        if json_:
            print_json({**msgspec.to_builtins(subject, enc_hook=str), "history": history})
            return
        chart = _chart(open_, noun)
        facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        texts = noun_texts(subject, noun, chart, "zh", open_.branch.time_zone)
        for column, text in zip(columns_of(noun, chart), texts, strict=True):
            facts.add_row(f"{column.en} {column.zh}", escape(text))
        console.print(facts)
        case_tables.history(history, open_.branch.time_zone)

    return show


def _options(noun: Kept) -> click.Command:
    text = f"What may be done next with the {noun.word} with NUMBER, every reason why not, and from when."

    @click.command("options", help=_help(noun, text, "options 31 --as S0012"))
    @click.argument("number", type=int)
    @as_json
    @as_staff
    def options(*, number: int, json_: bool, staff_no: str | None) -> None:
        with started() as open_, reading(open_.engine, snapshot=True) as conn:
            actor, subject, whose = _seen(conn, open_, noun, number, staff_no)
            dates = BusinessDates(conn, open_.branch)
            offers = shown.options_of(open_.branch, dates, noun, subject, whose, actor)
            show_pending(conn, open_.branch, f"{noun.word}:{number}", offers.events)
        if json_:
            print_json(offers)
        else:
            case_tables.options(offers, f"{noun.word} {number}")

    return options


def _seen(conn: Connection, open_: Started, noun: Kept, number: int, staff_no: str | None) -> tuple[Actor, Any, Any]:
    actor = permitted(conn, open_.branch, staff_no, f"{noun.word}.read")
    return actor, *shown.seen(conn, open_.branch, noun, actor, number, open_.branch.today(now()))


# ── doing ───────────────────────────────────────────────────────────────────────────────────────────────────


def doing(
    noun: Kept, *, opening: str = "--ground GROUND --as S0012", event: str = "31 EVENT --as S0012"
) -> list[click.Command]:
    """The commands that change one or many; `opening` and `event` are what their examples end in."""
    many = f"Open many: a row of FILE (CSV or XLSX) each, its columns {_columns(noun)} and the fields of the chart."
    many += " An amount under its Chinese name is in yuan, under its own in fen."
    codes = "Exit code 0: all done; 1: some are not; 2: usage."
    opened = openings(noun, _help(noun, f"{many} {codes}", "openings many.csv --atomic --as S0012"))
    return [_open(noun, opening), opened, *changing_one(noun, event=event), _bulk(noun)]


def _columns(noun: Kept) -> str:
    return "case_id, ground" if noun.child else "ground"


def changing_one(
    noun: Kept, *, event: str, fire: str = "fire", fact: str = "31 KIND --on 2026-03-09 --evidence rec:1"
) -> list[click.Command]:
    """The commands that change one by an event (called `fire`), a fact or a note; with what their examples end in."""
    return [
        _fire(noun, fire, event),
        _record(noun, fact),
        _note(noun, f'{event.split(maxsplit=1)[0]} "客户称月底还款"'),
    ]


def _open(noun: Kept, example: str) -> click.Command:
    @click.command(
        "open", help=_help(noun, f"Open a {noun.word} on a ground of its chart. {_EXIT_CODES}", f"open {example}")
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
        with started() as open_, writing(open_.engine) as conn:
            spec = _chart(open_, noun).openings.get(ground)
            data = given(spec.fields if spec else {}, pairs, data_json)
            actor = acting(conn, open_.branch, staff_no)
            command = Open(actor=actor, noun=noun.chart, ground=ground, of=of, data=data)
            code = _do(conn, open_, command, noun=noun, json_=json_)
        raise SystemExit(code)

    if noun.child:
        click.option("--case", "of", type=int, required=True, metavar="CASE_ID", help="The case it is of.")(open_)
    return open_


def _version(noun: Kept) -> Callable[[Any], Any]:
    return click.option("--version", type=int, help=f"Refuse unless the {noun.word} still is at this version.")


def _number(noun: Kept) -> Callable[[Any], Any]:
    return click.argument("number", type=int, metavar="CASE_ID" if noun is CASES else "NUMBER")


def _fire(noun: Kept, name: str, example: str) -> click.Command:
    text = f"Fire EVENT on the {noun.word} with this number. {_EXIT_CODES}"

    @click.command(name, help=_help(noun, text, f"{name} {example}"))
    @_number(noun)
    @click.argument("event")
    @data_option
    @data_json_option
    @_version(noun)
    @as_json
    @as_staff
    def fire(
        *, number: int, event: str, pairs: tuple[str, ...], data_json: str | None, version: int | None, json_: bool,
        staff_no: str | None,
    ) -> None:  # fmt: skip
        with started() as open_, writing(open_.engine) as conn:
            spec = _chart(open_, noun).events.get(event)
            data = given(spec.fields if spec else {}, pairs, data_json)
            actor = acting(conn, open_.branch, staff_no)
            command = Fire(actor=actor, noun=noun.chart, id=number, event=event, data=data, version=version)
            code = _do(conn, open_, command, noun=noun, json_=json_)
        raise SystemExit(code)

    return fire


def _record(noun: Kept, example: str) -> click.Command:
    text = f"Record a fact of KIND on the {noun.word} with this number. {_EXIT_CODES}"

    @click.command("record", help=_help(noun, text, f"record {example}"))
    @_number(noun)
    @click.argument("kind")
    @click.option("--on", type=day, required=True, help="When it happened.")
    @click.option("--evidence", required=True, metavar="REF", help="A reference such as rec:2026-0001.")
    @data_option
    @data_json_option
    @_version(noun)
    @as_json
    @as_staff
    def record(
        *, number: int, kind: str, on: datetime, evidence: str, pairs: tuple[str, ...], data_json: str | None,
        version: int | None, json_: bool, staff_no: str | None,
    ) -> None:  # fmt: skip
        with started() as open_, writing(open_.engine) as conn:
            spec = _chart(open_, noun).facts.get(kind)
            data = given(spec.fields if spec else {}, pairs, data_json)
            command = Record(
                actor=acting(conn, open_.branch, staff_no), noun=noun.chart, id=number, kind=kind, on=on.date(),
                evidence=evidence, data=data, version=version,
            )  # fmt: skip
            code = _do(conn, open_, command, noun=noun, json_=json_)
        raise SystemExit(code)

    return record


def _note(noun: Kept, example: str) -> click.Command:
    text = f"Write a note on the {noun.word}; its text is kept sealed, outside the log. {_EXIT_CODES}"

    @click.command("note", help=_help(noun, text, f"note {example} --as S0012"))
    @_number(noun)
    @click.argument("text")
    @as_json
    @as_staff
    def note(*, number: int, text: str, json_: bool, staff_no: str | None) -> None:
        with started() as open_, writing(open_.engine) as conn:
            command = Note(actor=acting(conn, open_.branch, staff_no), noun=noun.chart, id=number, text=text)
            code = _do(conn, open_, command, noun=noun, json_=json_)
        raise SystemExit(code)

    return note


def _bulk(noun: Kept) -> click.Command:
    text = "Fire EVENT on all NUMBERS, or on those of a filter. Exit code 0: all done; 1: some are not; 2: usage."

    @click.command("bulk", help=_help(noun, text, "bulk EVENT --due-by 2026-03-09 --dry-run"))
    @click.argument("event")
    @click.argument("numbers", type=int, nargs=-1)
    @_filtered
    @data_option
    @data_json_option
    @click.option("--atomic", is_flag=True, help="If it may not happen to one, it happens to none.")
    @click.option("--dry-run", is_flag=True, help="Decide, change nothing.")
    @as_json
    @as_staff
    def bulk(
        *, event: str, numbers: tuple[int, ...], wanted: shown.ShownWanted, pairs: tuple[str, ...],
    data_json: str | None,
        atomic: bool, dry_run: bool, json_: bool, staff_no: str | None,
    ) -> None:  # fmt: skip
        if numbers and wanted != shown.ShownWanted():
            raise click.UsageError("give NUMBERS or a filter")
        with started() as open_, (reading if dry_run else writing)(open_.engine) as conn:
            spec = _chart(open_, noun).events.get(event)
            data = given(spec.fields if spec else {}, pairs, data_json)
            actor = permitted(conn, open_.branch, staff_no, f"{noun.word}.event")
            within = reach_of(open_.branch, actor, f"{noun.word}.event", open_.branch.today(now()))
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


def _found(conn: Connection, open_: Started, noun: Kept, within: Any, wanted: shown.ShownWanted) -> dict[int, int]:
    subjects, _ = shown.all_of(conn, open_.branch, noun, within, wanted, at_most=_ALL)
    return {one.id: one.version for one in subjects}


def _tell_many(outcomes: list[Outcome], *, dry_run: bool, json_: bool) -> None:
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


def _do(conn: Connection, open_: Started, command: Any, *, noun: Kept, json_: bool) -> int:
    """Through the door; the exit code. A refusal is committed: its entry must survive."""
    (outcome,) = advance(conn, [command], open_.branch)
    return tell(outcome, noun, _chart(open_, noun), json_=json_)


def tell(outcome: Outcome, noun: Kept, chart: Chart, *, json_: bool) -> int:
    """Print what the door answered; the exit code."""
    if json_:
        print_json({"outcome": type(outcome).__name__.lower(), **msgspec.to_builtins(outcome)})
    if isinstance(outcome, Done):
        if not json_:
            case_tables.done(outcome, chart, noun.word)
        return 0
    case_tables.why_not(outcome, None if noun is CASES else chart)
    return 2 if isinstance(outcome, Mistaken) and outcome.code in _USAGE else 1
