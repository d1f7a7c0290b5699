"""Files of rows over HTTP: taken in as the shell takes them, answered with what became of their rows.

Each kind is declared once in `ROW_FILES`, for its route here and for its page (`api.console.sent_files`).
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

import msgspec
from litestar import Request, post
from sqlalchemy.engine import Connection

from api.auth import still_valid
from api.mending import MEND
from api.one_file import ATOMIC, DRY_RUN, OneFile, one_file, said_in
from api.reading.asking import answers
from api.receipts import Recording
from api.row_told import RowTold
from api.serving import serving_of
from casework.intake.enrolment.roll import take_staff_list
from casework.intake.enrolment.shift_sheet import take_roster
from casework.intake.feed.agreed import import_holds, import_promises
from casework.intake.feed.calendar_sheet import import_calendar
from casework.intake.feed.daytime import import_repayments
from casework.intake.feed.whole import taken_in
from casework.intake.sheets.forms import forms_of
from casework.intake.sheets.kinds import KEY
from casework.intake.sheets.mending import as_workbook, rows_to_mend
from casework.intake.sheets.taken import FileTaken
from casework.people.staff.actor import Actor
from casework.storage.driver_errors import again_on_conflict
from casework.work.cases.branch import Branch


class RowsTaken(msgspec.Struct):
    """Rows of the file, how many were new, how many were there already, and those that were set aside.

    `set_aside_rows` have `faults_in_all`. `not_done`: how many would have been taken if all could have (`atomic`).
    `changed`: what was there and is another now. `warnings`: of rows that went in. `dry_run`: it is only said.
    `to_mend`: the file to mend and send again, in base64, where `mend` asks for it and rows were set aside.
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
    to_mend: str | None

    @classmethod
    def of(cls, taken: FileTaken, *, dry_run: bool, to_mend: bytes, **more: Any) -> Self:
        """As it is told."""
        aside, warnings = ([RowTold.of(one) for one in some] for some in (taken.set_aside, taken.warnings))
        return cls(
            taken.rows, taken.stored, taken.repeated, aside, taken.aside, len(aside), taken.not_done, taken.changed,
            warnings, dry_run, b64encode(to_mend).decode() or None, **more,
        )  # fmt: skip


class RepaymentsTaken(RowsTaken):
    """The same of payments: how many were new, how many were on the books already."""


class StaffDifference(msgspec.Struct):
    """One thing in which the register differed from a line. `request`: it asks for the post, if that needs one."""

    line: int
    staff_no: str
    field: str
    before: str | None
    after: str | None
    request: int | None


class StaffListTaken(RowsTaken):
    """The same of people: new are those who were not registered; `differences`, one by one."""

    differences: list[StaffDifference]

    @classmethod
    def of(cls, taken: FileTaken, *, dry_run: bool, to_mend: bytes, **more: Any) -> Self:
        """As it is told; a request that a dry run would make has no number."""
        differences = [
            StaffDifference(one.line, one.staff_no, one.field, one.before, one.after, None if dry_run else one.request)
            for one in taken.differences
        ]
        return super().of(taken, dry_run=dry_run, to_mend=to_mend, differences=differences, **more)


class Take(Protocol):
    """What takes in the rows of a file, in the caller's transaction."""

    def __call__(
        self, conn: Connection, branch: Branch, content: bytes, name: str, actor: Actor, *,
        progress: Callable[[int], None] = ...,
    ) -> FileTaken:  # fmt: skip
        """What became of them."""
        ...


@dataclass(frozen=True, slots=True)
class RowFile:
    """A kind of file: its word, route, form (`intake.sheets.forms`), the command it needs, and what takes it in.

    `whole`: one row at fault, and nothing goes in, whatever is asked for. `answer`: its route's; `codes`: what else
    that may answer.
    """

    word: str
    route: str
    form: str
    command: str
    take: Take
    title: str
    about: str
    whole: bool = False
    answer: type[RowsTaken] = RowsTaken
    tag: str = "feeds"
    codes: tuple[str, ...] = ()

    @property
    def atomic(self) -> Mapping[str, Sequence[str]]:
        """What its form may say of all or nothing."""
        return {"atomic": ("true",)} if self.whole else ATOMIC

    @property
    def page(self) -> str:
        """Where its page is."""
        return f"/console/{self.word.replace('_', '-')}"


_TOLD: Final = (
    "`dry_run` true: only said, nothing stays. `mend` csv or xlsx: with rows set aside comes the file to mend."
)
_ATOMIC_TOLD: Final = f"`atomic` true: one row set aside, and nothing is taken in. {_TOLD}"
ROW_FILES: Final = (
    RowFile(
        "repayment_files", "/repayments", "repayments", "repayment.import", import_repayments,
        "Take in repayments of the day",
        "Take in one file (CSV or XLSX, the feed's columns of repayments); the same file again changes nothing.\n\n"
        "What is new counts at once: for promises, for what was written off, and against demand calls on the loan. "
        + _ATOMIC_TOLD,
        answer=RepaymentsTaken,
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
        f"its years; all of it or nothing. {_TOLD}",
        whole=True, codes=("calendar_empty",),
    ),
    RowFile(
        "staff_lists", "/staff-lists", "staff", "staff.change", take_staff_list,
        "Bring the register to a staff list",
        "Take in one file (CSV or XLSX; columns: GET /templates/staff). An empty cell says nothing, `-` that there is "
        "none; who is not in it stays as they are; posts are asked for with four eyes. All of it or nothing.\n\n"
        + _TOLD,
        whole=True, answer=StaffListTaken, tag="staff",
    ),
    RowFile(
        "roster_files", "/roster-files", "roster", "roster.change", take_roster,
        "Take in a roster",
        "Take in one file (CSV or XLSX; columns: GET /templates/roster). A row takes the place of what the roster had "
        f"for the person and the day, an empty shift takes them off it. All of it or nothing.\n\n{_TOLD}",
        whole=True, tag="staff", codes=("roster_empty",),
    ),
)  # fmt: skip


_SHOWN = {
    "rows": 3, "stored": 1, "repeated": 1,
    "set_aside": [{"line": 4, "column": "loan_id", "kind": "unknown_loan", "zh": "借据不在贷款台账中",
                   "en": "no such loan on the books", "code": "unknown_loan", "file": "sent.xlsx", "cell": "B4",
                   "value": "L2024000999", "expected_zh": KEY.zh, "expected_en": KEY.en}],
    "set_aside_rows": 1, "faults_in_all": 1, "not_done": 0, "changed": 0, "warnings": [], "dry_run": False,
    "to_mend": None,
}  # fmt: skip


_DIFFERENCE = {
    "line": 2, "staff_no": "10021", "field": "post", "before": None, "after": "business_rep", "request": 12,
}  # fmt: skip


def _route(kind: RowFile) -> Any:
    fields = {**kind.atomic, **DRY_RUN, "mend": MEND}

    class _Form(OneFile):
        choices: Mapping[str, Sequence[str]] = fields

    shown = _SHOWN | ({"differences": [_DIFFERENCE]} if kind.answer is StaffListTaken else {})

    @post(
        kind.route, status_code=200, tags=[kind.tag], summary=kind.title, description=kind.about, operation_class=_Form,
        responses=answers(
            kind.answer, shown, "malformed_request", "invalid_request", "body_too_large", "unsupported_media_type",
            "file_unreadable", "file_too_large", "file_cut", "csv_malformed", "other_separator", "column_missing",
            "column_repeated", "too_many_rows", "too_many_columns", "too_many_set_aside", "row_too_long",
            "database_busy", "database_full", *kind.codes,
        ),
    )  # fmt: skip
    async def take_file(request: Request[Any, Any, Any]) -> RowsTaken:
        """As `about` tells it."""
        form, name, content = await one_file(request)
        said = said_in(form, fields)
        atomic, dry_run = kind.whole or said.get("atomic") == "true", said.get("dry_run") == "true"

        def once() -> FileTaken:
            return _taken(request, kind, content, name, atomic=atomic, dry_run=dry_run)

        taken = await asyncio.to_thread(again_on_conflict, once)
        to_mend = rows_to_mend(content, name, taken.set_aside, whole=atomic) if "mend" in said else b""
        if to_mend and said["mend"] == "xlsx":
            to_mend = as_workbook(to_mend, forms_of(serving_of(request).branch)[kind.form].columns)
        return kind.answer.of(taken, dry_run=dry_run, to_mend=to_mend)

    return take_file


def _taken(
    request: Request[Any, Any, Any], kind: RowFile, content: bytes, name: str, *, atomic: bool, dry_run: bool
) -> FileTaken:
    serving, recorded = serving_of(request), list[Recording]()

    def take(conn: Connection) -> FileTaken:
        recorded.append(Recording(request, conn))
        return kind.take(conn, serving.branch, content, name, still_valid(conn, request))

    taken = taken_in(serving.engine, take, atomic=atomic, dry_run=dry_run)
    if not (dry_run or (atomic and taken.set_aside)):
        recorded[-1].tell()
    return taken


route_handlers = [_route(one) for one in ROW_FILES]
