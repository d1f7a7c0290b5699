"""Files of rows (repayments, promises, rosters …): sent, taken in behind the page, found again by their sender.

What was set aside is told by row and column with what is expected, and is a file to mend and send again.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
from litestar import Request, Response, get, post
from sqlalchemy.engine import Connection

from api.auth import actor_of
from api.console.frame import cookies
from api.console.frame.behind import Came, Kind, Went, begin, behind
from api.console.frame.forms import Tried, problem_of
from api.console.frame.page import HEADERS, render, to
from api.contact_files import WhichRun
from api.mending import MEND, to_mend
from api.one_file import form_of, is_atomic, one_file
from api.reading.asking import check_parameters
from api.row_files import ROW_FILES, RowFile
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.intake.enrolment.roll import import_staff
from casework.intake.enrolment.sheet import MOST_BYTES
from casework.intake.enrolment.shift_sheet import import_shifts
from casework.intake.feed.whole import tried
from casework.intake.sheets.fault import Fault
from casework.intake.sheets.forms import forms_of
from casework.intake.sheets.mending import FileFaulty, rows_to_mend, with_values, without_values
from casework.people.staff.actor import Actor
from casework.storage.database import writing
from casework.storage.driver_errors import again_on_conflict
from casework.work.cases.branch import Branch
from casework.work.cases.gather import closed_through

_SHOWN: Final = 200


class SentFile(NamedTuple):
    """Which file, whether it is only said what it would change, and whether one row at fault keeps all of it out."""

    name: str
    look: bool
    atomic: bool = False


class Difference(NamedTuple):
    """What a line of a staff list changes of whom."""

    line: int
    staff_no: str
    field: str
    before: str | None
    after: str | None


class FileCame(msgspec.Struct):
    """What became of a file; not `taken`: nothing of it went in, for it is all or nothing, or was only looked at."""

    figures: dict[str, int]
    set_aside: list[Fault]
    taken: bool = True
    differences: list[Difference] = []
    warnings: list[Fault] = []

    @property
    def aside(self) -> int:
        """How many rows were set aside."""
        return len({one.line for one in self.set_aside})


class Sent(NamedTuple):
    """A file as it was sent, by whom."""

    conn: Connection
    branch: Branch
    content: bytes
    file: SentFile
    actor: Actor


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file: its word, its form (`intake.sheets.forms`), the command it needs, what takes it in.

    `looks`: it can be looked at first. `by_rows`: what is sound goes in, unless all or nothing is asked for.
    """

    word: str
    form: str
    command: str
    take: Callable[[Sent, Went], Came]
    looks: bool = False
    by_rows: bool = False

    @property
    def place(self) -> str:
        """Where its page is."""
        return f"/console/{self.word.replace('_', '-')}"

    @property
    def run(self) -> Kind:
        """A run for each person who sends one."""
        return Kind(self.word, SentFile, FileCame)


def _rows(kind: RowFile, sent: Sent, went: Went) -> Came:
    name, atomic = sent.file.name, kind.whole or sent.file.atomic
    taken = tried(
        sent.conn, lambda conn: kind.take(conn, sent.branch, sent.content, name, sent.actor, progress=went),
        atomic=atomic, dry_run=sent.file.look,
    )  # fmt: skip
    seldom = {"changed": taken.changed, "not_done": taken.not_done}
    figures = {"rows": taken.rows, "stored": taken.stored, "repeated": taken.repeated}
    figures |= {name: number for name, number in seldom.items() if number}
    came = FileCame(
        figures, without_values(taken.set_aside), taken=not (sent.file.look or (atomic and taken.set_aside)),
        warnings=without_values(taken.warnings),
    )  # fmt: skip
    return Came(came, rows_to_mend(sent.content, name, taken.set_aside, whole=atomic))


def _staff_list(sent: Sent, went: Went) -> Came:
    name, most = sent.file.name, MOST_BYTES >> 20
    if len(sent.content) > MOST_BYTES:
        raise CallerError("file_too_large", f"{name}超过{most} MiB", f"{name} has more than {most} MiB")
    outcome = import_staff(
        sent.conn, sent.branch, sent.content, name, actor=sent.actor, dry_run=sent.file.look, progress=went
    )
    faults = without_values(outcome.faults)
    figures = {"rows": outcome.rows, "unchanged": outcome.unchanged, "differences": len(outcome.differences)}
    told = [Difference(one.line, one.staff_no, one.field, one.before, one.after) for one in outcome.differences]
    came = FileCame(figures, faults, taken=outcome.applied, differences=told[:_SHOWN])
    return Came(came, rows_to_mend(sent.content, name, faults, whole=True))


def _roster(sent: Sent, went: Went) -> Came:
    """All of it, or nothing."""
    went(0)
    name, branch = sent.file.name, sent.branch
    trail = branch.trail(now())
    try:
        taken = import_shifts(
            sent.conn, trail, sent.actor, branch.rulebook.shifts, sent.content, name, closed=closed_through(sent.conn)
        )
    except FileFaulty as faulty:
        found = faulty.all_of_them
        came = FileCame({"rows": 0, "days": 0}, without_values(found), taken=False)
        return Came(came, rows_to_mend(sent.content, name, found, whole=True))
    trail.write(sent.conn)
    return Came(FileCame({"rows": taken.rows, "days": len(taken.days)}, []))


KINDS: Final = (
    *(
        FileKind(one.word, one.form, one.command, partial(_rows, one), looks=True, by_rows=not one.whole)
        for one in ROW_FILES
    ),
    FileKind("staff_lists", "staff", "staff.change", _staff_list, looks=True),
    FileKind("roster_files", "roster", "roster.change", _roster),
)


def _handlers_of(kind: FileKind) -> tuple[Any, list[Any]]:
    """What takes the file, which may be larger than other bodies; the page, and the rows to mend."""

    @post(f"{kind.place}/upload", opt={"page": kind.command}, include_in_schema=False)
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
        return to(kind.place)

    @get(kind.place, sync_to_thread=True, opt={"page": kind.command})
    def page(request: Request[Any, Any, Any], run: WhichRun = None) -> Response[Any]:
        """The reader's last file (or `run`): how far it is, or what became of its rows."""
        check_parameters(request, ("run",))
        return _page(request, kind, None, run)

    return upload, [page, *(_set_aside(kind, one) for one in MEND)]


def _set_aside(kind: FileKind, written: str) -> Any:
    @get(f"{kind.place}/set-aside.{written}", sync_to_thread=True, opt={"page": kind.command})
    def set_aside(request: Request[Any, Any, Any], run: WhichRun = None) -> Response[Any]:
        """The rows that the reader's last file (or `run`) set aside, each with why, to be mended and sent again."""
        check_parameters(request, ("run",))
        answer = to_mend(request, behind(request, kind.run, actor_of(request).id, run), kind.form, written)
        answer.headers.update(HEADERS)
        return answer

    return set_aside


async def _begun(request: Request[Any, Any, Any], kind: FileKind) -> None:
    form, name, content = await one_file(request)
    serving, actor = serving_of(request), actor_of(request)
    file = SentFile(name, kind.looks and form.get("do") == "look", kind.by_rows and is_atomic(form))

    def once(went: Went) -> Came:
        with writing(serving.engine) as conn:
            return kind.take(Sent(conn, serving.branch, content, file, actor), went)

    def work(went: Went) -> Came:
        return again_on_conflict(lambda: once(went))

    if not await asyncio.to_thread(begin, request, kind.run, work, file, actor.id):
        raise CallerError("import_running", "您的上一个文件正在导入", "your last file is still being taken in")


def _page(
    request: Request[Any, Any, Any], kind: FileKind, tried: Tried | None = None, number: int | None = None
) -> Response[Any]:
    run = behind(request, kind.run, actor_of(request).id, number)
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


_made = [_handlers_of(one) for one in KINDS]
route_handlers = [handler for _, pages in _made for handler in pages]
uploads = [upload for upload, _ in _made]
"""These take more than other bodies may have."""
