"""Audit entries, for auditors: bodies carry amounts and name who did what."""

from typing import Annotated, Any

from litestar import Request, get
from litestar.params import FromPath, QueryParameter

from api.reading.asking import Cursor, Limit, answers, reader_of
from casework.audit.queries import EntryLine, EntryPage, find_entry, page_of_entries
from casework.database import reading

_Code = Annotated[str | None, QueryParameter(max_length=80)]
_Event = Annotated[
    str | None,
    QueryParameter(max_length=80, description="Exact, or with * at its end: every event that begins so."),
]

_ENTRY = {
    "entry_id": "case:1207:6",
    "body": {"actor": {"id": "S0012", "kind": "staff", "via": "api"}, "chart": "overdue_loan@1#5f…",
             "data": {}, "entry_id": "case:1207:6", "event": "case.noted", "stream": "case:1207",
             "stream_seq": 6},
    "leaf_hash": "5f" * 32, "recorded_at": "2026-03-09T08:20:00.000001Z",
}  # fmt: skip


@get(
    "/audit/entries",
    sync_to_thread=True,
    responses=answers(EntryPage, {"items": [_ENTRY], "next": "NDgx"}, "filter_malformed", "cursor_malformed",
                      "invalid_request"),
    tags=["audit"],
)  # fmt: skip
def entries(
    request: Request[Any, Any, Any],
    *,
    stream: _Code = None,
    event: _Event = None,
    actor: _Code = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> EntryPage:
    """Entries in the order written (of one stream: in its order), with the exact body and its leaf hash.

    A page reads a bounded stretch of the log: it may be short or empty while `next` is given.
    """
    serving, _ = reader_of(request, "stream", "event", "actor", "after", "limit")
    with reading(serving.engine) as conn:
        return page_of_entries(conn, stream=stream, event=event, actor=actor, after=after, limit=limit)


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
        return find_entry(conn, entry_id)
