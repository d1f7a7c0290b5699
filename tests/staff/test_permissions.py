"""The permission table: read whole or refused, and what it answers."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from casework.errors import CallerError, RulesBroken
from casework.people.staff.actor import Actor, Principal, system
from casework.people.staff.permission_table import check_against, parse_permissions, plain_route
from casework.people.staff.permissions import ACTS, SEES
from casework.settings import shipped
from casework.work.cases.rulebook import load_rulebook
from tests.statechart.small import BLOCKS, SMALL_POLICIES

RULEBOOK = load_rulebook(shipped("statecharts"))
TABLE = RULEBOOK.permissions
POLICY = RULEBOOK.policies.all[-1]
POSTS = sorted(TABLE.posts)
TEAMS, REGIONS, PRODUCTS = ("T1", "T2"), ("R1", "R2"), ("haihua", "consumer")
SMALL_POSTS = frozenset({"phone_collector", "basic_risk_manager", "auditor"})


@dataclass
class OneCase:
    """What a scope looks at."""

    owner: str = "S9"
    handler: str = "S9"
    team: str | None = None
    region: str | None = None
    product: str | None = None


def person(post: str, **changes: object) -> Actor:
    return replace(Actor("S1", "staff", "api", frozenset({post}), "T1", "R1"), **changes)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def small(**changes: str) -> bytes:
    """The example of statecharts/README.md with some texts in place of others."""
    text = BLOCKS["permissions"]
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text.encode()


def test_the_example_of_the_readme_is_a_table() -> None:
    table = parse_permissions(small(), SMALL_POLICIES, SMALL_POSTS)
    assert table.title == "permissions@1"
    assert table.commands["case.note"].routes == ("POST /cases/{case_id}/notes",)
    assert "GET /health/live" in table.public


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('sees = "region"', 'sees = "village"', "posts.phone_collector.sees: is none of own, team, region"),
        ('acts = "region"', 'acts = "all"', "posts.phone_collector: acts on cases that it does not see"),
        ('sees = "region"', 'sees = "team"', "posts.phone_collector: acts on cases that it does not see"),
        ("[posts.auditor]", "[posts.king]", "posts.king: no such post"),
        ("[posts.auditor]", "[posts.king]", "posts.auditor: missing"),
        ('posts = ["auditor", "*"]', 'posts = ["auditor", "king"]', "conflicts[0]: unknown post king"),
        ('posts = ["auditor", "*"]', 'posts = ["auditor"]', "conflicts[0]: names two posts"),
        ('scope = "acts"', 'scope = "maybe"', "commands.case.note.scope: is none of sees, acts, none"),
        ('[commands."case.note"]', '[commands."note"]', "commands.note: is not a name such as case.note"),
        ('"POST /cases/{case_id:int}/notes"', '"LOOK /cases"', "commands.case.note.routes[0]: is not a route"),
        ('"POST /cases/{case_id:int}/notes"', '"GET /health/live"', "GET /health/live belongs to public already"),
        ('masked = ["phone_collector", "auditor"]', "", "personal.phone: reveal"),
        ('reveal = ["phone_collector"]', 'reveal = ["king"]', "personal.phone.reveal: unknown post king"),
        ('rules = ["1.3.1a"] # why', "", "personal.phone: cites neither a rule nor a source"),
        ("[purposes.collection]", "[purposes.collection]\nmood = 1", "purposes.collection.mood: unknown key"),
        ("version = 1", "version = 0", "version: is not a whole number from 1"),
        ("version = 1", "version = ", "Invalid value"),
    ],
)  # fmt: skip
def test_a_table_with_a_fault_is_refused_and_the_fault_named(old: str, new: str, fault: str) -> None:
    with pytest.raises(RulesBroken) as told:
        parse_permissions(small(**{old: new}), SMALL_POLICIES, SMALL_POSTS)
    wanted = fault.replace("personal.phone: reveal", "personal.phone.reveal: phone_collector")
    assert any(wanted in one for one in told.value.faults), told.value.faults


def test_a_product_scope_names_a_figure_of_every_policy() -> None:
    for products, fault in (
        ("", "products belong to the scope product"),
        ('products = "@no.such"', "has no figure no.such"),
        ('products = "haihua"', "is not a figure of the policy"),
    ):
        body = small(**{'acts = "region"': f'acts = "product"\n{products}', 'sees = "region"': 'sees = "product"'})
        with pytest.raises(RulesBroken) as told:
            parse_permissions(body, SMALL_POLICIES, SMALL_POSTS)
        assert any(fault in one for one in told.value.faults), told.value.faults


def test_the_table_may_not_stop_whom_the_chart_lets_through() -> None:
    """Who may fire an event but not use the route for events would be told that he may, and then that he may not."""
    check_against(RULEBOOK.chart, TABLE)
    row = TABLE.commands["case.event"]
    narrower = replace(
        TABLE, commands={**TABLE.commands, "case.event": replace(row, posts=row.posts - {"agency_post"})}
    )
    with pytest.raises(RulesBroken) as told:
        check_against(RULEBOOK.chart, narrower)
    assert any("place is for agency_post too" in one for one in told.value.faults)


@pytest.mark.parametrize(
    ("route", "plain"),
    [("GET /cases/{case_id:int}/notes", "GET /cases/{case_id}/notes"), ("GET /a/{b}/{c:str}", "GET /a/{b}/{c}")],
)
def test_a_route_is_compared_without_the_types_of_its_parameters(route: str, plain: str) -> None:
    assert plain_route(route) == plain


# ── cases ────────────────────────────────────────────────────────────────────────────────────────────────────────────

PEOPLE = st.builds(
    Principal,
    st.sampled_from(["S1", "S2", "S3"]),
    st.frozensets(st.sampled_from(POSTS), max_size=2),
    st.none() | st.sampled_from(TEAMS),
    st.none() | st.sampled_from(REGIONS),
)
ACTORS = st.builds(
    lambda who, away: Actor(who.id, "staff", "api", who.posts, who.team, who.region, principals=tuple(away)),
    PEOPLE, st.lists(PEOPLE, max_size=2),
)  # fmt: skip
CASES = st.builds(
    OneCase, st.sampled_from(["S1", "S2", "S3", "S9"]), st.sampled_from(["S1", "S2", "S3", "S9"]),
    st.none() | st.sampled_from(TEAMS), st.none() | st.sampled_from(REGIONS), st.none() | st.sampled_from(PRODUCTS),
)  # fmt: skip


@given(ACTORS, CASES, st.frozensets(st.sampled_from(POSTS), min_size=1))
def test_who_has_authority_over_a_case_reaches_it_and_the_other_way_round(
    actor: Actor, case: OneCase, posts: frozenset[str]
) -> None:
    """Lists and dry runs go by reach, the door by authority: they may never differ."""
    reach = TABLE.reach(actor, posts, ACTS, POLICY)
    assert reach.covers(case) == (TABLE.authority(actor, posts, case, POLICY) is not None)


@given(ACTORS, CASES)
def test_whoever_may_act_on_a_case_sees_it(actor: Actor, case: OneCase) -> None:
    everything = frozenset(TABLE.posts)
    if TABLE.reach(actor, everything, ACTS, POLICY).covers(case):
        assert TABLE.reach(actor, everything, SEES, POLICY).covers(case)


@pytest.mark.parametrize(
    ("post", "case", "sees", "acts"),
    [
        ("business_rep", OneCase(owner="S1"), True, True),
        ("business_rep", OneCase(handler="S1"), True, True),
        ("business_rep", OneCase(team="T1", region="R1"), False, False),
        ("phone_collector", OneCase(region="R1"), True, True),
        ("phone_collector", OneCase(region="R2"), False, False),
        ("phone_collector", OneCase(owner="S1", region="R2"), True, True),
        ("phone_collector", OneCase(), False, False),
        ("operations_collector", OneCase(product="haihua"), True, True),
        ("operations_collector", OneCase(product="consumer", region="R1"), False, False),
        ("basic_risk_manager", OneCase(), True, True),
        ("auditor", OneCase(), True, False),
        ("auditor", OneCase(owner="S1"), True, False),
        ("administrator", OneCase(owner="S1"), False, False),
        ("customer_service", OneCase(), True, False),
    ],
)
def test_a_post_sees_and_acts_as_far_as_the_table_says(post: str, case: OneCase, *, sees: bool, acts: bool) -> None:
    actor = person(post)
    assert TABLE.may_see(actor, case, POLICY) is sees
    assert (TABLE.authority(actor, frozenset({post}), case, POLICY) is not None) is acts


def test_somebody_without_region_reaches_no_case_without_region() -> None:
    """Nothing known on both sides is not the same place."""
    actor = person("phone_collector", team=None, region=None)
    assert not TABLE.may_see(actor, OneCase(), POLICY)


def test_a_deputy_reaches_what_his_principal_reaches_and_is_named_with_him() -> None:
    principal = Principal("S2", frozenset({"phone_collector"}), "T2", "R2")
    actor = person("business_rep", principals=(principal,))
    authority = TABLE.authority(actor, frozenset({"phone_collector"}), OneCase(region="R2"), POLICY)
    assert authority is not None
    assert (authority.post, authority.acting_for) == ("phone_collector", "S2")
    assert TABLE.may(actor, "case.note")
    # The principal's post in the principal's region, not in the deputy's own.
    assert TABLE.authority(actor, frozenset({"phone_collector"}), OneCase(region="R1"), POLICY) is None


# ── commands, conflicts, personal data ───────────────────────────────────────────────────────────────────────────────


def test_a_command_is_for_its_posts_and_a_key_for_its_commands() -> None:
    manager = person("basic_risk_manager")
    assert TABLE.may(manager, "case.export")
    assert not TABLE.may(person("business_rep"), "case.export")
    assert not TABLE.may(replace(manager, commands=frozenset({"case.read"})), "case.export")
    for actor, code in ((person("business_rep"), "post_not_permitted"),
                        (replace(manager, commands=frozenset({"case.read"})), "key_not_permitted")):  # fmt: skip
        with pytest.raises(CallerError) as told:
            TABLE.require(actor, "case.export")
        assert told.value.code == code
        (reason,) = told.value.facts["reasons"]
        assert reason["code"] == code
    TABLE.require(manager, "case.export")
    TABLE.require(system("cli"), "case.export")


@pytest.mark.parametrize(
    ("posts", "conflict"),
    [({"auditor"}, False), ({"auditor", "business_rep"}, True), ({"approver", "asset_preservation"}, True),
     ({"approver", "administrator"}, True), ({"business_rep", "phone_collector"}, False), (set(), False)],
)  # fmt: skip
def test_posts_that_conflict_are_told(posts: set[str], *, conflict: bool) -> None:
    assert bool(TABLE.conflicts_of(posts)) is conflict


@pytest.mark.parametrize(
    ("post", "field", "view"),
    [("business_rep", "name", "masked"), ("business_rep", "note", "clear"), ("administrator", "name", None),
     ("channel_post", "phone", None), ("customer_service", "address", None), ("customer_service", "phone", "masked"),
     ("approver", "contact_name", None), ("auditor", "id_number", "masked")],
)  # fmt: skip
def test_personal_data_is_masked_or_not_shown_at_all(post: str, field: str, view: str | None) -> None:
    assert TABLE.view(person(post), field) == view


def test_names_numbers_phones_and_addresses_are_read_by_nobody_without_a_purpose() -> None:
    """Only notes are whole by default; everything else that is clear is revealed (point 4 of the issue)."""
    assert [row.name for row in TABLE.personal.values() if row.clear] == ["note"]


@pytest.mark.parametrize(
    ("post", "fields", "purpose", "code"),
    [
        ("business_rep", ["id_number"], "collection", "reveal_not_permitted"),
        ("business_rep", ["phone", "id_number"], "collection", "reveal_not_permitted"),
        ("approver", ["phone"], "approval", "reveal_not_permitted"),
        ("business_rep", ["phone"], "audit", "purpose_not_permitted"),
        ("business_rep", ["phone"], "curiosity", "purpose_unknown"),
        ("business_rep", ["shoe_size"], "collection", "unknown_field"),
        ("business_rep", [], "collection", "unknown_field"),
        ("administrator", ["name"], "complaint", "reveal_not_permitted"),
    ],
)  # fmt: skip
def test_what_may_not_be_revealed_is_told(post: str, fields: list[str], purpose: str, code: str) -> None:
    TABLE.check_reveal(person("business_rep"), ["name", "phone"], "collection")
    with pytest.raises(CallerError) as told:
        TABLE.check_reveal(person(post), fields, purpose)
    assert told.value.code == code


def test_a_reader_who_names_no_purpose_reads_for_the_one_of_his_post() -> None:
    found = {
        post: TABLE.purpose_of(person(post)) for post in ("business_rep", "auditor", "customer_service", "approver")
    }
    assert found == {"business_rep": "collection", "auditor": "audit", "customer_service": "follow_up",
                     "approver": "approval"}  # fmt: skip
