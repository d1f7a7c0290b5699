"""What a module's docstring says is kept: one that says "Pure." decides without database, clock, chance or network.

The sentence is the one declaration of it. In a package's docstring it holds for every module of the package that says
nothing else of itself; "Pure but for the file." lets a module read its own file, and "Pure but for loads." has what it
asks for handed in as a function.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import grimp
import pytest

SOURCE = Path(__file__).parents[1] / "src"
SAYS = re.compile(r"\bPure( but for [a-z ]+)?\.(?=\s|$)")
NEVER = frozenset({
    "sqlalchemy", "psycopg", "sqlite3", "casework.storage.database", "casework.clock", "time", "random", "secrets",
    "socket",    "httpx", "subprocess", "threading", "asyncio", "tempfile", "shutil",
})  # fmt: skip
"""What a pure module reaches in no way, however far."""
FILES = frozenset({"os", "pathlib", "glob", "fileinput"})
"""What it does not import itself, unless it says that it reads a file; what it imports may hold a loader beside."""


def modules_in(folder: Path) -> dict[str, Path]:
    """Every module below the folder, by its name."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def claims_of(modules: Mapping[str, Path]) -> dict[str, str]:
    """The modules that say they are pure, each with what it excepts ("" for nothing)."""
    own: dict[str, str] = {}
    for name, path in modules.items():
        said = SAYS.search(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")
        if said:
            own[name] = said[1] or ""
    packages = [name for name in own if modules[name].name == "__init__.py"]
    within = {name: own[package] for package in packages for name in modules if name.startswith(f"{package}.")}
    return within | own


def reached(graph: grimp.ImportGraph, claims: Iterable[str], never: Iterable[str]) -> Iterator[str]:
    """The ways on which pure modules reach what they never may."""
    present = sorted(set(never) & graph.modules)
    for module in claims:
        for forbidden in present:
            way = graph.find_shortest_chain(module, forbidden)
            if way is not None:
                yield " → ".join(way)


def opening_files(modules: Mapping[str, Path], claims: Mapping[str, str]) -> Iterator[str]:
    """Modules that except nothing and import what opens files, or open one."""
    for name, excepted in claims.items():
        if excepted:
            continue
        for node in ast.walk(ast.parse(modules[name].read_text(encoding="utf-8"))):
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            opened = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
            if opened or FILES & {one.partition(".")[0] for one in imported}:
                yield f"{name}:{getattr(node, 'lineno', 0)}"


def test_a_module_that_says_it_is_pure_reaches_no_database_no_clock_no_chance_and_no_network() -> None:
    claims = claims_of(modules_in(SOURCE))
    assert len(claims) > 80, "the sentence is no longer found"
    graph = grimp.build_graph("casework", "api", include_external_packages=True, cache_dir=None)
    assert list(reached(graph, claims, NEVER)) == []


def test_a_module_that_says_it_is_pure_opens_no_file() -> None:
    modules = modules_in(SOURCE)
    assert list(opening_files(modules, claims_of(modules))) == []


@pytest.fixture
def invented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of four modules that say they are pure; three of them are not."""
    texts = {
        "__init__": "",
        "decides": '"""Decides. Pure."""\nfrom invented import told\n',
        "told": '"""Nothing is said of it."""\nfrom invented import rolled\n',
        "rolled": '"""Dice."""\nimport random\n',
        "loads": '"""Reads what it was made of. Pure but for the file."""\nfrom pathlib import Path\n',
        "peeks": '"""Sees. Pure."""\nfrom pathlib import Path\n',
        "opens": '"""Pure.\n\nOr so it says.\n"""\nheld = open("/dev/null")\n',
        "impure": '"""Impure."""\nimport random\n',
    }
    folder = tmp_path / "invented"
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_claim_that_is_not_so_is_found_with_the_way_to_what_breaks_it(invented: Path) -> None:
    """The corrupt twin: chance behind two imports, a path, an open file."""
    modules = modules_in(invented)
    claims = claims_of(modules)
    assert claims == {
        "invented.decides": "", "invented.loads": " but for the file", "invented.peeks": "", "invented.opens": "",
    }  # fmt: skip
    graph = grimp.build_graph("invented", include_external_packages=True, cache_dir=None)
    assert list(reached(graph, claims, NEVER)) == ["invented.decides → invented.told → invented.rolled → random"]
    assert {place.partition(":")[0] for place in opening_files(modules, claims)} == {"invented.peeks", "invented.opens"}
