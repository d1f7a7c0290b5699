"""Files and drawings are in the language that is asked for: by `lang`, else by `Accept-Language`, else Chinese."""

from typing import Any

import pytest

from casework.intake.feed.sheet import read_rows
from tests.api.conftest import Running
from tests.api.test_openapi import described

ASKED = [
    ({}, {}, "zh"), ({}, {"Accept-Language": "en-GB,en;q=0.9"}, "en"), ({}, {"Accept-Language": "fr, en;q=0.3"}, "en"),
    ({}, {"Accept-Language": "en;q=0.5, zh-CN"}, "zh"), ({}, {"Accept-Language": "fr"}, "zh"),
    ({"lang": "zh"}, {"Accept-Language": "en"}, "zh"), ({"lang": "en"}, {"Accept-Language": "zh"}, "en"),
]  # fmt: skip


@pytest.mark.parametrize(("params", "headers", "lang"), ASKED)
def test_lang_comes_before_what_the_header_names_and_chinese_is_last(
    running: Running, params: dict[str, str], headers: dict[str, str], lang: str
) -> None:
    rows = running.get("/cases.csv", "B1", params=params, headers=headers).content.decode("utf-8-sig")
    assert rows.startswith({"zh": "案件编号", "en": "Case"}[lang]), rows
    drawn = running.get("/charts/overdue_loan.mmd", params=params, headers=headers).text
    assert ("失联" in drawn) == (lang == "zh"), drawn
    answer = running.get("/templates/roster", "B1", params=params, headers=headers)
    _, header = next(iter(read_rows(answer.content, "template.xlsx")))
    assert header[0] == {"zh": "日期", "en": "day"}[lang]


def test_whatever_takes_lang_takes_the_header_too(running: Running) -> None:
    """In the description of every operation, with what happens where neither says anything."""
    operations: list[dict[str, Any]] = [
        one for methods in described(running)["paths"].values() for one in methods.values()
    ]
    told = [{(part["in"], part["name"]) for part in one.get("parameters", ())} for one in operations]
    with_lang = [names for names in told if ("query", "lang") in names]
    assert len(with_lang) > 20
    assert [names for names in with_lang if ("header", "Accept-Language") not in names] == []


def test_a_language_that_there_is_none_of_is_refused_with_those_there_are(running: Running) -> None:
    faults = running.get("/cases.csv", "B1", params={"lang": "fr"}).json()["faults"]
    assert [(one["field"], one["allowed"]) for one in faults] == [("lang", ["en", "zh"])]
