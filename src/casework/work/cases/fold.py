"""What the entries of a case do to it that those of no other noun do: its opening, its figures, its owners. Pure."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from casework.lifecycle.fold import BEFORE_ALL
from casework.lifecycle.noun import Words
from casework.rules.statechart.chart import Chart
from casework.work.cases.case import LOOKED_BACK, Case, DueBefore, Facts

SAYS: Final = Words("case")
MEASURED: Final = "case.measured"
ASSIGNED: Final = "case.assigned"
AT_RISK: Final = ("at_risk", "at_risk_lifted")
"""The facts by which a case learns that its customer is at risk, and no longer: they move owner and handler (5.6)."""


def open_case(case_id: int, actor_id: str, chart: Chart, data: Mapping[str, Any]) -> Case:
    """The case that a `case.opened` entry begins."""
    measure, today = data["measure"], _day(data["business_date"])
    case = Case(
        id=case_id, institution=data["institution"], loan_id=data["loan_id"], borrower_id=data["borrower_id"],
        product=data["product"], channel_code=data["channel_code"], team=data["team"], region=data["region"],
        chart=chart.title, state=chart.initial, state_since=today, live=True, version=1,
        owner=data["owner"], handler=data["owner"],
        opened_on=today, opened_for=data["ground"], opened_by=actor_id, closed_as=None,
        ended_as=None,
        principal_at_opening_fen=measure["outstanding_principal_fen"],
        oldest_due_date=None, bucket="",
        overdue_principal_fen=0, overdue_interest_fen=0, overdue_penalty_fen=0, overdue_fen=0,
        outstanding_principal_fen=0, visit_due_on=None, facts=Facts(), last_entry_at=BEFORE_ALL,
        audit_seq=0, audit_head=b"",
    )  # fmt: skip
    case.facts.named = data["named"]
    _measure(case, measure, today)
    return case


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
    due = _day(measure["oldest_due_date"]) if measure["oldest_due_date"] else None
    if due and case.oldest_due_date and due != case.oldest_due_date and today > case.opened_on:
        kept = [one for one in case.facts.due_before if one.until > today - LOOKED_BACK]
        case.facts.due_before = [*kept, DueBefore(today, case.oldest_due_date)]
    case.oldest_due_date = due
    if case.oldest_due_date is not None:
        # What is learnt on the day of the opening corrects it; later only an older due date does, for a part payment
        # makes none younger arrears (1.4.1).
        overdue_on, known = case.oldest_due_date + timedelta(days=1), case.facts.first_overdue_on
        known = known if today > case.opened_on else None
        case.facts.first_overdue_on = min(known, overdue_on) if known else overdue_on
    case.bucket = measure["bucket"]
    case.overdue_principal_fen = measure["overdue_principal_fen"]
    case.overdue_interest_fen = measure["overdue_interest_fen"]
    case.overdue_penalty_fen = measure["overdue_penalty_fen"]
    case.overdue_fen = case.overdue_principal_fen + case.overdue_interest_fen + case.overdue_penalty_fen
    case.outstanding_principal_fen = measure["outstanding_principal_fen"]
    case.facts.risk_class = measure["risk_class"]
    since = measure["npl_since"]
    case.facts.npl_since = _day(since) if since else None
    disbursed = measure.get("disbursed_on")
    case.facts.disbursed_on = _day(disbursed) if disbursed else None


_day = date.fromisoformat
