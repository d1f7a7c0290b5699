"""Repayments of the day over HTTP: a file as the shell takes it, answered with what became of its rows."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Self

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
from casework.intake.sheets.fault import Fault
from casework.intake.sheets.kinds import KEY
from casework.storage.driver_errors import again_on_conflict


class RowTold(msgspec.Struct):
    """What is wrong with a row that was set aside; a row may have several.

    `line`: the header is 1. `column`: ours, none for the row as a whole. `cell`: C17 in a workbook, else what the file
    calls the column. `value`: masked where it is personal. `expected_zh`, `expected_en`: what the cell may hold. `kind`
    says what `code` says.
    """

    line: int
    column: str | None
    kind: str
    zh: str
    en: str
    code: str
    file: str | None
    cell: str | None
    value: str | None
    expected_zh: str | None
    expected_en: str | None

    @classmethod
    def of(cls, one: Fault, **more: Any) -> Self:
        """As it is told."""
        return cls(
            one.line, one.column, one.code, one.zh, one.en, one.code, one.file, one.cell, one.value, one.expected_zh,
            one.expected_en, **more,
        )  # fmt: skip


class RepaymentsTaken(msgspec.Struct):
    """Rows of the file, how many were new, how many were on the books already, and those that were set aside.

    `set_aside_rows` have `faults_in_all`. `not_done`: how many would have been taken if all could have (`atomic`).
    """

    rows: int
    stored: int
    repeated: int
    set_aside: list[RowTold]
    set_aside_rows: int
    faults_in_all: int
    not_done: int


_SHOWN = {
    "rows": 3, "stored": 1, "repeated": 1,
    "set_aside": [{"line": 4, "column": "loan_id", "kind": "unknown_loan", "zh": "借据不在贷款台账中",
                   "en": "no such loan on the books", "code": "unknown_loan", "file": "repayments.xlsx", "cell": "B4",
                   "value": "L2024000999", "expected_zh": KEY.zh, "expected_en": KEY.en}],
    "set_aside_rows": 1, "faults_in_all": 1, "not_done": 0,
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
    told = [RowTold.of(one) for one in taken.set_aside]
    return RepaymentsTaken(
        taken.rows, taken.stored, taken.repeated, told, taken.aside, len(taken.set_aside), taken.not_done
    )


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
