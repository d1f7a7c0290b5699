"""What visits do to the facts of their case: what was found, what proves it, what a correction takes back. Pure."""

from datetime import date

import msgspec

from casework.rules.statechart.registry import Params
from casework.work.cases.case import AttemptDay, Facts, FailedVisit
from casework.work.cases.effects import add, happened_on, in_this_state, keep_day
from casework.work.cases.registry import REGISTRY
from casework.work.cases.situation import CaseSituation

recorder = REGISTRY.recorder


@recorder
def visit(now: CaseSituation, _: Params) -> None:
    """A visit of an earlier time is none of those ordered now; whom it met was met all the same."""
    facts, given, on = now.facts, now.given, happened_on(now)
    photo = given.get("photo")
    if photo is None:
        _stated(facts, {*facts.visits_stated, given.get("visit", 0)})
    else:
        facts.visit_photos = add(facts.visit_photos, photo)
    _met(now)
    if in_this_state(now):
        facts.fresh = add(facts.fresh, f"visit_{given['outcome']}")
        if given["outcome"] == "not_found" and photo is not None:
            facts.last_failed_visit = FailedVisit(on, photo)


def _stated(facts: Facts, visits: set[int]) -> None:
    facts.visits_stated, facts.visit_stated = sorted(visits), bool(visits)


def _keys(now: CaseSituation) -> list[str]:
    """By what a visit is known again: its photo, or its number where that came later; recorded by hand, its day."""
    photo, number = now.given.get("photo"), now.given.get("visit")
    known = [photo, None if number is None else f"visit:{number}"]
    return [one for one in known if one is not None] or [happened_on(now).isoformat()]


def _met(now: CaseSituation) -> None:
    facts, given, on = now.facts, now.given, happened_on(now)
    if given["outcome"] == "found":
        _found(facts, facts.found_by | {_keys(now)[0]: on})
    if given["person_met"] == "debtor":
        known = next((day for day in facts.attempt_days if day.on == on), AttemptDay(on, 0, connected=False))
        keep_day(facts, msgspec.structs.replace(known, connected=True))
        if in_this_state(now):
            facts.fresh = add(facts.fresh, "debtor_connected")


def _found(facts: Facts, by: dict[str, date]) -> None:
    facts.found_by, facts.found_on = by, max(by.values(), default=None)


@recorder
def visit_corrected(now: CaseSituation, _: Params) -> None:
    """As if it had been told so at once; steps that were made stay. The day's contacts are told anew by their log."""
    facts, given, on = now.facts, now.given, happened_on(now)
    photo, disproved = given.get("photo"), given["disproved"]
    key = next((one for one in _keys(now) if one in facts.found_by), None)
    gone = {"visit_found"} if key is not None else set[str]()
    _found(facts, {name: day for name, day in facts.found_by.items() if name != key})
    _stated(facts, {*facts.visits_stated} - {given.get("visit", 0)})
    if photo is not None:
        if facts.last_failed_visit is not None and facts.last_failed_visit.photo == photo:
            facts.last_failed_visit, gone = None, gone | {"visit_not_found"}
        facts.failed_visits = [one for one in facts.failed_visits if one.photo != photo]
        facts.visit_photos = [one for one in facts.visit_photos if one != photo]
        facts.photos_disproved = [one for one in facts.photos_disproved if one != photo]
    elif not disproved:
        _stated(facts, {*facts.visits_stated, given.get("visit", 0)})
    facts.fresh = [name for name in facts.fresh if name not in gone]
    if disproved:
        facts.photos_disproved = [*facts.photos_disproved, *([photo] if photo is not None else [])]
        return
    _met(now)
    if given["outcome"] == "found" and in_this_state(now):
        facts.fresh = add(facts.fresh, "visit_found")
    if photo is not None:
        facts.visit_photos = add(facts.visit_photos, photo)
        if given["outcome"] == "not_found":
            failed = [*facts.failed_visits, FailedVisit(on, photo)]
            facts.failed_visits = sorted(failed, key=lambda one: (one.on, one.photo))
