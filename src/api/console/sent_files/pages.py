"""Files of rows (repayments, promises, rosters …): sent, taken in behind the page, found again by their sender.

What was set aside is told by row and column with what is expected, and is a file to mend and send again.
"""

import asyncio
from typing import Any, Final, NamedTuple

import msgspec
from litestar import Request, Response, get, post
from sqlalchemy.engine import Connection

from api.auth import actor_of
from api.begun_behind import Came, Kind, Went, begin, behind
from api.console.frame import cookies
from api.console.frame.forms import Tried, problem_of
from api.console.frame.page import HEADERS, render, to
from api.contact_files import WhichRun
from api.mending import MEND, to_mend
from api.one_file import form_of, one_file, said_in
from api.reading.asking import check_parameters
from api.row_files import ROW_FILES, RowFile
from api.serving import serving_of
from casework.errors import CallerError
from casework.intake.feed.whole import tried
from casework.intake.sheets.fault import Fault
from casework.intake.sheets.forms import forms_of
from casework.intake.sheets.mending import rows_to_mend, with_values, without_values
from casework.intake.sheets.taken import Difference
from casework.people.staff.actor import Actor
from casework.storage.database import writing
from casework.storage.driver_errors import again_on_conflict
from casework.work.cases.branch import Branch

_SHOWN: Final = 200


class SentFile(NamedTuple):
    """Which file, whether it is only said what it would change, and whether one row at fault keeps all of it out."""

    name: str
    look: bool
    atomic: bool = False


class FileCame(msgspec.Struct):
    """What became of a file; not `taken`: nothing of it went in, for it is all or nothing, or was only looked at."""

    figures: dict[str, int]
    set_aside: list[Fault]
    taken: bool = True
    differences: list[Difference] = []
    differences_in_all: int = 0
    warnings: list[Fault] = []

    @property
    def aside(self) -> int:
        """How many rows were set aside."""
        return len({one.line for one in self.set_aside})


def _run(kind: RowFile) -> Kind:
    """A run for each person who sends one."""
    return Kind(kind.word, SentFile, FileCame)


def _take(
    kind: RowFile, conn: Connection, branch: Branch, content: bytes, file: SentFile, actor: Actor, went: Went
) -> Came:
    taken = tried(
        conn, lambda conn: kind.take(conn, branch, content, file.name, actor, progress=went), atomic=file.atomic,
        dry_run=file.look,
    )  # fmt: skip
    seldom = {"changed": taken.changed, "not_done": taken.not_done}
    figures = {"rows": taken.rows, "stored": taken.stored, "repeated": taken.repeated}
    figures |= {name: number for name, number in seldom.items() if number}
    came = FileCame(
        figures, without_values(taken.set_aside), taken=not (file.look or (file.atomic and taken.set_aside)),
        differences=taken.differences[:_SHOWN], differences_in_all=len(taken.differences),
        warnings=without_values(taken.warnings),
    )  # fmt: skip
    return Came(came, rows_to_mend(content, file.name, taken.set_aside, whole=file.atomic))


def _handlers_of(kind: RowFile) -> tuple[Any, list[Any]]:
    """What takes the file, which may be larger than other bodies; the page, and the rows to mend."""

    @post(f"{kind.page}/upload", opt={"page": kind.command}, include_in_schema=False)
    async def upload(request: Request[Any, Any, Any]) -> Response[Any]:
        """Take in the file that was chosen; it goes on when the page is left."""
        form, _ = await form_of(request)
        cookies.check_form(request, str(form.get("form_token", "")))
        try:
            await _begun(request, kind)
        except CallerError as told:
            problem = problem_of(told)
            if problem["status"] in (401, 403):
                raise
            return await asyncio.to_thread(_page, request, kind, Tried("file", {}, problem))
        return to(kind.page)

    @get(kind.page, sync_to_thread=True, opt={"page": kind.command})
    def page(request: Request[Any, Any, Any], run: WhichRun = None) -> Response[Any]:
        """The reader's last file (or `run`): how far it is, or what became of its rows."""
        check_parameters(request, ("run",))
        return _page(request, kind, None, run)

    return upload, [page, *(_set_aside(kind, one) for one in MEND)]


def _set_aside(kind: RowFile, written: str) -> Any:
    @get(f"{kind.page}/set-aside.{written}", sync_to_thread=True, opt={"page": kind.command})
    def set_aside(request: Request[Any, Any, Any], run: WhichRun = None) -> Response[Any]:
        """The rows that the reader's last file (or `run`) set aside, each with why, to be mended and sent again."""
        check_parameters(request, ("run",))
        answer = to_mend(request, behind(request, _run(kind), actor_of(request).id, run), kind.form, written)
        answer.headers.update(HEADERS)
        return answer

    return set_aside


async def _begun(request: Request[Any, Any, Any], kind: RowFile) -> None:
    form, name, content = await one_file(request)
    serving, actor = serving_of(request), actor_of(request)
    said = said_in(form, {"do": ("look", "run"), **kind.atomic})
    file = SentFile(name, said.get("do") == "look", kind.whole or said.get("atomic") == "true")

    def once(went: Went) -> Came:
        with writing(serving.engine) as conn:
            return _take(kind, conn, serving.branch, content, file, actor, went)

    def work(went: Went) -> Came:
        return again_on_conflict(lambda: once(went))

    if not await asyncio.to_thread(begin, request, _run(kind), work, file, actor.id):
        raise CallerError("import_running", "您的上一个文件正在导入", "your last file is still being taken in")


def _page(
    request: Request[Any, Any, Any], kind: RowFile, tried: Tried | None = None, number: int | None = None
) -> Response[Any]:
    run = behind(request, _run(kind), actor_of(request).id, number)
    if tried is None and run.mistake is not None:
        tried = Tried("file", {}, problem_of(run.mistake))
    came: FileCame | None = run.outcome
    faults = came.set_aside[:_SHOWN] if came else []
    if faults and run.has_file:
        serving = serving_of(request)
        faults = with_values(faults, serving.behind.file_of(run), forms_of(serving.branch)[kind.form].columns)
    return render(
        request, "sent_files/file.html", status=int(tried.problem["status"]) if tried else 200, kind=kind, run=run,
        came=came, tried=tried, faults=faults, warnings=came.warnings[:_SHOWN] if came else [],
    )  # fmt: skip


_made = [_handlers_of(one) for one in ROW_FILES]
route_handlers = [handler for _, pages in _made for handler in pages]
uploads = [upload for upload, _ in _made]
"""These take more than other bodies may have."""
