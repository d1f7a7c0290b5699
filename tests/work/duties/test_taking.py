"""Duties over the database: taken when a day is closed, never changed afterwards, listed as they were or stand."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from casework.clock import now
from casework.intake.dialler.importing import import_contacts
from casework.intake.dialler.recording import DIALLER, SHEET
from casework.operation.sweeping import sweep
from casework.people.days.declaring import Outage, declare_outage
from casework.people.shifts.entering import ShiftGiven, enter_shifts
from casework.people.staff import register
from casework.people.staff.actor import system
from casework.storage.database import open_engine, reading, writing
from casework.work.duties.called import Reader
from casework.work.duties.listing import duties_on
from casework.work.duties.tables import duties, duty_days
from casework.work.gate.limits import limits_of
from tests.feed.bank import DAY, Bank, arrears, contact, loan
from tests.feed.conftest import BankAfter
from tests.work.test_holds import take as hold
from tests.work.test_promises import at, day

BOOKS = [loan(1), loan(2, borrower_id="B1", outstanding_principal="49999.99"), loan(3)]
SMALL = "49999.99"
SNAPSHOT = [
    arrears(1), arrears(2, outstanding_principal=SMALL), arrears(3, 31, outstanding_principal=SMALL)
]  # fmt: skip


@pytest.fixture
def owed(bank_after: BankAfter) -> Iterator[Bank]:
    """Three cases, one of them big, one due for placement; the log and the rows are sound when the test is done."""
    bank = bank_after(_furnish)
    yield bank
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.staff("B9", "basic_risk_manager")
    bank.send(DAY, SNAPSHOT, loans=BOOKS)


def close(bank: Bank, number: int = 0) -> None:
    sweep(bank.started.engine, bank.started.branch, clock=at(day(number)))


def listed(bank: Bank, on: date = DAY) -> dict[str, str]:
    """By loan its duties of the day, in one text."""
    found: dict[str, list[str]] = {}
    with reading(bank.started.engine) as conn:
        for one in duties_on(conn, bank.started.branch, on):
            found.setdefault(one.loan_id, []).append(f"{one.duty}:{one.exempt_by or one.status}")
    return {loan_id: " ".join(told) for loan_id, told in found.items()}


def test_before_its_close_a_day_is_listed_as_it_stands_and_afterwards_as_it_was(owed: Bank) -> None:
    assert listed(owed) == {"L1": "dial:open visit:open", "L2": "dial:open", "L3": "place:open"}
    close(owed)
    taken = {"L1": "dial:late visit:open", "L2": "dial:late", "L3": "place:open"}
    assert listed(owed) == taken
    close(owed)
    hold(owed, f"L1,complaint,{DAY},")
    assert listed(owed) == taken
    assert listed(owed, day(-1)) == {}


def test_whoever_has_a_duty_is_on_record_with_it(owed: Bank) -> None:
    """The handler dials, the agency post places; a post has visits made for an owner who may not."""
    close(owed)
    with reading(owed.started.engine) as conn:
        found = {(row.loan_id, row.duty): row.owed_by for row in conn.execute(sa.select(duties))}
    case = owed.case(1)
    assert found == {
        ("L1", "dial"): case.handler, ("L1", "visit"): "basic_risk_manager", ("L2", "dial"): owed.case(2).handler,
        ("L3", "place"): "agency_post",
    }  # fmt: skip


def test_what_somebody_who_is_off_owes_whoever_the_roster_names_owes_that_day(owed: Bank) -> None:
    """Here S1, who handles and owns; what a post owes stays the post's."""
    owed.staff("R9", "business_rep")
    branch, who = owed.started.branch, owed.case(1).handler
    with writing(owed.started.engine) as conn:
        trail = branch.trail(now())
        register.confirm(conn, trail, system("cli"), staff_no=who, name="甄不存")
        shift = ShiftGiven(DAY, who, "rest", "R9")
        enter_shifts(conn, trail, system("cli"), branch.rulebook.shifts, [shift], closed=None)
        trail.write(conn)
    close(owed)
    with reading(owed.started.engine) as conn:
        found = {(row.loan_id, row.duty): row.owed_by for row in conn.execute(sa.select(duties))}
    assert found == {
        ("L1", "dial"): "R9", ("L1", "visit"): "R9", ("L2", "dial"): "R9", ("L3", "place"): "agency_post"
    }  # fmt: skip


def test_a_hold_exempts_the_cases_that_it_binds(owed: Bank) -> None:
    hold(owed, f"L1,dispute,{DAY},", f"L3,complaint,{DAY},")
    close(owed)
    assert listed(owed) == {"L1": "dial:dispute visit:dispute", "L2": "dial:late"}


def test_an_outage_that_was_declared_before_the_close_exempts(owed: Bank) -> None:
    branch = owed.started.branch
    with writing(owed.started.engine) as conn:
        trail = branch.trail(now())
        declare_outage(
            conn, trail, system("cli"), Outage(DAY, "telephone"), branch.rulebook.duties.outages, closed=None
        )
        trail.write(conn)
    close(owed)
    assert listed(owed) == {"L1": "dial:outage visit:outage", "L2": "dial:outage", "L3": "place:outage"}


def call(bank: Bank, number: int, *times: str, source: str = DIALLER) -> None:
    """The debtor of loan 1 is called in vain at these times of a day."""
    lines = [f"{day(number)}-{time},S1,L1,debtor,12000000001,call,{day(number)}T{time}:00+08:00," for time in times]
    header = "contact_ref,staff_no,loan_id,party,phone,channel,started_at,recording,result"
    content = "\n".join([header, *(f"{line}r,no_answer" for line in lines)]).encode()
    with writing(bank.started.engine) as conn:
        taken = import_contacts(
            conn, bank.started.branch, content, "c.csv", source, system("cli"), clock=at(day(number + 1))
        )
    assert taken.stored == len(times), taken


@pytest.mark.parametrize(("hours", "attempts"), [(0, 4), (1, 3), (2, 2), (8, 2), (9, 1)])
def test_calls_count_as_two_where_they_lie_as_far_apart_as_the_policy_wants(
    owed: Bank, hours: int, attempts: int
) -> None:  # fmt: skip
    """Each that begins so long after the last that counted; nothing by default."""
    owed.send(day(1), SNAPSHOT)
    call(owed, 1, "09:00", "09:59", "10:30", "17:00")
    branch = owed.started.branch
    policy = branch.rulebook.policies.at(day(1))
    held_to = branch.rulebook.duties.held_to(policy)
    assert held_to.attempts_apart == timedelta()
    held_to = replace(held_to, attempts_apart=timedelta(hours=hours))
    with reading(owed.started.engine) as conn:
        reader = Reader(conn, "demo", day(1), held_to, limits_of(policy), branch.rulebook.results)
        assert reader.read()["B1"].attempts == attempts


def live(bank: Bank, first: int, last: int) -> None:
    for number in range(first, last + 1):
        bank.send(day(number), SNAPSHOT)
        call(bank, number, "10:00", "11:00")
        sweep(bank.started.engine, bank.started.branch, day(number), clock=at(day(number + 1)))


def test_a_lost_case_owes_its_repair_from_the_day_on_which_it_is_marked(owed: Bank) -> None:
    """Two calls a day are enough; who is called for one loan is called for the other. At ¥50,000 both duties hold."""
    live(owed, 1, 5)
    assert [listed(owed, day(number))["L2"] for number in (1, 4, 5)] == [
        "dial:done",
        "dial:done",
        "dial:done repair:open",
    ]
    assert listed(owed, day(5))["L1"] == "dial:done visit:open repair:open"


def test_nobody_need_call_contact_persons_before_the_gate_opens_them_for_the_product(bank: Bank) -> None:
    """Both loans are one debtor's, and the policy holds the product of the second to more failures."""
    friend = contact(1, role="contact", relation="friend", phone="12000000009")
    bank.send(DAY, SNAPSHOT, loans=[loan(1), loan(2, borrower_id="B1", product="haihua"), loan(3)], contacts=[friend])
    bank.set_figures({"contact.by_product": [{"product": "haihua", "third_party_after_failures": 5}]})
    live(bank, 1, 4)
    owed = [
        ["dial_contacts:late" in listed(bank, day(number))[loan_id] for number in (2, 3, 4)] for loan_id in ("L1", "L2")
    ]
    assert owed == [[False, True, True], [False, False, True]]


@pytest.mark.parametrize(("source", "dial"), [(DIALLER, "dial:done"), (SHEET, "dial:late")])
def test_what_is_typed_in_a_day_later_proves_no_duty(owed: Bank, source: str, dial: str) -> None:
    """The dialler's own times are believed; the clock stands at noon of the next day."""
    owed.send(day(1), SNAPSHOT)
    call(owed, 1, "10:00", "11:00", source=source)
    close(owed, 2)
    assert listed(owed, day(1))["L2"] == dial


def test_a_day_that_an_outage_excuses_proves_nobody_lost(owed: Bank) -> None:
    branch = owed.started.branch
    with writing(owed.started.engine) as conn:
        trail = branch.trail(now())
        declare_outage(
            conn, trail, system("cli"), Outage(day(3), "telephone"), branch.rulebook.duties.outages, closed=None
        )
        trail.write(conn)
    live(owed, 1, 7)
    assert owed.case(2).state == "phone_collection"
    live(owed, 8, 8)
    assert owed.case(2).state == "lost_contact"


def test_the_entry_of_a_days_close_says_what_was_taken(owed: Bank) -> None:
    close(owed)
    (entry,) = owed.bodies("duties:demo")
    assert entry["event"] == "duties.taken"
    assert entry["data"]["on"] == DAY.isoformat()
    assert entry["data"]["counts"] == {"dial": {"late": 2}, "place": {"open": 1}, "visit": {"open": 1}}


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    "attack",
    [
        duties.update().values(status="done"), duties.delete().where(duties.c.duty == "visit"), duty_days.delete(),
        duties.update().where(duties.c.duty == "dial").values(owed_by="S1x"),
    ],
)  # fmt: skip
def test_duties_changed_by_sql_are_found(bank: Bank, attack: sa.UpdateBase) -> None:
    """The guards of the tables are out of the attacker's way."""
    bank.send(DAY, SNAPSHOT, loans=BOOKS)
    close(bank)
    bank.assert_sound()
    engine = open_engine(bank.started.settings.database_url)
    with engine.begin() as conn:
        for table in (duties, duty_days):
            for kind in ("update", "delete"):
                conn.exec_driver_sql(f"DROP TRIGGER {table.name}_append_only_{kind}")
        conn.execute(attack)
    engine.dispose()
    found = [(one.code, one.stream) for one in bank.verified().findings]
    assert ("row_differs", "duties:demo") in found
