"""The one shape of a list: `items`, and `next`, the cursor of the page after it; of what comes all at once, none."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
from litestar import Response


@cache
def whole(kind: type) -> Any:
    """The struct of a list of `kind` that has no pages."""
    return msgspec.defstruct(
        f"{kind.__name__}List", [("items", list[kind]), ("next", None, None)],  # type: ignore[valid-type]  # given
        namespace={"__doc__": "All of them at once, so that `next` is none."},
    )  # fmt: skip


def whole_of(kind: type, items: Sequence[Any]) -> Response[Any]:
    """Such a list as an answer."""
    return Response(whole(kind)(list(items)))
