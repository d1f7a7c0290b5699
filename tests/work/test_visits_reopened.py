"""A report that was accepted is reopened with a reason by another of the post; one that nobody redoes is set aside."""

from typing import Any

import pytest

from casework.lifecycle.commands import Done, Mistaken, Outcome
from casework.people.staff.actor import Actor
from tests.feed.bank import Bank
from tests.work.test_visits import (
    B9,
    FIRST,
    P2,
    REPORT,
    SECOND,
    SEEN,
    V1,
    case_of,
    codes,
    fire,
    met,
    order,
    ordered,
    photo,
    rep,
    staffed,
    visited,
    visits,
)
from tests.work.test_visits_corrected import accepted, checks, placed_early, record, returned

__all__ = ["ordered"]
B8 = rep("B8", "basic_risk_manager")
V1_OF_THE_POST, P2_OF_THE_POST = rep("V1", "basic_risk_manager"), rep("P2", "basic_risk_manager")


def became(outcome: Outcome) -> set[str]:
    """The reasons of a refusal, or the fields at fault; nothing where it was done."""
    if isinstance(outcome, Mistaken):
        return {one.field for one in outcome.faults}
    return set() if isinstance(outcome, Done) else codes(outcome)


# (what, who, on which report, what they say, what is refused): each that is done has its twins that are not
REOPENED: list[tuple[str, Actor, str, dict[str, Any], set[str]]] = [
    ("by another of the post", B8, "accepted", {"reason": "contradicts"}, set()),
    ("for a complaint", B8, "accepted", {"reason": "complaint", "remark": "客户称无人来访"}, set()),
    ("by who accepted it", B9, "accepted", {"reason": "contradicts"}, {"by_another_than_accepted"}),
    ("by who led it", V1_OF_THE_POST, "accepted", {"reason": "other"}, {"by_no_visitor"}),
    ("by who went along", P2_OF_THE_POST, "accepted", {"reason": "other"}, {"by_no_visitor"}),
    ("by a post that accepts none", V1, "accepted", {"reason": "other"}, {"post_not_permitted"}),
    ("without a reason", B8, "accepted", {}, {"reason"}),
    ("for a reason that is none", B8, "accepted", {"reason": "paid"}, {"reason"}),
    ("that waits", B8, "reported", {"reason": "other"}, {"wrong_state"}),
    ("that was returned", B8, "returned", {"reason": "other"}, {"wrong_state"}),
    ("that was set aside", B8, "set_aside", {"reason": "other"}, {"wrong_state"}),
]  # fmt: skip


def brought_to(bank: Bank, state: str) -> None:
    order(bank)
    visited(bank)
    assert isinstance(fire(bank, "report", **REPORT), Done)
    if state == "accepted":
        fire(bank, "accept", B9)
    elif state != "reported":
        fire(bank, "send_back", B9, reason="incomplete")
    if state == "set_aside":
        fire(bank, "set_aside", B9, reason="not_redone")
    assert [one.state for one in visits(bank)] == [state]


@pytest.mark.parametrize(
    ("actor", "state", "said", "refused"), [one[1:] for one in REOPENED], ids=[one[0] for one in REOPENED]
)  # fmt: skip
def test_a_report_that_was_accepted_is_reopened_by_another_of_the_post_with_a_reason(
    ordered: Bank, actor: Actor, state: str, said: dict[str, Any], refused: set[str]
) -> None:
    brought_to(ordered, state)
    before = case_of(ordered).facts
    assert became(fire(ordered, "reopen", actor, **said)) == refused
    (visit,) = visits(ordered)
    assert visit.state == (state if refused else "returned")
    assert case_of(ordered).facts == before, "the case goes on as it was told until the report is put right"


def test_what_was_reopened_takes_photos_and_a_report_again_and_is_accepted_by_whoever_looks_then(ordered: Bank) -> None:
    brought_to(ordered, "accepted")
    assert became(photo(ordered, SECOND)) == {"visit_takes_photos"}
    fire(ordered, "reopen", B8, reason="photo_unclear")
    assert became(photo(ordered, SECOND)) == set()
    assert became(fire(ordered, "report_again", **REPORT)) == set()
    assert became(fire(ordered, "accept", B8)) == set()
    (visit,) = visits(ordered)
    assert (visit.state, visit.accepted_by, visit.times_returned) == ("accepted", "B8", 1)
    assert became(fire(ordered, "reopen", B8, reason="other")) == {"by_another_than_accepted"}
    assert became(fire(ordered, "reopen", B9, reason="other")) == set(), "as often as it takes"


# (what, who, on which report, what they say, what is refused)
ASIDE: list[tuple[str, Actor, str, dict[str, Any], set[str]]] = [
    ("that was returned", B9, "returned", {"reason": "visitors_gone"}, set()),
    ("by who went", P2_OF_THE_POST, "returned", {"reason": "not_redone"}, {"by_no_visitor"}),
    ("by a post that accepts none", V1, "returned", {"reason": "not_redone"}, {"post_not_permitted"}),
    ("without a reason", B9, "returned", {}, {"reason"}),
    ("that waits", B9, "reported", {"reason": "not_redone"}, {"wrong_state"}),
    ("that was accepted", B9, "accepted", {"reason": "not_made_so"}, {"wrong_state"}),
    ("twice", B9, "set_aside", {"reason": "other"}, {"wrong_state"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("actor", "state", "said", "refused"), [one[1:] for one in ASIDE], ids=[one[0] for one in ASIDE]
)  # fmt: skip
def test_a_report_is_set_aside_that_was_returned_and_its_visit_proves_nothing_then(
    ordered: Bank, actor: Actor, state: str, said: dict[str, Any], refused: set[str]
) -> None:
    untouched = case_of(ordered).visit_due_on
    brought_to(ordered, state)
    assert became(fire(ordered, "set_aside", actor, **said)) == refused
    aside = state == "set_aside" or not refused
    now = case_of(ordered)
    assert [one.photo for one in now.facts.failed_visits] == ([] if aside else [FIRST]), "early placement"
    assert (now.facts.visit_photos, now.visit_due_on) == (([], untouched) if aside else ([FIRST], None)), "the duty"
    assert (visits(ordered)[0].disproved, visits(ordered)[0].live) == (aside, not aside and state != "accepted")
    assert [one[1:5] for one in met(ordered)] == [("contact", "visit", "not_found", "not_found")], "their word stays"


def test_what_the_second_visitor_stated_counts_no_more_when_the_report_is_set_aside(ordered: Bank) -> None:
    order(ordered)
    visited(ordered, hashed=None)
    assert became(fire(ordered, "report", P2, **REPORT, no_photo="forbidden", statement="保安不许拍照")) == set()
    assert case_of(ordered).facts.visit_stated
    fire(ordered, "send_back", B9, reason="incomplete")
    fire(ordered, "set_aside", B9, reason="not_made_so")
    assert not case_of(ordered).facts.visit_stated


def test_while_another_visit_is_proven_by_such_a_word_the_duty_stays_done(ordered: Bank) -> None:
    stated: dict[str, Any] = {**REPORT, "no_photo": "forbidden", "statement": "保安不许拍照"}
    for number, clock, at in ((1, "09:00:00", ("10:00:00", "10:30:00")), (2, "12:30:00", ("13:00:00", "13:30:00"))):
        order(ordered, clock=clock)
        visited(ordered, number, hashed=None, at=at, clock="14:00:00")
        assert became(fire(ordered, "report", P2, number, clock="14:00:00", **stated)) == set()
    assert case_of(ordered).facts.visits_stated == [1, 2]
    for number, left in ((1, [2]), (2, [])):
        fire(ordered, "send_back", B9, number, clock="15:00:00", reason="incomplete")
        fire(ordered, "set_aside", B9, number, clock="15:00:00", reason="not_made_so")
        now = case_of(ordered)
        assert (now.facts.visits_stated, now.visit_due_on is None) == (left, bool(left))


def test_a_photo_that_came_after_the_report_proves_the_visit_once_it_is_reported_again(ordered: Bank) -> None:
    order(ordered)
    visited(ordered, hashed=None)
    fire(ordered, "report", P2, **REPORT, no_photo="device_failed", statement="手机没电")
    assert became(photo(ordered, FIRST)) == set()
    assert case_of(ordered).facts.failed_visits == [], "as long as nobody has looked at it"
    fire(ordered, "send_back", B9, reason="incomplete")
    assert became(fire(ordered, "report_again", **REPORT)) == set()
    facts, (visit,) = case_of(ordered).facts, visits(ordered)
    assert (visit.photo, visit.stated, visit.no_photo) == (FIRST, False, None)
    assert (facts.visit_photos, facts.visits_stated, len(facts.failed_visits)) == ([FIRST], [], 1)


def test_no_verdict_on_its_photos_brings_back_a_report_that_was_set_aside(ordered: Bank) -> None:
    accepted(ordered)
    record(ordered, "recheck", photo=FIRST, verdict="staged")
    fire(ordered, "reopen", B8, reason="wrong_place")
    fire(ordered, "set_aside", B9, reason="not_made_so")
    put_right: dict[str, Any] = {"photo": FIRST, "verdict": "genuine", "reason": "explained"}
    assert became(record(ordered, "recheck_corrected", **put_right)) == set()
    assert visits(ordered)[0].disproved
    assert case_of(ordered).facts.failed_visits == []


def test_a_debtor_who_was_found_by_a_report_that_is_set_aside_stays_where_they_are(ordered: Bank) -> None:
    returned(ordered, SEEN, "reopened")
    fire(ordered, "set_aside", B9, reason="not_made_so")
    now = case_of(ordered)
    assert (now.state, now.facts.found_on, now.facts.visit_photos) == ("phone_collection", None, [])


def test_a_case_that_was_placed_early_on_a_report_that_is_set_aside_is_looked_into(bank: Bank) -> None:
    """Approved without its request in the log, of which alone a verification would complain."""
    staffed(bank)
    placed_early(bank)
    fire(bank, "reopen", B8, reason="complaint")
    assert checks(bank) == [], "as long as it may be put right"
    fire(bank, "set_aside", B9, reason="not_made_so")
    assert case_of(bank).state == "outsourced"
    assert checks(bank) == [("early_placement_check", "basic_risk_manager", "L1")]
