"""Repayments of the day over HTTP: a file as the shell takes it, answered with what became of its rows."""

import asyncio
from typing import Any

import msgspec
from litestar import Request, post

from api.auth import still_valid
from api.one_file import OneFile, one_file
from api.reading.asking import answers
from api.receipts import Recording
from api.serving import serving_of
from casework.intake.feed.agreed import AgreedTaken
from casework.intake.feed.daytime import import_repayments
from casework.storage.database import writing
from casework.storage.driver_errors import again_on_conflict


class RowTold(msgspec.Struct):
    """A row that was set aside: its line (the header is 1), the column (none: the row as a whole) and why."""

    line: int
    column: str | None
    kind: str
    zh: str
    en: str


class RepaymentsTaken(msgspec.Struct):
    """Rows of the file, how many were new, how many were on the books already, and those that were set aside."""

    rows: int
    stored: int
    repeated: int
    set_aside: list[RowTold]


_SHOWN = {
    "rows": 3, "stored": 1, "repeated": 1,
    "set_aside": [{"line": 4, "column": "loan_id", "kind": "unknown_loan", "zh": "借据不在贷款台账中",
                   "en": "no such loan on the books"}],
}  # fmt: skip


@post(
    "/repayments", status_code=200, tags=["feeds"], summary="Take in repayments of the day", operation_class=OneFile,
    responses=answers(
        RepaymentsTaken, _SHOWN, "malformed_request", "body_too_large", "unsupported_media_type", "file_unreadable",
        "file_too_large", "file_cut", "csv_malformed", "column_missing", "column_repeated", "too_many_rows",
        "row_too_long", "database_busy", "database_full",
    ),
)  # fmt: skip
async def take_repayments(request: Request[Any, Any, Any]) -> RepaymentsTaken:
    """Take in one file (CSV or XLSX, the feed's columns of repayments); the same file again changes nothing.

    What is new counts at once: for promises, for what was written off, and against demand calls on the loan.
    """
    _, name, content = await one_file(request)
    taken = await asyncio.to_thread(again_on_conflict, lambda: _taken(request, content, name))
    return RepaymentsTaken(
        taken.rows, taken.stored, taken.repeated, [RowTold(*one) for one in taken.set_aside]
    )  # fmt: skip


def _taken(request: Request[Any, Any, Any], content: bytes, name: str) -> AgreedTaken:
    serving = serving_of(request)
    with writing(serving.engine) as conn:
        recording = Recording(request, conn)
        taken = import_repayments(conn, serving.branch, content, name, still_valid(conn, request))
    recording.tell()
    return taken


route_handlers = [take_repayments]
