"""Verification of the register: whatever is changed by SQL in any of its tables is found."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.people.staff import absence, places, register
from casework.people.staff.actor import Actor
from casework.people.staff.tables import (
    absences,
    certificates,
    memberships,
    posts_held,
    regions,
    staff,
    teams,
)
from casework.storage.database import reading, writing
from tests.staff.conftest import TODAY, Register

DAY = timedelta(days=1)


@pytest.fixture
def full(branch: Register) -> Register:
    """A register with a row in every table."""
    branch.do(places.set_region, code="R1", name="武汉")
    branch.do(places.set_team, code="T1", name="第一组", region="R1")
    branch.add("S1", "business_rep", team="T1", capacity=10)
    branch.add("S2", "approver", team="T1")
    branch.do(register.named_by_feed, {"U1"})
    branch.do(absence.absent, branch.permissions, staff_no="S1", from_on=TODAY, until_on=TODAY + DAY, reason="leave")
    branch.do(absence.certify, staff_no="S1", kind="collector_training", issued_on=TODAY)
    assert branch.report().findings == []
    assert branch.report().people == 3
    return branch


_S1 = {"staff_no": "S1"}
ATTACKS: list[tuple[str, sa.Table, Any]] = [
    ("row_differs", staff, staff.update().where(staff.c.staff_no == "U1").values(status="active")),
    ("row_differs", staff, staff.update().where(staff.c.staff_no == "S1").values(status="left")),
    ("row_differs", staff, staff.update().where(staff.c.staff_no == "S1").values(capacity=None)),
    ("row_differs", staff, staff.update().where(staff.c.staff_no == "S1").values(leaves_on=TODAY)),
    ("row_differs", staff, staff.update().where(staff.c.staff_no == "S1").values(joined_on=None)),
    ("row_differs", staff, staff.update().where(staff.c.staff_no == "S1").values(name="别人")),
    ("row_differs", staff, staff.update().where(staff.c.staff_no == "U1").values(name="别人")),
    ("row_differs", staff, staff.update().where(staff.c.staff_no == "U1").values(merged_into="S1")),
    ("row_without_entries", staff, staff.insert().values(staff_no="X1", name="x", status="active", added_at=now())),
    ("row_differs", posts_held, posts_held.insert().values(
        **_S1, post="administrator", from_on=TODAY, granted_by="system")),
    ("row_differs", posts_held, posts_held.update().where(posts_held.c.post == "approver").values(
        from_on=TODAY - 9 * DAY)),
    ("row_differs", posts_held, posts_held.update().where(posts_held.c.post == "approver").values(until_on=TODAY)),
    ("row_differs", posts_held, posts_held.update().where(posts_held.c.post == "approver").values(granted_by="S1")),
    ("row_differs", posts_held, posts_held.update().where(posts_held.c.post == "approver").values(request_id=5)),
    ("row_differs", posts_held, posts_held.update().where(posts_held.c.post == "approver").values(staff_no="S1")),
    ("row_differs", posts_held, posts_held.delete().where(posts_held.c.post == "approver")),
    ("row_differs", memberships, memberships.update().where(memberships.c.staff_no == "S1").values(team="T9")),
    ("row_differs", memberships, memberships.delete().where(memberships.c.staff_no == "S1")),
    ("row_differs", memberships, memberships.insert().values(staff_no="U1", from_on=TODAY, team="T1")),
    ("row_differs", certificates, certificates.update().values(expires_on=TODAY)),
    ("row_differs", certificates, certificates.delete()),
    ("row_differs", absences, absences.update().values(deputy="S2")),
    ("row_differs", absences, absences.update().values(until_on=TODAY + 9 * DAY)),
    ("row_differs", absences, absences.insert().values(
        staff_no="S2", from_on=TODAY, until_on=TODAY, reason="sick", deputy="S1")),
    ("row_differs", teams, teams.update().values(name="别的")),
    ("row_differs", teams, teams.insert().values(code="T2", name="x")),
    ("row_differs", regions, regions.insert().values(code="R2", name="x")),
]  # fmt: skip


@pytest.mark.parametrize(("code", "table", "attack"), ATTACKS, ids=range(len(ATTACKS)))
def test_a_row_given_or_taken_by_sql_is_found(full: Register, code: str, table: sa.Table, attack: Any) -> None:
    with writing(full.started.engine) as conn:
        conn.execute(attack)
    report = full.report()
    assert report.verdict == "tampered"
    assert {(found.code, found.detail["table"]) for found in report.findings} == {(code, table.name)}


def test_a_person_whose_row_is_gone_is_found(full: Register) -> None:
    with writing(full.started.engine) as conn:
        conn.execute(staff.delete().where(staff.c.staff_no == "U1"))
    assert [(found.code, found.stream) for found in full.report().findings] == [("head_missing", "staff:U1")]


@pytest.mark.only("sqlite")
def test_values_of_a_wrong_type_convict_the_row_and_do_not_stop_the_verification(full: Register) -> None:
    with writing(full.started.engine) as conn:
        conn.execute(sa.text("UPDATE posts_held SET from_on = 'yesterday' WHERE post = 'approver'"))
        conn.execute(sa.text("UPDATE staff SET capacity = 'much' WHERE staff_no = 'S1'"))
        conn.execute(sa.text("UPDATE absences SET until_on = x'00'"))
    found = {(one.detail["table"], one.stream) for one in full.report().findings}
    assert found == {
        ("posts_held", "staff:S2"), ("staff", "staff:S1"), ("absences", "staff:S1"),
        ("posts_held", None), ("staff", None), ("absences", None),  # the columns themselves, mistyped
    }  # fmt: skip


def test_the_report_counts_the_people(full: Register) -> None:
    with reading(full.started.engine) as conn:
        known = conn.execute(sa.select(sa.func.count()).select_from(staff)).scalar_one()
    assert full.report().as_json()["checked"]["people"] == known


def test_a_post_granted_by_a_person_without_a_request_or_citing_none_that_is_there_is_found(full: Register) -> None:
    full.actor = Actor("A1", "staff", "cli", frozenset({"administrator"}))
    full.grant("S1", "post_loan_officer", request_id=3)
    full.grant("S1", "phone_collector")
    full.add("S3", "approver")
    assert {(one.code, one.stream) for one in full.report().findings} == {
        ("four_eyes_missing", "staff:S1"),
        ("grant_without_request", "staff:S1"),
        ("grant_without_request", "staff:S3"),
    }
