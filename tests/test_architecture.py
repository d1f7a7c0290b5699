"""House rules that a machine can check: which way imports go, what files may be called, how long they may grow."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
VAGUE_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "service",
    "services",
    "manager",
    "common",
    "misc",
    "base",
}
LONGEST_FUNCTION = 70  # lines with docstring; a longer one is two things
LONGEST_FILE = 450  # lines; past 300 somebody must have looked, past this somebody did not


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method below `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_imports_go_one_way() -> None:
    """Api imports casework, slices import downwards, pure files import no database and no clock."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_routes_import_no_page_so_any_of_them_can_be_imported_first() -> None:
    """Pages are made of routes; what puts both together, and what wraps them, knows both."""
    both = {"app.py", "description.py", "edge.py"}
    found = [
        path.name
        for path in sorted((ROOT / "src/api").glob("*.py")) + sorted((ROOT / "src/api/reading").glob("*.py"))
        if path.name not in both and re.search(r"^from api\.console", path.read_text(), re.MULTILINE)
    ]
    assert found == []


def test_the_maps_and_the_import_rules_name_the_same_groups_in_the_same_order() -> None:
    """`casework/__init__`, CONTRIBUTING's map and the first contract agree, and no folder is left out of them."""
    docstring = ast.get_docstring(ast.parse((ROOT / "src/casework/__init__.py").read_text(encoding="utf-8")))
    in_docstring = re.findall(r"^    ([a-z]+)  +\S", docstring or "", re.MULTILINE)
    assert in_docstring[-1] == "leaves"
    readme = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    in_readme = re.findall(r"^\| `src/casework/([a-z]+)` \|", readme, re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = [layer.removeprefix("casework.") for layer in contracts[0]["layers"] if layer != "api"]
    folders = {path.parent.name for path in (ROOT / "src/casework").glob("*/__init__.py")}
    assert in_docstring[:-1] == in_readme == layers[: len(in_readme)]
    assert set(in_readme) == folders


def test_nothing_lies_deeper_than_group_and_folder() -> None:
    """`src/casework/group/folder/file.py` is the deepest that a file lies."""
    assert [path for path in SOURCES if len(path.relative_to(ROOT / "src").parts) > 4] == []


def test_no_file_has_a_name_that_means_nothing() -> None:
    """A file is named after what it holds, never after a layer."""
    assert [path for path in SOURCES if path.stem in VAGUE_NAMES] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_files_and_functions_stay_small_enough_to_read(path: Path) -> None:
    """A file or function that outgrows its bound holds two things."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    long = [
        f"{node.name} has {(node.end_lineno or node.lineno) - node.lineno + 1} lines"
        for node in functions(ast.parse(text))
        if (node.end_lineno or node.lineno) - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert long == []


def test_only_the_door_writes_the_state_of_a_subject() -> None:
    """No file but the door inserts into, updates or deletes from the table of cases or of another noun."""
    writing = (
        "cases.insert(",
        "cases.update(",
        "cases.delete(",
        "insert_many(conn, cases",
        "update_many(conn, cases",
        "insert_many(conn, noun.table",
        "update_many(conn, noun.table",
    )
    found = {
        str(path.relative_to(ROOT / "src"))
        for path in SOURCES
        if any(call in path.read_text(encoding="utf-8") for call in writing)
    }
    assert found == {"casework/lifecycle/advance.py"}


def test_only_the_trail_writes_entries() -> None:
    """No file but the trail inserts into the log."""
    writing = re.compile(r"rows\.(?!select)\w+\(\s*conn,\s*entries\b|\bentries\.(insert|update|delete)\(")
    found = {
        str(path.relative_to(ROOT / "src")) for path in SOURCES if writing.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"casework/log/write/trail.py"}


def test_no_ignore_is_without_its_reason() -> None:
    """Each noqa and type: ignore names its code and says why on the same line."""
    unexplained = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if ("# noqa" in line or "# type: ignore" in line)
        and not any(
            mark in line.split("# noqa" if "# noqa" in line else "# type: ignore")[1] for mark in ("#", "(", " - ")
        )
    ]
    assert unexplained == []


def test_the_clock_is_read_in_one_place() -> None:
    """Only `casework.clock` asks what time it is, so that a test can say it."""
    asking = ("datetime.now(", "datetime.utcnow(", "date.today(", "time.time()")
    found = [
        str(path.relative_to(ROOT / "src"))
        for path in SOURCES
        if path.name != "clock.py" and any(call in path.read_text(encoding="utf-8") for call in asking)
    ]
    assert found == []


def test_no_pattern_of_a_field_lets_a_line_end_pass_behind_it() -> None:
    """`$` also matches before a last line end (Python's `re`): a pattern says that none follows."""
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in SOURCES
        for line in path.read_text().splitlines()
        if re.search(r'pattern=r?f?"[^"]*[$]"', line)
    ]
    assert not found
