"""Repayments of the day over HTTP: a file as the shell takes it, answered with what became of its rows."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Request, post
from sqlalchemy.engine import Connection

from api.auth import still_valid
from api.one_file import ATOMIC, OneFile, is_atomic, one_file
from api.reading.asking import answers
from api.receipts import Recording
from api.serving import serving_of
from casework.intake.feed.agreed import AgreedTaken
from casework.intake.feed.daytime import import_repayments
from casework.intake.feed.whole import taken_in
from casework.storage.driver_errors import again_on_conflict


class RowTold(msgspec.Struct):
    """A row that was set aside: its line (the header is 1), the column (none: the row as a whole) and why."""

    line: int
    column: str | None
    kind: str
    zh: str
    en: str


class RepaymentsTaken(msgspec.Struct):
    """Rows of the file, how many were new, how many were on the books already, and those that were set aside.

    `not_done`: how many would have been taken if all could have (`atomic`).
    """

    rows: int
    stored: int
    repeated: int
    set_aside: list[RowTold]
    not_done: int


_SHOWN = {
    "rows": 3, "stored": 1, "repeated": 1,
    "set_aside": [{"line": 4, "column": "loan_id", "kind": "unknown_loan", "zh": "借据不在贷款台账中",
                   "en": "no such loan on the books"}], "not_done": 0,
}  # fmt: skip


class _Repayments(OneFile):
    """A file, and whether all of it or nothing."""

    choices: Mapping[str, Sequence[str]] = ATOMIC


@post(
    "/repayments", status_code=200, tags=["feeds"], summary="Take in repayments of the day",
    operation_class=_Repayments,
    responses=answers(
        RepaymentsTaken, _SHOWN, "malformed_request", "invalid_request", "body_too_large", "unsupported_media_type",
        "file_unreadable", "file_too_large", "file_cut", "csv_malformed", "other_separator", "column_missing",
        "column_repeated", "too_many_rows", "row_too_long", "database_busy", "database_full",
    ),
)  # fmt: skip
async def take_repayments(request: Request[Any, Any, Any]) -> RepaymentsTaken:
    """Take in one file (CSV or XLSX, the feed's columns of repayments); the same file again changes nothing.

    What is new counts at once: for promises, for what was written off, and against demand calls on the loan. `atomic`
    true: one row set aside, and nothing is taken in.
    """
    form, name, content = await one_file(request)
    atomic = is_atomic(form)
    taken = await asyncio.to_thread(again_on_conflict, lambda: _taken(request, content, name, atomic=atomic))
    set_aside = [RowTold(*one) for one in taken.set_aside]
    return RepaymentsTaken(taken.rows, taken.stored, taken.repeated, set_aside, taken.not_done)


def _taken(request: Request[Any, Any, Any], content: bytes, name: str, *, atomic: bool) -> AgreedTaken:
    serving, recorded = serving_of(request), list[Recording]()

    def take(conn: Connection) -> AgreedTaken:
        recorded.append(Recording(request, conn))
        return import_repayments(conn, serving.branch, content, name, still_valid(conn, request))

    taken = taken_in(serving.engine, take, atomic=atomic)
    if not (atomic and taken.set_aside):
        recorded[-1].tell()
    return taken


route_handlers = [take_repayments]
