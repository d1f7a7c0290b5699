"""A decided slice on its way from the process that decided it to the one that writes it: names for what both have."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from casework.lifecycle.batch import BatchPart
from casework.lifecycle.commands import Outcome
from casework.lifecycle.door import Door
from casework.log.write.trail import Added, Draft

Decided = tuple[list[Outcome], BatchPart]


class Packed(NamedTuple):
    """What of a slice is no part of the house."""

    outcomes: list[Outcome]
    fresh: list[tuple[str, list[tuple[Any, ...]]]]
    changed: list[tuple[str, list[tuple[Any, ...]]]]
    beside: list[tuple[str, Sequence[str], list[tuple[Any, ...]]]]
    refused_openings: list[tuple[str, Draft]]
    begun: list[str]
    heads: list[tuple[Any, ...]]
    added: Added


def packed(decided: Decided) -> Packed:
    """The slice to be handed over."""
    outcomes, part = decided
    return Packed(
        outcomes,
        [(noun.chart, many) for noun, many in part.fresh],
        [(noun.chart, many) for noun, many in part.changed],
        [(table.name, columns, many) for table, columns, many in part.beside],
        part.refused_openings, part.begun, part.heads, part.trail.taken(),
    )  # fmt: skip


def unpacked(door: Door, one: Packed) -> Decided:
    """The same slice, as if this process's door had decided it."""
    tables = door.main.table.metadata.tables
    part = BatchPart(
        [(door.nouns[chart], many) for chart, many in one.fresh],
        [(door.nouns[chart], many) for chart, many in one.changed],
        [(tables[name], columns, many) for name, columns, many in one.beside],
        one.refused_openings, one.begun, one.heads, door.trail.of(one.added),
    )  # fmt: skip
    return one.outcomes, part
