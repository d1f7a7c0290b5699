"""Who goes on a visit, and when: one of a case a day, nobody in two places, nobody who is not there or may not."""

import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from casework.lifecycle.commands import Done, Fire, Open, Refused
from casework.people.shifts.entering import ShiftGiven, enter_shifts
from casework.people.staff import absence, register
from casework.people.staff.actor import Actor, system
from casework.storage.database import writing
from tests.dialler.called import moment
from tests.dialler.test_learning import edit
from tests.feed.bank import Bank, arrears
from tests.work.test_promises import day
from tests.work.test_visits import P2, REPORT, V1, codes, do, fire, order, ordered, rep, visited, visits

__all__ = ["ordered"]
P3, P4 = rep("P3"), rep("P4")


@pytest.fixture
def more(ordered: Bank) -> Bank:
    """Others who may go, and some who may not."""
    ordered.staff("P3", "business_rep")
    ordered.staff("P4", "business_rep")
    ordered.staff("A9", "auditor")
    return ordered


def arrive(bank: Bank, visit: int, actor: Actor = V1, at: str = "10:00:00", on: int = 0) -> Any:
    return fire(bank, "check_in", actor, visit, on=on, clock="15:00:00", at=moment(on, at).isoformat())


def leave(bank: Bank, visit: int, actor: Actor = V1, at: str = "10:30:00") -> Any:
    return fire(bank, "check_out", actor, visit, clock="15:00:00", at=moment(0, at).isoformat())


# (what became of the first visit of the day; whether another may be ordered for it)
FIRST_OF_THE_DAY = [
    ("planned", False), ("under_way", False), ("ended", True), ("reported", True), ("cancelled", True),
    ("broken_off", True),
]  # fmt: skip


@pytest.mark.parametrize(("became", "may"), FIRST_OF_THE_DAY, ids=[one[0] for one in FIRST_OF_THE_DAY])
def test_a_case_has_one_visit_a_day_that_is_still_to_be_made(ordered: Bank, became: str, may: bool) -> None:
    order(ordered)
    if became == "cancelled":
        fire(ordered, "cancel", reason="other")
    elif became == "broken_off":
        fire(ordered, "break_off", reason="weather")
    elif became != "planned":
        arrive(ordered, 1)
        if became in ("ended", "reported"):
            leave(ordered, 1)
        if became == "reported":
            fire(ordered, "report", P2, no_photo="forbidden", statement="保安不许拍照", **REPORT)
    assert visits(ordered)[0].state == became
    again = order(ordered, address="文三路9号")
    assert (isinstance(again, Done) if may else codes(again)) == (may or {"alone_that_day"})
    assert isinstance(order(ordered, visit_on=day(1).isoformat()), Done), "another day"
    assert isinstance(order(ordered, 2), Done), "another case"
    if isinstance(again, Refused):
        assert "visit 1 of this case" in again.reasons[0].en


def test_of_two_orders_in_one_batch_the_first_is_done(ordered: Bank) -> None:
    data = {"address_kind": "home", "address": "文三路1号", "visit_on": day(0).isoformat()}
    case_id = ordered.case(1).id
    wanted = [
        Open(actor=V1, noun="visit", ground="ordered", of=case_id, data=data | {"visit_on": day(on).isoformat()})
        for on in (0, 0, 1)
    ]  # fmt: skip
    first, second, third = do(ordered, *wanted, clock="09:00:00")
    assert (isinstance(first, Done), codes(second), isinstance(third, Done)) == (True, {"alone_that_day"}, True)


# Visit 1 is of V1 and P2: (what, who makes the other, in and out of visit 1, of the other, what is refused)
TWO_PLACES: list[tuple[str, str, str, str | None, str, str, set[str]]] = [
    ("the same leader", "V1 P3", "10:00", None, "10:00", "", {"check_in"}),
    ("the leader goes along", "P3 V1", "10:00", None, "10:10", "", {"check_in"}),
    ("the second goes along", "P3 P2", "10:00", None, "09:30", "", {"check_in"}),
    ("two others", "P3 P4", "10:00", None, "10:00", "10:30", set()),
    ("they left before", "V1 P2", "10:00", "10:30", "10:30", "11:00", set()),
    ("told later: while they were there", "V1 P2", "10:00", "10:30", "10:29", "", {"check_in"}),
    ("told later: they were here first", "V1 P2", "10:00", "10:30", "09:30", "10:00", set()),
    ("told later: they stayed too long", "V1 P2", "10:00", "10:30", "09:30", "10:01", {"check_out"}),
    ("told later: around it", "V1 P2", "10:00", "10:30", "09:30", "11:00", {"check_out"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("who", "began", "ended", "arrived", "left", "refused"), [one[1:] for one in TWO_PLACES],
    ids=[one[0] for one in TWO_PLACES],
)  # fmt: skip
def test_nobody_is_on_two_visits_at_once(
    more: Bank, who: str, began: str, ended: str | None, arrived: str, left: str, refused: set[str]
) -> None:
    leader, second = who.split()
    order(more, clock="08:00:00")
    order(more, 2, visitor=leader, second_visitor=second, clock="08:00:00")
    assert isinstance(arrive(more, 1, at=f"{began}:00"), Done)
    if ended:
        assert isinstance(leave(more, 1, at=f"{ended}:00"), Done)
    told = [("check_in", arrive(more, 2, rep(leader), f"{arrived}:00"))]
    if left:
        told.append(("check_out", leave(more, 2, rep(leader), f"{left}:00")))
    assert {what for what, outcome in told if not isinstance(outcome, Done)} == refused
    for _, outcome in told:
        if isinstance(outcome, Refused):
            assert codes(outcome) == {"nowhere_else"}
            assert "on visit 1 at that time" in outcome.reasons[0].en


def test_who_has_not_left_yesterdays_visit_is_still_there_and_a_channels_person_is_one_too(more: Bank) -> None:
    entrusted: dict[str, Any] = {
        "second_visitor": None, "assisting_channel": "channel:HZ01", "assistant": "HZ01-P3", "entrustment": "doc:E7",
        "trained_on": day(-30).isoformat(),
    }  # fmt: skip
    order(more, **entrusted)
    order(more, 2, visitor="P3", **entrusted)
    arrive(more, 1)
    assert codes(arrive(more, 2, P3)) == {"nowhere_else"}
    order(more, 2, visitor="V1", visit_on=day(1).isoformat())
    assert codes(arrive(more, 3, on=1)) == {"nowhere_else"}
    fire(more, "break_off", reason="unsafe")
    assert isinstance(arrive(more, 3, on=1), Done)


def test_of_two_who_check_in_one_person_at_two_visits_at_once_one_does(more: Bank) -> None:
    order(more, visitor="P3", second_visitor="V1")
    order(more, 2, visitor="P4", second_visitor="V1")
    outcomes = list[Any]()
    both = threading.Barrier(2)

    def call(number: int, actor: Actor) -> None:
        both.wait()
        outcomes.append(arrive(more, number, actor))

    threads = [threading.Thread(target=call, args=one) for one in ((1, P3), (2, P4))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(one.__class__.__name__ for one in outcomes) == ["Done", "Refused"]
    assert sorted(one.state for one in visits(more)) == ["planned", "under_way"]


def test_both_at_once_in_one_batch_is_once(more: Bank) -> None:
    order(more)
    order(more, 2, visitor="P3")
    at = {"at": moment(0, "10:00:00").isoformat()}
    wanted = [Fire(actor=who, noun="visit", id=n, event="check_in", data=at) for n, who in ((1, V1), (2, P3))]
    first, second = do(more, *wanted)
    assert (isinstance(first, Done), codes(second)) == (True, {"nowhere_else"})


# (the day of the newest feed, by the clock, for which day, what is told)
DAYS: list[tuple[int, int, int, set[str] | None]] = [
    (0, 0, 0, None), (0, 1, 1, None), (0, 1, 0, {"its_day_is_not_over"}), (0, 3, 2, {"its_day_is_not_over"}),
    (0, 3, 4, None), (1, 1, 0, {"visit_on"}),
]  # fmt: skip


@pytest.mark.parametrize(("fed", "clock", "on", "reasons"), DAYS)
def test_no_visit_is_ordered_for_a_day_that_is_over_by_the_clock_or_by_the_feed(
    ordered: Bank, fed: int, clock: int, on: int, reasons: set[str] | None
) -> None:
    if fed:
        ordered.send(day(fed), [arrears(number, on=day(fed)) for number in (1, 2)])
    outcome = order(ordered, on=clock, visit_on=day(on).isoformat())
    told = {one.field for one in outcome.faults} if hasattr(outcome, "faults") else None
    if reasons is None:
        assert isinstance(outcome, Done), outcome
    else:
        assert (told or codes(outcome)) == reasons


SHIFTS = {"off by the roster": "rest", "on the late shift": "late", "on duty on a day off": "on_duty"}
THE_DAY_BEFORE = datetime(2024, 6, 2, 1, tzinfo=UTC)


def changed(bank: Bank, staff_no: str, what: str, on: date) -> None:
    """What the register learns of somebody, with effect on a day."""
    with writing(bank.started.engine) as conn:
        trail, actor = bank.started.branch.trail(THE_DAY_BEFORE), system("cli")
        permissions = bank.started.branch.rulebook.permissions
        if what == "on leave":
            absence.absent(
                conn, trail, actor, permissions, staff_no=staff_no, from_on=on, until_on=on, reason="leave"
            )  # fmt: skip
        elif what in SHIFTS:
            shift = ShiftGiven(on, staff_no, SHIFTS[what])
            enter_shifts(conn, trail, actor, bank.started.branch.rulebook.shifts, [shift], closed=None)
        elif what == "gone":
            register.leave(conn, trail, actor, staff_no=staff_no, on=on - timedelta(days=1), cause={})
        elif what == "without the post":
            register.end_post(conn, trail, actor, staff_no=staff_no, post="business_rep", on=on - timedelta(days=1))
        trail.write(conn)


def renamed(bank: Bank, which: str, who: str) -> Any:
    data = {which: who}
    (outcome,) = do(bank, Fire(actor=V1, noun="visit", id=1, event="name_visitors", data=data))
    return outcome


def ordered_with(bank: Bank, which: str, who: str) -> Any:
    named: dict[str, Any] = {which: who}
    return order(bank, **named)


# (what of the second visitor, when it is known, the reason)
UNFIT = [
    ("on leave", "visitors_present"), ("off by the roster", "visitors_on_duty"), ("gone", "visitors_are_there"),
    ("without the post", "visitors_may_visit"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "reason"), UNFIT, ids=[one[0] for one in UNFIT])
@pytest.mark.parametrize("when", ["before the order", "before it is changed", "before the check-in"])
@pytest.mark.parametrize("which", ["second_visitor", "visitor"])
def test_who_goes_is_there_that_day_and_may(more: Bank, what: str, reason: str, when: str, which: str) -> None:
    """Asked at the order, when somebody is named, and before they leave; of the leader as of who goes along."""
    if when == "before the order":
        changed(more, "P3", what, day(0))
        assert codes(ordered_with(more, which, "P3")) == {reason}
        assert isinstance(ordered_with(more, which, "P4"), Done)
        return
    ordered_with(more, which, "P4" if when == "before it is changed" else "P3")
    changed(more, "P3", what, day(0))
    if when == "before it is changed":
        assert codes(renamed(more, which, "P3")) == {reason}
    else:
        assert codes(arrive(more, 1, V1 if which == "second_visitor" else P2)) == {reason}
        renamed(more, which, "P4")
    assert isinstance(arrive(more, 1, P4), Done)


def test_it_is_the_day_of_the_visit_that_counts(more: Bank) -> None:
    changed(more, "P3", "on leave", day(1))
    assert isinstance(order(more, second_visitor="P3"), Done)
    refused = order(more, second_visitor="P3", visit_on=day(1).isoformat())
    assert codes(refused) == {"visitors_present"}
    assert isinstance(refused, Refused)
    assert refused.reasons[0].en == f"on leave on {day(1)}: P3"
    assert codes(order(more, 2, second_visitor="A9")) == {"visitors_may_visit"}, "an auditor"
    assert codes(order(more, 2, second_visitor="S1")) == {"visitors_are_there"}, "whom only a feed has named"


def test_the_roster_bars_who_is_off_that_day_alone_and_says_how_they_may_go(more: Bank) -> None:
    for who, what, on in (
        ("P3", "off by the roster", 1),
        ("P4", "on the late shift", 1),
        ("V1", "off by the roster", 0),
    ):
        changed(more, who, what, day(on))
    assert codes(order(more, second_visitor="P4")) == {"visitors_on_duty"}, "who orders it leads it"
    tomorrow: dict[str, Any] = {"visitor": "P4", "visit_on": day(1).isoformat()}
    refused = order(more, **tomorrow, second_visitor="P3")
    assert isinstance(refused, Refused)
    ((reason),) = refused.reasons
    assert (reason.code, reason.rules) == ("visitors_on_duty", ("5.4", "X9"))
    assert reason.en.startswith(f"off by the roster on {day(1)}: P3")
    assert reason.zh.startswith(f"P3在{day(1)}按班表休息")
    changed(more, "P3", "on duty on a day off", day(1))
    assert isinstance(order(more, **tomorrow, second_visitor="P3"), Done)


def test_whom_the_roster_does_not_name_has_the_shift_that_the_policy_presets(more: Bank) -> None:
    """Over a festival everybody rests whom the roster does not put on duty; its last day is the last of it."""
    edit(more, 'from_on = "2026-02-15", until_on = "2026-02-23"', f'from_on = "{day(1)}", until_on = "{day(2)}"')
    more.staff("P5", "business_rep")
    for who in ("V1", "P4"):
        changed(more, who, "on duty on a day off", day(2))
    for on, second, reasons in ((1, "P4", {"visitors_on_duty"}), (2, "P3", {"visitors_on_duty"}), (2, "P4", None)):
        outcome = order(more, second_visitor=second, visit_on=day(on).isoformat())
        assert (codes(outcome) if reasons else isinstance(outcome, Done)) == (reasons or True), (on, second)
    assert isinstance(order(more, second_visitor="P3", visit_on=day(3).isoformat()), Done)


def test_visited_one_after_the_other_is_two_visits(ordered: Bank) -> None:
    order(ordered)
    order(ordered, 2)
    visited(ordered, hashed=None)
    visited(ordered, 2, hashed=None, at=("10:30:00", "10:50:00"))
    assert [one.state for one in visits(ordered)] == ["ended", "ended"]
