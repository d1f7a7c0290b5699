"""Export a demo branch in all three formats, have pm4py read them, compare with the log; exit 0 if all agree.

pm4py is installed in an environment made for the occasion and thrown away (a minute, from the package index).
"""

import contextlib
import io
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from casework.cli import main as casework
from tests.mining_check import reader
from tests.mining_check.expected import expected

FILES = {"xes": "log.xes", "ocel-json": "log.json", "ocel-sqlite": "log.sqlite"}
LOANS = "1000"


def shell(*arguments: str) -> None:
    """A command that must succeed, in silence."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            casework.main(list(arguments), standalone_mode=True)
    except SystemExit as end:
        if end.code:
            raise SystemExit(f"casework {' '.join(arguments)}: exit code {end.code}\n{said.getvalue()}") from None


def branch(folder: Path) -> sqlite3.Connection:
    """A demo branch, and its files in `folder`."""
    shell("demo", "--folder", str(folder / "demo"), "--loans", LOANS)
    file = folder / "demo" / "casework.db"
    os.environ["CASEWORK_DATABASE_URL"] = f"sqlite:///{file}"
    for kind, name in FILES.items():
        shell("audit", "mine", "--format", kind, "--out", str(folder / name), "--pseudonyms", "none")
    return sqlite3.connect(f"file:{file}?mode=ro", uri=True)


def read_by_pm4py(folder: Path) -> dict[str, Any]:
    """What pm4py finds in the files."""
    environment = folder / "pm4py"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "pm4py"], check=True)
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CASEWORK"))}
    done = subprocess.run(
        [python, reader.__file__, folder], env=bare, capture_output=True, text=True, check=False, cwd=folder
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return found


def compare(name: str, found: Any, wanted: Any) -> list[str]:
    """One line for what was compared; a second one with both where they differ."""
    size = sum(wanted.values()) if isinstance(wanted, dict) else wanted
    if found == wanted:
        print(f"  {name}: {size:,} agree" if isinstance(size, int) else f"  {name}: {size} agree")
        return []
    return [f"{name}: pm4py has {found}, the log has {wanted}"]


def main() -> int:
    """The whole check; its exit code."""
    for name in [name for name in os.environ if name.startswith("CASEWORK_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="casework-mining-") as temporary:
        folder = Path(temporary)
        with contextlib.closing(branch(folder)) as raw:
            wanted = expected(raw)
        found = read_by_pm4py(folder)
    print(f"read by pm4py {found['version']}")
    faults = []
    for name, value in wanted["xes"].items():
        faults += compare(f"xes {name}", found["xes"][name], value)
    for kind in ("ocel-json", "ocel-sqlite"):
        ocel = found[kind]
        for name in ("events", "objects", "pairs", "links"):
            faults += compare(f"{kind} {name}", ocel[name], wanted["ocel"][name])
        faults += compare(f"{kind} changes of state", ocel["changes"]["('case', 'state')"], wanted["ocel"]["states"])
    # From JSON pm4py keeps one qualifier for an event and an object; from SQLite all of them.
    faults += compare("ocel-sqlite qualifiers", found["ocel-sqlite"]["qualifiers"], wanted["ocel"]["qualifiers"])
    faults += compare("ocel-sqlite changes as in json", found["ocel-sqlite"]["changes"], found["ocel-json"]["changes"])
    faults += compare("constraints of the specification broken", found["constraints"]["broken"], [])
    for fault in faults:
        print(fault, file=sys.stderr)
    print("all agree" if not faults else f"{len(faults)} differ")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
