"""Handing in: an act with a time, once; what it keeps, who may do it, what comes later."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from casework.errors import CallerError
from casework.evidence.evening.handing_in import hand_in
from casework.evidence.evening.of_day import ledger_of, sheets_of
from casework.evidence.evening.standing import PersonDay, evening_of
from casework.evidence.evening.tables import SUPPLEMENT, hand_ins
from casework.evidence.ledger.lines import unrepaired
from casework.evidence.ledger.sheets import CASES
from casework.evidence.search.find import collect
from casework.evidence.searching import SearchAsked, wanted_of
from casework.intake.contact_book.adding import Finding
from casework.intake.contact_book.repairing import find
from casework.intake.dialler.importing import import_contacts
from casework.intake.dialler.recording import DIALLER
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Open
from casework.operation.sweeping import sweep
from casework.people.staff import absence
from casework.people.staff.actor import Actor, Principal, system
from casework.storage.append_only import append_only_ddl
from casework.storage.database import open_engine, reading, writing
from casework.work.tasks.strategies import start
from tests.evening.conftest import COLLECTOR, COLUMNS, OTHER, RISK, SNAPSHOT, call, clock, handed
from tests.feed.bank import Bank
from tests.work.test_promises import day

FIVE = clock(day(1), 17)
AFTER = clock(day(1), 17, 1)
MORNING = clock(day(2), 10)


def standing(bank: Bank, at: Any, who: str = "P1") -> PersonDay:
    with reading(bank.started.engine, snapshot=True) as conn:
        found = evening_of(conn, bank.started.branch, day(1), clock=at)
    return next(one for one in found.people if one.owed_by == who)


def contacts_in_ledger(bank: Bank, at: Any, who: str = "P1") -> list[str]:
    with reading(bank.started.engine, snapshot=True) as conn:
        part = ledger_of(conn, bank.started.branch, day(1), clock=at).parts[who]
    return [one.contact_ref + ("*" if one.entered_late else "") for one in part.contacts]


def test_at_five_it_is_in_time_and_a_minute_later_it_is_late(house: Bank) -> None:
    assert handed(house, COLLECTOR, FIVE) == ["in time"]
    assert handed(house, OTHER, AFTER) == ["late"]
    first, second = house.bodies("evening:hand_ins")
    assert (first["event"], first["actor"]["id"], first["data"]["is_late"]) == ("day.handed_in", "P1", False)
    assert first["data"] | {"digest": ""} == {
        "on": day(1).isoformat(), "owed_by": "P1", "part": "ledger", "is_late": False, "digest": "", "due": 2,
        "done": 1, "late": 0, "exempt": 0, "open": 1, "contacts": 2, "cases": 2,
    }  # fmt: skip
    assert second["data"]["is_late"]


def test_nobody_hands_in_twice_and_it_is_said_when_it_was(house: Bank) -> None:
    handed(house, COLLECTOR, FIVE)
    with writing(house.started.engine) as conn:
        (told,) = hand_in(conn, house.started.branch, day(1), ["P1"], COLLECTOR, clock=AFTER)
    assert isinstance(told, CallerError)
    assert told.code == "handed_in_already"
    assert (told.facts["by"], told.facts["at"]) == ("P1", "2024-06-04T09:00:00.000000Z")
    assert "by P1 at 2024-06-04 17:00 +08:00 (" in str(told)
    assert len(house.bodies("evening:hand_ins")) == 1


def test_what_was_handed_in_stays_whatever_becomes_known_later(house: Bank) -> None:
    handed(house, COLLECTOR, FIVE)
    before = standing(house, FIVE)
    call(house, "c3", "P1", 1, "12:00", clock(day(1), 18))
    sweep(house.started.engine, house.started.branch, day(1), clock=clock(day(1), 23))
    after = standing(house, MORNING)
    assert (after.done, after.open, after.contacts) == (before.done, before.open, before.contacts) == (1, 1, 2)
    assert contacts_in_ledger(house, MORNING) == ["c1", "c2"]
    assert standing(house, MORNING, "P2").came == "missing"


def test_what_happened_before_five_and_is_entered_later_is_late_and_what_happened_later_is_not(house: Bank) -> None:
    """Both go into the supplement; a ledger that is handed in late leaves out what happened after five."""
    handed(house, COLLECTOR, FIVE)
    call(house, "c3", "P1", 1, "12:00", clock(day(1), 18))
    call(house, "c4", "P1", 2, "17:30", clock(day(1), 18))
    call(house, "d1", "P2", 3, "09:00", clock(day(1), 18))
    call(house, "d2", "P2", 3, "18:30", clock(day(1), 19))
    assert standing(house, clock(day(1), 19)).since == 2
    assert standing(house, clock(day(2), 10, 1)).supplement_came == "missing"
    assert handed(house, COLLECTOR, MORNING, part=SUPPLEMENT) == ["in time"]
    assert contacts_in_ledger(house, MORNING) == ["c1", "c2", "c3*", "c4"]
    assert handed(house, OTHER, clock(day(1), 20)) == ["late"]
    assert contacts_in_ledger(house, clock(day(1), 20), "P2") == ["d1*"]
    assert handed(house, OTHER, clock(day(2), 10, 1), part=SUPPLEMENT) == ["late"]
    assert contacts_in_ledger(house, MORNING, "P2") == ["d1*", "d2"]


def test_a_supplement_comes_after_its_ledger_once_and_with_something_in_it(house: Bank) -> None:
    assert handed(house, COLLECTOR, FIVE, part=SUPPLEMENT) == ["ledger_not_handed_in"]
    handed(house, COLLECTOR, FIVE)
    assert handed(house, COLLECTOR, AFTER, part=SUPPLEMENT) == ["nothing_to_hand_in"]
    call(house, "c3", "P1", 1, "18:00", clock(day(1), 19))
    assert handed(house, COLLECTOR, MORNING, part=SUPPLEMENT) == ["in time"]
    assert handed(house, COLLECTOR, MORNING, part=SUPPLEMENT) == ["handed_in_already"]


def test_who_is_not_on_it_has_nothing_to_hand_in_and_nobody_hands_in_for_a_colleague(house: Bank) -> None:
    assert handed(house, Actor("P7", "staff", "cli", frozenset({"phone_collector"})), FIVE) == ["nothing_to_hand_in"]
    assert handed(house, COLLECTOR, FIVE, "P2") == ["hand_in_not_yours"]
    assert house.bodies("evening:hand_ins") == []


def test_a_deputy_hands_in_for_who_is_away_today_and_the_next_day_for_the_day_before(house: Bank) -> None:
    away = Principal("P2", frozenset({"phone_collector"}), "T1")
    deputy = Actor("P1", "staff", "cli", frozenset({"phone_collector"}), "T1", principals=(away,))
    assert handed(house, deputy, FIVE, "P1", "P2") == ["in time", "in time"]
    assert [one["actor"]["id"] for one in house.bodies("evening:hand_ins")] == ["P1", "P1"]


def test_who_deputised_that_day_hands_in_what_the_other_still_did_and_owes_the_rest_themselves(house: Bank) -> None:
    """P2 called once and went home sick: the call is theirs, their duties are the deputy's, who hands in both."""
    call(house, "d1", "P2", 3, "09:00", clock(day(1), 10))
    with writing(house.started.engine) as conn:
        trail = house.started.branch.trail(clock(day(0), 9)())
        absence.absent(
            conn, trail, system("cli"), house.started.branch.rulebook.permissions, staff_no="P2", from_on=day(1),
            until_on=day(1), reason="sick", deputy="P1",
        )  # fmt: skip
        trail.write(conn)
    assert handed(house, COLLECTOR, MORNING, "P1", "P2") == ["late", "late"]
    own, other = (body["data"] for body in house.bodies("evening:hand_ins"))
    assert (own["due"], own["contacts"]) == (3, 2)
    assert (other["due"], other["contacts"]) == (0, 1)


def test_the_basic_risk_post_hands_in_a_team_with_a_result_for_each(house: Bank) -> None:
    handed(house, COLLECTOR, FIVE)
    assert handed(house, RISK, FIVE, "P1", "P2", "P7") == ["handed_in_already", "in time", "nothing_to_hand_in"]
    assert [one["data"]["owed_by"] for one in house.bodies("evening:hand_ins")] == ["P1", "P2"]


def test_no_day_that_is_to_come_or_lies_before_the_first_feed_is_handed_in(house: Bank) -> None:
    with pytest.raises(CallerError) as told:
        handed(house, COLLECTOR, clock(day(0), 17))
    assert told.value.code == "day_to_come"
    with reading(house.started.engine) as conn, pytest.raises(CallerError) as told:
        evening_of(conn, house.started.branch, day(0) - timedelta(days=1), clock=FIVE)
    assert told.value.code == "day_without_feed"


def test_one_persons_part_is_the_same_whether_asked_alone_or_with_the_whole_branch(house: Bank) -> None:
    call(house, "x1", "P2", 1, "12:00", clock(day(1), 13))
    with reading(house.started.engine, snapshot=True) as conn:
        whole = ledger_of(conn, house.started.branch, day(1), clock=FIVE).parts
        team = ledger_of(conn, house.started.branch, day(1), "T1", clock=FIVE).parts
    assert whole.keys() == {"P1", "P2", "S1"}
    assert team.keys() == {"P1", "P2"}
    assert [team[who].duties for who in team] == [whole[who].duties for who in team]
    assert [team[who].contacts for who in team] == [whole[who].contacts for who in team]


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("change", [{"is_late": True}, {"content": b"nothing"}, {"done": 2}, {"handed_in_by": "P2"}])
def test_what_was_handed_in_and_is_changed_by_sql_is_found(house: Bank, change: dict[str, Any]) -> None:
    handed(house, COLLECTOR, FIVE)
    house.assert_sound()
    engine = open_engine(house.started.settings.database_url)
    with engine.begin() as conn:
        before = dict(conn.execute(sa.select(hand_ins)).one()._mapping)
        conn.exec_driver_sql("DROP TRIGGER hand_ins_append_only_update")
        conn.execute(hand_ins.update().values(**change))
    assert ("row_differs", "evening:hand_ins") in [(one.code, one.stream) for one in house.verified().findings]
    with engine.begin() as conn:
        conn.execute(hand_ins.update().values(**before))
        for statement in append_only_ddl("sqlite", "hand_ins", (("day", "owed_by", "part"),))[:1]:
            conn.exec_driver_sql(statement)
    engine.dispose()


def test_of_two_at_the_same_moment_one_hands_in_and_the_other_is_told(house: Bank) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: handed(house, COLLECTOR, FIVE), range(4)))
    assert sorted(one for (one,) in done) == ["handed_in_already"] * 3 + ["in time"]
    assert len(house.bodies("evening:hand_ins")) == 1


def test_who_could_not_be_repaired_is_listed_with_what_the_repair_came_to(house: Bank) -> None:
    """L1 does not answer for five days, is lost, and a repair finds nothing; the others are not lost."""
    for number in range(1, 6):
        on = day(number)
        if number > 1:
            house.send(on, SNAPSHOT)
        rows = [f"s{number}{hour},P1,L1,debtor,12000000001,call,{on}T{hour}:00:00+08:00,r1,busy" for hour in (14, 15)]
        with writing(house.started.engine) as conn:
            content = "\n".join([COLUMNS, *rows]).encode()
            import_contacts(
                conn, house.started.branch, content, f"{number}.csv", DIALLER, system("cli"), clock=clock(on, 18)
            )
        sweep(house.started.engine, house.started.branch, on, clock=clock(on, 23))
    assert house.case(1).state == "lost_contact"
    _repaired_in_vain(house)
    house.send(day(6), SNAPSHOT)
    with reading(house.started.engine, snapshot=True) as conn:
        whole = ledger_of(conn, house.started.branch, day(6), clock=clock(day(6), 17)).whole()
        sheets = sheets_of(conn, house.started.branch, ledger_of(conn, house.started.branch, day(6)), RISK)
    assert [(one.loan_id, one.repair) for one in unrepaired(whole)] == [("L1", "nothing_new")]
    (line,) = sheets[1].lines
    assert line[:5] == ("L1", "甄**", day(5), day(5), "无新信息")
    for after, listed in ((35, ["L1"]), (36, [])):  # it holds good for thirty days
        with reading(house.started.engine, snapshot=True) as conn:
            later = ledger_of(conn, house.started.branch, day(after), clock=clock(day(after), 17)).whole()
        assert [one.loan_id for one in unrepaired(later)] == listed
    _begun(house, 6)
    way = {"role": "debtor", "phone": "12000000077", "source": "liable_person", "legal_basis": "contract"}
    with writing(house.started.engine) as conn:
        found = find(conn, house.started.branch, COLLECTOR, 2, Finding(**way), clock=clock(day(6), 18))
    assert (found.code, house.case(1).state) == ("done", "phone_collection"), "a lead: it is called again"


def _begun(house: Bank, on: int) -> Any:
    begin = Open(
        actor=COLLECTOR, noun="repair", ground="started", of=house.case(1).id, data={"because": "lost_contact"}
    )
    with writing(house.started.engine) as conn:
        (done,) = advance(conn, [begin], house.started.branch, clock=clock(day(on), 23, 30))
    assert isinstance(done, Done), done
    return done.id


def _repaired_in_vain(house: Bank) -> None:
    number = _begun(house, 5)
    tried = [("try_source", {"source": one}) for one in ("public_register", "lender_records", "court")]
    commands = [
        Fire(actor=COLLECTOR, noun="repair", id=number, event=event, data=data)
        for event, data in (*tried, ("find_nothing", {}))
    ]
    with writing(house.started.engine) as conn:
        done = advance(conn, commands, house.started.branch, clock=clock(day(5), 23, 30))
    assert all(isinstance(one, Done) for one in done), done


def test_the_days_strategy_and_the_call_back_that_is_still_to_come_stand_in_the_ledger(house: Bank) -> None:
    data = {"due_at": f"{day(2)}T15:30:00+08:00", "party": "debtor"}
    asked = Open(actor=COLLECTOR, noun="callback", ground="asked", of=house.case(1).id, data=data)
    with writing(house.started.engine) as conn:
        (done,) = advance(conn, [asked], house.started.branch, clock=clock(day(1), 12))
        assert isinstance(done, Done), done
        (started,) = start(conn, house.started.branch, COLLECTOR, [house.case(1).id], "phone", clock(day(1), 12)())
        assert started.refused is None
    handed(house, COLLECTOR, FIVE)
    with reading(house.started.engine, snapshot=True) as conn:
        found = ledger_of(conn, house.started.branch, day(1), clock=MORNING)
        lines = list(sheets_of(conn, house.started.branch, found, RISK)[0].lines)
    fields = [column.field for column in CASES]
    told = {line[2]: (line[fields.index("strategy")], line[fields.index("follow_up")]) for line in lines}
    assert told["L1"] == (house.started.branch.rulebook.tasks.strategies["phone"].zh, clock(day(2), 15, 30)())
    assert told["L2"] == (None, None)


def test_who_handed_in_is_found_in_the_log_by_event_and_person(house: Bank) -> None:
    handed(house, COLLECTOR, FIVE)
    handed(house, RISK, AFTER, "P2")
    with reading(house.started.engine, snapshot=True) as conn:
        wanted = wanted_of(conn, house.started.branch, SearchAsked(event="day.handed_in", actor="B9"))
        lines, _ = collect(conn, house.started.branch.mac_key, wanted, at_most=10)
    assert [line.entry_id for line in lines] == ["evening:hand_ins:2"]
