"""Who owns a case by rule: the rulebook's own examples as a table, and what must hold for whatever register."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.errors import RulesBroken
from casework.people.staff.posts import known_posts
from casework.people.staff.roster import Colleague, Roster
from casework.work.cases.case import Case
from casework.work.cases.owner_rules import parse_owner_rules
from casework.work.cases.ownership import (
    Assignment,
    Loads,
    Nobody,
    capacity_of,
    choose,
    pick,
)
from casework.work.cases.receiver import belongs_to, next_owner
from tests.cases.worlds import CHART, POLICY, opened
from tests.statechart.small import RULEBOOK

OWNERS = RULEBOOK.owners
USUAL = POLICY.capacities
TODAY = date(2026, 1, 6)
IN_HOUSE = CHART.groups["in_house"]


def colleague(staff_no: str, *posts: str, **changes: Any) -> Colleague:
    plain = Colleague(staff_no, "active", frozenset(posts), "T1", "R1", None, False, None)
    return replace(plain, **changes)


def roster(*people: Colleague) -> Roster:
    return Roster(TODAY, {one.staff_no: one for one in sorted(people, key=lambda one: one.staff_no)})


EVERYBODY = (
    colleague("R1", "business_rep"), colleague("T1", "phone_collector"), colleague("P1", "post_loan_officer"),
    colleague("O1", "operations_collector"), colleague("A1", "asset_preservation"), colleague("G1", "agency_post"),
    colleague("B1", "basic_risk_manager"), colleague("X1", "auditor"), colleague("V1", "approver"),
    colleague("L1", "business_rep", status="left"), colleague("U1", status="unverified"),
    colleague("M1", status="merged", merged_into="R1"), colleague("D1", "administrator"), colleague("N1"),
    colleague("C1", "customer_service"), colleague("R2", "business_rep", "administrator"),
)  # fmt: skip
CUT_OFF, AFTER = date(2023, 12, 31), date(2024, 1, 1)


def case_of(**changes: Any) -> Case:
    """A case overdue since January 2024; `risk_class`, `npl_since` and the like go to its facts."""
    case = opened()
    case.oldest_due_date = AFTER
    case.facts.first_overdue_on = AFTER + timedelta(days=1)
    for name, value in changes.items():
        setattr(case.facts if hasattr(case.facts, name) else case, name, value)
    return case


def by_rule(case: Case, named: str | None, people: Sequence[Colleague] = EVERYBODY, **more: Any) -> Assignment | Nobody:
    return choose(OWNERS, case, POLICY, roster(*people), Loads(), named=named, **more)


@pytest.mark.parametrize(("named", "owner"), [("U1", "U1"), ("R1", "R1"), ("L1", None), (None, None)])
def test_where_no_post_has_anybody_the_rep_named_keeps_the_case_if_he_is_there(
    named: str | None, owner: str | None
) -> None:
    """A branch whose feed came before its register: better the rep than nobody, even for a product of operations."""
    reps = [one for one in EVERYBODY if one.staff_no in ("R1", "U1", "L1")]
    found = by_rule(case_of(product="haihua"), named, reps)
    assert (found.owner if isinstance(found, Assignment) else None) == owner


# what is special about the case, the rep whom the loan names → the owner, by which rule
TABLE: list[tuple[str, dict[str, Any], str | None, str, str]] = [
    ("the rep's own customer (1.1.4)", {}, "R1", "R1", "own_customer"),
    ("overdue by the cut-off, not yet NPL: the rep", {"first_overdue_on": CUT_OFF}, "R1", "R1", "own_customer"),
    ("a leaver's, newly overdue after the cut-off (1.4.1)", {}, "L1", "T1", "newly_overdue"),
    ("a leaver's, overdue first on the cut-off itself: old", {"first_overdue_on": CUT_OFF}, "L1", "P1",
     "leavers_customer"),
    ("a leaver's, due on the cut-off, so overdue first the day after: new",
     {"oldest_due_date": CUT_OFF, "first_overdue_on": AFTER}, "L1", "T1", "newly_overdue"),
    ("a leaver's old arrear of which a part was paid stays old",
     {"oldest_due_date": date(2024, 3, 1), "first_overdue_on": CUT_OFF}, "L1", "P1", "leavers_customer"),
    ("a case that never was in arrears counts as of its opening: new",
     {"oldest_due_date": None, "first_overdue_on": None}, "L1", "T1", "newly_overdue"),
    ("nobody named", {}, None, "T1", "newly_overdue"),
    ("somebody nobody knows", {}, "Z9", "T1", "newly_overdue"),
    ("an auditor whom the feed names owns nothing", {}, "X1", "T1", "newly_overdue"),
    ("an administrator neither", {}, "D1", "T1", "newly_overdue"),
    ("nor customer service, at a home visit either", {"state": "home_visit"}, "C1", "P1", "visit"),
    ("a rep who is an administrator too", {}, "R2", "R2", "own_customer"),
    ("somebody registered without a post", {}, "N1", "N1", "own_customer"),
    ("whom only a feed named", {}, "U1", "U1", "own_customer"),
    ("a number that was merged into the rep's", {}, "M1", "R1", "own_customer"),
    ("NPL on the cut-off itself (1.4.2)", {"npl_since": CUT_OFF}, "R1", "A1", "old_npl"),
    ("NPL the day after", {"npl_since": AFTER}, "R1", "R1", "own_customer"),
    ("Haihua (1.3.1e)", {"product": "haihua"}, "R1", "O1", "operations_product"),
    ("Haihua, old NPL: asset preservation", {"product": "haihua", "npl_since": CUT_OFF}, "R1", "A1", "old_npl"),
    ("misuse, the rep is there", {"opened_for": "misuse"}, "R1", "R1", "own_customer"),
    ("misuse, a leaver's: post-loan (1.1.4)", {"opened_for": "misuse"}, "L1", "P1", "risk_customer"),
    ("substandard, a leaver's new arrear: phone post (1.4.1)", {"risk_class": "substandard"}, "L1", "T1",
     "newly_overdue"),
    ("substandard, a leaver's old arrear: post-loan", {"risk_class": "substandard", "first_overdue_on": CUT_OFF},
     "L1", "P1", "risk_class"),
    ("special mention is no bad class", {"risk_class": "special_mention"}, "L1", "T1", "newly_overdue"),
    ("at a home visit: the rep (1.3.2a)", {"state": "home_visit"}, "R1", "R1", "own_visit"),
    ("a leaver's at a home visit: post-loan", {"state": "home_visit"}, "L1", "P1", "visit"),
    ("a home visit for Haihua: the rep", {"state": "home_visit", "product": "haihua"}, "R1", "R1", "own_visit"),
    ("given to a phone collector, at a home visit", {"state": "home_visit"}, "T1", "P1", "visit"),
    ("given to asset preservation, at a home visit (5.6)", {"state": "home_visit"}, "A1", "A1", "own_collection"),
    ("with an agency (3.1)", {"state": "outsourced"}, "R1", "G1", "agency"),
    ("with an agency, old NPL", {"state": "outsourced", "npl_since": CUT_OFF}, "R1", "G1", "agency"),
    ("in court (5.6)", {"state": "litigation"}, "R1", "A1", "matter"),
    ("written off (5.6)", {"state": "written_off"}, "R1", "A1", "matter"),
    ("settled: the last owner", {"state": "settled", "live": False, "owner": "G1"}, "R1", "G1", "last_owner"),
    ("settled, the last owner gone", {"state": "settled", "live": False, "owner": "L1"}, "R1", "R1", "own_customer"),
    ("settled, owner and rep gone", {"state": "settled", "live": False, "owner": "L1"}, "L1", "T1", "newly_overdue"),
    ("reversed after the owner left", {"owner": "L1"}, "L1", "T1", "newly_overdue"),
    ("back from an agency: the rep", {"owner": "G1"}, "R1", "R1", "own_customer"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "special", "named", "owner", "rule"), TABLE, ids=[row[0] for row in TABLE])
def test_the_owner_of_a_case_is_whom_the_rulebook_says(
    what: str, special: dict[str, Any], named: str | None, owner: str, rule: str
) -> None:
    found = by_rule(case_of(**special), named)
    assert isinstance(found, Assignment), what
    assert (found.owner, found.rule) == (owner, rule)
    assert found.rules


def test_capacity_is_of_the_person_else_of_the_post_and_the_largest_of_several() -> None:
    """An agency's account manager watches placements and works none of them: more cases than a collector."""
    agency, usual = USUAL.by_post["agency_post"], USUAL.usual
    assert (agency, usual) == (20_000, 2_000)
    held = {
        ("phone_collector",): usual, ("agency_post",): agency, ("phone_collector", "agency_post"): agency, (): usual,
    }  # fmt: skip
    for posts, cases in held.items():
        assert capacity_of(colleague("N1", *posts), USUAL) == cases, posts
        assert capacity_of(colleague("N1", *posts, capacity=7), USUAL) == 7
    full = Loads({one.staff_no: usual for one in EVERYBODY})
    placed = choose(OWNERS, case_of(state="outsourced"), POLICY, roster(*EVERYBODY), full)
    assert isinstance(placed, Assignment)
    assert (placed.owner, placed.over_capacity) == ("G1", False), "with as many cases as a collector may have"
    called = choose(OWNERS, case_of(), POLICY, roster(*EVERYBODY), full)
    assert isinstance(called, Assignment)
    assert (called.owner, called.over_capacity) == ("T1", True)


def test_where_the_owning_post_has_nobody_basic_risk_distributes_and_without_anybody_nobody_is_told() -> None:
    case = case_of(state="outsourced")
    others = [one for one in EVERYBODY if one.staff_no != "G1"]
    found = by_rule(case, None, others)
    assert isinstance(found, Assignment)
    assert (found.owner, found.post, found.rule) == ("B1", "basic_risk_manager", "fallback")
    assert by_rule(case, None, [colleague("X1", "auditor")]) == Nobody("no_holder", "agency_post", "agency")


def test_who_comes_back_to_the_branch_gets_no_old_cases_by_itself() -> None:
    case = case_of(opened_on=TODAY - timedelta(days=30))
    others = [one for one in EVERYBODY if one.staff_no != "R1"]
    back = colleague("R1", "business_rep", returned_on=TODAY)
    assert by_rule(case, "R1", [*others, back]) == Assignment("T1", "phone_collector", "newly_overdue", ("1.4.1",))
    case.facts.named_on = TODAY  # a manager has given it to him since
    found = by_rule(case, "R1", [*others, back])
    assert isinstance(found, Assignment)
    assert found.owner == "R1"
    case.facts.named_on, case.opened_on = None, TODAY
    found = by_rule(case, "R1", [*others, back])
    assert isinstance(found, Assignment)
    assert found.owner == "R1"


def test_a_case_that_comes_back_in_house_goes_to_whoever_had_it_there() -> None:
    people = roster(*EVERYBODY, colleague("O2", "operations_collector"))
    case = case_of(product="haihua", owner="O2", handler="O2")

    def after(state: str) -> dict[str, Any] | None:
        came_from, was = case.state, choose(OWNERS, case, POLICY, people, Loads(), named="R1")
        case.state = state
        data = next_owner(case, came_from, was.rule, IN_HOUSE, OWNERS, people, Loads(), POLICY)
        if data is not None:
            case.owner = case.handler = data["owner"]
            case.facts.last_in_house = data.get("last_in_house", case.facts.last_in_house)
        return data

    case.facts.named = "R1"
    assert [(after(state) or {}).get("owner") for state in ("outsourced", "litigation", "phone_collection")] == [
        "G1", "A1", "O2",
    ]  # fmt: skip
    assert case.facts.last_in_house is None
    assert [(after(state) or {}).get("owner") for state in ("home_visit", "phone_collection")] == ["R1", "O2"]
    assert after("lost_contact") is None, "the same rule names the same post: nothing to give"


def test_a_case_does_not_belong_to_asset_preservation_because_it_was_in_court() -> None:
    """Given to it by hand it does; by the rule of a state it has the case for as long as that state lasts."""
    case = case_of(owner="A1")
    assert belongs_to(case, OWNERS, roster(*EVERYBODY)) is None
    case.facts.named = "A1"
    assert belongs_to(case, OWNERS, roster(*EVERYBODY)) == "A1"


def test_a_case_whose_loan_names_nobody_belongs_to_the_rep_who_owns_it() -> None:
    people, case = roster(*EVERYBODY), case_of(owner="R1", handler="R1")
    case.state = "outsourced"
    data = next_owner(case, "phone_collection", "own_customer", IN_HOUSE, OWNERS, people, Loads(), POLICY)
    assert data is not None
    assert (data["owner"], data["named"], data["last_in_house"]) == ("G1", "R1", "R1")


# ── whatever the register ───────────────────────────────────────────────────────────────────────────────────────────

_CODES = st.sampled_from([None, "T1", "T2", "T3"])
_POSTS = st.sampled_from(
    ["phone_collector", "post_loan_officer", "basic_risk_manager", "asset_preservation", "business_rep", "auditor"]
)


@st.composite
def registers(draw: st.DrawFn, *, least: int = 0) -> list[Colleague]:
    """Some people: here and gone, away, full, of several posts, teams and regions."""
    size = draw(st.integers(least, 9))
    return [
        Colleague(
            f"S{number}", draw(st.sampled_from(["active", "active", "active", "left", "unverified"])),
            draw(st.frozensets(_POSTS, max_size=2)), draw(_CODES), draw(st.sampled_from([None, "R1", "R2"])),
            draw(st.sampled_from([None, 0, 1, 2, 5])), draw(st.booleans()) and draw(st.booleans()), None,
        )
        for number in range(size)
    ]  # fmt: skip


LOADS = st.dictionaries(st.sampled_from([f"S{number}" for number in range(9)]), st.integers(0, 6))
PLACES = st.tuples(_CODES, st.sampled_from([None, "R1", "R2"]))


def distance(one: Colleague, case: Case) -> int:
    if case.team is not None and one.team == case.team:
        return 0
    return 1 if case.region is not None and one.region == case.region else 2


def has_room(one: Colleague, loads: Loads) -> bool:
    return loads.of(one.staff_no) < capacity_of(one, USUAL)


def share(one: Colleague, loads: Loads) -> float:
    capacity = capacity_of(one, USUAL)
    return (loads.of(one.staff_no) + 1) / capacity if capacity else 1e9 + loads.of(one.staff_no)


@given(people=registers(), counts=LOADS, place=PLACES, strict=st.booleans())
def test_the_owner_by_rule_is_there_and_nobody_better_is(
    people: list[Colleague], counts: dict[str, int], place: tuple[str | None, str | None], strict: bool
) -> None:
    """Never somebody gone; never over capacity while another of the post has room; the nearest first, then by load."""
    case = case_of(team=place[0], region=place[1])
    loads = Loads(dict(counts))
    found = choose(OWNERS, case, POLICY, roster(*people), loads, strict=strict)
    assert found == choose(OWNERS, case, POLICY, roster(*reversed(people)), Loads(dict(counts)), strict=strict)
    active = [one for one in people if one.status == "active"]
    chain = ("phone_collector", *OWNERS.fallback_posts)
    if isinstance(found, Nobody):
        able = [one for one in active if one.posts & set(chain)]
        assert not able if not strict else not any(has_room(one, loads) for one in able)
        return
    chosen = next(one for one in people if one.staff_no == found.owner)
    assert chosen.status == "active"
    assert found.post in chosen.posts
    rivals = [one for one in active if found.post in one.posts]
    roomy = [one for one in rivals if has_room(one, loads)]
    if not roomy:
        assert found.over_capacity
        assert not strict
        here = [one for one in rivals if not one.away] or rivals
        assert chosen == min(here, key=lambda one: (share(one, loads), one.staff_no))
        return
    assert not found.over_capacity
    best = min(roomy, key=lambda one: (one.away, distance(one, case), share(one, loads), one.staff_no))
    assert chosen == best


@given(
    people=registers(least=1), counts=LOADS,
    cases=st.lists(st.tuples(PLACES, st.sampled_from([None, *(f"S{number}" for number in range(9))])), max_size=30),
)  # fmt: skip
def test_many_cases_one_after_the_other_are_given_as_each_would_be_alone(
    people: list[Colleague], counts: dict[str, int], cases: list[tuple[tuple[str | None, str | None], str | None]]
) -> None:
    """What is kept between choices changes none of them, also where cases are taken away in between."""
    people = [replace(one, posts=one.posts | {"phone_collector"}, status="active") for one in people]
    batch, known = Loads(dict(counts)), roster(*people)
    for place, taken_from in cases:
        case = case_of(team=place[0], region=place[1])
        if taken_from is not None:
            batch.lift(taken_from)
        alone = choose(OWNERS, case, POLICY, known, Loads(dict(batch.counts)))
        assert choose(OWNERS, case, POLICY, known, batch) == alone
        assert isinstance(alone, Assignment)
        batch.move(alone.owner)


@given(people=registers(least=1), cases=st.integers(1, 40))
def test_among_equals_the_loads_differ_by_at_most_one_case(people: list[Colleague], cases: int) -> None:
    equals = [
        replace(one, posts=frozenset({"phone_collector"}), status="active", away=False, capacity=None, team="T1")
        for one in people
    ]
    loads, known = Loads(), roster(*equals)
    for _ in range(cases):
        found = choose(OWNERS, case_of(team="T1"), POLICY, known, loads)
        assert isinstance(found, Assignment)
        loads.move(found.owner)
    held = [loads.of(one.staff_no) for one in equals]
    assert max(held) - min(held) <= 1


@given(people=registers(), counts=LOADS, cases=st.integers(1, 30))
def test_strictly_nobody_gets_more_than_his_capacity(
    people: list[Colleague], counts: dict[str, int], cases: int
) -> None:
    loads, known = Loads(dict(counts)), roster(*people)
    for number in range(cases):
        named = f"S{number % 9}"
        found = choose(OWNERS, case_of(owner="Z9"), POLICY, known, loads, named=named, strict=True)
        if isinstance(found, Assignment):
            assert has_room(known.colleagues[found.owner], loads)
            assert known.colleagues[found.owner].status == "active"
            loads.move(found.owner)


@given(people=registers(), counts=LOADS, place=PLACES)
def test_pick_takes_of_any_people_the_one_that_a_sort_would_put_first(
    people: list[Colleague], counts: dict[str, int], place: tuple[str | None, str | None]
) -> None:
    case, loads = case_of(team=place[0], region=place[1]), Loads(dict(counts))
    found = pick(people, case, loads, POLICY)
    assert (found is None) is (not people)
    if found is not None:
        roomy = [one for one in people if has_room(one, loads)]
        assert found[1] is bool(roomy)
        if roomy:
            best = min(roomy, key=lambda one: (one.away, distance(one, case), share(one, loads), one.staff_no))
            assert found[0] == best


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────────

FAULTS: list[tuple[str, str, str]] = [
    ('states = ["outsourced"]', 'states = ["nowhere"]', "unknown state nowhere"),
    ('post = "agency_post"', 'post = "wizard"', "unknown post wizard"),
    ('post = "agency_post"', "keep = true", ""),
    ('post = "agency_post"', 'post = "agency_post"\nkeep = true', "must name a post, or keep the owner, and not both"),
    ('"@assessment.cut_off_on" }\npost = "asset', '"@products.operations" }\npost = "asset', "is no date"),
    ('"@products.operations"', '"@assessment.cut_off_on"', "is no list of codes"),
    ('"@products.operations"', '"@products.none"', "has no such figure"),
    ('npl_by = "@assessment.cut_off_on"', 'npl_by = "2023-12-31"', "is not a figure of the policy"),
    ('name = "matter"', 'name = "agency"', "two rules of this name"),
    ('person = "named"\nmust_hold', 'person = "anybody"\nmust_hold', "can only be"),
    ('when = { overdue_after = "@assessment.cut_off_on" }\n', "when = { mood = [\"bad\"] }\n", "unknown key"),
    ('name = "leavers_customer"\n', 'name = "leavers_customer"\nwhen = { teams = ["T1"] }\n', "must always hold"),
    ("by_rule = {", "by_hook = {", "reasons.by_rule: missing"),
    ('posts = ["basic_risk_manager", ', 'posts = ["emperor", ', "unknown post emperor"),
    ("version = 1", 'version = "one"', "version"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "told"), FAULTS)
def test_rules_of_owners_that_could_not_be_used_are_refused_with_the_reason(good: str, bad: str, told: str) -> None:
    text = OWNERS.text.decode()
    assert text.count(good) >= 1
    posts, states = known_posts(CHART), frozenset(CHART.states)
    spoilt = text.replace(good, bad, 1).encode()
    if not told:  # the good twin: another rule that may stand there
        rules = parse_owner_rules(spoilt, RULEBOOK.policies, posts, states).rules
        assert next(rule for rule in rules if rule.name == "agency").keep
        return
    with pytest.raises(RulesBroken) as broken:
        parse_owner_rules(spoilt, RULEBOOK.policies, posts, states)
    assert told in " ".join(broken.value.faults)


def test_amounts_teams_regions_and_buckets_can_be_conditions_of_a_rule() -> None:
    extra = (
        '[[rules]]\nname = "large"\n'
        'when = { principal_from_fen = "@visit.duty_from_fen", principal_below_fen = 9_000_000,'
        ' teams = ["T1"], regions = ["R1"], buckets = ["M1"] }\npost = "post_loan_officer"\nrules = ["1.1.4"]\n'
        'zh = "大额"\nen = "large"\n\n[[rules]]\nname = "agency"\n'
    )
    text = OWNERS.text.decode().replace('[[rules]]\nname = "agency"\n', extra, 1)
    rules = parse_owner_rules(text.encode(), RULEBOOK.policies, known_posts(CHART), frozenset(CHART.states))
    for changes, rule in (
        ({}, "large"), ({"principal_at_opening_fen": 4_999_999}, "own_customer"),
        ({"principal_at_opening_fen": 9_000_000}, "own_customer"), ({"team": "T2"}, "own_customer"),
        ({"region": None}, "own_customer"), ({"bucket": "M2"}, "own_customer"),
    ):  # fmt: skip
        case = case_of(**{"principal_at_opening_fen": 5_000_000, **changes})
        found = choose(rules, case, POLICY, roster(*EVERYBODY), Loads(), named="R1")
        assert found.rule == rule
