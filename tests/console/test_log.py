"""The log on pages: twenty questions with a sample and a sheet, the checkpoint, a verification found again."""

from collections.abc import Callable

import pytest

from api.console.frame.words import WORDS
from api.console.log.questions import QUESTIONS, _value
from casework.settings import shipped
from casework.work.cases.event_names import event_names
from casework.work.cases.rulebook import load_rulebook
from casework.work.photos.capture import FIELD
from tests.api.conftest import Running
from tests.console.conftest import Browsing
from tests.console.test_debtor import at, case
from tests.console.test_handovers import over

__all__ = ["at", "case"]
Browse = Callable[..., Browsing]


def test_there_are_twenty_questions_and_each_asks_for_events_that_there_are() -> None:
    known = event_names(load_rulebook(shipped("statecharts")))
    assert len(QUESTIONS) == 20
    for code, asked in QUESTIONS.items():
        assert f"question.{code}" in WORDS
        event = asked.get("event", "")
        assert not event or any(
            name == event or (event.endswith("*") and name.startswith(event[:-1])) for name in known
        )


@pytest.mark.parametrize("code", QUESTIONS)
def test_a_question_shows_its_sample_or_says_that_there_is_none(browse: Browse, running: Running, code: str) -> None:
    running.open("L1")
    someone = browse("AUD1")
    assert someone.get(f"/console/log/questions?ask={code}&from=2020-01-01").status_code == 200, someone.text()
    assert WORDS[f"question.{code}"]["zh"] in someone.text()


def test_an_auditor_finds_who_looked_at_a_phone_number_and_takes_the_sheet(
    browse: Browse,
    running: Running,
    case: int,
    at: object,
) -> None:
    collector = browse("R1")
    collector.get(f"/console/debtors/{case}")
    collector.send(f"/console/debtors/{case}/dial")
    someone = browse("AUD1")
    someone.get("/console/log/questions?ask=revealed")
    text = someone.text()
    for part in ("R1", "字段 电话", "borrower:wuhan~B-L1"):
        assert part in text, part
    assert someone.get("/console/log.xlsx?event=personal.revealed&purpose=audit").content[:2] == b"PK"
    someone.get("/console/log/questions?ask=log_out")
    assert "AUD1" in someone.text()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_whatever_was_shown_in_clear_has_words_and_no_code(running: Running, lang: str) -> None:
    branch = running.started.branch
    codes = ["photo", FIELD, *branch.rulebook.permissions.personal]
    told = [_value(branch, "fields", code, lang) for code in codes]
    assert len(set(told)) == len(codes)
    assert [(text, own) for text, own in told if own or "_" in text] == []
    if lang == "zh":
        assert [text for text, _ in told if text.isascii()] == []


def test_what_was_refused_and_what_was_given_is_told_by_the_words_of_the_chart(
    browse: Browse, running: Running
) -> None:
    (case,) = running.open("L1")
    refused = running.post(f"/cases/{case}/events", "R1", json={"event": "mark_lost"}, headers={"If-Match": "*"})
    assert refused.status_code == 403, refused.text
    someone = browse("AUD1")
    someone.get("/console/log/questions?ask=refused")
    assert "原因 岗位无权" in someone.text(), someone.text()
    assert "any_of_posts" not in someone.text()


def test_a_day_that_is_none_is_told_and_an_unknown_question_is_not_found(browse: Browse) -> None:
    someone = browse("AUD1")
    assert someone.get("/console/log/questions?ask=revealed&from=yesterday").status_code == 422
    assert 'role="alert"' in someone.page.text
    assert someone.get("/console/log/questions?ask=everything").status_code == 404
    assert browse("R1").get("/console/log/questions").status_code == 403


def test_the_checkpoint_and_the_witnesses_stand_on_a_page(browse: Browse) -> None:
    someone = browse("AUD1")
    assert someone.get("/console/log/checkpoint").status_code == 200
    assert "尚未登记见证人" in someone.text()
    assert browse("B1").get("/console/log/checkpoint").status_code == 403


def test_a_verification_runs_behind_and_its_report_is_found_again(browse: Browse, running: Running) -> None:
    running.open("L1")
    someone = browse("AUD1")
    someone.get("/console/log/verification")
    assert someone.send("/console/log/verification").status_code == 303
    text = over(someone, "/console/log/verification")
    assert "完好" in text or "无法判断" in text or "被改动" in text  # passwords here were put in without entries
    assert "分录" in text
