"""Schemas of what is taken and sent, as the library that reads and writes it describes it.

The framework's own say less than the server checks: members that are unknown, arrays with places, bounds within lists.
"""

from collections.abc import Iterable, Iterator, Mapping
from inspect import cleandoc
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition

from api.faults import parameters_of

_PLACE: Final = "#/components/schemas/"
SHAPES: Final = {
    "If-Match": r'^(\*|(W/)?"[1-9][0-9]{0,15}(-[0-9a-f]{16}(-gz)?)?")$',
    "Idempotency-Key": r"^[!-~]{1,128}$",
}
"""Of headers that the routes read themselves, and refuse as `malformed_header`."""


class Structs(OpenAPISchemaPlugin):
    """Leaves each struct empty in the framework's description, and remembers it for `schemas`."""

    app: Litestar

    def __init__(self) -> None:
        self._types: dict[type[msgspec.Struct], None] = {}

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Whether it is a struct, and nothing else may stand in its place."""
        return not field_definition.is_union and field_definition.is_subclass_of(msgspec.Struct)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        """Its name alone."""
        self._types[field_definition.annotation] = None
        named: Schema = schema_creator.create_component_schema(field_definition, required=[], property_fields={})
        return named

    def show_parameters(self, paths: Mapping[str, Any]) -> None:
        """Those of an operation as the server reads them, which the framework says but for a zero, and as null too."""
        for route in self.app.routes:
            for handler in getattr(route, "route_handlers", ()):
                for method in handler.http_methods if isinstance(handler, HTTPRouteHandler) else ():
                    told = paths.get(route.path_format, {}).get(method.lower(), {})
                    _show_parameters(handler, told.get("parameters", ()))

    def schemas(self, taken: Iterable[str]) -> dict[str, Any]:
        """What was asked for and all that it holds, by name.

        `taken`: what requests name, where a member with a default may be left out. Of what only answers hold every
        member is sent, but of a struct that leaves out its defaults.
        """
        types = list(self._types)
        _, found = msgspec.json.schema_components(types, ref_template=f"{_PLACE}{{name}}")
        of_requests: set[str] = set()
        _reach(found, taken, of_requests)
        leaving_out = {cls.__name__ for cls in _classes(msgspec.inspect.multi_type_info(types), {}) if _leaves_out(cls)}
        _say_kinds(found)
        for name, schema in found.items():
            if "description" in schema:
                schema["description"] = cleandoc(schema["description"])
            if name in of_requests | leaving_out:
                continue
            if "prefixItems" in schema:
                schema["minItems"] = schema["maxItems"]
            elif "properties" in schema:
                schema["required"] = list(schema["properties"])
        return found


def _show_parameters(handler: HTTPRouteHandler, told: Iterable[dict[str, Any]]) -> None:
    kinds = {called: field.type for called, field in parameters_of(handler)}
    for one in told:
        if one["name"] not in kinds:
            continue
        schema = msgspec.json.schema(kinds[one["name"]])
        for plain in schema.pop("anyOf", ()):  # what is no JSON is left out, never null
            if plain != {"type": "null"}:
                schema |= plain
        if one["in"] == "header" and one["name"] in SHAPES:
            schema["pattern"] = SHAPES[one["name"]]
        _say_kinds(schema)
        default = one["schema"].get("default")
        one["schema"] = schema if default is None else {**schema, "default": default}


def named_in(value: Any) -> Iterator[str]:
    """The schemas that a part of a description names."""
    if isinstance(value, dict):
        named = value.get("$ref")
        if isinstance(named, str) and named.startswith(_PLACE):
            yield named.removeprefix(_PLACE)
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from named_in(each)


def _reach(schemas: dict[str, Any], names: Iterable[str], reached: set[str]) -> None:
    for name in names:
        if name not in reached:
            reached.add(name)
            _reach(schemas, named_in(schemas.get(name)), reached)


def _say_kinds(value: Any) -> None:
    """Of which kind choices are, and that an object may have any members: generators of types want it said."""
    if isinstance(value, dict):
        if isinstance(value.get("enum"), list) and all(isinstance(one, str) for one in value["enum"]):
            value.setdefault("type", "string")
        if value.get("type") == "object" and not value.keys() & {"properties", "additionalProperties"}:
            value["additionalProperties"] = True
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            _say_kinds(each)


def _leaves_out(cls: Any) -> bool:
    return issubclass(cls, msgspec.Struct) and bool(cls.__struct_config__.omit_defaults)


def _classes(value: Any, seen: dict[type, None]) -> dict[type, None]:
    """The classes that types are made of."""
    if isinstance(value, tuple | list):
        for each in value:
            _classes(each, seen)
    elif isinstance(value, msgspec.inspect.Type | msgspec.inspect.Field):
        cls = getattr(value, "cls", None)
        if cls in seen:
            return seen
        if cls is not None:
            seen[cls] = None
        _classes([getattr(value, part) for part in value.__struct_fields__], seen)
    return seen
