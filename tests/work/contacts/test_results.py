"""The table of results: what each means, and what may not be used."""

from pathlib import Path

import pytest

from casework.errors import RulesBroken
from casework.work.contacts.results import load_results, parse_results

RULES = Path(__file__).parents[3] / "statecharts"
WHOLE = (RULES / "rules" / "results.toml").read_bytes()


@pytest.mark.parametrize(
    ("code", "party", "outcome", "number"),
    [
        ("debtor", "contact", "debtor", "valid"),
        ("debtor_hung_up", "debtor", "debtor", "valid"),
        ("third_party", "debtor", "third_party", None),
        ("wrong_number", "debtor", "third_party", "wrong"),
        ("contact_refused", "contact", "third_party", "refused"),
        ("voicemail", "debtor", "unanswered", None),
        ("invalid_number", "debtor", "invalid_number", "invalid"),
        ("failed", "debtor", "message", None),
        ("found", "debtor", "debtor", None),
        ("found", "guarantor", "third_party", None),
        ("not_found", "debtor", "not_found", None),
    ],
)
def test_a_result_has_its_outcome_and_says_what_the_number_is(
    code: str, party: str, outcome: str, number: str | None
) -> None:
    """As the branch's table has it; on a visit it is the person met who counts."""
    result = load_results(RULES).by_code[code]
    assert (result.outcome_with(party), result.number) == (outcome, number)


def test_a_result_is_known_by_its_chinese_name_too() -> None:
    """A dialler may write either."""
    results = load_results(RULES)
    assert results.of("空号") is results.of("invalid_number") is not None
    assert results.of("answered_by_machine") is None


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('outcome = "third_party"', 'outcome = "somebody"', "results.third_party.outcome: somebody is not one of"),
        ('number = "wrong"', 'number = "odd"', "results.wrong_number.number: odd is not one of"),
        ('on = ["visit"]', 'on = ["fax"]', "results.found.on: no channel is called fax"),
        ('on = ["message", "letter"]', 'on = ["letter", "letter"]', "results.sent.on: names a channel twice"),
        ('on = ["visit"]', 'on = ["call"]', "results.found.on: only on a visit is a person met"),
        ('zh = "占线"', 'zh = "无人接听"', "results.busy.zh: no_answer is called that already"),
        ('en = "busy"\n', "", "results.busy.en: missing label"),
        ('outcome = "not_found"', 'outcome = "third_party"', "results: none has the outcome not_found"),
        ("version = 1", "version = 1\nversion = 2", "results.toml: "),
    ],
)
def test_a_table_with_a_fault_is_refused_and_says_where(before: str, after: str, fault: str) -> None:
    """Each is the real table with one thing changed."""
    spoilt = WHOLE.decode().replace(before, after, 1)
    assert spoilt != WHOLE.decode()
    with pytest.raises(RulesBroken) as broken:
        parse_results(spoilt.encode())
    assert any(fault in one for one in broken.value.faults)
