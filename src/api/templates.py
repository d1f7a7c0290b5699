"""Templates of the files that are taken in: which there are, and each as a workbook to fill in."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.params import PathParameter

from api.language import Language
from api.list_shape import whole, whole_of
from api.reading.asking import answers, check_parameters
from api.reading.exports import XLSX, file_named
from api.serving import serving_of
from casework.errors import CallerError
from casework.file_names import file_name
from casework.intake.sheets.column import FileColumn
from casework.intake.sheets.forms import forms_of
from casework.intake.sheets.kinds import KEY
from casework.intake.sheets.template import Lang, template

Word = Annotated[str, PathParameter(max_length=64, description="The kind of file, as GET /templates has it.")]


class TemplateColumn(msgspec.Struct):
    """A column: its names, whether a row needs it, what it may hold, an invented cell."""

    name: str
    also: list[str]
    required: bool
    zh: str
    en: str
    example: str


class TemplateOf(msgspec.Struct):
    """A kind of file, and the columns by which it is read."""

    kind: str
    zh: str
    en: str
    columns: list[TemplateColumn]


_EXAMPLE: dict[str, Any] = {
    "kind": "promises", "zh": "承诺还款", "en": "promises to pay",
    "columns": [{"name": "ref", "also": ["承诺编号", "编号"], "required": True, "zh": KEY.zh, "en": KEY.en,
                 "example": "EX-N0001"}],
}  # fmt: skip


@get("/templates", sync_to_thread=True, tags=["feeds"], summary="Kinds of files, and their columns",
     responses=answers(whole(TemplateOf), {"items": [_EXAMPLE], "next": None}))  # fmt: skip
def templates(request: Request[Any, Any, Any]) -> Response[Any]:
    """What files are taken in, by shell, API or page, and what their columns may hold."""
    check_parameters(request, ())
    found = [
        TemplateOf(one.word, one.zh, one.en, [_column(column) for column in one.columns])
        for one in forms_of(serving_of(request).branch).values()
    ]
    return whole_of(TemplateOf, found)


def _column(one: FileColumn) -> TemplateColumn:
    required = one.compulsory and not one.may_be_empty
    return TemplateColumn(one.name, list(one.aliases), required, one.kind.zh, one.kind.en, one.filled)


@get("/templates/{kind:str}", sync_to_thread=True, tags=["feeds"], summary="The template of a kind of file",
     media_type=XLSX,
     responses=answers(bytes, "(a workbook)", "unknown_template", "invalid_request", media_type=XLSX))  # fmt: skip
def one_template(request: Request[Any, Any, Any], kind: Word, spoken: Language) -> Response[bytes]:
    """A workbook: headers, an invented row, and a sheet that explains each column in both languages."""
    check_parameters(request, ("lang",))
    return template_file(request, kind, spoken)


def template_file(request: Request[Any, Any, Any], kind: str, lang: Lang) -> Response[bytes]:
    """That workbook; CallerError `unknown_template`."""
    form = forms_of(serving_of(request).branch).get(kind)
    if form is None:
        raise CallerError("unknown_template", kind=kind)
    name = file_name({"zh": "模板", "en": "template"}[lang], "template-zh", kind.replace("_", "-"), kind="xlsx")
    return file_named(template(form, lang), XLSX, name)  # of no day


route_handlers = [templates, one_template]
