"""Audit entries, for auditors: found by filter, one by one or as files. Bodies carry amounts and name who did what."""

from typing import Annotated, Any, Literal

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, QueryParameter

from api.language import Language
from api.reading.asking import Limit, answers, reader_of
from api.reading.exports import XLSX, file_of, sent
from casework.clock import now
from casework.evidence.search.cursor import MAX_LENGTH
from casework.evidence.search.export import ENTRIES, entries_jsonl
from casework.evidence.search.find import EntryPage, collect, page_of_entries
from casework.evidence.searching import (
    PARTS,
    SearchAsked,
    entries_taken,
    record_entries_export,
    wanted_of,
)
from casework.file_names import file_name
from casework.log.format.entry import MAX_INT
from casework.log.format.entry_line import EntryLine
from casework.log.queries import find_entry
from casework.storage.database import reading, writing
from casework.table import MAX_ROWS, Lang
from casework.work.cases.taking_out import FileKind, taker_of

JSON_LINES = "application/jsonl"
_Code = Annotated[str | None, QueryParameter(max_length=80)]
_Event = Annotated[
    str | None,
    QueryParameter(max_length=81, description="Exact, or with * at its end: every event that begins so."),
]
_Rule = Annotated[
    str | None, QueryParameter(max_length=17, description="A rule such as 1.3.1a; with * at its end all that begin so.")
]
_Reason = Annotated[
    str | None, QueryParameter(max_length=64, description="The reason code, or any reason of a refusal.")
]
_Subject = Annotated[
    str | None,
    QueryParameter(
        max_length=120,
        description="case:17, loan:L2024000917, borrower:B000731 (borrower:wuhan~B000731 where several institutions "
        "have the number), staff:S0012, …: with its cases and their requests.",
    ),
]
_About = Annotated[
    str | None,
    QueryParameter(
        max_length=80, description="case:17 or staff:S0012: what acts on task lists, and of the evening, are about."
    ),
]
_From = Annotated[
    str | None,
    QueryParameter(
        name="from", max_length=40, description="Recorded on this day of the branch or later; or an instant."
    ),
]
_To = Annotated[
    str | None, QueryParameter(max_length=40, description="Recorded on this day or earlier; or before an instant.")
]
_Fen = Annotated[int | None, QueryParameter(ge=0, le=MAX_INT, description="An amount of the entry, in fen.")]
_Order = Annotated[Literal["oldest", "newest"], QueryParameter(description="Which come first.")]
_Cursor = Annotated[
    str | None,
    QueryParameter(max_length=MAX_LENGTH, description="`next` of the page before; opaque, of this list only."),
]

_ENTRY = {
    "entry_id": "case:1207:6",
    "body": {"actor": {"id": "S0012", "kind": "staff", "via": "api"}, "chart": "overdue_loan@1#5f…",
             "data": {}, "entry_id": "case:1207:6", "event": "case.noted", "stream": "case:1207",
             "stream_seq": 6},
    "leaf_hash": "5f" * 32, "recorded_at": "2026-03-09T08:20:00.000001Z", "mac_holds": True,
}  # fmt: skip
_MISTAKES = ("filter_malformed", "unknown_subject", "institution_needed", "invalid_request")


def entry_filter(
    *,
    subject: _Subject = None,
    stream: _Code = None,
    event: _Event = None,
    actor: _Code = None,
    rule: _Rule = None,
    code: _Reason = None,
    post: _Reason = None,
    about: _About = None,
    begin: _From = None,
    to: _To = None,
    amount_fen_min: _Fen = None,
    amount_fen_max: _Fen = None,
    order: _Order = "oldest",
) -> SearchAsked:
    """The filter that a request's query names; for `Provide`."""
    return SearchAsked(
        subject=subject, stream=stream, event=event, actor=actor, rule=rule, code=code, post=post, about=about,
        from_=begin, to=to, amount_fen_min=amount_fen_min, amount_fen_max=amount_fen_max, order=order,
    )  # fmt: skip


_FILTER = {"asked": Provide(entry_filter, sync_to_thread=False)}


@get(
    "/audit/entries",
    sync_to_thread=True,
    dependencies=_FILTER,
    responses=answers(EntryPage, {"items": [_ENTRY], "next": "NDgx", "unindexed": 0}, *_MISTAKES, "cursor_malformed"),
    tags=["audit"],
)
def entries(
    request: Request[Any, Any, Any], asked: NamedDependency[SearchAsked], *, after: _Cursor = None, limit: Limit = 50
) -> EntryPage:
    """Entries that match every part of the filter, with the exact body and its leaf hash.

    A page costs what it holds, however long the log is; it may be short or empty while `next` is given. The index
    behind it is a convenience: what counts is the log (`/log`), and each entry was read from there.
    """
    serving, _ = reader_of(request, *PARTS, "after", "limit")
    with reading(serving.engine, snapshot=True) as conn:
        return page_of_entries(
            conn, serving.branch.mac_key, wanted_of(conn, serving.branch, asked), after=after, limit=limit
        )


@get(
    "/audit/entries/{entry_id:str}",
    sync_to_thread=True,
    responses=answers(EntryLine, _ENTRY, "unknown_entry"),
    tags=["audit"],
)
def entry(request: Request[Any, Any, Any], entry_id: FromPath[str]) -> EntryLine:
    """One entry by its id, such as `case:1207:6`."""
    serving, _ = reader_of(request)
    with reading(serving.engine) as conn:
        return find_entry(conn, serving.branch.mac_key, entry_id)


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────


@get(
    "/audit/entries.jsonl", sync_to_thread=True, dependencies=_FILTER, tags=["audit"], media_type=JSON_LINES,
    responses=answers(bytes, '{"actor":{"id":"S0012",…\n', *_MISTAKES, media_type=JSON_LINES),
)  # fmt: skip
def entries_as_jsonl(request: Request[Any, Any, Any], asked: NamedDependency[SearchAsked]) -> Response[bytes]:
    """The exact bodies, one on a line, each of which hashes to its leaf. At most 20,000 (`Casework-Cut`)."""
    serving, actor = reader_of(request, *PARTS)
    with reading(serving.engine, snapshot=True) as conn:
        wanted = wanted_of(conn, serving.branch, asked)
        lines, cut = collect(conn, serving.branch.mac_key, wanted, at_most=MAX_ROWS)
    with writing(serving.engine) as conn:
        record_entries_export(conn, serving.branch, actor, asked, wanted, rows=len(lines), kind="jsonl")
    name = file_name(ENTRIES.en, ENTRIES.name, serving.branch.today(now()), kind="jsonl")
    return file_of(b"".join(entries_jsonl(lines)), JSON_LINES, name, cut=cut)


@get(
    "/audit/entries.csv", sync_to_thread=True, dependencies=_FILTER, tags=["audit"],
    responses=answers(str, "分录编号,记录时间,…\r\ncase:1207:6,…\r\n", *_MISTAKES, media_type="text/csv"),
)  # fmt: skip
def entries_as_csv(
    request: Request[Any, Any, Any], asked: NamedDependency[SearchAsked], *, spoken: Language
) -> Response[bytes]:
    """The entries of a filter as CSV, at most 20,000; the last row says who took it out, and if there are more."""
    return entries_file(request, asked, "csv", spoken)


@get(
    "/audit/entries.xlsx", sync_to_thread=True, dependencies=_FILTER, tags=["audit"], media_type=XLSX,
    responses=answers(bytes, "(a workbook)", *_MISTAKES, media_type=XLSX),
)  # fmt: skip
def entries_as_xlsx(
    request: Request[Any, Any, Any], asked: NamedDependency[SearchAsked], *, spoken: Language
) -> Response[bytes]:
    """The entries of a filter as a workbook, at most 20,000, to print; marked with who took it out."""
    return entries_file(request, asked, "xlsx", spoken)


def entries_file(request: Request[Any, Any, Any], asked: SearchAsked, kind: FileKind, lang: Lang) -> Response[bytes]:
    """That file; that it was taken out is on record before it is sent."""
    serving, actor = reader_of(request, *PARTS, "lang")
    with reading(serving.engine, snapshot=True) as conn:
        wanted = wanted_of(conn, serving.branch, asked)
        lines, cut = collect(conn, serving.branch.mac_key, wanted, at_most=MAX_ROWS)
        taker = taker_of(conn, serving.branch, actor, now())
    return sent(request, entries_taken(serving.branch, lines, kind, lang, asked, wanted, taker, cut=cut))
