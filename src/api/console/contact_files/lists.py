"""What the reader's last contact file set aside, as a file: line, column and why, without what the rows held."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from litestar import Request

from api.console.frame import shown
from api.console.frame.files import ListFile, columns_named, named_list
from api.contact_files import run_of
from casework.table import Lang

_COLUMNS: Final = columns_named(
    ("line", "contact_file.line", 8), ("column", "contact_file.column", 16), ("ref", "contact_file.ref", 20),
    ("why", "contact_file.why", 60),
)  # fmt: skip
_PAGE: Final = 1_000


def _set_aside(request: Request[Any, Any, Any], _asked: None, lang: Lang, _: int) -> Iterator[Sequence[Any]]:
    after: int | None = 0
    while after is not None:
        run = run_of(request, after, _PAGE)
        for one in run.set_aside:
            yield one.line, one.column, one.contact_ref, shown.told(one, lang)
        after = run.next


FILES: Final = (
    ListFile("/console/contact-files/set-aside-why", "contact.import",
             named_list("contact_file.set_aside", _COLUMNS), _set_aside),
)  # fmt: skip
