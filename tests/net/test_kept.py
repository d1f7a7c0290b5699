"""What was written before a change still verifies after it, or is refused by name; it is never called tampered with."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.net import kept
from tests.net.approved import differences
from tests.net.outside import Branch, Said

NAMED = re.compile(r"(cannot tell: )?[a-z]+(_[a-z]+)+: ")
"""How a refusal begins: with its code."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept.unpacked(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def branch(folder: Path) -> Branch:
    return kept.branch_in(folder)


def outcome_of(said: Said) -> str:
    """Sound, or the code by which it is refused."""
    if said.code == 0:
        return str(json.loads(said.out)["verdict"])
    named = NAMED.match(said.err)
    assert named, said
    assert '"tampered"' not in said.out, said
    return f"refused: {named[0].removeprefix('cannot tell: ').strip(': ')}"


def ways(folder: Path) -> dict[str, tuple[str | Path, ...]]:
    """What somebody who kept it all can ask."""
    key = (folder / "verifier").read_text().strip()
    held = ("--key", key, "--trusted", folder / "checkpoint", "--receipt", folder / "receipt")
    return {
        "bundle": ("audit", "verify", folder / "bundle", *held, "--json"),
        "bundle, deep": ("audit", "verify", folder / "bundle", *held, "--deep", "--jobs", "1", "--json"),
        "dossier": ("case", "verify-dossier", folder / "dossier.json", "--key", key, "--json"),
        "database": ("audit", "verify", "--trusted", folder / "checkpoint", "--json"),
    }


def test_what_is_kept_verifies_or_is_refused_by_name_as_approved(branch: Branch, folder: Path) -> None:
    lines = [f"{name}: {outcome_of(branch.try_(*words))}" for name, words in ways(folder).items()]
    lines += told_of_cases(branch.try_("case", "list", "--all", "--json"))
    differing = differences("kept.txt", "".join(f"{line}\n" for line in lines))
    assert not differing, differing


def told_of_cases(said: Said) -> list[str]:
    """Where its cases stand and whose they are; or by which name the database is refused."""
    if said.code:
        assert NAMED.match(said.err), said
        return [f"cases: refused: {said.err.partition(':')[0]}"]
    found = Counter((case["state"], case["owner"], case["overdue_fen"]) for case in json.loads(said.out)["items"])
    return [f"cases: {state} {owner} {fen}: {count}" for (state, owner, fen), count in sorted(found.items())]


@pytest.mark.parametrize("name", ["bundle, deep", "database"])
def test_a_byte_that_was_changed_is_found_in_what_is_kept(tmp_path: Path, name: str) -> None:
    """The twin: what is kept is not verified by looking away."""
    folder = kept.unpacked(tmp_path)
    file = (
        folder / "casework.db" if name == "database" else next((folder / "bundle" / "tile" / "entries").rglob("*.p/*"))
    )
    before = file.read_bytes()
    after = before.replace(b'"reason":"opened_in_error"', b'"reason":"finding_cleared"')
    assert after != before
    file.write_bytes(after)
    said = kept.branch_in(folder).try_(*ways(folder)[name])
    assert (said.code, json.loads(said.out)["verdict"]) == (1, "tampered")
