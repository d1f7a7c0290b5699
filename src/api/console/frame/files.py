"""Every list as a workbook and as CSV: declared once beside its page; the same rows, for a purpose, marked, on record.

The mark stands on every printed page, and below the last line of a CSV: who took it out, when, for what, and whether
there was more than a file may have.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from api.auth import actor_of
from api.console.frame import shown, words
from api.console.frame.page import HEADERS, language_of
from api.reading.exports import XLSX
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.people.staff.listing import names_of
from casework.spreadsheet import Column, safe_cell
from casework.storage.database import writing
from casework.table import Lang, Sheet, as_csv, printed
from casework.work.cases.disclosure import LIST_EXPORTED, record_export
from casework.work.cases.export import MAX_ROWS, cut_note

PURPOSES: Final = ("work", "report", "review", "audit")
"""What a list may be taken out for; `words.toml` has them."""


def _nothing() -> None:
    """A list without a filter."""


@dataclass(frozen=True, slots=True)
class ListFile:
    """A list at `place`: the command of its page, its columns, its rows for a reader and a filter (`wanted`).

    `said`: what the entry says of the filter, without anything personal. `rows` are as the page shows them.
    """

    place: str
    command: str
    called: Callable[[Request[Any, Any, Any]], Mapping[str, str]]
    columns: Callable[[Request[Any, Any, Any]], Sequence[Column]]
    rows: Callable[[Request[Any, Any, Any], Any, Lang], Iterable[Sequence[Any]]]
    wanted: Callable[..., Any] = _nothing
    said: Callable[[Any], Mapping[str, Any]] = lambda _: {}
    event: str = LIST_EXPORTED

    @property
    def name(self) -> str:
        """Of the file and in the entry."""
        return self.place.rpartition("/")[2]


def word(key: str) -> Callable[[Request[Any, Any, Any]], Mapping[str, str]]:
    """A list that the table of words names."""
    return lambda _: words.WORDS[key]


def columns_named(*columns: tuple[str, str, int]) -> Sequence[Column]:
    """Named by the table of words: field, key, width."""
    return [Column(field, words.WORDS[key]["zh"], words.WORDS[key]["en"], width) for field, key, width in columns]


def handlers_of(one: ListFile) -> list[Any]:
    """The files beside its page, for whom the page is."""
    return [_handler(one, kind) for kind in _MADE]


def _handler(one: ListFile, kind: str) -> Any:
    @get(f"{one.place}.{kind}", sync_to_thread=True, opt={"page": one.command},
         dependencies={"wanted": Provide(one.wanted, sync_to_thread=False)})  # fmt: skip
    def taken_out(
        request: Request[Any, Any, Any], wanted: NamedDependency[Any],
        purpose: Annotated[str, QueryParameter(max_length=16)] = "",
    ) -> Response[Any]:  # fmt: skip
        return _taken_out(request, one, kind, wanted, purpose)

    return taken_out


def _taken_out(request: Request[Any, Any, Any], one: ListFile, kind: str, wanted: Any, purpose: str) -> Response[Any]:
    if purpose not in PURPOSES:
        raise CallerError("invalid_request", "请选择导出用途", "say what the list is taken out for")
    serving, actor = serving_of(request), actor_of(request)
    lang: Lang = "zh" if language_of(request) == "zh" else "en"
    found = list(islice(one.rows(request, wanted, lang), MAX_ROWS + 1))
    rows, cut = found[:MAX_ROWS], len(found) > MAX_ROWS
    with writing(serving.engine) as conn:
        names = names_of(conn, [actor.id])
        asked = {"list": one.name, "purpose": purpose, **one.said(wanted)}
        record_export(conn, serving.branch, actor, asked, rows=len(rows), kind=kind, event=one.event)
    mark = [
        f"{names.get(actor.id, '')} {actor.id}".strip(), shown.instant(now(), serving.branch.time_zone),
        words.say(f"file.{purpose}", lang), words.say("file.rows", lang, number=len(rows)),
    ]  # fmt: skip
    about = " · ".join([*mark, cut_note(lang)] if cut else mark)
    media_type, made = _MADE[kind]
    body = made(Sheet(one.called(request)[lang][:31], about, one.columns(request), rows), lang)
    named = {"content-disposition": f'attachment; filename="{one.name}.{kind}"', "casework-cut": str(cut).lower()}
    return Response(body, media_type=media_type, headers={**HEADERS, **named})


def _workbook(sheet: Sheet, lang: Lang) -> bytes:
    return printed([sheet], lang)


def _csv(sheet: Sheet, lang: Lang) -> bytes:
    """With the mark below the lines, which begin in the first row as programs want it."""
    return as_csv(sheet, lang) + f"{safe_cell(sheet.about)}\r\n".encode()


_MADE: Final[Mapping[str, tuple[str, Callable[[Sheet, Lang], bytes]]]] = {
    "xlsx": (XLSX, _workbook), "csv": ("text/csv; charset=utf-8", _csv),
}  # fmt: skip
