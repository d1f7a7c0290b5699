"""Verification of hand-overs: what is changed in a plan, an approval or a receipt by SQL is found."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from casework.evidence.verifying import verify
from casework.log.check.findings import Report
from casework.log.format.entry import Entry, decode_strict
from casework.log.tables import entries
from casework.settings import load_keys
from casework.storage.database import reading, writing
from casework.work.cases.publish import cited_in
from casework.work.handover.judging import handover_judge
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


# What a writer of entries (who has the key) may have made of the life of a hand-over: entry, change of it, finding.
FORGED: dict[str, tuple[str, Callable[[Entry], Any], str]] = {
    "applied before its day": ("planned", lambda one: one.data.update(effective_on="2999-01-01"), "step_not_allowed"),
    "applied by who leaves": ("applied", lambda one: one.data["gathered"].update(people=["R1"]), "step_not_allowed"),
    "approved without a place for all": ("planned", lambda one: one.data.update(unplaced=1), "step_not_allowed"),
    "applied unapproved": ("approved", lambda one: replace(one, event="handover.sheet_made"), "step_not_allowed"),
    "planned at another time": (
        "planned", lambda one: one.data.update(planned_at="2020-01-01T00:00:00.000000Z"), "data_not_typed",
    ),
    "applied at another time": (
        "applied", lambda one: one.data["gathered"].update(at="2020-01-01T00:00:00.000000Z"), "data_not_typed",
    ),
    "an unknown field": ("applied", lambda one: one.data["given"].update(more=1), "data_not_typed"),
    "never planned": ("planned", lambda one: replace(one, event="handover.approved"), "replay_impossible"),
}  # fmt: skip


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("name", FORGED)
def test_an_entry_that_could_not_have_been_is_found_when_it_is_judged_again(house: House, name: str) -> None:
    handover = applied(house)
    event, forge, code = FORGED[name]
    assert judged(house, handover) == set(), "the good twin"
    assert code in judged(house, handover, f"handover.{event}", forge)


def judged(house: House, handover: int, event: str = "", forge: Callable[[Entry], Any] = lambda _: None) -> set[str]:
    report = Report()
    with reading(house.started.engine) as conn:
        judge = handover_judge(cited_in(conn, report), report, lambda _: None)
        wanted = sa.select(entries.c.body).where(entries.c.stream == f"handover:{handover}")
        for body in conn.execute(wanted.order_by(entries.c.stream_seq)).scalars():
            entry = decode_strict(bytes(body))
            if entry.event == event:
                entry = forge(entry) or entry
            judge.follow(entry)
        judge.end(sound=True)
    return {finding.code for finding in report.findings}
