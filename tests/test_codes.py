"""The table of codes: every code that can be raised is in it, none stands there for nothing, each says itself twice."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from casework import codes_of_records, codes_of_work
from casework.codes import CODES, texts_of
from casework.errors import CallerError

SRC = Path(__file__).parents[1] / "src"
RAISING = {"CallerError": 0, "TryAgain": 0, "Mistaken": 0, "unseen": 0, "problem_response": 1, "problem_body": 0}
MADE = re.compile(
    r"unknown_noun|noun_busy|kept_loans_\w+|handover_\w+|too_many_\w+|repeated_\w+|\w+_or_filter|unknown_\w+"
)
"""Codes that are put together where they are raised."""


def trees() -> Iterator[tuple[Path, ast.AST]]:
    for path in sorted(SRC.rglob("*.py")):
        if not path.name.startswith("codes"):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def raised() -> Iterator[tuple[str, str]]:
    """Where a code is raised or described: the place, and the code as it stands there."""
    for path, tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            codes = node.args if name == "problem_responses" else node.args[RAISING.get(name, 9) :][:1]
            for code in codes:
                if isinstance(code, ast.Constant) and isinstance(code.value, str) and " " not in code.value:
                    yield f"{path.relative_to(SRC)}:{node.lineno}", code.value


def test_every_code_that_is_raised_is_in_the_table() -> None:
    found = list(raised())
    assert len(found) > 400
    assert [(place, code) for place, code in found if code not in CODES] == []


def test_no_code_stands_in_the_table_for_nothing() -> None:
    named = {
        node.value for _, tree in trees() for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }  # fmt: skip
    assert sorted(code for code in CODES if code not in named and not MADE.fullmatch(code)) == []
    assert not codes_of_work.CODES.keys() & codes_of_records.CODES.keys()


@pytest.mark.parametrize("code", sorted(CODES))
def test_each_is_an_error_and_says_itself_in_both_languages(code: str) -> None:
    status, zh, en = CODES[code]
    assert 400 <= status < 600
    assert re.search(r"[\u4e00-\u9fff]", zh)
    assert en.replace("…", "").isascii()
    assert "{" not in "".join(texts_of(code))


def test_facts_are_told_where_the_text_names_them_and_a_noun_by_its_name() -> None:
    told = str(CallerError("case_not_opened_then", case_id=17, at="2026-01-01"))
    assert told == "case 17 was opened later than 2026-01-01"
    named = {"zh": "还款承诺", "en": "promise to pay"}
    assert texts_of("unknown_promise", named)[1].startswith("there is no such promise to pay")
    assert texts_of("promise_busy", named)[0].startswith("还款承诺正被他人处理")
    assert texts_of("dpd_at_least") == ("dpd_at_least", "dpd_at_least")  # a guard's: its chart says it
