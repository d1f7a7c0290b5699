"""What pm4py finds in the files, as JSON. Runs in the environment made for it: nothing here imports the project.

pm4py is AGPL: it is looked at from outside, is in no lock, and nothing of the product needs it.
"""

import importlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any


def counts(values: Any) -> dict[str, int]:
    """How often each value occurs."""
    return {str(value): number for value, number in sorted(Counter(values).items())}


def of_xes(pm4py: Any, file: Path) -> dict[str, Any]:
    """Traces and events of an XES file."""
    log = pm4py.read_xes(str(file))
    return {
        "traces": int(log["case:concept:name"].nunique()),
        "events_per_case": counts(log["case:concept:name"]),
        "events": counts(log["concept:name"]),
        "resources": counts(log["org:resource"]),
        "first": log["time:timestamp"].min().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "last": log["time:timestamp"].max().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "overdue_fen": int(log["casework:overdue_fen"].sum()),
    }


def of_ocel(log: Any) -> dict[str, Any]:
    """Events, objects and relations of an OCEL file."""
    relations = log.relations
    changes = log.object_changes
    return {
        "events": counts(log.events["ocel:activity"]),
        "objects": counts(log.objects["ocel:type"]),
        "qualifiers": counts(relations["ocel:qualifier"]),
        "pairs": len(set(zip(relations["ocel:eid"], relations["ocel:oid"], strict=True))),
        "links": counts(log.o2o["ocel:qualifier"]),
        "changes": counts(zip(changes["ocel:type"], changes["ocel:field"], strict=True)),
    }


def main(folder: Path) -> None:
    """Read `folder`'s three files."""
    pm4py = importlib.import_module("pm4py")
    validation = importlib.import_module("pm4py.objects.ocel.validation.ocel20_rel_validation")
    kept, broken = validation.apply(str(folder / "log.sqlite"))
    found = {
        "version": pm4py.__version__,
        "xes": of_xes(pm4py, folder / "log.xes"),
        "ocel-json": of_ocel(pm4py.read_ocel2_json(str(folder / "log.json"))),
        "ocel-sqlite": of_ocel(pm4py.read_ocel2_sqlite(str(folder / "log.sqlite"))),
        "constraints": {"kept": len(kept), "broken": sorted(broken)},
    }
    (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
