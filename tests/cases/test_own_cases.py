"""Asset preservation collects itself (5.6): in-house events and facts, on cases it owns or handles, only there."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from casework.lifecycle.commands import Done, Fire, Outcome, Record, Refused
from casework.people.staff.actor import Actor, Principal
from casework.people.staff.permissions import Reach
from casework.storage.database import reading, writing
from casework.work.cases.commands import Assign, Command, OpenCase
from casework.work.cases.dry_run import dry_run
from casework.work.cases.filter import BusinessDates
from casework.work.cases.options import options_of_case
from casework.work.cases.queries import find_case
from tests.cases.test_advance import FEED, TODAY, WHO, Branch, branch, measure, opening
from tests.cases.test_owners import business_date
from tests.contacted import contact_day
from tests.on_books import put_loan
from tests.promised import hold

__all__ = ["branch"]  # a fixture

ASSETS = WHO["A1"]
ANOTHER = Actor("A9", "staff", "api", ASSETS.posts, team="T1", region="R1")
VISIT = {"address_kind": "home", "address": "虚构路1号", "visit_on": TODAY.isoformat()}
IN_VAIN = {"outcome": "not_found", "stated": True, "person_met": "nobody", "address_kind": "home"}
FOUND = {"outcome": "found", "stated": True, "person_met": "debtor", "address_kind": "home"}
REPAIR = {"outcome": "new_number", "source": "debtor", "legal_basis": "consent"}


def fact(actor: Actor, case_id: int, kind: str, **data: Any) -> Record:
    return Record(actor=actor, id=case_id, kind=kind, on=TODAY, evidence="doc:1", data=data)


def step(actor: Actor, case_id: int, event: str, **data: Any) -> Fire:
    return Fire(actor=actor, id=case_id, event=event, data=data)


def silent(case_id: int) -> list[Command]:
    return [contact_day(case_id, TODAY - timedelta(days=ago)) for ago in range(5)]


def its_work(actor: Actor, case_id: int) -> list[Command]:
    """Everything of the chart that is own collection, in an order in which all of it can happen."""
    return [
        *silent(case_id),
        step(FEED, case_id, "mark_lost"),
        fact(actor, case_id, "information_repair", **REPAIR),
        step(actor, case_id, "lead_found"),
        step(actor, case_id, "start_visit", **VISIT),
        fact(actor, case_id, "visit", **IN_VAIN),
        step(actor, case_id, "not_found"),
        fact(actor, case_id, "visit", **FOUND),
        step(actor, case_id, "found"),
        step(actor, case_id, "start_visit", **VISIT),
        contact_day(case_id, TODAY, connected=True),
        step(actor, case_id, "reached"),
        step(actor, case_id, "start_visit", **VISIT),
        step(actor, case_id, "abandon_visit", reason="unsafe"),
        fact(actor, case_id, "disposal_form"),
    ]


def old_npl(branch: Branch) -> int:
    """A case that asset preservation owns from the start (1.4.2)."""
    asked = opening("L1", days_past_due=120, ground="old_npl")
    (done,) = branch.do(OpenCase(actor=FEED, ground="old_npl", loan=asked.loan,
                             measure=measure(120) | {"npl_since": "2023-06-01"}))  # fmt: skip
    assert isinstance(done, Done)
    return done.id


def owned(branch: Branch) -> tuple[int, Actor]:
    return old_npl(branch), ASSETS


def handled(branch: Branch) -> tuple[int, Actor]:
    (case_id,) = branch.open("L1", days_past_due=120)
    given = Assign(actor=WHO["B1"], id=case_id, owner="P1", handler="A1", reason="workload")
    assert isinstance(branch.do(given)[0], Done)
    return case_id, ASSETS


def given_by_hand(branch: Branch) -> tuple[int, Actor]:
    (case_id,) = branch.open("L1", days_past_due=120)
    given = Assign(actor=WHO["B1"], id=case_id, owner="A1", reason="workload")
    assert isinstance(branch.do(given)[0], Done)
    return case_id, ASSETS


def of_a_principal(branch: Branch) -> tuple[int, Actor]:
    deputy = Actor("A9", "staff", "api", frozenset(), principals=(Principal("A1", ASSETS.posts, "T1", "R1"),))
    return old_npl(branch), deputy


@pytest.mark.parametrize("whose", [owned, given_by_hand, of_a_principal])
def test_on_a_case_it_owns_asset_preservation_does_all_of_own_collection(
    branch: Branch, whose: Callable[[Branch], tuple[int, Actor]]
) -> None:
    business_date(branch, TODAY - timedelta(days=4))
    case_id, actor = whose(branch)
    business_date(branch, TODAY)
    outcomes = branch.do(*its_work(actor, case_id))
    assert [one for one in outcomes if not isinstance(one, Done)] == []
    branch.assert_sound()


def test_on_a_case_it_handles_asset_preservation_records_too(branch: Branch) -> None:
    case_id, actor = handled(branch)
    work = [command for command in its_work(actor, case_id) if isinstance(command, Record)]
    assert [one for one in branch.do(*work) if not isinstance(one, Done)] == []
    branch.assert_sound()


def kinds(commands: list[Command]) -> dict[str, Command]:
    mine = [command for command in commands if command.actor.kind != "system"]
    return {one.event if isinstance(one, Fire) else one.kind: one for one in mine if isinstance(one, Fire | Record)}


def test_on_a_case_it_neither_owns_nor_handles_each_is_refused_by_rule_5_6(branch: Branch) -> None:
    for case_id, actor in ((old_npl(branch), ANOTHER), (branch.open("L2", days_past_due=120)[0], ASSETS)):
        for name, command in kinds(its_work(actor, case_id)).items():
            (outcome,) = branch.do(command)
            assert isinstance(outcome, Refused), name
            assert (outcome.forbidden, [reason.code for reason in outcome.reasons]) == (True, ["out_of_reach"]), name
            assert "5.6" in outcome.reasons[0].rules, name
            assert "管户" in outcome.reasons[0].zh
    branch.assert_sound()


def test_what_is_no_own_collection_it_still_does_on_every_case(branch: Branch) -> None:
    (case_id,) = branch.open("L1", days_past_due=120)
    with writing(branch.started.engine) as conn:
        put_loan(conn, branch.started.branch, loan_id="L1", institution="wuhan", borrower_id="B-L1")
    outcomes = branch.do(
        fact(ASSETS, case_id, "limitation_check", ends_on="2026-01-01"),
        hold(ASSETS, "L1", "complaint", on=TODAY, review_by=TODAY + timedelta(days=30)),
    )
    assert [type(one) for one in outcomes] == [Done, Done]


def test_other_posts_reach_as_far_as_before(branch: Branch) -> None:
    case_id = old_npl(branch)
    outcomes: list[Outcome] = branch.do(fact(WHO["P1"], case_id, "visit", **IN_VAIN), repair_in_the_region(case_id))
    assert [type(one) for one in outcomes] == [Done, Done]


def repair_in_the_region(case_id: int) -> Record:
    return fact(WHO["T1"], case_id, "information_repair", **REPAIR)


def test_options_offer_own_collection_where_it_may_be_done_and_say_why_not_elsewhere(branch: Branch) -> None:
    own, others = old_npl(branch), branch.open("L2", days_past_due=120)[0]
    with reading(branch.started.engine) as conn:
        dates = BusinessDates(conn, branch.started.branch)
        shown = {
            case_id: options_of_case(conn, branch.started.branch, dates, find_case(conn, case_id), ASSETS)
            for case_id in (own, others)
        }
    for case_id, codes in ((own, set[str]()), (others, {"out_of_reach"})):
        event = next(one for one in shown[case_id].events if one.event == "start_visit")
        kind = next(one for one in shown[case_id].facts if one.kind == "information_repair")
        assert {reason.code for reason in (*event.reasons, *kind.reasons)} == codes
        assert (event.allowed, kind.allowed) == (not codes, not codes)


def test_a_forecast_over_many_cases_counts_the_same_way(branch: Branch) -> None:
    asked = [old_npl(branch), *branch.open("L2", "L3", days_past_due=120)]
    with reading(branch.started.engine) as conn:
        dates = BusinessDates(conn, branch.started.branch)
        told = dry_run(
            conn, branch.started.branch, dates, asked, ASSETS, within=Reach(everything=True), events=["start_visit"]
        )
    assert (told.events[0].allowed, told.events[0].reasons) == (1, {"out_of_reach": 2})
