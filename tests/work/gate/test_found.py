"""Breaches as the database has them: of any days, from everything that is on record when somebody asks."""

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from casework.cli.main import main
from casework.clock import now
from casework.customer import Customer
from casework.intake.feed.agreed import import_holds
from casework.intake.feed.past_arrears import past_arrears
from casework.people.staff.actor import system
from casework.people.staff.tables import posts_held
from casework.storage.database import reading, writing
from casework.work.cases.tables import cases
from casework.work.gate.asking import Wanted, decide
from casework.work.gate.found import found
from tests.dialler.corrected import correct
from tests.feed.bank import DAY, INSTITUTION, Bank, arrears, contact, loan, somebody
from tests.feed.conftest import BankAfter
from tests.work.gate.desk import Desk

ZONE = ZoneInfo("Asia/Shanghai")
FRIEND = "12000009999"


def at(time: str, days: int = 0) -> datetime:
    return datetime.fromisoformat(f"{DAY + timedelta(days=days)}T{time:0>5}").replace(tzinfo=ZONE)


@pytest.fixture
def desk(bank_after: BankAfter) -> Iterator[Desk]:
    """Two debtors, a friend of the first on record; three days of snapshots in which the first is DPD 3, 4, 0."""
    bank = bank_after(_furnish)
    yield Desk(bank, somebody("S1", "basic_risk_manager"))
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    books = [loan(1), loan(2)]
    friend = contact(1, role="contact", phone=FRIEND, person_name="友人", address="")
    bank.send(DAY, [arrears(1, 3), arrears(2)], loans=books, contacts=[contact(1), contact(2), friend])
    bank.send(DAY + timedelta(days=1), [arrears(1, 3), arrears(2)])
    bank.staff("S1", "basic_risk_manager")


def broken(desk: Desk, first: date | None = None, last: date | None = None) -> dict[str, str]:
    with reading(desk.bank.started.engine) as conn:
        listed = found(conn, desk.bank.started.branch, past_arrears, first, last)
        return {one.contact.contact_ref: " ".join(one.rules) for one in listed}


def test_breaches_are_found_over_days_and_loans_and_listed_of_some_days(desk: Desk) -> None:
    calls = [desk.record(at(f"{hour}:00"), "debtor") for hour in (9, 10, 11, 12)]
    night = desk.record(at("22:00", 1), "no_answer", loan=2, phone="12000000002")
    assert broken(desk) == {calls[3].contact_ref: "X2", night.contact_ref: "X1"}
    assert broken(desk, last=DAY) == {calls[3].contact_ref: "X2"}
    assert broken(desk, first=DAY + timedelta(days=1)) == {night.contact_ref: "X1"}
    assert broken(desk, first=DAY + timedelta(days=2)) == {}


def test_what_lies_before_the_days_asked_for_counts(desk: Desk) -> None:
    """Attempts and refusals of days before, also for other debtors; of the DPD that day's snapshot decides."""
    for hour in (9, 10, 11):
        desk.record(at(f"{hour}:00"))
    day = DAY + timedelta(days=1)
    allowed = desk.record(at("10:00", 1), party="contact", phone=FRIEND)
    assert broken(desk, first=day) == {}
    refused = desk.record(at("11:00", 1), "contact_refused", party="contact", phone=FRIEND)
    again = desk.record(at("12:00", 1), party="contact", phone=FRIEND)
    assert broken(desk, first=day) == {again.contact_ref: "X6"}
    assert {allowed.contact_ref, refused.contact_ref} & broken(desk).keys() == set()


def test_that_a_number_is_dead_counts_whoever_was_called_there(desk: Desk) -> None:
    """The friend may be called from the day after the first debtor's number was found dead, in the second's name."""
    early = desk.record(at("09:00"), party="contact", phone=FRIEND)
    desk.record(at("10:00"), "invalid_number", loan=2)
    desk.record(at("10:00", 1), party="contact", phone=FRIEND)
    assert broken(desk) == {early.contact_ref: "X5"}


def test_a_row_that_comes_late_and_a_correction_change_what_is_found(desk: Desk) -> None:
    desk.record(at("09:00"), "debtor")
    desk.record(at("10:00"), "debtor")
    last = desk.record(at("12:00"), "debtor")
    assert broken(desk) == {}
    late = desk.record(at("11:00"), "debtor", known_at=at("09:00", 3))
    assert broken(desk) == {last.contact_ref: "X2"}
    with writing(desk.bank.started.engine) as conn:
        branch = desk.bank.started.branch
        correct(conn, branch, late.contact_ref, late.source, "third_party", desk.actor, at("10:00", 3))
    assert broken(desk) == {}


def test_a_hold_entered_late_makes_breaches_of_contacts_since_it_began(desk: Desk) -> None:
    before, during = desk.record(at("09:00", -1)), desk.record(at("09:00"))
    content = f"loan_id,hold,from,until\nL1,complaint,{DAY},\n".encode()
    with writing(desk.bank.started.engine) as conn:
        import_holds(conn, desk.bank.started.branch, content, "h.csv", system("cli"))
    assert broken(desk) == {during.contact_ref: "complaint"}
    assert before.contact_ref not in broken(desk)


def test_a_contact_that_had_a_permit_is_no_breach(desk: Desk) -> None:
    for hour in (9, 10):
        desk.record(at(f"{hour}:00"), "debtor")
    held = desk.ask(at("12:00"))
    desk.record(at("12:01"), "debtor", permit_id=held.permit_id)
    desk.record(at("11:00"), "debtor", known_at=at("13:00"))
    assert broken(desk) == {}


class _Undone(Exception):
    """Ends a transaction of which nothing is to stay."""


def test_in_litigation_a_contact_is_a_breach_unless_asset_preservation_makes_it(desk: Desk) -> None:
    theirs = desk.bank.staff("S2", "asset_preservation")
    by_them, by_another = (desk.record(at("09:00", 1), staff_no=who) for who in (theirs.id, desk.actor.id))
    before = desk.record(at("09:00"), staff_no=desk.actor.id)
    other_loan = desk.record(at("09:00", 1), loan=2, phone="12000000002", staff_no=desk.actor.id)
    started, since = desk.bank.started, DAY + timedelta(days=1)
    today = now().date() - timedelta(days=1)
    with pytest.raises(_Undone), writing(started.engine) as conn:
        conn.execute(posts_held.update().values(from_on=min(today, since)))
        conn.execute(cases.update().where(cases.c.loan_id == "L1").values(state="litigation", state_since=since))
        listed = {one.contact.contact_ref: one.rules for one in found(conn, started.branch, past_arrears)}
        wanted = Wanted(case_id=desk.bank.case(1).id, party="debtor", channel="letter")
        permits = [decide(conn, started.branch, who, wanted, at("10:00", 1)) for who in (theirs, desk.actor)]
        raise _Undone
    assert listed == {by_another.contact_ref: ("channel",)}
    assert [[one.rule for one in permit.reasons] for permit in permits] == [[], ["channel"]]
    assert {by_them.contact_ref, before.contact_ref, other_loan.contact_ref} & listed.keys() == set()


def test_the_shell_lists_them_whole(desk: Desk) -> None:
    night = desk.record(at("22:00"), "no_answer")
    with pytest.MonkeyPatch.context() as patch:
        settings = desk.bank.started.settings
        patch.setenv("CASEWORK_DATABASE_URL", settings.database_url)
        patch.setenv("CASEWORK_KEYS_DIR", str(settings.keys_dir))
        told = CliRunner().invoke(main, ["contact", "breaches", "--json"])
        shown = CliRunner().invoke(main, ["contact", "breaches", "--from", DAY.isoformat()])
        none = CliRunner().invoke(
            main, ["contact", "breaches", "--from", (DAY + timedelta(days=1)).isoformat(), "--json"]
        )
    assert json.loads(told.stdout) == [{"contact_ref": night.contact_ref, "rules": ["X1"]}]
    assert night.contact_ref in shown.stdout
    assert json.loads(none.stdout) == []


@pytest.mark.parametrize("command", [("contact", "breaches"), ("contact", "to-review"), ("case", "steps")])
def test_days_that_end_before_they_begin_are_a_mistake_of_usage(command: tuple[str, str]) -> None:
    told = CliRunner().invoke(main, [*command, "--from", "2026-03-02", "--to", "2026-03-01"])
    assert (told.exit_code, "2026-03-01 is before 2026-03-02" in told.stderr) == (2, True)


def test_the_arrears_of_past_days_are_those_of_the_newest_snapshot_then(desk: Desk) -> None:
    who = Customer(INSTITUTION, "B1")
    days = [DAY + timedelta(days=number) for number in (-1, 0, 1, 5)]
    with reading(desk.bank.started.engine) as conn:
        past = past_arrears(conn, {(who, day) for day in days})[who]
    assert [past.on(day) for day in days] == [0, 3, 4, 4]
