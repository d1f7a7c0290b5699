"""Verification of hand-overs: what is changed in a plan, an approval or a receipt by SQL is found."""

from typing import Any

import pytest
import sqlalchemy as sa

from casework.evidence.verifying import verify
from casework.settings import load_keys
from casework.storage.database import reading, writing
from casework.work.handover.tables import handover_moves, handovers
from tests.handover.house import House


def found(house: House) -> set[str]:
    keys = load_keys(house.started.settings.keys_dir)
    with reading(house.started.engine, snapshot=True) as conn:
        report = verify(conn, keys.mac, house.started.branch.vault)
    return {finding.code for finding in report.findings}


def applied(house: House) -> int:
    house.open("L1", "L2")
    handover = house.plan("R1")
    house.approve(handover)
    house.apply(handover)
    return handover


def row(**values: Any) -> Any:
    return handovers.update().values(**values)


def moves(**values: Any) -> Any:
    return handover_moves.update().values(**values)


ATTACKS: list[tuple[Any, str]] = [
    (row(state="planned"), "row_differs"),
    (row(staff_no="R2"), "row_differs"),
    (row(planned_by="B2"), "row_differs"),
    (row(plan_digest="0" * 64), "row_differs"),
    (row(request=99), "row_differs"),
    (row(preview=b"{}"), "plan_differs"),
    (row(named=b'["C2"]'), "row_differs"),
    (moves(receiver="C2"), "plan_differs"),
    (moves(reason="named"), "plan_differs"),
    (moves(overdue_fen=1), "plan_differs"),
    (handover_moves.delete().where(handover_moves.c.case_id == 2), "plan_differs"),
    (moves(entry_id=None), "receipt_differs"),
    (moves(entry_id="case:1:1"), "receipt_differs"),
]


@pytest.mark.parametrize("number", range(len(ATTACKS)))
def test_a_change_by_sql_is_found(house: House, number: int) -> None:
    applied(house)
    assert found(house) == set(), "the good twin"
    attack, code = ATTACKS[number]
    with writing(house.started.engine) as conn:
        conn.execute(attack)
    assert code in found(house)


def test_a_plan_that_no_entry_speaks_of_is_found(house: House) -> None:
    handover = applied(house)
    columns = [column for column in handovers.columns if column.name != "id"]
    with writing(house.started.engine) as conn:
        source = sa.select(*columns).where(handovers.c.id == handover)
        conn.execute(handovers.insert().from_select([column.name for column in columns], source))
    assert "row_without_entries" in found(house)


def test_a_plan_that_was_taken_away_is_found(house: House) -> None:
    handover = applied(house)
    with writing(house.started.engine) as conn:
        conn.execute(handover_moves.delete().where(handover_moves.c.handover_id == handover))
        conn.execute(handovers.delete().where(handovers.c.id == handover))
    assert "row_missing" in found(house)


def test_a_receipt_before_its_time_is_found(house: House) -> None:
    house.open("L1")
    house.plan("R1")
    with writing(house.started.engine) as conn:
        conn.execute(moves(entry_id="case:1:1"))
    assert "receipt_differs" in found(house)
