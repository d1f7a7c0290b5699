"""The table of results: what each means, and what may not be used."""

from pathlib import Path

import pytest

from casework.errors import RulesBroken
from casework.work.contacts.results import load_results, parse_results

RULES = Path(__file__).parents[3] / "statecharts"
WHOLE = (RULES / "rules" / "results.toml").read_bytes()
COLLECTORS = (
    "debtor_promised", "debtor_refuses", "debtor_negotiates", "debtor_says_paid", "debtor_disputes",
    "debtor_may_complain", "debtor_asks_later", "debtor_in_hardship",
)  # fmt: skip


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
        *((code, party, "debtor", "valid") for code in COLLECTORS for party in ("debtor", "contact")),
        ("obliged_answered", "guarantor", "third_party", None),
        ("contact_will_tell", "contact", "third_party", None),
        ("contact_unknown", "contact", "third_party", "wrong"),
        ("contact_offers_to_pay", "contact", "third_party", None),
        ("agent_answered", "debtor", "third_party", None),
        ("told_of_death", "contact", "third_party", None),
        ("told_of_custody", "contact", "third_party", None),
        ("told_of_incapacity", "debtor", "third_party", None),
        ("missed_call_notice", "debtor", "unanswered", None),
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
    ("words", "code"),
    [
        ("本人-承诺", "debtor_promised"), ("本人-拒还", "debtor_refuses"), ("本人-协商", "debtor_negotiates"),
        ("本人-称已还", "debtor_says_paid"), ("本人-异议", "debtor_disputes"), ("本人-投诉倾向", "debtor_may_complain"),
        ("本人-挂断", "debtor_hung_up"), ("本人-要求稍后", "debtor_asks_later"), ("本人-困难", "debtor_in_hardship"),
        ("共借/担保-接通", "obliged_answered"), ("联系人-愿转告", "contact_will_tell"),
        ("联系人-拒绝再联系", "contact_refused"), ("联系人-不认识", "contact_unknown"),
        ("联系人-主动代偿", "contact_offers_to_pay"), ("代理人/律师接通", "agent_answered"),
        ("得知死亡", "told_of_death"), ("得知在押", "told_of_custody"), ("得知丧失能力", "told_of_incapacity"),
        ("无人接听", "no_answer"), ("忙线", "busy"), ("关机", "powered_off"), ("停机", "suspended"),
        ("拒接/拦截", "rejected"), ("来电提醒", "missed_call_notice"), ("空号", "invalid_number"),
    ],
)  # fmt: skip
def test_whatever_a_collector_picks_is_in_the_table(words: str, code: str) -> None:
    """In the branch's own words."""
    found = load_results(RULES).of(words)
    assert found is not None
    assert found.code == code


def test_what_is_told_of_the_debtor_asks_for_a_check_and_nothing_else_does() -> None:
    """Hardship of whoever tells it themselves, death, custody and incapacity of whoever knows."""
    asked = {code: one.check for code, one in load_results(RULES).by_code.items() if one.check is not None}
    assert asked == {
        "debtor_in_hardship": "hardship_check", "told_of_death": "hold_check", "told_of_custody": "hold_check",
        "told_of_incapacity": "hold_check",
    }  # fmt: skip


def test_a_check_that_no_post_answers_for_is_refused() -> None:
    """The rules of tasks say who does."""
    with pytest.raises(RulesBroken, match=r"told_of_death\.check: hold_check is no task that the service adds"):
        parse_results(WHOLE, {"hardship_check"})


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
        ('also = ["忙线"]', 'also = ["关机"]', "is called that already"),
        ('also = ["忙线"]', "also = []", "results.busy.also: is empty"),
        ('key = "4"', 'key = "5"', "results.rejected.key: busy has it on call already"),
        ('key = "4"', 'key = "p"', "results.busy.key: is not one key"),
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
