"""Looking at any noun but cases at the shell: its list, one of them, its file; made once for all."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from casework.cli import case_tables
from casework.cli.changing import date_of, day
from casework.cli.shell import as_json, as_staff, console, permitted, print_json, started
from casework.cli.tables import Table, fitting
from casework.cli.taking_out import OutFile, kind_of, told_of, write_taken
from casework.clock import now
from casework.table import MAX_ROWS
from casework.work.cases.sorts import SortOfNouns

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.lifecycle.kept import Kept
    from casework.operation.startup import Started
    from casework.people.staff.actor import Actor
    from casework.rules.statechart.chart import Chart
    from casework.work.cases import shown


def help_text(word: str, text: str, example: str) -> str:
    """What a command says of itself, with its example."""
    return f"{text}\n\n\b\nExample:\n  casework {word} {example}"


def noun_named(word: str) -> "Kept":
    """The noun, when a command of its group runs: to be told of in `--help` it takes its word alone."""
    from casework.work.cases.lifecycles import LIFECYCLES

    return next(noun for noun in LIFECYCLES if noun.word == word)


def chart_of(open_: "Started", noun: "Kept") -> "Chart":
    """The chart of the noun."""
    return open_.branch.rulebook.charts[noun.chart]


def filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a list's filter, as one argument `wanted`."""

    @wraps(command)
    def with_filter(
        *, state: str | None, loan_id: str | None, case_id: int | None, due_by: datetime | None, every: bool,
        **more: Any,
    ) -> Any:  # fmt: skip
        from casework.work.cases import shown

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


_by = click.option("--sort", type=click.Choice(get_args(SortOfNouns)), default="id", show_default=True)


def list_of(word: str) -> click.Command:
    """The command `list`."""

    @click.command("list", help=help_text(word, "List by filter and sort, page by page.", "list --due-by 2026-03-09"))
    @filtered
    @_by
    @click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Lines on a page.")
    @click.option("--cursor", help="`next` of the page before.")
    @as_json
    @as_staff
    def list_(
        *,
        wanted: "shown.ShownWanted",
        sort: SortOfNouns,
        limit: int,
        cursor: str | None,
        json_: bool,
        staff_no: str | None,
    ) -> None:
        from rich.markup import escape

        from casework.storage.database import reading
        from casework.work.cases import shown
        from casework.work.cases.export import columns_of, noun_texts
        from casework.work.cases.sight import reach_of

        noun = noun_named(word)
        with started() as open_, reading(open_.engine, snapshot=True) as conn:
            actor = permitted(conn, open_.branch, staff_no, f"{word}.read")
            within = reach_of(open_.branch, actor, f"{word}.read", open_.branch.today(now()))
            found, following = shown.page_of(
                conn, open_.branch, noun, within, wanted, sort=sort, limit=limit, cursor=cursor
            )
        chart = chart_of(open_, noun)
        if json_:
            print_json({"items": found, "next": following})
            return
        headers = [f"{column.en}\n{column.zh}" for column in columns_of(noun, chart)]
        rows = [[*noun_texts(one, noun, chart, "zh", open_.branch.time_zone)] for one in found]
        told = fitting(headers, rows, console.width)
        table = Table(*(headers[number] for number in told), box=None)
        for row in rows:
            table.add_row(*(escape(row[number]) for number in told))
        console.print(table)
        console.print(f"{len(found)} lines" + (f"; more with --cursor {following}" if following else ""))
        if rows and len(told) < len(headers):
            of = f"{len(told)} of {len(headers)} columns 列"
            console.print(f"{of}; the whole: {word} show NUMBER, --json, {word} export FILE", markup=False)

    return list_


def looking(word: str) -> list[click.Command]:
    """The commands `show`, `options` and `export`."""
    return [_show(word), _options(word), _export(word)]


def _export(word: str) -> click.Command:
    text = "Write those of a filter to FILE (.csv, .xlsx); that is an entry itself."

    @click.command("export", help=help_text(word, text, f"export {word}s.csv --all"))
    @click.argument("file", type=OutFile())
    @filtered
    @_by
    @click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True)
    @as_staff
    def export(*, file: Path, wanted: "shown.ShownWanted", sort: SortOfNouns, lang: Any, staff_no: str | None) -> None:
        import msgspec

        from casework.storage.database import reading, writing
        from casework.work.cases import shown
        from casework.work.cases.export import noun_cells, noun_list
        from casework.work.cases.sight import reach_of
        from casework.work.cases.taking_out import file_of_list, taker_of

        noun = noun_named(word)
        with started() as open_:
            with reading(open_.engine, snapshot=True) as conn:
                actor = permitted(conn, open_.branch, staff_no, f"{word}.read")
                within = reach_of(open_.branch, actor, f"{word}.read", open_.branch.today(now()))
                found, cut = shown.all_of(conn, open_.branch, noun, within, wanted, sort=sort, at_most=MAX_ROWS)
                taker = taker_of(conn, open_.branch, actor, now())
            asked, chart = {"noun": noun.word, **msgspec.to_builtins(wanted)}, chart_of(open_, noun)
            cells, listed = noun_cells(noun, chart, lang, taker.time_zone), noun_list(noun, chart, noun.table.name)
            taken = file_of_list(listed, map(cells, found), kind_of(file), lang, asked, taker, cut=cut)
            with writing(open_.engine) as conn:
                told = told_of(taken, write_taken(conn, open_.branch, actor, taken, file), "lines 行")
        console.print(told, markup=False)

    return export


def _show(word: str) -> click.Command:
    @click.command("show", help=help_text(word, f"Show the {word} with NUMBER and its history.", "show 31"))
    @click.argument("number", type=int)
    @click.option("--entries", type=click.IntRange(1, 200), default=50, show_default=True, help="Newest entries shown.")
    @as_json
    @as_staff
    def show(*, number: int, entries: int, json_: bool, staff_no: str | None) -> None:
        import msgspec
        from rich.markup import escape

        from casework.customer import Customer
        from casework.storage.database import reading, writing
        from casework.work.cases import shown
        from casework.work.cases.disclosure import record_read
        from casework.work.cases.export import columns_of, noun_texts

        noun = noun_named(word)
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
        chart = chart_of(open_, noun)
        facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        texts = noun_texts(subject, noun, chart, "zh", open_.branch.time_zone)
        for column, text in zip(columns_of(noun, chart), texts, strict=True):
            facts.add_row(f"{column.en} {column.zh}", escape(text))
        console.print(facts)
        case_tables.history(history, open_.branch.time_zone)

    return show


def _options(word: str) -> click.Command:
    text = f"What may be done next with the {word} with NUMBER, every reason why not, and from when."

    @click.command("options", help=help_text(word, text, "options 31 --as S0012"))
    @click.argument("number", type=int)
    @as_json
    @as_staff
    def options(*, number: int, json_: bool, staff_no: str | None) -> None:
        from casework.storage.database import reading
        from casework.work.cases import shown
        from casework.work.cases.filter import BusinessDates
        from casework.work.four_eyes.listing import show_pending

        noun = noun_named(word)
        with started() as open_, reading(open_.engine, snapshot=True) as conn:
            actor, subject, whose = _seen(conn, open_, noun, number, staff_no)
            dates = BusinessDates(conn, open_.branch)
            offers = shown.options_of(open_.branch, dates, noun, subject, whose, actor)
            show_pending(conn, open_.branch, f"{word}:{number}", offers.events)
        if json_:
            print_json(offers)
        else:
            case_tables.options(offers, f"{word} {number}")

    return options


def _seen(
    conn: "Connection", open_: "Started", noun: "Kept", number: int, staff_no: str | None
) -> "tuple[Actor, Any, Any]":
    from casework.work.cases import shown

    actor = permitted(conn, open_.branch, staff_no, f"{noun.word}.read")
    return actor, *shown.seen(conn, open_.branch, noun, actor, number, open_.branch.today(now()))
