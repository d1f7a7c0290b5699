"""Home visits: ordered for a day, made by two, reported with a photo or a statement, reviewed; the case is told."""

from collections.abc import Iterator
from typing import Any

import pytest

from casework.errors import CallerError
from casework.intake.dialler.notes import noted
from casework.intake.feed.past_arrears import past_arrears
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Mistaken, Open, Outcome, Record, Refused
from casework.lifecycle.listing import every
from casework.operation.sweeping import sweep
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.work.cases.case import Case
from casework.work.cases.lifecycles import CASES, VISITS
from casework.work.cases.shown import ShownWanted, page_of, seen
from casework.work.cases.sight import reach_of
from casework.work.contacts.tables import CONTACTS, contact_log, contact_of
from casework.work.duties.listing import duties_on
from casework.work.gate.found import found
from casework.work.visits.visit import Visit
from tests.dialler.called import moment
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.feed.conftest import BankAfter
from tests.work.test_holds import take
from tests.work.test_promises import day

BOOKS = [loan(1, owner_staff_no="V1"), loan(2, owner_staff_no="V1")]
FIRST, SECOND = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def staffed(bank: Bank) -> None:
    """Two debtors of a rep."""
    bank.staff("V1", "business_rep")
    bank.staff("P2", "post_loan_officer")
    bank.staff("B9", "basic_risk_manager")
    bank.send(DAY, [arrears(number) for number in (1, 2)], loans=BOOKS)


@pytest.fixture
def ordered(bank_after: BankAfter) -> Iterator[Bank]:
    """Two debtors of a rep; the log and the rows are sound when the test is done."""
    bank = bank_after(staffed)
    yield bank
    bank.assert_sound()


def rep(staff_no: str, post: str = "business_rep") -> Actor:
    return Actor(staff_no, "staff", "cli", frozenset({post}), team="T1", region="R1")


V1, P2, B9 = rep("V1"), rep("P2", "post_loan_officer"), rep("B9", "basic_risk_manager")


def do(bank: Bank, *commands: Any, on: int = 0, clock: str = "12:00:00") -> list[Outcome]:
    with writing(bank.started.engine) as conn:
        return advance(conn, list(commands), bank.started.branch, clock=lambda: moment(on, clock))


def order(bank: Bank, number: int = 1, actor: Actor = V1, on: int = 0, clock: str = "09:00:00", **more: Any) -> Outcome:
    data = {"address_kind": "home", "address": "文三路1号", "visit_on": day(0).isoformat(), "second_visitor": "P2"}
    given = {name: value for name, value in {**data, **more}.items() if value is not None}
    wanted = Open(actor=actor, noun="visit", ground="ordered", of=bank.case(number).id, data=given)
    (outcome,) = do(bank, wanted, on=on, clock=clock)
    return outcome


def fire(
    bank: Bank, event: str, actor: Actor = V1, number: int = 1, on: int = 0, clock: str = "12:00:00", **data: Any
) -> Outcome:
    (outcome,) = do(bank, Fire(actor=actor, noun="visit", id=number, event=event, data=data), on=on, clock=clock)
    return outcome


def photo(bank: Bank, hashed: str = FIRST, number: int = 1, on: int = 0, **more: Any) -> Outcome:
    taken = moment(on, "10:05:00").isoformat()
    sent_at = moment(on, "12:00:00").isoformat()
    data = {"photo": hashed, "shows": "building", "taken_at": taken, "sent_at": sent_at, "taken_by": "V1"} | more
    sent = Record(actor=system("api"), noun="visit", id=number, kind="photo", on=day(on), evidence="photo:1", data=data)
    (outcome,) = do(bank, sent, on=on)
    return outcome


REPORT: dict[str, Any] = {
    "outcome": "not_found", "person_met": "neighbour", "house": "confirmed", "workplace": "not_checked",
    "attitude": "not_met", "ability": "not_known", "next_step": "visit_again",
}  # fmt: skip
SEEN = REPORT | {"outcome": "found", "person_met": "debtor", "attitude": "cooperative", "next_step": "call"}


def visited(
    bank: Bank, number: int = 1, on: int = 0, hashed: str | None = FIRST,
    at: tuple[str, str] = ("10:00:00", "10:30:00"), clock: str = "12:00:00",
) -> None:  # fmt: skip
    for event, when in zip(("check_in", "check_out"), at, strict=True):
        assert isinstance(fire(bank, event, number=number, on=on, clock=clock, at=moment(on, when).isoformat()), Done)
        if event == "check_in" and hashed:
            assert isinstance(photo(bank, hashed, number, on), Done)


def visits(bank: Bank) -> list[Visit]:
    with reading(bank.started.engine) as conn:
        return every(conn, VISITS, live_only=False)


def case_of(bank: Bank, number: int = 1) -> Case:
    with reading(bank.started.engine) as conn:
        found: list[Case] = every(conn, CASES, live_only=False)
    return next(one for one in found if one.loan_id == f"L{number}")


def codes(outcome: Outcome) -> set[str]:
    assert isinstance(outcome, Refused), outcome
    return {reason.code for reason in outcome.reasons}


def test_ordering_a_visit_sends_the_case_to_it_and_its_report_says_whether_the_debtor_was_found(ordered: Bank) -> None:
    assert isinstance(order(ordered), Done)
    case = case_of(ordered)
    assert (case.state, case.facts.visit_on) == ("home_visit", day(0))
    visited(ordered)
    assert isinstance(fire(ordered, "report", **REPORT), Done)
    case = case_of(ordered)
    assert (case.state, [one.photo for one in case.facts.failed_visits]) == ("home_visit", [FIRST])
    assert isinstance(order(ordered, visit_on=day(1).isoformat()), Done), "a second one, from the visit itself"
    ordered.send(day(1), [arrears(number) for number in (1, 2)])
    visited(ordered, 2, 1, SECOND)
    assert isinstance(fire(ordered, "report", number=2, on=1, **SEEN), Done)
    case = case_of(ordered)
    assert (case.state, case.facts.found_on, case.facts.connected_on) == ("phone_collection", day(1), day(1))
    assert [(one.state, one.outcome, one.photo) for one in visits(ordered)] == [
        ("reported", "not_found", FIRST), ("reported", "found", SECOND),
    ]  # fmt: skip


def test_a_photo_that_waited_for_its_connection_is_taken_after_the_report_until_somebody_has_accepted_it(
    ordered: Bank,
) -> None:
    order(ordered)
    visited(ordered)
    assert isinstance(fire(ordered, "report", **REPORT), Done)
    assert isinstance(photo(ordered, SECOND), Done)
    assert [one.photo for one in case_of(ordered).facts.failed_visits] == [FIRST], "what was reported stays"
    assert isinstance(fire(ordered, "accept", B9), Done)
    assert codes(photo(ordered, "sha256:" + "c" * 64)) == {"visit_takes_photos"}


def test_who_visited_does_not_review_and_what_is_returned_is_reported_again(ordered: Bank) -> None:
    order(ordered)
    visited(ordered)
    fire(ordered, "report", **REPORT)
    assert codes(fire(ordered, "accept")) == {"post_not_permitted"}
    assert isinstance(fire(ordered, "send_back", B9, reason="incomplete"), Done)
    assert codes(fire(ordered, "report", **REPORT)) == {"wrong_state"}
    assert isinstance(photo(ordered, SECOND), Done)
    assert isinstance(fire(ordered, "report_again", **REPORT | {"ability": "unable"}), Done)
    assert isinstance(fire(ordered, "accept", B9), Done)
    (one,) = visits(ordered)
    assert (one.state, one.times_returned, one.ability, len(one.photos)) == ("accepted", 1, "unable", 2)


def test_a_photo_that_was_impossible_is_stated_by_the_second_visitor_and_proves_nothing_early(ordered: Bank) -> None:
    order(ordered)
    visited(ordered, hashed=None)
    stated: dict[str, Any] = {"no_photo": "forbidden", "statement": "保安不许拍照"}
    halves: list[tuple[Actor, dict[str, Any]]] = [
        (V1, {}), (V1, stated), (P2, {"no_photo": "forbidden"}), (P2, {"statement": "保安不许拍照"}),
    ]  # fmt: skip
    for actor, told in halves:
        assert codes(fire(ordered, "report", actor, **REPORT, **told)) == {"proven"}, (actor.id, told)
    assert isinstance(fire(ordered, "report", P2, **REPORT, no_photo="forbidden", statement="保安不许拍照"), Done)
    case = case_of(ordered)
    assert (case.facts.visit_stated, case.facts.visit_photos, case.facts.failed_visits) == (True, [], [])
    (one,) = visits(ordered)
    assert (one.stated, one.no_photo) == (True, "forbidden")


def test_two_are_named_before_leaving_or_a_channels_entrusted_person_goes_along(ordered: Bank) -> None:
    arrived = moment(0, "10:00:00").isoformat()
    order(ordered, second_visitor=None)
    assert codes(fire(ordered, "check_in", at=arrived)) == {"two_go"}
    assert codes(fire(ordered, "name_visitors", second_visitor="V1")) == {"visitors_differ"}
    assert codes(fire(ordered, "name_visitors", second_visitor="X404")) == {"visitors_are_there"}
    assert codes(fire(ordered, "name_visitors", assisting_channel="channel:HZ01")) == {"assistant_entrusted"}
    entrusted: dict[str, Any] = {
        "assisting_channel": "channel:HZ01", "assistant": "HZ01-P3", "entrustment": "doc:E7",
        "trained_on": day(-30).isoformat(),
    }  # fmt: skip
    assert isinstance(fire(ordered, "name_visitors", **entrusted), Done)
    assert codes(fire(ordered, "check_in", P2, at=arrived)) == {"by_a_visitor"}
    early = fire(ordered, "check_in", at=moment(-1, "10:00:00").isoformat())
    assert codes(early) == {"on_its_day", "after_its_order"}
    assert isinstance(fire(ordered, "check_in", at=arrived), Done)
    assert codes(fire(ordered, "check_out", at=moment(0, "09:59:59").isoformat())) == {"after_check_in"}


def test_breaking_off_flags_the_address_and_owes_nothing_and_a_day_without_check_in_is_missed(ordered: Bank) -> None:
    order(ordered)
    order(ordered, 2, visit_on=day(0).isoformat())
    fire(ordered, "check_in", at=moment(0, "10:00:00").isoformat())
    assert isinstance(fire(ordered, "break_off", reason="threatened", address_risk="violence"), Done)
    swept = sweep(ordered.started.engine, ordered.started.branch, day(0), clock=lambda: moment(20, "12:00:00"))
    assert swept.fired["visit.miss"] == 1
    assert [(one.state, one.address_risk) for one in visits(ordered)] == [("broken_off", "violence"), ("missed", None)]
    assert [ordered.case(number).state for number in (1, 2)] == ["home_visit", "home_visit"]


# (what is wrong, changes to the order, the reasons or faulty fields)
BAD: list[tuple[str, dict[str, Any], set[str]]] = [
    ("one person twice", {"second_visitor": "V1"}, {"visitors_differ"}),
    ("somebody who is not there", {"second_visitor": "X404"}, {"visitors_are_there"}),
    ("a channel without entrustment", {"assisting_channel": "channel:HZ01"}, {"assistant_entrusted"}),
    ("for yesterday", {"visit_on": day(-1).isoformat()}, {"visit_on"}),
    ("next year", {"visit_on": day(300).isoformat()}, {"visit_on"}),
    ("without an address", {"address": None}, {"address"}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "changes", "reasons"), BAD, ids=[one[0] for one in BAD])
def test_a_bad_order_leaves_the_case_where_it_is(
    ordered: Bank, what: str, changes: dict[str, Any], reasons: set[str]
) -> None:
    outcome = order(ordered, **changes)
    told = {one.field for one in outcome.faults} if isinstance(outcome, Mistaken) else codes(outcome)
    assert (told, ordered.case(1).state, visits(ordered)) == (reasons, "phone_collection", []), what


# (what, by what clock, the time that is told, the reasons): ordered at 09:00:30, there from 10:00:30 to 11:00
TIMES: list[tuple[str, str, str, set[str]]] = [
    ("check_in", "12:00:00", "09:00:00", set()),
    ("check_in", "12:00:00", "08:59:59", {"after_its_order"}),
    ("check_in", "12:00:00", "12:15:00", set()),
    ("check_in", "12:00:00", "12:15:01", {"not_ahead"}),
    ("check_out", "12:00:00", "10:00:00", set()),
    ("check_out", "12:00:00", "09:59:59", {"after_check_in"}),
    ("check_out", "12:00:00", "12:15:01", {"not_ahead"}),
    ("photo", "12:00:00", "09:45:00", set()),
    ("photo", "12:00:00", "09:44:59", {"taken_while_there"}),
    ("photo", "12:00:00", "11:15:00", set()),
    ("photo", "12:00:00", "11:15:01", {"taken_while_there"}),
    ("photo while there", "10:30:00", "10:45:00", set()),
    ("photo while there", "10:30:00", "10:45:01", {"taken_while_there"}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "clock", "told", "reasons"), TIMES, ids=[f"{one[0]} {one[2]}" for one in TIMES])
def test_what_a_visit_tells_of_happened_after_what_came_before_it_and_before_it_was_told(
    ordered: Bank, what: str, clock: str, told: str, reasons: set[str]
) -> None:
    """Within one day too: to the minute, and by a quarter of an hour where the clock is a phone's or a camera's."""
    order(ordered, clock="09:00:30")
    if what != "check_in":
        assert isinstance(fire(ordered, "check_in", at=moment(0, "10:00:30").isoformat()), Done)
    if what == "photo":
        assert isinstance(fire(ordered, "check_out", at=moment(0, "11:00:00").isoformat()), Done)
    instant = moment(0, told).isoformat()
    if what.startswith("photo"):
        outcome = photo(ordered, taken_at=instant, sent_at=moment(0, clock).isoformat())
    else:
        outcome = fire(ordered, what, clock=clock, at=instant)
    assert (codes(outcome) if reasons else outcome.__class__) == (reasons or Done), what


BAD_PHOTOS = [("the interior", {"shows": "interior"}), ("a person", {"shows": "person"}), ("twice", {})]


@pytest.mark.parametrize(("what", "changes"), BAD_PHOTOS, ids=[one[0] for one in BAD_PHOTOS])
def test_no_photo_of_persons_or_the_interior_without_consent_and_none_twice(
    ordered: Bank, what: str, changes: dict[str, Any]
) -> None:
    order(ordered)
    assert codes(photo(ordered)) == {"visit_takes_photos"}, "before anybody arrived"
    fire(ordered, "check_in", at=moment(0, "10:00:00").isoformat())
    photo(ordered)
    again = FIRST if what == "twice" else SECOND
    assert codes(photo(ordered, again, **changes)) == {"not_sent_before" if what == "twice" else "consented"}
    if changes:
        assert isinstance(photo(ordered, SECOND, **changes, consent="doc:C1"), Done)


def test_found_cannot_have_met_nobody(ordered: Bank) -> None:
    order(ordered)
    visited(ordered)
    assert codes(fire(ordered, "report", **SEEN | {"person_met": "nobody"})) == {"met_fits"}
    assert codes(fire(ordered, "report", **REPORT | {"person_met": "debtor"})) == {"met_fits"}


def owed(bank: Bank, on: int, people: tuple[str, ...] | None = None) -> list[tuple[str, str, str]]:
    """Reports owed on a day: of which loan, by whom, and how it stands."""
    with reading(bank.started.engine) as conn:
        found = duties_on(conn, bank.started.branch, day(on), people)
        return [(one.loan_id, one.owed_by, one.status) for one in found if one.duty == "visit_report"]


def test_who_led_the_visit_owes_its_report_from_its_end_until_it_is_there(ordered: Bank) -> None:
    order(ordered, visitor="P2", second_visitor="V1")
    assert owed(ordered, 0) == []
    fire(ordered, "check_in", P2, at=moment(0, "10:00:00").isoformat())
    photo(ordered)
    fire(ordered, "check_out", P2, clock="15:40:00", at=moment(0, "15:31:00").isoformat())
    assert (owed(ordered, 0), owed(ordered, 0, ("V1",))) == ([("L1", "P2", "open")], [])
    assert owed(ordered, 0, ("P2",)) == [("L1", "P2", "open")], "though the case is another's"
    sweep(ordered.started.engine, ordered.started.branch, day(0), clock=lambda: moment(0, "23:00:00"))
    assert owed(ordered, 0) == [("L1", "P2", "open")], "noon of the next working day"
    ordered.send(day(1), [arrears(number) for number in (1, 2)])
    assert isinstance(fire(ordered, "report", P2, on=1, **REPORT), Done)
    assert [status for _, _, status in owed(ordered, 1)] == ["done"]
    assert owed(ordered, 2) == []


def met(bank: Bank) -> list[tuple[Any, ...]]:
    """What the log of contacts holds of visits."""
    with reading(bank.started.engine) as conn:
        found = [contact_of(row) for row in conn.execute(CONTACTS.order_by(contact_log.c.id))]
        addresses = noted(conn, bank.started.branch, [(one.contact_ref, one.source) for one in found], "address")
    return [
        (one.loan_id, one.party, one.channel, one.result, one.outcome, one.staff_no,
         addresses[one.contact_ref, one.source]) for one in found
    ]  # fmt: skip


def broken(bank: Bank) -> list[tuple[str, ...]]:
    with reading(bank.started.engine) as conn:
        return [one.rules for one in found(conn, bank.started.branch, past_arrears)]


def test_whom_a_visit_met_is_a_contact_of_the_debtors_and_takes_back_all_that_was_lost_or_visited(bank: Bank) -> None:
    """The debtor has two loans; the visit is made for the first, the second is on a visit too."""
    bank.staff("V1", "business_rep")
    bank.staff("P2", "post_loan_officer")
    books = [loan(number, owner_staff_no="V1", borrower_id="B000001") for number in (1, 2)]
    bank.send(DAY, [arrears(number, borrower_id="B000001") for number in (1, 2)], loans=books)
    order(bank)
    order(bank, 2)
    visited(bank)
    assert met(bank) == [], "nothing before its report"
    assert isinstance(fire(bank, "report", **SEEN), Done)
    assert met(bank) == [("L1", "debtor", "visit", "found", "debtor", "V1", "文三路1号")]
    assert [case_of(bank, number).state for number in (1, 2)] == ["phone_collection"] * 2
    assert [day_.connected for day_ in case_of(bank, 2).facts.attempt_days] == [True]
    assert broken(bank) == []
    bank.assert_sound()


def test_who_opens_the_door_is_no_breach_and_nobody_met_is_the_debtor_missed(ordered: Bank) -> None:
    order(ordered)
    order(ordered, 2)
    visited(ordered, at=("10:00:00", "10:05:00"))
    fire(ordered, "report", **REPORT)
    visited(ordered, 2, hashed=SECOND, at=("10:05:00", "10:30:00"))
    fire(ordered, "report", number=2, **REPORT | {"person_met": "nobody"})
    assert [one[1:5] for one in met(ordered)] == [
        ("contact", "visit", "not_found", "not_found"), ("debtor", "visit", "not_found", "not_found"),
    ]  # fmt: skip
    assert broken(ordered) == []


def test_the_gate_is_asked_before_they_leave_and_before_they_knock(ordered: Bank) -> None:
    order(ordered, clock="07:30:00")
    order(ordered, 2)
    early = fire(ordered, "check_in", at=moment(0, "07:59:00").isoformat())
    assert codes(early) == {"gate_open"}
    assert isinstance(early, Refused)
    assert "22:00" in early.reasons[0].en
    take(ordered, f"L1,complaint,{day(0)},")
    assert codes(fire(ordered, "check_in", at=moment(0, "10:00:00").isoformat())) == {"gate_open"}
    fire(ordered, "cancel", reason="other")
    assert codes(order(ordered)) == {"contact_not_stopped"}, "said once"
    assert isinstance(fire(ordered, "check_in", number=2, at=moment(0, "10:00:00").isoformat()), Done)


OTHER = Actor("P3", "staff", "cli", frozenset({"business_rep"}), team="T9", region="R9")


def test_whoever_goes_along_acts_on_that_visit_and_on_nothing_else_of_the_case(ordered: Bank) -> None:
    """P3 is another rep, elsewhere: they reach neither case."""
    ordered.staff("P3", "business_rep")
    order(ordered, second_visitor="P3")
    order(ordered, 2)
    assert isinstance(fire(ordered, "check_in", OTHER, 2, at=moment(0, "10:00:00").isoformat()), Mistaken), "not theirs"
    assert isinstance(order(ordered, 1, OTHER), Mistaken)
    for event, when in (("check_in", "10:00:00"), ("check_out", "10:30:00")):
        assert isinstance(fire(ordered, event, OTHER, at=moment(0, when).isoformat()), Done)
    assert isinstance(fire(ordered, "report", OTHER, **SEEN, no_photo="forbidden", statement="保安不许拍照"), Done)
    assert [case_of(ordered, number).state for number in (1, 2)] == ["phone_collection", "home_visit"]
    with reading(ordered.started.engine) as conn:
        within = reach_of(ordered.started.branch, OTHER, "visit.read", day(0))
        branch = ordered.started.branch
        page, _ = page_of(conn, branch, VISITS, within, ShownWanted(every=True), limit=9, cursor=None)
        assert [one.id for one in page] == [1]
        assert seen(conn, branch, VISITS, OTHER, 1, day(0))[0].outcome == "found"
        with pytest.raises(CallerError):
            seen(conn, branch, VISITS, OTHER, 2, day(0))
