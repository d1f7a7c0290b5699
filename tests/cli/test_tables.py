"""Tables at the shell speak both languages."""

import ast
import re
from pathlib import Path

import pytest

from casework.cli.staff import HEADERS
from casework.cli.tables import WORDS, Table, fitting
from casework.people.staff.person import (
    Absence,
    Certificate,
    Held,
    Home,
)

CLI = Path(__file__).parents[2] / "src" / "casework" / "cli"
FILES = sorted(path for path in CLI.glob("*.py") if path.name != "tables.py")
HAN = re.compile(r"[\u4e00-\u9fff]")


def headers(path: Path) -> list[str]:
    """The headers that a module writes out, of tables made with `Table("…", Column("…"))`."""
    found = []
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in {"Table", "Column"}:
            found += [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    return [header for header in found if header]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_header_of_a_table_has_its_chinese(path: Path) -> None:
    assert [header for header in headers(path) if header.lower() not in WORDS and not HAN.search(header)] == []


def test_no_command_makes_a_table_of_one_language() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in FILES}
    assert [name for name, text in texts.items() if re.search(r"rich\.table import .*Table", text)] == []


def test_a_header_and_the_name_of_a_row_get_their_chinese_and_codes_do_not() -> None:
    assert [column.header for column in Table("Case", "M1", "Owner").columns] == ["Case\n案件", "M1", "Owner\n管户人"]
    named = Table(show_header=False)
    named.add_row("owner", "S0012")
    named.add_row("lost_contact", "3")
    assert list(named.columns[0].cells) == ["owner 管户人", "lost_contact"]


@pytest.mark.parametrize("dated", [Held, Home, Certificate, Absence])
def test_what_a_person_has_for_days_is_told_under_headers_in_both_languages(dated: type[tuple[object, ...]]) -> None:
    table = Table(*(HEADERS.get(name, name) for name in dated._fields))  # type: ignore[attr-defined]
    assert [column.header for column in table.columns if not HAN.search(str(column.header))] == []
    assert [column.header for column in table.columns if "_" in str(column.header)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_table_shows_a_dash_where_a_value_is_missing(path: Path) -> None:
    nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    between = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}  # "3–12"
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in between]
    assert [text for text in texts if text in ("–", "—", "None")] == []


@pytest.mark.parametrize(("width", "told"), [(80, [0, 2, 3]), (26, [0, 2]), (14, [0, 3]), (3, [0])])
def test_a_list_with_many_columns_shows_those_that_can_be_read_beside_each_other(width: int, told: list[int]) -> None:
    """In their order, without empty ones; the first always."""
    headers = ["id\n编号", "empty\n空", "state\n状态", "by\n人"]
    rows = [["1", "", "phone_collection", "S1"], ["20", "", "lost_contact", ""]]
    assert fitting(headers, rows, width) == told
