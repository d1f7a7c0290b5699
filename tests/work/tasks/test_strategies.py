"""A case's strategy of the day, refused where its state does not allow it, and the four lists that follow from it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from casework.errors import CallerError, RulesBroken
from casework.people.staff.actor import Actor
from casework.people.staff.permissions import EVERYTHING
from casework.rules.statechart.policy import Policies
from casework.settings import shipped
from casework.storage.database import open_engine, reading, writing
from casework.work.cases.rulebook import load_rulebook
from casework.work.cases.task_rules import parse_task_rules
from casework.work.duties.tables import case_strategies
from casework.work.tasks.strategies import counted, lines_of, start, strategies_of
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter
from tests.work.test_promises import at, day

REP = Actor("S1", "staff", "api", frozenset({"business_rep"}))
OTHER = Actor("S2", "staff", "api", frozenset({"business_rep"}))


@pytest.fixture
def house(bank_after: BankAfter) -> Iterator[Bank]:
    """Four cases of the rep S1 in phone collection; log and rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.staff("S1", "business_rep")
    bank.staff("S2", "business_rep")
    bank.send(DAY, [arrears(number) for number in range(1, 5)], loans=[loan(number) for number in range(1, 5)])


def begin(bank: Bank, loans: Sequence[int], strategy: str, actor: Actor = REP, on: int = 0, **more: Any) -> list[str]:
    with writing(bank.started.engine) as conn:
        ids = [bank.case(number).id for number in loans]
        became = start(conn, bank.started.branch, actor, ids, strategy, at(day(on))(), **more)
    return [one.refused.code if one.refused else "done" for one in became]


def on_list(bank: Bank, name: str, on: int = 0, **more: Any) -> list[str]:
    with reading(bank.started.engine) as conn:
        found = lines_of(conn, bank.started.branch, name, day(on), reach=EVERYTHING, **({"limit": 50} | more))
    return [one.loan_id for one in found]


def counts(bank: Bank, on: int = 0) -> dict[str, int]:
    with reading(bank.started.engine) as conn:
        found = counted(conn, bank.started.branch, day(on))
    assert not any(one.more for one in found.values())
    return {name: one.cases for name, one in found.items()}


def test_a_case_is_on_the_list_of_its_strategy_and_the_next_day_on_that_of_its_state_again(house: Bank) -> None:
    assert counts(house) == {"phone": 4, "agency": 0, "legal": 0, "visit": 0}
    assert begin(house, [1, 2], "visit") == ["done", "done"]
    assert begin(house, [3], "judicial") == ["done"]
    assert begin(house, [4], "repair") == ["done"]
    assert (on_list(house, "visit"), on_list(house, "legal"), on_list(house, "phone")) == (["L1", "L2"], ["L3"], ["L4"])
    assert counts(house) == {"phone": 1, "agency": 0, "legal": 1, "visit": 2}
    assert counts(house, 1) == {"phone": 4, "agency": 0, "legal": 0, "visit": 0}


@pytest.mark.parametrize(
    ("to", "phone", "visit"),
    [(0, (0, True), (0, True)), (1, (1, True), (1, False)), (2, (2, True), (1, False)), (3, (3, False), (1, False))],
)
def test_more_than_so_many_on_a_list_are_not_counted_and_it_says_so(
    house: Bank, to: int, phone: tuple[int, bool], visit: tuple[int, bool]
) -> None:
    """Of four cases one is visited today; the three others are its state's."""
    assert begin(house, [2], "visit") == ["done"]
    with reading(house.started.engine) as conn:
        found = counted(conn, house.started.branch, day(0), to=to)
    assert (found["phone"], found["visit"], found["legal"]) == (phone, visit, (0, False))


def test_another_strategy_that_day_takes_the_place_of_the_first_and_both_are_entries(house: Bank) -> None:
    assert begin(house, [1], "visit") == ["done"]
    assert begin(house, [1], "visit") == ["strategy_unchanged"]
    assert begin(house, [1], "phone") == ["done"]
    said = [body["data"] for body in house.bodies("tasks:lists") if body["event"] == "tasks.strategy"]
    assert [(one["strategy"], one["before"]) for one in said] == [("visit", None), ("phone", "visit")]
    with reading(house.started.engine) as conn:
        assert strategies_of(conn, DAY, [house.case(1).id]) == {house.case(1).id: "phone"}


def test_what_the_state_does_not_allow_is_refused_with_the_states_that_do(house: Bank) -> None:
    house.send(day(1), [arrears(number) for number in (1, 2, 3)])
    with writing(house.started.engine) as conn:
        (one,) = start(conn, house.started.branch, REP, [house.case(4).id], "visit", at(day(1))())
    assert one.refused is not None
    assert (one.refused.code, one.refused.facts["state"]) == ("strategy_not_allowed", "settled")
    assert one.refused.facts["allowed"] == ["home_visit", "lost_contact", "phone_collection"]
    assert "已出催" in one.refused.zh
    assert begin(house, [1, 4], "visit", on=1, atomic=True) == ["not_done", "strategy_not_allowed"]
    assert on_list(house, "visit", 1) == []


def test_whose_case_it_is_not_is_told_nothing_and_an_unknown_strategy_names_those_there_are(house: Bank) -> None:
    assert begin(house, [1], "visit", OTHER) == ["unknown_case"]
    with pytest.raises(CallerError) as refused:
        begin(house, [1], "prayer")
    assert refused.value.facts["known"] == ["repair", "phone", "visit", "judicial"]
    with pytest.raises(CallerError) as unknown:
        on_list(house, "others")
    assert unknown.value.code == "unknown_work_list"


def test_a_list_is_paged_by_case_whichever_way_a_case_came_onto_it(house: Bank) -> None:
    begin(house, [2], "phone")
    assert on_list(house, "phone", limit=3) == ["L1", "L2", "L3"]
    assert on_list(house, "phone", limit=3, after=house.case(3).id) == ["L4"]


@pytest.mark.only("sqlite")
def test_a_strategy_changed_by_sql_is_found(bank: Bank) -> None:
    bank.staff("S1", "business_rep")
    bank.send(DAY, [arrears(1)], loans=[loan(1)])
    begin(bank, [1], "visit")
    bank.assert_sound()
    engine = open_engine(bank.started.settings.database_url)
    with engine.begin() as conn:
        conn.execute(case_strategies.update().values(strategy="phone"))
    engine.dispose()
    assert ("row_differs", "tasks:lists") in [(one.code, one.stream) for one in bank.verified().findings]


RULES = shipped("statecharts")
WHOLE = (RULES / "rules" / "tasks.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("was", "now", "fault"),
    [
        ('states = ["outsourced"]', 'states = ["elsewhere"]', "lists.agency.states: there is no elsewhere"),
        ('strategies = ["visit"]', 'strategies = ["walk"]', "lists.visit.strategies: there is no walk"),
        ('strategies = ["visit"]', 'strategies = ["phone"]', "phone is on the list phone already"),
        ("[tasks.request]", "[tasks.wish]", "tasks.request: missing"),
        ('zh = "法催"', "", "lists.legal.zh: missing label"),
        ('owed_by = "basic_risk_manager"', 'owed_by = "emperor"', "owed_by: no post is called emperor"),
        ('owed_by = "basic_risk_manager"\n', "", "owed_by: missing"),
        ('[report]\nowed_by = "basic', '[report]\nowed_by = "emperor', "report.owed_by: no post is called"),
        ('owed_by = "basic_risk_manager"\nby_service', "by_service", "photo_recheck.by_service: no post owes it"),
        ("[tasks.request]\n", '[tasks.request]\nowed_by = "approver"\n', "tasks.request.owed_by: who owes it is known"),
        ('states = ["phone_collection", "lost_contact", "home_visit", "litigation"]', 'states = ["moon"]',
         "strategies.judicial.states: no state is called moon"),
        ('owes = "disposal_form"', 'owes = "visit"', "strategies.judicial.owes: no strategy brings visit with it"),
    ],
)  # fmt: skip
def test_a_file_of_rules_that_cannot_be_meant_is_refused_with_key_and_reason(was: str, now: str, fault: str) -> None:
    rulebook = load_rulebook(RULES)
    posts, states = frozenset(rulebook.permissions.posts), frozenset(rulebook.chart.states)
    assert was in WHOLE
    parse_task_rules(WHOLE.encode(), rulebook.policies, posts, states)
    with pytest.raises(RulesBroken) as broken:
        parse_task_rules(WHOLE.replace(was, now).encode(), rulebook.policies, posts, states)
    assert any(fault in one for one in broken.value.faults), broken.value.faults


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("lists_at", "25:00", "task.lists_at is not a time such as 07:30"),
        ("lists_at", None, "task.lists_at is not a time such as 07:30"),
        ("take_by", "9:30", "task.take_by is not a time"), ("hand_in_by", 17, "task.hand_in_by is not a time"),
        ("lines_per_day", 0, "lines_per_day is not a whole number from 1: nobody would have a list"),
        ("lines_per_day", True, "lines_per_day is not a whole number"),
        ("postpone_within_days", 0, "postpone_within_days is not a whole number from 1"),
        ("pull_team", "yes", "pull_team is not true or false"),
        ("lines_by_post", [{"post": "boss", "tasks": 3}], "lines_by_post: no post is called boss"),
    ],
)  # fmt: skip
def test_a_policy_by_which_no_list_could_be_made_or_taken_is_refused(key: str, value: Any, fault: str) -> None:
    """Each is the branch's policy with one figure changed."""
    rulebook = load_rulebook(shipped("statecharts"))
    posts, states = frozenset(rulebook.permissions.posts), frozenset(rulebook.chart.states)
    policy = rulebook.policies.all[0]
    spoilt = replace(policy, figures={**policy.figures, f"task.{key}": value})
    with pytest.raises(RulesBroken) as broken:
        parse_task_rules(WHOLE.encode(), Policies([spoilt]), posts, states)
    assert any(fault in one for one in broken.value.faults), broken.value.faults
