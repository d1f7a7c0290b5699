"""Every list as a workbook and as CSV: declared once beside its page; the same rows, for a purpose, marked, on record.

The mark stands on every printed page, and below the last line of a CSV: who took it out, when, for what, and whether
there was more than a file may have. A list of more rows than are answered at once is made behind (`frame.made_behind`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Final, NamedTuple

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from api.auth import still_valid
from api.console.frame import shown, words
from api.console.frame.behind import Went
from api.console.frame.made_behind import About, Made, file_made, made_behind
from api.console.frame.page import language_of
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
_TOLD_EVERY: Final = 500


def _nothing() -> None:
    """A list without a filter."""


@dataclass(frozen=True, slots=True)
class ListFile:
    """A list at `place`: the command of its page, its columns, its rows for a reader and a filter (`wanted`).

    `said`: what the entry says of the filter, without anything personal. `rows` are as the page shows them; the last
    parameter is how many will be read at most, for those who do not read page by page.
    """

    place: str
    command: str
    called: Callable[[Request[Any, Any, Any]], Mapping[str, str]]
    columns: Callable[[Request[Any, Any, Any]], Sequence[Column]]
    rows: Callable[[Request[Any, Any, Any], Any, Lang, int], Iterable[Sequence[Any]]]
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
    return [_handler(one, kind) for kind in _WRITTEN]


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
    lang: Lang = "zh" if language_of(request) == "zh" else "en"
    at_once = min(serving_of(request).settings.export_rows, MAX_ROWS)
    found = list(islice(one.rows(request, wanted, lang, at_once + 1), at_once + 1))
    called = one.called(request)
    about = About(called["zh"], called["en"], f"{one.name}.{kind}", one.command, words.WORDS[f"file.{purpose}"])

    def make(rows: Iterable[Sequence[Any]]) -> Made:
        return _made(request, one, _Asked(kind, wanted, purpose, lang), rows)

    def work(went: Went) -> Made:
        return make(_counted(one.rows(request, wanted, lang, MAX_ROWS + 1), went))

    if len(found) > at_once:
        return made_behind(request, about, work)
    return file_made(about, make(found))


class _Asked(NamedTuple):
    """How a list is taken out."""

    kind: str
    wanted: Any
    purpose: str
    lang: Lang


def _made(request: Request[Any, Any, Any], one: ListFile, asked: _Asked, found: Iterable[Sequence[Any]]) -> Made:
    """The file; that it was taken out is on record before it is made."""
    serving, lang = serving_of(request), asked.lang
    rows = list(islice(found, MAX_ROWS + 1))
    cut = len(rows) > MAX_ROWS
    del rows[MAX_ROWS:]
    with writing(serving.engine) as conn:
        actor = still_valid(conn, request)
        names = names_of(conn, [actor.id])
        said = {"list": one.name, "purpose": asked.purpose, **one.said(asked.wanted)}
        record_export(conn, serving.branch, actor, said, rows=len(rows), kind=asked.kind, event=one.event)
    mark = [
        f"{names.get(actor.id, '')} {actor.id}".strip(), shown.instant(now(), serving.branch.time_zone),
        words.say(f"file.{asked.purpose}", lang), words.say("file.rows", lang, number=len(rows)),
    ]  # fmt: skip
    about = " · ".join([*mark, cut_note(lang)] if cut else mark)
    media_type, written = _WRITTEN[asked.kind]
    body = written(Sheet(one.called(request)[lang][:31], about, one.columns(request), rows), lang)
    return Made(body, media_type, len(rows), cut)


def _counted(rows: Iterable[Sequence[Any]], went: Went) -> Iterator[Sequence[Any]]:
    """The rows, telling now and then how many there were."""
    for number, row in enumerate(rows, 1):
        if number % _TOLD_EVERY == 0:
            went(number)
        yield row


def _workbook(sheet: Sheet, lang: Lang) -> bytes:
    return printed([sheet], lang)


def _csv(sheet: Sheet, lang: Lang) -> bytes:
    """With the mark below the lines, which begin in the first row as programs want it."""
    return as_csv(sheet, lang) + f"{safe_cell(sheet.about)}\r\n".encode()


_WRITTEN: Final[Mapping[str, tuple[str, Callable[[Sheet, Lang], bytes]]]] = {
    "xlsx": (XLSX, _workbook), "csv": ("text/csv; charset=utf-8", _csv),
}  # fmt: skip
