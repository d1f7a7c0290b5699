"""The sheet of a receiver: his cases and what they carry, no formula, nobody's name; that it was made is an entry."""

import io
from datetime import date
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from casework.errors import CallerError
from casework.storage.database import writing
from casework.work.handover.sheets import sheet_of
from tests.handover.house import House


def sheet(house: House, handover: int, receiver: str, by: str = "B1", lang: Any = "zh") -> list[list[Any]]:
    with writing(house.started.engine) as conn:
        made = sheet_of(conn, house.started.branch, handover, receiver, actor=house.who(by), lang=lang)
    return CalamineWorkbook.from_filelike(io.BytesIO(made.body)).get_sheet_by_index(0).to_python()


def planned(house: House) -> tuple[int, list[int]]:
    ids = house.open("=1+1", "L2")
    house.connect(ids[0])
    house.promise("R1", ids[0], date(2024, 3, 9))
    house.hold("B1", ids[1], "dispute")
    return house.plan("R1"), ids


def test_each_case_with_its_amounts_dates_reason_and_receipt(house: House) -> None:
    handover, ids = planned(house)
    house.approve(handover)
    house.apply(handover)
    _, (mark, *_), header, *lines = sheet(house, handover, "C1", lang="en")
    assert all(part in mark for part in ("B1", f"hand-over {handover}", "received by C1", "times in Asia/Shanghai"))
    first, second = (dict(zip(header, line, strict=True)) for line in lines)
    assert (first["Case"], first["Loan"], first["Overdue (yuan)"], first["Days past due"]) == (ids[0], "=1+1", 1000, 5)
    assert str(first["Promise to pay"]) == "2024-03-09"
    assert second["Hold"] == "dispute"
    assert (first["Previous owner"], first["Owner"], first["Chosen"]) == ("R1", "C1", "by rule")
    assert first["Receipt (audit entry)"].startswith(f"case:{ids[0]}:")
    assert house.events(f"handover:{handover}")[-1] == "handover.sheet_made"


def test_headers_and_states_are_in_the_language_asked_for(house: House) -> None:
    handover, _ = planned(house)
    zh, en = sheet(house, handover, "C1"), sheet(house, handover, "C1", lang="en")
    assert (zh[2][0], en[2][0]) == ("案件编号", "Case")
    states = house.started.branch.rulebook.chart.states["phone_collection"]
    assert (zh[3][3], en[3][3]) == (states.zh, states.en)


@pytest.mark.parametrize(("by", "code"), [("C2", "post_not_permitted"), ("R1", "post_not_permitted")])
def test_only_the_receiver_and_who_may_look_at_hand_overs_get_it(house: House, by: str, code: str) -> None:
    handover, _ = planned(house)
    with pytest.raises(CallerError) as raised:
        sheet(house, handover, "C1", by=by)
    assert raised.value.code == code
    assert len(sheet(house, handover, "C1", by="C1")) == 5


def test_who_receives_nothing_has_no_sheet(house: House) -> None:
    handover, _ = planned(house)
    with pytest.raises(CallerError) as raised:
        sheet(house, handover, "C3")
    assert raised.value.code == "unknown_receiver"
