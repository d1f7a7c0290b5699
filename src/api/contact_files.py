"""Contact files over HTTP: taken in behind the answer, one at a time for each person, and found again.

What was set aside is shown with line, column and what is expected, and is a file to mend and send again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from api.auth import actor_of
from api.begun_behind import Came, Kind, Run, Went, begin, behind
from api.example import whole_answer
from api.mending import to_mend
from api.one_file import ATOMIC, DRY_RUN, OneFile, one_file, said_in
from api.problems import problem_responses
from api.reading.asking import After, answers, check_parameters
from api.reading.exports import CSV, XLSX
from api.row_told import RowTold
from api.serving import serving_of
from casework.errors import CallerError
from casework.intake.dialler.importing import Taken, import_contacts
from casework.intake.dialler.recording import DIALLER, SHEET
from casework.intake.dialler.row import TEXTS, contact_columns
from casework.intake.feed.whole import taken_in
from casework.intake.sheets.fault import Fault
from casework.intake.sheets.kinds import INSTANT
from casework.intake.sheets.mending import rows_to_mend, with_values, without_values
from casework.storage.driver_errors import again_on_conflict

SOURCES: Final = (DIALLER, SHEET)
FORM: Final = "contact_records"
WhichRun = Annotated[int | None, QueryParameter(ge=1, le=2**53 - 1, description="An earlier file, by `run`.")]


class FileSent(NamedTuple):
    """Which file, and where it comes from."""

    name: str
    source: str
    dry_run: bool = False


CONTACT_FILE: Final = Kind("contact_file", FileSent, Taken)
"""A run for each person who sends one."""


class ContactRowTold(RowTold):
    """A row that was set aside, or warned of: what it calls itself too."""

    contact_ref: str | None = None


class ContactFileRun(msgspec.Struct, kw_only=True):
    """The caller's last file: `status` none, running, done, failed or interrupted; `done`: rows read so far.

    `run`: its number, by which it is found once another was sent. `code`: why it failed; interrupted
    (`work_interrupted`) if the process that took it in ended before it was done.

    `dry_run`: it was only told what would become of the rows. `late`: of days before the business date. `not_done`:
    rows that would have gone in if all could have (`atomic`). `set_aside`: what is wrong with a page of
    `set_aside_in_all` rows, which have `faults_in_all`; `next` is the `after` of the page that follows.
    """

    status: str
    run: int | None = None
    file: str | None = None
    source: str | None = None
    began_at: datetime | None = None
    done: int = 0
    code: str | None = None
    zh: str | None = None
    en: str | None = None
    rows: int = 0
    stored: int = 0
    repeated: int = 0
    late: int = 0
    reached: int = 0
    set_aside_in_all: int = 0
    faults_in_all: int = 0
    set_aside: list[ContactRowTold] = []
    warnings: list[ContactRowTold] = []
    next: int | None = None
    not_done: int = 0
    dry_run: bool = False


_ROW = {
    "line": 4, "column": "started_at", "kind": "malformed_time", "zh": TEXTS["malformed_time"][0],
    "en": TEXTS["malformed_time"][1], "contact_ref": "K0903-00253", "code": "malformed_time",
    "file": "calls-2026-03-09.csv", "cell": "started_at", "value": "2026-03-09 10:00", "expected_zh": INSTANT.zh,
    "expected_en": INSTANT.en,
}  # fmt: skip
_RUN: dict[str, Any] = {
    "status": "done", "run": 31, "file": "calls-2026-03-09.csv", "source": "dialler",
    "began_at": "2026-03-09T10:01:02.000004Z", "done": 3, "code": None, "zh": None, "en": None,
    "rows": 3, "stored": 2, "repeated": 0, "late": 0, "reached": 1,
    "set_aside_in_all": 1, "faults_in_all": 1, "set_aside": [_ROW], "warnings": [], "next": None, "not_done": 0,
    "dry_run": False,
}  # fmt: skip
_BEGUN = ResponseSpec(
    ContactFileRun, generate_examples=False, description="Begun; GET /contact-files tells how far it is.",
    examples=whole_answer(
        ContactFileRun, {"status": "running", "file": "calls.csv", "source": "dialler"}, summary="begun"
    ),
)  # fmt: skip


class _SentFile(OneFile):
    """A file, and where it comes from."""

    choices: Mapping[str, Sequence[str]] = {"source": SOURCES, **ATOMIC, **DRY_RUN}


@post(
    "/contact-files", status_code=202, tags=["contacts"], summary="Take in a contact file",
    operation_class=_SentFile,
    responses={202: _BEGUN, **problem_responses(
        "malformed_request", "invalid_request", "body_too_large", "unsupported_media_type", "post_not_permitted",
        "key_not_permitted", "import_running")},
)  # fmt: skip
async def take_contact_file(request: Request[Any, Any, Any]) -> Response[ContactFileRun]:
    """One file (CSV or XLSX, docs/day.md §2), as the shell takes it: all of it, or nothing where it cannot be read.

    `source` sheet: what a person typed can be late (补录). The same file again changes nothing. `atomic` true: one row
    set aside, and nothing goes in. `dry_run` true: it is told what would become of the rows, and nothing is changed.
    """
    await begun(request)
    told = await asyncio.to_thread(run_of, request)
    return Response(told, status_code=202, headers={"Location": "/contact-files"})


async def begun(request: Request[Any, Any, Any]) -> None:
    """Begin to take in the file that the request brings. CallerErrors where it brings none, `import_running`."""
    form, name, content = await one_file(request)
    said = said_in(form, _SentFile.choices)
    source, atomic, dry_run = said.get("source", DIALLER), said.get("atomic") == "true", said.get("dry_run") == "true"
    serving, actor = serving_of(request), actor_of(request)

    def once(went: Went) -> Came:
        taken = taken_in(
            serving.engine,
            lambda conn: import_contacts(conn, serving.branch, content, name, source, actor, progress=went),
            atomic=atomic,
            dry_run=dry_run,
        )
        mended = rows_to_mend(content, name, taken.set_aside, whole=atomic)
        taken.set_aside, taken.warnings = without_values(taken.set_aside), without_values(taken.warnings)
        return Came(taken, mended)

    def work(went: Went) -> Came:
        return again_on_conflict(lambda: once(went))

    if not await asyncio.to_thread(begin, request, CONTACT_FILE, work, FileSent(name, source, dry_run), actor.id):
        raise CallerError("import_running", "您的上一个文件正在导入", "your last file is still being taken in")


@get("/contact-files", sync_to_thread=True, tags=["contacts"], summary="How far the last contact file is",
     responses=answers(ContactFileRun, _RUN, "filter_malformed", "invalid_request"))  # fmt: skip
def contact_file(
    request: Request[Any, Any, Any], after: After = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1_000, description="Rows set aside on a page.")] = 200,
    run: WhichRun = None,
) -> ContactFileRun:  # fmt: skip
    """The caller's last file: how far it is, or what became of its rows; those set aside in pages, by line."""
    check_parameters(request, ("after", "limit", "run"))
    return run_of(request, after or 0, limit, run)


def _rows_set_aside(kind: str, media_type: str) -> Any:
    @get(f"/contact-files/set-aside.{kind}", sync_to_thread=True, tags=["contacts"],
         summary=f"The rows that were set aside ({kind.upper()})", media_type=media_type,
         responses={200: ResponseSpec(bytes, media_type=media_type, generate_examples=False, description="The rows."),
                    **problem_responses("nothing_set_aside", "post_not_permitted")})  # fmt: skip
    def rows_set_aside(request: Request[Any, Any, Any], run: WhichRun = None) -> Response[bytes]:
        """As they came in the caller's last file, each with why, to be mended and sent again; for nobody else."""
        check_parameters(request, ("run",))
        return rows_set_aside_of(request, kind, run)

    return rows_set_aside


def rows_set_aside_of(request: Request[Any, Any, Any], kind: str, number: int | None = None) -> Response[bytes]:
    """That file; CallerError `nothing_set_aside`."""
    return to_mend(request, _run(request, number), FORM, kind)


def _run(request: Request[Any, Any, Any], number: int | None) -> Run:
    return behind(request, CONTACT_FILE, actor_of(request).id, number)


def run_of(
    request: Request[Any, Any, Any], after: int = 0, limit: int = 200, number: int | None = None
) -> ContactFileRun:
    """As the API tells it."""
    run = _run(request, number)
    file, source, dry_run = run.about or (None, None, False)
    told = ContactFileRun(
        status=run.state,
        run=run.job_id or None,
        file=file,
        source=source,
        began_at=run.began_at,
        done=run.done,
        dry_run=dry_run,
    )
    if run.mistake is not None:
        told.code, told.zh, told.en = run.mistake.code, run.mistake.zh, run.mistake.en
    taken: Taken | None = run.outcome
    if taken is not None:
        told.rows, told.stored, told.repeated, told.late = taken.rows, taken.stored, taken.repeated, taken.late
        told.reached, told.set_aside_in_all, told.not_done = taken.reached, taken.aside, taken.not_done
        told.faults_in_all, told.warnings = len(taken.set_aside), [_row(one) for one in taken.warnings]
        lines = sorted({one.line for one in taken.set_aside if one.line > after})
        told.next = lines[limit - 1] if len(lines) > limit else None
        found = [one for one in taken.set_aside if after < one.line <= (told.next or one.line)]
        kept = serving_of(request).behind.file_of(run) if found and run.has_file else b""
        columns = contact_columns(serving_of(request).branch.rulebook.results)
        told.set_aside = [_row(one) for one in with_values(found, kept, columns)]
    return told


def _row(one: Fault) -> ContactRowTold:
    return ContactRowTold.of(one, contact_ref=one.ref)


route_handlers = [contact_file, _rows_set_aside("csv", CSV), _rows_set_aside("xlsx", XLSX)]
uploads = [take_contact_file]
"""These take more than other bodies may have."""
