"""Policies: every fault has a corrupt twin, nothing looser than outside law is loaded, dates decide what applies."""

import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from casework.errors import RulesBroken
from casework.rules.statechart.outside_law import CLASSES, load_law
from casework.rules.statechart.policy import Policies, load_policies, parse_policy
from casework.work.cases.rulebook import load_rulebook
from casework.work.gate.limits import limits_of
from tests.statechart.small import BLOCKS, FOLDER, RULEBOOK, law, small_policy

POLICY = BLOCKS["policy"]
CALLS = next(line + "\n" for line in POLICY.splitlines() if line.startswith("connected_calls_per_day"))
M0, M1 = '  { name = "M0", low_dpd = 0, high_dpd = 0 },\n', '  { name = "M1", low_dpd = 1 },\n'
BANDS = "each band needs a name and low_dpd"

TWINS: list[tuple[str, str, str, str]] = [
    ("[placement]", "[placement", "", "Expected ']'"),
    ("[placement]", "[[placement]]", "placement", "is not a table"),
    ("from_dpd = { value = 31,", "from_dpd = 31 #", "placement.from_dpd", "is not a table"),
    ("value = 31,", "value = 31, floor = 1,", "placement.from_dpd.floor", "unknown key"),
    ("value = 31,", "value = 31.0,", "placement.from_dpd.value", "is a float"),
    ("value = 31,", "value = 2026-01-01,", "placement.from_dpd.value", "is neither a whole number"),
    ("value = 31,", 'value = "",', "placement.from_dpd.value", "is neither a whole number"),
    ("value = 31,", "", "placement.from_dpd", "must have a value or say empty_because"),
    ("value = 31,", 'value = 31, empty_because = "x",', "placement.from_dpd", "and not both"),
    ('unit = "days past due", rules = ["3.2"]', 'unit = "days"', "placement.from_dpd", "cites neither rules nor a"),
    ('rules = ["3.2"]', "rules = []", "placement.from_dpd.rules", "names no rule"),
    ('rules = ["3.2"]', 'rules = ["§"]', "placement.from_dpd.rules[0]", "is not a rule's number"),
    ('mark = "B"', 'mark = "Z"', "contact.connected_calls_per_day.mark", "is not A, B or C"),
    ("from_dpd =", '"From DPD" =', "placement.From DPD", "is not a name"),
    (CALLS, "", "contact.connected_calls_per_day", "missing, though outside law sets it (GB/T 45251-2025 (X2))"),
    ("value = 3, rules", "value = 4, rules", "contact.connected_calls_per_day", "4 is looser than the law's 3"),
    ("value = 3, rules", 'value = "3", rules', "contact.connected_calls_per_day", "is not a whole number"),
    ("value = 3, rules", "value = true, rules", "contact.connected_calls_per_day", "is not a whole number"),
    (', zh = "应委外的逾期天数"', "", "placement.from_dpd.zh", "missing label"),
    (', en = "connected calls a day"', "", "contact.connected_calls_per_day.en", "missing label"),
    ('en = "messages a day"', 'en = " "', "contact.messages_per_day.en", "missing label"),
    (M0, M0.replace("high_dpd = 0", "high_dpd = 2"), "buckets.bands", "M1 does not start where the band before"),
    (M0, "", "buckets.bands", "M1 does not start where"),
    (M1, M1.replace("low_dpd = 1", "low_dpd = 1, high_dpd = 30"), "buckets.bands", "the last band has an end"),
    (M1, M1 + '  { name = "M2", low_dpd = 31 },\n', "buckets.bands", "M2 does not start where"),
    (M1, M1.replace("low_dpd = 1", "low_dpd = 1, high_dpd = 0") + '  { name = "M2", low_dpd = 1 },\n', "buckets.bands",
     "M1 ends before it starts"),
    (M1, '  { low_dpd = 1 },\n', "buckets.bands", BANDS),
    (M1, '  "M1",\n', "buckets.bands", BANDS),
    ("[buckets]", "[kettles]", "buckets.bands", "must list the bands"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "reason"), TWINS)
def test_a_policy_one_edit_away_from_sound_is_refused_with_file_key_and_reason(
    old: str, new: str, place: str, reason: str
) -> None:
    assert POLICY.count(old) == 1, "the edit must change exactly one place"
    with pytest.raises(RulesBroken) as broken:
        small_policy(POLICY.replace(old, new))
    wanted = f"policy 2026-01-01: {place}"
    assert any(fault.startswith(wanted) and reason in fault for fault in broken.value.faults), broken.value.faults


@pytest.mark.parametrize("name", ["2026", "20260101", "2026-W01-4", "tomorrow", "2026-02-30"])
def test_a_policy_is_named_by_its_date_and_nothing_else(name: str) -> None:
    with pytest.raises(RulesBroken, match=f"policy {name}: "):
        small_policy(name=name)


@pytest.mark.parametrize(
    ("key", "stricter", "looser"),
    [
        ("quiet_from_hour = { value = 22", "21", "23"),
        ("quiet_until_hour = { value = 8", "9", "7"),
        ("connected_calls_per_day = { value = 3", "2", "4"),
        ("unanswered_attempts_per_day = { value = 6", "5", "7"),
        ("third_party_from_dpd = { value = 4", "5", "3"),
        ("third_party_after_failures = { value = 3", "4", "2"),
        ("third_party_opens_after_days = { value = 1", "3", "0"),
        ("evaluation_days = { value = 365", "180", "367"),
        ("above_dpd = { value = 90", "60", "91"),
    ],
)
def test_the_branch_may_be_stricter_than_outside_law_and_never_looser(key: str, stricter: str, looser: str) -> None:
    text = (FOLDER / "policy" / "2024-01-01.2.toml").read_text(encoding="utf-8")
    bounds = load_law(FOLDER)
    assert text.count(key) == 1
    head = key.rsplit(" ", 1)[0]
    assert parse_policy("2024-01-01", text.replace(key, f"{head} {stricter}").encode(), bounds).figures
    with pytest.raises(RulesBroken, match="looser than the law's"):
        parse_policy("2024-01-01", text.replace(key, f"{head} {looser}").encode(), bounds)


LISTS = [
    ("demand_from", '["debtor", "guarantor"]', None),
    (
        "demand_from",
        '["debtor", "contact"]',
        "contact.demand_from: contact is looser than the law's debtor, co_borrower",
    ),
    ("demand_from", '["guarantor"]', "contact.demand_from: leaves out debtor"),
    ("demand_from", '"debtor"', "contact.demand_from: is not a list"),
    ("refusal_binds", '["contact", "heir", "guardian"]', None),
    ("refusal_binds", '["heir"]', "contact.refusal_binds: leaves out contact"),
    ("third_party_holds", '["death"]', None),
    (
        "third_party_holds",
        '["death", "hardship"]',
        "contact.third_party_holds: hardship is looser than the law's death",
    ),
    ("broken_by", '["debtor", "co_borrower", "guarantor", "contact"]', None),
    ("broken_by", '["contact"]', "lost_contact.broken_by: leaves out debtor"),
    ("broken_by", '["debtor", "neighbour"]', "lost_contact.broken_by: neighbour is not one of debtor, co_borrower"),
    ("broken_by", '"debtor"', "lost_contact.broken_by: leaves out debtor"),
]


@pytest.mark.parametrize(("key", "value", "said"), LISTS)
def test_a_list_of_codes_holds_what_it_must_and_nothing_that_outside_law_forbids(
    key: str, value: str, said: str | None
) -> None:
    text = (FOLDER / "policy" / "2024-01-01.2.toml").read_text(encoding="utf-8")
    edited, edits = re.subn(rf"(?m)^{key} = {{ value = \[.*?\]", f"{key} = {{ value = {value}", text)
    assert edits == 1
    if said is None:
        assert parse_policy("2024-01-01", edited.encode(), load_law(FOLDER)).figures
        return
    with pytest.raises(RulesBroken) as broken:
        parse_policy("2024-01-01", edited.encode(), load_law(FOLDER))
    assert [fault for fault in broken.value.faults if fault.startswith(f"policy 2024-01-01: {said}")], (
        broken.value.faults
    )


def test_a_class_that_outside_law_calls_non_performing_may_not_be_left_out() -> None:
    text = (FOLDER / "policy" / "2024-01-01.2.toml").read_text(encoding="utf-8")
    text = text.replace('["substandard", "doubtful", "loss"]', '["doubtful", "loss"]')
    with pytest.raises(RulesBroken, match=r"npl\.classes: leaves out substandard"):
        parse_policy("2024-01-01", text.encode(), load_law(FOLDER))


# days past due → the classes that are right there; all others are warned about.
RIGHT: list[tuple[int, set[str]]] = [
    (0, {"normal"}), (1, {"normal", "special_mention"}), (7, {"normal", "special_mention"}), (8, {"special_mention"}),
    (30, {"special_mention"}), (31, {"special_mention"}), (90, {"special_mention"}), (91, {"substandard"}),
    (181, {"substandard"}), (270, {"substandard"}), (271, {"doubtful"}), (360, {"doubtful"}), (361, {"loss"}),
    (4_000, {"loss"}),
]  # fmt: skip


@pytest.mark.parametrize(("days", "right"), RIGHT)
def test_a_class_is_held_against_the_floor_of_its_days_past_due(days: int, right: set[str]) -> None:
    policy = load_policies(FOLDER).all[0]
    best, worst = min(map(CLASSES.index, right)), max(map(CLASSES.index, right))
    for index, name in enumerate(CLASSES):
        wanted = "class_better_than_floor" if index < best else "class_worse_than_floor" if index > worst else None
        assert policy.class_warning(name, days) == wanted, name


def test_a_branch_without_floors_warns_about_no_class() -> None:
    assert {small_policy().class_warning(name, 400) for name in CLASSES} == {None}


# an edit of the floors → what is said
FLOORS: list[tuple[str, str, str]] = [
    ('{ from_dpd = 361, floor = "loss" }', '{ from_dpd = 361, floor = "doubtful" }', "from DPD 361 doubtful is better"),
    ('{ from_dpd = 91, floor', '{ from_dpd = 92, floor', "from DPD 91 special_mention is better than substandard"),
    ('"doubtful" }', '"doubtful", also = ["substandard"] }', "from DPD 271 substandard is better than doubtful"),
    ('{ from_dpd = 8, floor = "special_mention" },', "", "from DPD 8 normal is better than special_mention"),
    ('{ from_dpd = 0, floor = "normal" },', "", "the days must begin with 0 and rise"),
    ('{ from_dpd = 91,', '{ from_dpd = 8,', "the days must begin with 0 and rise"),
    ('floor = "loss" }', 'floor = "bad" }', "no class is called bad"),
    ("{ from_dpd = 361,",
     '{ from_dpd = 300, floor = "loss" }, { from_dpd = 301, floor = "doubtful" }, { from_dpd = 361,',
     "may not be better than the one"),
    ('floor = "loss" }', 'flor = "loss" }', "each needs from_dpd"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), FLOORS)
def test_floors_that_could_not_be_or_that_outside_law_forbids_are_refused(old: str, new: str, said: str) -> None:
    text = (FOLDER / "policy" / "2024-01-01.2.toml").read_text(encoding="utf-8")
    head, mark, floors = text.partition("\nfloors = ")
    assert old in floors
    edited = (head + mark + floors.replace(old, new, 1)).encode()
    with pytest.raises(RulesBroken, match=rf"classification\.floors: .*{said}"):
        parse_policy("2024-01-01", edited, load_law(FOLDER))


def test_floors_stricter_than_outside_law_are_the_branchs_own() -> None:
    text = (FOLDER / "policy" / "2024-01-01.2.toml").read_text(encoding="utf-8")
    stricter = text.replace('from_dpd = 361, floor = "loss"', 'from_dpd = 301, floor = "loss"')
    policy = parse_policy("2024-01-01", stricter.encode(), load_law(FOLDER))
    assert policy.class_warning("doubtful", 301) == "class_better_than_floor"


def test_an_empty_figure_is_not_judged_by_the_law_but_cannot_be_used() -> None:
    policy = small_policy()
    with pytest.raises(RulesBroken, match=r"contact\.messages_per_day is empty"):
        policy.figure("contact.messages_per_day")


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2019, 1, 1), "2024-01-01"),  # before the first, the earliest applies
        (date(2024, 1, 1), "2024-01-01"),
        (date(2025, 12, 31), "2024-01-01"),
        (date(2026, 1, 1), "2026-01-01"),
        (date(2026, 5, 31), "2026-01-01"),
        (date(2026, 6, 1), "2026-06-01"),
        (date(2099, 1, 1), "2026-06-01"),
    ],
)
def test_the_date_decides_which_policy_applies(day: date, name: str) -> None:
    policies = Policies([small_policy(name=each) for each in ("2026-06-01", "2024-01-01", "2026-01-01")])
    assert policies.at(day).name == name


@pytest.mark.parametrize(
    ("days_past_due", "bucket"),
    [
        (-3, "M0"), (0, "M0"), (1, "M1"), (3, "M1"), (4, "M1"), (30, "M1"), (31, "M2"), (60, "M2"), (61, "M3"),
        (90, "M3"), (91, "M4"), (120, "M4"), (121, "M5"), (150, "M5"), (151, "M6"), (180, "M6"), (181, "M7"),
        (270, "M7"), (271, "M7"), (360, "M7"), (361, "M7"), (100_000, "M7"),
    ],
)  # fmt: skip
def test_every_number_of_days_past_due_has_its_bucket(days_past_due: int, bucket: str) -> None:
    assert RULEBOOK.policies.all[0].bucket(days_past_due) == bucket


def _copy(place: Path) -> Path:
    shutil.copytree(FOLDER, place / "statecharts")
    return place / "statecharts"


@pytest.mark.parametrize(
    ("topic", "people", "said"),
    [("suit", 1, "suit is 1, must be 2 or more"), ("write_off", 1, "write_off is 1, must be 2 or more"),
     ("compromise", 1, None), ("compromise", 2, None), ("suit", 3, "is not 1 (approve)"), ("cancel", 2, "wants a")],
)  # fmt: skip
def test_no_policy_lowers_how_many_people_the_house_wants_for_a_suit_and_a_write_off(
    tmp_path: Path, topic: str, people: int, said: str | None
) -> None:
    folder = _copy(tmp_path)
    file = folder / "policy" / "2024-01-01.2.toml"
    text, edits = re.subn(rf"(?m)^{topic} = {{ value = \d", f"{topic} = {{ value = {people}", file.read_text("utf-8"))
    assert edits == 1
    file.write_text(text, encoding="utf-8")
    if said is None:
        assert load_rulebook(folder).policies.all[0].figure(f"approval.{topic}") == people
        return
    with pytest.raises(RulesBroken) as broken:
        load_rulebook(folder)
    assert [fault for fault in broken.value.faults if said in fault]


def test_outside_law_bounds_only_what_is_marked_a_or_b_and_names_its_source() -> None:
    law = load_law(FOLDER)
    assert {bound["mark"] for bound in law.values()} <= {"A", "B"}
    assert not [key for key in law if key.startswith("approval.")], "how many people decide is the house's own rule"


@pytest.mark.parametrize(
    ("rows", "said"),
    [('[{ post = "agency_post", cases = 1 }]', None), ('[{ post = "agency_post" }]', "each needs post and cases"),
     ('[{ post = "agency_post", cases = 0 }]', "a whole number from 1"),
     ('[{ post = "agency_post", cases = "many" }]', "each needs post and cases"),
     ('[{ post = "agency_post", cases = 1 }, { post = "agency_post", cases = 2 }]', "agency_post: twice"),
     ('[{ post = "emperor", cases = 1 }]', "unknown post emperor")],
)  # fmt: skip
def test_a_capacity_is_of_a_post_that_there_is_and_named_once(tmp_path: Path, rows: str, said: str | None) -> None:
    folder = _copy(tmp_path)
    file = folder / "policy" / "2024-01-01.2.toml"
    text, edits = re.subn(r"(?s)(capacity_by_post = .*?value = )\[.*?\n\]", rf"\g<1>{rows}", file.read_text("utf-8"))
    assert edits == 1
    file.write_text(text, encoding="utf-8")
    if said is None:
        assert load_rulebook(folder).policies.all[0].capacities.of(["agency_post"]) == 1
        return
    with pytest.raises(RulesBroken) as broken:
        load_rulebook(folder)
    assert [fault for fault in broken.value.faults if "staff.capacity_by_post" in fault and said in fault]


MORE = 'messages_per_day = 1, demand_from = ["debtor"], third_party_opens_after_days = 3'


@pytest.mark.parametrize(
    ("rows", "said"),
    [(f'[{{ product = "haihua", connected_calls_per_day = 2, quiet_from_hour = 21, {MORE} }}]', None),
     ('[{ product = "haihua", connected_calls_per_day = 4 }]', "haihua: contact.connected_calls_per_day: 4 is looser"),
     ('[{ product = "haihua", quiet_until_hour = 7 }]', "haihua: contact.quiet_until_hour: 7 is looser"),
     ('[{ product = "haihua", third_party_from_dpd = 3 }]', "haihua: contact.third_party_from_dpd: 3 is looser"),
     ('[{ product = "haihua", demand_from = ["contact"] }]', "haihua: contact.demand_from: contact is looser"),
     ('[{ product = "haihua", refusal_binds = ["heir"] }]', "haihua: contact.refusal_binds: leaves out contact"),
     ('[{ product = "haihua", third_party_holds = ["hardship"] }]', "haihua: contact.third_party_holds: hardship is"),
     ('[{ product = "haihua", third_party_opens_after_days = 0 }]', "haihua: contact.third_party_opens_after_days: 0"),
     ('[{ product = "haihua", messages_per_day = "few" }]', "each needs product"),
     ('[{ product = "haihua", third_party_calls_per_day = -1 }]', "each needs product"),
     ('[{ product = "haihua", demand_from = "debtor" }]', "each needs product"),
     ('[{ product = "haihua", permit_minutes = 1 }]', "each needs product"),
     ('[{ connected_calls_per_day = 2 }]', "each needs product"),
     ('["haihua"]', "each needs product"),
     ('[{ product = "haihua" }, { product = "haihua" }]', "haihua: twice")],
)  # fmt: skip
def test_a_product_may_be_held_to_stricter_figures_of_contact_and_never_to_looser(rows: str, said: str | None) -> None:
    text, edits = re.subn(
        r"by_product = \{ rules = (\[.*?\]), empty_because = \".*?\"",
        rf"by_product = {{ rules = \g<1>, value = {rows}",
        (FOLDER / "policy" / "2024-01-01.2.toml").read_text("utf-8"),
    )
    assert edits == 1
    if said is None:
        policy = parse_policy("2024-01-01", text.encode(), load_law(FOLDER))
        assert limits_of(policy, "haihua").connected_calls == 2
        assert limits_of(policy, "consumer").connected_calls == 3
        haihua, others = limits_of(policy, "haihua"), limits_of(policy, "consumer")
        assert (haihua.messages, sorted(haihua.demand_from), haihua.contacts_after_days) == (1, ["debtor"], 3)
        assert (others.messages, "guarantor" in others.demand_from, others.contacts_after_days) == (None, True, 1)
        return
    with pytest.raises(RulesBroken) as broken:
        parse_policy("2024-01-01", text.encode(), load_law(FOLDER))
    assert [fault for fault in broken.value.faults if "contact.by_product" in fault and said in fault]


@pytest.mark.parametrize(
    ("rows", "said"),
    [('[{ state = "litigation" }]', "each needs state and posts"),
     ('[{ state = "litigation", posts = ["emperor"] }]', "unknown post or state emperor"),
     ('[{ state = "limbo", posts = ["asset_preservation"] }]', "unknown post or state limbo")],
)  # fmt: skip
def test_only_posts_that_there_are_may_have_a_state_of_a_case_to_themselves(
    tmp_path: Path, rows: str, said: str
) -> None:
    folder = _copy(tmp_path)
    file = folder / "policy" / "2024-01-01.2.toml"
    text, edits = re.subn(r"(?s)(own_posts = .*?value = )\[.*?\n\]", rf"\g<1>{rows}", file.read_text("utf-8"))
    assert edits == 1
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RulesBroken) as broken:
        load_rulebook(folder)
    assert [fault for fault in broken.value.faults if "contact.own_posts" in fault and said in fault]


def test_every_figure_is_cited_by_the_rules_it_rests_on() -> None:
    policy = load_policies(FOLDER).all[0]
    assert policy.cited["placement.from_dpd"] == ("3.2",)
    kept = {policy.cited[f"records.{key}"] for key in ("retention_years", "retention_after_settlement_years")}
    assert kept == {("X.records",)}, "records have a rule of their own"


def test_every_policy_file_carries_the_same_figures(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    text = (folder / "policy" / "2024-01-01.2.toml").read_text(encoding="utf-8")
    later = text.replace(
        "[settlement]", '[settlement]\ngrace_days = { value = 1, rules = ["1.1.2"], zh = "宽限", en = "grace" }'
    )
    (folder / "policy" / "2025-01-01.toml").write_text(later, encoding="utf-8")
    with pytest.raises(RulesBroken, match=r"2025-01-01: settlement\.grace_days: not in every policy file"):
        load_policies(folder)


def test_a_folder_without_policies_is_refused(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    shutil.rmtree(folder / "policy")
    with pytest.raises(RulesBroken, match="no policy file"):
        load_policies(folder)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "No such file"),
        ("[[x]]\n", "x: is not a table"),
        ('["a.b"]\nmark = "A"\nat_most = 1\n', "a.b.source: missing"),
        ('["a.b"]\nmark = "A"\nsource = "s"\n', "a.b: bounds nothing"),
        ('["a.b"]\nmark = "A"\nsource = "s"\nat_most = 1.5\n', "a.b.at_most: is not a whole number"),
        ('["a.b"]\nmark = "A"\nsource = "s"\nat_least = 1\nfloor = 2\n', "a.b.floor: unknown key"),
        ('["a.b"]\nmark = "A"\nsource = "s"\nmust_hold = []\n', "a.b.must_hold: is empty"),
    ],
)
def test_the_bounds_of_outside_law_are_checked_themselves(tmp_path: Path, text: str | None, reason: str) -> None:
    folder = _copy(tmp_path)
    (folder / "outside_law.toml").unlink()
    if text is not None:
        (folder / "outside_law.toml").write_text(text, encoding="utf-8")
    with pytest.raises(RulesBroken) as broken:
        load_law(folder)
    assert any(fault.startswith("outside_law.toml: ") and reason in fault for fault in broken.value.faults)


def test_the_law_on_the_page_is_the_law_in_force() -> None:
    in_force = load_law(FOLDER)
    assert {key: bound["at_most"] for key, bound in law().items()} == {key: in_force[key]["at_most"] for key in law()}
