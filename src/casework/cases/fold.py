"""Folding an audit entry into a case: only `apply` changes a case, in the door and in the replay.

What an entry of a case says (its event): `case.opened`, `case.measured` (the feed reported other figures),
`case.step.<event>`, `case.refused.<event>`, `case.asked.<event>` (under four eyes; nothing moves yet),
`case.fact.<kind>`, `case.noted`, `case.assigned`. Pure.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from casework.cases.case import Case, Facts
from casework.cases.situation import Situation
from casework.statechart.chart import Chart
from casework.statechart.policy import Policy

OPENED, MEASURED, NOTED, ASSIGNED = "case.opened", "case.measured", "case.noted", "case.assigned"
STEP, REFUSED, FACT, ASKED = "case.step.", "case.refused.", "case.fact.", "case.asked."
BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
REFUSED_OPENING = "case.refused_opening"


def open_case(case_id: int, actor_id: str, chart: Chart, data: Mapping[str, Any]) -> Case:
    """The case that a `case.opened` entry begins."""
    measure = data["measure"]
    case = Case(
        id=case_id, institution=data["institution"], loan_id=data["loan_id"], borrower_id=data["borrower_id"],
        product=data["product"], channel_code=data["channel_code"], team=data["team"], region=data["region"],
        chart=chart.title, state=chart.initial, state_since=_day(data["business_date"]), live=True, version=1,
        owner=data["owner"], handler=data["owner"],
        opened_on=_day(data["business_date"]), opened_for=data["ground"], opened_by=actor_id, closed_as=None,
        ended_as=None,
        principal_at_opening_fen=measure["outstanding_principal_fen"],
        oldest_due_date=None, bucket="",
        overdue_principal_fen=0, overdue_interest_fen=0, overdue_penalty_fen=0, overdue_fen=0,
        outstanding_principal_fen=0, facts=Facts(), last_entry_at=BEFORE_ALL,
        audit_seq=0, audit_head=b"",
    )  # fmt: skip
    case.facts.named = data["named"]
    _measure(case, measure, case.opened_on)
    return case


def apply(
    case: Case,
    event: str,
    to: str | None,
    actor_id: str,
    data: Mapping[str, Any],
    chart: Chart,
    policy: Policy,
) -> None:
    """Change `case` as the entry says; refusals and notes change nothing."""
    if event.startswith(STEP):
        _step(case, event.removeprefix(STEP), str(to), _situation(case, actor_id, data, policy), chart)
    elif event.startswith(FACT):
        kind = chart.facts[event.removeprefix(FACT)]
        kind.recorder.apply(_situation(case, actor_id, data, policy), {})
        case.version += 1
    elif event == MEASURED:
        before = case.outstanding_principal_fen
        _measure(case, data["measure"], _day(data["business_date"]))
        case.facts.material_version += case.outstanding_principal_fen != before
        case.version += 1
    elif event == ASSIGNED:
        _assign(case, data)
        case.version += 1
    elif not event.startswith((REFUSED, ASKED)) and event != NOTED:
        raise ValueError(f"no entry of a case is called {event}")


def _step(case: Case, event: str, to: str, now: Situation, chart: Chart) -> None:
    for use in chart.events[event].arcs[case.state].effects:
        use.apply(now)
    if to != case.state:
        back = now.resumed if now.resumed is not None and now.resumed.state == to else None
        case.state, case.state_since = to, back.since if back else now.today
        case.live = to in chart.groups["live"]
        case.facts.fresh = back.fresh if back else []
        if to in chart.groups["desk"] and back is None:
            case.facts.desk_state, case.facts.desk_since = to, now.today
        case.facts.material_version += 1
    case.ended_as = case.closed_as or case.facts.settled_as
    case.version += 1


def _assign(case: Case, data: Mapping[str, Any]) -> None:
    case.owner, case.handler = data["owner"], data["handler"]
    if "named" in data:  # by hand, in house: from now on the customer is his
        case.facts.named, case.facts.named_on = data["named"], _day(data["business_date"])
    if "last_in_house" in data:
        case.facts.last_in_house = data["last_in_house"]


def _situation(case: Case, actor_id: str, data: Mapping[str, Any], policy: Policy) -> Situation:
    on = data.get("on")
    return Situation(
        case, _day(data["business_date"]), policy, actor_id, data["given"], data.get("gathered", {}),
        _day(on) if on else None,
    )  # fmt: skip


def _measure(case: Case, measure: Mapping[str, Any], today: date) -> None:
    due = measure["oldest_due_date"]
    case.oldest_due_date = _day(due) if due else None
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
