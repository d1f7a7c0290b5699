"""A report that was returned is put right, a verdict too: case, contact and duties say what it says now."""

from typing import Any

import pytest
import sqlalchemy as sa

from casework.intake.dialler.correcting import Correction, correct_contacts
from casework.intake.dialler.recording import CORRECTED, Not
from casework.intake.dialler.typed import texts_of_kind
from casework.lifecycle.commands import Cleared, Done, Fire, Outcome, Record
from casework.log.tables import entries
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.work.tasks.tables import tasks
from tests.dialler.called import moment
from tests.feed.bank import Bank, arrears
from tests.work.test_promises import day
from tests.work.test_rechecks import told
from tests.work.test_visits import (
    B9,
    FIRST,
    REPORT,
    SECOND,
    SEEN,
    V1,
    case_of,
    codes,
    do,
    fire,
    met,
    order,
    ordered,
    rep,
    staffed,
    visited,
    visits,
)

__all__ = ["ordered"]


def returned(bank: Bank, said: dict[str, Any], way: str = "returned") -> None:
    """Before it was accepted, or after."""
    order(bank)
    visited(bank)
    assert isinstance(fire(bank, "report", **said), Done)
    if way == "reopened":
        assert isinstance(fire(bank, "accept", B9), Done)
        assert isinstance(fire(bank, "reopen", B8, reason="contradicts"), Done)
    else:
        assert isinstance(fire(bank, "send_back", B9, reason="contradicts"), Done)
    assert [(one.state, one.times_returned) for one in visits(bank)] == [("returned", 1)]


B8 = rep("B8", "basic_risk_manager")
FOUND, MISSED = ("debtor", "visit", "found", "debtor"), ("contact", "visit", "not_found", "not_found")
# (what, reported first, and again; state, found on, connected on, days in vain; the contact; what was put right)
AGAIN: list[tuple[str, dict[str, Any], dict[str, Any], tuple[Any, ...], tuple[str, ...], list[str]]] = [
    ("as before", REPORT, REPORT, ("home_visit", None, None, [0]), MISSED, []),
    ("found after all", REPORT, SEEN, ("phone_collection", 0, 0, []), FOUND, ["outcome", "person_met"]),
    ("not found after all", SEEN, REPORT, ("phone_collection", None, None, [0]), MISSED, ["outcome", "person_met"]),
    ("another was met", SEEN, SEEN | {"person_met": "family"}, ("phone_collection", 0, None, []),
     ("contact", "visit", "found", "third_party"), ["person_met"]),
    ("at another address", REPORT, REPORT | {"address_kind": "work", "place": "公司门口"},
     ("home_visit", None, None, [0]), MISSED, ["address_kind"]),
]  # fmt: skip


@pytest.mark.parametrize("way", ["returned", "reopened"])
@pytest.mark.parametrize(
    ("first", "again", "case", "contact", "fields"), [one[1:] for one in AGAIN], ids=[one[0] for one in AGAIN]
)  # fmt: skip
def test_what_the_case_learnt_follows_the_corrected_report(
    ordered: Bank, first: dict[str, Any], again: dict[str, Any], case: tuple[Any, ...], contact: tuple[str, ...],
    fields: list[str], way: str,
) -> None:  # fmt: skip
    returned(ordered, first, way)
    assert isinstance(fire(ordered, "report_again", **again), Done)
    (visit,) = visits(ordered)
    assert (visit.outcome, visit.person_met) == (again["outcome"], again["person_met"])
    assert [(one.name, one.by) for one in visit.corrected] == [(name, "V1") for name in fields]
    assert [one.was for one in visit.corrected if one.name != "address_kind"] == [
        first[name] for name in fields if name != "address_kind"
    ]
    now = case_of(ordered)
    facts = now.facts
    told_on = [None if on is None else day(on) for on in case[1:3]]
    assert (now.state, [facts.found_on, facts.connected_on]) == (case[0], told_on)
    assert [(one.on, one.photo) for one in facts.failed_visits] == [(day(on), FIRST) for on in case[3]]
    assert (facts.visit_photos, now.visit_due_on) == ([FIRST], None), "it is a visit that was made"
    assert [one[1:5] for one in met(ordered)] == [contact]
    assert len(told(ordered, CORRECTED)) == (contact != (FOUND if first is SEEN else MISSED))


# (what is asked, why it is not done): of a contact that is nobody's visit nothing changes
CORRECTIONS = [
    ({"contact_ref": "visit-1", "result": "not_found"}, "contact_of_a_visit"),
    ({"contact_ref": "visit-1", "result": "not_found", "source": "visit"}, "contact_of_a_visit"),
    ({"contact_ref": "visit-1", "result": "found"}, "contact_of_a_visit"),
    ({"contact_ref": "visit-2", "result": "not_found"}, "unknown_contact_ref"),
]  # fmt: skip


@pytest.mark.parametrize("who", [B9, V1], ids=["who reaches every case", "who went"])
@pytest.mark.parametrize(("asked", "why"), CORRECTIONS)
def test_what_a_visit_says_of_its_contact_is_put_right_in_its_report_alone(
    ordered: Bank, asked: dict[str, str], why: str, who: Actor
) -> None:
    order(ordered)
    visited(ordered)
    fire(ordered, "report", **SEEN)
    before = (met(ordered), case_of(ordered).facts, visits(ordered))
    with writing(ordered.started.engine) as conn:
        at = moment(0, "13:00:00")
        (told,) = correct_contacts(conn, ordered.started.branch, [Correction(**asked)], who, at, atomic=False)
    assert (told.became, told.is_fault) == (Not(why, "contact_ref"), True)
    assert (met(ordered), case_of(ordered).facts, visits(ordered)) == before
    assert all(word in texts_of_kind("contact_of_a_visit")[1] for word in ("returned", "reopened", "report again"))
    fire(ordered, "send_back", B9, reason="contradicts")
    assert isinstance(fire(ordered, "report_again", **REPORT), Done)
    assert [one[1:5] for one in met(ordered)] == [MISSED]


def test_found_with_nobody_met_is_refused_the_second_time_too_and_before_it_is_returned_nothing_is_put_right(
    ordered: Bank,
) -> None:
    order(ordered)
    visited(ordered)
    fire(ordered, "report", **REPORT)
    assert codes(fire(ordered, "report_again", **SEEN)) == {"wrong_state"}
    fire(ordered, "send_back", B9, reason="contradicts")
    assert codes(fire(ordered, "report_again", **SEEN | {"person_met": "nobody"})) == {"met_fits"}
    assert codes(fire(ordered, "report_again", B9, **SEEN)) == {"post_not_permitted"}


def test_an_earlier_connection_counts_again_when_a_later_one_is_taken_back(ordered: Bank) -> None:
    """A debtor met on an earlier visit was seen then, whatever becomes of the visit after it."""
    order(ordered)
    visited(ordered)
    fire(ordered, "report", **SEEN)
    ordered.send(day(1), [arrears(number, on=day(1)) for number in (1, 2)])
    order(ordered, on=1, visit_on=day(1).isoformat())
    visited(ordered, 2, 1, SECOND)
    fire(ordered, "report", number=2, on=1, **SEEN)
    fire(ordered, "send_back", B9, 2, 1, reason="contradicts")
    assert isinstance(fire(ordered, "report_again", number=2, on=1, **REPORT), Done)
    facts = case_of(ordered).facts
    assert (facts.found_on, facts.connected_on) == (day(0), day(0))
    assert [one.on for one in facts.failed_visits] == [day(1)]


# ── verdicts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def record(bank: Bank, kind: str, actor: Actor = B9, **data: Any) -> Outcome:
    fact = Record(actor=actor, noun="visit", id=1, kind=kind, on=day(0), evidence="look:1", data=data)
    (outcome,) = do(bank, fact)
    return outcome


def accepted(bank: Bank, said: dict[str, Any] = REPORT) -> None:
    """Its photo was drawn."""
    order(bank)
    visited(bank)
    fire(bank, "report", **said)
    fire(bank, "accept", B9)
    assert isinstance(record(bank, "drawn", Actor("system", "system", "cli", frozenset({"system"})), photo=FIRST), Done)


# (the verdict, whether the visit still proves what it says)
VERDICTS = [
    ("genuine", True), ("photo_unclear", True), ("wrong_place", False), ("staged", False), ("used_again", False)
]  # fmt: skip


@pytest.mark.parametrize(("verdict", "proves"), VERDICTS)
def test_a_visit_whose_photo_is_not_what_it_seems_proves_nothing_while_that_verdict_stands(
    ordered: Bank, verdict: str, proves: bool
) -> None:
    accepted(ordered)
    due_before = case_of(ordered, 2).visit_due_on
    assert isinstance(record(ordered, "recheck", photo=FIRST, verdict=verdict), Done)

    def as_proof(stands: bool) -> None:
        now = case_of(ordered)
        assert [one.photo for one in now.facts.failed_visits] == ([FIRST] if stands else []), "early placement"
        assert (now.facts.visit_photos, now.visit_due_on) == (([FIRST], None) if stands else ([], due_before)), "duty"
        assert visits(ordered)[0].disproved is not stands

    as_proof(proves)
    other = "genuine" if not proves else "staged"
    why: dict[str, Any] = {"reason": "looked_again", "remark": "对照原件后更正"}
    assert isinstance(record(ordered, "recheck_corrected", photo=FIRST, verdict=other, **why), Done)
    as_proof(not proves)
    assert [one.verdict for one in visits(ordered)[0].rechecks] == [verdict, other], "both are kept"


def test_a_photo_that_was_staged_proves_no_other_visit_either(ordered: Bank) -> None:
    accepted(ordered)
    record(ordered, "recheck", photo=FIRST, verdict="staged")
    data = {"outcome": "not_found", "person_met": "nobody", "photo": FIRST, "address_kind": "home"}
    told = Record(
        actor=system("cli"), id=ordered.case(1).id, kind="visit", on=day(0), evidence="doc:1", data=data
    )  # fmt: skip
    (outcome,) = do(ordered, told)
    assert codes(outcome) == {"photo_is_new"}


BAD = [
    ("the same verdict", B9, {"verdict": "staged", "reason": "other"}, {"another_verdict_stands"}),
    ("another photo", B9, {"photo": SECOND, "verdict": "genuine", "reason": "other"}, {"another_verdict_stands"}),
    ("by who visited", V1, {"verdict": "genuine", "reason": "other"}, {"post_not_permitted"}),
]  # fmt: skip


@pytest.mark.parametrize(("actor", "data", "reasons"), [one[1:] for one in BAD], ids=[one[0] for one in BAD])
def test_a_verdict_is_put_right_by_the_post_that_gives_them_where_another_stands(
    ordered: Bank, actor: Actor, data: dict[str, str], reasons: set[str]
) -> None:
    accepted(ordered)
    record(ordered, "recheck", photo=FIRST, verdict="staged")
    assert codes(record(ordered, "recheck_corrected", actor, **({"photo": FIRST} | data))) == reasons


def placed_early(bank: Bank) -> None:
    """After two visits in vain, the first of which is visit 1."""
    accepted(bank)
    bank.send(day(1), [arrears(number, on=day(1)) for number in (1, 2)])
    order(bank, on=1, visit_on=day(1).isoformat())
    visited(bank, 2, 1, SECOND)
    fire(bank, "report", number=2, on=1, **REPORT)
    case_id = bank.case(1).id
    file = {
        "agency": "agency:1", "active": True, "inspected_on": day(0).isoformat(), "evaluated_on": day(0).isoformat()
    }  # fmt: skip
    agent = Actor("G1", "staff", "cli", frozenset({"agency_post"}))
    known = Record(actor=agent, id=case_id, kind="agency_file", on=day(0), evidence="doc:1", data=file)
    assert isinstance(do(bank, known, on=1)[0], Done)
    cleared = Cleared(
        request_id=1, topic="early_placement", asked_by="G1", reviewed_by=None, involved=frozenset({"G1"}),
        approvers=frozenset({"approver"}), material_version=case_of(bank).facts.material_version,
    )  # fmt: skip
    act = Fire(
        actor=Actor("A7", "staff", "cli", frozenset({"approver"})), id=case_id, event="place_early", cleared=cleared,
        data={"agency": "agency:1", "term_until": day(60).isoformat()},
    )  # fmt: skip
    (outcome,) = do(bank, act, on=1)
    assert isinstance(outcome, Done), outcome


def checks(bank: Bank) -> list[tuple[str, str, str]]:
    with reading(bank.started.engine) as conn:
        wanted = sa.select(tasks.c.ref, tasks.c.owed_by, tasks.c.loan_id).order_by(tasks.c.id)
        return [(row.ref, row.owed_by, row.loan_id) for row in conn.execute(wanted)]


@pytest.mark.parametrize("verdict", ["staged", "genuine"])
def test_a_case_that_was_placed_early_on_a_staged_visit_stays_placed_and_is_looked_into(
    bank: Bank, verdict: str
) -> None:
    """Approved without its request in the log, of which alone a verification would complain."""
    staffed(bank)
    placed_early(bank)
    assert isinstance(record(bank, "recheck", photo=FIRST, verdict=verdict), Done)
    assert case_of(bank).state == "outsourced"
    expected = [("early_placement_check", "basic_risk_manager", "L1")] if verdict == "staged" else []
    assert checks(bank) == expected
    with reading(bank.started.engine) as conn:
        undone = conn.execute(sa.select(sa.func.count()).where(entries.c.event == "case.step.recall")).scalar_one()
    assert undone == 0
