"""The lists as files: CSV and XLSX of the same filters. Taking one out is an entry, committed before it is sent."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery

from api.auth import still_valid
from api.language import Language
from api.permitted import reach
from api.reading.asking import FILTERS, answers, case_filter, reader_of
from api.serving import serving_of
from casework.clock import now
from casework.file_names import FileName
from casework.storage.database import reading, writing
from casework.table import MAX_ROWS, Lang
from casework.work.cases.export import CASES, case_cells
from casework.work.cases.filter import BusinessDates, CaseFilter
from casework.work.cases.queries import walk_cases
from casework.work.cases.sorts import Sort
from casework.work.cases.taking_out import BulkFile, FileKind, file_of_list, record_taken, taker_of

CSV = "text/csv"  # Litestar adds the charset to text
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MEDIA_TYPES: Final[Mapping[FileKind, str]] = {"xlsx": XLSX, "csv": CSV}


@get(
    "/cases.csv",
    sync_to_thread=True,
    dependencies={"wanted": Provide(case_filter, sync_to_thread=False)},
    responses=answers(
        str,
        "案件编号,借据号,…\r\n1207,L2024000917,…\r\n",
        "filter_malformed",
        "invalid_request",
        media_type="text/csv",
    ),
    tags=["cases"],
)
def cases_as_csv(
    request: Request[Any, Any, Any],
    wanted: NamedDependency[CaseFilter],
    sort: FromQuery[Sort] = "id",
    *,
    spoken: Language,
) -> Response[bytes]:
    """The cases of a filter as CSV, at most 20,000 (`Casework-Cut`); the last row says who took it out."""
    return cases_file(request, wanted, sort, "csv", spoken)


@get(
    "/cases.xlsx",
    sync_to_thread=True,
    dependencies={"wanted": Provide(case_filter, sync_to_thread=False)},
    responses=answers(bytes, "(a workbook)", "filter_malformed", "invalid_request", media_type=XLSX),
    tags=["cases"],
)
def cases_as_xlsx(
    request: Request[Any, Any, Any],
    wanted: NamedDependency[CaseFilter],
    sort: FromQuery[Sort] = "id",
    *,
    spoken: Language,
) -> Response[bytes]:
    """The cases of a filter as a workbook, at most 20,000 (`Casework-Cut`); its second line says who took it out."""
    return cases_file(request, wanted, sort, "xlsx", spoken)


def cases_file(
    request: Request[Any, Any, Any], wanted: CaseFilter, sort: Sort, kind: FileKind, lang: Lang
) -> Response[bytes]:
    """That file; that it was taken out is on record before it is sent."""
    serving, actor = reader_of(request, *FILTERS, "sort", "lang")
    with reading(serving.engine, snapshot=True) as conn:
        taker, dates = taker_of(conn, serving.branch, actor, now()), BusinessDates(conn, serving.branch)
        chunks = walk_cases(conn, dates, wanted, within=reach(request), sort=sort, at_most=MAX_ROWS + 1)
        lines = [line for chunk in chunks for line in chunk]
    cells = (case_cells(line, serving.branch.rulebook.chart, lang) for line in lines)
    return sent(request, file_of_list(CASES, cells, kind, lang, msgspec.to_builtins(wanted), taker))


def sent(request: Request[Any, Any, Any], taken: BulkFile) -> Response[bytes]:
    """A file of a list, once it is on record."""
    serving = serving_of(request)
    with writing(serving.engine) as conn:
        record_taken(conn, serving.branch, still_valid(conn, request), taken)
    return file_of(taken.body, MEDIA_TYPES[taken.kind], taken.name, cut=taken.cut)


def file_of(body: bytes, media_type: str, name: FileName, *, cut: bool) -> Response[bytes]:
    """A file to be saved; `Casework-Cut` says whether it has less than was asked for."""
    headers = {"Content-Disposition": saved_as(name), "Casework-Cut": "true" if cut else "false"}
    return Response(body, media_type=media_type, headers=headers)


def file_named(body: bytes, media_type: str, name: FileName) -> Response[bytes]:
    """A file that is whole, to be saved under its name."""
    return Response(body, media_type=media_type, headers={"Content-Disposition": saved_as(name)})


def saved_as(name: FileName) -> str:
    """The disposition of a file to be saved under a name in any script (RFC 6266), or a plain one."""
    return f"attachment; filename=\"{name.plain}\"; filename*=UTF-8''{quote(name.name)}"
