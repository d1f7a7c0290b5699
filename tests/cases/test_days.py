"""Which days facts and events may name: none before there was the loan, none beyond the horizon of the policy."""

from datetime import date, timedelta
from typing import Any

import pytest

from casework.clock import now
from casework.lifecycle.commands import Done, Mistaken, Open
from casework.rules.statechart.fields import take
from casework.work.cases.case import Case
from casework.work.cases.commands import Command, OpenCase
from casework.work.cases.days import day_faults
from tests.cases.test_advance import FEED, WHO, Branch, branch, measure, opening, repaired, visit
from tests.cases.worlds import CHART, DUE, POLICY, dpd, measured, opened
from tests.contacted import contact_day
from tests.promised import promise
from tests.statechart.small import RULEBOOK

__all__ = ["branch"]  # a fixture
DAY = timedelta(days=1)
PROMISES = RULEBOOK.charts["promise"]
LATEST = dpd(12)  # the branch's today, two days after the business date


def lent(on: date | None, **changes: Any) -> Case:
    """A case opened at DPD 10 whose loan was paid out on `on`."""
    case = opened(dpd(10), disbursed_on=on.isoformat() if on else None)
    for name, value in changes.items():
        setattr(case, name, value)
    return case


# (what, the case, the day of the fact, taken?)
DAYS: list[tuple[str, Case, date, bool]] = [
    ("the day on which the loan was paid out", lent(date(2025, 6, 1)), date(2025, 6, 1), True),
    ("the day before", lent(date(2025, 6, 1)), date(2025, 5, 31), False),
    ("the business date", lent(date(2025, 6, 1)), dpd(10), True),
    ("the branch's today", lent(date(2025, 6, 1)), LATEST, True),
    ("tomorrow", lent(date(2025, 6, 1)), LATEST + DAY, False),
    ("a feed says it was paid out after it fell due: the due date", lent(dpd(30)), DUE, True),
    ("and the day before that", lent(dpd(30)), DUE - DAY, False),
    ("paid since, opened before the feed's day", lent(dpd(30), oldest_due_date=None), DUE + DAY, True),
    ("ten years before the opening, where the day is not known", lent(None), dpd(10) - 3_653 * DAY, True),
    ("more than that", lent(None), dpd(10) - 3_654 * DAY, False),
]


@pytest.mark.parametrize(("what", "case", "on", "taken"), DAYS, ids=[row[0] for row in DAYS])
def test_a_fact_lies_between_the_loans_beginning_and_today(what: str, case: Case, on: date, taken: bool) -> None:
    faults = day_faults(case, on, LATEST, POLICY)
    assert [fault.field for fault in faults] == ([] if taken else ["on"]), what
    for fault in faults:
        assert LATEST.isoformat() in fault.zh
        assert LATEST.isoformat() in fault.en, "it names the bounds"


def test_a_later_word_of_the_feed_on_the_disbursement_counts() -> None:
    case = lent(None)
    measured(case, dpd(11), disbursed_on="2025-06-01")
    assert day_faults(case, date(2025, 5, 31), LATEST, POLICY)
    measured(case, dpd(12), disbursed_on="2025-05-31")
    assert not day_faults(case, date(2025, 5, 31), LATEST, POLICY)


# (event, fact or opening, its date, the policy's figure)
AHEAD = [
    ("start_visit", "visit_on", "visit.within_days"),
    ("place_early", "term_until", "placement.within_days"),
    ("place", "term_until", "placement.within_days"),
    ("rotate", "term_until", "placement.within_days"),
    ("grant_exception", "expires_on", "placement.within_days"),
    ("recall", "destruction_due_on", "placement.within_days"),
    ("made", "pay_by", "promise.within_days"),
    ("made_after_broken", "pay_by", "promise.within_days"),
    ("limitation_check", "ends_on", "limitation.within_days"),
]


@pytest.mark.parametrize(("name", "field", "figure"), AHEAD)
def test_a_date_ahead_lies_within_the_policys_days(name: str, field: str, figure: str) -> None:
    part = CHART.events.get(name) or CHART.facts.get(name) or PROMISES.openings[name]
    fields = {field: part.fields[field]}
    for extra, faults in ((0, 0), (1, 1)):
        day = LATEST + timedelta(days=POLICY.figure(figure) + extra)
        given = {field: day.isoformat()}
        found = take(fields, given, today=dpd(10), latest=LATEST, policy=POLICY)[2]
        assert [fault.field for fault in found] == [field] * faults


def test_every_date_of_the_chart_that_people_give_is_bound_to_the_present() -> None:
    """What the service alone tells (the feed, a promise of its own) is as it is."""
    for chart in (CHART, PROMISES):
        parts: list[tuple[str, Any]] = [*chart.events.items(), *chart.facts.items(), *chart.openings.items()]
        for name, part in parts:
            for field in (field for field in part.fields.values() if field.type == "date"):
                bound = field.not_after_today or field.within_days is not None
                assert bound or not part.posts - {"system"}, (chart.name, name, field.name)


def test_the_door_refuses_such_a_day_and_names_the_field(branch: Branch) -> None:
    asked = opening("L1")
    figures = measure(5) | {"disbursed_on": "2023-09-01"}
    (done,) = branch.do(OpenCase(actor=FEED, ground="arrears", loan=asked.loan, measure=figures))
    assert isinstance(done, Done)
    today = branch.started.branch.today(now())
    commands: list[tuple[Command, str | None]] = [
        (contact_day(done.id, date(2023, 9, 1), connected=True), None),
        (contact_day(done.id, today, connected=True), None),
        (repaired(done.id, date(2023, 8, 31)), "on"),
        (repaired(done.id, today + DAY), "on"),
        (visit(done.id, visit_on=(today + 32 * DAY).isoformat()), "visit_on"),
        (visit(done.id, visit_on=(today + 31 * DAY).isoformat()), None),
        (promised(done.id, today, today + 15 * DAY), "pay_by"),
        (promised(done.id, today, today + 14 * DAY), None),
    ]
    for command, fault in commands:
        (outcome,) = branch.do(command)
        faults = [one.field for one in outcome.faults] if isinstance(outcome, Mistaken) else []
        assert faults == ([fault] if fault else []), command
        assert isinstance(outcome, Done) is (fault is None), outcome
    branch.assert_sound()


def promised(case_id: int, made_on: date, pay_by: date) -> Open:
    return promise(WHO["T1"], case_id, amount_fen=100_000, made_on=made_on, pay_by=pay_by)
