"""The lists as files: CSV and XLSX of the same filters. Taking one out is an entry, committed before it is sent."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, QueryParameter

from api.permitted import reach
from api.reading.asking import FILTERS, answers, case_filter, reader_of
from casework.clock import now, utc_text
from casework.storage.database import reading, writing
from casework.work.cases.disclosure import record_export
from casework.work.cases.export import (
    MAX_ROWS,
    Lang,
    cases_csv,
    cases_xlsx,
)
from casework.work.cases.filter import BusinessDates, CaseFilter
from casework.work.cases.line import CaseLine
from casework.work.cases.queries import Sort, walk_cases

CSV = "text/csv"  # Litestar adds the charset to text
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Language = Annotated[Lang, QueryParameter(description="Language of headers and labels.")]


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
    lang: Language = "zh",
) -> Response[bytes]:
    """The cases of a filter as CSV, at most 20,000; a last row and `Casework-Cut` say if there are more."""
    lines, cut = _lines(request, wanted, sort, "csv")
    serving, _ = reader_of(request, *FILTERS, "sort", "lang")
    body = cases_csv(lines, serving.branch.rulebook.chart, lang, cut=cut)
    return file_of(body, CSV, "cases.csv", cut=cut)


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
    lang: Language = "zh",
) -> Response[bytes]:
    """The cases of a filter as a workbook, at most 20,000; its sheet of notes says if there are more."""
    return cases_workbook(request, wanted, sort, lang)


def cases_workbook(
    request: Request[Any, Any, Any], wanted: CaseFilter, sort: Sort, lang: Literal["zh", "en"]
) -> Response[bytes]:
    """That workbook; that it was taken out is on record before it is made."""
    lines, cut = _lines(request, wanted, sort, "xlsx")
    serving, _ = reader_of(request, *FILTERS, "sort", "lang")
    names = {"zh": ("筛选", "排序", "导出时间"), "en": ("Filter", "Sort", "Made at")}[lang]
    asked = msgspec.json.encode(wanted).decode()
    notes = dict(zip(names, (asked, sort, utc_text(now())), strict=True))
    body = cases_xlsx(lines, serving.branch.rulebook.chart, lang, cut=cut, notes=notes)
    return file_of(body, XLSX, "cases.xlsx", cut=cut)


def _lines(
    request: Request[Any, Any, Any], wanted: CaseFilter, sort: Sort, kind: Literal["csv", "xlsx"]
) -> tuple[list[CaseLine], bool]:
    serving, actor = reader_of(request, *FILTERS, "sort", "lang")
    with reading(serving.engine, snapshot=True) as conn:
        dates = BusinessDates(conn, serving.branch)
        chunks = walk_cases(conn, dates, wanted, within=reach(request), sort=sort, at_most=MAX_ROWS + 1)
        lines = [line for chunk in chunks for line in chunk]
    shown = lines[:MAX_ROWS]
    with writing(serving.engine) as conn:
        record_export(conn, serving.branch, actor, msgspec.to_builtins(wanted), rows=len(shown), kind=kind)
    return shown, len(lines) > MAX_ROWS


def file_of(body: bytes, media_type: str, name: str, *, cut: bool) -> Response[bytes]:
    """A file to be saved; `Casework-Cut` says whether it has less than was asked for."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Casework-Cut": "true" if cut else "false",
    }
    return Response(body, media_type=media_type, headers=headers)
