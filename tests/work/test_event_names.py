"""One table of what entries are called: every log of ours is in it, and so are the documents."""

import ast
import re
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path

import pytest
import sqlalchemy as sa

from casework.log.tables import entries
from casework.settings import shipped
from casework.storage.database import reading
from casework.work.cases.event_names import event_names, label_of
from casework.work.cases.rulebook import Rulebook, load_rulebook
from tests.lifecycle.lived import live
from tests.log.built_log import built_log
from tests.net import kept
from tests.postgres_server import Server

ROOT = Path(__file__).parents[2]
HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def rulebook() -> Rulebook:
    return load_rulebook(shipped("statecharts"))


def listed(rulebook: Rulebook) -> str:
    """All names as lines of Markdown, by what they begin with."""

    def family(event: str) -> str:
        word, dot, rest = event.partition(".")
        verb, more, _ = rest.partition(".")
        return f"{word}.{verb}." if more else f"{word}{dot}"

    lines = []
    for prefix, found in groupby(sorted(event_names(rulebook), key=lambda event: (family(event), event)), family):
        lines.append(f"- `{prefix}` {', '.join(event.removeprefix(prefix) for event in found)}")
    return "\n".join(lines)


def written() -> Iterator[str]:
    """The names that stand where a draft of an entry is made."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            target.id: node.value.value for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name) and isinstance(node.value, ast.Constant)
        }  # fmt: skip
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Draft", "record_export") and node.args:
                name = node.args[0]
                value = name.value if isinstance(name, ast.Constant) else constants.get(getattr(name, "id", ""))
                if isinstance(value, str):
                    yield value


def test_every_entry_that_the_sources_write_by_name_has_its_words(rulebook: Rulebook) -> None:
    names = set(written())
    assert len(names) > 20
    assert sorted(names - event_names(rulebook).keys()) == []


def test_no_entry_of_a_log_lacks_its_words(
    rulebook: Rulebook, tmp_path: Path, migrated_sqlite: Path, postgres_servers: Callable[[str], Server]
) -> None:
    """Of one in which cases, promises and holds were lived through, and of the one that is kept."""
    with built_log("sqlite", tmp_path, migrated_sqlite, postgres_servers) as log:
        live(log)
        with reading(log.engine) as conn:
            found = set(conn.execute(sa.select(entries.c.event)).scalars())
    with zipfile.ZipFile(kept.KEPT) as parts:
        (tmp_path / "kept.db").write_bytes(parts.read("casework.db"))
    with closing(sqlite3.connect(tmp_path / "kept.db")) as file:
        found |= {event for (event,) in file.execute("SELECT DISTINCT event FROM entries")}
    assert len(found) > 60
    assert sorted(event for event in found if label_of(rulebook, event)[0] == event) == []


def test_every_name_is_told_in_both_languages(rulebook: Rulebook) -> None:
    names = event_names(rulebook)
    assert [event for event, (zh, en) in names.items() if not HAN.search(zh) or not en.isascii()] == []
    assert label_of(rulebook, "case.asked.write_off") == ("申请：核销", "Asked for: Write off")
    assert label_of(rulebook, "case.step.gone_by") == ("case.step.gone_by",) * 2


def test_the_list_of_the_document_is_the_table(rulebook: Rulebook) -> None:
    """Made anew: `python -m tests.work.test_event_names`."""
    assert listed(rulebook) in (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    print(listed(load_rulebook(shipped("statecharts"))))
