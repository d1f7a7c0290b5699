"""Files of rows over HTTP: taken in as the shell takes them, answered with what became of their rows.

Each kind is declared once in `ROW_FILES`, for its route here and for its page (`api.console.sent_files`).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

import msgspec
from litestar import Request, post
from sqlalchemy.engine import Connection

from api.auth import still_valid
from api.one_file import ATOMIC, DRY_RUN, OneFile, is_said, one_file
from api.reading.asking import answers
from api.receipts import Recording
from api.serving import serving_of
from casework.intake.feed.agreed import AgreedTaken, import_holds, import_promises
from casework.intake.feed.calendar_sheet import import_calendar
from casework.intake.feed.daytime import import_repayments
from casework.intake.feed.whole import taken_in
from casework.intake.sheets.fault import Fault
from casework.intake.sheets.kinds import KEY
from casework.people.staff.actor import Actor
from casework.storage.driver_errors import again_on_conflict
from casework.work.cases.branch import Branch


class Take(Protocol):
    """What takes in the rows of a file, in the caller's transaction."""

    def __call__(
        self, conn: Connection, branch: Branch, content: bytes, name: str, actor: Actor, *,
        progress: Callable[[int], None] = ...,
    ) -> AgreedTaken:  # fmt: skip
        """What became of them."""
        ...


@dataclass(frozen=True, slots=True)
class RowFile:
    """A kind of file: its word, route, form (`intake.sheets.forms`), the command it needs, and what takes it in.

    `whole`: one row at fault, and nothing goes in, whatever is asked for.
    """

    word: str
    route: str
    form: str
    command: str
    take: Take
    title: str
    about: str
    whole: bool = False


_ATOMIC_TOLD: Final = (
    "`atomic` true: one row set aside, and nothing is taken in. `dry_run` true: only said, nothing stays."
)
ROW_FILES: Final = (
    RowFile(
        "repayment_files", "/repayments", "repayments", "repayment.import", import_repayments,
        "Take in repayments of the day",
        "Take in one file (CSV or XLSX, the feed's columns of repayments); the same file again changes nothing.\n\n"
        "What is new counts at once: for promises, for what was written off, and against demand calls on the loan. "
        + _ATOMIC_TOLD,
    ),
    RowFile(
        "promise_files", "/promise-files", "promises", "promise.import", import_promises,
        "Take in promises agreed elsewhere",
        "Take in one file (CSV or XLSX; columns: GET /templates/promises). A promise is known by its `ref`: the same "
        f"row again changes nothing. What the rules would forbid here is a warning.\n\n{_ATOMIC_TOLD}",
    ),
    RowFile(
        "hold_files", "/hold-files", "holds", "hold.import", import_holds,
        "Take in holds set elsewhere",
        "Take in one file (CSV or XLSX; columns: GET /templates/holds). A hold is known by loan, ground and beginning: "
        f"the same row again changes nothing, another `until` sets its end.\n\n{_ATOMIC_TOLD}",
    ),
    RowFile(
        "calendar_files", "/calendar-files", "calendar", "calendar.import", import_calendar,
        "Load the working days of a year",
        "Take in one file (CSV or XLSX; columns: GET /templates/calendar). It takes the place of what was loaded for "
        "its years; all of it or nothing. `dry_run` true: only said, nothing stays.",
        whole=True,
    ),
)  # fmt: skip


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


class RowsTaken(msgspec.Struct):
    """Rows of the file, how many were new, how many were there already, and those that were set aside.

    `set_aside_rows` have `faults_in_all`. `not_done`: how many would have been taken if all could have (`atomic`).
    `changed`: what was there and is another now. `warnings`: of rows that went in. `dry_run`: it is only said.
    """

    rows: int
    stored: int
    repeated: int
    set_aside: list[RowTold]
    set_aside_rows: int
    faults_in_all: int
    not_done: int
    changed: int
    warnings: list[RowTold]
    dry_run: bool


class RepaymentsTaken(RowsTaken):
    """The same of payments: how many were new, how many were on the books already."""


_SHOWN = {
    "rows": 3, "stored": 1, "repeated": 1,
    "set_aside": [{"line": 4, "column": "loan_id", "kind": "unknown_loan", "zh": "借据不在贷款台账中",
                   "en": "no such loan on the books", "code": "unknown_loan", "file": "sent.xlsx", "cell": "B4",
                   "value": "L2024000999", "expected_zh": KEY.zh, "expected_en": KEY.en}],
    "set_aside_rows": 1, "faults_in_all": 1, "not_done": 0, "changed": 0, "warnings": [], "dry_run": False,
}  # fmt: skip


def _route(kind: RowFile) -> Any:
    answer: type[RowsTaken] = RepaymentsTaken if kind.form == "repayments" else RowsTaken

    class _Form(OneFile):
        choices: Mapping[str, Sequence[str]] = DRY_RUN if kind.whole else {**ATOMIC, **DRY_RUN}

    @post(
        kind.route, status_code=200, tags=["feeds"], summary=kind.title, description=kind.about, operation_class=_Form,
        responses=answers(
            answer, _SHOWN, "malformed_request", "invalid_request", "body_too_large", "unsupported_media_type",
            "file_unreadable", "file_too_large", "file_cut", "csv_malformed", "other_separator", "column_missing",
            "column_repeated", "too_many_rows", "row_too_long", "database_busy", "database_full",
        ),
    )  # fmt: skip
    async def take_file(request: Request[Any, Any, Any]) -> RowsTaken:
        """As `about` tells it."""
        form, name, content = await one_file(request)
        atomic, dry_run = kind.whole or is_said(form, "atomic"), is_said(form, "dry_run")

        def once() -> AgreedTaken:
            return _taken(request, kind, content, name, atomic=atomic, dry_run=dry_run)

        taken = await asyncio.to_thread(again_on_conflict, once)
        aside, warnings = ([RowTold.of(one) for one in some] for some in (taken.set_aside, taken.warnings))
        return answer(
            taken.rows, taken.stored, taken.repeated, aside, taken.aside, len(aside), taken.not_done, taken.changed,
            warnings, dry_run,
        )  # fmt: skip

    return take_file


def _taken(
    request: Request[Any, Any, Any], kind: RowFile, content: bytes, name: str, *, atomic: bool, dry_run: bool
) -> AgreedTaken:
    serving, recorded = serving_of(request), list[Recording]()

    def take(conn: Connection) -> AgreedTaken:
        recorded.append(Recording(request, conn))
        return kind.take(conn, serving.branch, content, name, still_valid(conn, request))

    taken = taken_in(serving.engine, take, atomic=atomic, dry_run=dry_run)
    if not (dry_run or (atomic and taken.set_aside)):
        recorded[-1].tell()
    return taken


route_handlers = [_route(one) for one in ROW_FILES]
