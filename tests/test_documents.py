"""The papers run: every command in their `console` blocks is executed and answers what the paper shows.

Each paper is one shell session of its own, in an empty folder. What differs from run to run (times, hashes, tokens,
speeds) is compared as such; a line `…` stands for any lines. `python -m tests.test_documents [FILE …]` writes the
present answers into the papers, in place of those that differ, and the chart's picture anew.
"""

import os
import re
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from casework.cli.main import main
from casework.intake.feed.headers import COLUMNS, KINDS, Kind
from tests.once import once

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
RUN = (
    README,
    *(path for path in sorted(ROOT.glob("docs/*.md")) if "\n```console\n" in path.read_text(encoding="utf-8")),
)
PICTURE = ROOT / "docs/pictures/overdue_loan.svg"
README_BYTES_AT_MOST = 9_000
LONG_BYTES = 15_000
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FOLDERS = "src|docs|tests|statecharts|migrations|benchmarks|deploy|supply"
_MARK = "@@@answered@@@"
_VARYING = (
    (re.compile(r"cw_[A-Za-z0-9_-]{43}"), "cw_TOKEN"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?"), "INSTANT"),
    (re.compile(r"\b\d{8}T\d{6}\.\d+Z"), "INSTANT"),
    (re.compile(r"\b20(2[6-9]|[3-9]\d)-\d\d-\d\d\b"), "DAY"),  # the demo's day is in 2024; who leaves, leaves today
    (re.compile(r"\b[0-9a-f]{12}-[0-9a-f]+\b"), "REQUEST"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{16,}\b"), "HEX"),
    (re.compile(r"[\d,]+ entries/s"), "N entries/s"),
    (re.compile(r"\b\d+\.\d+ s\b"), "N s"),
    (re.compile(r"\s+$"), ""),
)


@dataclass
class Command:
    """One command of a paper and what is shown below it."""

    text: str
    shown: list[str]


def commands_of(block: str) -> Iterator[Command]:
    """`$ ` begins a command, `> ` continues it, everything else is the answer to the last one."""
    command: Command | None = None
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield command
            command = Command(line[2:], [])
        elif command and line.startswith("> ") and not command.shown:
            command.text += "\n" + line[2:]
        elif command:
            command.shown.append(line)
    if command:
        yield command


def _script(commands: list[Command], port: int, shared: Path) -> str:
    lines = ["trap 'kill $(jobs -p) 2>/dev/null' EXIT"]
    for command in commands:
        text = command.text.replace(":8000", f":{port}")
        if text.startswith("make demo TODAY="):
            made = papers_demo(shared, text.removeprefix("make demo TODAY="))
            text = f"cp -rp {made}/demo . && cat {made}/said"
        if text.startswith("make serve"):
            text = (
                f"casework serve --demo --port {port} >serve.log 2>&1 & for _ in $(seq 100); do "
                f"curl -sf http://127.0.0.1:{port}/health/ready >/dev/null && break; sleep 0.1; done"
            )
        lines += [text, f"printf '\\n{_MARK}\\n'"]
    return "\n".join(lines)


def papers_demo(shared: Path, today: str) -> Path:
    """A folder with `demo`, which the command that papers begin with makes, and what it `said`; to be copied."""
    made = shared / f"papers-{today}"
    once(made, _demo)
    return made


def _demo(folder: Path) -> None:
    (folder / "said").write_text(_said(f"casework demo --today {folder.name.removeprefix('papers-')}", folder))


def _said(script: str, folder: Path) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CASEWORK_")}
    place = sysconfig.get_path("scripts")
    environment = kept | {"PATH": f"{place}:{kept['PATH']}", "COLUMNS": "118", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=600, check=False,
    ).stdout  # fmt: skip


def run(commands: list[Command], folder: Path, shared: Path) -> list[list[str]]:
    """What the commands answer, in one shell, in `folder`; what papers have in common is made once, in `shared`."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    said = _said(_script(commands, port, shared), folder)
    answers = said.replace(f":{port}", ":8000").split(f"\n{_MARK}\n")
    return [answer.splitlines() for answer in answers[: len(commands)]]


def _normal(line: str) -> str:
    for pattern, instead in _VARYING:
        line = pattern.sub(instead, line)
    return line


def agrees(shown: list[str], answered: list[str]) -> bool:
    """Whether the answer is what is shown; `…` alone on a line stands for any number of lines."""
    parts = [".*\n" if line.strip() == "…" else re.escape(_normal(line)) + "\n" for line in _trimmed(shown)]
    pattern = "".join("(?:.*\n)*?" if part == ".*\n" else part for part in parts)
    text = "".join(_normal(line) + "\n" for line in _trimmed(answered))
    return re.fullmatch(pattern, text) is not None


def _trimmed(lines: list[str]) -> list[str]:
    lines = [line.rstrip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    return lines


def _commands(paper: Path) -> list[Command]:
    return [command for block in _BLOCK.findall(paper.read_text()) for command in commands_of(block)]


@pytest.mark.parametrize("paper", RUN, ids=lambda path: path.stem)
def test_every_command_of_a_paper_answers_what_it_shows(paper: Path, tmp_path: Path, run_folder: Path) -> None:
    if subprocess.run(["bash", "-c", "command -v curl"], capture_output=True, check=False).returncode:
        pytest.skip("the papers use curl, which this machine does not have")
    commands = _commands(paper)
    wrong = [
        f"$ {command.text}\n--- shown\n" + "\n".join(command.shown) + "\n--- answered\n" + "\n".join(answer)
        for command, answer in zip(commands, run(commands, tmp_path, run_folder), strict=True)
        if not agrees(command.shown, answer)
    ]
    assert not wrong, "\n\n".join(wrong)


def test_the_readme_is_a_first_visit_and_the_tour_is_long() -> None:
    assert len(README.read_bytes()) <= README_BYTES_AT_MOST
    assert {path.name for path in RUN} >= {"README.md", "tour.md", "api.md"}
    assert len(_commands(README)) >= 8
    assert len(_commands(ROOT / "docs/tour.md")) > 20


@pytest.mark.parametrize(
    ("shown", "answered", "same"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a", "b"], ["a", "c"], False),
        (["a"], ["a", "b"], False),
        (["a", "…"], ["a", "b", "c"], True),
        (["…", "c"], ["a", "b", "c"], True),
        (["…", "c"], ["a", "b", "d"], False),
        (["took 0.1 s"], ["took 12.7 s"], True),
        (["took 0.1 s"], ["took long"], False),
        (["2026-01-01T00:00:00Z"], ["2030-05-05T01:02:03.123456Z"], True),
        (["7 entries"], ["8 entries"], False),
    ],
)
def test_an_answer_agrees_only_where_it_may_vary(shown: list[str], answered: list[str], same: bool) -> None:
    assert agrees(shown, answered) is same


_PAPERS = (README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md")))


@pytest.mark.parametrize("paper", _PAPERS, ids=lambda path: path.stem)
def test_every_file_that_a_paper_names_or_links_to_exists(paper: Path) -> None:
    text = paper.read_text(encoding="utf-8")
    named = {ROOT / path for path in re.findall(rf"`((?:{_FOLDERS})/[\w./-]*\w/?)`", text)}
    linked = {paper.parent / path for path in re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", text)}
    assert [str(path) for path in sorted(named | linked) if not path.exists()] == []


def _anchors(paper: Path) -> set[str]:
    """What its headings are called in addresses."""
    text = re.sub(r"^```.*?^```$", "", paper.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("paper", [*_PAPERS, ROOT / "statecharts/README.md"], ids=lambda path: path.stem)
def test_every_heading_that_a_paper_leads_to_is_there(paper: Path) -> None:
    led_to = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", paper.read_text(encoding="utf-8"))
    assert [(at, name) for at, name in led_to if name not in _anchors(paper.parent / at if at else paper)] == []


@pytest.mark.parametrize("paper", sorted(ROOT.glob("docs/*.md")), ids=lambda path: path.stem)
def test_a_long_paper_says_at_its_head_what_is_where(paper: Path) -> None:
    text = paper.read_text(encoding="utf-8")
    sections = len(re.findall(r"^## ", text, re.MULTILINE))
    assert len(text.encode()) <= LONG_BYTES or text.partition("\n## ")[0].count("](#") >= sections // 2


def unknown_routes(text: str) -> list[str]:
    """Operations that a text names, with their parameters, and the API does not have; `<plural>` is any."""
    described = (ROOT / "tests/api/approved_openapi.txt").read_text(encoding="utf-8")
    known = [
        (re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path)), method, set(re.findall(r" [qp]:(\w+)", rest)))
        for method, path, rest in re.findall(r"^([A-Z]+) (/\S*)(.*)$", described, re.MULTILINE)
    ]
    wrong = []
    for method, named in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^\s`<]*)", text.replace("\n", " ")):
        path, _, query = named.partition("?")
        found = [takes for pattern, one, takes in known if one == method and pattern.fullmatch(path)]
        if path != "/" and not any(set(re.findall(r"(\w+)=", query)) <= takes for takes in found):
            wrong.append(f"{method} {named}")
    return wrong


@pytest.mark.parametrize("paper", [*_PAPERS, ROOT / "statecharts/README.md"], ids=lambda path: path.stem)
def test_every_route_that_a_paper_names_is_one_that_there_is(paper: Path) -> None:
    assert unknown_routes(paper.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("`GET /cases?state=lost_contact`", []),
        ("`GET /cases?stat=lost_contact`", ["GET /cases?stat=lost_contact"]),
        ("`PUT /cases`", ["PUT /cases"]),
        ("`POST /contact-permits/5501/dialling`", []),
        ("`POST /contact-permits/dialling/5501`", ["POST /contact-permits/dialling/5501"]),
    ],
)
def test_a_route_that_there_is_not_is_found_out(text: str, wrong: list[str]) -> None:
    assert unknown_routes(text) == wrong


def test_a_paper_that_names_a_missing_file_is_found_out() -> None:
    named = re.findall(rf"`((?:{_FOLDERS})/[\w./-]*\w/?)`", "see `docs/no-such.txt` and `src/casework/log`")
    assert [(ROOT / path).exists() for path in named] == [False, True]


def test_each_decision_has_a_number_of_its_own_and_begins_with_it() -> None:
    decisions = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [path.name for path in decisions if not path.read_text("utf-8").startswith(f"# {path.name[:4]} ")] == []
    assert len({path.name[:4] for path in decisions}) == len(decisions)


def test_the_table_of_settings_names_exactly_what_is_read() -> None:
    source = (ROOT / "src/casework/settings.py").read_text()
    read = set(re.findall(r"(?:text|path|number|flag)\(\"([A-Z_]+)\"", source)) - {"FILES"}
    read |= {"FILES", *(f"FILES_{name}" for name in re.findall(r'"(ENDPOINT|REGION|[A-Z_]+_KEY(?:_ID)?)"', source))}
    table = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert read == set(re.findall(r"CASEWORK_([A-Z_]+)", table))


@pytest.mark.parametrize("kind", KINDS)
def test_the_feeds_columns_are_told_as_they_are_read(kind: Kind) -> None:
    told = (ROOT / "docs/feed.md").read_text(encoding="utf-8").partition(f"### `{kind}`")[2].partition("##")[0]
    rows = re.findall(r"^\| `(\w+)` \| (must)? ?\| (.*?) \|", told, re.MULTILINE)
    assert rows == [(one.name, "must" if one.compulsory else "", ", ".join(one.aliases)) for one in COLUMNS[kind]]


def test_the_picture_in_the_readme_is_the_chart_that_is_in_force() -> None:
    assert PICTURE.read_text(encoding="utf-8") == drawn()


def drawn() -> str:
    """The chart of a case, as the shell draws it."""
    done = CliRunner().invoke(main, ["chart", "draw", "--format", "svg", "--lang", "en"])
    assert done.exit_code == 0, done.output
    return done.output


def answered(paper: Path, shared: Path) -> str:
    """The paper with present answers where those shown do not agree."""
    with tempfile.TemporaryDirectory() as folder:
        answers = iter(run(_commands(paper), Path(folder), shared))

    def present(block: re.Match[str]) -> str:
        lines = []
        for command in commands_of(block[1]):
            answer = next(answers)
            lines += ["$ " + command.text.replace("\n", "\n> ")]
            lines += command.shown if agrees(command.shown, answer) else _trimmed(answer)
        return "```console\n" + "\n".join(lines) + "\n```"

    return _BLOCK.sub(present, paper.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as shared:
        for paper in [Path(name).resolve() for name in sys.argv[1:]] or RUN:
            paper.write_text(answered(paper, Path(shared)), encoding="utf-8")
            sys.stderr.write(f"{paper.name}\n")
