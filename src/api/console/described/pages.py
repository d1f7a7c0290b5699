"""The API's description as pages, in Chinese and English: an index, a page for each group, one for each problem.

They are read without a script; with one, a call can be tried from there, with a key that stays in the tab. Anybody may
look: each page is made once in a process, for making it anew takes a while and everybody else would wait.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Request, Response, get
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.params import FromPath

from api.console.described.parts import Both, Operation, operations_of, paragraphs, titles
from api.console.frame import assets, cookies, words
from api.console.frame.page import HEADERS, language_of
from api.language import accepted
from api.permitted import command_of
from api.problems import status_of
from api.serving import serving_of
from casework.codes import CODES, code_named, texts_of
from casework.errors import CallerError
from casework.lifecycles import LIFECYCLES

PLACE: Final = "/schema"
_KNOWN: Final = frozenset(HTTPStatus)


class DescriptionPlugin(OpenAPIRenderPlugin):
    """The index, and with `?group=` the operations of one group; `?lang=` in the other language."""

    def __init__(self) -> None:
        super().__init__(path="/")
        self._kept: dict[tuple[str, str], bytes] = {}
        self._problems: dict[tuple[str, str], bytes] = {}
        self._operations: list[Operation] | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page; what is not known is the index."""
        operations = self.operations(request, lambda: openapi_schema)
        groups = {one.group: _group_name(request, one.group) for one in operations}
        asked = request.query_params.get("group", "")
        shown, lang = asked if asked in groups else "", _language(request)
        if (shown, lang) not in self._kept:
            told = [one for one in operations if shown in ("", one.group)]
            commands = {one.id: command_of(request.app, one.method, one.path) for one in told}
            info = openapi_schema["info"]
            manners = titles()["manners"]["zh"] if lang == "zh" else paragraphs(info["description"])
            self._kept[shown, lang] = _page(
                request, "described/group.html" if shown else "described/index.html", lang, group=shown,
                groups=groups, operations=told, info=info, manners=manners, commands=commands,
                said_of=lambda code: Both(*texts_of(code)),
            )  # fmt: skip
        return self._kept[shown, lang]

    def operations(
        self, request: Request[Any, Any, Any], document: Callable[[], dict[str, Any]]
    ) -> list[Operation]:  # fmt: skip
        """All operations, read once."""
        if self._operations is None:
            self._operations = operations_of(document(), _nouns(request))
        return self._operations

    def problem(self, request: Request[Any, Any, Any], code: str, lang: str) -> bytes:
        """The page of a code, kept where the code is of the table; of `unknown_<anything>` there is no end."""
        if (code, lang) in self._problems:
            return self._problems[code, lang]
        operations = self.operations(request, request.app.openapi_schema.to_schema)
        made = _problem(request, operations, code, lang)
        if code in CODES:
            self._problems[code, lang] = made
        return made


def _description(request: Request[Any, Any, Any]) -> DescriptionPlugin:
    plugins = request.app.openapi_config.render_plugins if request.app.openapi_config else ()
    return next(one for one in plugins if isinstance(one, DescriptionPlugin))


@get("/problems/{code:str}", sync_to_thread=True, opt={"page": None}, include_in_schema=False)
def problem(request: Request[Any, Any, Any], code: FromPath[str]) -> Response[bytes]:
    """What a problem's `type` leads to: what its code means, what to do, and where it is answered."""
    if code_named(code) is None:
        raise CallerError("not_found")
    page = _description(request).problem(request, code, _language(request))
    return Response(page, media_type="text/html", headers=dict(HEADERS))


@get("/problems", sync_to_thread=True, opt={"page": None}, include_in_schema=False)
def problems(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Every code with what it says."""
    lang = _language(request)
    by_status: dict[int, list[tuple[str, Both]]] = {}
    for code in sorted(CODES):
        by_status.setdefault(status_of(code), []).append((code, Both(*texts_of(code))))
    page = _page(request, "described/problems.html", lang, by_status=dict(sorted(by_status.items())), phrase=_phrase)
    return Response(page, media_type="text/html", headers=dict(HEADERS))


def _problem(request: Request[Any, Any, Any], operations: list[Operation], code: str, lang: str) -> bytes:
    status = status_of(code)
    told = [one for one in operations if any(code in answer.codes for answer in one.answers)]
    return _page(
        request, "described/problem.html", lang, code=code, status=status, said=Both(*texts_of(code)),
        phrase=_phrase(status), remedy=_remedy(code, status), operations=told, everywhere=len(told) == len(operations),
    )  # fmt: skip


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in _KNOWN else ""  # 499 is nobody's but ours and proxies'


def _remedy(code: str, status: int) -> str:
    """The words for what to do: of the code where there are any, else of its status."""
    own = f"described.do_{code}"
    return own if words.has(own) else f"described.do_{status}"


def _page(request: Request[Any, Any, Any], template: str, lang: str, /, **given: Any) -> bytes:
    asked = {name: value for name, value in request.query_params.items() if name != "lang"}
    other = "en" if lang == "zh" else "zh"
    made: Any = request.app.template_engine
    text: str = made.get_template(template).render(
        lang=lang, me=None, places=[], own="", here=request.url.path, form_token="", assets=assets.PLACES,
        switch=f"{request.url.path}?{urlencode({**asked, 'lang': other})}", place=PLACE, **given,
    )  # fmt: skip
    return text.encode()


def _language(request: Request[Any, Any, Any]) -> str:
    """The one that is asked for, that they chose before, or that their browser asks for, in this order."""
    asked = request.query_params.get("lang", "")
    if asked in words.LANGUAGES:
        return str(asked)
    chosen = cookies.LANGUAGE in cookies.all_of(request.scope)
    return language_of(request) if chosen else accepted(request.headers.get("accept-language", ""))


def _nouns(request: Request[Any, Any, Any]) -> Mapping[str, str]:
    charts = serving_of(request).branch.rulebook.charts
    return {one.table.name: charts[one.chart].zh for one in LIFECYCLES[1:]}


def _group_name(request: Request[Any, Any, Any], group: str) -> Both:
    known = titles()["groups"].get(group)
    if known is not None:
        return Both(known["zh"], known["en"])
    return Both(_nouns(request).get(group, group), group.capitalize())


route_handlers = [problems, problem]
