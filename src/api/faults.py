"""What is wrong with a request's fields, field by field: which, why, and what is allowed. Values are left out."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from litestar import Request

_MOST: Final = 50
_QUOTED: Final = re.compile(r"'[^']*'")
_NAMED: Final = re.compile(r"(missing required|contains unknown) field `([^`]+)`")
_NEEDED: Final = re.compile(r"Missing required \w+ parameter '(\w+)'")
_PART: Final = re.compile(r"[^.\[\]]+")
_BODY: Final = "data"
"""What the framework calls the body as a whole."""


def faults_of(request: Request[Any, Any, Any], extra: Any) -> list[dict[str, Any]]:
    """The faults that the framework found in the body and the parameters, the first ones."""
    items = [item for item in extra if isinstance(item, dict)] if isinstance(extra, list) else []
    return [_fault(request, str(item.get("message", "")), str(item.get("key", ""))[:64]) for item in items[:_MOST]]


def missing_in(detail: str) -> list[dict[str, Any]]:
    """A parameter that the path's query lacks, which the framework tells in its text alone."""
    return [_of(name, "missing", "缺少此参数", "this parameter is needed") for name in _NEEDED.findall(detail)]


def _fault(request: Request[Any, Any, Any], message: str, key: str) -> dict[str, Any]:
    named = _NAMED.search(message)
    if named is not None:
        field = named[2] if key in ("", _BODY) else f"{key}.{named[2]}"
        if named[1] == "contains unknown":
            return _of(field[:128], "unknown", "没有此字段", "there is no such field")
        return _of(field[:128], "missing", "缺少此字段", "this field is needed")
    allowed = _choices(request, key)
    if message.startswith("Invalid enum value") and allowed:
        told = ", ".join(allowed)
        return _of(key, "malformed", f"须为以下之一：{told}", f"must be one of {told}") | {"allowed": allowed}
    if key in ("", _BODY) and not _QUOTED.sub("", message).strip():
        return _of(_BODY, "missing", "缺少请求内容", "a body is needed")
    return _of(key, "malformed", "字段缺失或格式不正确", _QUOTED.sub("…", message)[:200])


def _of(field: str, code: str, zh: str, en: str) -> dict[str, Any]:
    return {"field": field, "code": code, "en": en, "zh": zh}


def _choices(request: Request[Any, Any, Any], field: str) -> list[str]:
    """What a field of the body or a parameter may be, where that is a list; empty where it is none."""
    for annotation, path in _annotations(request, field):
        found: list[msgspec.inspect.Type] = [msgspec.inspect.type_info(annotation)]
        for part in path:
            found = [inner for one in found for inner in _inside(one, part)]
        allowed = [str(value) for one in found for value in _values(one) if value not in (None, "")]
        if allowed:
            return allowed
    return []


def _annotations(request: Request[Any, Any, Any], field: str) -> Iterator[tuple[Any, list[str]]]:
    handler = request.route_handler
    signatures: Iterable[Mapping[str, Any]] = (
        handler.parsed_fn_signature.parameters,
        *(provided.parsed_fn_signature.parameters for provided in handler.resolve_dependencies().values()),
    )
    for parameters in signatures:
        if field in parameters:
            yield parameters[field].raw, []
        elif _BODY in parameters:
            yield parameters[_BODY].raw, _PART.findall(field)


def _plain(info: msgspec.inspect.Type) -> list[msgspec.inspect.Type]:
    """A type without what is said about it, a union as its members."""
    if isinstance(info, msgspec.inspect.Metadata):
        return _plain(info.type)
    if isinstance(info, msgspec.inspect.UnionType):
        return [inner for one in info.types for inner in _plain(one)]
    return [info]


def _inside(info: msgspec.inspect.Type, part: str) -> Iterator[msgspec.inspect.Type]:
    for one in _plain(info):
        if isinstance(one, msgspec.inspect.StructType):
            yield from (field.type for field in one.fields if field.encode_name == part)
        elif isinstance(one, msgspec.inspect.CollectionType) and part.isdecimal():
            yield one.item_type


def _values(info: msgspec.inspect.Type) -> Iterator[Any]:
    for one in _plain(info):
        if isinstance(one, msgspec.inspect.LiteralType):
            yield from one.values
        elif isinstance(one, msgspec.inspect.EnumType):
            yield from (member.value for member in one.cls)
