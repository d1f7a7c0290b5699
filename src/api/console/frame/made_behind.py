"""A file that takes longer than a page: made behind it, kept sealed for who asked, fetched from their page of files.

One at a time for each person. It goes after the policy's days (`work.kept_days`), and with any erasure.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from litestar import Request, Response

from api.auth import actor_of
from api.begun_behind import Came, Kind, Went, begin
from api.console.frame.page import HEADERS, to
from api.reading.exports import saved_as
from casework.file_names import FileName

PLACE: Final = "/console/files"
"""Where whoever asked finds it again."""


class About(msgspec.Struct, frozen=True):
    """Which file: what it is called, the name to save it under, the command that it needs, what it is for."""

    zh: str
    en: str
    name: FileName
    command: str
    purpose: Mapping[str, str] | None = None


class FileOf(msgspec.Struct, frozen=True):
    """What came of it; `rows`: how many there are, where it is one list."""

    media_type: str
    size_bytes: int
    rows: int | None
    cut: bool


class Made(NamedTuple):
    """A file; `cut`: there was more than a file may have."""

    body: bytes
    media_type: str
    rows: int | None = None
    cut: bool = False


FILE: Final = Kind("file", About, FileOf)


def made_behind(request: Request[Any, Any, Any], about: About, work: Callable[[Went], Made]) -> Response[Any]:
    """Begin it and go where it will be found; the file before it, if that is still being made."""

    def once(went: Went) -> Came:
        made = work(went)
        return Came(FileOf(made.media_type, len(made.body), made.rows, made.cut), made.body)

    began = begin(request, FILE, once, about, actor_of(request).id)
    return to(PLACE if began else f"{PLACE}?busy=true")


def file_made(about: About, made: Made) -> Response[Any]:
    """The file itself, to be saved."""
    named = saved_as(about.name)
    headers = {**HEADERS, "content-disposition": named, "casework-cut": str(made.cut).lower()}
    return Response(made.body, media_type=made.media_type, headers=headers)
