"""Whatever changes in the API is seen to change: the description against the snapshot that was approved.

`CASEWORK_APPROVE=1` writes the snapshot anew; docs/api-changes.md then wants a line for what a client will notice.
"""

import os
import re
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import Any, Final

import pytest

from tests.api.conftest import Running

APPROVED: Final = Path(__file__).with_name("approved_openapi.txt")
POLICY: Final = Path(__file__).resolve().parents[2] / "docs" / "api-changes.md"
_METHODS: Final = ("get", "put", "post", "delete", "patch")


def lines_of(document: dict[str, Any]) -> list[str]:
    """A line for each operation with its parameters and answers, and for each schema with its keys (`*`: needed)."""
    operations = [
        f"{method.upper()} {path} {_asked(one)} -> {_answered(one)}"
        for path, methods in document["paths"].items() for method, one in methods.items() if method in _METHODS
    ]  # fmt: skip
    schemas = [f"{name} {{{_keys(one)}}}" for name, one in document["components"]["schemas"].items()]
    return [*sorted(operations), *sorted(schemas)]


def _asked(operation: dict[str, Any]) -> str:
    parameters = [
        f"{one['in'][0]}:{one['name']}{'*' if one.get('required') else ''}={kind_of(one['schema'])}"
        for one in operation.get("parameters", ())
    ]
    bodies = [f"body:{kind_of(one['schema'])}" for one in operation.get("requestBody", {}).get("content", {}).values()]
    gone = ["deprecated"] if operation.get("deprecated") else []
    return " ".join([*gone, *sorted(parameters), *bodies])


def _answered(operation: dict[str, Any]) -> str:
    return " ".join(
        f"{status}:{'|'.join(kind_of(one.get('schema', {})) for one in answer.get('content', {}).values()) or '-'}"
        for status, answer in sorted(operation["responses"].items()) if int(status) < 400
    )  # fmt: skip


def _keys(schema: dict[str, Any]) -> str:
    needed = set(schema.get("required", ()))
    return ", ".join(
        f"{name}{'*' if name in needed else ''}:{kind_of(one)}"
        for name, one in sorted(schema.get("properties", {}).items())
    )


def kind_of(schema: dict[str, Any]) -> str:
    """A schema in a word or two; what is within it where it has no name."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "allOf" in schema:
        return kind_of(schema["allOf"][0])
    several = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    if several:
        return "|".join(sorted(dict.fromkeys(kind_of(one) for one in several)))
    if schema.get("type") == "array":
        return f"[{kind_of(schema.get('items', {}))}]"
    if schema.get("properties"):
        return f"{{{_keys(schema)}}}"
    return str(schema.get("format") or schema.get("type") or ("choice" if "enum" in schema else "any"))


def changes(before: list[str], after: list[str]) -> Iterator[str]:
    """The lines that differ."""
    for line in unified_diff(before, after, lineterm="", n=0):
        if re.match(r"[+-](?![+-])", line):
            yield line


@pytest.mark.only("sqlite")
def test_the_api_is_as_it_was_approved(running: Running) -> None:
    """Each difference wants the snapshot made anew, and a line in docs/api-changes.md."""
    found = lines_of(running.client.get("/schema/openapi.json").json())
    if os.environ.get("CASEWORK_APPROVE") == "1":
        APPROVED.write_text("\n".join(found) + "\n", encoding="utf-8")
    differing = list(changes(APPROVED.read_text(encoding="utf-8").splitlines(), found))
    assert differing == [], f"approve with CASEWORK_APPROVE=1, and write a line into {POLICY.name}"


def test_a_key_that_goes_comes_or_changes_its_kind_is_seen() -> None:
    """The corrupt twins of one description."""

    def document(**keys: Any) -> dict[str, Any]:
        schema = {"properties": keys, "required": ["id"]}
        answers = {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Line"}}}}}
        return {"paths": {"/x": {"get": {"responses": answers}}}, "components": {"schemas": {"Line": schema}}}

    good = lines_of(document(id={"type": "integer"}, on={"type": "string", "format": "date"}))
    assert good == ["GET /x  -> 200:Line", "Line {id*:integer, on:date}"]
    for other in (
        document(id={"type": "integer"}),
        document(id={"type": "string"}, on={"type": "string", "format": "date"}),
        document(id={"type": "integer"}, day={"type": "string", "format": "date"}),
        document(id={"type": "integer"}, on={"type": "string", "format": "date"}, more={}),
    ):
        assert list(changes(good, lines_of(other)))
    assert not list(changes(good, good))
