"""`casework audit search|reindex`: find entries, take them out as files; make the index anew or compare it."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

from casework.cli.ledger import place
from casework.cli.shell import (
    FOLDED,
    as_json,
    as_staff,
    console,
    errors,
    permitted,
    print_json,
    progress_wanted,
    started,
)
from casework.cli.tables import Table
from casework.cli.taking_out import write_taken
from casework.clock import now
from casework.instants import branch_text
from casework.money import fen_from_yuan, yuan_text
from casework.table import MAX_ROWS, Lang
from casework.written_file import written_to

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from casework.evidence.search.find import EntryPage
    from casework.evidence.search.wanted import TermsWanted
    from casework.evidence.searching import SearchAsked
    from casework.log.format.entry_line import EntryLine
    from casework.operation.startup import Started
    from casework.people.staff.actor import Actor

Format = Literal["jsonl", "csv", "xlsx"]

_SHOWN = 50


@click.command("search")
@click.option(
    "--subject", metavar="KIND:ID", help="case:17, loan:…, borrower:…, staff:…: its streams, cases, requests."
)
@click.option("--stream", help="One stream alone, such as feed:wuhan.")
@click.option("--event", help="Such as case.step.place; with * at its end: all that begin so.")
@click.option("--actor", type=FOLDED, metavar="STAFF_NO", help="Who acted.")
@click.option("--rule", help="Such as 1.3.1a; with * at its end: all that begin so.")
@click.option("--code", help="Reason code, or any reason of a refusal.")
@click.option("--post", help="By which post it was done.")
@click.option("--about", metavar="KIND:ID", help="case:17, staff:…: acts on task lists and of the evening about it.")
@click.option("--from", "from_", metavar="DAY", help="Recorded on this day of the branch or later; or an instant.")
@click.option("--to", metavar="DAY", help="Recorded on this day or earlier; or before an instant.")
@click.option("--amount-min", metavar="YUAN", help="With an amount of at least.")
@click.option("--amount-max", metavar="YUAN", help="With an amount of at most.")
@click.option("--order", type=click.Choice(["newest", "oldest"]), default="newest", show_default=True)
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Entries on a page.")
@click.option("--cursor", help="`next` of the page before.")
@click.option(
    "--format", "kind", type=click.Choice(get_args(Format)), help="Write a file: all pages (csv, xlsx: 20,000)."
)
@click.option("--out", type=click.Path(path_type=Path), help="The file, or the folder for it.")
@click.option("--lang", type=click.Choice(get_args(Lang)), default="zh", show_default=True, help="Headers of the file.")
@as_json
@as_staff
def search(
    *, from_: str | None, amount_min: str | None, amount_max: str | None, limit: int, cursor: str | None,
    kind: Format | None, out: Path | None, lang: Lang, json_: bool, staff_no: str | None, **parts: Any,
) -> None:  # fmt: skip
    """Find entries of the log; every part given must hold. What is shown was read from the log, not from the index.

    With --format, what matches is written to --out, and that it was taken out is an entry of its own. JSON Lines are
    the exact bodies: each line without its end hashes to its leaf.

    \b
    Examples:
      casework audit search --actor S0012 --from 2026-03-01 --to 2026-03-31
      casework audit search --event 'case.refused.*' --code too_early --json
      casework audit search --subject borrower:B000731
      casework audit search --subject borrower:wuhan~B000731
      casework audit search --about case:17
      casework audit search --amount-min 50000 --event case.step.write_off
      casework audit search --rule '1.3.*' --format xlsx --out 催收.xlsx
    """
    from casework.evidence.searching import SearchAsked, wanted_of
    from casework.storage.database import reading

    if (kind is None) != (out is None):
        raise click.UsageError("--format and --out belong together")
    with started() as branch:
        asked = SearchAsked(
            from_=from_, amount_fen_min=_fen("amount-min", amount_min), amount_fen_max=_fen("amount-max", amount_max),
            **parts,
        )  # fmt: skip
        with reading(branch.engine, snapshot=True) as conn:
            actor = permitted(conn, branch.branch, staff_no, "audit.export" if kind else "audit.read")
            wanted = wanted_of(conn, branch.branch, asked)
            page = None if kind else _page(conn, branch.branch.mac_key, wanted, cursor, limit)
        if kind is not None and out is not None:
            _export(branch, actor, asked, wanted, kind, out, lang)
        elif json_:
            print_json(page)
        elif page is not None:
            _show(page, branch.branch.time_zone)


def _fen(name: str, text: str | None) -> int | None:
    from casework.evidence.search.wanted import malformed

    try:
        return None if text is None else fen_from_yuan(text)
    except ValueError:
        raise malformed(name, "an amount in yuan, such as 50000 or 0.05") from None


def _page(conn: "Connection", mac_key: bytes, wanted: "TermsWanted", cursor: str | None, limit: int) -> "EntryPage":
    """A page that is full, or the last: at the shell nobody minds when a rare thing takes some stretches."""
    from casework.evidence.search.find import EntryPage, page_of_entries

    page = page_of_entries(conn, mac_key, wanted, after=cursor, limit=limit)
    while page.next is not None and len(page.items) < limit:
        more = page_of_entries(conn, mac_key, wanted, after=page.next, limit=limit - len(page.items))
        page = EntryPage([*page.items, *more.items], more.next, more.unindexed)
    return page


def _show(page: "EntryPage", zone: str) -> None:
    table = Table(
        "recorded 记录时间",
        "entry 分录",
        "event 事件",
        "actor 操作人",
        "codes, rules 原因、规则",
        "yuan 金额（元）",
    )
    for line in page.items:
        table.add_row(*_cells(line, zone))
    console.print(table)
    if page.unindexed:
        errors.print(
            f"{page.unindexed:,} entries are not indexed yet and were looked at one by one 尚未编入索引，已逐条查看"
        )
    if page.next is not None:
        console.print(f"more 更多: --cursor {page.next}", markup=False, soft_wrap=True)
    elif not page.items:
        console.print("no entries 没有符合条件的分录")


def _cells(line: "EntryLine", zone: str) -> list[str]:
    import msgspec

    from casework.evidence.search.export import named_amounts

    shown = [branch_text(line.recorded_at, zone), line.entry_id]
    try:
        body = msgspec.json.decode(line.body)
        data = body["data"]
        codes = [reason["code"] for reason in data.get("reasons", ())] or [body["reason_code"] or ""]
        amounts = [f"{name} {yuan_text(amount)}" for name, amount in named_amounts(data)]
        told = [body["event"], body["actor"]["id"], " ".join([*codes, *body["rules"]]).strip(), "\n".join(amounts)]
    except (msgspec.MsgspecError, LookupError, TypeError, AttributeError):
        told = ["（unreadable 不可读）", "", "", ""]
    if not line.mac_holds:
        told[0] += "\nFORGED 伪造"
    return [text.replace("[", r"\[") for text in (*shown, *told)]


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _export(
    branch: "Started", actor: "Actor", asked: "SearchAsked", wanted: "TermsWanted", kind: Format, out: Path, lang: Lang
) -> None:
    """The export on record, and only then the file."""
    from casework.evidence.search.export import ENTRIES
    from casework.evidence.search.find import collect
    from casework.evidence.searching import entries_taken
    from casework.file_names import file_name
    from casework.storage.database import reading, writing
    from casework.work.cases.taking_out import taker_of

    if kind == "jsonl":
        out = place(out, file_name(ENTRIES.zh, ENTRIES.name, branch.branch.today(now()), kind=kind).name)
        rows = _bodies(branch, actor, asked, wanted, out)
        console.print(f"{rows:,} entries 分录 → {out}", markup=False)
        return
    with reading(branch.engine, snapshot=True) as conn:
        lines, cut = collect(conn, branch.branch.mac_key, wanted, at_most=MAX_ROWS)
        taker = taker_of(conn, branch.branch, actor, now())
    taken = entries_taken(branch.branch, lines, kind, lang, asked, wanted, taker, cut=cut)
    with writing(branch.engine) as conn:
        file = write_taken(conn, branch.branch, actor, taken, out)
    console.print(f"{taken.rows:,} entries 分录 → {file}", markup=False)
    if cut:
        errors.print(f"cut: more than {MAX_ROWS:,} match; narrow the filter, or take jsonl 已截断", markup=False)


def _bodies(branch: "Started", actor: "Actor", asked: "SearchAsked", wanted: "TermsWanted", out: Path) -> int:
    """All of them, as they are found: written beside the place, and put there when that is on record."""
    from casework.evidence.search.export import entries_jsonl
    from casework.evidence.search.find import walk
    from casework.evidence.searching import record_entries_export
    from casework.log.queries import line_of
    from casework.storage.database import reading, writing

    with written_to(out):
        handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        rows = 0
        with (
            written_to(out), os.fdopen(handle, "wb") as file, _progress("分录 entries", None) as told,
            reading(branch.engine, snapshot=True) as conn,
        ):  # fmt: skip
            for found in walk(conn, wanted):
                file.writelines(entries_jsonl(line_of(row, branch.branch.mac_key) for row in found.rows))
                rows += len(found.rows)
                told(rows)
        with writing(branch.engine) as conn:
            record_entries_export(conn, branch.branch, actor, asked, wanted, rows=rows, kind="jsonl")
        Path(name).replace(out)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return rows


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing in a pipe."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from casework.cli.progress import Rate

    if not progress_wanted():
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


# ── the index ───────────────────────────────────────────────────────────────────────────────────────────────────


@click.command("reindex")
@click.option("--check", is_flag=True, help="Only compare the index with the log.")
@as_json
def reindex(check: bool, json_: bool) -> None:
    """Make the search index anew from what is sealed, or compare it with the log.

    The service goes on meanwhile, and searches miss nothing: they look at entries one by one until the index is there.
    The index proves nothing and `audit verify` does not ask it; --check tells whether it hides an entry.

    \b
    Exit code: 0; with --check 1 when the index is not what the entries say.

    \b
    Examples:
      casework audit reindex --check
      casework audit reindex
    """
    from casework.evidence.search.index import Indexer, begin_anew
    from casework.storage.database import writing

    with started() as branch:
        if check:
            _check(branch, json_)
            return
        with writing(branch.engine) as conn:
            begin_anew(conn)
        with _progress("编制索引 index", 0) as told:
            covered = Indexer(branch.engine).catch_up(lambda done, _: told(done))
    if json_:
        print_json({"indexed": covered})
    else:
        console.print(f"indexed 已编入索引: {covered:,} leaves")


def _check(branch: "Started", json_: bool) -> None:
    import sqlalchemy as sa

    from casework.evidence.search.compare import differences
    from casework.log.tables import entries
    from casework.storage.database import reading

    with reading(branch.engine, snapshot=True) as conn:
        total = conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one()
        with _progress("核对索引 index", total) as told:
            found = list(differences(conn, told))
    if json_:
        print_json({"entries": total, "differences": [one._asdict() for one in found[:1_000]], "in_all": len(found)})
    else:
        for one in found[:_SHOWN]:
            console.print(
                f"{one.kind} {one.value}, segment {one.segment}: lacks 缺 {one.lacks}, too many 多 {one.too_many}",
                markup=False,
            )
        console.print(f"compared 已核对: {total:,} entries, {len(found):,} differences 处不符")
    if found:
        raise SystemExit(1)


COMMANDS = (search, reindex)
