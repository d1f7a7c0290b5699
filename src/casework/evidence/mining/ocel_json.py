"""OCEL 2.0 as JSON: types, objects, events, in that order, each object and event on a line of its own.

Values are strings, as the specification's schema has them (§8.2); which of them are integers the types say.
"""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from casework.evidence.mining.spool import INITIAL, EventSpool
from casework.evidence.mining.told import ATTRIBUTES, OBJECTS

_INITIAL: Final = "1970-01-01T00:00:00Z"


def lines(spool: EventSpool) -> Iterator[str]:
    """The file, piece by piece."""
    objects = {kind: {name: OBJECTS[kind][name] for name in names} for kind, names in spool.object_types().items()}
    events = {kind: {name: ATTRIBUTES[name] for name in names} for kind, names in spool.event_types().items()}
    yield "{"
    yield from _list("objectTypes", _types(objects))
    yield ",\n"
    yield from _list("eventTypes", _types(events))
    yield ",\n"
    yield from _list("objects", _objects(spool))
    yield ",\n"
    yield from _list("events", _events(spool))
    yield "}\n"


def _list(name: str, items: Iterator[Any]) -> Iterator[str]:
    yield f"{json.dumps(name)}:["
    for place, item in enumerate(items):
        yield (",\n" if place else "\n") + json.dumps(item, ensure_ascii=False, separators=(",", ":"))
    yield "]"


def _types(types: dict[str, dict[str, Any]]) -> Iterator[Any]:
    for name, attributes in types.items():
        yield {"name": name, "attributes": [{"name": one, "type": kind} for one, kind in attributes.items()]}


def _objects(spool: EventSpool) -> Iterator[Any]:
    """Three walks side by side, each in order of the object's id."""
    values = _beside(spool, "SELECT object, field, value, time FROM value ORDER BY object, time, field")
    links = _beside(spool, "SELECT source, target, qualifier FROM link ORDER BY source, target, qualifier")
    for place, kind in spool.rows("SELECT id, type FROM object ORDER BY id"):
        yield {
            "id": place, "type": kind,
            "attributes": [
                {"name": name, "value": str(value), "time": _INITIAL if time == INITIAL else time}
                for _, name, value, time in values(place)
            ],
            "relationships": [_related(target, qualifier) for _, target, qualifier in links(place)],
        }  # fmt: skip


def _events(spool: EventSpool) -> Iterator[Any]:
    related = (
        "SELECT r.event, r.object, r.qualifier FROM event e JOIN relation r ON r.event = e.n"
        " ORDER BY e.time, e.n, r.object, r.qualifier"
    )
    relations = _beside(spool, related)
    for number, place, kind, time, attributes in spool.rows(
        "SELECT n, id, type, time, attributes FROM event ORDER BY time, n"
    ):
        yield {
            "id": place, "type": kind, "time": time,
            "attributes": [{"name": name, "value": str(value)} for name, value in json.loads(attributes).items()],
            "relationships": [_related(target, qualifier) for _, target, qualifier in relations(number)],
        }  # fmt: skip


def _related(place: str, qualifier: str) -> dict[str, str]:
    return {"objectId": place, "qualifier": qualifier}


class _beside:  # noqa: N801  (it is called like a function)
    """The rows that belong to a key, from a walk in the same order of keys; keys without rows have none."""

    def __init__(self, spool: EventSpool, sql: str) -> None:
        self._groups = groupby(spool.rows(sql), lambda row: row[0])
        self._next = next(self._groups, None)

    def __call__(self, key: Any) -> list[tuple[Any, ...]]:
        if self._next is None or self._next[0] != key:
            return []
        found = list(self._next[1])
        self._next = next(self._groups, None)
        return found
