"""Cases in memory: pure fold and decide, no database. The worlds that the tests of guards, effects and fold share."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from casework.lifecycle.fold import apply
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.decide import Refusal, Step, decide
from casework.rules.statechart.policy import Policy
from casework.rules.statechart.registry import Verdict
from casework.work.cases import fold
from casework.work.cases.case import AttemptDay, Case
from casework.work.cases.noun import CASE
from casework.work.cases.registry import REGISTRY
from casework.work.cases.situation import CaseSituation
from tests.statechart.small import RULEBOOK

CHART: Chart = RULEBOOK.chart
POLICY: Policy = RULEBOOK.policies.all[0]
DUE = date(2026, 1, 5)
"""The oldest unpaid due date of every case that is in arrears; DPD n is n days later."""


def dpd(days: int) -> date:
    """The business date on which the loan is `days` past due."""
    return DUE + timedelta(days=days)


def measure(**changes: Any) -> dict[str, Any]:
    return {
        "oldest_due_date": DUE.isoformat(), "bucket": "M1", "overdue_principal_fen": 100_000,
        "overdue_interest_fen": 2_000, "overdue_penalty_fen": 100, "outstanding_principal_fen": 3_000_000,
        "risk_class": None, "npl_since": None,
    } | changes  # fmt: skip


def opened(on: date | None = None, *, ground: str = "arrears", by: str = "system", **figures: Any) -> Case:
    """A case opened on `on` (default: DPD 1)."""
    data: dict[str, Any] = {
        "loan_id": "L1", "institution": "wuhan", "borrower_id": "B1", "product": "consumer", "channel_code": None,
        "team": "T1", "region": "R1", "owner": "S1", "named": None, "ground": ground,
        "measure": measure(**figures), "given": {}, "earlier_cases": [],
        "business_date": (on or dpd(1)).isoformat(),
    }  # fmt: skip
    return fold.open_case(1, by, CHART, data)


def seen(
    case: Case, today: date, *, actor: str = "S1", given: Mapping[str, Any] | None = None,
    gathered: Mapping[str, Any] | None = None,
) -> CaseSituation:  # fmt: skip
    return CaseSituation(case, today, POLICY, actor, given or {}, gathered or {})


def ask(guard: str, case: Case, today: date, params: Mapping[str, Any] | None = None, **more: Any) -> Verdict:
    """What one guard says."""
    return REGISTRY.guards[guard].decide(seen(case, today, **more), params or {})


def record(case: Case, kind: str, on: date, *, actor: str = "S1", today: date | None = None, **given: Any) -> None:
    """Record a fact, as the door would once it is permitted."""
    data = {
        "on": on.isoformat(), "evidence": "rec:1", "given": given,
        "business_date": (today or on).isoformat(),
    }  # fmt: skip
    apply(CASE, case, f"{fold.SAYS.fact}{kind}", case.state, actor, data, CHART, POLICY)


def attempts(case: Case, on: date, count: int = 2, outcome: str = "unanswered", channel: str = "phone") -> None:
    """The day as the log of contacts tells it once so many more were made on it."""
    known = next((day for day in case.facts.attempt_days if day.on == on), AttemptDay(on, 0, connected=False))
    made = known.attempts + (count if channel == "phone" else 0)
    record(case, "contact_day", on, attempts=made, connected=known.connected or outcome == "debtor")


def fire(
    case: Case, event: str, today: date, *, actor: str = "S1", gathered: Mapping[str, Any] | None = None,
    **given: Any,
) -> Step | Refusal:  # fmt: skip
    """Fire an event for somebody with any post it needs; the case moves if the chart lets it.

    Whether four eyes cleared it is the door's question, not the chart's guards': `tests/four_eyes`.
    """
    if event == "start_visit":
        given = {"visit_on": today.isoformat()} | given
    now = seen(case, today, actor=actor, given=given, gathered=gathered)
    verdict = decide(CHART, event, case.state, now, CHART.events[event].posts)
    if isinstance(verdict, Step):
        data: dict[str, Any] = {"given": given, "business_date": today.isoformat()}
        if gathered:
            data["gathered"] = gathered
        apply(CASE, case, f"{fold.SAYS.step}{event}", verdict.to, actor, data, CHART, POLICY)
    return verdict


def reasons(verdict: Step | Refusal) -> list[str]:
    """The codes of a refusal; none for a step."""
    return [reason.code for reason in verdict.reasons] if isinstance(verdict, Refusal) else []


def measured(case: Case, today: date, **figures: Any) -> None:
    data = {"measure": measure(**figures), "run": 1, "business_date": today.isoformat()}
    apply(CASE, case, fold.MEASURED, None, "system", data, CHART, POLICY)


def fit_agency(case: Case, today: date, **changes: Any) -> None:
    file: dict[str, Any] = {
        "agency": "agency:1",
        "active": True,
        "inspected_on": today.isoformat(),
        "evaluated_on": today.isoformat(),
    }
    record(case, "agency_file", today, **file | changes)
