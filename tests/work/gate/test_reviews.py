"""Reviews of breaches: confirmed, explained, cleared by a correction; each an entry that its row is compared with."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.errors import CallerError
from casework.intake.dialler.correcting import correct
from casework.intake.feed.past_arrears import past_arrears
from casework.storage.database import reading, writing
from casework.work.gate.breaches import Breach
from casework.work.gate.reviews import REVIEWED, Review, review, reviews
from casework.work.gate.tables import breach_reviews
from tests.feed.bank import DAY, INSTITUTION, Bank, arrears, contact, loan
from tests.work.gate.desk import Desk
from tests.work.gate.test_permits import at


@pytest.fixture
def desk(bank: Bank) -> Iterator[Desk]:
    bank.send(DAY, [arrears(1), arrears(2)], loans=[loan(1), loan(2)], contacts=[contact(1), contact(2)])
    yield Desk(bank, bank.staff("B9", "basic_risk_manager"))
    bank.assert_sound()


def judge(desk: Desk, contact_ref: str, verdict: str, remark: str | None = None, source: str | None = None) -> Breach:
    branch = desk.bank.started.branch
    with writing(desk.bank.started.engine) as conn:
        trail = branch.trail(now())
        done = review(conn, trail, branch, desk.actor, past_arrears, contact_ref, verdict, remark, source)
        trail.write(conn)
    return done


def known(desk: Desk) -> dict[tuple[str, str], Review]:
    with reading(desk.bank.started.engine) as conn:
        return dict(reviews(conn))


def put_right(desk: Desk, contact_ref: str, result: str) -> None:
    with writing(desk.bank.started.engine) as conn:
        correct(conn, desk.bank.started.branch, contact_ref, "api", result, desk.actor, now())


def test_a_breach_is_confirmed_or_explained_with_its_rules_in_the_debtors_stream(desk: Desk) -> None:
    night = desk.record(at("22:00"))
    assert judge(desk, night.contact_ref, "explained", "客户要求回拨").rules == ("X1",)
    latest = known(desk)["api", night.contact_ref]
    assert (latest.verdict, latest.rules, latest.actor_id) == ("explained", ("X1",), "B9")
    judge(desk, night.contact_ref, "confirmed")
    assert known(desk)["api", night.contact_ref].verdict == "confirmed"
    said = [body for body in desk.bank.bodies(f"borrower:{INSTITUTION}~B1") if body["event"] == REVIEWED]
    assert [body["data"]["verdict"] for body in said] == ["explained", "confirmed"]
    assert "客户" not in str(said), "the remark is sealed"


def test_a_breach_that_a_correction_has_cleared_is_reviewed_as_such_and_no_other(desk: Desk) -> None:
    first, _, _, fourth = (desk.record(at(f"{hour}:00"), "debtor") for hour in (10, 11, 12, 13))
    judge(desk, fourth.contact_ref, "confirmed")
    with pytest.raises(CallerError) as refused:
        judge(desk, fourth.contact_ref, "cleared")
    assert refused.value.code == "still_a_breach"
    put_right(desk, first.contact_ref, "third_party")
    with pytest.raises(CallerError) as refused:
        judge(desk, fourth.contact_ref, "explained")
    assert refused.value.code == "no_breach"
    assert judge(desk, fourth.contact_ref, "cleared").rules == ()


def test_a_breach_whose_rules_have_changed_since_waits_for_its_review_again(desk: Desk) -> None:
    night = desk.record(at("22:00"))
    judge(desk, night.contact_ref, "confirmed")
    assert known(desk)["api", night.contact_ref].answers(("X1",))
    assert not known(desk)["api", night.contact_ref].answers(("X1", "X3"))


@pytest.mark.parametrize(
    ("reference", "verdict", "source", "code"),
    [
        ("c99999", "confirmed", None, "unknown_contact_ref"), ("c00001", "sure", None, "unknown_verdict"),
        ("c00001", "confirmed", "sheet", "unknown_contact_ref"), ("c00001", "confirmed", None, "source_needed"),
    ],
)  # fmt: skip
def test_what_cannot_be_reviewed_is_refused_by_name(
    desk: Desk, reference: str, verdict: str, source: str | None, code: str
) -> None:
    desk.record(at("22:00"))
    if code == "source_needed":
        desk.recorded = 0
        desk.record(at("22:00"), source="agency")
    with pytest.raises(CallerError) as refused:
        judge(desk, reference, verdict, source=source)
    assert refused.value.code == code


def test_a_review_that_was_changed_by_sql_is_found(bank: Bank) -> None:
    """The corrupt twin: another verdict, a row too many, a row too few."""
    bank.send(DAY, [arrears(1)], loans=[loan(1)], contacts=[contact(1)])
    desk = Desk(bank, bank.staff("B9", "basic_risk_manager"))
    nights = [desk.record(at("22:00", days)) for days in (0, 1, 2)]
    for one in nights:
        judge(desk, one.contact_ref, "confirmed")
    bank.assert_sound()
    with writing(bank.started.engine) as conn:
        first, second, third = conn.execute(sa.select(breach_reviews.c.id)).scalars()
        row = breach_reviews.c.id
        conn.execute(breach_reviews.update().where(row == first).values(verdict="explained"))
        conn.execute(breach_reviews.update().where(row == second).values(stream_seq=99))
        conn.execute(breach_reviews.delete().where(row == third))
    report = bank.verified()
    assert {(finding.code, finding.stream) for finding in report.findings} == {
        ("row_differs", f"borrower:{INSTITUTION}~B1")
    }
    assert report.verdict == "tampered"
