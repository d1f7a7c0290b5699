"""Examples for the description of the API, as they are: a member that is null is shown as null."""

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi import spec


@dataclass
class Example(spec.Example):
    """As Litestar's own, which leaves out every null of `value`: what a caller is whole_answer has them."""

    def to_schema(self) -> dict[str, Any]:
        """With the value as it was given."""
        shown = super().to_schema()
        return shown if self.value is None else shown | {"value": self.value}


def whole_answer(kind: Any, value: Any, *, summary: str = "An example") -> list[spec.Example]:
    """One answer of `kind`: whole, with what it has where `value` says nothing of a member."""
    if isinstance(value, dict):
        value = msgspec.json.decode(msgspec.json.encode(msgspec.json.decode(msgspec.json.encode(value), type=kind)))
    return [Example(id="example", summary=summary, value=value)]
