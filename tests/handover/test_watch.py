"""What watches over departures: orphans, last days without a plan, and the sweep that carries plans out."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from casework.people.staff.tables import staff
from casework.storage.database import metadata, reading, writing
from casework.work.handover.orphans import count_orphans, departures_ahead, orphans
from casework.work.handover.sweep import sweep_departures
from tests.handover.house import House, at


def test_all_is_well_when_everybody_is_there(house: House) -> None:
    house.open("L1", "L2")
    with reading(house.started.engine) as conn:
        assert orphans(conn, house.today) == []
        assert count_orphans(conn, house.today) == 0
        assert departures_ahead(conn, house.today, 14) == []


def test_the_open_cases_of_somebody_whose_last_day_has_passed_are_orphans(house: House) -> None:
    (case_id,) = house.open("L1")
    house.change("R1", leaves_on=house.today + timedelta(days=1))
    with reading(house.started.engine) as conn:
        assert orphans(conn, house.today + timedelta(days=1)) == [], "on his last day he is there"
        found = orphans(conn, house.today + timedelta(days=2))
        assert [(one.case_id, one.role, one.staff_no, one.why) for one in found] == [
            (case_id, "handler", "R1", "past_last_day"), (case_id, "owner", "R1", "past_last_day"),
        ]  # fmt: skip
        assert count_orphans(conn, house.today + timedelta(days=2)) == 1, "one case, however often it is named"


@pytest.mark.only("sqlite")
def test_the_search_does_not_trust_the_constraint(house: House) -> None:
    """Where somebody has taken the foreign keys away, it still finds every case."""
    (case_id,) = house.open("L1")
    with house.started.engine.connect() as conn:
        conn.exec_driver_sql("COMMIT")
        conn.exec_driver_sql("PRAGMA foreign_keys=OFF")
        conn.exec_driver_sql("UPDATE staff SET status = 'left' WHERE staff_no = 'R1'")
        conn.exec_driver_sql("UPDATE cases SET handler = 'GHOST'")
        conn.exec_driver_sql("PRAGMA foreign_keys=ON")
        conn.exec_driver_sql("BEGIN")
    with reading(house.started.engine) as conn:
        found = orphans(conn, house.today)
    assert [(one.case_id, one.role, one.why) for one in found] == [
        (case_id, "handler", "missing"), (case_id, "owner", "left"),
    ]  # fmt: skip


def test_a_last_day_without_an_approved_plan_warns_days_ahead(house: House) -> None:
    house.open("L1")
    last = house.today + timedelta(days=20)
    house.change("R1", leaves_on=last)
    with reading(house.started.engine) as conn:
        assert departures_ahead(conn, house.today, 14) == [], "not yet"
        (ahead,) = departures_ahead(conn, last - timedelta(days=14), 14)
        assert (ahead.staff_no, ahead.days_left, ahead.cases, ahead.handover) == ("R1", 14, 1, None)
        (late,) = departures_ahead(conn, last + timedelta(days=3), 14)
        assert late.days_left == -3
    handover = house.plan("R1")
    with reading(house.started.engine) as conn:
        (ahead,) = departures_ahead(conn, last, 14)
    assert (ahead.handover, ahead.status) == (handover, "planned"), "a plan that nobody approved is no plan"
    house.approve(handover)
    with reading(house.started.engine) as conn:
        assert departures_ahead(conn, last, 14) == []


def test_the_sweep_applies_what_is_due_and_approved_and_nothing_else(house: House) -> None:
    house.open("L1")
    house.open("L2", owner="R2")
    day = house.today + timedelta(days=3)
    due, early = house.plan("R1", on=day), house.plan("R2", on=day + timedelta(days=1))
    for handover in (due, early):
        house.approve(handover)
    before = sweep_departures(house.started.engine, house.started.branch)
    assert (before.applied, before.failed) == ([], [])
    after = sweep_departures(house.started.engine, house.started.branch, clock=at(day))
    assert [one.handover for one in after.applied] == [due]
    assert house.row(early).state == "approved"
    assert {pair[0] for pair in house.owners().values()} == {"C1", "R2"}


def test_the_sweep_plans_anew_what_has_changed_and_goes_on_with_the_others(house: House) -> None:
    (case_id,) = house.open("L1")
    house.open("L2", owner="R2", team="T2")
    first, second = house.plan("R1"), house.plan("R2")
    for handover in (first, second):
        house.approve(handover)
    house.settle(case_id)
    swept = sweep_departures(house.started.engine, house.started.branch)
    assert [one.handover for one in swept.replanned] == [first]
    assert [one.handover for one in swept.applied] == [second]


def test_one_plan_that_fails_keeps_no_other_back(house: House) -> None:
    first, second = house.plan("R1"), house.plan("R2")
    for handover in (first, second):
        house.approve(handover)
    with writing(house.started.engine) as conn:  # as if he had left by another way meanwhile
        conn.execute(staff.update().where(staff.c.staff_no == "R1").values(status="left", left_on=house.today))
    swept = sweep_departures(house.started.engine, house.started.branch)
    assert [(one.handover, one.code) for one in swept.failed] == [(first, "wrong_status")]
    assert [one.handover for one in swept.applied] == [second]


def test_looking_writes_nothing(house: House) -> None:
    house.open("L1")

    def dump() -> list[list[tuple[object, ...]]]:
        with reading(house.started.engine) as conn:
            return [sorted(map(tuple, conn.execute(sa.select(table))), key=repr) for table in metadata.sorted_tables]

    before = dump()
    sweep_departures(house.started.engine, house.started.branch)
    assert dump() == before
