"""Who owes a disposal form or a visit: the owner, or whoever answers for them, where their posts may do it."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from casework.lifecycle.commands import Done
from casework.operation.morning import make_lists
from casework.people.shifts.entering import ShiftGiven, enter_shifts
from casework.people.staff.actor import Actor, system
from casework.storage.database import reading, writing
from casework.work.cases.duty_doers import doer_faults
from casework.work.cases.duty_rules import parse_duty_rules
from casework.work.duties.listing import duties_on
from casework.work.tasks.strategies import start
from casework.work.tasks.tables import tasks
from tests.feed.bank import DAY, Bank, arrears, loan
from tests.statechart.small import RULEBOOK
from tests.work.test_promises import at
from tests.work.test_visits import order

RULES = Path(__file__).parents[3] / "statecharts" / "rules" / "duties.toml"
STATES = frozenset(RULEBOOK.chart.states)
LAWYERS = "post_loan_officer"
MAY = {"agency_post", "asset_preservation", "business_rep", LAWYERS}


DUTIES = ("disposal_form", "visit")


def owing(bank: Bank) -> dict[str, str]:
    """Who owes what of the case may not be everybody's."""
    with reading(bank.started.engine) as conn:
        found = duties_on(conn, bank.started.branch, DAY)
    return {one.duty: one.owed_by for one in found if one.loan_id == "L1" and one.duty in DUTIES}


def judicial(bank: Bank) -> dict[str, str]:
    """Who owes what, once the strategy of the day asks for a form too."""
    manager = Actor("B9", "staff", "cli", frozenset({"basic_risk_manager"}))
    with writing(bank.started.engine) as conn:
        (became,) = start(conn, bank.started.branch, manager, [bank.case(1).id], "judicial", at(DAY)())
    assert became.refused is None
    return owing(bank)


def owned(
    bank: Bank, post: str, product: str = "consumer", officers: tuple[str | None, ...] = ("R1",), **place: str
) -> None:
    """A case of S1, who holds that post; `officers`: regions of the post-loan officers who come then."""
    bank.staff("B9", "basic_risk_manager")
    bank.staff("S1", post)
    bank.staff("S2", "business_rep")
    bank.send(DAY, [arrears(1)], loans=[loan(1, product=product, **place)])
    assert bank.case(1).owner == "S1"
    for number, region in enumerate(officers):
        bank.staff(f"L{number}", LAWYERS, region=region)


# (the post of the owner, who owes both): reps, post-loan officers and asset preservation may do both, others neither
OWNERS = [
    ("business_rep", "consumer", "S1"),
    ("post_loan_officer", "consumer", "S1"),
    ("asset_preservation", "consumer", "S1"),
    ("operations_collector", "haihua", LAWYERS),
    ("phone_collector", "consumer", LAWYERS),
    ("basic_risk_manager", "consumer", LAWYERS),
]  # fmt: skip


@pytest.mark.parametrize(("post", "product", "owes"), OWNERS, ids=[one[0] for one in OWNERS])
def test_who_may_not_do_it_does_not_owe_it(bank: Bank, post: str, product: str, owes: str) -> None:
    owned(bank, post, product)
    assert judicial(bank) == dict.fromkeys(DUTIES, owes)
    bank.assert_sound()


# (the post of the owner, who is off; who stands in, who owes it then)
OFF = [("business_rep", "S2", "S2"), ("phone_collector", "S2", "S2"), ("phone_collector", "B9", LAWYERS)]


@pytest.mark.parametrize(("post", "stand_in", "owes"), OFF)
def test_of_who_is_off_whoever_answers_owes_it_if_they_or_the_owner_may(
    bank: Bank, post: str, stand_in: str, owes: str
) -> None:
    owned(bank, post)
    with writing(bank.started.engine) as conn:
        trail = bank.started.branch.trail(at(DAY)())
        shift = ShiftGiven(DAY, "S1", "rest", stand_in)
        enter_shifts(conn, trail, system("cli"), bank.started.branch.rulebook.shifts, [shift], closed=None)
        trail.write(conn)
    assert judicial(bank) == dict.fromkeys(DUTIES, owes)


# (regions of the post-loan officers, the region of the loan; who owes the visit of a collector's case)
REACHED = [
    (("R1",), "R1", LAWYERS),
    (("R2", "R1"), "R1", LAWYERS),
    (("R2",), "R1", "basic_risk_manager"),
    ((None,), "R1", "basic_risk_manager"),
    (("R1",), "", "basic_risk_manager"),
    ((), "R1", "basic_risk_manager"),
]


@pytest.mark.parametrize(("officers", "region", "owes"), REACHED)
def test_what_no_post_loan_officer_reaches_is_owed_by_whoever_gives_cases_out(
    bank: Bank, officers: tuple[str | None, ...], region: str, owes: str
) -> None:
    owned(bank, "phone_collector", officers=officers, region=region, team="")
    assert owing(bank) == {"visit": owes}
    bank.assert_sound()


def test_of_a_collectors_case_a_post_loan_officer_orders_the_visit_and_owes_it_from_then_on(bank: Bank) -> None:
    owned(bank, "phone_collector", officers=())
    officer = replace(bank.staff("S3", LAWYERS, region="R1"), region="R1")
    assert owing(bank) == {"visit": LAWYERS}
    assert isinstance(order(bank, actor=officer, second_visitor="S2"), Done)
    assert (bank.case(1).owner, owing(bank)) == ("S3", {"visit": "S3"})
    bank.assert_sound()


def test_the_task_is_on_the_list_of_the_post_that_may(bank: Bank) -> None:
    owned(bank, "phone_collector")
    judicial(bank)
    with writing(bank.started.engine) as conn:
        make_lists(conn, bank.started.branch, DAY, system("cli"), clock=at(DAY))
        wanted = sa.select(tasks.c.list_of, tasks.c.loan_id).where(tasks.c.task.in_(DUTIES))
        assert conn.execute(wanted).all() == [(LAWYERS, "L1")] * 2


FAULTS = [
    ("disposal_form", 'done_by = "disposal.drawn_up"', 'done_by = "disposal.drawn"',
     "done_by: no chart has the opening disposal.drawn"),
    ("disposal_form", 'done_by = "disposal.drawn_up"', 'done_by = "form.drawn_up"',
     "done_by: no chart has the opening form.drawn_up"),
    ("disposal_form", f'up"\nelse_owed_by = "{LAWYERS}"', 'up"\nelse_owed_by = "auditor"',
     "else_owed_by: auditor may not open disposal.drawn_up: " + ", ".join(sorted(MAY)) + " may"),
    ("visit", f'ed"\nelse_owed_by = "{LAWYERS}"', 'ed"\nelse_owed_by = "agency_post"',
     "else_owed_by: agency_post may not open visit.ordered: " + ", ".join(sorted(MAY - {"agency_post"})) + " may"),
]  # fmt: skip


@pytest.mark.parametrize(("duty", "before", "after", "fault"), FAULTS)
def test_a_duty_never_falls_to_a_post_that_may_not_do_it_either(duty: str, before: str, after: str, fault: str) -> None:
    text = RULES.read_text(encoding="utf-8")
    assert text.count(before) == 1
    posts = frozenset(RULEBOOK.permissions.posts)
    rules = parse_duty_rules(text.replace(before, after).encode(), RULEBOOK.policies, posts, STATES)
    assert list(doer_faults(rules, RULEBOOK.charts)) == [f"rules/duties.toml: duties.{duty}.{fault}"]
