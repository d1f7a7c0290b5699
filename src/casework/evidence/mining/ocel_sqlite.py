"""OCEL 2.0 as a relational database: the tables, keys and references of the specification.

Times are UTC in ISO 8601, all of one width, so that they compare as texts. Dates within attributes are texts, too.
"""

import re
import sqlite3
from pathlib import Path
from typing import Final

from casework.evidence.mining.spool import INITIAL, EventSpool
from casework.evidence.mining.told import ATTRIBUTES, OBJECTS, AttributeType

_INITIAL: Final = "1970-01-01T00:00:00.000000Z"
_SQL_TYPES: Final[dict[AttributeType, str]] = {"string": "TEXT", "integer": "INTEGER"}
_TABLES: Final = """
CREATE TABLE "event_map_type" ("ocel_type" TEXT PRIMARY KEY, "ocel_type_map" TEXT);
CREATE TABLE "object_map_type" ("ocel_type" TEXT PRIMARY KEY, "ocel_type_map" TEXT);
CREATE TABLE "event" ("ocel_id" TEXT PRIMARY KEY,
  "ocel_type" TEXT REFERENCES "event_map_type" ("ocel_type"));
CREATE TABLE "object" ("ocel_id" TEXT PRIMARY KEY,
  "ocel_type" TEXT REFERENCES "object_map_type" ("ocel_type"));
CREATE TABLE "event_object" ("ocel_event_id" TEXT REFERENCES "event" ("ocel_id"),
  "ocel_object_id" TEXT REFERENCES "object" ("ocel_id"), "ocel_qualifier" TEXT,
  PRIMARY KEY ("ocel_event_id", "ocel_object_id", "ocel_qualifier"));
CREATE TABLE "object_object" ("ocel_source_id" TEXT REFERENCES "object" ("ocel_id"),
  "ocel_target_id" TEXT REFERENCES "object" ("ocel_id"), "ocel_qualifier" TEXT,
  PRIMARY KEY ("ocel_source_id", "ocel_target_id", "ocel_qualifier"));
"""


def write(spool: EventSpool, file: Path) -> None:
    """Fill the empty `file`; sqlite3.Error where it cannot be written."""
    raw = spool.raw
    raw.execute("ATTACH ? AS spooled_into", (str(file),))
    raw.execute("BEGIN")
    for statement in _TABLES.split(";\n"):
        if statement.strip():
            raw.execute(statement.strip().replace("CREATE TABLE ", "CREATE TABLE spooled_into.", 1))
    event_types, object_types = spool.event_types(), spool.object_types()
    event_tables, object_tables = tables_of(list(event_types)), tables_of(list(object_types))
    raw.executemany('INSERT INTO spooled_into."event_map_type" VALUES (?, ?)', event_tables.items())
    raw.executemany('INSERT INTO spooled_into."object_map_type" VALUES (?, ?)', object_tables.items())
    raw.execute('INSERT INTO spooled_into."event" SELECT id, type FROM main.event ORDER BY time, n')
    raw.execute('INSERT INTO spooled_into."object" SELECT id, type FROM main.object ORDER BY id')
    raw.execute(
        'INSERT INTO spooled_into."event_object" SELECT e.id, r.object, r.qualifier'
        " FROM main.event e JOIN main.relation r ON r.event = e.n ORDER BY e.time, e.n, r.object, r.qualifier"
    )
    raw.execute('INSERT INTO spooled_into."object_object" SELECT source, target, qualifier FROM main.link')
    for kind, table in event_tables.items():
        _events(raw, kind, table, event_types[kind])
    for kind, table in object_tables.items():
        _objects(raw, kind, table, object_types[kind])
    raw.execute("COMMIT")
    raw.execute("DETACH spooled_into")


def table_of(kind: str) -> str:
    """The part of a table's name that stands for a type: `case.step.mark_lost` → `CaseStepMarkLost`."""
    return "".join(word.capitalize() for word in re.split(r"[^A-Za-z0-9]+", kind))


def tables_of(kinds: list[str]) -> dict[str, str]:
    """A table for each type; two types never share one (SQLite does not tell capitals apart)."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for kind in sorted(kinds):
        name, number = table_of(kind), 2
        while name.casefold() in taken:
            name, number = f"{table_of(kind)}_{number}", number + 1
        taken.add(name.casefold())
        found[kind] = name
    return found


def _events(raw: sqlite3.Connection, kind: str, table: str, names: list[str]) -> None:
    columns = "".join(f', "{name}" {_SQL_TYPES[ATTRIBUTES[name]]}' for name in names)
    raw.execute(
        f'CREATE TABLE spooled_into."event_{table}"'
        f' ("ocel_id" TEXT PRIMARY KEY REFERENCES "event" ("ocel_id"), "ocel_time" TIMESTAMP{columns})'
    )
    values = "".join(f", json_extract(attributes, '$.\"{name}\"')" for name in names)
    raw.execute(
        f'INSERT INTO spooled_into."event_{table}"'
        f" SELECT id, time{values} FROM main.event WHERE type = ? ORDER BY time, n",
        (kind,),
    )


def _objects(raw: sqlite3.Connection, kind: str, table: str, names: list[str]) -> None:
    """The initial values of an object in one row, every later value in one of its own."""
    columns = "".join(f', "{name}" {_SQL_TYPES[OBJECTS[kind][name]]}' for name in names)
    raw.execute(
        f'CREATE TABLE spooled_into."object_{table}" ("ocel_id" TEXT REFERENCES "object" ("ocel_id"),'
        f' "ocel_time" TIMESTAMP, "ocel_changed_field" TEXT{columns})'
    )
    initial = "".join(
        f", (SELECT value FROM main.value v WHERE v.object = o.id AND v.time = '{INITIAL}' AND v.field = '{name}')"
        for name in names
    )
    raw.execute(
        f'INSERT INTO spooled_into."object_{table}"'
        f" SELECT id, '{_INITIAL}', NULL{initial} FROM main.object o WHERE type = ? ORDER BY id",
        (kind,),
    )
    later = "".join(f", CASE field WHEN '{name}' THEN value END" for name in names)
    raw.execute(
        f'INSERT INTO spooled_into."object_{table}"'
        f" SELECT object, time, field{later} FROM main.value v JOIN main.object o ON o.id = v.object"
        f" WHERE o.type = ? AND time <> '{INITIAL}' ORDER BY object, time, field",
        (kind,),
    )
