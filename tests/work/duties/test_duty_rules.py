"""The table of duties and the figures that it needs: what may not be used, and where it says so."""

from pathlib import Path

import pytest

from casework.errors import RulesBroken
from casework.rules.statechart.outside_law import load_law
from casework.rules.statechart.policy import Policies, load_policies, parse_policy
from casework.work.cases.duty_rules import load_duty_rules, parse_duty_rules

RULES = Path(__file__).parents[3] / "statecharts"
WHOLE = (RULES / "rules" / "duties.toml").read_text(encoding="utf-8")
POLICIES = load_policies(RULES)
POSTS = frozenset({"agency_post"})
STATES = frozenset({"phone_collection", "lost_contact", "home_visit", "outsourced", "litigation"})


def test_each_duty_says_whom_it_meets_and_who_owes_it() -> None:
    rules = load_duty_rules(RULES, POLICIES, POSTS, STATES)
    assert {name: rule.owed_by for name, rule in rules.by_name.items()} == {
        "dial": "handler", "dial_contacts": "handler", "dial_by_dpd": "handler", "visit": "owner",
        "visit_report": "visitor", "repair": "handler", "place": "agency_post",
        "disposal_form": "owner",
    }  # fmt: skip
    held_to = rules.held_to(POLICIES.all[0])
    assert [one.rule.name for one in held_to.by_state["lost_contact"]] == list(rules.by_name)
    assert (set(held_to.lost), set(held_to.placed)) == ({"lost_contact"}, {"outsourced"})
    assert held_to.stops_contact == ("complaint", "dispute", "bankruptcy", "death", "custody", "incapacity", "hardship")


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('[duties.visit]', '[duties.call]', "duties.visit: missing"),
        ('[duties.visit]', '[duties.call]', "duties.call: no duty is called that"),
        ('zh = "下户"\n', "", "duties.visit.zh: missing label"),
        ('owed_by = "agency_post"', 'owed_by = "nobody"', "duties.place.owed_by: nobody is neither handler"),
        ('lost = ["lost_contact"]', 'lost = ["mislaid"]', "states.lost: no state is called mislaid"),
        ('placed = ["outsourced"]', 'placed = ["outsorced"]', "states.placed: no state is called outsorced"),
        ('placed = ["outsourced"]', 'placed = []', "states.placed: names no state"),
        ('placed = ["outsourced"]\n', '', "states.placed: "),
        ('\nstates = ["lost_contact"]', '\nstates = ["asleep"]', "duties.repair.states: no state is called asleep"),
        ('exempt_by = ["hold", "promise",', 'exempt_by = ["luck",', "duties.dial.exempt_by: nothing is called luck"),
        ('"@visit.duty_from_fen"', '"@visit.report_by"', "duties.visit.principal_from_fen: @visit.report_by is no"),
        ('from_dpd = 1\n', 'from_dpd = 0\n', "duties.dial.from_dpd: is not a whole number from 1"),
        ('"complaint", "dispute"', '"dispute", "dispute"', "holds_in_order: dispute twice"),
        ('else_owed_by = "post_loan_officer"\n', "", "duties.visit: done_by and else_owed_by go together"),
        ('done_by = "disposal.drawn_up"\n', "", "duties.disposal_form: done_by and else_owed_by go together"),
        ('owed_by = "owner"\ndone_by', 'owed_by = "agency_post"\ndone_by', ".done_by: a post owes it anyway"),
        ("version = 1", "version = 1\nversion = 2", "duties.toml: "),
    ],
)  # fmt: skip
def test_a_table_with_a_fault_is_refused_and_says_where(before: str, after: str, fault: str) -> None:
    """Each is the real table with one thing changed."""
    spoilt = WHOLE.replace(before, after, 1)
    assert spoilt != WHOLE
    with pytest.raises(RulesBroken) as broken:
        parse_duty_rules(spoilt.encode(), POLICIES, POSTS, STATES)
    assert any(fault in one for one in broken.value.faults)


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('days = { value = "calendar"', 'days = { value = "lunar"', "duty.days is not one of calendar, working"),
        ("attempts_apart_hours = { value = 0", "attempts_apart_hours = { value = 24",
         "duty.attempts_apart_hours is not a whole number of hours"),
        ("visit_by_dpd = { value = 30", 'visit_by_dpd = { value = "soon"', "duty.visit_by_dpd is not a whole number"),
        ('dialling = { rules = ["1.1.2"], empty_because', 'dialling = { value = [{ attempts = 2 }], source',
         "duty.dialling: each needs from_dpd and attempts"),
    ],
)  # fmt: skip
def test_figures_of_duties_that_mean_nothing_are_refused(before: str, after: str, fault: str) -> None:
    """Each is the real policy with one thing changed."""
    policy = POLICIES.all[0]
    spoilt = policy.text.decode().replace(before, after, 1)
    assert spoilt.encode() != policy.text
    other = Policies([parse_policy(policy.name, spoilt.encode(), load_law(RULES))])
    with pytest.raises(RulesBroken) as broken:
        parse_duty_rules(WHOLE.encode(), other, POSTS, STATES)
    assert any(fault in one for one in broken.value.faults)
