"""What the entries of a case do to it that those of no other noun do: its opening, its figures, its owners. Pure."""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

from casework.lifecycle.fold import BEFORE_ALL
from casework.lifecycle.noun import Words
from casework.rules.statechart.chart import Chart
from casework.work.cases.case import LOOKED_BACK, Case, DueBefore, Facts

SAYS: Final = Words("case")
_A_DAY: Final = timedelta(days=1)
MEASURED: Final = "case.measured"
ASSIGNED: Final = "case.assigned"
AT_RISK: Final = ("at_risk", "at_risk_lifted")
"""The facts by which a case learns that its customer is at risk, and no longer: they move owner and handler (5.6)."""


def open_case(case_id: int, actor_id: str, chart: Chart, data: Mapping[str, Any]) -> Case:
    """The case that a `case.opened` entry begins."""
    measure, today = data["measure"], _day(data["business_date"])
    due, outstanding_fen = _day_of(measure["oldest_due_date"]), measure["outstanding_principal_fen"]
    principal_fen, interest_fen = measure["overdue_principal_fen"], measure["overdue_interest_fen"]
    penalty_fen = measure["overdue_penalty_fen"]
    facts = Facts(
        risk_class=measure["risk_class"], npl_since=_day_of(measure["npl_since"]),
        disbursed_on=_day_of(measure.get("disbursed_on")), named=data["named"],
        first_overdue_on=None if due is None else due + _A_DAY,
    )  # fmt: skip
    # By place, in the order of its fields: by name it takes four times as long, and thousands are opened at once.
    return Case(
        case_id, chart.title, chart.initial, today, True, 1, today, data["ground"], actor_id, BEFORE_ALL, 0, b"",
        data["institution"], data["loan_id"], data["borrower_id"], data["product"], data["channel_code"], data["team"],
        data["region"], data["owner"], data["owner"], None, None, outstanding_fen, due, measure["bucket"],
        principal_fen, interest_fen, penalty_fen, principal_fen + interest_fen + penalty_fen, outstanding_fen, None,
        facts,
    )  # fmt: skip


def measured(case: Case, data: Mapping[str, Any]) -> None:
    """The feed reported other figures."""
    before = case.outstanding_principal_fen
    _measure(case, data["measure"], _day(data["business_date"]))
    case.facts.material_version += case.outstanding_principal_fen != before


def assigned(case: Case, data: Mapping[str, Any]) -> None:
    """Another owner or handler."""
    case.owner, case.handler = data["owner"], data["handler"]
    if "named" in data:  # by hand, in house: from now on the customer is theirs
        case.facts.named, case.facts.named_on = data["named"], _day(data["business_date"])
    if "last_in_house" in data:
        case.facts.last_in_house = data["last_in_house"]


def _measure(case: Case, measure: Mapping[str, Any], today: date) -> None:
    due = _day_of(measure["oldest_due_date"])
    if due and case.oldest_due_date and due != case.oldest_due_date and today > case.opened_on:
        kept = [one for one in case.facts.due_before if one.until > today - LOOKED_BACK]
        case.facts.due_before = [*kept, DueBefore(today, case.oldest_due_date)]
    case.oldest_due_date = due
    if case.oldest_due_date is not None:
        # What is learnt on the day of the opening corrects it; later only an older due date does, for a part payment
        # makes none younger arrears (1.4.1).
        overdue_on, known = case.oldest_due_date + _A_DAY, case.facts.first_overdue_on
        known = known if today > case.opened_on else None
        case.facts.first_overdue_on = min(known, overdue_on) if known else overdue_on
    case.bucket = measure["bucket"]
    case.overdue_principal_fen = measure["overdue_principal_fen"]
    case.overdue_interest_fen = measure["overdue_interest_fen"]
    case.overdue_penalty_fen = measure["overdue_penalty_fen"]
    case.overdue_fen = case.overdue_principal_fen + case.overdue_interest_fen + case.overdue_penalty_fen
    case.outstanding_principal_fen = measure["outstanding_principal_fen"]
    case.facts.risk_class = measure["risk_class"]
    case.facts.npl_since = _day_of(measure["npl_since"])
    case.facts.disbursed_on = _day_of(measure.get("disbursed_on"))


_day = lru_cache(4_096)(date.fromisoformat)  # few, and of each one value: a second process names it the second time


def _day_of(text: str | None) -> date | None:
    return _day(text) if text else None
