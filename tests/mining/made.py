"""Files of one log in every format, read back without any library of process mining."""

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from casework.evidence.mining.choices import Cover, Format
from casework.evidence.mining.chosen import MiningWanted
from casework.evidence.mining.export import Mined, export
from casework.people.staff.actor import system
from tests.log.built_log import BuiltLog, clock
from tests.mining.xes_structure import NAMESPACE

DAY = date(2026, 1, 11)
"""The day on which everything in the built log was recorded."""


class Model(NamedTuple):
    """What an OCEL file says, whatever its format: events by id, objects by id, relations, links."""

    events: dict[str, tuple[str, str, dict[str, str]]]
    objects: dict[str, tuple[str, dict[str, list[tuple[str, str]]]]]
    relations: set[tuple[str, str, str]]
    links: set[tuple[str, str, str]]


def made(log: BuiltLog, kind: Format, wanted: MiningWanted | None = None, cover: Cover = "none") -> tuple[bytes, Mined]:
    """A file's content, and what the export said of it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        mined = export(
            log.engine, log.branch, system("cli"), kind, file, wanted or MiningWanted(), cover=cover, clock=clock
        )
        return file.read_bytes(), mined


def traces(content: bytes) -> dict[str, list[dict[str, str]]]:
    """The events of each trace of an XES file, by the trace's name, as keys and values."""
    found = {}
    for trace in ET.fromstring(content).iter(f"{NAMESPACE}trace"):
        name = next(one.attrib["value"] for one in trace if one.get("key") == "concept:name")
        found[name] = [
            {one.attrib["key"]: one.attrib["value"] for one in event} for event in trace.iter(f"{NAMESPACE}event")
        ]
    return found


def from_json(content: bytes) -> Model:
    """An OCEL file in JSON."""
    whole = json.loads(content)
    events, objects, relations, links = {}, {}, set(), set()
    for one in whole["events"]:
        assert one["id"] not in events
        events[one["id"]] = (one["type"], one["time"], {a["name"]: a["value"] for a in one["attributes"]})
        relations |= {(one["id"], r["objectId"], r["qualifier"]) for r in one["relationships"]}
    for one in whole["objects"]:
        assert one["id"] not in objects
        values: dict[str, list[tuple[str, str]]] = {}
        for said in one["attributes"]:
            values.setdefault(said["name"], []).append((_initial(said["time"]), said["value"]))
        objects[one["id"]] = (one["type"], values)
        links |= {(one["id"], r["objectId"], r["qualifier"]) for r in one["relationships"]}
    return Model(events, objects, relations, links)


def from_sqlite(content: bytes) -> Model:
    """An OCEL file in SQLite."""
    events: dict[str, Any] = {}
    objects: dict[str, Any] = {}
    with opened(content) as raw:
        for kind, table in raw.execute('SELECT ocel_type, ocel_type_map FROM "event_map_type"').fetchall():
            for row in _rows(raw, f"event_{table}"):
                place, time = row.pop("ocel_id"), row.pop("ocel_time")
                events[place] = (kind, time, {name: str(value) for name, value in row.items() if value is not None})
        for kind, table in raw.execute('SELECT ocel_type, ocel_type_map FROM "object_map_type"').fetchall():
            for row in _rows(raw, f"object_{table}"):
                place, time, field = row.pop("ocel_id"), row.pop("ocel_time"), row.pop("ocel_changed_field")
                said = {name: str(value) for name, value in row.items() if value is not None}
                assert (field is None) == (place not in objects)  # initial values come first, once
                assert field is None or list(said) == [field]
                values = objects.setdefault(place, (kind, {}))[1]
                for name, value in said.items():
                    values.setdefault(name, []).append((_initial(time), value))
        relations = set(raw.execute('SELECT * FROM "event_object"').fetchall())
        links = set(raw.execute('SELECT * FROM "object_object"').fetchall())
    return Model(events, objects, relations, links)


def opened(content: bytes) -> closing[sqlite3.Connection]:
    """A SQLite file's content as a database in memory."""
    raw = sqlite3.connect(":memory:")
    raw.deserialize(content)
    return closing(raw)


def _rows(raw: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    found = raw.execute(f'SELECT * FROM "{table}"')
    names = [column[0] for column in found.description]
    for row in found.fetchall():
        yield dict(zip(names, row, strict=True))


def _initial(time: str) -> str:
    return "" if time.startswith("1970-01-01T00:00:00") else time
