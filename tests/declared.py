"""Whether an answer is one that the API's description declares: its status, media type, headers and body.

Every answer that a test's client gets from the API is held against it (`tests/conftest.py`). The description is made
once in a process and a validator compiled where an answer first asks for it. Members that the description does not
name are faults too, but in a problem: it may carry facts of its code.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from typing import Any, Final
from urllib.parse import quote

import httpx
import jsonschema_rs
import msgspec

from casework.settings import Settings
from tests.api.conftest import assembled_once

_DOCUMENT: Final = "urn:casework:openapi"
_OF_THE_SERVER: Final = frozenset(
    {"content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "date", "server", "vary",
     "keep-alive"}
)  # fmt: skip
"""Headers of HTTP itself, of which no description speaks (OpenAPI 3.1, 4.8.17)."""
_OF_ORIGINS: Final = "access-control-"
"""What browsers read of an answer to another site's page, the same everywhere."""
_NAMED: Final = re.compile(
    r'attachment; filename="(template(-zh)?-[a-z-]+|[A-Za-z][\w. -]*-\d{4}-\d\d-\d\d(-[\w.-]+)?)\.[a-z]+"; '
    r"filename\*=UTF-8''\S+"
)
"""A template is of no day."""
_BARE: Final = frozenset({204, 304})
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


class Declared:
    """The description of an API, as answers are held against it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = _closed(document)
        self._registry = jsonschema_rs.Registry([(_DOCUMENT, self._document)])
        self._validators: dict[str, jsonschema_rs.Validator] = {}

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], str]]:
        """Those without a parameter first: they are meant where both fit."""
        ordered = sorted(self._document["paths"], key=lambda path: (path.count("{"), path))
        return [(re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path))), path) for path in ordered]

    def path_of(self, path: str) -> str | None:
        """The path of the description that `path` is one of; none where it speaks of no such."""
        return next((template for pattern, template in self._paths if pattern.fullmatch(path)), None)

    def faults(self, method: str, path: str, answer: httpx.Response) -> Iterator[str]:
        """What the description does not say of the answer; nothing of a path that it does not know."""
        yield from _of_name(f"{method} {path}", answer.headers.get("content-disposition", ""))
        template = self.path_of(path)
        if template is None or method not in _METHODS or method.lower() not in self._document["paths"][template]:
            return
        responses = self._document["paths"][template][method.lower()]["responses"]
        status = str(answer.status_code)
        named = f"{method} {template} {status}"
        if status not in responses:
            yield f"{named}: the status is not declared, {answer.text[:200] if answer.is_closed else ''}"
            return
        declared = {name.lower() for name in responses[status].get("headers", {})}
        for name in sorted(set(answer.headers) - declared - _OF_THE_SERVER):
            if not name.startswith(_OF_ORIGINS):
                yield f"{named}: the header {name} is not declared"
        if method == "GET" and status == "200" and "etag" in declared and "etag" not in answer.headers:
            yield f"{named}: the header etag is declared and was not sent"
        yield from self._of_body(named, [template, method.lower(), "responses", status], answer)

    def examples(self) -> Iterator[tuple[tuple[str, ...], Any, list[str]]]:
        """Each example of a JSON body: where it stands, its value, and why it is none of its schema."""
        of_components = self._document["components"].get("examples", {})
        for path, methods in self._document["paths"].items():
            for method, operation in methods.items():
                bodies: dict[tuple[str, ...], Any] = {("requestBody",): operation.get("requestBody", {})}
                bodies |= {("responses", status): told for status, told in operation["responses"].items()}
                for at, body in bodies.items():
                    for kind, content in body.get("content", {}).items():
                        for one in content.get("examples", {}).values() if kind.endswith("json") else ():
                            value = of_components.get(one.get("$ref", "").rpartition("/")[2], one)["value"]
                            place = (path, method, *at)
                            validator = self._validator([*place, "content", kind, "schema"])
                            yield place, value, [f"{place}: {error.message}" for error in validator.iter_errors(value)]

    def _of_body(self, named: str, at: list[str], answer: httpx.Response) -> Iterator[str]:
        content = self._document["paths"][at[0]][at[1]]["responses"][at[3]].get("content", {})
        kind = answer.headers.get("content-type", "").partition(";")[0].strip()
        if answer.status_code in _BARE or not answer.is_closed:  # a stream is read by whoever asked for it
            return
        if kind not in content and f"{kind.partition('/')[0]}/*" not in content:
            if kind or content:
                yield f"{named}: the media type {kind or '(none)'} is not declared but {sorted(content)}"
        elif kind.endswith("json") and kind in content:
            for error in self._validator([*at, "content", kind, "schema"]).iter_errors(answer.json()):
                yield f"{named}: {'/'.join(map(str, error.instance_path))}: {error.message[:300]}"

    def _validator(self, at: list[str]) -> jsonschema_rs.Validator:
        pointer = "/".join(["#/paths", *(quote(part.replace("~", "~0").replace("/", "~1")) for part in at)])
        if pointer not in self._validators:
            self._validators[pointer] = jsonschema_rs.Draft202012Validator(
                {"$ref": _DOCUMENT + pointer}, registry=self._registry, validate_formats=True
            )
        return self._validators[pointer]


def _of_name(named: str, disposition: str) -> Iterator[str]:
    """A file's plain name has what it is and of which day, too: two saved by it do not overwrite each other."""
    if disposition and not _NAMED.fullmatch(disposition):
        yield f"{named}: no file is to be saved under {disposition}"


def _closed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The description with every object of named members open to no others."""
    closed: dict[str, Any] = copy.deepcopy(dict(document))
    for name, schema in closed["components"]["schemas"].items():
        if name != "Problem" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return closed


@cache
def declared() -> Declared:
    """What the API declares of itself; a branch's settings change nothing of it."""
    document = assembled_once(Settings.from_environment({}).feed_upload_mib).app.openapi_schema.to_schema()
    return Declared(msgspec.json.decode(msgspec.json.encode(document, enc_hook=str)))


def hold(answer: httpx.Response) -> None:
    """AssertionError where an answer is none that is declared."""
    faults = list(declared().faults(answer.request.method, answer.request.url.path, answer))
    assert not faults, "not as the description says:\n" + "\n".join(faults[:5])
