"""The page that explains the rules: its examples are read by what reads the real files."""

from casework.people.staff.permission_table import parse_permissions
from casework.work.cases.owner_rules import parse_owner_rules
from tests.statechart.small import BLOCKS, SMALL_POLICIES

POSTS = frozenset({"phone_collector", "basic_risk_manager", "auditor"})


def test_the_example_of_owner_rules_is_read() -> None:
    rules = parse_owner_rules(BLOCKS["owners"].encode(), SMALL_POLICIES, POSTS, frozenset({"calling", "placed"}))
    assert [rule.name for rule in rules.rules] == ["placed", "own_customer", "others"]
    assert rules.fallback_posts == ("basic_risk_manager",)


def test_the_example_of_permissions_is_read() -> None:
    table = parse_permissions(BLOCKS["permissions"].encode(), SMALL_POLICIES, POSTS)
    assert list(table.commands) == ["case.note"]
    assert list(table.personal) == ["phone"]
