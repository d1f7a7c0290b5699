"""What the files say is what the log says, and each is in the form that its standard asks for."""

import json
from collections import Counter
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa

from casework.evidence.mining.told import STREAMS
from casework.log.format.entry import decode_strict
from casework.log.tables import entries
from casework.storage.database import reading
from casework.work.cases.tables import cases
from tests.log.built_log import CASES, PEOPLE, REQUESTS, BuiltLog
from tests.mining.made import Model, from_json, from_sqlite, made, opened, traces
from tests.mining.xes_structure import faults


def counted(log: BuiltLog, *prefixes: str) -> Counter[tuple[str, str]]:
    """How many entries of each event each stream has, by SQL."""
    wanted = sa.select(entries.c.stream, entries.c.event, sa.func.count()).group_by(entries.c.stream, entries.c.event)
    with reading(log.engine) as conn:
        rows = conn.execute(wanted.where(sa.or_(*(entries.c.stream.startswith(f"{one}:") for one in prefixes)))).all()
    return Counter({(stream, event): number for stream, event, number in rows})


def bodies(log: BuiltLog) -> dict[str, Any]:
    """Every entry, by its id."""
    with reading(log.engine) as conn:
        found = [decode_strict(bytes(body)) for body in conn.execute(sa.select(entries.c.body)).scalars()]
    return {entry.entry_id: entry for entry in found}


@pytest.fixture(scope="module")
def xes(log: BuiltLog) -> bytes:
    return made(log, "xes")[0]


@pytest.fixture(scope="module")
def in_json(log: BuiltLog) -> bytes:
    return made(log, "ocel-json")[0]


@pytest.fixture(scope="module")
def in_sqlite(log: BuiltLog) -> bytes:
    return made(log, "ocel-sqlite")[0]


# --- XES


def test_xes_has_a_trace_for_each_case_with_its_entries_in_order(log: BuiltLog, xes: bytes) -> None:
    found = traces(xes)
    assert len(found) == CASES
    told = Counter((f"case:{case}", event["concept:name"]) for case, events in found.items() for event in events)
    assert told == counted(log, "case")
    for case, events in found.items():
        assert [event["casework:entry_id"] for event in events] == [
            f"case:{case}:{number}" for number in range(1, len(events) + 1)
        ]


def test_xes_carries_time_person_post_and_states_as_recorded(log: BuiltLog, xes: bytes) -> None:
    known = bodies(log)
    for events in traces(xes).values():
        for event in events:
            entry = known[event["casework:entry_id"]]
            assert event["time:timestamp"] == entry.recorded_at
            assert event["org:resource"] == entry.actor.id
            assert event.get("org:role") == entry.data.get("post")
            assert (event.get("casework:from"), event.get("casework:to")) == (entry.from_, entry.to)
            assert event.get("casework:reason_code") == entry.reason_code
            assert event.get("casework:rules", "").split() == list(entry.rules)
            assert event.get("casework:chart") == entry.chart
            assert event["lifecycle:transition"] == "complete"


def test_xes_has_the_structure_of_the_standard(xes: bytes) -> None:
    assert xes.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n')
    assert faults(ET.fromstring(xes)) == []


@pytest.mark.parametrize(
    ("part", "other"),
    [
        (b'key="time:timestamp" value="2026-01-11T', b'key="time:timestamp" value="2026-01-11 '),
        (b'name="activity_and_resource"', b'name="activity and resource"'),
        (b'keys="concept:name"', b'keys="casework:rules"'),
        (b'<string key="org:resource"', b'<string key="org resource"'),
        (b'prefix="org"', b'prefix="group"'),
        (b"  <trace>\n", b'  <classifier name="a" scope="event" keys="concept:name"/>\n  <trace>\n'),
        (b'<int key="casework:overdue_fen"', b'<float key="casework:overdue_fen"'),
        (b'xes.version="1849.2016"', b'xes.version="new"'),
    ],
)
def test_the_check_of_the_structure_finds_what_is_wrong(xes: bytes, part: bytes, other: bytes) -> None:
    assert part in xes
    assert faults(ET.fromstring(xes.replace(part, other))) != []


# --- OCEL


def test_both_ocel_files_say_the_same(in_json: bytes, in_sqlite: bytes) -> None:
    assert from_json(in_json) == from_sqlite(in_sqlite)


def test_ocel_has_an_event_for_each_entry_that_is_about_objects(log: BuiltLog, in_json: bytes) -> None:
    model, known = from_json(in_json), bodies(log)
    told = Counter((place.rpartition(":")[0], kind) for place, (kind, _, _) in model.events.items())
    assert told == counted(log, *STREAMS)
    assert all(time == known[place].recorded_at for place, (_, time, _) in model.events.items())
    kinds = Counter(kind for kind, _ in model.objects.values())
    assert kinds["case"] == kinds["loan"] == kinds["borrower"] == CASES
    assert kinds["request"] == REQUESTS
    assert kinds["staff"] == PEOPLE


def test_relations_name_who_acted_who_had_the_case_and_what_it_was_about(log: BuiltLog, in_json: bytes) -> None:
    model, known = from_json(in_json), bodies(log)
    by_event: dict[str, set[tuple[str, str]]] = {}
    for event, target, qualifier in model.relations:
        by_event.setdefault(event, set()).add((target, qualifier))
    for place in model.events:
        entry, found = known[place], by_event[place]
        actors = {target for target, qualifier in found if qualifier == "actor"}
        assert actors == ({f"staff:{entry.actor.id}"} if entry.actor.kind == "staff" else set())
        if not entry.stream.startswith("openings:"):
            assert (entry.stream, "subject") in found
        if entry.event == "case.opened":
            data = entry.data
            borrower = f"borrower:{data['institution']}~{data['borrower_id']}"
            assert {(f"loan:{data['loan_id']}", "loan"), (borrower, "borrower"),
                    (f"staff:{data['owner']}", "owner_after")} <= found  # fmt: skip
        if entry.event == "case.assigned":
            assert {(f"staff:{entry.data['owner']}", "owner_after"),
                    (f"staff:{entry.data['from_owner']}", "owner_before")} <= found  # fmt: skip
        if entry.event.startswith("case.asked."):
            assert (f"request:{entry.data['request']}", "request") in found
        if entry.event == "request.opened":
            assert (entry.data["about"]["subject"], "about") in found
    assert {qualifier for _, _, qualifier in model.relations} >= {
        "actor", "subject", "owner_before", "owner_after", "loan", "borrower", "request", "about", "asked_by",
        "reviewed_by",
    }  # fmt: skip


def test_what_an_object_was_last_is_what_its_row_says(log: BuiltLog, in_json: bytes) -> None:
    objects = from_json(in_json).objects
    with reading(log.engine) as conn:
        rows = conn.execute(sa.select(cases)).all()
    for row in rows:
        values = objects[f"case:{row.id}"][1]
        for name in ("state", "owner", "bucket", "overdue_fen", "outstanding_principal_fen", "institution", "product"):
            assert values[name][-1][1] == str(getattr(row, name)), (row.id, name)
        due = values["oldest_due_date"][-1][1]
        assert due == (row.oldest_due_date.isoformat() if row.oldest_due_date else "")
        for changes in values.values():
            times = [time for time, _ in changes]
            assert times[0] == ""
            assert times == sorted(set(times))


def test_every_change_of_state_has_the_time_of_the_entry_that_made_it(log: BuiltLog, in_json: bytes) -> None:
    objects = from_json(in_json).objects
    steps = Counter(
        (entry.stream, entry.recorded_at)
        for entry in bodies(log).values()
        if entry.stream.startswith("case:") and entry.from_ is not None and entry.from_ != entry.to
    )
    assert steps
    changes = {
        (place, time) for place, (kind, values) in objects.items() if kind == "case"
        for time, _ in values["state"] if time
    }  # fmt: skip
    assert changes == set(steps)


def test_the_json_file_has_the_keys_and_types_of_the_specification(in_json: bytes) -> None:
    """The schema of OCEL 2.0 §8.2; attributes are those that their type declares."""
    whole = json.loads(in_json)
    assert list(whole) == ["objectTypes", "eventTypes", "objects", "events"]
    for types, items in (("objectTypes", "objects"), ("eventTypes", "events")):
        declared: dict[str, dict[str, str]] = {}
        for kind in whole[types]:
            assert set(kind) == {"name", "attributes"}
            assert all(set(one) == {"name", "type"} for one in kind["attributes"])
            declared[kind["name"]] = {one["name"]: one["type"] for one in kind["attributes"]}
        assert {kind for of_type in declared.values() for kind in of_type.values()} == {"string", "integer"}
        assert {one["type"] for one in whole[items]} == set(declared)
        for one in whole[items]:
            names = {"id", "type", "attributes", "relationships"} | ({"time"} if items == "events" else set())
            assert set(one) == names
            for attribute in one["attributes"]:
                assert isinstance(attribute["value"], str)
                kind = declared[one["type"]][attribute["name"]]
                assert kind == "string" or str(int(attribute["value"])) == attribute["value"]
            assert all(set(related) == {"objectId", "qualifier"} for related in one["relationships"])
    known = {one["id"] for one in whole["objects"]}
    for one in (*whole["objects"], *whole["events"]):
        assert {related["objectId"] for related in one["relationships"]} <= known
    assert all(one["relationships"] for one in whole["events"])
    times = [one["time"] for one in whole["events"]]
    assert times == sorted(times)


def test_the_sqlite_file_has_the_tables_and_keys_of_the_specification(in_sqlite: bytes) -> None:
    keys = {
        "event_map_type": (["ocel_type"], []),
        "object_map_type": (["ocel_type"], []),
        "event": (["ocel_id"], [("ocel_type", "event_map_type", "ocel_type")]),
        "object": (["ocel_id"], [("ocel_type", "object_map_type", "ocel_type")]),
        "event_object": (
            ["ocel_event_id", "ocel_object_id", "ocel_qualifier"],
            [("ocel_event_id", "event", "ocel_id"), ("ocel_object_id", "object", "ocel_id")],
        ),
        "object_object": (
            ["ocel_source_id", "ocel_target_id", "ocel_qualifier"],
            [("ocel_source_id", "object", "ocel_id"), ("ocel_target_id", "object", "ocel_id")],
        ),
    }
    fixed = {"event": ["ocel_id", "ocel_time"], "object": ["ocel_id", "ocel_time", "ocel_changed_field"]}
    with opened(in_sqlite) as raw:
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for what in ("event", "object"):
            for (table,) in raw.execute(f'SELECT ocel_type_map FROM "{what}_map_type"'):
                primary = ["ocel_id"] if what == "event" else []
                keys[f"{what}_{table}"] = (primary, [("ocel_id", what, "ocel_id")])
                columns = {name: kind for _, name, kind, *_ in raw.execute(f'PRAGMA table_info("{what}_{table}")')}
                assert list(columns)[: len(fixed[what])] == fixed[what]
                assert columns["ocel_time"] == "TIMESTAMP"
                assert set(columns.values()) <= {"TEXT", "TIMESTAMP", "INTEGER"}
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables == set(keys)
        for table, (primary, references) in keys.items():
            held = raw.execute(f'PRAGMA table_info("{table}")').fetchall()
            assert [name for _, name, *_, place in held if place] == primary
            found = raw.execute(f'PRAGMA foreign_key_list("{table}")').fetchall()
            assert {(row[3], row[2], row[4]) for row in found} == set(references)


def test_the_same_log_gives_the_same_file(log: BuiltLog, xes: bytes, in_json: bytes) -> None:
    again: Model = from_json(made(log, "ocel-json")[0])
    assert again == from_json(in_json)
    assert made(log, "xes")[0] == xes
