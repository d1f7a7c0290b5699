"""What goes wrong on a page is shown on a page: the API's problem, in the reader's language, inside the frame."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from litestar import Request, Response

from api.auth import is_page
from api.console.frame.cookies import log_in_place
from api.console.frame.page import language_of, render, to

Handler = Callable[[Request[Any, Any, Any], Any], Response[Any]]


def on_pages(handlers: Mapping[Any, Handler]) -> dict[Any, Any]:
    """The handlers of errors, each of which answers a page with a page."""
    return {kind: _on_page(handler) for kind, handler in handlers.items()}


def _on_page(handler: Handler) -> Handler:
    def handled(request: Request[Any, Any, Any], error: Any) -> Response[Any]:
        answer = handler(request, error)
        return page_of(request, answer) if is_page(request.scope["path"]) else answer

    return handled


def page_of(request: Request[Any, Any, Any], answer: Response[bytes]) -> Response[Any]:
    """A problem as a page; whose log-in has died is sent to log in again."""
    problem = msgspec.json.decode(answer.content)
    if problem["code"] == "not_authenticated":
        return to(log_in_place(request.scope))
    if problem["code"] == "second_factor_pending":
        return to("/console/second-factor")  # nothing else is open to them yet
    detail = problem["detail_zh"] if language_of(request) == "zh" else problem["detail"]
    page = render(request, "frame/error.html", status=answer.status_code or 500, problem=problem, detail=detail)
    page.headers.update({name: value for name, value in answer.headers.items() if name.lower() == "retry-after"})
    return page
