"""Runs of the feed and the rows they set aside."""

import csv
import io
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get
from litestar.params import FromQuery, PathParameter, QueryParameter

from api.importing import as_they_are
from api.reading.asking import answers, reader_of
from api.reading.exports import XLSX, file_named
from api.row_told import RowTold
from api.serving import Serving
from casework.errors import CallerError
from casework.file_names import aside_name
from casework.intake.feed.aside import aside_csv, faults_of, record_aside_read
from casework.intake.feed.headers import COLUMNS, HIDDEN, PERSONAL, SET_ASIDE_COLUMNS, understand
from casework.intake.feed.run import Run, newest_runs, one_run
from casework.intake.feed.safe_form import in_safe_form
from casework.intake.feed.without_case import LoanWithoutCase, without_case
from casework.intake.sheets.kinds import DAY
from casework.intake.sheets.mending import as_workbook
from casework.people.staff.actor import Actor
from casework.personal import mask
from casework.storage.database import reading, writing

RunId = Annotated[int, PathParameter(ge=1, le=2**53 - 1, description="Number of the run.")]
Kind = Literal["loans", "overdue", "contacts", "repayments"]
_MOVED = "wrong_cell_count"


class AsideView(msgspec.Struct):
    """A row set aside: where it stood and the first thing that is wrong with it; all of them are `faults`."""

    id: int
    kind: str
    line: int
    column: str | None
    code: str
    text: str
    faults: list[RowTold]


class AsidePage(msgspec.Struct):
    """One page; `next` is the `after` of the page that follows, none at the end."""

    items: list[AsideView]
    next: int | None


class RunPage(msgspec.Struct):
    """Runs, the newest first; `next` is the `before` of the page that follows, none at the end."""

    items: list[Run]
    next: int | None


class WithoutCasePage(msgspec.Struct):
    """In order of loan numbers; `next` is the `after` of the page that follows, none at the end."""

    items: list[LoanWithoutCase]
    next: str | None


RUN_EXAMPLE = {
    "id": 31, "institution": "wuhan", "as_of": "2026-03-09", "status": "applied", "correction": False,
    "digest": "5f" * 32, "actor_id": "system", "via": "cli", "started_at": "2026-03-10T00:10:00.000000Z",
    "finished_at": "2026-03-10T00:10:02.418000Z", "refusal": None,
    "files": [{"name": "overdue.csv", "kind": "overdue", "rows": 1500, "sha256": "5f" * 32}],
    "figures": {"overdue": 1500, "opened": 31, "gone": 12},
}  # fmt: skip
_WITHOUT_CASE = {
    "items": [{"loan_id": "HB-2023-000042", "institution": "wuhan", "as_of": "2026-03-09", "days_past_due": 41,
               "overdue_fen": 1_204_500, "outstanding_principal_fen": 3_800_000, "last_case": 77,
               "last_state": "closed", "ended_as": "cancelled", "since": "2026-02-20"}],
    "next": None,
}  # fmt: skip
_ASIDE = {
    "items": [{"id": 7, "kind": "overdue", "line": 18, "column": "oldest_due_date", "code": "due_after_as_of",
               "text": "到期日晚于数据日 / due after the feed's day",
               "faults": [{"line": 18, "column": "oldest_due_date", "kind": "due_after_as_of", "zh": "到期日晚于数据日",
                           "en": "due after the feed's day", "code": "due_after_as_of", "file": "overdue.xlsx",
                           "cell": "B18", "value": "2026-03-12", "expected_zh": DAY.zh, "expected_en": DAY.en}]}],
    "next": None,
}  # fmt: skip


@get(
    "/feeds",
    sync_to_thread=True,
    responses=answers(RunPage, {"items": [RUN_EXAMPLE], "next": None}, "invalid_request", "filter_malformed"),
    tags=["feeds"],
)
def feed_runs(
    request: Request[Any, Any, Any],
    before: Annotated[int | None, QueryParameter(ge=0, le=2**53 - 1, description="`next` of the page before.")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=200, description="Runs on a page.")] = 50,
) -> RunPage:
    """Every run, whatever became of it, the newest first."""
    serving, _ = reader_of(request, "before", "limit")
    with reading(serving.engine) as conn:
        found, _ = as_they_are(conn, newest_runs(conn, before=before, limit=limit + 1))
    return RunPage(found[:limit], found[limit - 1].id if len(found) > limit else None)


@get("/feeds/{run_id:int}", sync_to_thread=True, responses=answers(Run, RUN_EXAMPLE, "unknown_run"), tags=["feeds"])
def feed_run(request: Request[Any, Any, Any], run_id: RunId) -> Run:
    """One run: who, when, which files, and what came of it."""
    serving, _ = reader_of(request)
    with reading(serving.engine) as conn:
        return as_they_are(conn, [known_run(one_run(conn, run_id), run_id)])[0][0]


@get(
    "/feeds/without-case",
    sync_to_thread=True,
    responses=answers(WithoutCasePage, _WITHOUT_CASE, "invalid_request", "filter_malformed"),
    tags=["feeds"],
)
def loans_without_case(
    request: Request[Any, Any, Any],
    after: Annotated[str, QueryParameter(max_length=64, description="`next` of the page before.")] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
) -> WithoutCasePage:
    """Loans in arrears by the last feed that nobody works on, and how their last case ended."""
    serving, _ = reader_of(request, "after", "limit")
    with reading(serving.engine, snapshot=True) as conn:
        found = without_case(conn, after=after, limit=limit + 1)
    return WithoutCasePage(found[:limit], found[limit - 1].loan_id if len(found) > limit else None)


@get(
    "/feeds/{run_id:int}/set-aside",
    sync_to_thread=True,
    responses=answers(AsidePage, _ASIDE, "unknown_run", "invalid_request", "filter_malformed"),
    tags=["feeds"],
)
def set_aside_rows(
    request: Request[Any, Any, Any],
    run_id: RunId,
    kind: FromQuery[Kind | None] = None,
    after: Annotated[int, QueryParameter(ge=0, le=2**53 - 1)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
) -> AsidePage:
    """The rows a run set aside: line, column and reason, every fault of each with what is expected; values masked."""
    serving, actor = reader_of(request, "kind", "after", "limit")
    personal = serving.branch.rulebook.permissions.view(actor, "set_aside") is not None
    with reading(serving.engine, snapshot=True) as conn:
        known_run(one_run(conn, run_id), run_id)
        found = faults_of(conn, serving.branch.vault, run_id, kind, after=after, limit=limit + 1, personal=personal)
    items = [
        AsideView(row.id, row.kind, row.line, row.column, row.code, row.text, [RowTold.of(one) for one in faults])
        for row, faults in found[:limit]
    ]
    return AsidePage(items, items[-1].id if len(found) > limit else None)


@get(
    "/feeds/{run_id:int}/set-aside.csv",
    sync_to_thread=True,
    responses=answers(str, "loan_id,oldest_due_date,…\r\n", "unknown_run", "invalid_request",
                      "filter_malformed", "sealed_value_altered", media_type="text/csv"),
    tags=["feeds"],
)  # fmt: skip
def set_aside_as_csv(
    request: Request[Any, Any, Any],
    run_id: RunId,
    kind: FromQuery[Kind] = "overdue",
    raw: Annotated[bool, QueryParameter(description="Cells as they came, formulas too.")] = False,
) -> Response[bytes]:
    """The rows of one file that a run set aside, as a CSV to be mended and fed again; personal cells masked.

    A cell that a spreadsheet could run has an apostrophe in front; the column `set_aside_safe` says so, and a file that
    has it is read without them.

    Whole personal cells come out of `casework feed set-aside`, on the machine that has the keys.
    """
    serving, actor = reader_of(request, "kind", "raw")
    return set_aside_file(serving, actor, run_id, kind, raw=raw)


@get(
    "/feeds/{run_id:int}/set-aside.xlsx",
    sync_to_thread=True,
    responses=answers(bytes, "(a workbook)", "unknown_run", "invalid_request", "filter_malformed",
                      "sealed_value_altered", media_type=XLSX),
    tags=["feeds"],
)  # fmt: skip
def set_aside_as_xlsx(
    request: Request[Any, Any, Any], run_id: RunId, kind: FromQuery[Kind] = "overdue"
) -> Response[bytes]:  # fmt: skip
    """The same rows as a workbook: faulty cells marked, the last column says what is wrong; personal cells masked."""
    serving, actor = reader_of(request, "kind")
    return set_aside_file(serving, actor, run_id, kind, workbook=True)


def set_aside_file(
    serving: Serving, actor: Actor, run_id: int, kind: Kind, *, raw: bool = False, workbook: bool = False
) -> Response[bytes]:
    """That CSV, or a workbook, once its reading is on record."""
    with reading(serving.engine, snapshot=True) as conn:
        run = known_run(one_run(conn, run_id), run_id)
        text = aside_csv(conn, serving.branch.vault, run_id, kind)
    with writing(serving.engine) as conn:
        record_aside_read(conn, serving.branch, actor, kind, masked=True, run_id=run_id)
    view = serving.branch.rulebook.permissions.view(actor, "set_aside")
    masked = _masked(kind, text, shown=view is not None)
    safe = in_safe_form(masked).encode("utf-8-sig")
    body = as_workbook(safe, COLUMNS[kind]) if workbook else masked.encode("utf-8-sig") if raw else safe
    name = aside_name(kind, run_id, run.as_of, kind="xlsx" if workbook else "csv")
    return file_named(body, XLSX if workbook else "text/csv", name)


def _masked(kind: Kind, text: str, *, shown: bool) -> str:
    """The CSV with personal cells masked (not `shown`: empty), and those of columns that nobody knows.

    A row with too few or too many cells is masked whole but for its first: behind it cells may have moved.
    """
    read = list(csv.reader(io.StringIO(text, newline="")))
    if not read or kind not in ("loans", "contacts"):
        return text
    header = read[0]
    names: dict[int, str | None] = {at: name for name, at in understand(kind, header).positions.items()}
    ours = {at for at, name in enumerate(header) if name in SET_ASIDE_COLUMNS}
    code_at = header.index("set_aside_code")
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    for cells in read[1:]:
        known = {0: names.get(0)} if cells[code_at] == _MOVED else names
        writer.writerow(
            [cell if at in ours else _shown(known.get(at), cell, shown=shown) for at, cell in enumerate(cells)]
        )
    return out.getvalue()


def _shown(name: str | None, cell: str, *, shown: bool) -> str:
    if name is None:
        return HIDDEN if cell else ""
    if name not in PERSONAL:
        return cell
    return mask(name, cell) if shown else ""


def known_run(found: Run | None, run_id: int) -> Run:
    """The run; CallerError `unknown_run` where there is none."""
    if found is None:
        raise CallerError("unknown_run", run_id=run_id)
    return found
