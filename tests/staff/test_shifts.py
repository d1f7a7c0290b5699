"""The roster: shifts entered by file and one by one, who is off, and who answers in their place."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from casework.errors import CallerError, RulesBroken
from casework.intake.enrolment.shift_sheet import import_shifts
from casework.people.shifts.answering import Answer, Answers, answers_on
from casework.people.shifts.entering import ShiftGiven, enter_shifts, shifts_between
from casework.people.shifts.shift_rules import ShiftRules, load_shift_rules, parse_shift_rules
from casework.people.shifts.tables import shifts
from casework.people.staff import absence, register
from casework.rules.statechart.outside_law import load_law
from casework.rules.statechart.policy import Policies, load_policies, parse_policy
from casework.storage.database import open_engine, reading
from tests.staff.conftest import TODAY, Register

RULES = Path(__file__).parents[2] / "statecharts"
WHOLE = (RULES / "rules" / "shifts.toml").read_text(encoding="utf-8")
POLICIES = load_policies(RULES)
POSTS = frozenset({"basic_risk_manager", "phone_collector"})
DAY = timedelta(days=1)
FESTIVAL = date(2026, 2, 17)
PHONES, HEADS = "phone_collector", "basic_risk_manager"


@pytest.fixture
def post(branch: Register) -> Register:
    """Four phone collectors, three of them of region R1 and two of those of one team; the head; a rep."""
    branch.add("P1", "phone_collector", team="T1", region="R1")
    branch.add("P2", "phone_collector", team="T1", region="R1")
    branch.add("P3", "phone_collector", team="T2", region="R1")
    branch.add("P4", "phone_collector", region="R2")
    branch.add("B9", "basic_risk_manager")
    branch.add("V1", "business_rep", team="T1", region="R1")
    return branch


def rules(branch: Register) -> ShiftRules:
    return branch.started.branch.rulebook.shifts


def enter(branch: Register, *given: str, on: date = TODAY) -> list[date]:
    """Each as `staff_no shift [stand_in]`; `none` takes off the roster."""
    parts = [one.split() for one in given]
    told = [ShiftGiven(on, who, None if shift == "none" else shift, *more) for who, shift, *more in parts]
    return branch.do(enter_shifts, rules(branch), told, closed=None)


def away(branch: Register, staff_no: str, deputy: str | None = None) -> Any:
    return branch.do(
        absence.absent, branch.permissions, staff_no=staff_no, from_on=TODAY, until_on=TODAY, reason="leave",
        deputy=deputy,
    )  # fmt: skip


def answers(branch: Register, on: date = TODAY) -> Answers:
    with reading(branch.started.engine) as conn:
        return answers_on(conn, rules(branch), branch.started.branch.rulebook.policies.at(on), on)


def who(branch: Register, staff_no: str, on: date = TODAY) -> tuple[str, str]:
    one = answers(branch, on).who(staff_no)
    return one.staff_no, one.why


def test_who_is_there_answers_and_so_does_whoever_nobody_registered(post: Register) -> None:
    enter(post, "P1 day", "P2 late")
    assert [who(post, one) for one in ("P1", "P2", "P3", "X9")] == [
        ("P1", "own"), ("P2", "own"), ("P3", "own"), ("X9", "own")
    ]  # fmt: skip
    assert answers(post).who_of_all() == {}


def test_for_whom_is_off_answers_the_stand_in_then_the_deputy_then_who_is_on_the_roster(post: Register) -> None:
    """Of the same team, else of the same region, else anybody of the post; who is not on the roster is not asked."""
    enter(post, "P1 rest P4", "P2 day", "P3 day")
    assert who(post, "P1") == ("P4", "stand_in")
    enter(post, "P1 rest")
    assert who(post, "P1") == ("P2", "on_duty")
    enter(post, "P2 none")
    assert who(post, "P1") == ("P3", "on_duty")
    enter(post, "P1 none", "P3 rest")
    away(post, "P1", "P4")
    assert who(post, "P1") == ("P4", "deputy")
    enter(post, "P4 rest", "P2 on_duty")
    assert who(post, "P1") == ("P2", "on_duty")


def test_where_the_roster_has_nobody_the_head_answers_and_it_is_said(post: Register) -> None:
    """A head who is off too answers all the same; a head who is off answers for themselves."""
    enter(post, "P1 rest", "P2 rest", "P3 rest", "P4 rest")
    assert who(post, "P1") == ("B9", "head")
    enter(post, "B9 rest")
    assert answers(post).who_of_all() == {
        "B9": Answer("B9", "nobody"),
        **dict.fromkeys(("P1", "P2", "P3", "P4"), Answer("B9", "head_off")),
    }
    away(post, "P1", "P2")
    assert who(post, "P1") == ("P2", "deputy_off")


def test_at_spring_festival_only_those_on_the_roster_are_there(branch: Register) -> None:
    """By the policy's preset."""
    branch.today = date(2026, 2, 10)
    for staff_no, held in (("P1", PHONES), ("P3", PHONES), ("P4", PHONES), ("B9", HEADS), ("V1", "business_rep")):
        branch.add(staff_no, held)
    enter(branch, "P3 on_duty", on=FESTIVAL)
    assert [who(branch, one, FESTIVAL) for one in ("P1", "P3", "P4", "V1")] == [
        ("P3", "on_duty"), ("P3", "own"), ("P3", "on_duty"), ("B9", "head_off")
    ]  # fmt: skip
    assert who(branch, "P1", date(2026, 2, 24)) == ("P1", "own")


def test_those_who_answer_share_the_work_of_who_is_off(branch: Register) -> None:
    for number in range(1, 21):
        branch.add(f"P{number:02}", "phone_collector")
    enter(branch, *(f"P{number:02} {'day' if number > 17 else 'rest'}" for number in range(1, 21)))
    found = answers(branch).who_of_all().values()
    assert {one.staff_no for one in found} == {"P18", "P19", "P20"}


def test_entered_again_a_shift_takes_the_place_of_the_one_before_and_the_same_is_no_entry(post: Register) -> None:
    assert enter(post, "P1 day", "P2 rest P3") == [TODAY]
    assert enter(post, "P1 day", "P2 rest P3") == []
    assert enter(post, "P1 none", "P2 rest", "P4 none") == [TODAY]
    with reading(post.started.engine) as conn:
        assert shifts_between(conn, TODAY - DAY, TODAY + DAY) == [ShiftGiven(TODAY, "P2", "rest")]
    assert post.report().findings == []


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (["P1 holiday"], "shift_unknown"), (["X9 day"], "unknown_staff"), (["P1 rest X9"], "unknown_staff"),
        (["P1 rest P1"], "stand_in_oneself"), (["P1 day P2"], "stand_in_not_needed"),
        (["P1 none P2"], "stand_in_not_needed"), (["P1 day", "P1 rest"], "shift_repeated"),
        (["U1 day"], "wrong_status"),
    ],
)  # fmt: skip
def test_a_shift_with_a_fault_is_refused_with_all_others_and_every_fault_is_told(
    post: Register, given: list[str], code: str
) -> None:
    post.do(register.named_by_feed, ["U1"])
    parts = [one.split() for one in ["P4 day", *given]]
    told = [ShiftGiven(TODAY, staff_no, None if shift == "none" else shift, *more) for staff_no, shift, *more in parts]
    with pytest.raises(CallerError) as refused:
        post.do(enter_shifts, rules(post), told, closed=None)
    assert refused.value.code == "roster_faulty"
    assert [one["code"] for one in refused.value.facts["faults"]] == [code]
    assert answers(post).listed == {}


def test_what_changes_nothing_on_a_roster_that_was_never_made_leaves_nothing_behind(post: Register) -> None:
    assert enter(post, "P1 none") == []
    assert post.report().findings == []


def test_nothing_and_too_much_are_refused(post: Register) -> None:
    assert post.mistake(enter_shifts, rules(post), [], closed=None) == "roster_empty"
    many = [ShiftGiven(TODAY, "P1", "day")] * 20_001
    assert post.mistake(enter_shifts, rules(post), many, closed=None) == "roster_too_long"


FILE = "日期,工号,班次,替班人\n2026-03-10,P1,白班,\n2026-03-10,P2,休,P3\n2026/3/11,P1,on_duty,\n"


def test_a_file_is_entered_whole_with_chinese_names_of_columns_and_shifts(post: Register) -> None:
    file = FILE.replace("2026/3/11", "2026-03-11").encode("gb18030")
    assert post.do(import_shifts, rules(post), file, "班表.csv", closed=None) == (3, [TODAY, TODAY + DAY], [])
    assert answers(post).listed == {"P1": ("day", None), "P2": ("rest", "P3")}
    assert post.report().findings == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("日期,工号,班次\n2026-03-10,P1,白班\n2026-03-10,P2,休假\n", ["line 3, shift: no such shift (leave is"]),
        ("日期,工号,班次\n2026-13-10,P1,白班\n2026-03-10,X9,白班\n",
         ["line 2, day: ", "line 3, staff_no: there is no"]),
        ("日期,工号,班次,替班人\n2026-03-10,P1,白班,P2\n", ["line 2, stand_in: who is there needs no stand-in"]),
        ("日期,工号,班次\n2026-03-10,P1,白班\n2026-03-10,P1,休\n",
         ["line 3, staff_no: P1 has a shift on 2026-03-10"]),
    ],
)  # fmt: skip
def test_a_file_with_a_fault_enters_nothing_and_says_in_which_lines(
    post: Register, text: str, said: list[str]
) -> None:  # fmt: skip
    with pytest.raises(CallerError) as refused:
        post.do(import_shifts, rules(post), text.encode(), "班表.csv", closed=None)
    assert refused.value.code == "roster_faulty"
    assert [one for one in said if one not in str(refused.value)] == []
    assert answers(post).listed == {}


def test_row_by_row_a_file_enters_what_is_sound_and_sets_the_others_aside_with_cell_and_fault(
    post: Register,
) -> None:
    """A row that is there twice is entered once: its second is set aside."""
    text = "日期,工号,班次,替班人\n2026-03-10,P1,白班,\n2026-13-10,P2,白班,\n2026-03-10,X9,白班,\n2026-03-10,P3,休假,\n"
    taken = post.do(
        import_shifts, rules(post), (text + "2026-03-10,P1,休,\n").encode(), "班表.csv", closed=None, atomic=False
    )
    assert (taken.rows, taken.days) == (1, [TODAY])
    assert [(one.line, one.column) for one in taken.set_aside] == [
        (3, "day"), (4, "staff_no"), (5, "shift"), (6, "staff_no")
    ]  # fmt: skip
    assert all(one.zh and one.en for one in taken.set_aside)
    assert answers(post).listed == {"P1": ("day", None)}
    nothing = post.do(
        import_shifts, rules(post), "日期,工号\n2026-13-10,P1\n".encode(), "班表.csv", closed=None, atomic=False
    )
    assert (nothing.rows, nothing.days, len(nothing.set_aside)) == (0, [], 1)
    assert (
        post.mistake(import_shifts, rules(post), "日期,工号\n".encode(), "班表.csv", closed=None, atomic=False)
        == "roster_empty"
    )
    assert post.report().findings == []


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    "attack", [shifts.update().values(shift="rest"), shifts.delete(), shifts.update().values(stand_in="P3")]
)
def test_a_shift_changed_by_sql_is_found(post: Register, attack: sa.UpdateBase) -> None:
    enter(post, "P1 day", "P2 rest")
    engine = open_engine(post.started.settings.database_url)
    with engine.begin() as conn:
        conn.execute(attack)
    engine.dispose()
    assert [(one.code, one.stream) for one in post.report().findings] == [("row_differs", "register:roster")]


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('[shifts.rest]\noff = true', "[shifts.rest]\noff = false", "shifts: none is off"),
        ('as = ["早"]', 'as = ["白"]', "shifts.early: day is called 白 already"),
        ('zh = "早班"\n', "", "shifts.early.zh: missing label"),
        ('otherwise = "basic_risk_manager"', 'otherwise = "boss"', "heads.otherwise: no post is called boss"),
        ('otherwise = "basic_risk_manager"', 'phone_collector = "phone_collector"', "heads.otherwise: missing"),
        ("version = 1", "version = 1\nversion = 2", "shifts.toml: "),
    ],
)  # fmt: skip
def test_a_table_of_shifts_with_a_fault_is_refused_and_says_where(before: str, after: str, fault: str) -> None:
    """Each is the real table with one thing changed."""
    spoilt = WHOLE.replace(before, after, 1)
    assert spoilt != WHOLE
    with pytest.raises(RulesBroken) as broken:
        parse_shift_rules(spoilt.encode(), POLICIES, POSTS)
    assert any(fault in one for one in broken.value.faults)


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('from_on = "2026-02-15"', 'from_on = "2026-02-30"', "2026-02-30 or 2026-02-23 is no day"),
        ('until_on = "2026-02-23"', 'until_on = "2026-02-14"', "2026-02-14 is before 2026-02-15"),
        ('shift = "rest"', 'shift = "asleep"', "no shift is called asleep"),
        ('from_on = "2026-02-15", ', "", "each needs from_on, until_on and shift"),
    ],
)  # fmt: skip
def test_a_preset_that_means_nothing_is_refused(before: str, after: str, fault: str) -> None:
    """Each is the real policy with one thing changed."""
    policy = POLICIES.all[0]
    spoilt = policy.text.decode().replace(before, after, 1)
    assert spoilt.encode() != policy.text
    other = Policies([parse_policy(policy.name, spoilt.encode(), load_law(RULES))])
    with pytest.raises(RulesBroken) as broken:
        parse_shift_rules(WHOLE.encode(), other, POSTS)
    assert any(fault in one for one in broken.value.faults)


def test_the_table_of_the_branch_is_whole() -> None:
    assert load_shift_rules(RULES, POLICIES, POSTS).by_code["rest"].off
