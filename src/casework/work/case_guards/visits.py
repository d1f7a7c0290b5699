"""Guards on visits: what one report may say, and how many in vain count (1.3.2)."""

from casework.people.staff.actor import system
from casework.rules.statechart.registry import Params, Verdict
from casework.work.case_guards.shown import last_seen_on
from casework.work.cases.registry import REGISTRY
from casework.work.cases.situation import CaseSituation
from casework.work.visits.visit import CANNOT_BE

guard = REGISTRY.guard
_THE_SERVICE = system("cli").id


@guard(params={"outcome": "text"}, facts=("outcome_required",))
def visit_on_record(now: CaseSituation, params: Params) -> Verdict:
    met = f"visit_{params['outcome']}" in now.facts.fresh
    return Verdict(met, {"visit_recorded": met}, {"outcome_required": params["outcome"]})


@guard(params={"days": "int"}, facts=("failed_days", "days_required"))
def failed_visits(now: CaseSituation, params: Params) -> Verdict:
    """Visits in vain since the debtor was last found or reached; two need different days and different photos."""
    seen_on = last_seen_on(now)
    since = [visit for visit in now.facts.failed_visits if seen_on is None or visit.on > seen_on]
    failed = min(len({visit.on for visit in since}), len({visit.photo for visit in since}))
    return Verdict(failed >= params["days"], {"failed_days": failed}, {"days_required": params["days"]})


@guard(facts=("outcome", "person_met"))
def person_met_fits(now: CaseSituation, _: Params) -> Verdict:
    """Who was found was met, and who was met was found; without a report there is nothing to object to."""
    outcome, met = now.given.get("outcome"), now.given.get("person_met")
    return Verdict((outcome, met) not in CANNOT_BE, {"outcome": outcome, "person_met": met}, {"consistent": True})


@guard(facts=())
def visit_proven(now: CaseSituation, _: Params) -> Verdict:
    """By a photo; where none could be taken, by the word of who went along; without a report there is none to ask."""
    photo, asked = now.given.get("photo"), "outcome" in now.given
    met = not asked or photo is not None or bool(now.given.get("stated"))
    return Verdict(met, {"photo": photo is not None}, {"photo": True})


@guard(facts=())
def photo_is_new(now: CaseSituation, _: Params) -> Verdict:
    """One photo proves one visit."""
    photo = now.given.get("photo")
    new = photo is None or photo not in (*now.facts.visit_photos, *now.facts.photos_disproved)
    return Verdict(new, {"photo_used": not new}, {"photo_used": False})


@guard(facts=())
def photo_by_a_visit(now: CaseSituation, _: Params) -> Verdict:
    """Who records a visit by hand gives neither photo nor number: what was looked at and reviewed the visit tells."""
    told = any(now.given.get(name) is not None for name in ("photo", "visit"))
    by_hand = told and now.actor != _THE_SERVICE
    return Verdict(not by_hand, {"photo_by_hand": by_hand}, {"by_a_visit": True})
