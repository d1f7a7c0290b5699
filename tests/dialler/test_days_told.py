"""Days that cases were told and permits that contacts name are held against the record: who forges one is named."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Record
from casework.log.tables import entries, openings, streams, unsealed
from casework.people.staff.actor import system
from casework.storage.database import open_engine, writing
from casework.work.contacts.tables import contact_log
from casework.work.gate.tables import contact_permits
from tests.dialler.called import call, moment, take
from tests.dialler.corrected import correct
from tests.dialler.test_learning import BOOKS, close, silent
from tests.feed.bank import DAY, Bank, arrears
from tests.feed.conftest import BankAfter
from tests.log.built_log import guards_down
from tests.work.gate.desk import Desk
from tests.work.test_promises import day

STREAM = "borrower:demo~B1"


@pytest.fixture
def told(bank_after: BankAfter) -> Bank:
    """One debtor, two calls on each of two days, which the cases were told when the days were closed."""
    return bank_after(two_days_told)


def two_days_told(bank: Bank) -> None:
    """Of whom the cases were told when the days were closed."""
    bank.send(DAY, [arrears(1, 4)], loans=BOOKS)
    silent(bank, 0, 1)
    for on in (0, 1):
        close(bank, on)
    bank.assert_sound()


def found(bank: Bank) -> list[tuple[str, str | None, int | None]]:
    return [(one.code, one.stream, one.stream_seq) for one in bank.verified().findings]


# (what is told, the day, attempts, connected, the entry of the debtor's stream that it rests on)
FORGED: list[tuple[str, int, int, bool, int]] = [
    ("an attempt more", 0, 3, False, 2), ("an attempt less", 0, 1, False, 2), ("that he answered", 0, 2, True, 2),
    ("a day on which nobody called", 5, 2, False, 2), ("another day's calls", 1, 2, False, 2),
    ("by an entry that is not there", 0, 2, False, 9), ("by an entry too early", 0, 2, False, 1),
]  # fmt: skip


@pytest.mark.parametrize(("what", "on", "attempts", "connected", "seq"), FORGED, ids=[row[0] for row in FORGED])
def test_a_case_that_was_told_a_day_otherwise_than_its_debtors_log_has_it_is_named(
    told: Bank, what: str, on: int, attempts: int, connected: bool, seq: int
) -> None:
    case = told.case(1)
    given = {"attempts": attempts, "connected": connected}
    with writing(told.started.engine) as conn:
        forged = Record(
            actor=system("sweep"), id=case.id, kind="contact_day", on=day(on), evidence=f"contact:{seq}", data=given
        )
        (done,) = advance(conn, [forged], told.started.branch, clock=lambda: moment(20, "12:00:00"))
    assert isinstance(done, Done), what
    assert found(told) == [("told_differs", f"case:{case.id}", case.audit_seq + 1)]


def test_a_contact_that_was_dropped_with_its_entry_is_missed_by_the_day_that_a_case_was_told(told: Bank) -> None:
    """The debtor's stream ends before it and is sound: whoever has the keys can do that."""
    settings = told.started.settings
    engine = open_engine(settings.database_owner_url or settings.database_url)
    with engine.begin() as conn, guards_down(conn):
        last = (entries.c.stream == STREAM) & (entries.c.stream_seq == 4)
        conn.execute(unsealed.delete().where(unsealed.c.entry.in_(sa.select(entries.c.id).where(last))))
        conn.execute(openings.delete().where(openings.c.stream == STREAM, openings.c.stream_seq == 4))
        conn.execute(entries.delete().where(last))
        conn.execute(contact_log.delete().where(contact_log.c.stream_seq == 4))
        before = conn.execute(sa.select(entries).where(entries.c.stream == STREAM, entries.c.stream_seq == 3)).one()
        head = {"audit_seq": 3, "audit_head": before.leaf_hash, "last_entry_at": before.recorded_at}
        conn.execute(streams.update().where(streams.c.stream == STREAM).values(head))
    engine.dispose()
    case = told.case(1)
    assert ("told_differs", f"case:{case.id}", case.audit_seq) in found(told)


def test_what_was_recorded_or_corrected_after_a_day_was_told_is_no_fault(told: Bank) -> None:
    take(told, call("late", 1, 0, "12:00:00"), on=21)
    assert found(told) == []
    with writing(told.started.engine) as conn:
        branch, at = told.started.branch, moment(21, "13:00:00")
        correct(conn, branch, "q1-1-15", "dialler", "third_party", system("cli"), at)
    assert found(told) == []
    close(told, 2, 22)
    assert found(told) == []


CHANGED: list[tuple[str, dict[str, Any]]] = [
    ("never used", {"used_at": None}), ("another's", {"actor_id": "S9"}), ("for a message", {"channel": "message"}),
    ("for a guarantor", {"party": "guarantor"}), ("for another debtor", {"borrower_id": "B3"}),
    ("for another number", {"number": b"0123456789abcdef"}), ("over by then", {"holds_until": moment(0, "09:59:00")}),
    ("given afterwards", {"issued_at": moment(0, "10:05:00")}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "changed"), CHANGED, ids=[row[0] for row in CHANGED])
def test_a_permit_that_was_forged_for_a_contact_is_named(bank: Bank, what: str, changed: dict[str, Any]) -> None:
    bank.send(DAY, [arrears(1, 4)], loans=BOOKS)
    desk = Desk(bank, bank.staff("S1", "basic_risk_manager"))
    permit = desk.ask(moment(0, "10:00:00"), phone="12000000001").permit_id
    desk.record(moment(0, "10:01:00"), permit_id=permit)
    bank.assert_sound()
    with writing(bank.started.engine) as conn:
        conn.execute(contact_permits.update().values(changed))
    assert found(bank) == [("permit_differs", STREAM, 1)], what


def test_a_permit_that_is_gone_or_used_twice_is_named(bank: Bank) -> None:
    bank.send(DAY, [arrears(1, 4)], loans=BOOKS)
    desk = Desk(bank, bank.staff("S1", "basic_risk_manager"))
    at = moment(0, "10:00:00")
    permit = desk.ask(at, phone="12000000001").permit_id
    desk.record(at + timedelta(minutes=1), permit_id=permit)
    with writing(bank.started.engine) as conn:
        conn.execute(contact_permits.update().values(used_at=None))
    desk.record(at + timedelta(minutes=2), permit_id=permit)
    assert found(bank) == [("permit_differs", None, None)]
    with writing(bank.started.engine) as conn:
        conn.execute(contact_permits.delete())
    assert ("permit_differs", STREAM, 1) in found(bank)
