"""Templates of the files that pages take, in the reader's language."""

from typing import Any

from litestar import Request, Response, get

from api.console.frame.page import HEADERS, language_of
from api.reading.asking import check_parameters
from api.templates import Word, template_file


@get("/console/templates/{kind:str}", sync_to_thread=True, opt={"page": "rulebook.read"})
def console_template(request: Request[Any, Any, Any], kind: Word) -> Response[Any]:
    """A workbook to fill in."""
    check_parameters(request, ())
    answer = template_file(request, kind, language_of(request))
    answer.headers.update(HEADERS)
    return answer


route_handlers = [console_template]
