"""A day's ledger and duties are the same whenever they are drawn up, but for what came as a supplement."""

from typing import Any

import pytest
import sqlalchemy as sa

from casework.evidence.evening.of_day import ledger_of, sheets_of
from casework.evidence.evening.report import daily
from casework.evidence.evening.standing import evening_of
from casework.evidence.evening.tables import hand_ins
from casework.evidence.ledger.sheets import CASES
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Open
from casework.operation.sweeping import sweep
from casework.storage.append_only import append_only_ddl
from casework.storage.database import open_engine, reading, writing
from casework.work.duties.listing import duties_on
from tests.evening.conftest import COLLECTOR, RISK, call, clock, given_to, handed, house
from tests.feed.bank import Bank, arrears, paid
from tests.feed.conftest import bank_after
from tests.work.test_holds import take as hold
from tests.work.test_promises import day

__all__ = ["bank_after", "house"]
FIVE_PAST = clock(day(1), 23, 40)
WORSE = [arrears(number, overdue_principal="5000.00", penalty="99.00") for number in (1, 2)]


@pytest.fixture
def closed(house: Bank) -> Bank:
    """P1 handed in at five, nobody else; a promise of L1, a call-back; the day is closed."""
    asked = Open(
        actor=COLLECTOR, noun="callback", ground="asked", of=house.case(1).id,
        data={"due_at": f"{day(2)}T15:30:00+08:00", "party": "debtor"},
    )  # fmt: skip
    with writing(house.started.engine) as conn:
        (done,) = advance(conn, [asked], house.started.branch, clock=clock(day(1), 12))
        assert isinstance(done, Done), done
    handed(house, COLLECTOR, clock(day(1), 17))
    sweep(house.started.engine, house.started.branch, day(1), clock=clock(day(1), 23, 30))
    return house


def three_days_on(bank: Bank) -> None:
    """L3 leaves the arrears, the others grow; other people work on them; a hold, lost contact; three days closed."""
    for number in range(2, 5):
        bank.send(day(number), WORSE, repayments=[paid(f"R{number}", 1, day(number), "10.00")])
        if number == 2:
            hold(bank, f"L2,complaint,{day(2)},", on=2)
            given_to(bank, {"L1": "P2", "L2": "P2", "L3": "P1"})
        sweep(bank.started.engine, bank.started.branch, day(number), clock=clock(day(number), 23))


def drawn(bank: Bank, at: Any) -> dict[str, Any]:
    """Everything that is drawn up of the day: the four sheets, the duties, who stands where."""
    branch = bank.started.branch
    with reading(bank.started.engine, snapshot=True) as conn:
        sheets = sheets_of(conn, branch, ledger_of(conn, branch, day(1), clock=at), RISK)
        evening = evening_of(conn, branch, day(1), clock=at)
        return {
            **{sheet.title: [list(line) for line in sheet.lines] for sheet in sheets},
            "duties": duties_on(conn, branch, day(1)),
            "people": [(one.owed_by, one.due, one.done, one.late, one.exempt, one.open) for one in evening.people],
            "unrepaired": daily(conn, branch, day(1), clock=at)[0].unrepaired,
        }


def test_a_day_drawn_up_on_its_evening_and_three_days_later_is_the_same(closed: Bank) -> None:
    before = drawn(closed, FIVE_PAST)
    three_days_on(closed)
    after = drawn(closed, clock(day(4), 23, 40))
    before["未完成及原因"] = [line for line in before["未完成及原因"] if line[2] != "上交补充"]
    assert after == before


def test_of_a_closed_day_a_case_is_shown_as_it_stood_whoever_did_not_hand_in(closed: Bank) -> None:
    """S1 and P2 handed nothing in: L3 is out of arrears by now, L1 and L2 are worked on by another."""
    three_days_on(closed)
    fields = [column.field for column in CASES]
    lines = {line[2]: dict(zip(fields, line, strict=True)) for line in drawn(closed, clock(day(4), 23, 40))["催收台账"]}
    assert {loan: (line["overdue_fen"], line["holds"]) for loan, line in lines.items()} == {
        "L1": (102_100, ""), "L2": (102_100, ""), "L3": (102_100, ""),
    }  # fmt: skip
    assert lines["L3"]["handler"] == "铃不存 P2"
    assert lines["L1"]["follow_up"] == clock(day(2), 15, 30)()
    assert closed.case(3).overdue_fen != 102_100


def test_a_contact_that_comes_later_is_counted_and_told_as_entered_late_and_nothing_else_changes(closed: Bank) -> None:
    before = drawn(closed, FIVE_PAST)
    three_days_on(closed)
    call(closed, "d1", "P2", 3, "09:00", clock(day(4), 23, 30))
    after = drawn(closed, clock(day(4), 23, 40))
    columns = [column.field for column in CASES]
    changed = [
        (new[2], name, old[place], new[place])
        for old, new in zip(before["催收台账"], after["催收台账"], strict=True)
        for place, name in enumerate(columns) if old[place] != new[place]
    ]  # fmt: skip
    assert changed == [("L3", "dialled", 0, 1), ("L3", "result", None, "无人接听")]
    assert after["duties"] == before["duties"]
    assert [line[9] for line in after["催记明细"] if line[-1] == "d1"] == ["补录"]


def test_whoever_hands_in_after_the_close_hands_in_the_day_as_it_stood(closed: Bank) -> None:
    before = drawn(closed, FIVE_PAST)["催收台账"]
    three_days_on(closed)
    assert handed(closed, RISK, clock(day(4), 10), "P2", "S1") == ["late", "late"]
    assert drawn(closed, clock(day(4), 23, 40))["催收台账"] == before


def test_a_day_that_is_over_and_not_closed_says_that_it_shows_cases_as_they_are(house: Bank) -> None:
    with reading(house.started.engine, snapshot=True) as conn:
        branch = house.started.branch
        made = ledger_of(conn, branch, day(1), clock=clock(day(2), 9))
        assert "当日未日终" in sheets_of(conn, branch, made, RISK)[0].about


def test_the_close_is_an_entry_and_is_kept_once(closed: Bank) -> None:
    sweep(closed.started.engine, closed.started.branch, day(1), clock=clock(day(1), 23, 50))
    (kept,) = [one for one in closed.bodies("evening:hand_ins") if one["event"] == "day.kept"]
    assert (kept["data"]["owed_by"], kept["data"]["cases"], kept["data"]["due"]) == ("demo", 3, 6)


@pytest.mark.only("sqlite")
def test_what_was_kept_at_the_close_and_is_changed_by_sql_is_found(closed: Bank) -> None:
    engine = open_engine(closed.started.settings.database_url)
    of_close = hand_ins.c.part == "close"
    with engine.begin() as conn:
        before = conn.execute(sa.select(hand_ins.c.content).where(of_close)).scalar_one()
        conn.exec_driver_sql("DROP TRIGGER hand_ins_append_only_update")
        conn.execute(hand_ins.update().where(of_close).values(content=b"nothing"))
    assert ("row_differs", "evening:hand_ins") in [(one.code, one.stream) for one in closed.verified().findings]
    with engine.begin() as conn:
        conn.execute(hand_ins.update().where(of_close).values(content=before))
        for statement in append_only_ddl("sqlite", "hand_ins", (("day", "owed_by", "part"),))[:1]:
            conn.exec_driver_sql(statement)
    engine.dispose()
