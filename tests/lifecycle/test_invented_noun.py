"""A noun that nobody has heard of: a chart, a struct, a line and its rows of permissions, and all of it works.

The house is a copy of the sources with these files in it; `invented/lived_through.py` is run there.
"""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from casework.lifecycle.kept import Kept
from casework.lifecycle.noun import Noun
from casework.work.cases.lifecycles import LIFECYCLES, PROMISES

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "src" / "casework" / "lifecycle"
INVENTED = Path(__file__).parent / "invented"
CASES = Path("src/casework/work/cases")
PERMISSIONS, SCHEMA = Path("statecharts/rules/permissions.toml"), Path("migrations/versions/0001_schema.py")
BY_HAND = {
    "statecharts/errand.toml", "src/casework/work/errands.py", str(CASES / "nouns.py"),
    str(CASES / "lifecycles.py"), str(PERMISSIONS),
}  # fmt: skip
MADE = {str(SCHEMA)}  # `make revision`


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources, and the noun put among them."""
    tree = tmp_path_factory.mktemp("house")
    for name in ("src", "statecharts", "migrations"):
        shutil.copytree(ROOT / name, tree / name)
    shutil.copyfile(INVENTED / "errand.toml", tree / "statecharts" / "errand.toml")
    shutil.copyfile(INVENTED / "errands.py", tree / "src" / "casework" / "work" / "errands.py")
    known = "from casework.work.errands import ERRAND\n"
    edit(tree / CASES / "nouns.py", "\nNOUNS", f"{known}\nNOUNS")
    edit(tree / CASES / "nouns.py", "    HOLD,\n", "    HOLD,\n    ERRAND,\n")
    edit(tree / CASES / "lifecycles.py", "\nCASES", f"{known}\nCASES")
    edit(
        tree / CASES / "lifecycles.py",
        "    HOLDS,\n",
        '    HOLDS,\n    Kept.of(ERRAND, table=table_of("errands", ERRAND.rows)),\n',
    )
    (tree / PERMISSIONS).write_text(
        (ROOT / PERMISSIONS).read_text(encoding="utf-8") + (INVENTED / "permissions.toml").read_text(encoding="utf-8"),
        encoding="utf-8",
    )
    edit(
        tree / SCHEMA,
        "\nschema = sa.MetaData(",
        "\nfrom casework.work.cases.lifecycles import LIFECYCLES\nschema = sa.MetaData(",
    )
    with (tree / SCHEMA).open("a", encoding="utf-8") as file:
        file.write("LIFECYCLES[-1].table.to_metadata(schema)\n")
    return tree


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_its_files_are_a_chart_a_struct_a_line_and_its_permissions(house: Path) -> None:
    """And no more than 150 lines, blank ones among them."""
    touched, lines = set(), 0
    for path in sorted(house.rglob("*")):
        name = str(path.relative_to(house))
        if path.suffix == ".pyc" or not path.is_file():
            continue
        was = (ROOT / name).read_text(encoding="utf-8").splitlines() if (ROOT / name).exists() else []
        new = path.read_text(encoding="utf-8").splitlines()
        if new != was:
            touched.add(name)
            lines += len(new) - len(was) if name not in MADE else 0
    assert touched == BY_HAND | MADE
    assert lines <= 150


def test_all_that_a_noun_can_do_it_can(house: Path) -> None:
    tried = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-q", "-W", "error", "-x",
         str(INVENTED / "lived_through.py")],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{house / 'src'}{os.pathsep}{ROOT}"}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert tried.returncode == 0, tried.stdout[-6_000:] + tried.stderr[-2_000:]


# ── the engine ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_engine_names_no_noun() -> None:
    """Not in code and not in prose: what is in `lifecycle/` holds for whatever has a chart."""
    words = {noun.word for noun in LIFECYCLES} | {noun.chart for noun in LIFECYCLES} | {"hand-over", "handover"}
    known = re.compile(r"\b(?:" + "|".join(sorted(words)) + r")(?:e?s)?\b", re.IGNORECASE)
    plain = re.compile(r"\bholds\b(?! of)")  # the verb
    found = {
        f"{path.name}: {line.strip()}"
        for path in sorted(ENGINE.glob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if known.search(plain.sub("", line))
    }
    assert found == set()


def test_there_are_four_hooks_and_most_nouns_need_none() -> None:
    hooks = {field.name for field in dataclasses.fields(Kept)} - {field.name for field in dataclasses.fields(Noun)}
    assert hooks - {"table", "verbs"} == {"about", "prepare", "beside", "following"}
    assert not any(getattr(PROMISES, hook) for hook in hooks - {"table", "verbs"})
