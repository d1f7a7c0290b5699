"""What is wrong with a request's fields, field by field: which, why, and what is allowed. Values are left out.

A body is read strictly: 0 is no `false`, "1" no number, as its schema says. Every field that is wrong is told.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from api.wanted import choices_of, given, wanted
from casework.errors import CallerError

MOST: Final = 50
"""Faults that are told."""
_NEEDED: Final = re.compile(r"Missing required \w+ parameter '(\w+)'")
_FIRST: Final = re.compile(r"[^.\[]+")
_BODY: Final = "body"
_DATA: Final = "data"
"""What the framework calls it."""

# ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def body_of(handler: HTTPRouteHandler) -> Any:
    """What a handler takes as its body; None where it takes none, or reads it itself."""
    field = handler.parsed_fn_signature.parameters.get(_DATA)
    return None if field is None else field.annotation


def taken(body: Any, annotation: Any) -> Any:
    """A decoded body as what a handler takes; CallerError `invalid_request` with every fault."""
    try:
        return msgspec.convert(body, annotation)
    except msgspec.ValidationError as error:
        raise CallerError("invalid_request", faults=faults_in(body, annotation)) from error


def faults_in(body: Any, annotation: Any) -> list[dict[str, Any]]:
    """Every fault of a body, up to `MOST`; none of one that is as it must be."""
    return list(islice(_faults(body, annotation, ""), MOST))


def _faults(value: Any, annotation: Any, at: str) -> Iterator[dict[str, Any]]:
    """Every fault of a value below `at`; none of one that is as it must be."""
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        within = [fault for one in _alternatives(annotation) for fault in _within(value, one, at)]
        yield from within or [_not_wanted(at or _BODY, value, msgspec.inspect.type_info(annotation))]


def _alternatives(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for one in get_args(annotation):
            yield from _alternatives(one)
    else:
        yield annotation


def _within(value: Any, annotation: Any, at: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, list) and get_origin(annotation) in (list, tuple):
        for number, each in enumerate(value):
            yield from _faults(each, get_args(annotation)[0], f"{at}[{number}]")
    elif isinstance(value, dict) and isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield from _of_members(value, annotation, f"{at}." if at else "")


def _of_members(value: dict[str, Any], struct: type[msgspec.Struct], before: str) -> Iterator[dict[str, Any]]:
    there = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for name, field in there.items():
        if name in value:
            yield from _faults(value[name], field.type, before + name)
        elif field.required:
            yield _of(before + name, "missing", "缺少此字段", "this field is needed")
    if struct.__struct_config__.forbid_unknown_fields:
        allowed = sorted(there)
        for name in sorted(value.keys() - there.keys()):
            zh = f"没有此字段，可有：{'、'.join(allowed)}" if allowed else "没有此字段；此处没有任何字段"
            known = f"known are: {', '.join(allowed)}" if allowed else "none is taken here"
            en = f"there is no such field; {known}"
            yield _of(before + name, "unknown", zh, en) | {"allowed": allowed}


def _not_wanted(field: str, value: Any, kind: msgspec.inspect.Type) -> dict[str, Any]:
    (zh, en), (zh_given, en_given) = wanted(kind), given(value)
    return _of(field, "malformed", f"须为{zh}，而不是{zh_given}", f"must be {en}, not {en_given}") | _allowed(kind)


# ── parameters ───────────────────────────────────────────────────────────────────────────────────────────────────────


def faults_of(request: Request[Any, Any, Any], extra: Any) -> list[dict[str, Any]]:
    """The faults that the framework found in the parameters, or that there is no body."""
    items = [item for item in extra if isinstance(item, dict)] if isinstance(extra, list) else []
    return [_of_parameter(request, str(item.get("key", ""))) for item in items[:MOST]]


def missing_in(detail: str) -> list[dict[str, Any]]:
    """A parameter that the path's query lacks, which the framework tells in its text alone."""
    return [_of(name, "missing", "缺少此参数", "this parameter is needed") for name in _NEEDED.findall(detail)]


def _of_parameter(request: Request[Any, Any, Any], key: str) -> dict[str, Any]:
    found = _FIRST.match(key)
    name = found[0] if found else _DATA
    if name == _DATA:
        return _of(_BODY, "missing", "缺少请求内容", "a body is needed")
    for called, field in parameters_of(request.route_handler):
        if field.name == name:
            kind = msgspec.inspect.type_info(field.type)
            zh, en = wanted(kind, in_json=False)
            return _of(called, "malformed", f"须为{zh}", f"must be {en}") | _allowed(kind)
    return _of(name, "malformed", "格式不正确", "it is malformed")


def parameters_of(handler: HTTPRouteHandler) -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    """What a handler takes, by itself or through what it depends on, and how callers call each."""
    takers: Iterable[Any] = (handler, *handler.resolve_dependencies().values())
    for taker in takers:
        told = taker.parsed_fn_signature.parameters
        for field in msgspec.structs.fields(taker.signature_model):
            kwarg = told[field.name].kwarg_definition
            yield getattr(kwarg, "name", None) or field.name, field


def _allowed(kind: msgspec.inspect.Type) -> dict[str, Any]:
    return {"allowed": allowed} if (allowed := choices_of(kind)) else {}


def _of(field: str, code: str, zh: str, en: str) -> dict[str, Any]:
    return {"field": field[:128], "code": code, "en": en, "zh": zh}
