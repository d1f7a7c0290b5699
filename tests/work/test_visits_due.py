"""Which cases owe a visit by when, page by page, and where somebody goes on a day; what was seen at an address."""

from typing import Any

import pytest
import sqlalchemy as sa

from casework.errors import CallerError
from casework.lifecycle.commands import Done, Refused
from casework.people.staff.permissions import EVERYTHING, Reach
from casework.storage.database import reading
from casework.work.cases.route import route_of
from casework.work.cases.visits_due import VisitsDueWanted, page_of_visits_due
from casework.work.duties.listing import duties_on
from tests.dialler.called import moment
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.work.test_promises import day
from tests.work.test_visits import REPORT, V1, codes, fire, order, ordered, visited, visits

__all__ = ["ordered"]


def due(bank: Bank, within: Reach = EVERYTHING, **wanted: Any) -> list[tuple[str, Any]]:
    """By loan, when its visit is due; walked two lines at a time."""
    found, cursor = list[tuple[str, Any]](), None
    with reading(bank.started.engine) as conn:
        while True:
            asked = VisitsDueWanted(**wanted)
            page = page_of_visits_due(conn, asked, within=within, limit=2, cursor=cursor)
            found += [(one.loan_id, one.visit_due_on) for one in page.items]
            if (cursor := page.next) is None:
                return found


def owed(bank: Bank, on: int) -> list[tuple[str, Any]]:
    """The same as the duties of the day have it."""
    with reading(bank.started.engine) as conn:
        listed = duties_on(conn, bank.started.branch, day(on))
    return sorted((one.loan_id, one.due_on) for one in listed if one.duty == "visit" and one.status != "done")


def test_large_cases_owe_a_visit_until_one_is_reported_as_their_duties_say(bank: Bank) -> None:
    bank.staff("V1", "business_rep")
    bank.staff("P2", "post_loan_officer")
    books = [loan(number, owner_staff_no="V1", team=f"T{number % 2}") for number in range(1, 6)]
    books.append(loan(6, owner_staff_no="V1", outstanding_principal="49999.99"))
    snapshot = [arrears(number, number) for number in range(1, 6)]
    small = arrears(6, outstanding_principal="49999.99")
    bank.send(DAY, [*snapshot, small], loans=books)
    all_five = [("L5", day(25)), ("L4", day(26)), ("L3", day(27)), ("L2", day(28)), ("L1", day(29))]
    assert due(bank) == all_five
    assert sorted(due(bank)) == owed(bank, 0)
    assert due(bank, due_by=day(26)) == all_five[:2]
    assert due(bank, team="T0") == [all_five[1], all_five[3]]
    assert due(bank, Reach(teams=frozenset({"T1"}), people=frozenset({"P2"}))) == all_five[::2]
    assert due(bank, Reach(people=frozenset({"V1"})), owner="V1") == all_five
    assert due(bank, Reach(people=frozenset({"P2"}))) == []
    order(bank, 5, area="XH")
    assert due(bank, planned=True) == due(bank, area="XH") == all_five[:1]
    assert due(bank, planned=False) == all_five[1:]
    visited(bank)
    fire(bank, "report", **REPORT)
    assert sorted(due(bank)) == owed(bank, 0) == sorted(all_five[1:])
    bank.assert_sound()


@pytest.mark.parametrize("sorted_at_most", [0, 1, 4_000])
def test_planned_visits_are_listed_alike_whether_few_are_sorted_or_many_walked_past(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, sorted_at_most: int
) -> None:
    monkeypatch.setattr("casework.work.cases.reached.SORTED_AT_MOST", sorted_at_most)
    bank.staff("V1", "business_rep")
    bank.staff("P2", "post_loan_officer")
    bank.send(DAY, [arrears(n, n) for n in range(1, 5)], loans=[loan(n, owner_staff_no="V1") for n in range(1, 5)])
    for number, area in ((1, "A"), (3, "B"), (4, "A")):
        order(bank, number, area=area)
    planned = [("L4", day(26)), ("L3", day(27)), ("L1", day(29))]
    assert due(bank, planned=True) == planned
    assert due(bank, area="A") == [planned[0], planned[2]]
    assert due(bank, area="C") == due(bank, area="A", planned=False) == []
    assert due(bank, Reach(people=frozenset({"V1"})), planned=True) == planned
    assert due(bank, Reach(people=frozenset({"P2"})), planned=True) == []


def test_a_page_of_visits_due_is_one_statement(ordered: Bank) -> None:
    asked = list[str]()
    with reading(ordered.started.engine) as conn:
        sa.event.listen(conn, "before_cursor_execute", lambda *args: asked.append(args[2]))
        page_of_visits_due(conn, VisitsDueWanted(), within=EVERYTHING, limit=1)
    assert len(asked) == 1


@pytest.mark.parametrize(("what", "field"), [({"owner": "?"}, "owner"), ({"team": "\n"}, "team")])
def test_a_filter_that_can_be_nothing_is_told(ordered: Bank, what: dict[str, Any], field: str) -> None:
    with reading(ordered.started.engine) as conn, pytest.raises(CallerError) as caught:
        page_of_visits_due(conn, VisitsDueWanted(**what), within=EVERYTHING)
    assert (caught.value.code, caught.value.facts["field"]) == ("filter_malformed", field)


def test_a_route_is_its_stops_in_order_and_may_be_ordered_anew(ordered: Bank) -> None:
    order(ordered, 1, stop=2, area="A")
    order(ordered, 2, area="B")

    def stops(who: str, within: Reach = EVERYTHING) -> list[int]:
        with reading(ordered.started.engine) as conn:
            return [one.visit_id for one in route_of(conn, day(0), who, within=within).stops]

    assert stops("V1") == [1, 2]
    assert isinstance(fire(ordered, "name_visitors", number=2, stop=1), Done)
    assert stops("P2") == stops("V1") == [2, 1]
    assert stops("V1", Reach(people=frozenset({"P2"}))) == [], "who reaches none of the cases"
    fire(ordered, "cancel", number=2, reason="paid")
    assert stops("V1") == [1]
    with reading(ordered.started.engine) as conn:
        assert route_of(conn, day(1), "V1", within=EVERYTHING).stops == []


def test_who_plans_a_visit_to_an_address_with_a_risk_says_that_they_know(ordered: Bank) -> None:
    """Whoever's address it is, however it is written, until a visitor says that the risk is gone."""
    order(ordered, clock="08:00:00")
    left = fire(ordered, "break_off", clock="08:30:00", reason="threatened", address_risk="dog")
    assert isinstance(left, Done)
    refused = order(ordered, 2, address="文三路 １号")
    assert codes(refused) == {"risk_acknowledged"}
    assert isinstance(refused, Refused)
    assert refused.reasons[0].en.endswith(f"a dog (seen by V1 on {day(0)}); who plans confirms that they know")
    elsewhere = order(ordered, 1, address="文三路2号")
    assert isinstance(elsewhere, Done), "another address"
    fire(ordered, "cancel", number=elsewhere.id, reason="other")
    known = order(ordered, 2, risk_acknowledged=True)
    assert isinstance(known, Done)
    visited(ordered, known.id)
    fire(ordered, "report", V1, known.id, **REPORT, address_risk="no_risk")
    assert isinstance(order(ordered, 1), Done)


def test_a_risk_that_was_told_of_since_the_order_is_asked_again_before_they_knock(ordered: Bank) -> None:
    """Known, or broken off; what was known when it was planned is not asked twice, and what is gone not at all."""
    arrived = moment(0, "10:00:00").isoformat()
    for number, on in ((1, 0), (2, 0), (1, 1)):
        order(ordered, number, clock="08:00:00", visit_on=day(on).isoformat())
    fire(ordered, "break_off", clock="08:30:00", reason="unsafe", address_risk="dog")
    refused = fire(ordered, "check_in", number=2, at=arrived)
    assert codes(refused) == {"risk_known_there"}
    assert isinstance(refused, Refused)
    assert refused.reasons[0].en.endswith(f"a dog (by V1 on {day(0)}); confirm that you know, or break off")
    for number, more in ((4, {"address": "文三路2号"}), (5, {"risk_acknowledged": True})):
        order(ordered, 1, **more)
        assert isinstance(fire(ordered, "check_in", number=number, at=arrived), Done), "another address, or known"
        fire(ordered, "break_off", number=number, reason="other")
    assert isinstance(fire(ordered, "check_in", number=2, at=arrived, risk_acknowledged=True), Done)
    fire(ordered, "break_off", number=2, reason="other", address_risk="no_risk")
    tomorrow = fire(ordered, "check_in", number=3, on=1, at=moment(1, "10:00:00").isoformat())
    assert isinstance(tomorrow, Done), "it is gone"
    found = [one.risk_acknowledged for one in visits(ordered)]
    assert found == [False, True, False, False, True]


def test_what_was_said_last_of_an_address_counts_on_the_same_day_too(ordered: Bank) -> None:
    """By the time at which it was said, not by which visit was ordered first."""
    order(ordered, 1, clock="08:00:00")
    order(ordered, 2, clock="08:00:00")
    fire(ordered, "break_off", number=2, clock="08:30:00", reason="unsafe", address_risk="dog")
    fire(ordered, "break_off", number=1, clock="09:30:00", reason="other", address_risk="no_risk")
    assert isinstance(order(ordered, 2, clock="10:00:00"), Done)
