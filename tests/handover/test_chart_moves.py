"""The next version of the charts of requests and of hand-overs takes over those that wait, as any other chart does."""

import dataclasses
from typing import Any

import pytest
import sqlalchemy as sa

from casework.errors import CallerError
from casework.evidence.verifying import verify
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.work.cases.event_names import label_of
from casework.work.cases.publish import publish
from casework.work.four_eyes import chart_moves, requests
from casework.work.four_eyes.recording import Asked, Moved
from casework.work.four_eyes.recording import Refused as RefusedRequest
from casework.work.four_eyes.tables import requests as asked_for
from casework.work.handover.applying import Applied
from tests.handover.house import House
from tests.lifecycle.next_version import branch_of_next
from tests.lifecycle.test_replay import deep_report

ADMIN = Actor("A1", "staff", "api", frozenset({"administrator"}))
RISK = Actor("K1", "staff", "api", frozenset({"basic_risk_manager"}))


@pytest.fixture
def later(house: House) -> House:
    """The house, which works by the next version of one chart when `takes_over` has been called."""
    house.open("L1", "L2")
    return house


def takes_over(house: House, name: str, renamed: dict[str, str]) -> House:
    branch = branch_of_next(house.started.branch, {name: renamed})
    with writing(house.started.engine) as conn:
        publish(conn, branch, system("cli"))
    return House(dataclasses.replace(house.started, branch=branch))


def move(house: House, name: str) -> int:
    branch = house.started.branch
    with writing(house.started.engine) as conn:
        asked = chart_moves.ask(conn, branch, name, actor=ADMIN)
    assert isinstance(asked, Asked), asked
    with writing(house.started.engine) as conn:
        assert isinstance(requests.approve(conn, branch, asked.request_id, actor=RISK), Moved)
    return chart_moves.run(house.started.engine, branch, name, actor=ADMIN)


def sound(house: House) -> None:
    branch = house.started.branch
    with reading(house.started.engine, snapshot=True) as conn:
        live, deep = verify(conn, branch.mac_key, branch.vault), deep_report(conn)
    assert (live.findings, live.doubts, deep.findings, deep.doubts) == ([], [], [], [])


def request_of(house: House, number: int) -> Any:
    (row,) = house.read(sa.select(asked_for).where(asked_for.c.id == number))
    return row


def test_a_hand_over_that_waits_is_moved_and_carried_out_under_the_next_version(later: House) -> None:
    """The state in which it waits keeps its name (decision 0039): it goes on before and after its move."""
    handover = later.plan("R1")
    later.approve(handover)
    house = takes_over(later, "handover", {})
    assert move(house, "handover") == 1
    assert house.row(handover).chart == "handover@2"
    assert "handover.moved" in house.events(f"handover:{handover}")
    assert isinstance(house.apply(handover), Applied)
    sound(house)


def test_a_hand_over_whose_state_has_another_name_waits_for_its_move(later: House) -> None:
    handover = later.plan("R1")
    house = takes_over(later, "handover", {"planned": "drawn_up"})
    with pytest.raises(CallerError) as told:
        house.withdraw(handover)
    assert told.value.code == "not_moved"
    assert move(house, "handover") == 1
    assert house.row(handover).state == "drawn_up"
    house.withdraw(handover)
    assert house.row(handover).state == "withdrawn"
    sound(house)


def test_a_request_whose_state_has_another_name_waits_for_its_move_and_is_then_decided(later: House) -> None:
    number = later.row(later.plan("R1")).request
    house = takes_over(later, "request", {"asked": "raised"})
    approver, branch = house.who("V1"), house.started.branch
    with writing(house.started.engine) as conn:
        refused = requests.approve(conn, branch, number, actor=approver)
    assert isinstance(refused, RefusedRequest)
    assert [reason.code for reason in refused.reasons] == ["not_moved"]
    assert move(house, "request") == 1
    row = request_of(house, number)
    assert (row.state, row.chart) == ("raised", house.started.branch.rulebook.charts["request"].title)
    assert "request.moved" in house.events(f"request:{number}")
    with writing(house.started.engine) as conn:
        assert isinstance(requests.withdraw(conn, branch, number, actor=house.who("B1")), Moved)
    sound(house)


@pytest.mark.parametrize(
    ("event", "zh", "en"), [("request.moved", "申请", "Request"), ("handover.moved", "移交计划", "Hand-over")]
)
def test_a_move_of_either_is_told_in_words(house: House, event: str, zh: str, en: str) -> None:
    words = label_of(house.started.branch.rulebook, event)
    assert words == (f"{zh}：按新版状态图迁移", f"{en}: Moved to the next version of its chart")
