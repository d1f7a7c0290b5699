"""What the sweep says in the log of breaches: each once, again when its rules change, and that it is none any more."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.clock import now
from casework.intake.feed.past_arrears import past_arrears
from casework.log.format.entry import decode_strict
from casework.log.tables import entries
from casework.operation.sweeping import sweep
from casework.storage.database import reading, writing
from casework.work.contacts.tables import CONTACTS, contact_of
from casework.work.gate.announcing import ANNOUNCED_IN_LOG
from casework.work.gate.reviews import review, reviews
from casework.work.gate.tables import breach_reviews
from tests.dialler.corrected import correct
from tests.feed.bank import DAY, INSTITUTION, Bank, arrears, contact, loan, somebody
from tests.feed.conftest import BankAfter
from tests.work.gate.desk import Desk
from tests.work.gate.test_permits import at
from tests.work.test_holds import take as hold
from tests.work.test_promises import day

STREAM = f"borrower:{INSTITUTION}~B1"


@pytest.fixture
def desk(bank_after: BankAfter) -> Iterator[Desk]:
    bank = bank_after(_furnish)
    yield Desk(bank, somebody("B9", "basic_risk_manager"))
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.send(DAY, [arrears(1), arrears(2)], loans=[loan(1), loan(2)], contacts=[contact(1), contact(2)])
    bank.staff("B9", "basic_risk_manager")


def close(desk: Desk, on: int) -> None:
    """The sweep of a day, seen from the morning after it."""
    sweep(desk.bank.started.engine, desk.bank.started.branch, day(on), clock=lambda: at("06:00", on + 1))


def said(desk: Desk) -> list[tuple[str, list[str]]]:
    """What an auditor reads who has the log alone."""
    with reading(desk.bank.started.engine) as conn:
        bodies = conn.execute(sa.select(entries.c.body).order_by(entries.c.id)).scalars().all()
    told = (decode_strict(bytes(body)) for body in bodies)
    return [(one.data["contact_ref"], one.data["rules"]) for one in told if one.event == ANNOUNCED_IN_LOG]


def test_a_breach_is_said_in_the_debtors_stream_when_its_day_is_closed_and_once(desk: Desk) -> None:
    """Its twin within the hours is said nowhere."""
    desk.record(at("21:59"))
    night = desk.record(at("22:00"))
    assert said(desk) == []
    close(desk, 0)
    assert said(desk) == [(night.contact_ref, ["X1"])]
    (entry,) = (body for body in desk.bank.bodies(STREAM) if body["event"] == ANNOUNCED_IN_LOG)
    assert (entry["actor"]["kind"], entry["rules"]) == ("system", ["X1"])
    assert str(entry["policy"]).startswith("2024-01-01")
    close(desk, 0)
    desk.bank.send(day(1), [arrears(1), arrears(2)])
    close(desk, 1)
    assert said(desk) == [(night.contact_ref, ["X1"])]


def test_what_comes_late_is_said_by_the_next_sweep_and_what_a_correction_clears_too(desk: Desk) -> None:
    close(desk, 0)
    first, _, _, fourth = (
        desk.record(at(f"{hour}:00"), "debtor", known_at=at("09:00", 1)) for hour in (10, 11, 12, 13)
    )
    close(desk, 1)
    assert said(desk) == [(fourth.contact_ref, ["X2"])]
    with writing(desk.bank.started.engine) as conn:
        correct(conn, desk.bank.started.branch, first.contact_ref, "api", "third_party", desk.actor, at("09:00", 2))
    close(desk, 2)
    assert said(desk)[1:] == [(fourth.contact_ref, [])]
    close(desk, 3)
    assert len(said(desk)) == 2


def test_a_hold_that_is_entered_late_makes_breaches_that_the_next_sweep_says(desk: Desk) -> None:
    called = desk.record(at("10:00"))
    close(desk, 0)
    assert said(desk) == []
    hold(desk.bank, f"L1,complaint,{day(0)},", on=1)
    close(desk, 1)
    assert said(desk) == [(called.contact_ref, ["complaint"])]


def test_of_who_was_erased_nothing_is_said_anew(desk: Desk) -> None:
    """Their numbers are gone, so that a rule of the number would seem to be kept."""
    *_, last = (desk.record(at("10:00")) for _ in range(7))
    close(desk, 0)
    assert said(desk) == [(last.contact_ref, ["X3"])]
    with writing(desk.bank.started.engine) as conn:
        conn.execute(sa.text("UPDATE contact_log SET number = NULL"))
    close(desk, 1)
    with writing(desk.bank.started.engine) as conn:
        conn.execute(sa.text("UPDATE contact_log SET number = :number"), {"number": last.number})
    assert said(desk) == [(last.contact_ref, ["X3"])]


def test_what_was_announced_is_no_review(desk: Desk) -> None:
    night = desk.record(at("22:00"), recording=True)
    close(desk, 0)
    assert known(desk) == {}
    with writing(desk.bank.started.engine) as conn:
        trail = desk.bank.started.branch.trail(now())
        review(conn, trail, desk.bank.started.branch, desk.actor, past_arrears, night.contact_ref, "confirmed")
        trail.write(conn)
    desk.bank.send(day(1), [arrears(1), arrears(2)])
    close(desk, 1)
    assert list(known(desk).values()) == ["confirmed"]
    assert len(said(desk)) == 1


def known(desk: Desk) -> dict[Any, str]:
    with reading(desk.bank.started.engine) as conn:
        found = reviews(conn, [contact_of(row) for row in conn.execute(CONTACTS)])
    return {key: one.verdict for key, one in found.items()}


def _other_rules(conn: Connection) -> None:
    conn.execute(breach_reviews.update().values(rules="X2"))


def _explained(conn: Connection) -> None:
    conn.execute(breach_reviews.update().values(verdict="explained"))


def _gone(conn: Connection) -> None:
    conn.execute(breach_reviews.delete())


def _invented(conn: Connection) -> None:
    row = conn.execute(sa.select(breach_reviews)).one()._asdict()
    conn.execute(breach_reviews.insert().values(row | {"id": row["id"] + 1, "stream_seq": 99}))


@pytest.mark.parametrize("tamper", [_other_rules, _explained, _gone, _invented])
def test_an_announcement_that_was_changed_by_sql_is_found(bank: Bank, tamper: Callable[[Connection], None]) -> None:
    bank.send(DAY, [arrears(1)], loans=[loan(1)], contacts=[contact(1)])
    desk = Desk(bank, bank.staff("B9", "basic_risk_manager"))
    desk.record(at("22:00"))
    close(desk, 0)
    bank.assert_sound()
    with writing(bank.started.engine) as conn:
        tamper(conn)
    report = bank.verified()
    assert {(finding.code, finding.stream) for finding in report.findings} == {("row_differs", STREAM)}
    assert report.verdict == "tampered"
