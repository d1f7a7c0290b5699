"""A noun as the service keeps it: its table, the stream it writes to, and the four hooks, of which most need none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.lifecycle.noun import Noun

if TYPE_CHECKING:
    from casework.lifecycle.door import Door


@dataclass(frozen=True, kw_only=True, eq=False)
class Kept(Noun):
    """What the door, lists and sweeps know of a noun beyond what its entries say.

    `verbs`: commands beyond those that every noun knows.
    """

    table: sa.Table
    verbs: Mapping[type, Callable[["Door", Any, Any], Any]] = field(default_factory=dict)

    # ── hooks ──
    about: Callable[[Connection, Sequence[Any]], Sequence[dict[str, Any] | None]] | None = None
    """What openings are about beyond their data: `institution` and `borrower_id` of whom it concerns; none: unknown."""
    prepare: Callable[..., Any] | None = None  # what its verbs need of the database, once a batch
    beside: Callable[["Door", Any, Mapping[str, Any]], dict[str, Any]] | None = None
    """What guards need from outside the subject and what was given."""
    following: Callable[["Door", Any, str, Mapping[str, str]], Callable[[Any], None] | None] | None = None
    """Before and after it was opened, moved or learnt a fact: where it goes, and its texts, which are in no row."""

    @classmethod
    def of(cls, noun: Noun, **more: Any) -> Self:
        """The noun, and what is kept of it."""
        return cls(**{one.name: getattr(noun, one.name) for one in fields(noun)}, **more)
