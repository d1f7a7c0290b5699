"""An invented next version of a chart, in which a state has another name; a branch and a rulebook that go by it."""

import dataclasses
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from casework.rules.statechart.chart import Chart
from casework.rules.statechart.parse import parse_chart
from casework.rules.statechart.policy import Policies
from casework.work.cases.branch import Branch
from casework.work.cases.rulebook import registry_of

RENAMED: Mapping[str, Mapping[str, str]] = {
    "overdue_loan": {"phone_collection": "phone_desk"}, "promise": {"open": "given"}, "hold": {"in_force": "holding"},
}  # fmt: skip


def next_of(chart: Chart, policies: Policies, renamed: Mapping[str, str], *, left_out: frozenset[str]) -> Chart:
    """The same under other names of states; `left_out`: states of which its `[moves]` say nothing."""
    text, version = chart.text.decode(), chart.version + 1
    for old, new in renamed.items():
        text = re.sub(rf'(?<=")@?{old}(?=")|(?<=\[states\.){old}(?=\])', new, text)
    text = text.replace(f"version = {chart.version}\n", f"version = {version}\n", 1)
    text = re.sub(r"\n\[moves\]\n[^\[]*", "\n", text)
    going = [state.name for state in chart.states.values() if not state.final and state.name not in left_out]
    moves = "".join(f'{name} = "{renamed.get(name, name)}"\n' for name in going)
    text += f"\n[moves]\n{moves}"
    return parse_chart(text.encode(), registry_of(chart.name), policies, file=f"{chart.name}@{version}")


def branch_of_next(
    branch: Branch, renamed: Mapping[str, Mapping[str, str]] = RENAMED, *, left_out: frozenset[str] = frozenset()
) -> Branch:
    """The branch with the next version of each of these charts."""
    book = branch.rulebook
    later = {
        name: next_of(book.charts[name], book.policies, states, left_out=left_out) for name, states in renamed.items()
    }
    return dataclasses.replace(branch, rulebook=dataclasses.replace(book, charts={**book.charts, **later}))


def folder_of_next(charts: Path, to: Path, branch: Branch, name: str, renamed: Mapping[str, str]) -> Path:
    """The rulebook in the folder `charts` with the next version of one chart, which its rules follow."""
    folder, book = shutil.copytree(charts, to), branch.rulebook
    chart = next_of(book.charts[name], book.policies, renamed, left_out=frozenset())
    (folder / f"{name}.toml").write_bytes(chart.text)
    for file in (folder / "rules").glob("*.toml"):
        text = before = file.read_text(encoding="utf-8")
        for old, new in renamed.items():
            text = text.replace(f'"{old}"', f'"{new}"')
        if text != before:
            text = re.sub(r"^version = (\d+)", lambda found: f"version = {int(found[1]) + 1}", text, flags=re.MULTILINE)
            file.write_text(text, encoding="utf-8")
    return folder
