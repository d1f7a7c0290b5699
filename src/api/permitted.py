"""The one place where the API asks the permission table: before every handler, from memory, deny by default.

A route belongs to one command of `statecharts/rules/permissions.toml`, or is public there; `check_routes` keeps the
service from starting where the table and the application name different routes. A page names its command itself
(`opt={"page": "case.read"}`, none: for strangers too): what it shows and does is what routes of that command do.
"""

from collections.abc import Mapping
from typing import Any, Final

from litestar import Litestar, Request
from litestar.handlers import HTTPRouteHandler
from sqlalchemy.engine import Connection

from api.auth import actor_of, is_public
from api.faults import body_of
from api.one_file import OwnBody
from api.serving import Serving, serving_of
from casework.clock import now
from casework.errors import CallerError, RulesBroken
from casework.people.staff.permission_table import plain_route
from casework.people.staff.permissions import Permissions, Reach
from casework.work.cases.case import Case
from casework.work.cases.sight import reach_of, seen_case

_FREE = frozenset({"OPTIONS"})
"""Methods that tell only which others there are; the edge has seen to it that somebody known asks."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST = 50

_NOWHERE = "GET /schema/{path}"
"""What the framework adds below the description; the edge answers 404 before any handler (`auth.is_nothing`)."""


async def permitted(request: Request[Any, Any, Any]) -> None:
    """What the whole application does before a handler: asks the table of the branch that it serves.

    No guard of the framework: for each of those it copies the handler, an eighth of the time of a short route.
    """
    table: Permitted = request.app.state["permitted"]
    table.require(request.scope)
    if request.method in _READS or "page" in request.route_handler.opt:
        return
    faults = (
        [_elsewhere(name) for name in sorted(request.query_params)[:_MOST]] if request.scope["query_string"] else []
    )
    if not takes_body(request.route_handler) and await _sends_one(request):
        faults.append(_NO_BODY)
    if faults:
        raise CallerError("invalid_request", faults=faults)


def takes_body(handler: HTTPRouteHandler) -> bool:
    """Whether a route takes a body: one that the framework reads, or its own."""
    return body_of(handler) is not None or issubclass(handler.operation_class, OwnBody)


async def _sends_one(request: Request[Any, Any, Any]) -> bool:
    """Whether anything was said in a body: `{}` says nothing, and no more than its first bytes are read."""
    said = request.headers.get("content-length")
    if said is None and "transfer-encoding" not in request.headers:
        return False
    if said is not None and said.strip("0") == "":
        return False
    begun = b""
    async for some in request.stream():
        begun += some
        if len(begun) > len(_NOTHING):
            break
    return begun not in {b"", _NOTHING}


_NOTHING: Final = b"{}"
"""What programs send that send JSON with every change."""

_NO_BODY: Final = {"field": "body", "code": "unknown", "en": "no body is taken here", "zh": "此处不接受请求内容"}
"""Who sends one where none is taken means something by it, and would have it passed over."""


def _elsewhere(name: str) -> dict[str, str]:
    """That no change takes parameters: who asked for `?dry_run=true` would have it done."""
    en, zh = "no parameter is taken here; it belongs into the body", "此处不接受查询参数；请放入请求内容"
    return {"field": name[:128], "code": "unknown", "en": en, "zh": zh}


class Permitted:
    """What is asked before a handler: a branch's table by routes."""

    def __init__(self, permissions: Permissions, pages: Mapping[str, str | None] | None = None) -> None:
        self._permissions = permissions
        self._pages = pages or {}
        self._commands = {route: row.name for row in permissions.commands.values() for route in row.routes}
        self._commands |= {route: command for route, command in self._pages.items() if command is not None}
        self._public = permissions.public | {route for route, command in self._pages.items() if command is None}

    def require(self, scope: Any) -> None:
        """CallerErrors `post_not_permitted`, `key_not_permitted` (403) unless the caller may do the route's command."""
        if not _as_numbers_are_written(scope):
            raise CallerError("not_found")
        route = f"{scope['method']} {scope['path_template']}"
        command = self._commands.get(route)
        if command is not None and scope["user"] is not None:
            self._permissions.require(scope["user"], command)
            scope["state"]["command"] = command
        elif scope["method"] not in _FREE and route not in self._public:
            raise CallerError("post_not_permitted", route=route)

    def command_of(self, route: str) -> str | None:
        """None of a route that is public."""
        return self._commands.get(route)

    def check_routes(self, app: Litestar) -> None:
        """`RulesBroken` for a route without a row, and for a row without a route."""
        there = routes_of(app)
        known = self._commands.keys() | self._public
        faults = [f"rules/permissions.toml: the route {route} belongs to no command" for route in sorted(there - known)]
        faults += [f"rules/permissions.toml: there is no route {route}" for route in sorted(known - there)]
        faults += [
            f"rules/permissions.toml: whether {route} is public the edge sees otherwise"
            for route in sorted(there & known)
            if (route in self._public) != is_public(*route.split(" ", 1))
        ]
        faults += [
            f"rules/permissions.toml: the page {route} names no command there, but {command}"
            for route, command in sorted(self._pages.items())
            if command is not None and command not in self._permissions.commands
        ]
        faults += [f"rules/permissions.toml: {route} does not ask the table" for route in unasked_of(app)]
        if faults:
            raise RulesBroken(faults)


def _as_numbers_are_written(scope: Any) -> bool:
    """Whether the numbers in a path stand there as one writes them: `int` also takes 1_2, ١٢, and a line's end."""
    numbers = [value for value in scope["path_params"].values() if isinstance(value, int)]
    return not numbers or {str(value) for value in numbers} <= set(scope["path"].split("/"))


def routes_of(app: Litestar) -> frozenset[str]:
    """Every route of the application, as `GET /cases/{case_id}`."""
    found = frozenset(
        plain_route(f"{method} {route.path}")
        for route in app.routes
        for method in getattr(route, "methods", ())
        if method not in _FREE
    )
    return found - {_NOWHERE}


def unasked_of(app: Litestar) -> list[str]:
    """Handlers that something else than `permitted` comes before: a hook of their own takes the application's place."""
    return sorted(
        f"{route.path} ({handler})"
        for route in app.routes
        for handler in getattr(route, "route_handlers", (getattr(route, "route_handler", None),))
        if not isinstance(handler, HTTPRouteHandler) or handler.resolve_before_request() is not permitted
    )


def command_of(app: Litestar, method: str, path: str) -> str | None:
    """The command of the permission table that a route belongs to; none of a public one."""
    table: Permitted = app.state["permitted"]
    return table.command_of(f"{method} {path}")


def pages_of(app: Litestar) -> dict[str, str | None]:
    """Every page of the application with the command that it names; none: it answers strangers too."""
    return {
        plain_route(f"{method} {route.path}"): handler.opt["page"]
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if "page" in handler.opt
        for method in handler.http_methods
        if method not in _FREE
    }


def reach(request: Request[Any, Any, Any]) -> Reach:
    """The cases over which the caller may do the command that the route belongs to."""
    branch = serving_of(request).branch
    command: str = request.scope["state"]["command"]  # `permitted` put it there
    return reach_of(branch, actor_of(request), command, branch.today(now()))


def case_in_sight(conn: Connection, request: Request[Any, Any, Any], case_id: int) -> Case:
    """The case that the path names, if it is within the caller's reach; CallerError `unknown_case`."""
    serving: Serving = serving_of(request)
    return seen_case(conn, serving.branch, actor_of(request), case_id, serving.branch.today(now()))
