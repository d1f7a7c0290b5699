"""XES, IEEE 1849: one trace a case, one event an entry of it. Pure.

The log has no attributes of its own: the schema of 2016 and that of 2023 want them in different places, and without any
both are satisfied. Attributes of no standard extension begin with `casework:`; they are described in decision 0023 and
not declared as an extension, because an extension's address must lead to its definition and a branch has none.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final
from xml.sax.saxutils import quoteattr

from casework.evidence.mining.names import Names
from casework.evidence.mining.told import (
    EventPart,
    EventTold,
    Value,
    told,
)
from casework.log.format.entry import Entry
from casework.work.cases import fold

PREFIXES: Final = ("case",)
_EXTENSIONS: Final = (("Concept", "concept"), ("Lifecycle", "lifecycle"), ("Organizational", "org"), ("Time", "time"))
# What every event has. A key may only classify events if it is among them.
_GLOBALS: Final = (
    ("string", "concept:name", "event"), ("date", "time:timestamp", "1970-01-01T00:00:00.000000Z"),
    ("string", "lifecycle:transition", "complete"), ("string", "org:resource", "system"),
    ("string", "casework:entry_id", "case:0:0"), ("string", "casework:via", "cli"),
)  # fmt: skip
_CLASSIFIERS: Final = (
    ("activity", "concept:name"),
    ("activity_and_resource", "concept:name org:resource"),
)
_OF_TRACE: Final = ("institution", "product", "channel", "team", "region", "opened_for")


def lines(read: Iterable[tuple[Entry, EventPart]], names: Names) -> Iterator[str]:
    """The file, piece by piece; `read` goes case by case, each in its order. A case without an event has no trace."""
    yield from _head()
    for _, of_case in groupby(read, lambda one: one[0].stream):
        yield from _trace(of_case, names)
    yield "</log>\n"


def _head() -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield '<log xes.version="1849.2016" xes.features="" xmlns="http://www.xes-standard.org/">\n'
    for name, prefix in _EXTENSIONS:
        yield f'  <extension name="{name}" prefix="{prefix}" uri="http://www.xes-standard.org/{prefix}.xesext"/>\n'
    yield f'  <global scope="trace">\n    {_attribute("concept:name", "0")}\n  </global>\n'
    yield '  <global scope="event">\n'
    for tag, key, value in _GLOBALS:
        yield f"    {_attribute(key, value, tag)}\n"
    yield "  </global>\n"
    for name, keys in _CLASSIFIERS:
        yield f'  <classifier name="{name}" scope="event" keys="{keys}"/>\n'


def _trace(of_case: Iterable[tuple[Entry, EventPart]], names: Names) -> Iterator[str]:
    about: list[str] = []
    begun = False
    for entry, part in of_case:
        event = told(entry, names)
        if entry.event == fold.SAYS.opened:
            about = _opened(event)
        if part is not EventPart.IN:
            continue
        if not begun:
            begun = True
            case = entry.stream.partition(":")[2]
            yield f"  <trace>\n    {_attribute('concept:name', case)}\n"
            yield "".join(f"    {one}\n" for one in about)
        yield _event(event)
    if begun:
        yield "  </trace>\n"


def _opened(event: EventTold) -> list[str]:
    """What the opening says of the whole case."""
    said = event.values.get(str(event.own), {})
    about = [_attribute(f"casework:{name}", said[name]) for name in _OF_TRACE if name in said]
    for _, kind, name in ((one.qualifier, one.type, one.object.partition(":")[2]) for one in event.relations):
        if kind in ("loan", "borrower"):
            about.append(_attribute(f"casework:{kind}", name))
    return about


def _event(event: EventTold) -> str:
    attributes = dict(event.attributes)
    parts = [
        _attribute("concept:name", event.type),
        _attribute("time:timestamp", event.time, "date"),
        # An entry says what has happened: nothing in the log is begun and left open.
        _attribute("lifecycle:transition", "complete"),
        _attribute("org:resource", attributes.pop("actor")),
    ]
    post = attributes.pop("post", None)
    if post is not None:
        parts.append(_attribute("org:role", post))
    parts.append(_attribute("casework:entry_id", event.id))
    parts += [_attribute(f"casework:{name}", value) for name, value in attributes.items()]
    return "    <event>\n      " + "\n      ".join(parts) + "\n    </event>\n"


def _attribute(key: str, value: Value, tag: str | None = None) -> str:
    return f"<{tag or ('int' if type(value) is int else 'string')} key={quoteattr(key)} value={quoteattr(str(value))}/>"
