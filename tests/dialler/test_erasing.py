"""A debtor's contacts when their data are erased: what happened stays counted, whom it reached is gone."""

import sqlalchemy as sa

from casework.customer import Customer
from casework.log.tables import openings
from casework.oversight.privacy.erase import Erasure, erase
from casework.people.staff.actor import Actor
from casework.storage.database import reading, writing
from tests.dialler.called import call, logged, take
from tests.feed.bank import DAY, INSTITUTION, Bank, arrears, loan

RISK = Actor("B9", "staff", "api", frozenset({"basic_risk_manager"}))


def test_number_note_and_address_of_an_erased_debtor_are_gone_and_the_log_is_sound(bank: Bank) -> None:
    bank.staff("B9", "basic_risk_manager")
    bank.send(DAY, [arrears(1)], loans=[loan(1), loan(2)])
    row = call("c2", 2, note="想谈分期", address="虚构路2号", result="debtor")
    take(bank, call("c1"), row)
    with writing(bank.started.engine) as conn:
        told = erase(conn, bank.started.branch, Customer(INSTITUTION, "B2"), basis="unlawful", actor=RISK)
        assert isinstance(told, Erasure)
    assert told.gone.counts["contact_log"] == 1
    kept = logged(bank)
    assert (kept["c2"].number, kept["c2"].outcome) == (None, "debtor")
    assert kept["c1"].number is not None
    with reading(bank.started.engine) as conn:
        left = conn.execute(sa.select(openings.c.field).where(openings.c.stream == "borrower:demo~B2")).all()
    assert left == []
    assert take(bank, row).repeated == 1, "fed again, nothing of it comes back"
    assert logged(bank)["c2"].number is None
    bank.assert_sound()
