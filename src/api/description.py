"""How the API describes itself (OpenAPI 3.1): its words, its names of operations, its errors as problems."""

import inspect
from collections.abc import Iterable
from dataclasses import fields
from importlib.metadata import version
from typing import Any, Final

from litestar import Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, OpenAPI, SecurityScheme
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition
from litestar.utils.helpers import unwrap_partial

from api.console.described.pages import DescriptionPlugin
from api.console.frame.page import HEADERS
from api.description_kept import KeptPage, PlainYamlRenderPlugin
from api.every_operation import declare
from api.struct_schema import Structs, named_in

_WRAPPED: Final = "Asynccallable"
_ABOUT = """Overdue loans as cases: charts decide, one door changes, a verifiable log remembers.

Every change names the version it saw (`If-Match`, from the `ETag` of the case) and may carry an `Idempotency-Key`,
kept 24 hours. Each change is answered with a `Receipt`: a signed note (C2SP) in base64 that names its entries and their
leaf hashes, and convicts the service if one is later missing (`casework audit receipt --check`). Of more than 20
entries `Receipt-Omitted` tells the number, and `GET /log/receipt/{entry_id}` gives each. With `Prefer: sealed, wait=10`
(RFC 7240; 5 s by default, 30 at most) the answer comes once a signed checkpoint covers the change, with its size as
`Sealed-In` and `Preference-Applied: sealed`; after that time it comes without them, and the change stands.

Lists are `items` and `next`, the cursor of the next page, null at the end; `Link` with `rel="next"` is its address. The
`ETag` of a GET serves as `If-None-Match`: what has not changed is answered 304. HEAD is GET without the body, and long
answers are compressed (gzip) for whoever takes that.

Errors are `application/problem+json` with a stable `code`, texts in English and Chinese, and a `type` that leads to a
page on what the code means (`/problems`). Amounts are in fen, dates are business dates, instants are UTC."""


_BEARER = "The access token of POST /session, an API key (POST /me/keys, `casework staff token`), or an issuer's."


class _Described(OpenAPI):
    """The API's description, with what holds for operations of a kind.

    It is made when somebody first asks for it: it would take more than half of what a start takes.
    """

    structs: Structs

    def to_schema(self) -> dict[str, Any]:
        """As JSON; the paths are there by now."""
        declare(self)
        document = super().to_schema()
        operations = [one for path in document["paths"].values() for one in path.values()]
        taken = named_in([[one.get("requestBody"), one.get("parameters")] for one in operations])
        self.structs.show_parameters(document["paths"])
        document["components"]["schemas"] |= self.structs.schemas(taken)
        return document


class _Describing(OpenAPIConfig):
    """The framework's configuration, but for what it makes of it."""

    structs: Structs

    def to_openapi_schema(self) -> OpenAPI:
        """The description before its paths."""
        plain = super().to_openapi_schema()
        described = _Described(**{each.name: getattr(plain, each.name) for each in fields(plain)})
        described.structs = self.structs
        return described


def operation_id(handler: HTTPRouteHandler, method: Method, parts: list[str | PathParameterDefinition]) -> str:
    """The path's words and the function's name; the framework says `AsyncCallable` of one that runs in a thread."""
    named = OpenAPIConfig.operation_id_creator(handler, method, parts)
    if not named.endswith(_WRAPPED):
        return named
    fn: Any = unwrap_partial(handler.fn)
    own: str = fn.func.__name__
    return named.removesuffix(_WRAPPED) + own.title().replace("_", "")


def keep_words_of(handlers: Iterable[Any]) -> None:
    """A handler's docstring as its description, before the framework wraps the functions that run in threads."""
    for handler in handlers:
        if isinstance(handler, HTTPRouteHandler) and handler.description is None:
            handler.description = inspect.getdoc(unwrap_partial(handler.fn))


def openapi(structs: Structs) -> OpenAPIConfig:
    """How the API describes itself, below /schema; `structs` is a plugin of the application."""
    scheme = SecurityScheme(type="http", scheme="bearer", bearer_format="cw_…", description=_BEARER)
    describing = _Describing(
        title="casework",
        version=version("casework"),
        description=_ABOUT,
        path="/schema",
        openapi_router=Router("/schema", route_handlers=[], include_in_schema=False, response_headers=HEADERS),
        render_plugins=[
            DescriptionPlugin(),
            KeptPage(JsonRenderPlugin(path="/openapi.json")),
            KeptPage(PlainYamlRenderPlugin(path="/openapi.yaml")),
        ],
        components=Components(security_schemes={"token": scheme}),
        security=[{"token": []}],
        use_handler_docstrings=True,
        operation_id_creator=operation_id,
    )
    describing.structs = structs
    return describing
