"""Guards on placing a case with an agency (3, X10 to X15)."""

from datetime import date, timedelta
from typing import Any

from casework.rules.statechart.registry import Params, Verdict
from casework.work.case_guards.shown import shown
from casework.work.cases.case import Placement
from casework.work.cases.registry import REGISTRY
from casework.work.cases.situation import CaseSituation

guard = REGISTRY.guard


@guard(facts=("exception_until",))
def no_live_exception(now: CaseSituation, _: Params) -> Verdict:
    until = now.facts.exception_until
    live = until is not None and until >= now.today
    opens_on = until + timedelta(days=1) if until else None
    return Verdict(not live, {"exception_until": shown(until)}, {"live_exceptions_at_most": 0}, opens_on)


@guard(params={"inspection_months": "int", "evaluation_days": "int"}, facts=("agency", "missing"))
def agency_fit(now: CaseSituation, params: Params) -> Verdict:
    """Active, inspected and evaluated in time; while no agency is named, the one on file is meant.

    Inspected at least monthly (3.3) is once in every calendar month: this one or, until it ends, the one before.
    """
    file = now.facts.agency_file
    agency = now.given.get("agency") or (file.agency if file else None)
    missing = []
    if file is None or file.agency != agency:
        missing.append("no_file")
    else:
        if not file.active:
            missing.append("not_active")
        if _month(now.today) - _month(file.inspected_on) > params["inspection_months"]:
            missing.append("inspection_overdue")
        if (now.today - file.evaluated_on).days > params["evaluation_days"]:
            missing.append("evaluation_overdue")
    return Verdict(
        not missing, {"agency": agency, "missing": missing},
        {
            "inspected_within_calendar_months": params["inspection_months"],
            "evaluated_within_days": params["evaluation_days"],
        },
    )  # fmt: skip


@guard(facts=("agency",))
def no_placement(now: CaseSituation, _: Params) -> Verdict:
    """No agency works the case now (X11); a placement that has ended but was not recalled yet does not count."""
    placement = now.facts.placement
    if placement is None or _ended(placement, now.today):
        return Verdict(True, {"agency": None}, {"placements_at_most": 0})
    opens_on = placement.term_until + timedelta(days=1)
    return Verdict(False, {"agency": placement.agency}, {"placements_at_most": 0}, opens_on)


@guard(facts=("term_until",))
def placement_ended(now: CaseSituation, _: Params) -> Verdict:
    placement = now.facts.placement
    if placement is None:
        return Verdict(False, {"ended": False, "term_until": None}, {"ended": True})
    ended = _ended(placement, now.today)
    saw = {"ended": ended, "term_until": placement.term_until.isoformat()}
    return Verdict(ended, saw, {"ended": True}, placement.term_until + timedelta(days=1))


def _ended(placement: Placement, today: date) -> bool:
    """Ended on record, or its term is over."""
    return placement.ended or placement.term_until < today


@guard(params={"holds": "texts"}, facts=("holds",))
def placement_not_excluded(now: CaseSituation, params: Params) -> Verdict:
    excluding = [hold for hold in now.facts.holds if hold in params["holds"]]
    return Verdict(not excluding, {"holds": excluding}, {"none_of": list(params["holds"])})


@guard(params={"days": "int"}, facts=("snapshot_on", "closed_on", "days_behind", "days_at_most"))
def snapshot_in_time(now: CaseSituation, params: Params) -> Verdict:
    """No feed is missing for longer: what is placed by old figures may have been paid since.

    The day of work is the last that a sweep has closed; calendar days, for feeds come on days off too.
    """
    closed_on: Any = now.gathered.get("closed_on")
    behind = max((date.fromisoformat(closed_on) - now.today).days, 0) if closed_on else 0
    saw = {"snapshot_on": shown(now.today), "closed_on": closed_on, "days_behind": behind}
    return Verdict(behind <= params["days"], saw, {"days_at_most": params["days"]})


def _month(day: date) -> int:
    """The calendar months that have passed by that day."""
    return day.year * 12 + day.month
