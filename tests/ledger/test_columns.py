"""What stands in the ledger's columns, counted by hand: calls and answers, visits, notes, plans, arrangements."""

from typing import Any

import pytest

from casework.evidence.evening.of_day import ledger_of, sheets_of
from casework.evidence.ledger.sheets import CASES, CONTACTS
from casework.intake.dialler.correcting import Correction, correct_contacts
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Record
from casework.people.staff.actor import Actor, system
from casework.personal import mask_within
from casework.storage.database import reading, writing
from tests.evening.conftest import RISK, clock, house, imported
from tests.feed.bank import Bank
from tests.feed.conftest import bank_after
from tests.work.test_holds import holds
from tests.work.test_holds import take as hold
from tests.work.test_promises import day

__all__ = ["bank_after", "house"]
HEADER = "contact_ref,staff_no,loan_id,party,phone,address,channel,started_at,recording,result,next_action,note"
NOTE = "甄不存1说换号138 1234 5678，身份证420106199001011234，周五12点前还500元"
ROWS = (
    f"n1,P1,L1,debtor,12000000001,,call,{day(1)}T13:00:00+08:00,r1,debtor,await_payment,{NOTE}",
    f"n2,P1,L1,contact,12000000009,,call,{day(1)}T14:00:00+08:00,r1,third_party,,",
    f"n3,P1,L1,contact,12000000008,,call,{day(1)}T14:05:00+08:00,,busy,call_again,",
    f"n4,P1,L1,debtor,12000000001,,message,{day(1)}T15:00:00+08:00,,sent,,",
    f"v1,S1,L2,debtor,,某街1号,visit,{day(1)}T10:00:00+08:00,,not_found,visit,门锁着",
    f"v2,S1,L2,debtor,,某街1号,visit,{day(1)}T16:00:00+08:00,,found,nothing,",
)


@pytest.fixture
def worked(house: Bank) -> Bank:
    """Beside the evening's two calls: calls to contacts, a message, two visits with a report, a wish."""
    imported(house, HEADER, ROWS, clock(day(1), 16, 30))
    hold(house, f"L3,hardship,{day(1)},", on=1)
    (found,) = holds(house)
    wish = {"wish": "instalments", "papers": "p:1", "review_by": day(8).isoformat()}
    photo = {"outcome": "found", "photo": f"sha256:{'a' * 64}", "person_met": "debtor", "address_kind": "home"}
    acts = [
        Fire(actor=RISK, noun="hold", id=found.id, event="wish_arrangement", data=wish),
        Record(actor=system("cli"), id=house.case(2).id, kind="visit", on=day(1), evidence="v:1", data=photo),
    ]
    with writing(house.started.engine) as conn:
        done = advance(conn, acts, house.started.branch, clock=clock(day(1), 16, 40))
        assert all(isinstance(one, Done) for one in done), done
    return house


def told(bank: Bank, reader: Actor = RISK) -> dict[str, dict[str, Any]]:
    """The lines of the first sheet by loan, by column."""
    with reading(bank.started.engine, snapshot=True) as conn:
        day_ = ledger_of(conn, bank.started.branch, day(1), clock=clock(day(1), 17))
        lines = list(sheets_of(conn, bank.started.branch, day_, reader)[0].lines)
    return {line[2]: dict(zip([column.zh for column in CASES], line, strict=True)) for line in lines}


def columns(line: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(line[name] for name in names)


def test_calls_to_anybody_count_as_made_answers_by_anybody_as_connected_and_the_debtor_apart(worked: Bank) -> None:
    """L1: two calls to the debtor, two to contacts; one of each is answered. A message and visits are no calls."""
    lines = told(worked)
    names = ("应拨", "实拨", "接通", "本人接通", "最近结果", "明日计划")
    assert columns(lines["L1"], *names) == (2, 4, 2, "是", "已发送", "再次拨打")
    assert columns(lines["L2"], *names) == (2, 1, 1, "是", "找到", "暂无")
    assert columns(lines["L3"], *names) == (0, 0, 0, "否", None, None)


def test_a_visit_is_told_with_its_number_its_result_and_the_photos(worked: Bank) -> None:
    lines = told(worked)
    assert columns(lines["L2"], "下户第n次", "下户结果", "下户照片数") == (2, "找到", 1)
    assert columns(lines["L1"], "下户第n次", "下户结果", "下户照片数") == (None, None, None)


def test_what_a_debtor_wishes_is_in_the_column_of_arrangements(worked: Bank) -> None:
    assert {loan: line["协商还款"] for loan, line in told(worked).items()} == {"L1": "", "L2": "", "L3": "意愿：分期"}


def test_the_note_is_masked_for_whoever_takes_the_file_out_and_a_correction_leaves_it_there(worked: Bank) -> None:
    shown = told(worked)["L1"]["备注"]
    assert shown == "甄**说换号138******5678，身份证420***********1234，周五12点前还500元"
    with writing(worked.started.engine) as conn:
        put_right = [Correction("n1", "debtor_hung_up"), Correction("v1", "found")]
        correct_contacts(
            conn, worked.started.branch, put_right, system("cli"), clock(day(1), 16, 50)(), atomic=True
        )  # fmt: skip
    lines = told(worked)
    assert (lines["L1"]["备注"], lines["L2"]["备注"]) == (shown, "门锁着")
    nobody = Actor("A1", "staff", "cli", frozenset({"administrator"}))
    assert {line["备注"] for line in told(worked, nobody).values()} == {None}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("打13812345678", "打138****5678"), ("加微信abc1，尾号1234，还50000元", "加微信abc1，尾号1234，还50000元"),
        ("+86 138-1234-5678接", "+86**********5678接"), ("42010619900101123X", "420***********123X"),
        ("约2026-12-01还，改2026-12-5", "约2026-12-01还，改2026-12-5"), ("2026-12-01-13812", "202*********3812"),
    ],
)  # fmt: skip
def test_numbers_of_seven_digits_and_more_are_masked_wherever_they_stand(text: str, masked: str) -> None:
    assert mask_within(text) == masked


def test_every_contact_has_its_next_step_and_its_note(worked: Bank) -> None:
    with reading(worked.started.engine, snapshot=True) as conn:
        day_ = ledger_of(conn, worked.started.branch, day(1), clock=clock(day(1), 17))
        lines = list(sheets_of(conn, worked.started.branch, day_, RISK)[3].lines)
    names = [column.zh for column in CONTACTS]
    found = {line[names.index("编号")]: line for line in lines}
    assert found["v1"][names.index("下一步")] == "安排下户"
    assert found["v1"][names.index("备注")] == "门锁着"
    assert found["n4"][names.index("备注")] is None


def test_what_was_not_done_says_how_far_it_came_and_totals_count_a_debtors_calls_once(worked: Bank) -> None:
    with reading(worked.started.engine, snapshot=True) as conn:
        day_ = ledger_of(conn, worked.started.branch, day(1), clock=clock(day(1), 17))
        cases, _, not_done, _ = sheets_of(conn, worked.started.branch, day_, RISK)
    told = {(line[0], line[2]): line[4] for line in not_done.lines if line[0]}
    assert (told["L1", "下户"], told["L3", "每日拨打"]) == ("未下户", "困难")
    assert cases.summed == {"dialled": 5, "connected": 3, "unrecorded": 1, "breaches": 2}
    assert "合计中只计一次" in cases.about
