"""Events and objects on their way into an OCEL file: a temporary SQLite file, so that memory does not grow.

An object's attribute has the value it had when the period began, or its first one, as its initial value; every later
value has the time of the entry that set it. Of several at the same instant the last counts.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from casework.evidence.mining.names import Names
from casework.evidence.mining.told import (
    EventPart,
    EventTold,
    Value,
    told,
)
from casework.log.format.entry import Entry

INITIAL: Final = ""
"""The time of an initial value here; it sorts before every other."""

_TABLES: Final = """
CREATE TABLE event (n INTEGER PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL, time TEXT NOT NULL,
  attributes TEXT NOT NULL);
CREATE TABLE object (id TEXT PRIMARY KEY, type TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE relation (event INTEGER, object TEXT, qualifier TEXT,
  PRIMARY KEY (event, object, qualifier)) WITHOUT ROWID;
CREATE TABLE value (object TEXT, field TEXT, time TEXT, value, PRIMARY KEY (object, time, field)) WITHOUT ROWID;
CREATE TABLE link (source TEXT, target TEXT, qualifier TEXT, PRIMARY KEY (source, target, qualifier)) WITHOUT ROWID;
"""


class EventSpool:
    """Filled once, in the order that `chosen` reads in; then read by the writer of one format."""

    def __init__(self, file: Path) -> None:
        self.raw = sqlite3.connect(file, isolation_level=None)
        # The file dies with the export: nothing in it is worth a journal.
        self.raw.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_TABLES}")
        self._own: str | None = None
        self._known: dict[tuple[str, str], Value] = {}

    def close(self) -> None:
        """The caller takes the file away."""
        self.raw.close()

    def fill(self, read: Iterable[tuple[Entry, EventPart]], names: Names) -> None:
        """Everything that the file is made of; objects that no event is about are left out."""
        self.raw.execute("BEGIN")
        for entry, part in read:
            event = told(entry, names)
            self._values(event, part)
            if part is EventPart.IN:
                self._event(event)
        for sql in (
            "DELETE FROM value WHERE object NOT IN (SELECT id FROM object)",
            "DELETE FROM link WHERE source NOT IN (SELECT id FROM object) OR target NOT IN (SELECT id FROM object)",
        ):
            self.raw.execute(sql)
        self.raw.execute("COMMIT")

    def _event(self, event: EventTold) -> None:
        run = self.raw
        inserted = run.execute(
            "INSERT INTO event (id, type, time, attributes) VALUES (?, ?, ?, ?)",
            (event.id, event.type, event.time, json.dumps(event.attributes, ensure_ascii=False)),
        )
        number = inserted.lastrowid
        run.executemany("INSERT OR IGNORE INTO object VALUES (?, ?)", [one[:2] for one in event.relations])
        run.executemany(
            "INSERT INTO relation VALUES (?, ?, ?)", [(number, one.object, one.qualifier) for one in event.relations]
        )

    def _values(self, event: EventTold, part: EventPart) -> None:
        if event.own != self._own:
            self._own, self._known = event.own, {}
        for target, said in event.values.items():
            if target not in (self._own, event.within):  # said in passing, and once for all
                rows = [(target, name, INITIAL, value) for name, value in said.items()]
                self.raw.executemany("INSERT OR IGNORE INTO value VALUES (?, ?, ?, ?)", rows)
                continue
            for name, value in said.items():
                if self._known.get((target, name)) == value:
                    continue
                first = part is EventPart.BEFORE or (target, name) not in self._known
                self._known[target, name] = value
                time = INITIAL if first else event.time
                self.raw.execute("INSERT OR REPLACE INTO value VALUES (?, ?, ?, ?)", (target, name, time, value))
        self.raw.executemany("INSERT OR IGNORE INTO link VALUES (?, ?, ?)", event.links)

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def counts(self) -> tuple[int, int]:
        """Events and objects."""
        found: tuple[int, int] = self.raw.execute(
            "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM object)"
        ).fetchone()
        return found

    def event_types(self) -> dict[str, list[str]]:
        """The events that there are, each with the attributes that occur with it; in order of name."""
        return self._by_type("SELECT DISTINCT e.type, a.key FROM event e LEFT JOIN json_each(e.attributes) a")

    def object_types(self) -> dict[str, list[str]]:
        """The objects that there are, each with the attributes that occur with it."""
        return self._by_type("SELECT DISTINCT o.type, v.field FROM object o LEFT JOIN value v ON v.object = o.id")

    def _by_type(self, sql: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for kind, name in self.raw.execute(f"{sql} ORDER BY 1, 2"):
            found.setdefault(kind, []).extend([name] if name is not None else [])
        return found

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """One pass over an answer, with a cursor of its own."""
        return iter(self.raw.cursor().execute(sql, parameters))
