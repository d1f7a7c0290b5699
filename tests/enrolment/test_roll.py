"""A file of staff brought into the register: all of it or nothing, nothing done twice, differences told before."""

import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import xlsxwriter

from casework.intake.enrolment.roll import Outcome, bring
from casework.intake.enrolment.sheet import PeopleSheet, post_names, read_sheet
from casework.intake.feed.sheet import read_rows
from casework.log.tables import entries
from casework.operation.startup import start
from casework.people.staff import places, register
from casework.people.staff.actor import Actor, system
from casework.people.staff.person import Home
from casework.people.staff.posts import post_labels
from casework.settings import Settings
from casework.storage.database import reading, writing
from tests.staff.conftest import TODAY, Register

DAY = timedelta(days=1)


@pytest.fixture
def branch(settings: Settings, rulebook_published: None) -> Iterator[Register]:
    """A branch with an administrator in its register."""
    started = start(settings)
    held = Register(started)
    held.add("A1", "administrator")
    yield held
    started.engine.dispose()


def read(branch: Register, content: bytes) -> PeopleSheet:
    names = post_names(post_labels(branch.started.branch.rulebook.chart))
    return read_sheet(read_rows(content, "staff"), names)


def run(branch: Register, text: str | bytes, *, actor: Actor | None = None, dry_run: bool = False) -> Outcome:
    content = text.encode() if isinstance(text, str) else text
    with writing(branch.started.engine) as conn:
        return bring(
            conn, branch.started.branch, read(branch, content), actor=actor or system("cli"), dry_run=dry_run,
            clock=branch.clock,
        )  # fmt: skip


def log_length(branch: Register) -> int:
    with reading(branch.started.engine) as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one())


def told(outcome: Outcome) -> list[tuple[Any, ...]]:
    return [(one.line, one.staff_no, one.field, one.before, one.after) for one in outcome.differences]


FILE = "工号,姓名,岗位,团队,上限,入职日期,离职日期\nS1,王,业务代表,T1,50,2025-01-02,\nS2,李,审批人,,,,\n"


def test_a_file_registers_people_and_again_changes_nothing(branch: Register) -> None:
    outcome = run(branch, FILE)
    assert (outcome.applied, outcome.rows, outcome.unchanged, outcome.faults) == (True, 2, 0, [])
    assert told(outcome) == [
        (2, "S1", "status", None, "active"), (2, "S1", "name", None, "王"), (2, "S1", "team", None, "T1"),
        (2, "S1", "capacity", None, "50"), (2, "S1", "joined_on", None, "2025-01-02"),
        (2, "S1", "post", None, "business_rep"), (3, "S2", "status", None, "active"), (3, "S2", "name", None, "李"),
        (3, "S2", "post", None, "approver"),
    ]  # fmt: skip
    before = log_length(branch)
    again = run(branch, FILE)
    assert (again.unchanged, again.differences, log_length(branch)) == (2, [], before)
    branch.later(30)
    assert run(branch, FILE).differences == []
    assert branch.report().findings == []


def test_a_dry_run_tells_the_same_differences_and_changes_nothing(branch: Register) -> None:
    before = log_length(branch)
    dry = run(branch, FILE, dry_run=True)
    assert not dry.applied
    assert log_length(branch) == before
    assert told(dry) == told(run(branch, FILE))


def test_what_differs_is_changed_and_what_the_file_does_not_say_stays(branch: Register) -> None:
    run(branch, FILE)
    branch.later(1)
    outcome = run(branch, "staff_no,name,posts,team,capacity,leaves_on\nS1,王小明,,T2,-,2026-04-30\nS2,李,-,,,\n")
    assert told(outcome) == [
        (2, "S1", "name", "王", "王小明"), (2, "S1", "capacity", "50", None),
        (2, "S1", "leaves_on", None, "2026-04-30"), (2, "S1", "team", "T1", "T2"), (3, "S2", "post", "approver", None),
    ]  # fmt: skip
    first, second = branch.person("S1"), branch.person("S2")
    assert [held.post for held in first.held_on(branch.today)] == ["business_rep"]
    assert first.homes == (Home(TODAY, TODAY, "T1", None), Home(branch.today, None, "T2", None))
    assert second.held_on(branch.today) == ()
    assert branch.report().findings == []


def test_with_one_fault_nothing_happens_and_every_fault_is_told(branch: Register) -> None:
    run(branch, FILE)
    branch.do(register.leave, staff_no="S2", on=TODAY, cause={})
    branch.do(places.set_region, code="R1", name="武汉")
    branch.do(places.set_team, code="T1", name="一组", region="R1")
    before = log_length(branch)
    outcome = run(
        branch,
        "staff_no,name,posts,team,region,leaves_on\n"
        "S3,赵,auditor approver,,,\nS4,钱,,T9,,\nS5,孙,,,R9,\nS6,周,,T1,R2,\nS7,吴,king,,,\nS2,李,,,,\n"
        "S8,郑,,,,2020-01-01\nS9,冯,business_rep,T1,,\n",
    )
    assert [(fault.line, fault.column, fault.code) for fault in outcome.faults] == [
        (2, "posts", "posts_conflict"), (3, "team", "unknown_team"), (4, "region", "unknown_region"),
        (5, "region", "region_differs"), (6, "posts", "unknown_post"), (7, None, "wrong_status"),
        (8, "leaves_on", "day_in_past"),
    ]  # fmt: skip
    assert (outcome.applied, log_length(branch)) == (False, before)
    assert run(branch, "staff_no,name,posts,team\nS9,冯,business_rep,T1\n").applied
    assert branch.person("S9").homes == (Home(TODAY, None, "T1", "R1"),)
    assert branch.report().findings == []


def test_posts_asked_for_by_an_administrator_wait_for_somebody_else(branch: Register) -> None:
    administrator = Actor("A1", "staff", "cli", frozenset({"administrator"}))
    outcome = run(branch, FILE, actor=administrator)
    asked = {(one.staff_no, one.after): one.request for one in outcome.differences if one.field == "post"}
    assert set(asked) == {("S1", "business_rep"), ("S2", "approver")}
    assert all(asked.values())
    assert branch.person("S1").posts == ()
    again = run(branch, FILE, actor=administrator)
    assert (again.differences, again.unchanged) == ([], 2)
    assert branch.report().findings == []


def test_somebody_else_than_an_administrator_asks_for_nothing(branch: Register) -> None:
    outcome = run(branch, FILE, actor=Actor("S9", "staff", "cli", frozenset({"business_rep"})))
    assert {fault.code for fault in outcome.faults} == {"post_not_permitted"}
    assert not outcome.applied


def test_whom_a_feed_named_becomes_active(branch: Register) -> None:
    branch.do(register.named_by_feed, {"S1"})
    outcome = run(branch, FILE)
    assert told(outcome)[0] == (2, "S1", "status", "unverified", "active")
    assert branch.report().findings == []


def test_a_workbook_says_the_same_as_text(branch: Register) -> None:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        sheet = book.add_worksheet()
        for number, line in enumerate(FILE.splitlines()):
            sheet.write_row(number, 0, line.split(","))
        sheet.write_number(1, 4, 50)
        sheet.write_datetime(1, 5, TODAY - 400 * DAY, book.add_format({"num_format": "yyyy-mm-dd"}))
    outcome = run(branch, content.getvalue())
    assert outcome.faults == []
    assert (branch.person("S1").capacity, branch.person("S1").joined_on) == (50, TODAY - 400 * DAY)


@pytest.mark.parametrize(
    ("number", "shown", "told_as"),
    [(10021, "General", "10021"), (21, "00000", "00021"), (1234567890123456, "0", "id_exponent"),
     (10021.5, "General", "id_decimal")],
)  # fmt: skip
def test_a_staff_number_in_a_number_cell_is_read_with_its_digits_or_told(
    branch: Register, number: float, shown: str, told_as: str
) -> None:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["staff_no", "name"])
        sheet.write_number(1, 0, number, book.add_format({"num_format": shown}))
        sheet.write_string(1, 1, "王")
    outcome = run(branch, content.getvalue())
    faults = [(fault.line, fault.column, fault.code) for fault in outcome.faults]
    assert faults == ([(2, "staff_no", told_as)] if told_as.startswith("id_") else [])
    assert {one.staff_no for one in outcome.differences} == (set() if faults else {told_as})
