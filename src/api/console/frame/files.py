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

from api.auth import actor_of, still_valid
from api.begun_behind import Went
from api.console.frame import words
from api.console.frame.made_behind import About, Made, file_made, made_behind
from api.console.frame.page import language_of
from api.reading.exports import MEDIA_TYPES
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.file_names import file_name
from casework.spreadsheet import Column
from casework.storage.database import reading, writing
from casework.table import MAX_ROWS, BulkList, Lang
from casework.work.cases.taking_out import FileKind, file_of_list, record_taken, taker_of

PURPOSES: Final = ("work", "report", "review", "audit")
"""What a list may be taken out for; `words.toml` has them."""
_TOLD_EVERY: Final = 500


def _nothing() -> None:
    """A list without a filter."""


@dataclass(frozen=True, slots=True)
class ListFile:
    """A list at `place`: the command of its page, what it is, its rows for a reader and a filter (`wanted`).

    `said`: what the entry says of the filter, without anything personal. `rows` are as the page shows them; the last
    parameter is how many will be read at most, for those who do not read page by page.
    """

    place: str
    command: str
    listed: Callable[[Request[Any, Any, Any]], BulkList]
    rows: Callable[[Request[Any, Any, Any], Any, Lang, int], Iterable[Sequence[Any]]]
    wanted: Callable[..., Any] = _nothing
    said: Callable[[Any], Mapping[str, Any]] = lambda _: {}

    @property
    def name(self) -> str:
        """In the entry."""
        return self.place.rpartition("/")[2]


def named_list(key: str, columns: Sequence[Column]) -> Callable[[Request[Any, Any, Any]], BulkList]:
    """A list that the table of words names."""
    return lambda _: BulkList(key, words.WORDS[key]["zh"], words.WORDS[key]["en"], columns)


def columns_named(*columns: tuple[str, str, int]) -> Sequence[Column]:
    """Named by the table of words: field, key, width."""
    return [Column(field, words.WORDS[key]["zh"], words.WORDS[key]["en"], width) for field, key, width in columns]


def handlers_of(one: ListFile) -> list[Any]:
    """The files beside its page, for whom the page is."""
    return [_handler(one, kind) for kind in MEDIA_TYPES]


def _handler(one: ListFile, kind: FileKind) -> Any:
    @get(f"{one.place}.{kind}", sync_to_thread=True, opt={"page": one.command},
         dependencies={"wanted": Provide(one.wanted, sync_to_thread=False)})  # fmt: skip
    def taken_out(
        request: Request[Any, Any, Any], wanted: NamedDependency[Any],
        purpose: Annotated[str, QueryParameter(max_length=16)] = "",
    ) -> Response[Any]:  # fmt: skip
        return _taken_out(request, one, kind, wanted, purpose)

    return taken_out


def _taken_out(
    request: Request[Any, Any, Any], one: ListFile, kind: FileKind, wanted: Any, purpose: str
) -> Response[Any]:
    if purpose not in PURPOSES:
        raise CallerError("invalid_request", "请选择导出用途", "say what the list is taken out for")
    lang = language_of(request)
    at_once = min(serving_of(request).settings.export_rows, MAX_ROWS)
    found = list(islice(one.rows(request, wanted, lang, at_once + 1), at_once + 1))
    called, today = one.listed(request), serving_of(request).branch.today(now())
    name = file_name(getattr(called, lang), one.name, today, kind=kind)
    about = About(called.zh, called.en, name, one.command, words.WORDS[f"file.{purpose}"])

    def make(rows: Iterable[Sequence[Any]]) -> Made:
        return _made(request, one, _Asked(kind, wanted, purpose, lang), rows)

    def work(went: Went) -> Made:
        return make(_counted(one.rows(request, wanted, lang, MAX_ROWS + 1), went))

    if len(found) > at_once:
        return made_behind(request, about, work)
    return file_made(about, make(found))


class _Asked(NamedTuple):
    """How a list is taken out."""

    kind: FileKind
    wanted: Any
    purpose: str
    lang: Lang


def _made(request: Request[Any, Any, Any], one: ListFile, asked: _Asked, found: Iterable[Sequence[Any]]) -> Made:
    """The file, on record before it is sent."""
    serving, lang = serving_of(request), asked.lang
    said = {"list": one.name, "purpose": asked.purpose, **one.said(asked.wanted)}
    with reading(serving.engine) as conn:
        taker = taker_of(conn, serving.branch, actor_of(request), now())
    told = [words.say(f"file.{asked.purpose}", lang)]
    taken = file_of_list(one.listed(request), found, asked.kind, lang, said, taker, told=told)
    with writing(serving.engine) as conn:
        record_taken(conn, serving.branch, still_valid(conn, request), taken)
    return Made(taken.body, MEDIA_TYPES[taken.kind], taken.rows, taken.cut)


def _counted(rows: Iterable[Sequence[Any]], went: Went) -> Iterator[Sequence[Any]]:
    """The rows, telling now and then how many there were."""
    for number, row in enumerate(rows, 1):
        if number % _TOLD_EVERY == 0:
            went(number)
        yield row
