"""Reviews of breaches: confirmed, explained, cleared by a correction; each an entry that its row is compared with."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.errors import CallerError
from casework.intake.feed.past_arrears import past_arrears
from casework.storage.database import reading, writing
from casework.work.contacts.tables import CONTACTS, contact_of
from casework.work.gate.reviews import REVIEWED, Review, review, reviews
from casework.work.gate.subjects import Subject, subjects
from casework.work.gate.tables import breach_reviews
from tests.dialler.corrected import correct
from tests.feed.bank import DAY, INSTITUTION, Bank, arrears, contact, loan, somebody
from tests.feed.conftest import BankAfter
from tests.work.gate.desk import Desk
from tests.work.gate.test_permits import at


@pytest.fixture
def desk(bank_after: BankAfter) -> Iterator[Desk]:
    bank = bank_after(_furnish)
    yield Desk(bank, somebody("B9", "basic_risk_manager"))
    bank.assert_sound()


def _furnish(bank: Bank) -> None:
    bank.send(DAY, [arrears(1), arrears(2)], loans=[loan(1), loan(2)], contacts=[contact(1), contact(2)])
    bank.staff("B9", "basic_risk_manager")


def judge(desk: Desk, contact_ref: str, verdict: str, remark: str | None = None, source: str | None = None) -> Subject:
    branch = desk.bank.started.branch
    with writing(desk.bank.started.engine) as conn:
        trail = branch.trail(now())
        done = review(conn, trail, branch, desk.actor, past_arrears, contact_ref, verdict, remark, source)
        trail.write(conn)
    return done


def known(desk: Desk) -> dict[tuple[str, str], Review]:
    with reading(desk.bank.started.engine) as conn:
        return dict(reviews(conn, [contact_of(row) for row in conn.execute(CONTACTS)]))


def put_right(desk: Desk, contact_ref: str, result: str) -> None:
    with writing(desk.bank.started.engine) as conn:
        correct(conn, desk.bank.started.branch, contact_ref, "api", result, desk.actor, now())


def test_a_breach_is_confirmed_or_explained_with_its_rules_in_the_debtors_stream(desk: Desk) -> None:
    night = desk.record(at("22:00"))
    assert judge(desk, night.contact_ref, "explained", "客户要求回拨").rules == ("X1",)
    latest = known(desk)["api", night.contact_ref]
    assert (latest.verdict, latest.reasons, latest.actor_id) == ("explained", ("X1", "unrecorded"), "B9")
    judge(desk, night.contact_ref, "confirmed")
    assert known(desk)["api", night.contact_ref].verdict == "confirmed"
    said = [body for body in desk.bank.bodies(f"borrower:{INSTITUTION}~B1") if body["event"] == REVIEWED]
    assert [body["data"]["verdict"] for body in said] == ["explained", "confirmed"]
    assert "客户" not in str(said), "the remark is sealed"


def test_a_breach_that_a_correction_has_cleared_is_reviewed_as_such_and_no_other(desk: Desk) -> None:
    first, _, _, fourth = (desk.record(at(f"{hour}:00"), "debtor", recording=True) for hour in (10, 11, 12, 13))
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
    assert known(desk)["api", night.contact_ref].answers(("X1", "unrecorded"))
    assert not known(desk)["api", night.contact_ref].answers(("X1", "X3"))


def test_a_call_without_a_recording_is_reviewed_though_it_broke_no_rule(desk: Desk) -> None:
    """The twin that was recorded has nothing to be reviewed."""
    silent, recorded = desk.record(at("10:00")), desk.record(at("11:00"), recording=True)
    assert [(one.contact.contact_ref, one.reasons) for one in listed(desk)] == [(silent.contact_ref, ("unrecorded",))]
    with pytest.raises(CallerError) as refused:
        judge(desk, silent.contact_ref, "cleared")
    assert refused.value.code == "still_a_breach"
    assert refused.value.facts["rules"] == ["unrecorded"]
    judge(desk, silent.contact_ref, "explained", "录音系统故障")
    assert known(desk)["api", silent.contact_ref].answers(("unrecorded",))
    (said,) = (body for body in desk.bank.bodies(f"borrower:{INSTITUTION}~B1") if body["event"] == REVIEWED)
    assert (said["data"]["rules"], said["data"]["lacks"]) == ([], ["unrecorded"])
    assert "X7" in said["rules"]
    with pytest.raises(CallerError) as refused:
        judge(desk, recorded.contact_ref, "confirmed")
    assert refused.value.code == "no_breach"


def test_a_review_of_a_breach_is_of_what_the_contact_lacks_too(desk: Desk) -> None:
    night = desk.record(at("22:00"))
    assert judge(desk, night.contact_ref, "confirmed").reasons == ("X1", "unrecorded")
    (one,) = listed(desk)
    assert (one.rules, one.lacks) == (("X1",), ("unrecorded",))


@pytest.mark.parametrize(
    ("lines", "templates", "fields", "reasons"),
    [
        (None, None, {"line": "10690001", "channel": "message", "result": "sent", "template": "T9"}, []),
        (None, None, {"channel": "message", "result": "sent"}, ["no_template"]),
        (["10690001"], ["T1"], {"line": "10690001", "channel": "message", "result": "sent", "template": "T1"}, []),
        (["10690001"], ["T1"], {"line": "10690002", "channel": "message", "result": "sent", "template": "T1"},
         ["unregistered_line"]),
        (["10690001"], ["T1"], {"line": "10690001", "channel": "message", "result": "sent", "template": "t1"},
         ["unknown_template"]),
        (["10690001"], None, {"line": "10690002", "recording": True}, ["unregistered_line"]),
        (["10690001"], None, {"recording": True}, []),
        (None, ["T1"], {"line": "10690002"}, ["unrecorded"]),
        (["10690001"], ["T1"], {"line": "x", "channel": "message", "result": "sent", "template": "x"},
         ["unregistered_line", "unknown_template"]),
    ],
)  # fmt: skip
def test_a_line_or_template_that_the_branch_has_not_registered_goes_to_review(
    desk: Desk, lines: list[str] | None, templates: list[str] | None, fields: dict[str, Any], reasons: list[str]
) -> None:
    """While a list is empty nothing is known of what it would hold, and nothing is questioned."""
    register(desk, lines, templates)
    desk.record(at("10:00"), **fields)
    assert [list(one.reasons) for one in listed(desk)] == ([reasons] if reasons else [])


def test_each_contact_is_held_to_what_was_registered_on_its_day(desk: Desk) -> None:
    register(desk, ["10690001"], None)
    register(desk, ["10690002"], None, from_=DAY + timedelta(days=1))
    desk.record(at("10:00"), recording=True, line="10690001")
    ended = desk.record(at("10:00", 1), recording=True, line="10690001")
    early = desk.record(at("11:00"), recording=True, line="10690002")
    desk.record(at("11:00", 1), recording=True, line="10690002")
    assert [one.contact.contact_ref for one in listed(desk)] == [early.contact_ref, ended.contact_ref]


def register(desk: Desk, lines: list[str] | None, templates: list[str] | None, *, from_: date | None = None) -> None:
    """The branch's policy has these from then on (none: since ever)."""
    policies = desk.bank.started.branch.rulebook.policies.all
    last = policies[-1]
    figures = {**last.figures, "contact.lines": lines, "contact.templates": templates}
    named = replace(last, figures=figures, name=str(from_ or last.name), effective_on=from_ or last.effective_on)
    desk.bank.hold_to(*(policies if from_ else ()), named)


def listed(desk: Desk) -> list[Subject]:
    """Everything that goes to review."""
    with reading(desk.bank.started.engine) as conn:
        found = subjects(conn, desk.bank.started.branch, past_arrears, DAY, DAY + timedelta(days=9))
    return found.items


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
